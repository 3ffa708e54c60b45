//! Which nodes have said that they lack an attachment.
//!
//! ```text
//! Settings  "attachment lacking/" node 32 | chart 16 | compartment 8 | id 32  -> milliseconds
//! ```
//!
//! A node that was asked whether it holds what was saved here, or for a piece of what is wanted
//! here, and does not have it, is not said to be who could bring it. Only what is not here is
//! written down: of the rest it is enough to know when to ask again.

use std::collections::BTreeMap;

use chartmesh_protocol::NodeId;
use chartmesh_protocol::attachment::{AttachmentName, Shape};

use super::wants::{key_of, name_of};
use crate::clinic::{Clinic, ClinicError, items};
use crate::store::{Batch, Space, Store};

const LACKING: &[u8] = b"attachment lacking/";

/// When a node last said that it lacks an attachment, in milliseconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Lacking(BTreeMap<AttachmentName, BTreeMap<NodeId, u64>>);

impl Lacking {
    /// What was known when the store was last open.
    pub(super) fn read(store: &Store) -> Result<Self, ClinicError> {
        let mut lacking = Self::default();
        for pair in store.scan_prefix(Space::Settings, LACKING) {
            let (key, value) = pair?;
            let rest = key.get(LACKING.len()..).unwrap_or_default();
            if let Some((node, name)) = rest.split_first_chunk()
                && let (Some(name), Some(at_ms)) = (name_of(name), items::number(&value))
            {
                lacking.insert(NodeId::new(*node), name, at_ms);
            }
        }
        Ok(lacking)
    }

    fn insert(&mut self, node: NodeId, name: AttachmentName, at_ms: u64) {
        self.0.entry(name).or_default().insert(node, at_ms);
    }

    fn remove(&mut self, node: &NodeId, name: &AttachmentName) -> bool {
        let Some(nodes) = self.0.get_mut(name) else {
            return false;
        };
        let was_there = nodes.remove(node).is_some();
        if nodes.is_empty() {
            self.0.remove(name);
        }
        was_there
    }

    /// When a node last said so; none when it holds it, as far as is known.
    pub(super) fn since(&self, node: &NodeId, name: &AttachmentName) -> Option<u64> {
        self.0.get(name)?.get(node).copied()
    }

    /// What a node lacks.
    pub(super) fn of(&self, node: &NodeId) -> Vec<AttachmentName> {
        let by = self.0.iter().filter(|(_, nodes)| nodes.contains_key(node));
        by.map(|(name, _)| *name).collect()
    }
}

fn key(node: &NodeId, name: &AttachmentName) -> Vec<u8> {
    [LACKING, node.as_bytes(), &key_of(name)].concat()
}

impl Clinic {
    /// A node has said that it lacks these, whatever it said before.
    pub(crate) fn are_lacking(
        &self,
        node: &NodeId,
        names: &[AttachmentName],
    ) -> Result<(), ClinicError> {
        let at_ms = self.now_ms();
        let mut batch = Batch::new();
        for name in names.iter().filter(|name| !self.has_file(name)) {
            let at = at_ms.to_be_bytes().to_vec();
            batch.put(Space::Settings, key(node, name), at);
        }
        {
            let mut saved = self.attachments_saved();
            for name in names {
                saved.lacking.insert(*node, *name, at_ms);
                saved.does_not_hold(&mut batch, node, name);
            }
        }
        if !batch.is_empty() {
            self.store.commit(batch)?;
        }
        Ok(())
    }

    /// A node holds these, or is asked anew.
    pub(super) fn not_lacking(
        &self,
        node: &NodeId,
        names: &[AttachmentName],
    ) -> Result<(), ClinicError> {
        let mut batch = Batch::new();
        {
            let mut saved = self.attachments_saved();
            for name in names {
                if saved.lacking.remove(node, name) {
                    batch.delete(Space::Settings, key(node, name));
                }
            }
        }
        if !batch.is_empty() {
            self.store.commit(batch)?;
        }
        Ok(())
    }

    /// Whether all of an attachment seems to be here: its file is as large.
    pub(super) fn seems_here(&self, name: &AttachmentName, shape: Shape) -> bool {
        self.blobs.looks_whole(&self.blob_name(name), shape)
    }

    /// Whether anything of an attachment is here.
    pub(crate) fn has_file(&self, name: &AttachmentName) -> bool {
        self.blobs.has_file(&self.blob_name(name))
    }
}
