//! Visits: when and why someone came, and everything that was recorded on that day.

use time::Date;

use super::calendar::{TODAY, days_after, days_between};
use super::chart::Chart;
use super::conditions::{ACUTE, Condition, Course, Label};
use super::fhir::called;
use super::json::Json;
use super::{notes, prescriptions, problems, results, vitals};

/// The most visits of one chart.
const MOST: u32 = 8;

/// The resources of a usual visit.
const RESOURCES_A_VISIT: u32 = 9;

/// A chart of this many resources gets no further visit.
const FULL: usize = 50;

/// A pregnancy is known, and looked after, from this day on.
const FIRST_ANTENATAL_DAY: u32 = 50;

/// One visit.
#[derive(Debug)]
pub(super) struct Visit {
    /// The id of the Encounter.
    pub(super) id: String,
    /// The day.
    pub(super) day: Date,
    /// When it began, in minutes after midnight.
    pub(super) minute: u32,
    /// What it was about; `None` for a check of someone well.
    pub(super) condition: Option<&'static Condition>,
    /// The label of what it was about.
    pub(super) label: Option<&'static Label>,
}

/// Adds the visits, the oldest first: as many as bring the chart to a usual size.
pub(super) fn write(chart: &mut Chart) {
    let so_far = u32::try_from(chart.bundle.len()).unwrap_or(u32::MAX);
    let size = chart.dice.between(34, 62);
    let visits = (size.saturating_sub(so_far) / RESOURCES_A_VISIT).clamp(1, MOST);
    let first = chart.first_day();
    let between = days_between(first, TODAY) / visits;
    for number in 0..visits {
        if number > 0 && chart.bundle.len() >= FULL {
            break;
        }
        let late = chart.dice.between(0, between.saturating_sub(1));
        write_visit(chart, days_after(first, number * between + late));
    }
}

/// Why someone comes on a day: the problem and the id of its Condition, if it has one already.
struct Reason {
    condition: Option<&'static Condition>,
    label: Option<&'static Label>,
    known_as: Option<String>,
}

fn write_visit(chart: &mut Chart, day: Date) {
    let reason = reason(chart, day);
    let visit = Visit {
        id: chart.dice.uuid(),
        day,
        minute: chart.dice.between(8 * 60, 15 * 60 + 30),
        condition: reason.condition,
        label: reason.label,
    };
    let diagnosis = reason.known_as.clone().unwrap_or_else(|| chart.dice.uuid());
    write_encounter(chart, &visit, &diagnosis);
    let mut told = notes::Told {
        vitals: vitals::write(chart, &visit),
        ..notes::Told::default()
    };
    if let Some(condition) = visit.condition {
        if reason.known_as.is_none() {
            let since = day;
            problems::add(
                chart,
                condition,
                since,
                &diagnosis,
                visit.label,
                Some(&visit.id),
            );
            let cause = prescriptions::Cause {
                condition: &diagnosis,
                encounter: Some(&visit.id),
                label: visit.label,
            };
            for medicine in prescriptions::suitable(chart, condition, day) {
                let minute = visit.minute + 20;
                told.medicines
                    .extend(prescriptions::write(chart, medicine, day, minute, &cause));
            }
        }
        told.results = results::write(chart, &visit, condition);
    }
    notes::write(chart, &visit, &told);
}

/// Rolls why someone comes.
fn reason(chart: &mut Chart, day: Date) -> Reason {
    let well = Reason {
        condition: None,
        label: None,
        known_as: None,
    };
    let known: Vec<usize> = (0..chart.problems.len())
        .filter(|&position| {
            chart
                .problems
                .get(position)
                .is_some_and(|p| is_seen(p, day))
        })
        .collect();
    if !known.is_empty() && chart.dice.chance(68) {
        let position = chart.dice.pick(&known);
        let problem = chart.problems.get(position);
        return problem.map_or(well, |problem| Reason {
            condition: Some(problem.condition),
            label: problem.label,
            known_as: Some(problem.id.clone()),
        });
    }
    let years = chart.person.years_old(day);
    if chart.dice.chance(if years < 2 { 35 } else { 6 }) {
        return well;
    }
    let weights: Vec<u32> = ACUTE
        .iter()
        .map(|condition| weight(chart, condition, day))
        .collect();
    if weights.iter().sum::<u32>() == 0 {
        return well;
    }
    let position = chart.dice.weighted(weights.into_iter());
    Reason {
        condition: ACUTE.get(position),
        ..well
    }
}

/// Whether a problem is known on a day, and looked at.
fn is_seen(problem: &problems::Problem, day: Date) -> bool {
    match problem.condition.course {
        Course::Pregnancy => days_after(problem.since, FIRST_ANTENATAL_DAY) <= day,
        Course::Chronic | Course::Acute => problem.since <= day,
    }
}

/// How likely a passing problem is: nothing where it is not caught or nothing suits it.
fn weight(chart: &Chart, condition: &Condition, day: Date) -> u32 {
    let caught = !condition.is_malaria || chart.person.region.has_malaria;
    if !caught || prescriptions::suitable(chart, condition, day).is_empty() {
        return 0;
    }
    problems::weight_at(condition, chart.person.years_old(day))
}

/// Adds the Encounter (FHIR R4 8.11).
fn write_encounter(chart: &mut Chart, visit: &Visit, diagnosis: &str) {
    let class = Json::object()
        .with("system", "http://terminology.hl7.org/CodeSystem/v3-ActCode")
        .with("code", "AMB")
        .with("display", "ambulatory");
    let minutes = chart.dice.between(15, 50);
    let period = Json::object()
        .with("start", chart.moment(visit, 0))
        .with("end", chart.moment(visit, minutes));
    let kind = match visit.condition.map(|condition| condition.course) {
        Some(Course::Chronic) => "Review of a long-term problem",
        Some(Course::Acute) => "Outpatient visit",
        Some(Course::Pregnancy) => "Antenatal visit",
        None => "Check of someone well",
    };
    let seen_by = Json::object().with("individual", called(chart.clinician));
    let reason = visit
        .condition
        .map(|_| [chart.bundle.reference("Condition", diagnosis)]);
    let body = Json::object()
        .with("status", "finished")
        .with("class", class)
        .with("type", [Json::object().with("text", kind)])
        .with("subject", chart.patient())
        .with("participant", [seen_by])
        .with("period", period)
        .with_some("reasonReference", reason);
    chart.bundle.add("Encounter", &visit.id, visit.label, body);
}
