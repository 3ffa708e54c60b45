//! The problems that people bring to a district clinic: who has them, what is found, what is
//! measured, and what is given.

mod acute;
mod chronic;
mod pregnancy;

use super::labs::Lab;
use super::medicines::Medicine;

pub(super) use acute::ACUTE;
pub(super) use chronic::CHRONIC;
pub(super) use pregnancy::PREGNANCY;

/// How a problem runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// It stays, and its medicines are taken on.
    Chronic,
    /// It comes and goes with one visit.
    Acute,
    /// A pregnancy.
    Pregnancy,
}

/// The sensitivity label that some records of a problem bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Label {
    /// The code of `v3-ActCode`, such as `HIV`.
    pub(super) code: &'static str,
    /// Its name.
    pub(super) display: &'static str,
    /// Of 100 charts with the problem, how many bear it.
    pub(super) percent: u32,
}

/// A problem.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Condition {
    /// ICD-10 (WHO) code.
    pub(super) icd10: &'static str,
    /// Its name.
    pub(super) name: &'static str,
    /// How it runs.
    pub(super) course: Course,
    /// The ages that have it, in years, both included.
    pub(super) ages: (u32, u32),
    /// How common it is at 0 to 4, 5 to 14, 15 to 49, and from 50 years on.
    pub(super) weights: [u32; 4],
    /// Whether it comes with fever.
    pub(super) has_fever: bool,
    /// Whether it is caught only where malaria is.
    pub(super) is_malaria: bool,
    /// Its sensitivity label.
    pub(super) label: Option<Label>,
    /// What is given: for each line the first medicine that suits.
    pub(super) treatment: &'static [&'static [&'static Medicine]],
    /// What is measured.
    pub(super) labs: &'static [&'static Lab],
    /// What people say.
    pub(super) complaints: &'static [&'static str],
    /// What is seen.
    pub(super) findings: &'static [&'static str],
    /// What is planned.
    pub(super) plans: &'static [&'static str],
}

const fn problem(
    icd10: &'static str,
    name: &'static str,
    course: Course,
    ages: (u32, u32),
    weights: [u32; 4],
) -> Condition {
    Condition {
        icd10,
        name,
        course,
        ages,
        weights,
        has_fever: false,
        is_malaria: false,
        label: None,
        treatment: &[],
        labs: &[],
        complaints: &[],
        findings: &[],
        plans: &[],
    }
}
