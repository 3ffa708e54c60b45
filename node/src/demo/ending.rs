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
use crate::clinic::AccessState;
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
    let short: String = grant.chars().take(8).collect();
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
    let later = patient::chart(&stage.river, &id)?;
    let unread = |key: &&str| patient::find(&later, key).is_none();
    claim(
        LATER.iter().all(|key| unread(&key)),
        "River Hospital cannot read what was written later",
    )?;
    let home = patient::chart(&stage.hill, &id)?;
    let reads = |key: &&str| patient::find(&home, key).is_some();
    claim(LATER.iter().all(|key| reads(&key)), "Hill Clinic reads it")?;

    // Had the new records come into other hands all the same, past every rule of the network:
    let of_river = stage.river.clinic.try_keys(&new)?;
    claim(
        of_river.keys > 0 && of_river.opened == 0,
        "no key of River Hospital opens a new record",
    )?;
    let control = stage.river.clinic.try_keys(&old)?;
    claim(
        control.opened == old.len(),
        "the same keys open every old record",
    )?;
    let of_hill = stage.hill.clinic.try_keys(&new)?;
    claim(
        of_hill.opened == new.len(),
        "the keys of Hill Clinic open the new records",
    )?;
    nothing_at(&stage.far)?;
    let of_far = stage
        .far
        .clinic
        .try_keys(&[old.as_slice(), new.as_slice()].concat())?;
    claim(of_far.opened == 0, "no key of Far Clinic opens a record")?;
    let checked = checked(&stage.members())?;

    let (kept, later) = (old.len(), new.len());
    let keys = of_river.keys;
    Ok(Told::new(
        vec![
            format!("Hill Clinic     all {} records of the chart", kept + later),
            format!(
                "River Hospital  the {kept} from before, marked ACCESS ENDED; none of the {later} new"
            ),
            format!(
                "                Handed the new ones past the network, its {keys} keys open 0 of {later}"
            ),
            format!(
                "                (and {kept} of the {kept} old ones, so the trial is a fair one)."
            ),
            format!("Far Clinic      0 charts, 0 records, {} keys", of_far.keys),
            format!("Every signature holds: {checked} records and statements were checked."),
        ],
        json!({
            "records": { "Hill Clinic": kept + later, "River Hospital": kept, "Far Clinic": 0 },
            "new_records": later,
            "keys_tried": keys,
            "new_records_opened": of_river.opened,
            "old_records_opened": control.opened,
            "charts_at_far_clinic": 0,
            "checked": checked,
        }),
        "What River Hospital had before cannot be called back; no program could promise that. But it\n\
         gets nothing more, and could not open it if it did.",
    ))
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
