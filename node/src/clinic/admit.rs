//! The home clinic looks at what is held, and lets it count.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_protocol::ledger::{Admission, Body, CompartmentName, Signer};
use chartmesh_protocol::limits::MAX_ADMITTED;
use chartmesh_protocol::{ChartId, ClinicId, RecordId};
use serde::{Deserialize, Serialize};

use super::audit::Action;
use super::draft::Draft;
use super::open_chart::{OpenChart, Scope};
use super::records::{Content, HeldRecord, Listed};
use super::{Clinic, ClinicError, date};

/// A record that does not count, for who has to decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldItem {
    /// The record.
    pub id: RecordId,
    /// The patient's chart.
    pub patient: ChartId,
    /// The compartment.
    pub compartment: String,
    /// The clinic whose node wrote it; none where the node is unknown.
    pub author: Option<ClinicId>,
    /// Its name, where it is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub author_name: Option<String>,
    /// When it was written by the author's clock, as RFC 3339; none where it cannot be opened.
    pub at: Option<String>,
    /// Why it does not count.
    pub reason: String,
    /// Whether the home clinic can let it count.
    pub admissible: bool,
}

/// Records that were let count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admitted {
    /// The patient's chart.
    pub patient: ChartId,
    /// The compartment.
    pub compartment: String,
    /// The records that were named.
    pub records: Vec<RecordId>,
    /// Others that count now, too: those that were named build on them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub with_them: Vec<RecordId>,
}

/// A compartment of a chart.
type Place = (ChartId, CompartmentName);

/// Records by the compartment in which they stand.
type Places = BTreeMap<Place, BTreeSet<RecordId>>;

impl Clinic {
    /// The records that do not count, of one patient or of all; charts that came just now may be
    /// left out.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] for an unknown patient.
    pub fn held_list(&self, patient: Option<&str>) -> Result<Vec<HeldItem>, ClinicError> {
        let charts = match patient {
            Some(id) => vec![self.find_chart(id)?],
            None => self.charts_with_held()?,
        };
        let names = self.clinic_names()?;
        let mut all = Vec::new();
        for chart in charts {
            let open = self.open_chart(&chart, Scope::Reading)?;
            if open.held().next().is_none() {
                continue;
            }
            let records = self.records(&chart)?;
            for (name, held) in open.held() {
                let author = self.certificates_read().book().clinics(&held.author).next();
                all.push(HeldItem {
                    id: held.record,
                    patient: chart,
                    compartment: name.to_string(),
                    author,
                    author_name: author.and_then(|id| names.get(&id).cloned()),
                    at: self.written_at(&open, name, (&records, held))?,
                    reason: held.reason.clone(),
                    admissible: held.admissible,
                });
            }
            self.note(Action::Read, Some(chart))?;
        }
        Ok(all)
    }

    /// When a record was written, by its author's clock.
    fn written_at(
        &self,
        open: &OpenChart,
        name: &CompartmentName,
        (records, held): (&[Listed], &HeldRecord),
    ) -> Result<Option<String>, ClinicError> {
        let Some(listed) = records.iter().find(|one| one.id == held.record) else {
            return Ok(None);
        };
        if listed.header.marked.is_some() {
            return Ok(None);
        }
        let keys = self.keys_of(&open.ledger, name);
        Ok(match self.open_record(&open.id(), listed, &keys)? {
            Content::Open(content) => Some(date::moment(content.time.ms())),
            Content::Sealed | Content::Faulty(_) => None,
        })
    }

    /// Lets held records count, each named by its id or a unique beginning of it: all or none.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] or [`ClinicError::Ambiguous`] for an id,
    /// [`ClinicError::Refused`] where this is not the patient's home clinic or where an admission
    /// does not help, [`ClinicError::Usage`] for a reason that is too long.
    pub fn admit(&self, ids: &[String], reason: &str) -> Result<Vec<Admitted>, ClinicError> {
        let _writing = self.writing();
        let (places, before) = self.places_of(ids)?;
        let mut draft = Draft::default();
        let mut admitted = Vec::new();
        for ((chart, compartment), records) in places {
            let records: Vec<RecordId> = records.into_iter().collect();
            for some in records.chunks(MAX_ADMITTED) {
                let admission = Admission {
                    chart,
                    compartment: compartment.clone(),
                    records: some.to_vec(),
                    by: self.identity.user_id(),
                    reason: reason.trim().to_owned(),
                };
                let signed = Body::Admission(admission).sign(Signer::Clinic(&self.identity.clinic));
                let statement = signed
                    .map_err(|_| ClinicError::usage("a reason is one line of at most 512 bytes"))?;
                draft.statement(&statement);
            }
            draft.note(Action::Admit, Some(chart));
            admitted.push(Admitted {
                patient: chart,
                compartment: compartment.to_string(),
                records,
                with_them: Vec::new(),
            });
        }
        self.file(draft)?;
        for (one, (place, held)) in admitted.iter_mut().zip(before) {
            let left = held_in(&self.open_chart(&place.0, Scope::Reading)?, &place.1);
            let freed = held.difference(&left).copied();
            one.with_them = freed.filter(|id| !one.records.contains(id)).collect();
        }
        Ok(admitted)
    }

    /// Where the records stand that were named, and all that is held in the same compartments.
    fn places_of(&self, ids: &[String]) -> Result<(Places, Places), ClinicError> {
        let (mut places, mut before) = (Places::new(), Places::new());
        let wanted: Vec<String> = ids
            .iter()
            .map(|id| id.trim().to_ascii_lowercase())
            .collect();
        let mut found: Vec<BTreeSet<RecordId>> = vec![BTreeSet::new(); wanted.len()];
        for chart in self.charts_with_held()? {
            let open = self.open_chart(&chart, Scope::Reading)?;
            for (name, held) in open.held() {
                let id = held.record.to_string();
                for (wanted, found) in wanted.iter().zip(&mut found) {
                    if !wanted.is_empty() && id.starts_with(wanted) {
                        self.check_admissible(&open, held)?;
                        found.insert(held.record);
                        let place = (chart, name.clone());
                        let all = before.entry(place.clone());
                        all.or_insert_with(|| held_in(&open, name));
                        places.entry(place).or_default().insert(held.record);
                    }
                }
            }
        }
        for found in found {
            ClinicError::only(found, ("held record", "held records"), "held list")?;
        }
        Ok((places, before))
    }

    fn check_admissible(&self, open: &OpenChart, held: &HeldRecord) -> Result<(), ClinicError> {
        if open.decision().custodian() != Some(self.clinic_id()) {
            return Err(ClinicError::refused(
                "only the patient's home clinic can let a record count: ask it to look at the \
                 record with `chartmesh held list`",
            ));
        }
        if held.admissible {
            return Ok(());
        }
        Err(ClinicError::refused(format!(
            "record {} cannot be let count: {}; write what it says anew",
            super::short::short(&held.record),
            held.reason
        )))
    }
}

/// The records of a compartment that do not count.
fn held_in(open: &OpenChart, compartment: &CompartmentName) -> BTreeSet<RecordId> {
    let held = open.held().filter(|(name, _)| *name == compartment);
    held.map(|(_, held)| held.record).collect()
}
