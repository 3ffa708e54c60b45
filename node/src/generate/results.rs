//! Laboratory results of a visit, as Observations (FHIR R4 10.1).

use super::bundle::observation_category;
use super::chart::Chart;
use super::conditions::Condition;
use super::fhir::{coded, concept, quantity};
use super::json::Json;
use super::labs::Shows;
use super::visits::Visit;
use super::vitals::LOINC;

/// The code system of "high", "low" and "normal".
const INTERPRETATION: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";

/// How many minutes after the visit began the laboratory is done.
const LATER: u32 = 55;

/// Adds the results that a problem asks for, and returns how each reads.
pub(super) fn write(chart: &mut Chart, visit: &Visit, condition: &Condition) -> Vec<String> {
    let mut read = Vec::new();
    for lab in condition.labs {
        if !chart.dice.chance(80) {
            continue;
        }
        let id = chart.dice.uuid();
        let mut body = Json::object()
            .with("status", "final")
            .with("category", [observation_category("laboratory")])
            .with("code", concept(LOINC, lab.loinc, lab.name))
            .with("subject", chart.patient())
            .with("encounter", chart.bundle.reference("Encounter", &visit.id))
            .with("effectiveDateTime", chart.moment(visit, LATER))
            .with("issued", chart.moment(visit, LATER + 15));
        match &lab.shows {
            Shows::Finding(findings) => {
                let finding = chart.dice.pick(findings);
                read.push(format!("{}: {finding}", lab.name));
                body = body.with("valueCodeableConcept", Json::object().with("text", finding));
            }
            Shows::Number {
                unit,
                decimals,
                usual,
                seen,
            } => {
                let value = chart.dice.between(seen.0, seen.1);
                let code = match value {
                    value if value < usual.0 => "L",
                    value if value > usual.1 => "H",
                    _ => "N",
                };
                let mut number = String::new();
                Json::decimal(value, *decimals).write(&mut number);
                read.push(format!("{}: {number} {unit} ({code})", lab.name));
                let range = Json::object()
                    .with("low", quantity(usual.0, *decimals, unit, unit))
                    .with("high", quantity(usual.1, *decimals, unit, unit));
                body = body
                    .with("valueQuantity", quantity(value, *decimals, unit, unit))
                    .with("interpretation", [coded(INTERPRETATION, code)])
                    .with("referenceRange", [range]);
            }
        }
        chart.bundle.add("Observation", &id, visit.label, body);
    }
    read
}
