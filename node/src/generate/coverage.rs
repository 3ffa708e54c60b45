//! Who pays: membership of a health scheme, for those who have one (FHIR R4 13.1 Coverage).

use super::calendar::{TODAY, day_text, days_after, days_before};
use super::chart::Chart;
use super::fhir::{called, coded};
use super::json::Json;

/// Invented schemes.
const SCHEMES: [&str; 3] = [
    "District mutual health scheme",
    "National health insurance",
    "Growers' cooperative fund",
];

/// Of 100 people, how many are insured.
const INSURED_PERCENT: u32 = 36;

/// Adds the membership, if there is one.
pub(super) fn write(chart: &mut Chart) {
    if !chart.dice.chance(INSURED_PERCENT) {
        return;
    }
    let id = chart.dice.uuid();
    let begun = days_before(
        TODAY,
        chart.dice.between(0, 364).min(chart.person.days_old(TODAY)),
    );
    let period = Json::object()
        .with("start", day_text(begun))
        .with("end", day_text(days_after(begun, 364)));
    let number = chart.dice.between(100_000, 999_999);
    let body = Json::object()
        .with("status", "active")
        .with(
            "type",
            coded(
                "http://terminology.hl7.org/CodeSystem/v3-ActCode",
                "PUBLICPOL",
            ),
        )
        .with("subscriberId", format!("M{number}"))
        .with("beneficiary", chart.patient())
        .with("period", period)
        .with("payor", [called(chart.dice.pick(&SCHEMES))]);
    chart.bundle.add("Coverage", &id, None, body);
}
