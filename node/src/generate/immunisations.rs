//! Vaccines by age, in the manner of national schedules; no schedule to vaccinate by.

use super::calendar::{TODAY, day_text, days_after};
use super::chart::Chart;
use super::fhir::{called, concept};
use super::json::Json;
use super::person::Sex;

/// CVX, the code system of vaccines.
const CVX: &str = "http://hl7.org/fhir/sid/cvx";

/// Who is offered a vaccine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offered {
    Everyone,
    Girls,
    WhereYellowFeverIs,
}

/// One dose of the schedule.
struct Dose {
    cvx: &'static str,
    name: &'static str,
    number: u32,
    due_days: u32,
    offered: Offered,
}

const fn dose(cvx: &'static str, name: &'static str, number: u32, due_days: u32) -> Dose {
    Dose {
        cvx,
        name,
        number,
        due_days,
        offered: Offered::Everyone,
    }
}

const WEEK: u32 = 7;
const POLIO: (&str, &str) = ("178", "Oral polio vaccine, bivalent");
const FIVE: (&str, &str) = ("198", "DTP-HepB-Hib pentavalent vaccine");
const PNEUMO: (&str, &str) = ("133", "Pneumococcal conjugate vaccine (13-valent)");
const ROTA: (&str, &str) = ("119", "Rotavirus vaccine, monovalent");
const MEASLES: (&str, &str) = ("04", "Measles and rubella vaccine");

/// The schedule, by age.
static SCHEDULE: &[Dose] = &[
    dose("19", "BCG vaccine", 1, 1),
    dose(POLIO.0, POLIO.1, 1, 1),
    dose("08", "Hepatitis B vaccine, birth dose", 1, 1),
    dose(POLIO.0, POLIO.1, 2, 6 * WEEK),
    dose(FIVE.0, FIVE.1, 1, 6 * WEEK),
    dose(PNEUMO.0, PNEUMO.1, 1, 6 * WEEK),
    dose(ROTA.0, ROTA.1, 1, 6 * WEEK),
    dose(POLIO.0, POLIO.1, 3, 10 * WEEK),
    dose(FIVE.0, FIVE.1, 2, 10 * WEEK),
    dose(PNEUMO.0, PNEUMO.1, 2, 10 * WEEK),
    dose(ROTA.0, ROTA.1, 2, 10 * WEEK),
    dose(POLIO.0, POLIO.1, 4, 14 * WEEK),
    dose(FIVE.0, FIVE.1, 3, 14 * WEEK),
    dose(PNEUMO.0, PNEUMO.1, 3, 14 * WEEK),
    dose("10", "Polio vaccine, inactivated", 1, 14 * WEEK),
    dose(MEASLES.0, MEASLES.1, 1, 274),
    Dose {
        cvx: "37",
        name: "Yellow fever vaccine",
        number: 1,
        due_days: 274,
        offered: Offered::WhereYellowFeverIs,
    },
    dose(MEASLES.0, MEASLES.1, 2, 487),
    Dose {
        cvx: "62",
        name: "HPV vaccine",
        number: 1,
        due_days: 3800,
        offered: Offered::Girls,
    },
];

/// Adds the vaccines that the chart knows of: nearly all of a small child, some of an older
/// one, and what adults had lately.
pub(super) fn write(chart: &mut Chart) {
    let years = chart.person.years_old(TODAY);
    let cards_kept = match years {
        0..=4 => 96,
        5..=14 => 45,
        _ => 0,
    };
    if chart.dice.chance(cards_kept) {
        for dose in SCHEDULE {
            let offered = match dose.offered {
                Offered::Everyone => true,
                Offered::Girls => chart.person.sex == Sex::Female,
                Offered::WhereYellowFeverIs => chart.person.region.has_yellow_fever,
            };
            let given = dose.due_days + chart.dice.between(0, 12);
            if offered && given < chart.person.days_old(TODAY) && chart.dice.chance(95) {
                add(chart, dose.cvx, dose.name, dose.number, given);
            }
        }
    }
    if years >= 18 && chart.dice.chance(40) {
        let given = chart.person.days_old(TODAY) - chart.dice.between(700, 1400);
        add(chart, "213", "COVID-19 vaccine, product not told", 1, given);
    }
    let pregnant = chart.pregnancy().map(|problem| problem.since);
    if let Some(since) = pregnant {
        let given = days_after(since, chart.dice.between(5, 20)).min(TODAY);
        let given = chart.person.days_old(given);
        add(
            chart,
            "113",
            "Tetanus and diphtheria vaccine, adult",
            1,
            given,
        );
    }
}

/// Adds one dose that was given at an age in days.
fn add(chart: &mut Chart, cvx: &str, name: &str, number: u32, given_days: u32) {
    let id = chart.dice.uuid();
    let day = days_after(chart.person.born, given_days);
    let lot = format!(
        "{:04X}-{:02}",
        chart.dice.between(0, 0xffff),
        chart.dice.between(10, 99)
    );
    let protocol = Json::object().with("doseNumberPositiveInt", number);
    let body = Json::object()
        .with("status", "completed")
        .with("vaccineCode", concept(CVX, cvx, name))
        .with("patient", chart.patient())
        .with("occurrenceDateTime", day_text(day))
        .with("primarySource", chart.dice.chance(80))
        .with("lotNumber", lot)
        .with(
            "performer",
            [Json::object().with("actor", called(chart.nurse))],
        )
        .with("protocolApplied", [protocol]);
    chart.bundle.add("Immunization", &id, None, body);
}
