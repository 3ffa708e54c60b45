//! The consent is revoked, and what is written later stays unreadable.

use std::collections::BTreeSet;

use chartmesh_protocol::RecordId;
use chartmesh_protocol::seal::VerifiedRecord;
use serde_json::json;

use super::Screen;
use super::member::Member;
use super::patient::{self, LATER};
use super::sharing::nothing_at;
use super::stage::Stage;
use super::told::{Told, claim, needed};
use crate::clinic::{AccessState, short};
use crate::control::Failure;

/// Revokes the patient's grant, and writes at Hill Clinic.
pub(super) fn revoked(stage: &mut Stage, _: &Screen<'_>) -> Result<Told, Failure> {
    let id = needed(stage.patient, "patient")?;
    let grant = needed(stage.grant, "grant")?.to_string();
    let clinic = &stage.hill.clinic;
    clinic.revoke(&grant, "the patient asked for it", None)?;
    stage.sync(&|| ())?;
    let access = stage.river.clinic.chart_view(&id.to_string())?.access;
    claim(
        access.state == AccessState::Ended,
        "River Hospital knows that its access has ended",
    )?;
    stage.shared = ids(&stage.hill.clinic.sealed_records(&id)?);
    let file = (
        "amina-3-later-visit.json",
        patient::later_visit as fn(&_) -> _,
    );
    patient::record(&stage.hill, &id, &stage.files(), file)?;
    let records = stage.hill.clinic.sealed_records(&id)?;
    let new = records.len().saturating_sub(stage.shared.len());
    claim(new > 0, "Hill Clinic has written new records")?;
    stage.sync(&|| ())?;
    let short = short(&grant);
    Ok(Told::new(
        vec![
            format!("Grant {short} is revoked, and River Hospital knows it."),
            format!("Hill Clinic writes a prescription and a note: {new} records, under new keys."),
            "All clinics have synced again.".to_owned(),
        ],
        json!({ "grant": grant, "records_written_later": new }),
        "The old keys are not used again for anything that is new.",
    ))
}

/// Counts what each clinic has, and tries the keys of those that have no right.
pub(super) fn account(stage: &mut Stage, _: &Screen<'_>) -> Result<Told, Failure> {
    let id = needed(stage.patient, "patient")?;
    let all = stage.hill.clinic.sealed_records(&id)?;
    let at_river = stage.river.clinic.sealed_records(&id)?;
    let (old, new): (Vec<VerifiedRecord>, Vec<VerifiedRecord>) = all
        .into_iter()
        .partition(|record| stage.shared.contains(&record.id()));
    claim(
        ids(&at_river) == stage.shared,
        "River Hospital has the old records and no other",
    )?;
    let reads = |member: &Member| -> Result<usize, Failure> {
        let chart = patient::chart(member, &id)?;
        let found = LATER
            .iter()
            .filter(|key| patient::find(&chart, key).is_some());
        Ok(found.count())
    };
    claim(
        reads(&stage.river)? == 0,
        "River Hospital reads nothing that was written later",
    )?;
    claim(
        reads(&stage.hill)? == LATER.len(),
        "Hill Clinic reads what was written later",
    )?;
    nothing_at(&stage.far)?;
    let keys = tried(stage, &old, &new)?;
    let checked = checked(&stage.members())?;
    let (old, new) = (old.len(), new.len());
    Ok(Told::new(
        vec![
            format!("Hill Clinic     all {} records of the chart", old + new),
            format!(
                "River Hospital  the {old} from before, marked ACCESS ENDED; none of the {new} new"
            ),
            format!(
                "                Handed the new ones past the network, its {keys} keys open 0 of"
            ),
            format!(
                "                {new}. They do open the {old} old ones, so the trial is fair."
            ),
            "Far Clinic      0 charts, 0 records, 0 keys".to_owned(),
            format!("Every signature holds: {checked} records and statements were checked."),
        ],
        json!({
            "records": { "Hill Clinic": old + new, "River Hospital": old, "Far Clinic": 0 },
            "new_records": new,
            "keys_tried": keys,
            "new_records_opened": 0,
            "old_records_opened": old,
            "charts_at_far_clinic": 0,
            "checked": checked,
        }),
        "What River Hospital had before cannot be called back; no program could promise that. But\n\
         it gets nothing more, and could not open it if it did.",
    ))
}

/// Hands records to clinics past every rule of the network, and returns how many keys of River
/// Hospital were tried on the new ones, in vain. That the same keys open the old ones, and those
/// of Hill Clinic the new ones, shows that the trial is one.
fn tried(stage: &Stage, old: &[VerifiedRecord], new: &[VerifiedRecord]) -> Result<usize, Failure> {
    let river = stage.river.clinic.try_keys(new)?;
    claim(
        river.keys > 0 && river.opened == 0,
        "no key of River Hospital opens a new record",
    )?;
    let fair = stage.river.clinic.try_keys(old)?.opened == old.len();
    claim(fair, "the same keys open every old record")?;
    let home = stage.hill.clinic.try_keys(new)?.opened == new.len();
    claim(home, "the keys of Hill Clinic open every new record")?;
    let far = stage.far.clinic.try_keys(&[old, new].concat())?;
    claim(far.keys == 0 && far.opened == 0, "Far Clinic has no key")?;
    Ok(river.keys)
}

fn ids(records: &[VerifiedRecord]) -> BTreeSet<RecordId> {
    records.iter().map(VerifiedRecord::id).collect()
}

/// Checks the store, the ledgers and the audit log of each clinic, as `chartmesh doctor` does.
fn checked(members: &[&Member]) -> Result<usize, Failure> {
    let mut checked = 0;
    for member in members {
        let report = member.clinic.check(&|_| ())?;
        claim(
            report.healthy,
            &format!("the store of {} is sound", member.name),
        )?;
        checked += report.ledgers.statements + report.ledgers.records;
    }
    Ok(checked)
}
