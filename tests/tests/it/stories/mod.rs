//! What clinics do with each other, told from beginning to end.

mod attachments;
mod cards;
mod commands;
mod compaction;
mod doctor;
mod edits;
mod emergency;
mod grants;
mod health;
mod missing;
mod moved;
mod parcels;
mod patient_cards;
mod patients;
mod referral;
mod relay_disk;
mod relays;
mod restart;
mod revocation;
mod secrecy;
mod sharing;
mod stick_files;
mod sticks;
mod told_log;
mod twins;
mod unanswered;
mod visits;

use std::time::Duration;

use chartmesh_tests::clinic::text;
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, Exact, bundle};
use serde_json::{Value, json};

use crate::PROGRAM;

/// How long something may take that is to happen by itself.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// Clinics with these names, running.
fn running<const N: usize>(names: [&str; N]) -> [Clinic; N] {
    names.map(|name| {
        let mut clinic = Clinic::create(PROGRAM, name);
        clinic.start();
        clinic
    })
}

/// One patient, registered at one clinic and shared with another.
pub(crate) struct NakatoShared {
    pub(crate) chart: String,
    patient: String,
    grant: String,
}

/// Registers a patient at a clinic and lets another one read and write the whole chart.
pub(crate) fn shared_with(home: &Clinic, other: &Clinic) -> NakatoShared {
    shared_in_part(home, other, "all")
}

/// Registers a patient at a clinic and lets another one read and write these compartments.
fn shared_in_part(home: &Clinic, other: &Clinic, compartments: &str) -> NakatoShared {
    let registered = home.json(&[
        "patient", "register", "--given", "Amina", "--family", "Nakato",
    ]);
    let chart = text(&registered["id"]);
    let granted = grant(home, &chart, other, compartments);
    NakatoShared {
        patient: text(&registered["fhir_id"]),
        grant: text(&granted["grant"]),
        chart,
    }
}

/// Registers a patient by these names, with a note and an allergy, and shares nothing.
fn allergic(home: &Clinic, names: &[&str], (note, words): (&str, &str)) -> NakatoShared {
    let register = [&["patient", "register"], names].concat();
    let registered = home.json(&register);
    let patient = NakatoShared {
        chart: text(&registered["id"]),
        patient: text(&registered["fhir_id"]),
        grant: String::new(),
    };
    patient.note(home, note, words);
    let allergy = json!({
        "resourceType": "AllergyIntolerance", "id": "a1",
        "code": { "text": "Penicillin" }, "patient": { "reference": patient.patient_key() },
    });
    patient.put(home, &allergy);
    patient
}

/// Grants a clinic reading and writing of compartments.
fn grant(home: &Clinic, patient: &str, to: &Clinic, compartments: &str) -> Value {
    let to = to.id();
    let mut arguments = vec!["consent", "grant", "--rights", "read,write", "--to", &to];
    arguments.extend(["--patient", patient, "--compartments", compartments]);
    home.json(&arguments)
}

impl NakatoShared {
    /// Writes an observation with a note into the chart.
    pub(crate) fn note(&self, clinic: &Clinic, id: &str, words: &str) {
        let bundle = self.note_bundle(clinic, id, words);
        changes_one(clinic, &bundle);
    }

    fn note_bundle(&self, clinic: &Clinic, id: &str, words: &str) -> String {
        let subject = json!({ "reference": format!("Patient/{}", self.patient) });
        let note = json!({
            "resourceType": "Observation", "id": id, "status": "final", "subject": subject,
            "code": { "text": "note" }, "valueString": words,
        });
        self.beside_the_patient(clinic, &note)
    }

    /// Imports one resource into the chart.
    fn put(&self, clinic: &Clinic, resource: &Value) {
        changes_one(clinic, &self.beside_the_patient(clinic, resource));
    }

    /// Imports one resource that is in the chart already.
    fn put_again(&self, clinic: &Clinic, resource: &Value) {
        clinic.import_text("again.json", &self.beside_the_patient(clinic, resource));
    }

    fn beside_the_patient(&self, clinic: &Clinic, resource: &Value) -> String {
        let resource = Exact::read(&resource.to_string());
        bundle::bundle_of([&self.patient_at(clinic), &resource])
    }

    /// `Patient/id` of the patient.
    pub(crate) fn patient_key(&self) -> String {
        format!("Patient/{}", self.patient)
    }

    fn patient_at(&self, clinic: &Clinic) -> Exact {
        let key = self.patient_key();
        bundle::resources(&clinic.export(&self.chart))[&key].clone()
    }

    /// Changes one element of the Patient.
    fn edit_patient(&self, clinic: &Clinic, element: &str, value: Value) {
        let patient = self.patient_at(clinic).write();
        let mut patient: Value = serde_json::from_str(&patient).unwrap();
        patient[element] = value;
        let patient = Exact::read(&patient.to_string());
        changes_one(clinic, &bundle::bundle_of([&patient]));
    }

    pub(crate) fn has(&self, clinic: &Clinic, key: &str) -> bool {
        let output = clinic.cli(&["export", "--patient", &self.chart]);
        output.code == Some(0) && bundle::resources(&output.stdout).contains_key(key)
    }

    /// Waits until a resource has come by itself.
    pub(crate) fn wait_for(&self, clinic: &Clinic, key: &str) {
        wait_until(&format!("{key} at {}", clinic.name()), SOON, || {
            self.has(clinic, key)
        });
    }
}

fn changes_one(clinic: &Clinic, bundle: &str) {
    let report = clinic.import_text("edit.json", bundle);
    assert_eq!(report["files"][0]["changed"], 1, "{report}");
}
