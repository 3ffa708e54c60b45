//! One chart, from its dice to its bundle.

use time::Date;

use super::allergies::{self, Asked};
use super::bundle::{Bundle, Style};
use super::calendar::{TODAY, days_before, moment_text};
use super::conditions::Course;
use super::dice::Dice;
use super::json::Json;
use super::person::Person;
use super::problems::{self, Problem};
use super::visits::{self, Visit};
use super::{coverage, immunisations, messages, patient};

/// The days that a chart goes back at most.
const SPAN_DAYS: u32 = 900;

/// Those who nurse.
const NURSES: [&str; 6] = [
    "Nurse A. Tetteh",
    "Nurse R. Wambui",
    "Nurse S. Gurung",
    "Nurse M. Quispe",
    "Nurse L. Phiri",
    "Nurse H. Saleh",
];

/// Those who treat.
const CLINICIANS: [&str; 6] = [
    "Clinical officer J. Otieno",
    "Dr. E. Asare",
    "Dr. N. Shrestha",
    "Dr. C. Huamán",
    "Clinical officer T. Moyo",
    "Dr. K. Nasir",
];

/// A chart in the making.
#[derive(Debug)]
pub(super) struct Chart {
    /// All chance of this chart.
    pub(super) dice: Dice,
    /// What was written so far.
    pub(super) bundle: Bundle,
    /// Whose chart it is.
    pub(super) person: Person,
    /// The id of the Patient resource.
    pub(super) patient_id: String,
    /// What is known of allergies.
    pub(super) allergies: Asked,
    /// The persistent problems and the pregnancy.
    pub(super) problems: Vec<Problem>,
    /// Who nurses.
    pub(super) nurse: &'static str,
    /// Who treats.
    pub(super) clinician: &'static str,
}

/// The bundle of one patient of a seed.
pub(super) fn write(seed: u64, number: u64) -> String {
    let mut dice = Dice::of(seed, number);
    let style = if dice.chance(50) {
        Style::Transaction
    } else {
        Style::Collection
    };
    let mut chart = Chart {
        bundle: Bundle::new(style),
        person: Person::roll(&mut dice),
        patient_id: dice.uuid(),
        allergies: Asked::roll(&mut dice),
        problems: Vec::new(),
        nurse: dice.pick(&NURSES),
        clinician: dice.pick(&CLINICIANS),
        dice,
    };
    patient::write(&mut chart, seed, number);
    allergies::write(&mut chart);
    problems::write_persistent(&mut chart);
    immunisations::write(&mut chart);
    visits::write(&mut chart);
    messages::write(&mut chart);
    coverage::write(&mut chart);
    chart.bundle.into_text()
}

impl Chart {
    /// A reference to the patient.
    pub(super) fn patient(&self) -> Json {
        self.bundle.reference("Patient", &self.patient_id)
    }

    /// The pregnancy, if there is one.
    pub(super) fn pregnancy(&self) -> Option<&Problem> {
        self.problems
            .iter()
            .find(|problem| problem.condition.course == Course::Pregnancy)
    }

    /// The first day of the chart: some time back, but after the birth.
    pub(super) fn first_day(&self) -> Date {
        days_before(
            TODAY,
            SPAN_DAYS.min(self.person.days_old(TODAY).saturating_sub(1)),
        )
    }

    /// A morning on the first day.
    pub(super) fn first_moment(&self) -> String {
        moment_text(self.first_day(), 8 * 60 + 30, self.person.region.zone)
    }

    /// A moment so many minutes into a visit.
    pub(super) fn moment(&self, visit: &Visit, minutes: u32) -> String {
        moment_text(visit.day, visit.minute + minutes, self.person.region.zone)
    }
}
