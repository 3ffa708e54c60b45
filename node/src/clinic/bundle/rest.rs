//! Bundles of which only a part came: what was taken of them, and what is lacking, so that the
//! next one brings the rest alone.
//!
//! ```text
//! Settings  "taken" | node 32 | bundle 16 | part 4 | kind 1 | number 4  -> newest 8 | key 8..
//! Settings  "short" | chart 16 | compartment 8 | id 32                  -> length 8
//! Settings  "lacks" | node 32 | chart 16 | compartment 8 | id 32        -> length 8 | piece 4..
//! ```
//!
//! `taken` is ours to tell until we have followed the node's feed as far as the bundle reaches;
//! `short` is what records name and no stick brought, ours to tell until it is here; `lacks` is
//! what a node has told of this: it goes with the next bundle for it, until the node holds it by
//! its word.

use std::collections::BTreeMap;

use chartmesh_protocol::NodeId;
use chartmesh_protocol::attachment::{AttachmentName, Shape};
use chartmesh_protocol::reconcile::{Cursor, ItemId, ItemKey};
use chartmesh_protocol::sync::bundle::{BundleId, Opening, PartHead, PartWriter, taken_key};
use chartmesh_protocol::sync::{Holdings, ItemKind};

use super::attach::key;
use super::export::Parts;
use super::told::{HAS, TOLD};
use crate::clinic::attachments::{key_of, lock, name_of};
use crate::clinic::{Clinic, ClinicError, Replica, items};
use crate::store::{Batch, Space};

const TAKEN: &[u8] = b"taken";
const SHORT: &[u8] = b"short";
const LACKS: &[u8] = b"lacks";

/// Keys of items that are kept together, or told in one go: 32 KB.
const KEYS_AT_ONCE: usize = 4096;

/// Pieces of an attachment that a node lacks.
pub(super) type Lacked = (Shape, Vec<u32>);

fn taken_prefix(node: &NodeId, bundle: &BundleId) -> Vec<u8> {
    [TAKEN, node.as_bytes(), bundle.as_bytes()].concat()
}

fn kind_byte(kind: ItemKind) -> u8 {
    match kind {
        ItemKind::Statement => 0,
        ItemKind::Record => 1,
    }
}

fn short_key(name: &AttachmentName) -> Vec<u8> {
    [SHORT, &key_of(name)].concat()
}

impl Clinic {
    /// Notes what was taken of a part, of a bundle that is not whole yet.
    pub(super) fn note_taken(
        &self,
        replica: &Replica,
        (head, opening): (&PartHead, &Opening),
        taken: &[(ItemKind, ItemId)],
    ) -> Result<(), ClinicError> {
        let key = taken_key(&replica.book.pair_key);
        let node = opening.certificate.payload().node;
        let part = [
            taken_prefix(&node, &head.bundle).as_slice(),
            &head.part.to_be_bytes(),
        ]
        .concat();
        let newest = opening.newest.value().to_be_bytes();
        let mut batch = Batch::new();
        for kind in [ItemKind::Statement, ItemKind::Record] {
            let of_kind = taken.iter().filter(|(one, _)| *one == kind);
            let ids: Vec<ItemId> = of_kind.map(|(_, id)| *id).collect();
            for (number, some) in (0_u32..).zip(ids.chunks(KEYS_AT_ONCE)) {
                let place = [&[kind_byte(kind)], number.to_be_bytes().as_slice()].concat();
                let keys = some.iter().map(|id| key.item_key(id).value().to_be_bytes());
                let value: Vec<u8> = newest.into_iter().chain(keys.flatten()).collect();
                batch.put(Space::Settings, [part.as_slice(), &place].concat(), value);
            }
        }
        self.commit_some(batch)
    }

    /// A bundle is whole: what was taken of it is followed.
    pub(super) fn forget_taken(&self, node: &NodeId, bundle: &BundleId) -> Result<(), ClinicError> {
        let mut batch = Batch::new();
        for key in self
            .store
            .keys(Space::Settings, &taken_prefix(node, bundle))
        {
            batch.delete(Space::Settings, key?);
        }
        self.commit_some(batch)
    }

    /// What was taken of a node's bundles and is to be told, of one kind.
    fn taken(
        &self,
        node: &NodeId,
        kind: ItemKind,
        cursor: Option<Cursor>,
    ) -> Result<Vec<ItemKey>, ClinicError> {
        let followed = cursor.map_or(0, |cursor| cursor.number.value());
        let prefix = [TAKEN, node.as_bytes().as_slice()].concat();
        // Behind the bundle and the part.
        let at_kind = prefix.len() + 16 + 4;
        let mut batch = Batch::new();
        let mut taken = Vec::new();
        for pair in self.store.scan_prefix(Space::Settings, &prefix) {
            let (key, value) = pair?;
            let Some((newest, keys)) = value.split_at_checked(8) else {
                continue;
            };
            if items::number(newest).is_some_and(|newest| newest <= followed) {
                batch.delete(Space::Settings, key);
            } else if key.get(at_kind) == Some(&kind_byte(kind)) {
                let keys = keys.chunks_exact(8).filter_map(items::number);
                taken.extend(keys.map(ItemKey::new));
            }
        }
        self.commit_some(batch)?;
        Ok(taken)
    }

