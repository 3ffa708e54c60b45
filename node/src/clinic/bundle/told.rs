//! What bundles tell of attachments: which ones their sender holds.
//!
//! ```text
//! Settings  "told" | node 32 | chart 16 | compartment 8 | id 32  -> feed number
//! Settings  "has" | node 32 | chart 16 | compartment 8 | id 32   -> incarnation of its store
//! ```
//!
//! What came here is told for whoever saved it to know, until the recipient holds so much of our
//! feed that it has read it. What a bundle gives is told, too, so that it is not given back.

use std::collections::BTreeMap;

use chartmesh_protocol::NodeId;
use chartmesh_protocol::attachment::{AttachmentName, Shape};
use chartmesh_protocol::sync::Holdings;

use super::attach::key;
use super::export::Parts;
use crate::clinic::{Clinic, ClinicError};
use crate::store::{Batch, Space};

/// Attachments that are told of in one go: 20 KB, which fit into the smallest part.
const TOLD_AT_ONCE: usize = 256;

const TOLD: &[u8] = b"told";
const HAS: &[u8] = b"has";

impl Clinic {
    /// A node holds these, by what its bundle says: it does not get them with the next one, unless
    /// its store is another by then.
    pub(super) fn has_heard(
        &self,
        node: &NodeId,
        names: &[AttachmentName],
    ) -> Result<(), ClinicError> {
        let store = self.peer_note(node)?.incarnation;
        let mut batch = Batch::new();
        for name in names {
            if self.noted(HAS, node, name)? != Some(store) {
                let store = store.to_be_bytes().to_vec();
                batch.put(Space::Settings, key(HAS, node, name), store);
            }
        }
        if !batch.is_empty() {
            self.store.commit(batch)?;
        }
        self.attachments_held(node, names)
    }

    /// A node has lost some of what it held, in a store that does not know it: which attachments
    /// those are it has to say anew.
    pub(super) fn forget_said(&self, node: &NodeId) -> Result<(), ClinicError> {
        let mut batch = Batch::new();
        let prefix = [HAS, node.as_bytes().as_slice()].concat();
        for pair in self.store.scan_prefix(Space::Settings, &prefix) {
            batch.delete(Space::Settings, pair?.0);
        }
        if !batch.is_empty() {
            self.store.commit(batch)?;
        }
        self.forget_attachments_held(node)
    }

    /// Whether a peer has said on a stick that it holds an attachment.
    pub(super) fn has_said(
        &self,
        peer: &NodeId,
        name: &AttachmentName,
    ) -> Result<bool, ClinicError> {
        let store = self.peer_note(peer)?.incarnation;
        Ok(self.noted(HAS, peer, name)? == Some(store))
    }
}

impl Parts<'_> {
    /// Tells which attachments came here whole that the recipient may know of, until it is known to
    /// have read that, and which the bundle gives: it is not to give those back. Returns what came.
    pub(super) fn add_held(
        &mut self,
        given: &[(AttachmentName, Shape)],
    ) -> Result<Vec<AttachmentName>, ClinicError> {
        let holds = self.replica.held_by_peer().value();
        let mut held = BTreeMap::new();
        for (name, shape) in self.clinic.attachments_come()? {
            let before = self.clinic.noted(TOLD, &self.peer, &name)?;
            let is_told = before.is_some_and(|feed| feed <= holds) && !self.order.everything;
            if !is_told && self.replica.holds_attachment(&name, shape) {
                held.insert(name, shape);
            }
        }
        self.written.told = u64::try_from(held.len()).unwrap_or(u64::MAX);
        let come = held.keys().copied().collect();
        held.extend(given.iter().copied());
        let held: Vec<(AttachmentName, Shape)> = held.into_iter().collect();
        for some in held.chunks(TOLD_AT_ONCE) {
            self.put_held(some)?;
        }
        Ok(come)
    }

    /// Notes what was told, once the bundle is written to its end.
    pub(super) fn note_told(&self, told: &[AttachmentName]) -> Result<(), ClinicError> {
        let newest = self.replica.newest().value();
        let mut batch = Batch::new();
        // Where nothing of the feed goes along, that more than now is held says that it was read.
        let read_at = newest.max(self.replica.held_by_peer().value().saturating_add(1));
        for name in told {
            let feed = read_at.to_be_bytes().to_vec();
            batch.put(Space::Settings, key(TOLD, &self.peer, name), feed);
        }
        self.clinic.store.commit(batch)?;
        Ok(())
    }
}
