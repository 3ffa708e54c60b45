//! The problems of a person: which they have, and the Condition resources (FHIR R4 9.2).

use time::Date;

use super::calendar::{TODAY, day_text, days_after, days_before};
use super::chart::Chart;
use super::conditions::{CHRONIC, Condition, Course, Label, PREGNANCY};
use super::fhir::{coded, concept};
use super::json::Json;
use super::person::Sex;
use super::prescriptions;

/// The classification of problems.
const ICD10: &str = "http://hl7.org/fhir/sid/icd-10";

/// No more persistent problems than these: charts stay readable.
const MOST: usize = 4;

/// Problems that one chart does not have together: their medicines do not go together.
const APART: [(&str, &str); 4] = [
    ("B24", "A15.0"),
    ("B24", "G40.9"),
    ("B24", "G40.3"),
    ("G40.9", "G40.3"),
];

/// A problem of a chart.
#[derive(Debug)]
pub(super) struct Problem {
    /// What it is.
    pub(super) condition: &'static Condition,
    /// The first day of it.
    pub(super) since: Date,
    /// The id of the Condition resource.
    pub(super) id: String,
    /// Its label, where this chart has one.
    pub(super) label: Option<&'static Label>,
}

/// Chooses the persistent problems, and adds them with what is taken for them.
pub(super) fn write_persistent(chart: &mut Chart) {
    choose(chart);
    for position in 0..chart.problems.len() {
        let Some(problem) = chart.problems.get(position) else {
            break;
        };
        let (condition, since) = (problem.condition, problem.since);
        let (id, label) = (problem.id.clone(), problem.label);
        add(chart, condition, since, &id, label, None);
        // What was begun long ago was last prescribed within the past year.
        let renewed = days_before(TODAY, chart.dice.between(15, 330));
        let prescribed = match condition.course {
            Course::Pregnancy => days_after(since, 91).min(TODAY),
            Course::Chronic | Course::Acute => since.max(renewed),
        };
        for medicine in prescriptions::suitable(chart, condition, prescribed) {
            let cause = prescriptions::Cause {
                condition: &id,
                encounter: None,
                label,
            };
            prescriptions::write(chart, medicine, prescribed, 9 * 60, &cause);
        }
    }
}

/// Rolls which problems there are.
fn choose(chart: &mut Chart) {
    let years = chart.person.years_old(TODAY);
    let fertile = (PREGNANCY.ages.0..=PREGNANCY.ages.1).contains(&years);
    let woman = chart.person.sex == Sex::Female && chart.person.gender == "female";
    if woman && fertile && chart.dice.chance(20) {
        let weeks = chart.dice.between(8, 37);
        push(chart, &PREGNANCY, weeks * 7);
    }
    for condition in CHRONIC {
        let has = chart.dice.chance(weight_at(condition, years));
        let since = since(chart, condition);
        let apart = |problem: &Problem| {
            let pair = (problem.condition.icd10, condition.icd10);
            APART.contains(&pair) || APART.contains(&(pair.1, pair.0))
        };
        let fits = chart.problems.len() < MOST && !chart.problems.iter().any(apart);
        if let (true, true, Some(since)) = (has, fits, since)
            && !prescriptions::suitable(chart, condition, TODAY).is_empty()
        {
            push(chart, condition, since);
        }
    }
}

fn push(chart: &mut Chart, condition: &'static Condition, days_ago: u32) {
    let label = condition
        .label
        .as_ref()
        .filter(|label| chart.dice.chance(label.percent));
    let id = chart.dice.uuid();
    chart.problems.push(Problem {
        condition,
        since: days_before(TODAY, days_ago),
        id,
        label,
    });
}

/// How many days ago a problem began; `None` for those of an age that does not have it.
fn since(chart: &mut Chart, condition: &Condition) -> Option<u32> {
    let years = chart.person.years_old(TODAY);
    let earliest = condition.ages.0 * 1461 / 4 + 1;
    let longest = chart.person.days_old(TODAY).checked_sub(earliest)?;
    // A problem whose medicines are a course is still on them.
    let courses = condition.treatment.iter().flat_map(|line| line.iter());
    let course = courses
        .map(|medicine| medicine.days)
        .filter(|&days| days > 0)
        .min();
    let longest = longest.min(course.map_or(4000, |days| days.saturating_sub(5)));
    let days = chart.dice.between(longest.min(40), longest);
    (years <= condition.ages.1 && days > 0).then_some(days)
}

/// How common a problem is at an age: of 100 people for a persistent one, in relation to the
/// others for a passing one.
pub(super) fn weight_at(condition: &Condition, years: u32) -> u32 {
    let [infants, children, adults, elders] = condition.weights;
    match years {
        _ if !(condition.ages.0..=condition.ages.1).contains(&years) => 0,
        0..=4 => infants,
        5..=14 => children,
        15..=49 => adults,
        _ => elders,
    }
}

/// Adds a Condition resource: on the problem list, or as the diagnosis of a visit.
pub(super) fn add(
    chart: &mut Chart,
    condition: &Condition,
    since: Date,
    id: &str,
    label: Option<&Label>,
    visit: Option<&str>,
) {
    let is_over = condition.course == Course::Acute && days_after(since, 14) < TODAY;
    let status = if is_over { "resolved" } else { "active" };
    let category = if visit.is_some() {
        "encounter-diagnosis"
    } else {
        "problem-list-item"
    };
    let body = Json::object()
        .with(
            "clinicalStatus",
            coded(
                "http://terminology.hl7.org/CodeSystem/condition-clinical",
                status,
            ),
        )
        .with(
            "verificationStatus",
            coded(
                "http://terminology.hl7.org/CodeSystem/condition-ver-status",
                "confirmed",
            ),
        )
        .with(
            "category",
            [coded(
                "http://terminology.hl7.org/CodeSystem/condition-category",
                category,
            )],
        )
        .with("code", concept(ICD10, condition.icd10, condition.name))
        .with("subject", chart.patient())
        .with_some(
            "encounter",
            visit.map(|visit| chart.bundle.reference("Encounter", visit)),
        )
        .with("onsetDateTime", day_text(since))
        .with_some(
            "abatementDateTime",
            is_over.then(|| day_text(days_after(since, 10))),
        );
    chart.bundle.add("Condition", id, label, body);
}