    /// Notes which attachments records name that did not come along.
    pub(super) fn note_short(&self, short: &[(AttachmentName, Shape)]) -> Result<(), ClinicError> {
        let mut batch = Batch::new();
        for (name, shape) in short {
            let length = shape.length().to_be_bytes().to_vec();
            if self.store.get(Space::Settings, &short_key(name))?.as_ref() != Some(&length) {
                batch.put(Space::Settings, short_key(name), length);
            }
        }
        self.commit_some(batch)
    }

    /// What is not here whole of that which no stick brought, or which is wanted, with the pieces
    /// that are lacking.
    fn short(&self) -> Result<BTreeMap<AttachmentName, Lacked>, ClinicError> {
        let mut batch = Batch::new();
        let mut short: BTreeMap<AttachmentName, Shape> = {
            let wants = self.wants();
            let all = wants.all();
            all.filter_map(|(name, want)| Some((*name, want.shape()?)))
                .collect()
        };
        for pair in self.store.scan_prefix(Space::Settings, SHORT) {
            let (key, value) = pair?;
            let name = key.get(SHORT.len()..).and_then(name_of);
            let shape = items::number(&value).and_then(|length| Shape::new(length).ok());
            let Some((name, shape)) = name.zip(shape) else {
                continue;
            };
            if self.is_here(&name, shape)? {
                batch.delete(Space::Settings, key);
            } else {
                short.insert(name, shape);
            }
        }
        self.commit_some(batch)?;
        let mut lacking = BTreeMap::new();
        for (name, shape) in short {
            let blob = self.blob(&name, shape)?;
            let blob = lock(&blob);
            let pieces = (0..shape.pieces()).filter(|number| !blob.here().has(*number));
            lacking.insert(name, (shape, pieces.collect()));
        }
        Ok(lacking)
    }

    /// A node lacks these pieces of an attachment, by its word: what it said before of it is over.
    pub(super) fn has_heard_lacking(
        &self,
        node: &NodeId,
        name: &AttachmentName,
        (shape, pieces): &Lacked,
    ) -> Result<(), ClinicError> {
        let pieces = pieces.iter().flat_map(|piece| piece.to_be_bytes());
        let length = shape.length().to_be_bytes();
        let value: Vec<u8> = length.into_iter().chain(pieces).collect();
        let mut batch = Batch::new();
        batch
            .put(Space::Settings, key(LACKS, node, name), value)
            .delete(Space::Settings, key(HAS, node, name));
        self.store.commit(batch)?;
        self.are_lacking(node, &[*name])
    }

    /// What a node lacks, by its word.
    pub(super) fn lacked_by(
        &self,
        node: &NodeId,
    ) -> Result<BTreeMap<AttachmentName, Lacked>, ClinicError> {
        let prefix = [LACKS, node.as_bytes().as_slice()].concat();
        let mut lacked = BTreeMap::new();
        for pair in self.store.scan_prefix(Space::Settings, &prefix) {
            let (key, value) = pair?;
            let name = key.get(prefix.len()..).and_then(name_of);
            let Some((length, pieces)) = value.split_first_chunk::<8>() else {
                continue;
            };
            let shape = Shape::new(u64::from_be_bytes(*length)).ok();
            let (pieces, _) = pieces.as_chunks::<4>();
            let pieces = pieces.iter().map(|piece| u32::from_be_bytes(*piece));
            if let (Some(name), Some(shape)) = (name, shape) {
                let mut pieces: Vec<u32> = pieces.collect();
                pieces.sort_unstable();
                lacked.insert(name, (shape, pieces));
            }
        }
        Ok(lacked)
    }

    /// A node holds these: what it said to lack of them is over.
    pub(super) fn forget_lacked(
        &self,
        batch: &mut Batch,
        node: &NodeId,
        name: &AttachmentName,
    ) -> Result<(), ClinicError> {
        let key = key(LACKS, node, name);
        if self.store.get(Space::Settings, &key)?.is_some() {
            batch.delete(Space::Settings, key);
        }
        Ok(())
    }

    fn commit_some(&self, batch: Batch) -> Result<(), ClinicError> {
        if !batch.is_empty() {
            self.store.commit(batch)?;
        }
        Ok(())
    }
}

impl Parts<'_> {
    /// Tells what was taken of bundles that are not whole, and what is lacking of attachments that
    /// the recipient may know of.
    pub(super) fn add_rest(&mut self) -> Result<(), ClinicError> {
        for kind in [ItemKind::Statement, ItemKind::Record] {
            let cursor = self.replica.cursor();
            let taken = self.clinic.taken(&self.peer, kind, cursor)?;
            for some in taken.chunks(KEYS_AT_ONCE) {
                let cost = PartWriter::taken_cost(some.len());
                self.put_told(cost, |writer| writer.taken(kind, some))?;
            }
        }
        let mut batch = Batch::new();
        for (name, (shape, pieces)) in self.clinic.short()? {
            if pieces.is_empty() || !self.replica.may_have(&name) {
                continue;
            }
            let cost = PartWriter::lacking_cost(pieces.len());
            self.put_told(cost, |writer| writer.lacking(&name, shape, &pieces))?;
            // Once it is here, that is to be told again.
            batch.delete(Space::Settings, key(TOLD, &self.peer, &name));
        }
        self.clinic.commit_some(batch)
    }
}
