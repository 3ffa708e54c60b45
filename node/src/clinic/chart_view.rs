//! A chart as `chart show` and `patient show` print it.

use std::collections::BTreeMap;

use chartmesh_crdt::Resource;
use chartmesh_crdt::views::{self, AllergyStatus};
use chartmesh_protocol::ledger::CompartmentName;
use chartmesh_protocol::{ChartId, ClinicId};
use serde::{Deserialize, Serialize};

use super::attachments::AttachmentLine;
use super::audit::Action;
use super::emergency::EmergencyLine;
use super::grant_list::{GrantLine, state_text};
use super::held_view::{HeldLine, HeldResource};
use super::index_card::{Identifier, IndexCard};
use super::open_chart::OpenChart;
use super::{Clinic, ClinicError, date};

/// A chart, as much of it as this clinic can open.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChartView {
    /// The chart.
    pub id: ChartId,
    /// The FHIR Patient id.
    pub fhir_id: String,
    /// The name.
    pub name: String,
    /// FHIR date.
    pub birth_date: Option<String>,
    /// FHIR AdministrativeGender.
    pub sex: Option<String>,
    /// What this clinic may do with the chart now.
    pub access: Access,
    /// Whether the patient died: a FHIR date where one is recorded, else `true`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deceased: Option<String>,
    /// Whether this clinic may see `summary`, where allergies, problems, medications and
    /// immunisations stand. Where it may not, their lists are empty and say nothing.
    pub summary_visible: bool,
    /// Whether this clinic may see only what was written since its grant: a list shows a part of
    /// what there is.
    #[serde(default)]
    pub since_grant_only: bool,
    /// Changes that cannot be shown, for they build on others that this clinic has not got or may
    /// not see.
    #[serde(default)]
    pub waiting: usize,
    /// How many resources each compartment holds.
    pub compartments: BTreeMap<String, usize>,
    /// Allergies and intolerances; each version of one in conflict.
    pub allergies: views::Allergies,
    /// The problem list.
    pub problems: Vec<views::Problem>,
    /// Active medications.
    pub medications: Vec<views::Medication>,
    /// What these lists leave out for it is over.
    #[serde(default)]
    pub past: views::Past,
    /// Immunisations.
    pub immunizations: Vec<views::ImmunizationEntry>,
    /// Scans and other large content, and whether it is here.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub attachments: Vec<AttachmentLine>,
    /// What clinics without a grant have asked in emergencies.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub emergencies: Vec<EmergencyLine>,
    /// How many elements or resources have two current values.
    pub conflicts: usize,
    /// Records that are kept but do not count, with the reason.
    pub held: Vec<HeldLine>,
    /// Resources as they would be if these records counted, where that is not as they are.
    #[serde(default)]
    pub held_resources: Vec<HeldResource>,
    /// Records that this clinic has and cannot open.
    pub sealed: usize,
    /// Changes that only the clinic which compacted the chart attests: what proves who made them
    /// is still on its way.
    pub attested: usize,
}

/// What this clinic may do with a chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The clinic that keeps the chart.
    pub home: Option<ClinicId>,
    /// That clinic's name, where it is known here.
    pub home_name: Option<String>,
    /// `home`, `granted` or `ended`.
    pub state: AccessState,
    /// When the access ended or will end, as RFC 3339, where that is known.
    pub until: Option<String>,
    /// Why it ended, in words.
    pub note: Option<String>,
}

/// How this clinic stands to a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessState {
    /// It keeps the chart.
    Home,
    /// A grant is in force.
    Granted,
    /// No grant is in force any more: what is shown is what had arrived before.
    Ended,
}

/// A patient, and who may see the chart.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PatientView {
    /// The chart.
    pub id: ChartId,
    /// The FHIR Patient id.
    pub fhir_id: String,
    /// The name.
    pub name: String,
    /// FHIR date.
    pub birth_date: Option<String>,
    /// FHIR AdministrativeGender.
    pub sex: Option<String>,
    /// Identifiers.
    pub identifiers: Vec<Identifier>,
    /// What this clinic may do with the chart now.
    pub access: Access,
    /// Whether the patient's key lies here, and under what.
    pub custody: Custody,
    /// The grants of the chart.
    pub grants: Vec<GrantLine>,
}

