//! Vital signs: plausible for age and sex, in whole steps of what instruments show.

use super::bundle::observation_category;
use super::chart::Chart;
use super::fhir::{concept, quantity};
use super::growth;
use super::json::Json;
use super::visits::Visit;

/// Usual limits at an age.
struct Rates {
    /// Up to this age in months, not included.
    to_months: u32,
    /// Heart beats a minute.
    beats: (u32, u32),
    /// Breaths a minute.
    breaths: (u32, u32),
}

/// The usual limits of children.
const CHILDREN: [Rates; 4] = [
    Rates {
        to_months: 12,
        beats: (105, 150),
        breaths: (28, 46),
    },
    Rates {
        to_months: 36,
        beats: (92, 135),
        breaths: (22, 34),
    },
    Rates {
        to_months: 72,
        beats: (80, 118),
        breaths: (19, 28),
    },
    Rates {
        to_months: 144,
        beats: (72, 108),
        breaths: (16, 24),
    },
];

/// The usual limits of everyone else.
const GROWN: Rates = Rates {
    to_months: u32::MAX,
    beats: (58, 92),
    breaths: (12, 19),
};

/// From this age the pressure is measured at each visit.
const PRESSURE_FROM_MONTHS: u32 = 13 * 12;

/// LOINC, as a FHIR code system.
pub(super) const LOINC: &str = "http://loinc.org";

/// What is measured, and in what unit.
struct Sign {
    loinc: &'static str,
    name: &'static str,
    decimals: u32,
    unit: &'static str,
    ucum: &'static str,
}

const fn sign(
    loinc: &'static str,
    name: &'static str,
    decimals: u32,
    unit: &'static str,
    ucum: &'static str,
) -> Sign {
    Sign {
        loinc,
        name,
        decimals,
        unit,
        ucum,
    }
}

static WEIGHT: Sign = sign("29463-7", "Body weight", 1, "kg", "kg");
static HEIGHT: Sign = sign("8302-2", "Body height", 1, "cm", "cm");
static TEMPERATURE: Sign = sign("8310-5", "Body temperature", 1, "°C", "Cel");
static HEART_RATE: Sign = sign("8867-4", "Heart rate", 0, "beats/min", "/min");
static BREATHING: Sign = sign("9279-1", "Respiratory rate", 0, "breaths/min", "/min");
static UPPER_ARM: Sign = sign("56072-2", "Mid upper arm circumference", 1, "cm", "cm");

/// Adds the vital signs of a visit, and returns them as a line for the note.
pub(super) fn write(chart: &mut Chart, visit: &Visit) -> String {
    let months = chart.person.months_old(visit.day);
    let mut said = Vec::new();
    for (sign, value) in measured(chart, visit, months) {
        let mut number = String::new();
        Json::decimal(value, sign.decimals).write(&mut number);
        said.push(format!("{} {number} {}", sign.name, sign.unit));
        let code = concept(LOINC, sign.loinc, sign.name);
        let value = quantity(value, sign.decimals, sign.unit, sign.ucum);
        observation(chart, visit, code, |body| body.with("valueQuantity", value));
    }
    if months >= PRESSURE_FROM_MONTHS {
        let (systolic, diastolic) = blood_pressure(chart, visit);
        said.push(format!("Blood pressure {systolic}/{diastolic} mmHg"));
        let part = |loinc, name, value| {
            Json::object()
                .with("code", concept(LOINC, loinc, name))
                .with("valueQuantity", quantity(value, 0, "mmHg", "mm[Hg]"))
        };
        let parts = [
            part("8480-6", "Systolic blood pressure", systolic),
            part("8462-4", "Diastolic blood pressure", diastolic),
        ];
        let code = concept(LOINC, "85354-9", "Blood pressure panel");
        observation(chart, visit, code, |body| body.with("component", parts));
    }
    said.join(", ")
}

/// What is measured with a scale, a thermometer and a watch, in units of the last decimal.
fn measured(chart: &mut Chart, visit: &Visit, months: u32) -> Vec<(&'static Sign, u32)> {
    let (weight, height) = growth::body(&chart.person, visit.day);
    let dice = &mut chart.dice;
    let has_fever = visit.condition.is_some_and(|condition| condition.has_fever);
    let rates = CHILDREN
        .iter()
        .find(|rates| months < rates.to_months)
        .unwrap_or(&GROWN);
    let faster = if has_fever { 15 } else { 0 };
    let temperature = if has_fever {
        dice.between(380, 398)
    } else {
        dice.between(362, 373)
    };
    let mut measured = vec![
        // A scale is never quite the same twice.
        (&WEIGHT, weight * dice.between(99, 101) / 100),
        (&TEMPERATURE, temperature),
        (
            &HEART_RATE,
            dice.between(rates.beats.0, rates.beats.1) + faster,
        ),
    ];
    if months < 60 || has_fever {
        let breaths = dice.between(rates.breaths.0, rates.breaths.1);
        measured.push((&BREATHING, breaths + faster / 3));
    }
    if months < 12 * 18 || dice.chance(25) {
        measured.push((&HEIGHT, height));
    }
    if (6..60).contains(&months) {
        measured.push((&UPPER_ARM, dice.between(128, 164)));
    }
    measured
}

/// Systolic and diastolic pressure in mmHg.
fn blood_pressure(chart: &mut Chart, visit: &Visit) -> (u32, u32) {
    let years = chart.person.years_old(visit.day);
    let high = chart
        .problems
        .iter()
        .any(|problem| problem.condition.icd10 == "I10");
    let dice = &mut chart.dice;
    let systolic = if high {
        dice.between(128, 178)
    } else {
        dice.between(98, 122) + years.saturating_sub(40) / 4
    };
    (systolic, systolic * dice.between(58, 66) / 100)
}

/// Adds one observation of a visit.
fn observation(chart: &mut Chart, visit: &Visit, code: Json, value: impl FnOnce(Json) -> Json) {
    let id = chart.dice.uuid();
    let body = Json::object()
        .with("status", "final")
        .with("category", [observation_category("vital-signs")])
        .with("code", code)
        .with("subject", chart.patient())
        .with("encounter", chart.bundle.reference("Encounter", &visit.id))
        .with("effectiveDateTime", chart.moment(visit, 10));
    chart.bundle.add("Observation", &id, None, value(body));
}
