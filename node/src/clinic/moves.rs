//! Resources that a new sensitivity label sends into another compartment of their chart.
//!
//! The old place loses the resource in the commit in which the new one gets it, so that who may
//! read the old place alone reads it no more. Who held it before still has the earlier text in the
//! history: no edit takes that back.

use std::collections::BTreeMap;

use chartmesh_crdt::{Compartment, ResourceKey};
use chartmesh_protocol::ledger::CompartmentName;
use serde::{Deserialize, Serialize};

use super::open_chart::OpenChart;
use super::save::Edit;
use super::{Clinic, ClinicError};

/// What to do with a resource that a file brings without the label by which it is restricted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Labels {
    /// Take nothing of the file: many systems send no labels, and a restricted resource must not
    /// come out by mistake.
    #[default]
    Kept,
    /// Let it out of the restricted part, to where its type belongs.
    Lifted,
}

impl Clinic {
    /// Adds, for each resource that is put, its departure from every other compartment in which it
    /// stands; says how many resources move.
    ///
    /// # Errors
    /// [`ClinicError::Conflict`] for one that would leave a restricted compartment unasked,
    /// [`ClinicError::Refused`] for one that stands where this clinic may not write.
    pub(super) fn with_departures(
        &self,
        open: &OpenChart,
        labels: Labels,
        edits: &mut BTreeMap<Compartment, Vec<Edit>>,
    ) -> Result<usize, ClinicError> {
        let mut departures = Vec::new();
        for (target, edits) in edits.iter() {
            for edit in edits {
                let Edit::Put(resource) = edit else { continue };
                let key = resource.key().map_err(ClinicError::fault)?;
                for place in other_places(open, target, &key) {
                    self.check_move(open, labels, (&place, target), &key)?;
                    departures.push((place, key.clone()));
                }
            }
        }
        let moved = departures.len();
        for (compartment, key) in departures {
            let edit = Edit::Depart {
                compartment: compartment.clone(),
                key,
            };
            edits.entry(compartment).or_default().push(edit);
        }
        Ok(moved)
    }

    fn check_move(
        &self,
        open: &OpenChart,
        labels: Labels,
        (from, to): (&Compartment, &Compartment),
        key: &ResourceKey,
    ) -> Result<(), ClinicError> {
        let is_let_out =
            matches!(from, Compartment::Restricted(_)) && !matches!(to, Compartment::Restricted(_));
        if is_let_out && labels == Labels::Kept {
            let reason = format!(
                "{key} stands in {from} and comes without a label, which would put it into {to}: \
                 add the label to the file, or let it out with `import --lift-labels`"
            );
            return Err(ClinicError::Conflict { reason });
        }
        let name: CompartmentName = from.to_string().parse().map_err(ClinicError::fault)?;
        if !open.decision().may_write(&self.clinic_id(), &name) {
            let text = format!(
                "{key} belongs into {to} now and stands in {from}, where this clinic may not \
                 write: ask a clinic that may to move it"
            );
            return Err(ClinicError::refused(text));
        }
        Ok(())
    }
}

/// The compartments in which a resource stands, as far as they can be read here, but for one.
fn other_places(open: &OpenChart, but: &Compartment, key: &ResourceKey) -> Vec<Compartment> {
    let others = open.compartments.iter().filter_map(|(name, one)| {
        let place: Compartment = name.as_str().parse().ok()?;
        let stands = place != *but && one.content().resource(key).is_some();
        stands.then_some(place)
    });
    others.collect()
}
