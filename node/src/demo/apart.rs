//! Both clinics write while the link is down; what they wrote is merged, and what they wrote twice
//! is decided by a person.

use serde_json::{Value, json};

use super::Screen;
use super::patient::{self, ALLERGY, PHONE, PRESCRIPTION, PRESSURE, VILLAGE};
use super::sharing::same_at_both;
use super::stage::Stage;
use super::told::{Told, claim, needed, quoted};
use crate::clinic::{ConflictView, short};
use crate::control::{Failure, Resolution};

/// Cuts the links, and writes at both clinics.
pub(super) fn edits(stage: &mut Stage, _: &Screen<'_>) -> Result<Told, Failure> {
    stage.disconnect();
    let id = needed(stage.patient, "patient")?;
    let folder = stage.files();
    let hill = ("amina-2-hill.json", patient::at_hill as fn(&_) -> _);
    let river = ("amina-2-river.json", patient::at_river as fn(&_) -> _);
    patient::record(&stage.hill, &id, &folder, hill)?;
    patient::record(&stage.river, &id, &folder, river)?;
    let at_hill = patient::chart(&stage.hill, &id)?;
    let at_river = patient::chart(&stage.river, &id)?;
    claim(
        patient::find(&at_hill, PRESCRIPTION).is_none()
            && patient::find(&at_river, PRESSURE).is_none(),
        "the clinics are apart",
    )?;
    Ok(Told::new(
        vec![
            "Hill Clinic     a new telephone number, a blood pressure of 142/90, and:".to_owned(),
            "                penicillin made her face swell, the risk is high".to_owned(),
            "River Hospital  a new address, a prescription of amlodipine, and:".to_owned(),
            "                penicillin gave her a mild rash, the risk is low".to_owned(),
        ],
        json!({ "resources": { "Hill Clinic": at_hill.len(), "River Hospital": at_river.len() } }),
        "Nobody waits for a link. Telephone number and address are parts of one FHIR resource.",
    ))
}

/// Connects again, and finds the work of both in both charts.
pub(super) fn merged(stage: &mut Stage, _: &Screen<'_>) -> Result<Told, Failure> {
    stage.connect()?;
    let report = stage.sync(&|| ())?;
    let id = needed(stage.patient, "patient")?;
    let resources = same_at_both(stage, &id.to_string())?;
    let chart = patient::chart(&stage.river, &id)?;
    let person = needed(patient::find(&chart, "Patient/*"), "Patient in the chart")?;
    let phone = person.pointer("/telecom/0/value").and_then(Value::as_str);
    let village = person.pointer("/address/0/city").and_then(Value::as_str);
    let both = phone == Some(PHONE) && village == Some(VILLAGE);
    claim(
        both,
        "the telephone number of one and the address of the other are kept",
    )?;
    let new = [PRESSURE, PRESCRIPTION];
    claim(
        new.iter().all(|key| patient::find(&chart, key).is_some()),
        "the blood pressure and the prescription are kept",
    )?;
    Ok(Told::new(
        vec![
            format!("From Hill Clinic:     telephone {PHONE}, the blood pressure"),
            format!("From River Hospital:  address {VILLAGE}, the prescription"),
            format!("Both have all of it: {resources} resources, the same to the byte."),
            format!(
                "{} records went from Hill Clinic, {} came back, in {} ms.",
                report.records_sent, report.records_received, report.duration_ms
            ),
        ],
        json!({
            "resources": resources,
            "records_sent": report.records_sent,
            "records_received": report.records_received,
            "duration_ms": report.duration_ms,
        }),
        "What was written apart is merged in the same way everywhere, whoever comes first.",
    ))
}

/// Shows the conflict, and decides it at River Hospital.
pub(super) fn decided(stage: &mut Stage, screen: &Screen<'_>) -> Result<Told, Failure> {
    let id = needed(stage.patient, "patient")?.to_string();
    let short = short(&id);
    let conflicts = stage.river.clinic.conflicts(&id)?;
    let at_hill = stage.hill.clinic.conflicts(&id)?;
    let shown = |conflicts: &[ConflictView]| (screen.conflicts)(conflicts, &short);
    claim(
        shown(&conflicts) == shown(&at_hill),
        "both clinics see the same conflict",
    )?;
    claim(
        conflicts.len() == 1,
        "one thing is in conflict, and no other",
    )?;
    let conflict = needed(conflicts.first(), "conflict")?;
    let whole = conflict.resource == ALLERGY && conflict.element.is_none();
    claim(whole, "the allergy is the conflict")?;
    let hill = stage.hill.clinic.clinic_id();
    let river = stage.river.clinic.clinic_id();
    let by = |clinic| {
        conflict
            .versions
            .iter()
            .find(move |one| one.clinic == Some(clinic))
    };
    let of_hill = needed(by(hill), "version of Hill Clinic")?;
    let of_river = needed(by(river), "version of River Hospital")?;
    claim(
        risk(of_hill.value.as_deref()) == "high" && risk(of_river.value.as_deref()) == "low",
        "the conflict holds the values of both",
    )?;
    let left = stage.river.clinic.resolve(&Resolution {
        id: id.clone(),
        resource: conflict.resource.clone(),
        element: None,
        version: of_hill.version,
    })?;
    stage.sync(&|| ())?;
    let after = stage.hill.clinic.conflicts(&id)?;
    claim(
        left.left == 0 && after.is_empty(),
        "the conflict is gone at both clinics",
    )?;
    same_at_both(stage, &id)?;
    let chart = patient::chart(&stage.hill, &needed(stage.patient, "patient")?)?;
    let allergy = needed(patient::find(&chart, ALLERGY), "allergy in the chart")?;
    claim(
        allergy["criticality"] == "high",
        "Hill Clinic reads what was decided",
    )?;
    let mut lines = quoted(&shown(&conflicts));
    lines.push(format!(
        "River Hospital decides for version {}: the risk is high. Hill Clinic sees it decided.",
        of_hill.version
    ));
    Ok(Told::new(
        lines,
        json!({ "conflicts": conflicts, "chosen": of_hill.version, "left": left.left }),
        "Of two statements on an allergy, a medication or a problem none is chosen silently: both\n\
         are shown, with author and time, until a person decides.",
    ))
}

fn risk(value: Option<&serde_json::value::RawValue>) -> String {
    let value = value.and_then(|value| serde_json::from_str::<Value>(value.get()).ok());
    let criticality = value.as_ref().and_then(|value| value.get("criticality"));
    criticality
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
