//! The allergies, and whether anybody asked.

use super::concept::{Concept, texts};
use super::{choice, left_out, listed, text_in, text_of};
use crate::readable::Readable;
use crate::resource::Resource;
use crate::resource_key::ResourceKey;
use crate::span;

/// What is known of a patient's allergies. An empty list alone says nothing: see `status`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Allergies {
    /// Whether there are any, none, or nobody knows.
    pub status: AllergyStatus,
    /// The allergies, and the statements that there are none of some kind.
    pub list: Vec<Allergy>,
}

/// Whether a patient has allergies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AllergyStatus {
    /// The reader may not see whether there are any. No view of documents says so: whoever knows
    /// of a reader's rights does.
    NotVisible,
    /// Nobody has recorded whether there are any.
    NotRecorded,
    /// Some were recorded, and none of them is current: all are inactive, resolved or refuted.
    NoneCurrent,
    /// Somebody has recorded that none is known, at least of one kind: the list says which.
    NoneKnown,
    /// There is at least one.
    Recorded,
}

/// One allergy, intolerance, or statement that none is known (FHIR R4 9.1, AllergyIntolerance).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Allergy {
    /// The AllergyIntolerance.
    pub resource: ResourceKey,
    /// The substance, or the statement.
    pub code: Concept,
    /// Whether this is a statement that no allergy is known.
    pub none_known: bool,
    /// `active`, or another status of a version in conflict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clinical_status: Option<String>,
    /// `unconfirmed`, `presumed` or `confirmed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_status: Option<String>,
    /// `allergy` or `intolerance`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r#type: Option<String>,
    /// `food`, `medication`, `environment`, `biologic`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub category: Vec<String>,
    /// `low`, `high` or `unable-to-assess`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub criticality: Option<String>,
    /// Since when, as entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onset: Option<String>,
    /// When it was first recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_date: Option<String>,
    /// What happened.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub reaction: Vec<Reaction>,
    /// Whether there are several concurrent versions of it; each has its own entry.
    pub conflicted: bool,
}

/// One reaction.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reaction {
    /// Its signs.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub manifestation: Vec<String>,
    /// `mild`, `moderate` or `severe`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
}

/// Codes that say that no allergy is known: SNOMED CT, and the International Patient Summary's
/// `absent-unknown-uv-ips`.
const NONE_KNOWN: [&str; 11] = [
    "716186003",
    "409137002",
    "428607008",
    "429625007",
    "716184000",
    "716220001",
    "1003774007",
    "no-known-allergies",
    "no-known-medication-allergies",
    "no-known-environmental-allergies",
    "no-known-food-allergies",
];

/// The code that says that nothing was recorded.
const NO_INFORMATION: &str = "no-allergy-info";

/// How many are over.
pub(super) fn past_allergies(documents: &[&dyn Readable], list: &[Allergy]) -> usize {
    let listed = list.iter().map(|allergy| &allergy.resource).collect();
    let asked = |allergy: &Resource| !Concept::of(allergy, "code").has(NO_INFORMATION);
    left_out(documents, &["AllergyIntolerance"], &listed, asked)
}

/// The allergies, the most critical first.
pub fn allergies(documents: &[&dyn Readable]) -> Allergies {
    let mut list: Vec<Allergy> = listed(documents, "AllergyIntolerance", belongs)
        .into_iter()
        .flat_map(|found| {
            let (key, conflicted) = (found.key, found.conflicted);
            found
                .versions
                .into_iter()
                .map(move |version| allergy(&key, &version, conflicted))
        })
        .collect();
    let critical = |allergy: &Allergy| allergy.criticality.as_deref() != Some("high");
    list.sort_by(|a, b| (critical(a), &a.resource).cmp(&(critical(b), &b.resource)));
    let says = |none_known: bool| list.iter().any(|allergy| allergy.none_known == none_known);
    let status = match (says(false), says(true)) {
        (true, _) => AllergyStatus::Recorded,
        (false, true) => AllergyStatus::NoneKnown,
        (false, false) if past_allergies(documents, &list) > 0 => AllergyStatus::NoneCurrent,
        (false, false) => AllergyStatus::NotRecorded,
    };
    Allergies { status, list }
}

fn belongs(allergy: &Resource) -> bool {
    let clinical = Concept::of(allergy, "clinicalStatus");
    let verification = Concept::of(allergy, "verificationStatus");
    !(verification.has("entered-in-error")
        || verification.has("refuted")
        || clinical.has("inactive")
        || clinical.has("resolved")
        || Concept::of(allergy, "code").has(NO_INFORMATION))
}

fn allergy(key: &ResourceKey, allergy: &Resource, conflicted: bool) -> Allergy {
    let code = Concept::of(allergy, "code");
    let onset = [
        "onsetDateTime",
        "onsetPeriod",
        "onsetAge",
        "onsetRange",
        "onsetString",
    ]
    .as_slice();
    let strings = |array| span::items(array).into_iter().filter_map(span::string);
    let category = allergy
        .element("category")
        .map(strings)
        .into_iter()
        .flatten();
    let reactions = allergy
        .element("reaction")
        .map(span::items)
        .unwrap_or_default();
    Allergy {
        resource: key.clone(),
        none_known: NONE_KNOWN.iter().any(|known| code.has(known)),
        code,
        clinical_status: Concept::of(allergy, "clinicalStatus").status(),
        verification_status: Concept::of(allergy, "verificationStatus").status(),
        r#type: text_of(allergy, "type"),
        category: category.map(|text| text.into_owned()).collect(),
        criticality: text_of(allergy, "criticality"),
        onset: choice(allergy, onset),
        recorded_date: text_of(allergy, "recordedDate"),
        reaction: reactions.into_iter().map(reaction).collect(),
        conflicted,
    }
}

fn reaction(reaction: &str) -> Reaction {
    let manifestation = span::member(reaction, "manifestation")
        .map(texts)
        .unwrap_or_default();
    Reaction {
        manifestation,
        severity: text_in(reaction, "severity"),
    }
}
