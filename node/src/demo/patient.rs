//! The patient whose chart is followed, as FHIR: what each clinic writes of her.

use std::path::{Path, PathBuf};

use chartmesh_protocol::ChartId;
use serde_json::{Value, json};

use super::member::Member;
use super::told::needed;
use crate::control::{Exit, Failure, Registration};

/// The allergy that both clinics write about while apart.
pub(super) const ALLERGY: &str = "AllergyIntolerance/penicillin";
/// What Hill Clinic writes while apart.
pub(super) const PRESSURE: &str = "Observation/blood-pressure";
/// What River Hospital writes while apart.
pub(super) const PRESCRIPTION: &str = "MedicationRequest/amlodipine";
/// What Hill Clinic writes after the consent was revoked.
pub(super) const LATER: [&str; 2] = ["Observation/later-visit", "MedicationRequest/lisinopril"];
/// Her new telephone number, from Hill Clinic, and her new village, from River Hospital.
pub(super) const PHONE: &str = "+999 55 000100";
pub(super) const VILLAGE: &str = "Kyanja";

/// Who she is.
pub(super) fn registration() -> Registration {
    Registration {
        given: vec!["Amina".to_owned()],
        family: Some("Nakato".to_owned()),
        birth_date: Some("1987-04-02".to_owned()),
        sex: "female".to_owned(),
        identifiers: Vec::new(),
        even_if_alike: false,
    }
}

/// The first visit, at Hill Clinic.
pub(super) fn first_visit(patient: &Value) -> Vec<Value> {
    let subject = reference(patient);
    vec![
        patient.clone(),
        allergy(&subject, "unable-to-assess", None),
        json!({
            "resourceType": "Condition",
            "id": "hypertension",
            "clinicalStatus": code("condition-clinical", "active"),
            "category": [code("condition-category", "problem-list-item")],
            "code": { "text": "High blood pressure" },
            "subject": subject,
            "onsetDateTime": "2019",
        }),
    ]
}

/// What Hill Clinic writes while apart.
pub(super) fn at_hill(patient: &Value) -> Vec<Value> {
    let subject = reference(patient);
    let mut patient = patient.clone();
    put(
        &mut patient,
        "telecom",
        json!([{ "system": "phone", "value": PHONE }]),
    );
    let part = |text: &str, value: u32| {
        let quantity = json!({ "value": value, "unit": "mmHg" });
        json!({ "code": { "text": text }, "valueQuantity": quantity })
    };
    vec![
        patient,
        allergy(&subject, "high", Some("Swelling of the face")),
        json!({
            "resourceType": "Observation",
            "id": "blood-pressure",
            "status": "final",
            "code": { "text": "Blood pressure" },
            "subject": subject,
            "component": [part("Systolic", 142), part("Diastolic", 90)],
        }),
    ]
}

/// What River Hospital writes while apart.
pub(super) fn at_river(patient: &Value) -> Vec<Value> {
    let subject = reference(patient);
    let mut patient = patient.clone();
    put(
        &mut patient,
        "address",
        json!([{ "use": "home", "city": VILLAGE }]),
    );
    vec![
        patient,
        allergy(&subject, "low", Some("Mild rash")),
        prescription("amlodipine", "Amlodipine 5 mg", &subject),
    ]
}

/// What Hill Clinic writes after the consent was revoked: something in two compartments.
pub(super) fn later_visit(patient: &Value) -> Vec<Value> {
    let subject = reference(patient);
    vec![
        patient.clone(),
        prescription("lisinopril", "Lisinopril 10 mg", &subject),
        json!({
            "resourceType": "Observation",
            "id": "later-visit",
            "status": "final",
            "code": { "text": "Note of the visit" },
            "subject": subject,
            "valueString": "She does not want River Hospital to know of this visit.",
        }),
    ]
}

fn allergy(subject: &Value, criticality: &str, reaction: Option<&str>) -> Value {
    let mut allergy = json!({
        "resourceType": "AllergyIntolerance",
        "id": "penicillin",
        "clinicalStatus": code("allergyintolerance-clinical", "active"),
        "code": { "text": "Penicillin" },
        "criticality": criticality,
        "patient": subject,
    });
    if let Some(text) = reaction {
        put(
            &mut allergy,
            "reaction",
            json!([{ "manifestation": [{ "text": text }] }]),
        );
    }
    allergy
}

fn prescription(id: &str, medicine: &str, subject: &Value) -> Value {
    json!({
        "resourceType": "MedicationRequest",
        "id": id,
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": { "text": medicine },
        "subject": subject,
        "dosageInstruction": [{ "text": "one tablet in the morning" }],
    })
}

fn code(system: &str, code: &str) -> Value {
    let system = format!("http://terminology.hl7.org/CodeSystem/{system}");
    json!({ "coding": [{ "system": system, "code": code }] })
}

fn reference(patient: &Value) -> Value {
    let id = patient
        .get("id")
        .and_then(Value::as_str)
        .unwrap_or_default();
    json!({ "reference": format!("Patient/{id}") })
}

fn put(resource: &mut Value, element: &str, value: Value) {
    if let Some(resource) = resource.as_object_mut() {
        resource.insert(element.to_owned(), value);
    }
}

/// Her chart as a clinic has it now: every resource.
pub(super) fn chart(member: &Member, chart: &ChartId) -> Result<Vec<Value>, Failure> {
    let lines = member.clinic.export(&chart.to_string(), true)?;
    let resources = lines.lines().map(serde_json::from_str);
    resources
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))
}

/// A resource of a chart.
pub(super) fn find<'a>(chart: &'a [Value], key: &str) -> Option<&'a Value> {
    let (kind, id) = key.split_once('/')?;
    chart
        .iter()
        .find(|one| one["resourceType"] == kind && (id == "*" || one["id"] == id))
}

/// Writes resources of hers, as one bundle, and has a clinic take them in.
pub(super) fn record(
    member: &Member,
    id: &ChartId,
    folder: &Path,
    (file, resources): (&str, fn(&Value) -> Vec<Value>),
) -> Result<usize, Failure> {
    let patient = chart(member, id)?;
    let patient = needed(find(&patient, "Patient/*"), "Patient in the chart")?;
    let entries: Vec<Value> = resources(patient)
        .into_iter()
        .map(|resource| json!({ "resource": resource }))
        .collect();
    let bundle = json!({ "resourceType": "Bundle", "type": "collection", "entry": entries });
    let path: PathBuf = folder.join(file);
    let written = std::fs::write(&path, format!("{bundle}\n"));
    written.map_err(|error| Failure::new(Exit::Failed, format!("{}: {error}", path.display())))?;
    member.import(&path, &|_| ())
}
