//! Views of a chart for a clinician: the problem list, active medications, allergies and
//! immunisations, over all compartments that the reader may open.
//!
//! | view | from | leaves out |
//! |---|---|---|
//! | [`problems`] | Condition | entered in error, refuted, inactive, resolved |
//! | [`medications`] | MedicationRequest, MedicationStatement | what is not active or on hold |
//! | [`allergies`] | AllergyIntolerance | entered in error, refuted, inactive, resolved |
//! | [`immunizations`] | Immunization | entered in error |
//!
//! [`headline`] says in a line what any resource is about.
//!
//! Nothing is chosen silently: of a resource in conflict, an entry stands in the view when any
//! of its versions has it there, and it says `conflicted`. An atomic resource in conflict has an
//! entry for each version.
//!
//! Fields have FHIR's names. A field that is not there is left out, and digits stay as written.

mod allergies;
mod concept;
mod dosage;
mod headline;
mod immunizations;
mod medications;
mod problems;

pub use allergies::{Allergies, Allergy, AllergyStatus, Reaction, allergies};
pub use concept::{Coding, Concept};
pub use headline::headline;
pub use immunizations::{ImmunizationEntry, immunizations};
pub use medications::{Medication, medications};
pub use problems::{Problem, problems};

use std::collections::BTreeSet;

use crate::readable::{Readable, possible};
use crate::resource::Resource;
use crate::resource_key::ResourceKey;
use crate::span;

/// The versions of one resource, at least one of which belongs into a view.
struct Listed {
    key: ResourceKey,
    /// One, or for an atomic resource in conflict each.
    versions: Vec<Resource>,
    conflicted: bool,
}

/// The resources of one type that belong into a view, by the order of documents and keys.
fn listed(
    documents: &[&dyn Readable],
    resource_type: &str,
    belongs: impl Fn(&Resource) -> bool,
) -> Vec<Listed> {
    let mut found = Vec::new();
    for document in documents {
        for (key, settled) in document.of_type(resource_type) {
            if let Some(resource) = settled {
                if belongs(&resource) {
                    found.push(Listed {
                        key,
                        versions: vec![resource],
                        conflicted: false,
                    });
                }
                continue;
            }
            let versions = document.versions(&key);
            let conflicts = document.conflicts_of(&key);
            let any =
                versions.iter().any(&belongs) || possible(*document, &key).iter().any(&belongs);
            if any {
                found.push(Listed {
                    key,
                    versions,
                    conflicted: !conflicts.is_empty(),
                });
            }
        }
    }
    found
}

/// How many resources of some types a view leaves out for they are over: those that are not listed,
/// were not entered in error, and count.
fn left_out(
    documents: &[&dyn Readable],
    types: &[&str],
    listed: &BTreeSet<&ResourceKey>,
    counts: impl Fn(&Resource) -> bool,
) -> usize {
    let all = documents.iter().flat_map(|document| {
        let of = move |name: &&str| document.of_type(name);
        types.iter().flat_map(of).filter_map(|(_, settled)| settled)
    });
    let wrong = |resource: &Resource| {
        let verification = Concept::of(resource, "verificationStatus");
        let status = text_of(resource, "status");
        verification.has("entered-in-error") || status.as_deref() == Some("entered-in-error")
    };
    let is_over = |resource: &Resource| {
        let is_listed = resource.key().is_ok_and(|key| listed.contains(&key));
        !is_listed && !wrong(resource) && counts(resource)
    };
    all.filter(is_over).count()
}

/// What the views leave out for it is over: an empty list does not say that there never was
/// anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Past {
    /// Allergies that are inactive, resolved or refuted.
    pub allergies: usize,
    /// Problems of which the same is true.
    pub problems: usize,
    /// Medications that were stopped or completed.
    pub medications: usize,
}

impl Past {
    /// What these lists, made of the same documents, leave out.
    pub fn beside(
        documents: &[&dyn Readable],
        allergies: &Allergies,
        problems: &[Problem],
        medications: &[Medication],
    ) -> Self {
        let problems = problems.iter().map(|one| &one.resource).collect();
        let medications = medications.iter().map(|one| &one.resource).collect();
        let any = |_: &Resource| true;
        let types = ["MedicationRequest", "MedicationStatement"];
        Self {
            allergies: allergies::past_allergies(documents, &allergies.list),
            problems: left_out(documents, &["Condition"], &problems, any),
            medications: left_out(documents, &types, &medications, any),
        }
    }
}

/// A string member of an element.
fn text_in(object: &str, name: &str) -> Option<String> {
    span::member(object, name)
        .and_then(span::string)
        .map(|text| text.into_owned())
}

/// A top-level element that is a string.
fn text_of(resource: &Resource, name: &str) -> Option<String> {
    resource
        .element(name)
        .and_then(span::string)
        .map(|text| text.into_owned())
}

/// The first of several forms of a choice, like `onsetDateTime` and `onsetString`, as text.
fn choice(resource: &Resource, forms: &[&str]) -> Option<String> {
    forms.iter().find_map(|form| {
        let value = resource.element(form)?;
        if value.starts_with('{') {
            spoken(value)
        } else {
            text_of(resource, form)
        }
    })
}

/// A Period, Range or Quantity (FHIR R4 2.24.0) as text.
fn spoken(object: &str) -> Option<String> {
    if let Some(quantity) = dosage::quantity(object) {
        return Some(quantity);
    }
    let end = |names: [&str; 2]| {
        names.iter().find_map(|name| {
            let value = span::member(object, name)?;
            span::string(value)
                .map(|t| t.into_owned())
                .or_else(|| dosage::quantity(value))
        })
    };
    match (end(["start", "low"]), end(["end", "high"])) {
        (Some(from), Some(to)) => Some(format!("{from} – {to}")),
        (Some(from), None) => Some(format!("{from} –")),
        (None, Some(to)) => Some(format!("– {to}")),
        (None, None) => None,
    }
}
