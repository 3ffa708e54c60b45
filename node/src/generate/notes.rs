//! The note of a visit: a text in a DocumentReference (FHIR R4 10.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::chart::Chart;
use super::fhir::{called, concept};
use super::json::Json;
use super::visits::Visit;
use super::vitals::LOINC;

/// What of a visit the note repeats.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// The vital signs in a line.
    pub(super) vitals: String,
    /// How each result reads.
    pub(super) results: Vec<String>,
    /// How each prescription reads.
    pub(super) medicines: Vec<String>,
}

/// Adds the note of a visit.
pub(super) fn write(chart: &mut Chart, visit: &Visit, told: &Told) {
    let text = text(chart, visit, told);
    let id = chart.dice.uuid();
    let attachment = Json::object()
        .with("contentType", "text/plain; charset=utf-8")
        .with("data", STANDARD.encode(text))
        .with("title", "Visit note");
    let context = Json::object().with(
        "encounter",
        [chart.bundle.reference("Encounter", &visit.id)],
    );
    let body = Json::object()
        .with("status", "current")
        .with("docStatus", "final")
        .with("type", concept(LOINC, "11506-3", "Progress note"))
        .with("subject", chart.patient())
        .with("date", chart.moment(visit, 30))
        .with("author", [called(chart.clinician)])
        .with("content", [Json::object().with("attachment", attachment)])
        .with("context", context);
    chart
        .bundle
        .add("DocumentReference", &id, visit.label, body);
}

/// The note: what was said, found, thought and done.
fn text(chart: &mut Chart, visit: &Visit, told: &Told) -> String {
    let age = match chart.person.months_old(visit.day) {
        months @ 0..=23 => format!("{months} months"),
        _ => format!("{} years", chart.person.years_old(visit.day)),
    };
    let (complaint, finding, assessment, plan) = match visit.condition {
        Some(condition) => (
            chart.dice.pick(condition.complaints),
            chart.dice.pick(condition.findings),
            format!("{} ({}).", condition.name, condition.icd10),
            chart.dice.pick(condition.plans),
        ),
        None => (
            "No complaint.",
            "Looks well, nothing found.",
            "Well.".to_owned(),
            "Come again when needed.",
        ),
    };
    let mut lines = vec![
        format!("Age: {age}"),
        format!("Complaint: {complaint}"),
        format!("Measured: {}.", told.vitals),
        format!("Found: {finding}"),
        format!("Assessment: {assessment}"),
    ];
    lines.extend(
        told.results
            .iter()
            .map(|result| format!("Laboratory: {result}")),
    );
    lines.extend(
        told.medicines
            .iter()
            .map(|medicine| format!("Given: {medicine}")),
    );
    lines.push(format!("Plan: {plan}"));
    lines.push(format!("Seen by: {}", chart.clinician));
    lines.join("\n") + "\n"
}
