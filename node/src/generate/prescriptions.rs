//! Prescriptions: a medicine that suits the person, and its MedicationRequest (FHIR R4 11.1).

use time::Date;

use super::calendar::{TODAY, days_after, moment_text};
use super::chart::Chart;
use super::conditions::{Condition, Label};
use super::fhir::{called, concept, quantity};
use super::json::Json;
use super::medicines::{Dose, Medicine, Often};

/// The Anatomical Therapeutic Chemical classification.
const ATC: &str = "http://www.whocc.no/atc";

/// What a medicine is given for.
pub(super) struct Cause<'a> {
    /// The id of the Condition.
    pub(super) condition: &'a str,
    /// The id of the Encounter, if it was begun at one.
    pub(super) encounter: Option<&'a str>,
    /// The label of the problem: a medicine tells as much as its diagnosis.
    pub(super) label: Option<&'a Label>,
}

/// For each line of a problem's treatment the first medicine that the person may have: there is
/// a dose for the age, no allergy against it, and no pregnancy that forbids it. Empty when
/// nothing suits the first line.
pub(super) fn suitable(chart: &Chart, condition: &Condition, on: Date) -> Vec<&'static Medicine> {
    let months = chart.person.months_old(on);
    let suits = |medicine: &Medicine| {
        medicine.dose_at(months).is_some()
            && !chart.allergies.forbids(medicine.classes)
            && (medicine.in_pregnancy || chart.pregnancy().is_none())
    };
    let mut lines = condition
        .treatment
        .iter()
        .map(|line| line.iter().copied().find(|medicine| suits(medicine)));
    match lines.next().flatten() {
        Some(first) => std::iter::once(first).chain(lines.flatten()).collect(),
        None => Vec::new(),
    }
}

/// Adds a prescription and returns how it reads. An age without a dose adds nothing.
pub(super) fn write(
    chart: &mut Chart,
    medicine: &Medicine,
    day: Date,
    minute: u32,
    cause: &Cause<'_>,
) -> Option<String> {
    let dose = medicine.dose_at(chart.person.months_old(day))?;
    let id = chart.dice.uuid();
    let is_over =
        dose.often == Often::Once || (medicine.days > 0 && days_after(day, medicine.days) < TODAY);
    let text = sentence(medicine, dose);
    let body = Json::object()
        .with("status", if is_over { "completed" } else { "active" })
        .with("intent", "order")
        .with(
            "medicationCodeableConcept",
            concept(ATC, medicine.atc, medicine.name),
        )
        .with("subject", chart.patient())
        .with_some(
            "encounter",
            cause
                .encounter
                .map(|visit| chart.bundle.reference("Encounter", visit)),
        )
        .with(
            "authoredOn",
            moment_text(day, minute, chart.person.region.zone),
        )
        .with("requester", called(chart.clinician))
        .with(
            "reasonReference",
            [chart.bundle.reference("Condition", cause.condition)],
        )
        .with("dosageInstruction", [dosage(medicine, dose, &text)]);
    chart
        .bundle
        .add("MedicationRequest", &id, cause.label, body);
    Some(format!("{}: {text}", medicine.name))
}

/// The dosage (FHIR R4 2.24.0.4 `Dosage`).
fn dosage(medicine: &Medicine, dose: &Dose, text: &str) -> Json {
    let times = match dose.often {
        Often::Daily(times) | Often::AsNeeded(times) => times,
        Often::Once => 1,
    };
    let bounds = (medicine.days > 0).then(|| quantity(medicine.days, 0, "d", "d"));
    let repeat = Json::object()
        .with_some("boundsDuration", bounds)
        .with_some("count", (dose.often == Often::Once).then_some(1u32))
        .with("frequency", times)
        .with("period", 1u32)
        .with("periodUnit", "d");
    let amount = quantity(dose.amount, 0, words(medicine, dose), medicine.unit);
    Json::object()
        .with("text", text)
        .with("timing", Json::object().with("repeat", repeat))
        .with("asNeededBoolean", matches!(dose.often, Often::AsNeeded(_)))
        .with("route", Json::object().with("text", medicine.route))
        .with("doseAndRate", [Json::object().with("doseQuantity", amount)])
}

fn words(medicine: &Medicine, dose: &Dose) -> &'static str {
    if dose.amount == 1 {
        medicine.words.0
    } else {
        medicine.words.1
    }
}

/// The dosage in words, such as `500 mg by mouth 3 times a day for 5 days`.
fn sentence(medicine: &Medicine, dose: &Dose) -> String {
    let amount = format!(
        "{} {} {}",
        dose.amount,
        words(medicine, dose),
        medicine.route
    );
    let times = |times| match times {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => format!("{n} times"),
    };
    let often = match dose.often {
        Often::Daily(n) => format!("{} a day", times(n)),
        Often::AsNeeded(n) => format!("when needed, at most {} a day", times(n)),
        Often::Once => return format!("{amount} one time"),
    };
    match medicine.days {
        0 => format!("{amount} {often}"),
        1 => format!("{amount} {often} for 1 day"),
        days => format!("{amount} {often} for {days} days"),
    }
}
