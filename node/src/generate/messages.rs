//! Messages between the clinic and the patient, or about them (FHIR R4 12.9 Communication).

use super::calendar::{TODAY, days_before, moment_text};
use super::chart::Chart;
use super::fhir::called;
use super::json::Json;

/// What is told to patients.
const TO_PATIENT: [&str; 4] = [
    "Please come for your review next week. Bring your card and your tablets.",
    "Your laboratory result is here. Nothing to worry about, we talk at the next visit.",
    "The clinic is closed on market day. Come the day after.",
    "Your medicines have arrived. You can fetch them any morning.",
];

/// What clinicians tell each other.
const TO_COLLEAGUE: [&str; 3] = [
    "Seen here today, plan unchanged. Please see again in four weeks.",
    "Could you look at the last results and tell me what you think?",
    "Family moved to your side of the river. Please take over the reviews.",
];

/// Adds no message to most charts, and one or two to some.
pub(super) fn write(chart: &mut Chart) {
    let messages = match chart.dice.between(1, 100) {
        1..=62 => 0,
        63..=90 => 1,
        _ => 2,
    };
    for _ in 0..messages {
        let id = chart.dice.uuid();
        let to_patient = chart.dice.chance(60);
        let text = chart.dice.pick(if to_patient {
            &TO_PATIENT[..]
        } else {
            &TO_COLLEAGUE
        });
        let recipient = if to_patient {
            chart.patient()
        } else {
            called("Clinician on duty, district clinic")
        };
        let days = chart.dice.between(0, 18);
        let minute = chart.dice.between(9 * 60, 16 * 60);
        let sent = moment_text(days_before(TODAY, days), minute, chart.person.region.zone);
        let body = Json::object()
            .with("status", "completed")
            .with("subject", chart.patient())
            .with("sent", sent)
            .with("recipient", [recipient])
            .with("sender", called(chart.nurse))
            .with("payload", [Json::object().with("contentString", text)]);
        chart.bundle.add("Communication", &id, None, body);
    }
}
