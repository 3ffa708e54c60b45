//! The few FHIR data types that every resource is made of (FHIR R4 2.24).

use super::json::Json;

/// A coding of a concept, alone.
pub(super) fn coded(system: &str, code: &str) -> Json {
    let coding = Json::object().with("system", system).with("code", code);
    Json::object().with("coding", [coding])
}

/// A coded concept with its name.
pub(super) fn concept(system: &str, code: &str, name: &str) -> Json {
    let coding = Json::object()
        .with("system", system)
        .with("code", code)
        .with("display", name);
    Json::object().with("coding", [coding]).with("text", name)
}

/// A quantity in UCUM units, the number with exactly its digits.
pub(super) fn quantity(units: u32, decimals: u32, unit: &str, ucum: &str) -> Json {
    Json::object()
        .with("value", Json::decimal(units, decimals))
        .with("unit", unit)
        .with("system", "http://unitsofmeasure.org")
        .with("code", ucum)
}

/// A reference to someone who has no resource here: only how to call them.
pub(super) fn called(name: &str) -> Json {
    Json::object().with("display", name)
}