/// Whether and how the patient's key lies at this clinic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Custody {
    /// It does not lie here.
    Elsewhere,
    /// Under the patient's PIN.
    Pin,
    /// Under the clinic's own key: the patient has not set a PIN.
    Clinic,
}

/// One change of a chart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryLine {
    /// When, as RFC 3339.
    pub at: String,
    /// The compartment.
    pub compartment: String,
    /// The user.
    pub user: String,
    /// The user's role.
    pub role: String,
    /// The clinic, where the author's node is known.
    pub clinic: Option<ClinicId>,
    /// That clinic's name, where it is known here.
    pub clinic_name: Option<String>,
    /// The resources that were touched.
    pub resources: Vec<String>,
    /// On whose word it is known.
    pub provenance: Provenance,
    /// The clinic that attests it, where no signature does yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attested_by: Option<ClinicId>,
}

/// On whose word it is known who made a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provenance {
    /// The author's own signature.
    Signed,
    /// That of a clinic which compacted the chart; the authors' signatures are on their way.
    Attested,
}

/// Whether a patient died (FHIR Patient.deceased[x]).
fn deceased(patient: &Resource) -> Option<String> {
    let date = patient.element("deceasedDateTime");
    let date = date.and_then(|date| serde_json::from_str(date).ok());
    let died = patient.element("deceasedBoolean") == Some("true");
    date.or_else(|| died.then(|| "true".to_owned()))
}

impl Clinic {
    /// A chart's views.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`], or [`ClinicError::Unreadable`] for a damaged chart.
    pub fn chart_view(&self, id: &str) -> Result<ChartView, ClinicError> {
        let chart = self.find_chart(id)?;
        let view = self.with_chart(&chart, |open| self.view_of(open))?;
        self.note(Action::Read, Some(chart))?;
        Ok(view)
    }

    fn view_of(&self, open: &OpenChart) -> Result<ChartView, ClinicError> {
        let card = open
            .patient()
            .map(|patient| IndexCard::of(&patient))
            .unwrap_or_default();
        let contents = open.contents();
        let own = self.clinic_id();
        let names = [CompartmentName::Summary, CompartmentName::Clinical];
        let mut names = names
            .iter()
            .chain(open.compartments().map(|(name, _)| name));
        let since_grant_only = names.any(|name| open.decision().may_read_from_now_on(&own, name));
        let summary_visible = self.is_summary_visible(open);
        let mut allergies = views::allergies(&contents);
        let problems = views::problems(&contents);
        let medications = views::medications(&contents);
        if !summary_visible {
            allergies.status = AllergyStatus::NotVisible;
        }
        Ok(ChartView {
            id: open.id(),
            fhir_id: card.patient,
            name: card.name,
            birth_date: card.birth_date,
            sex: card.sex,
            access: self.access_to(open)?,
            compartments: open
                .compartments()
                .map(|(name, one)| (name.to_string(), one.content().len()))
                .filter(|(_, count)| *count > 0)
                .collect(),
            deceased: open.patient().and_then(|patient| deceased(&patient)),
            summary_visible,
            since_grant_only,
            waiting: open.compartments().map(|(_, one)| one.waiting()).sum(),
            past: views::Past::beside(&contents, &allergies, &problems, &medications),
            allergies,
            problems,
            medications,
            immunizations: views::immunizations(&contents),
            attachments: self.attachment_lines(open)?,
            emergencies: self.emergencies_of(&open.ledger, open.decision())?,
            conflicts: open
                .compartments()
                .map(|(_, one)| one.content().conflicts().len())
                .sum(),
            held_resources: self.held_resources(open)?,
            held: self.held_lines(open),
            sealed: open.sealed(),
            attested: open
                .compartments()
                .map(|(_, one)| one.attested().len())
                .sum(),
        })
    }

