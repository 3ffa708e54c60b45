//! Looking through a chart of which something came, once nothing else is to be done: for content
//! that is not here, and for what this clinic saved.
//!
//! Whose an attachment is follows from the history: the first who wrote its mark took the content
//! out. That is looked for only where it is not known, in charts that this clinic wrote in.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_protocol::attachment::{AttachmentName, AttachmentPlace, Shape};
use chartmesh_protocol::{AttachmentId, ChartId, CompartmentTag, NodeId};

use super::saved::note_saved;
use super::wants::{Found, Wish, found_in};
use super::{lock, read_mark};
use crate::clinic::open_chart::{OpenChart, Scope};
use crate::clinic::{Clinic, ClinicError};
use crate::store::{Batch, Space};

/// Charts that are looked through in one go: a tenth of a second.
const CHARTS_AT_ONCE: usize = 8;

/// Who took out the contents of a chart, as far as their nodes are known.
type Writers = BTreeMap<(CompartmentTag, AttachmentId), NodeId>;

impl Clinic {
    /// Looks through some of the charts of which something came; says whether there are more.
    pub(crate) fn look_for_attachments(&self) -> Result<bool, ClinicError> {
        let mut charts = Vec::new();
        for key in self.store.keys(Space::Unlooked, &[]) {
            if charts.len() > CHARTS_AT_ONCE {
                break;
            }
            charts.extend(ChartId::try_from(key?.as_slice()).ok());
        }
        let more = charts.len() > CHARTS_AT_ONCE;
        for chart in charts.iter().take(CHARTS_AT_ONCE) {
            self.look_through(chart)?;
        }
        Ok(more)
    }

    /// Looks through a chart. Returns its attachments; none of a chart that cannot be read.
    pub(crate) fn look_through(
        &self,
        chart: &ChartId,
    ) -> Result<BTreeMap<AttachmentName, Shape>, ClinicError> {
        let mark = self.store.get(Space::Unlooked, chart.as_bytes())?;
        let (found, wrote_here) = match self.open_chart(chart, Scope::Reading) {
            Ok(open) => (found_in(&open), open.nodes().any(|node| self.is_own(&node))),
            Err(error @ ClinicError::Unreadable { .. }) => {
                tracing::error!(%error, "its attachments are not looked for");
                (Vec::new(), false)
            }
            Err(error) => return Err(error),
        };
        let names: BTreeMap<AttachmentName, Shape> = found.iter().filter_map(Found::name).collect();
        self.note_whose(chart, &names, wrote_here)?;
        if let Some(mark) = mark {
            let up_to = self.config.attachments.fetched_up_to();
            let small = |shape: &Shape| up_to.is_some_and(|most| shape.length() <= most);
            let (small, large): (Vec<_>, Vec<_>) = names
                .iter()
                .map(|(name, shape)| (*name, *shape))
                .partition(|(_, shape)| small(shape));
            if self.config.attachments.all_between_own_nodes && self.has_other_nodes()? {
                let own = large.into_iter();
                let own: Vec<_> = own.filter(|(name, _)| self.was_saved_here(name)).collect();
                if !own.is_empty() {
                    self.want(own, Wish::OfOwnNodes, None)?;
                }
            }
            self.want(small, Wish::ByItself, Some((*chart, mark)))?;
        }
        Ok(names)
    }

    /// The attachments of a chart whose content a node took out; none of a chart that cannot be
    /// read.
    pub(crate) fn saved_by(
        &self,
        chart: &ChartId,
        node: &NodeId,
    ) -> Result<BTreeSet<AttachmentName>, ClinicError> {
        let open = match self.open_chart(chart, Scope::Whole) {
            Ok(open) => open,
            Err(ClinicError::Unreadable { .. }) => return Ok(BTreeSet::new()),
            Err(error) => return Err(error),
        };
        let of_node = writers(&open)?.into_iter().filter(|(_, by)| by == node);
        let name = |(compartment, id)| AttachmentName {
            place: AttachmentPlace {
                chart: *chart,
                compartment,
            },
            id,
        };
        Ok(of_node.map(|(of, _)| name(of)).collect())
    }

    /// Notes which of these this clinic saved, of those of which it is not known.
    fn note_whose(
        &self,
        chart: &ChartId,
        names: &BTreeMap<AttachmentName, Shape>,
        wrote_here: bool,
    ) -> Result<(), ClinicError> {
        let unknown: Vec<(AttachmentName, Shape)> = {
            let saved = self.attachments_saved();
            let is_known = |name: &AttachmentName| {
                saved.shapes.contains_key(name) || saved.of_others.contains(name)
            };
            let unknown = names.iter().filter(|(name, _)| !is_known(name));
            unknown.map(|(name, shape)| (*name, *shape)).collect()
        };
        if unknown.is_empty() {
            return Ok(());
        }
        let writers = match wrote_here {
            true => writers(&self.open_chart(chart, Scope::Whole)?)?,
            false => Writers::new(),
        };
        let (own, of_others): (Vec<_>, Vec<_>) = unknown.into_iter().partition(|(name, _)| {
            let writer = writers.get(&(name.place.compartment, name.id));
            writer.is_some_and(|node| self.is_own(node))
        });
        if !own.is_empty() {
            let mut batch = Batch::new();
            note_saved(&mut batch, &own);
            self.store.commit(batch)?;
        }
        let has_own = !own.is_empty();
        let mut saved = self.attachments_saved();
        saved
            .of_others
            .extend(of_others.iter().map(|(name, _)| *name));
        if let Some(not_whole) = &mut saved.not_whole {
            let lacking = own
                .iter()
                .filter(|(name, shape)| !self.seems_here(name, *shape));
            not_whole.extend(lacking.map(|(name, _)| *name));
        }
        saved.shapes.extend(own);
        drop(saved);
        if has_own {
            // Others are to be asked whether they hold it.
            self.changed(&[], false);
        }
        Ok(())
    }

    /// Whether a node is this one or another one of this clinic.
    fn is_own(&self, node: &NodeId) -> bool {
        let certificates = self.certificates_read();
        certificates.book().belongs(node, &self.clinic_id())
    }

    /// Whether all of an attachment is here.
    pub(crate) fn is_here(&self, name: &AttachmentName, shape: Shape) -> Result<bool, ClinicError> {
        Ok(lock(&*self.blob(name, shape)?).is_whole())
    }
}

/// Who took out the contents of a chart.
fn writers(open: &OpenChart) -> Result<Writers, ClinicError> {
    let mut writers = Writers::new();
    for (_, one) in open.compartments() {
        for (mark, actor) in one.document()?.marks_written() {
            if let (Ok(mark), Some(node)) = (read_mark(&mark), open.node_of(&actor)) {
                writers.entry((one.tag(), mark.id)).or_insert(node);
            }
        }
    }
    Ok(writers)
}
