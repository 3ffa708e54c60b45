//! Invented patients: one FHIR R4 Bundle each, plausible enough to show and to test with.
//!
//! The same seed gives the same bytes on every machine and in every build: all chance comes
//! from ChaCha8 in integers, no clock is read, no hash map is walked, and the JSON is written
//! here. Patient 7 of a seed is the same however many are asked for.
//!
//! Nobody here exists: names are common names put together by chance, villages, identifiers and
//! telephone numbers are made up in ranges that nobody is given.
//!
//! | file | holds |
//! |---|---|
//! | `chart` | one chart from its dice to its bundle |
//! | `person`, `names`, `identifiers`, `patient` | who it is |
//! | `conditions`, `problems`, `allergies` | what they have |
//! | `medicines`, `prescriptions`, `immunisations` | what they take and took |
//! | `visits`, `vitals`, `growth`, `labs`, `results`, `notes` | what was done |
//! | `messages`, `coverage` | who was told, who pays |
//! | `dice`, `calendar`, `json`, `fhir`, `bundle` | what these are made with |

mod allergies;
mod bundle;
mod calendar;
mod chart;
mod conditions;
mod coverage;
mod dice;
mod fhir;
mod growth;
mod identifiers;
mod immunisations;
mod json;
mod labs;
mod medicines;
mod messages;
mod names;
mod notes;
mod patient;
mod person;
mod prescriptions;
mod problems;
mod results;
mod visits;
mod vitals;

#[cfg(test)]
mod plausible;

/// One invented patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedPatient {
    /// The name for the file, such as `patient-000001.json`: it says nothing of the patient.
    pub file_name: String,
    /// The bundle: one line of JSON with a line break behind it.
    pub json: String,
}

/// The first `charts` invented patients of a seed, one by one.
pub fn generate(charts: usize, seed: u64) -> impl Iterator<Item = GeneratedPatient> {
    (1..=charts).map(move |number| GeneratedPatient {
        file_name: format!("patient-{number:06}.json"),
        json: chart::write(seed, u64::try_from(number).unwrap_or(u64::MAX)),
    })
}
