//! Conflicts: what two clinics wrote of the same thing while apart, and the decision of a person.

use chartmesh_crdt::{ActorId, Compartment, ResourceKey};
use chartmesh_protocol::ClinicId;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::audit::Action;
use super::open_chart::OpenChart;
use super::save::Edit;
use super::{Clinic, ClinicError, attachments, date};
use crate::control::Resolution;

/// The name of the element of a resource that is decided as a whole.
const WHOLE: &str = "*";

/// One element, or one whole resource, with several current values.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConflictView {
    /// The compartment.
    pub compartment: String,
    /// The resource, as Type/id.
    pub resource: String,
    /// The element; none for a resource that is decided as a whole.
    pub element: Option<String>,
    /// The values. The first one is read until a person decides.
    pub versions: Vec<VersionView>,
}

/// One value, who wrote it and when.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VersionView {
    /// Its number, from 1, by which `chart resolve` chooses it.
    pub version: usize,
    /// The value as FHIR JSON; null where the element was removed.
    pub value: Option<Box<RawValue>>,
    /// The user.
    pub user: String,
    /// The user's role.
    pub role: String,
    /// The clinic, where the author's node is known.
    pub clinic: Option<ClinicId>,
    /// The clinic's name, where it is known here.
    pub clinic_name: Option<String>,
    /// When, as RFC 3339.
    pub at: String,
}

/// What was decided.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Resolved {
    /// The resource, as Type/id.
    pub resource: String,
    /// The element; none for a whole resource.
    pub element: Option<String>,
    /// The conflicts that are left in the chart.
    pub left: usize,
}

impl Clinic {
    /// The conflicts of a chart.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`], or [`ClinicError::Unreadable`] for a damaged chart.
    pub fn conflicts(&self, id: &str) -> Result<Vec<ConflictView>, ClinicError> {
        let chart = self.find_chart(id)?;
        let views = self.with_chart(&chart, |open| self.conflict_views(open))?;
        self.note(Action::Read, Some(chart))?;
        Ok(views)
    }

    fn conflict_views(&self, open: &OpenChart) -> Result<Vec<ConflictView>, ClinicError> {
        let names = self.clinic_names()?;
        let mut views = Vec::new();
        for (name, one) in open.compartments() {
            for conflict in one.content().conflicts() {
                let mut versions = Vec::new();
                for (index, version) in conflict.versions.into_iter().enumerate() {
                    let shown = |text: String| attachments::shown(&conflict.element, &text);
                    let value = version.value.and_then(shown);
                    let value = value.map(RawValue::from_string).transpose();
                    let clinic = self.clinic_of_actor(open, &version.author.actor);
                    versions.push(VersionView {
                        version: index + 1,
                        value: value.map_err(ClinicError::fault)?,
                        user: version.author.user,
                        role: version.author.role,
                        clinic,
                        clinic_name: clinic.and_then(|id| names.get(&id).cloned()),
                        at: date::moment(u64::try_from(version.time_ms).unwrap_or(0)),
                    });
                }
                views.push(ConflictView {
                    compartment: name.to_string(),
                    resource: conflict.key.to_string(),
                    element: (conflict.element != WHOLE).then_some(conflict.element),
                    versions,
                });
            }
        }
        Ok(views)
    }

    /// The clinic whose node writes as this actor.
    pub(crate) fn clinic_of_actor(&self, open: &OpenChart, actor: &ActorId) -> Option<ClinicId> {
        let node = open.node_of(actor)?;
        let certificates = self.certificates_read();
        let book = certificates.book();
        let mut clinics = book.clinics(&node);
        // A node that several clinics certify is named by none of them.
        clinics.next().filter(|_| clinics.next().is_none())
    }

    /// Decides a conflict.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] when there is no such conflict or version,
    /// [`ClinicError::Refused`] when this clinic may not write there.
    pub fn resolve(&self, resolution: &Resolution) -> Result<Resolved, ClinicError> {
        let chart = self.find_chart(&resolution.id)?;
        let missing = || ClinicError::NotFound {
            what: "conflict",
            look: "chart conflicts",
        };
        let key: ResourceKey = resolution.resource.parse().map_err(|_| {
            ClinicError::usage("a resource is named as Type/id, as `chart conflicts` shows it")
        })?;
        let element = resolution.element.as_deref().unwrap_or(WHOLE);
        let found = self.with_chart(&chart, |open| {
            Ok(open.compartments().find_map(|(name, one)| {
                let conflicts = one.content().conflicts_of(&key);
                let conflict = conflicts.into_iter().find(|one| one.element == element)?;
                Some((name.clone(), conflict))
            }))
        })?;
        let (compartment, conflict) = found.ok_or_else(missing)?;
        let chosen = resolution
            .version
            .checked_sub(1)
            .and_then(|index| conflict.versions.into_iter().nth(index))
            .ok_or_else(missing)?;
        let compartment: Compartment = compartment
            .to_string()
            .parse()
            .map_err(ClinicError::fault)?;
        let edit = Edit::Resolve {
            compartment,
            key: key.clone(),
            element: element.to_owned(),
            chosen: chosen.value,
        };
        self.save(&chart, vec![edit], Action::Resolve)?;
        let left = self.with_chart(&chart, |open| {
            Ok(open
                .compartments()
                .map(|(_, one)| one.content().conflicts().len())
                .sum())
        })?;
        Ok(Resolved {
            resource: key.to_string(),
            element: resolution.element.clone(),
            left,
        })
    }
}
