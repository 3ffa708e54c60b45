//! Attachments that were saved here, and which other nodes hold them.
//!
//! ```text
//! Settings  "attachment saved/" chart 16 | compartment 8 | id 32            -> length
//! Settings  "attachment held/" node 32 | chart 16 | compartment 8 | id 32   -> empty
//! ```
//!
//! A record goes without the content of its attachments, and whoever saved both wants to know of
//! both whether they have arrived. Nodes are asked; what one has said to lack it is asked again
//! after a while, or when it has fetched some of it.
//!
//! What a record of this clinic tells of counts as saved here, also where the record came home from
//! elsewhere: after an old data folder was put back, or from another node of the clinic.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};

use chartmesh_protocol::NodeId;
use chartmesh_protocol::attachment::{AttachmentName, Shape};

use super::lacking::Lacking;
use super::lock;
use super::wants::{key_of, name_of};
use crate::clinic::{Clinic, ClinicError, KnownPeer, Replica, items};
use crate::store::{Batch, Space, Store};

const SAVED: &[u8] = b"attachment saved/";
const HELD: &[u8] = b"attachment held/";

/// After how long a node is asked again about what it has said to lack, in milliseconds: what it
/// fetches from us is asked about at once, and only what came by another way waits for this.
const ASKED_AGAIN_MS: u64 = 6 * 3_600_000;

/// What was saved here, and who holds it.
#[derive(Debug, Default)]
pub(crate) struct Saved {
    pub(super) shapes: BTreeMap<AttachmentName, Shape>,
    held: BTreeMap<NodeId, BTreeSet<AttachmentName>>,
    pub(super) lacking: Lacking,
    /// What others saved, as far as that was looked for.
    pub(super) of_others: BTreeSet<AttachmentName>,
    /// What was saved and did not seem to be here whole; none until that is looked for.
    pub(super) not_whole: Option<BTreeSet<AttachmentName>>,
}

impl Saved {
    /// What was known when the store was last open.
    pub(crate) fn read(store: &Store) -> Result<Self, ClinicError> {
        let mut saved = Self::default();
        for pair in store.scan_prefix(Space::Settings, SAVED) {
            let (key, value) = pair?;
            let name = key.get(SAVED.len()..).and_then(name_of);
            let shape = items::number(&value).and_then(|length| Shape::new(length).ok());
            saved.shapes.extend(name.zip(shape));
        }
        for key in store.keys(Space::Settings, HELD) {
            let key = key?;
            let rest = key.get(HELD.len()..).unwrap_or_default();
            if let Some((node, name)) = rest.split_first_chunk()
                && let Some(name) = name_of(name)
            {
                let held = saved.held.entry(NodeId::new(*node)).or_default();
                held.insert(name);
            }
        }
        saved.lacking = Lacking::read(store)?;
        Ok(saved)
    }

    /// What a node is not known to hold.
    fn in_doubt(&self, node: &NodeId) -> impl Iterator<Item = (AttachmentName, Shape)> {
        let held = self.held.get(node);
        let is_held = move |name: &AttachmentName| held.is_some_and(|held| held.contains(name));
        let all = self.shapes.iter().map(|(name, shape)| (*name, *shape));
        all.filter(move |(name, _)| !is_held(name))
    }

    /// A node does not hold an attachment: what it had said is over.
    pub(super) fn does_not_hold(
        &mut self,
        batch: &mut Batch,
        node: &NodeId,
        name: &AttachmentName,
    ) {
        let held = self.held.get_mut(node);
        if held.is_some_and(|held| held.remove(name)) {
            batch.delete(Space::Settings, held_key(node, name));
        }
    }

    pub(super) fn is_held_by_any(&self, name: &AttachmentName, nodes: &[NodeId]) -> bool {
        let mut held = nodes.iter().filter_map(|node| self.held.get(node));
        held.any(|held| held.contains(name))
    }
}

/// What is written down of attachments that are about to be saved.
pub(crate) fn note_saved(batch: &mut Batch, attachments: &[(AttachmentName, Shape)]) {
    for (name, shape) in attachments {
        let key = [SAVED, &key_of(name)].concat();
        batch.put(Space::Settings, key, shape.length().to_be_bytes().to_vec());
    }
}

fn held_key(node: &NodeId, name: &AttachmentName) -> Vec<u8> {
    [HELD, node.as_bytes(), &key_of(name)].concat()
}

impl Clinic {
    pub(super) fn attachments_saved(&self) -> MutexGuard<'_, Saved> {
        // Each change is one step: a panic leaves nothing half-done.
        let saved = &self.attachments_saved;
        saved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These were saved, and are written down.
    pub(crate) fn attachments_were_saved(&self, attachments: Vec<(AttachmentName, Shape)>) {
        self.attachments_saved().shapes.extend(attachments);
    }

    /// What this clinic saved and what seems to be here whole.
    pub(crate) fn attachments_saved_here(&self) -> Vec<(AttachmentName, Shape)> {
        let all: Vec<(AttachmentName, Shape)> = {
            let saved = self.attachments_saved();
            let all = saved.shapes.iter();
            all.map(|(name, shape)| (*name, *shape)).collect()
        };
        let here = all.into_iter();
        here.filter(|(name, shape)| self.seems_here(name, *shape))
            .collect()
    }

    /// Whether this clinic saved an attachment, as far as is known.
    pub(super) fn was_saved_here(&self, name: &AttachmentName) -> bool {
        self.attachments_saved().shapes.contains_key(name)
    }

