//! What clinics do with each other, told from beginning to end.

mod restart;
mod secrecy;
mod sharing;

use std::time::Duration;

use chartmesh_tests::clinic::text;
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, bundle};
use serde_json::{Value, json};

use crate::PROGRAM;

/// How long something may take that is to happen by itself.
const SOON: Duration = Duration::from_secs(60);

/// Clinics with these names, running.
fn running<const N: usize>(names: [&str; N]) -> [Clinic; N] {
    names.map(|name| {
        let mut clinic = Clinic::create(PROGRAM, name);
        clinic.start();
        clinic
    })
}

/// One patient, registered at one clinic and shared with another.
struct NakatoShared {
    chart: String,
    patient: String,
    grant: String,
}

/// Registers a patient at a clinic and lets another one read and write the whole chart.
fn shared_with(home: &Clinic, other: &Clinic) -> NakatoShared {
    let registered = home.json(&[
        "patient", "register", "--given", "Amina", "--family", "Nakato",
    ]);
    let chart = text(&registered["id"]);
    let granted = grant(home, &chart, other, "all");
    NakatoShared {
        patient: text(&registered["fhir_id"]),
        grant: text(&granted["grant"]),
        chart,
    }
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
    fn note(&self, clinic: &Clinic, id: &str, words: &str) {
        let subject = json!({ "reference": format!("Patient/{}", self.patient) });
        self.put(
            clinic,
            &json!({
                "resourceType": "Observation", "id": id, "status": "final", "subject": subject,
                "code": { "text": "note" }, "valueString": words,
            }),
        );
    }

    /// Imports one resource into the chart, next to its Patient.
    fn put(&self, clinic: &Clinic, resource: &Value) {
        let export = clinic.export(&self.chart);
        let resources = bundle::resources(&export);
        let patient = &resources[&format!("Patient/{}", self.patient)];
        let resource = chartmesh_tests::Exact::read(&resource.to_string());
        let both = if bundle::key(&resource) == bundle::key(patient) {
            bundle::bundle_of([&resource])
        } else {
            bundle::bundle_of([patient, &resource])
        };
        let report = clinic.import_text("edit.json", &both);
        assert_eq!(report["files"][0]["changed"], 1, "{report}");
    }

    fn has(&self, clinic: &Clinic, key: &str) -> bool {
        let output = clinic.cli(&["export", "--patient", &self.chart]);
        output.code == Some(0) && bundle::resources(&output.stdout).contains_key(key)
    }

    /// Waits until an observation has come by itself.
    fn wait_for_note(&self, clinic: &Clinic, id: &str) {
        let key = format!("Observation/{id}");
        wait_until(&format!("{key} at {}", clinic.name()), SOON, || {
            self.has(clinic, &key)
        });
    }
}
