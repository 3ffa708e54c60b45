//! What the nodes of one clinic fetch from each other: all that one of them holds, so that the loss
//! of it loses nothing.
//!
//! What the clinic saved is wanted as soon as its record comes. Of what others saved, and a person
//! fetched at one node, that node asks the others whether they hold it: so they hear of it.

use chartmesh_protocol::NodeId;
use chartmesh_protocol::attachment::{AttachmentName, Shape};

use super::wants::{Wish, found_in};
use crate::clinic::{Clinic, ClinicError, Replica};

impl Clinic {
    /// Whether this clinic has other nodes.
    pub(super) fn has_other_nodes(&self) -> Result<bool, ClinicError> {
        let own = self.clinic_id();
        Ok(self.peers()?.iter().any(|peer| peer.clinic == own))
    }

    /// What is here of others and comes to no other node by itself, as far as a node of this clinic
    /// is not known to hold it.
    pub(super) fn only_here(
        &self,
        node: &NodeId,
    ) -> Result<Vec<(AttachmentName, Shape)>, ClinicError> {
        let up_to = self.config.attachments.fetched_up_to().unwrap_or(0);
        let mut only_here = Vec::new();
        for (name, shape) in self.attachments_come()? {
            if shape.length() > up_to
                && !self.was_saved_here(&name)
                && !self.has_said(node, &name)?
                && self.seems_here(&name, shape)
            {
                only_here.push((name, shape));
            }
        }
        Ok(only_here)
    }

    /// Another node of this clinic holds an attachment: it is wanted here, too, where a record
    /// tells of it.
    fn want_as_another_node(&self, name: &AttachmentName, shape: Shape) -> Result<(), ClinicError> {
        if !self.config.attachments.all_between_own_nodes || self.wants().get(name).is_some() {
            return Ok(());
        }
        let told = self.with_chart(&name.place.chart, |open| {
            let found = found_in(open);
            Ok(found.iter().any(|one| one.name() == Some((*name, shape))))
        });
        match told {
            Ok(true) => {}
            Ok(false) | Err(ClinicError::Unreadable { .. }) => return Ok(()),
            Err(error) => return Err(error),
        }
        self.want(vec![(*name, shape)], Wish::OfOwnNodes, None)?;
        self.changed(&[], false);
        Ok(())
    }
}

impl Replica {
    /// Whether the peer is another node of this clinic.
    pub(super) fn is_of_own_clinic(&self) -> bool {
        self.clinic_of_peer() == Some(self.book.clinic.clinic_id())
    }

    /// The peer asks whether an attachment is here that is not. Another node of this clinic asks
    /// of what it holds.
    pub(super) fn is_asked_in_vain(&self, name: &AttachmentName, shape: Shape) {
        if !self.is_of_own_clinic() {
            return;
        }
        if let Err(error) = self.book.clinic.want_as_another_node(name, shape) {
            tracing::warn!(%error, "what another node of this clinic holds is not asked for");
        }
    }
}
