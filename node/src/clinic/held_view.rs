//! What people see of records that do not count: how many, whose and why, and what they say. It
//! may be an allergy that somebody wrote down whose right to had ended without his knowing.

use std::collections::BTreeMap;

use chartmesh_crdt::{Resource, ResourceKey, views};
use chartmesh_protocol::ClinicId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::open_chart::{OpenChart, Scope};
use super::{Clinic, ClinicError, attachments};

/// A record that is kept and does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLine {
    /// The record.
    pub record: String,
    /// The compartment.
    pub compartment: String,
    /// The author's clinics.
    pub clinics: Vec<ClinicId>,
    /// Why it does not count.
    pub reason: String,
}

/// A resource as it would be if records that are held counted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HeldResource {
    /// The resource, like `AllergyIntolerance/a1`.
    pub resource: String,
    /// What it is about, in a line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub headline: Option<String>,
    /// It; none where it would be removed.
    pub value: Option<Box<RawValue>>,
}

impl HeldResource {
    fn of(key: &ResourceKey, resource: Option<&Resource>) -> Self {
        Self {
            resource: key.to_string(),
            headline: resource.and_then(views::headline),
            value: resource.and_then(|it| {
                let text = attachments::shown("*", &it.to_json())?;
                RawValue::from_string(text).ok()
            }),
        }
    }
}

/// The resources of a chart by their keys.
fn by_key(open: &OpenChart) -> BTreeMap<ResourceKey, Resource> {
    let resources = open.resources().into_iter();
    resources
        .filter_map(|resource| Some((resource.key().ok()?, resource)))
        .collect()
}

impl Clinic {
    pub(super) fn held_lines(&self, open: &OpenChart) -> Vec<HeldLine> {
        let certificates = self.certificates_read();
        let book = certificates.book();
        open.held()
            .map(|(compartment, held)| HeldLine {
                record: held.record.to_string(),
                compartment: compartment.to_string(),
                clinics: book.clinics(&held.author).collect(),
                reason: held.reason.clone(),
            })
            .collect()
    }

    /// What held records say that the chart does not.
    pub(super) fn held_resources(
        &self,
        open: &OpenChart,
    ) -> Result<Vec<HeldResource>, ClinicError> {
        if open.held().next().is_none() {
            return Ok(Vec::new());
        }
        let now = by_key(open);
        let with_held = by_key(&self.open_chart(&open.id(), Scope::WithHeld)?);
        let added = with_held
            .iter()
            .filter(|(key, resource)| now.get(key) != Some(resource))
            .map(|(key, resource)| HeldResource::of(key, Some(resource)));
        let removed = now
            .keys()
            .filter(|key| !with_held.contains_key(key))
            .map(|key| HeldResource::of(key, None));
        Ok(added.chain(removed).collect())
    }
}