    /// Whether an empty list of the summary says that there is nothing: not where a part of it is
    /// out of sight, or has come and cannot be shown.
    fn is_summary_visible(&self, open: &OpenChart) -> bool {
        let name = CompartmentName::Summary;
        let summary = open.compartments.get(&name);
        let here = summary.is_some_and(|one| !one.content().is_empty());
        let waits = summary.is_some_and(|one| one.waiting() > 0);
        let (own, decision) = (self.clinic_id(), open.decision());
        let may_read = decision.may_read(&own, &name);
        (here || may_read) && !waits && !decision.may_read_from_now_on(&own, &name)
    }

    /// What this clinic may do with a chart now.
    pub(crate) fn access_to(&self, open: &OpenChart) -> Result<Access, ClinicError> {
        let own = self.clinic_id();
        let home = open.decision().custodian();
        let mut names = self.clinic_names()?;
        let mut access = Access {
            home,
            home_name: home.and_then(|home| names.remove(&home)),
            state: AccessState::Home,
            until: None,
            note: None,
        };
        if home == Some(own) {
            return Ok(access);
        }
        let mine = || {
            open.decision()
                .grants()
                .filter(|view| view.grant.grantee == own)
        };
        if open.decision().may_read_any(&own) {
            let ends = mine()
                .filter(|view| view.state == chartmesh_protocol::ledger::GrantState::Valid)
                .map(|view| view.grant.expires_ms)
                .max_by_key(|end| end.unwrap_or(u64::MAX))
                .flatten();
            access.until = ends.map(date::moment);
            access.state = AccessState::Granted;
            return Ok(access);
        }
        access.note = mine().map(|view| state_text(&view.state)).last();
        access.state = AccessState::Ended;
        Ok(access)
    }

    /// A patient, and who may see the chart.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`], or [`ClinicError::Unreadable`] for a damaged chart.
    pub fn patient(&self, id: &str) -> Result<PatientView, ClinicError> {
        let chart = self.find_chart(id)?;
        let view = self.with_chart(&chart, |open| {
            let card = open
                .patient()
                .map(|patient| IndexCard::of(&patient))
                .unwrap_or_default();
            Ok(PatientView {
                id: chart,
                fhir_id: card.patient,
                name: card.name,
                birth_date: card.birth_date,
                sex: card.sex,
                identifiers: card.identifiers,
                access: self.access_to(open)?,
                custody: self.custody_of(&chart)?,
                grants: self.grant_lines(open)?,
            })
        })?;
        self.note(Action::Read, Some(chart))?;
        Ok(view)
    }

    /// Who changed what, oldest first.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`], or [`ClinicError::Unreadable`] for a damaged chart.
    pub fn history(&self, id: &str) -> Result<Vec<HistoryLine>, ClinicError> {
        let chart = self.find_chart(id)?;
        let names = self.clinic_names()?;
        let mut lines = self.with_whole_chart(&chart, |open| {
            let mut lines = Vec::new();
            for (name, one) in open.compartments() {
                for entry in one.document()?.history() {
                    let at = u64::try_from(entry.time_ms).unwrap_or(0);
                    let clinic = self.clinic_of_actor(open, &entry.author.actor);
                    let attested_by = one.attested().get(&entry.hash);
                    let line = HistoryLine {
                        at: date::moment(at),
                        compartment: name.to_string(),
                        user: entry.author.user,
                        role: entry.author.role,
                        clinic,
                        clinic_name: clinic.and_then(|id| names.get(&id).cloned()),
                        resources: entry.touched.iter().map(ToString::to_string).collect(),
                        provenance: match attested_by {
                            Some(_) => Provenance::Attested,
                            None => Provenance::Signed,
                        },
                        attested_by: attested_by.and_then(|node| {
                            let certificates = self.certificates_read();
                            certificates.book().clinics(node).next()
                        }),
                    };
                    lines.push((at, line));
                }
            }
            Ok(lines)
        })?;
        lines.sort_by_key(|(at, _)| *at);
        self.note(Action::Read, Some(chart))?;
        Ok(lines.into_iter().map(|(_, line)| line).collect())
    }
}
