//! The immunisations.

use super::concept::Concept;
use super::{choice, listed, text_in, text_of};
use crate::readable::Readable;
use crate::resource::Resource;
use crate::resource_key::ResourceKey;
use crate::span;

/// One immunisation, given or not (FHIR R4 9.8, Immunization).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImmunizationEntry {
    /// The Immunization.
    pub resource: ResourceKey,
    /// The vaccine.
    pub vaccine_code: Concept,
    /// `completed` or `not-done`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Why it was not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// When: a date or a text, as entered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<String>,
    /// The lot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lot_number: Option<String>,
    /// Which dose of its series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dose_number: Option<String>,
    /// Whether there are several concurrent versions of it; each has its own entry.
    pub conflicted: bool,
}

/// The immunisations, the latest first. One that was not done stands here too, with its status.
pub fn immunizations(documents: &[&dyn Readable]) -> Vec<ImmunizationEntry> {
    let mut entries: Vec<ImmunizationEntry> = listed(documents, "Immunization", belongs)
        .into_iter()
        .flat_map(|found| {
            let (key, conflicted) = (found.key, found.conflicted);
            found
                .versions
                .into_iter()
                .map(move |version| entry(&key, &version, conflicted))
        })
        .collect();
    entries.sort_by(|a, b| (&b.occurrence, &a.resource).cmp(&(&a.occurrence, &b.resource)));
    entries
}

fn belongs(immunization: &Resource) -> bool {
    text_of(immunization, "status").as_deref() != Some("entered-in-error")
}

fn entry(key: &ResourceKey, immunization: &Resource, conflicted: bool) -> ImmunizationEntry {
    let protocols = immunization
        .element("protocolApplied")
        .map(span::items)
        .unwrap_or_default();
    let dose_number = protocols.iter().find_map(|protocol| {
        let number = span::member(protocol, "doseNumberPositiveInt").map(str::to_owned);
        number.or_else(|| text_in(protocol, "doseNumberString"))
    });
    ImmunizationEntry {
        resource: key.clone(),
        vaccine_code: Concept::of(immunization, "vaccineCode"),
        status: text_of(immunization, "status"),
        status_reason: Concept::of(immunization, "statusReason").text,
        occurrence: choice(immunization, &["occurrenceDateTime", "occurrenceString"]),
        lot_number: text_of(immunization, "lotNumber"),
        dose_number,
        conflicted,
    }
}