    /// A node holds all of these, by its word. What was not saved here is of no interest.
    pub(crate) fn attachments_held(
        &self,
        node: &NodeId,
        names: &[AttachmentName],
    ) -> Result<(), ClinicError> {
        self.not_lacking(node, names)?;
        let new: Vec<AttachmentName> = {
            let saved = self.attachments_saved();
            let of_ours = names.iter().filter(|name| saved.shapes.contains_key(name));
            let is_known = |name: &&AttachmentName| saved.is_held_by_any(name, &[*node]);
            of_ours.filter(|name| !is_known(name)).copied().collect()
        };
        if new.is_empty() {
            return Ok(());
        }
        let mut batch = Batch::new();
        for name in &new {
            batch.put(Space::Settings, held_key(node, name), Vec::new());
        }
        self.store.commit(batch)?;
        let mut saved = self.attachments_saved();
        saved.held.entry(*node).or_default().extend(new);
        drop(saved);
        Ok(())
    }

    /// Whether a node has said that it holds an attachment which was saved here.
    pub(crate) fn is_known_to_hold(&self, node: &NodeId, name: &AttachmentName) -> bool {
        self.attachments_saved().is_held_by_any(name, &[*node])
    }

    /// The store of a node is another than it was: what it held it may have lost, and have what it
    /// lacked.
    pub(crate) fn forget_attachments_held(&self, node: &NodeId) -> Result<(), ClinicError> {
        let (held, lacked) = {
            let mut saved = self.attachments_saved();
            (saved.held.remove(node), saved.lacking.of(node))
        };
        self.not_lacking(node, &lacked)?;
        let mut batch = Batch::new();
        for name in held.iter().flatten() {
            batch.delete(Space::Settings, held_key(node, name));
        }
        if !batch.is_empty() {
            self.store.commit(batch)?;
        }
        Ok(())
    }

    /// How many of the attachments that were saved here and that a peer's clinic may have it is not
    /// known to hold. Of another clinic, any of its nodes may hold them.
    pub(crate) fn attachments_not_held(
        &self,
        peers: &[KnownPeer],
        peer: &KnownPeer,
        may_have: &dyn Fn(&AttachmentName) -> bool,
    ) -> u64 {
        let is_meant = |one: &&KnownPeer| match peer.clinic == self.clinic_id() {
            true => one.node == peer.node,
            false => one.clinic == peer.clinic,
        };
        let nodes: Vec<NodeId> = peers.iter().filter(is_meant).map(|one| one.node).collect();
        let lacking: Vec<AttachmentName> = {
            let saved = self.attachments_saved();
            let names = saved.shapes.keys();
            names
                .filter(|name| !saved.is_held_by_any(name, &nodes))
                .copied()
                .collect()
        };
        let lacking = lacking.iter().filter(|name| may_have(name));
        u64::try_from(lacking.count()).unwrap_or(u64::MAX)
    }
}

impl Replica {
    /// Whether the peer may have an attachment now.
    pub(crate) fn may_have(&self, name: &AttachmentName) -> bool {
        self.ask(|share, clinic| share.serves(clinic, &name.place))
    }

    /// See [`chartmesh_protocol::sync::Holdings::in_doubt`].
    pub(crate) fn attachments_in_doubt(&self, most: usize) -> Vec<(AttachmentName, Shape)> {
        let (clinic, peer) = (&self.book.clinic, self.book.peer);
        if let Err(error) = clinic.look_for_attachments() {
            tracing::warn!(%error, "what this clinic saved was not looked for");
        }
        let only_here = match self.is_of_own_clinic() {
            true => clinic.only_here(&peer).unwrap_or_else(|error| {
                tracing::warn!(%error, "what is here alone of this clinic is not told");
                Vec::new()
            }),
            false => Vec::new(),
        };
        let now = clinic.now_ms();
        let doubtful: Vec<(AttachmentName, Shape)> = {
            let saved = clinic.attachments_saved();
            let is_recent = |name: &AttachmentName| {
                let lacking = saved.lacking.since(&peer, name);
                lacking.is_some_and(|at| now.saturating_sub(at) < ASKED_AGAIN_MS)
            };
            let all = saved.in_doubt(&peer).chain(only_here);
            all.filter(|(name, _)| !is_recent(name)).collect()
        };
        let is_new = |name: &AttachmentName| !self.lock().pieces.questioned.contains(name);
        let doubtful = doubtful.into_iter();
        let new = doubtful.filter(|(name, _)| is_new(name) && self.may_have(name));
        let new: Vec<(AttachmentName, Shape)> = new.take(most).collect();
        let names = new.iter().map(|(name, _)| *name);
        self.lock().pieces.questioned.extend(names);
        new
    }

    /// The peer has said what it holds of that which it was asked about.
    pub(crate) fn attachments_told(
        &self,
        held: &[AttachmentName],
        lacking: &[AttachmentName],
    ) -> Result<(), ClinicError> {
        let (clinic, peer) = (&self.book.clinic, self.book.peer);
        clinic.are_lacking(&peer, lacking)?;
        match self.is_of_own_clinic() {
            true => clinic.has_heard(&peer, held),
            false => clinic.attachments_held(&peer, held),
        }
    }

    /// Whether all of an attachment is here, and the peer may know it.
    pub(crate) fn tells_of(&self, name: &AttachmentName, shape: Shape) -> bool {
        let is_here = self.may_have(name)
            && self.ask(|_, clinic| Ok(lock(&*clinic.blob(name, shape)?).is_whole()));
        if !is_here {
            self.is_asked_in_vain(name, shape);
        }
        is_here
    }
}
