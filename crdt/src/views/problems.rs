//! The problem list.

use super::concept::Concept;
use super::{choice, listed, text_of};
use crate::readable::Readable;
use crate::resource::Resource;
use crate::resource_key::ResourceKey;

/// One entry of the problem list (FHIR R4 9.2, Condition).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// The Condition.
    pub resource: ResourceKey,
    /// What the problem is.
    pub code: Concept,
    /// `active`, `recurrence`, `relapse` or `remission`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clinical_status: Option<String>,
    /// `unconfirmed`, `provisional`, `differential` or `confirmed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_status: Option<String>,
    /// How severe it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// Since when: a date, an age or a text, as entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onset: Option<String>,
    /// When it was first recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_date: Option<String>,
    /// Whether an element of it has several concurrent values.
    pub conflicted: bool,
}

/// The problem list, the newest onset first.
///
/// A problem in remission is on the list: it decides on treatment.
pub fn problems(documents: &[&dyn Readable]) -> Vec<Problem> {
    let mut problems: Vec<Problem> = listed(documents, "Condition", belongs)
        .into_iter()
        .flat_map(|found| {
            let (key, conflicted) = (found.key, found.conflicted);
            found
                .versions
                .into_iter()
                .map(move |version| problem(&key, &version, conflicted))
        })
        .collect();
    problems.sort_by(|a, b| (&b.onset, &a.resource).cmp(&(&a.onset, &b.resource)));
    problems
}

fn belongs(condition: &Resource) -> bool {
    let clinical = Concept::of(condition, "clinicalStatus");
    let verification = Concept::of(condition, "verificationStatus");
    !(verification.has("entered-in-error")
        || verification.has("refuted")
        || clinical.has("inactive")
        || clinical.has("resolved"))
}

fn problem(key: &ResourceKey, condition: &Resource, conflicted: bool) -> Problem {
    let onset = [
        "onsetDateTime",
        "onsetPeriod",
        "onsetAge",
        "onsetRange",
        "onsetString",
    ]
    .as_slice();
    Problem {
        resource: key.clone(),
        code: Concept::of(condition, "code"),
        clinical_status: Concept::of(condition, "clinicalStatus").status(),
        verification_status: Concept::of(condition, "verificationStatus").status(),
        severity: Concept::of(condition, "severity").text,
        onset: choice(condition, onset),
        recorded_date: text_of(condition, "recordedDate"),
        conflicted,
    }
}
