//! A chart as a file for other systems.

use chartmesh_protocol::attachment::AttachmentPlace;

use super::attachments::Exported;
use super::audit::Action;
use super::{Clinic, ClinicError};

impl Clinic {
    /// A chart as FHIR: a `collection` Bundle, or one resource a line.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`], or [`ClinicError::Unreadable`] for a damaged chart.
    pub fn export(&self, id: &str, ndjson: bool) -> Result<String, ClinicError> {
        Ok(self.export_chart(id, ndjson)?.text)
    }

    /// As [`export`](Self::export), with what it lacks.
    ///
    /// # Errors
    /// As [`export`](Self::export).
    pub fn export_chart(&self, id: &str, ndjson: bool) -> Result<Exported, ClinicError> {
        let chart = self.find_chart(id)?;
        let (placed, held) = self.with_chart(&chart, |open| {
            let placed = open.placed_resources().into_iter();
            let placed = placed.map(|(name, resource)| (open.tag(&name), resource));
            Ok((placed.collect::<Vec<_>>(), open.held().count()))
        })?;
        self.note(Action::Export, Some(chart))?;
        let mut absent = Vec::new();
        let mut resources = Vec::with_capacity(placed.len());
        for (tag, resource) in placed {
            let place = tag.map(|compartment| AttachmentPlace { chart, compartment });
            resources.push(self.put_back(place, resource, &mut absent)?);
        }
        let text = if ndjson {
            let lines = resources.iter().map(|resource| resource.to_json() + "\n");
            lines.collect()
        } else {
            chartmesh_crdt::to_bundle(&resources)
        };
        let held = u64::try_from(held).unwrap_or(u64::MAX);
        Ok(Exported { text, absent, held })
    }
}
