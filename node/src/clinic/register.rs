//! Registering: a patient gets a key, a chart and an index card.

use chartmesh_crdt::Resource;
use chartmesh_protocol::identity::PatientKey;
use chartmesh_protocol::ledger::{Body, ChartSecret, Genesis, Ledger, Signer};
use chartmesh_protocol::seal::wrap_first_secret;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::audit::Action;
use super::cards::WAIT_FOR_CARDS_MS;
use super::draft::Draft;
use super::open_chart::OpenChart;
use super::save::Edit;
use super::search::FoundPatient;
use super::{Clinic, ClinicError, date};
use crate::control::Registration;
use chartmesh_protocol::ChartId;

/// A patient who was registered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Registered {
    /// The chart.
    pub id: ChartId,
    /// The FHIR Patient id.
    pub fhir_id: String,
    /// The name.
    pub name: String,
    /// Patients who came from elsewhere just now, with whom this one was not compared.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub not_compared: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Clinic {
    /// Registers a patient. An alike patient who is here already is a conflict, unless the
    /// registration says otherwise.
    ///
    /// # Errors
    /// [`ClinicError::Usage`] for a date that is none, [`ClinicError::Conflict`] for an alike
    /// patient.
    pub fn register(&self, registration: &Registration) -> Result<Registered, ClinicError> {
        let patient = patient_of(registration, self.new_resource_id(), self.time_ms())?;
        let mut not_compared = 0;
        if !registration.even_if_alike {
            // Nobody is turned away because a thousand others have just come.
            not_compared = self.refresh_cards_within(WAIT_FOR_CARDS_MS)?;
            let alike = self.alike(registration)?;
            if let Some(found) = alike.first() {
                return Err(ClinicError::Conflict {
                    reason: format!(
                        "{} patient(s) with this name and birth date are here already, the first \
                         with the id {}: open that chart, or register with --even-if-alike",
                        alike.len(),
                        found.id
                    ),
                });
            }
        }
        let id = patient.id().unwrap_or_default().to_owned();
        let _writing = self.writing();
        let mut draft = Draft::default();
        let mut open = self.begin_chart(&mut draft)?;
        self.draft_edits(&mut open, vec![Edit::Put(patient)], &mut draft)?;
        draft.note(Action::Write, Some(open.id()));
        self.file(draft)?;
        let name = super::index_card::IndexCard::of(&open.patient().ok_or_else(|| {
            ClinicError::fault("a patient who was registered is not in the chart")
        })?)
        .name;
        Ok(Registered {
            id: open.id(),
            fhir_id: id,
            name,
            not_compared,
        })
    }

    fn alike(&self, registration: &Registration) -> Result<Vec<FoundPatient>, ClinicError> {
        let mut words = registration.given.clone();
        words.extend(registration.family.clone());
        words.extend(registration.birth_date.clone());
        self.search(&words)
    }

    /// Begins a chart of this clinic: a patient key in custody, a chart secret, a genesis.
    pub(crate) fn begin_chart(&self, draft: &mut Draft) -> Result<OpenChart, ClinicError> {
        let mut rng = self.chance();
        let key = PatientKey::generate(&mut rng);
        let secret = ChartSecret::generate(&mut rng);
        let own = self.clinic_id();
        let sealing = self.own_sealing();
        let wrapped = wrap_first_secret(&mut rng, &key.id(), &own, &sealing, &secret)
            .map_err(ClinicError::fault)?;
        let genesis = Genesis {
            patient: key.id(),
            custodian: own,
            created_ms: self.now_ms(),
            nonce: rng.random(),
            secret: wrapped,
        };
        let chart = genesis.chart();
        let statement = Body::Genesis(genesis)
            .sign(Signer::Patient(&key))
            .map_err(ClinicError::fault)?;
        draft.statement(&statement);
        self.take_custody(&chart, &key, draft)?;
        let mut ledger = Ledger::new(chart);
        ledger.insert(statement);
        let decision = self.decide(&ledger);
        Ok(OpenChart::begun(chart, ledger, decision, secret))
    }
}

/// The FHIR Patient of a registration.
fn patient_of(
    registration: &Registration,
    id: String,
    now_ms: u64,
) -> Result<Resource, ClinicError> {
    let written = |text: &String| !text.trim().is_empty();
    if !registration
        .given
        .iter()
        .chain(&registration.family)
        .any(written)
    {
        return Err(ClinicError::usage(
            "a name is needed: --given, and --family where there is one",
        ));
    }
    if let Some(date) = &registration.birth_date
        && !date::is_fhir_date(date)
    {
        return Err(ClinicError::usage(
            "a birth date is YYYY-MM-DD, YYYY-MM, or YYYY where only the age is known",
        ));
    }
    if let Some(date) = &registration.birth_date
        && date::is_to_come(date, now_ms)
    {
        return Err(ClinicError::usage(format!(
            "this birth date lies in the future: by this computer's clock it is {}",
            date::moment(now_ms)
        )));
    }
    let empty = |text: &String| {
        let value = text
            .split_once('|')
            .map_or(text.as_str(), |(_, value)| value);
        !value.chars().any(char::is_alphanumeric)
    };
    if registration.identifiers.iter().any(empty) {
        return Err(ClinicError::usage(
            "an identifier is a number or a code, with its system before it where there is one: \
             SYSTEM|VALUE",
        ));
    }
    let mut name = json!({ "use": "official", "given": registration.given });
    if let (Some(family), Some(name)) = (&registration.family, name.as_object_mut()) {
        name.insert("family".to_owned(), json!(family));
    }
    let mut patient = json!({
        "resourceType": "Patient",
        "id": id,
        "name": [name],
        "gender": registration.sex,
    });
    if let Some(patient) = patient.as_object_mut() {
        if let Some(date) = &registration.birth_date {
            patient.insert("birthDate".to_owned(), json!(date));
        }
        let identifiers: Vec<_> = registration
            .identifiers
            .iter()
            .map(|text| match text.split_once('|') {
                Some((system, value)) => json!({ "system": system, "value": value }),
                None => json!({ "value": text }),
            })
            .collect();
        if !identifiers.is_empty() {
            patient.insert("identifier".to_owned(), json!(identifiers));
        }
    }
    Resource::parse(&patient.to_string()).map_err(|error| ClinicError::usage(error.to_string()))
}
