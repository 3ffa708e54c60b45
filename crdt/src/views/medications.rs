//! The active medications.

use super::concept::Concept;
use super::{choice, dosage, listed, text_in, text_of};
use crate::readable::Readable;
use crate::resource::Resource;
use crate::resource_key::ResourceKey;
use crate::span;

/// One active medication (FHIR R4 11.1 MedicationRequest, 11.4 MedicationStatement).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Medication {
    /// The MedicationRequest or MedicationStatement.
    pub resource: ResourceKey,
    /// The drug. Of a reference, the code of the Medication that it leads to, else its display.
    pub medication: Concept,
    /// `active`, `on-hold`, or another status of a version in conflict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// `order` and the like; only a request has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// Whether this orders **not** to give the drug.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub do_not_perform: bool,
    /// How to take it, one text for each dosage.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub dosage: Vec<String>,
    /// When it was ordered; of a statement, when it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authored_on: Option<String>,
    /// Since when it is taken, of a statement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effective: Option<String>,
    /// Who ordered it, as the request displays it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester: Option<String>,
    /// Whether there are several concurrent versions of it; each has its own entry.
    pub conflicted: bool,
}

/// The active medications, the newest first: what is active or on hold, or of unknown status,
/// and of requests only orders, no proposals or plans.
pub fn medications(documents: &[&dyn Readable]) -> Vec<Medication> {
    let mut found = listed(documents, "MedicationRequest", is_active_request);
    found.extend(listed(
        documents,
        "MedicationStatement",
        is_active_statement,
    ));
    let mut medications: Vec<Medication> = Vec::new();
    for entry in found {
        for version in &entry.versions {
            medications.push(medication(documents, &entry.key, version, entry.conflicted));
        }
    }
    medications.sort_by(|a, b| (&b.authored_on, &a.resource).cmp(&(&a.authored_on, &b.resource)));
    medications
}

fn is_active_request(request: &Resource) -> bool {
    let status = text_of(request, "status");
    let intent = text_of(request, "intent");
    matches!(
        status.as_deref(),
        None | Some("active" | "on-hold" | "unknown")
    ) && !matches!(intent.as_deref(), Some("proposal" | "plan" | "option"))
}

fn is_active_statement(statement: &Resource) -> bool {
    let status = text_of(statement, "status");
    matches!(
        status.as_deref(),
        None | Some("active" | "intended" | "on-hold" | "unknown")
    )
}

fn medication(
    documents: &[&dyn Readable],
    key: &ResourceKey,
    version: &Resource,
    conflicted: bool,
) -> Medication {
    let dosages = version
        .element("dosageInstruction")
        .or_else(|| version.element("dosage"));
    let authored = ["authoredOn", "dateAsserted"];
    Medication {
        resource: key.clone(),
        medication: drug(documents, version),
        status: text_of(version, "status"),
        intent: text_of(version, "intent"),
        do_not_perform: version.element("doNotPerform") == Some("true"),
        dosage: dosages.map(dosage::lines).unwrap_or_default(),
        authored_on: choice(version, &authored),
        effective: choice(version, &["effectiveDateTime", "effectivePeriod"]),
        requester: version
            .element("requester")
            .and_then(|r| text_in(r, "display")),
        conflicted,
    }
}

/// The drug, which may stand in the resource, inside it, or in the chart (R4 11.1.4).
fn drug(documents: &[&dyn Readable], version: &Resource) -> Concept {
    if let Some(concept) = version.element("medicationCodeableConcept") {
        return Concept::read(concept);
    }
    let Some(reference) = version.element("medicationReference") else {
        return Concept::default();
    };
    let target = text_in(reference, "reference").unwrap_or_default();
    let inside = target
        .strip_prefix('#')
        .and_then(|id| contained(version, id));
    let concept = inside.or_else(|| {
        let key = target.parse().ok()?;
        let medication = documents
            .iter()
            .find_map(|document| document.resource(&key))?;
        Some(Concept::of(&medication, "code"))
    });
    let named = concept.filter(|concept| concept.text.is_some());
    named.unwrap_or_else(|| Concept {
        text: text_in(reference, "display"),
        coding: Vec::new(),
    })
}

fn contained(version: &Resource, id: &str) -> Option<Concept> {
    let contained = version
        .element("contained")
        .map(span::items)
        .unwrap_or_default();
    let medication = contained
        .into_iter()
        .find(|c| text_in(c, "id").as_deref() == Some(id))?;
    span::member(medication, "code").map(Concept::read)
}
