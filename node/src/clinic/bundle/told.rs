//! What bundles tell of attachments: which ones their sender holds.
//!
//! ```text
//! Settings  "told" | node 32 | chart 16 | compartment 8 | id 32  -> feed number
//! Settings  "has" | node 32 | chart 16 | compartment 8 | id 32   -> incarnation of its store
//! Settings  "lost" | node 32                                    -> empty: its store was put back
//! ```
//!
//! What came here is told for whoever saved it to know, and what was saved here, so that nobody
//! gives it back to whom it came from by another way; both until the recipient holds so much of our
//! feed that it has read it. What a bundle gives is told, too.
//!
//! A node holds what it has told, what it gave, and what it saved itself. The last holds no more
//! once its store was put back from an older copy: then only its word counts.

use std::collections::BTreeMap;

use chartmesh_protocol::NodeId;
use chartmesh_protocol::attachment::{AttachmentName, Shape};
use chartmesh_protocol::sync::Holdings;
use chartmesh_protocol::sync::bundle::PartWriter;

use super::attach::key;
use super::export::Parts;
use crate::clinic::{Clinic, ClinicError};
use crate::store::{Batch, Space};

/// Attachments that are told of in one go: 20 KB, which fit into the smallest part.
const TOLD_AT_ONCE: usize = 256;

pub(super) const TOLD: &[u8] = b"told";
pub(super) const HAS: &[u8] = b"has";
const LOST: &[u8] = b"lost";

fn lost_key(node: &NodeId) -> Vec<u8> {
    [LOST, node.as_bytes().as_slice()].concat()
}

impl Clinic {
    /// A node holds these, by what its bundle says or because it gave them: it does not get them
    /// with the next one, unless its store is another by then.
    pub(crate) fn has_heard(
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
            self.forget_lacked(&mut batch, node, name)?;
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
        note_lost(&mut batch, node);
        self.store.commit(batch)?;
        self.forget_attachments_held(node)
    }

    /// Whether the store of a node was put back from an older copy at any time.
    pub(super) fn has_lost(&self, node: &NodeId) -> Result<bool, ClinicError> {
        Ok(self.store.get(Space::Settings, &lost_key(node))?.is_some())
    }

    /// Whether a peer has said on a stick that it holds an attachment.
    pub(crate) fn has_said(
        &self,
        peer: &NodeId,
        name: &AttachmentName,
    ) -> Result<bool, ClinicError> {
        let store = self.peer_note(peer)?.incarnation;
        Ok(self.noted(HAS, peer, name)? == Some(store))
    }
}

/// The store of a node was put back from an older copy: that it saved something does not mean that
/// it holds it.
pub(crate) fn note_lost(batch: &mut Batch, node: &NodeId) {
    batch.put(Space::Settings, lost_key(node), Vec::new());
}

impl Parts<'_> {
    /// Tells which attachments came here whole, or were saved here, that the recipient may know of,
    /// until it is known to have read that, and which the bundle gives: it is not to give those
    /// back. Returns what is told beside what is given.
    pub(super) fn add_held(
        &mut self,
        given: &[(AttachmentName, Shape)],
    ) -> Result<Vec<AttachmentName>, ClinicError> {
        let mut held = BTreeMap::new();
        for (name, shape) in self.clinic.attachments_come()? {
            if !self.is_told(&name)? && self.replica.holds_attachment(&name, shape) {
                held.insert(name, shape);
            }
        }
        self.written.told = u64::try_from(held.len()).unwrap_or(u64::MAX);
        for (name, shape) in self.clinic.attachments_saved_here() {
            if !self.is_told(&name)? && self.replica.may_have(&name) {
                held.insert(name, shape);
            }
        }
        let told = held.keys().copied().collect();
        held.extend(given.iter().copied());
        let held: Vec<(AttachmentName, Shape)> = held.into_iter().collect();
        for some in held.chunks(TOLD_AT_ONCE) {
            let cost = PartWriter::held_cost(some.len());
            self.put_told(cost, |writer| writer.held(some))?;
        }
        Ok(told)
    }

    /// Whether the recipient has read that an attachment is here.
    fn is_told(&self, name: &AttachmentName) -> Result<bool, ClinicError> {
        let holds = self.replica.held_by_peer().value();
        let before = self.clinic.noted(TOLD, &self.peer, name)?;
        Ok(before.is_some_and(|feed| feed <= holds) && !self.order.everything)
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
