//! Changes that wait for changes that they depend on.

use std::collections::{BTreeMap, BTreeSet};

use super::check::Checked;
use crate::limits::{MAX_PENDING_BYTES, MAX_PENDING_CHANGES};
use crate::stamp::ChangeHash;

/// Waiting changes by hash, bounded in number and size.
#[derive(Clone, Default)]
pub(crate) struct Pending {
    changes: BTreeMap<ChangeHash, Checked>,
    /// For each change, applied or not, those that wait and depend on it.
    dependents: BTreeMap<ChangeHash, BTreeSet<ChangeHash>>,
    bytes: usize,
}

impl Pending {
    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }

    pub(crate) fn contains(&self, hash: ChangeHash) -> bool {
        self.changes.contains_key(&hash)
    }

    /// The encoded changes, in the order of their hashes.
    pub(crate) fn encoded(&self) -> impl Iterator<Item = &[u8]> {
        self.changes
            .values()
            .map(|checked| checked.change.raw_bytes())
    }

    pub(crate) fn deps(&self, hash: ChangeHash) -> Option<&[automerge::ChangeHash]> {
        self.changes.get(&hash).map(|checked| checked.change.deps())
    }

    /// What waits and depends on a change.
    pub(crate) fn dependents(&self, hash: ChangeHash) -> impl Iterator<Item = ChangeHash> + '_ {
        self.dependents.get(&hash).into_iter().flatten().copied()
    }

    /// Adds a change.
    pub(crate) fn add(&mut self, checked: Checked) {
        let hash = ChangeHash::from(checked.change.hash());
        let size = checked.change.raw_bytes().len();
        for dep in checked.change.deps() {
            self.dependents
                .entry((*dep).into())
                .or_default()
                .insert(hash);
        }
        if self.changes.insert(hash, checked).is_none() {
            self.bytes = self.bytes.saturating_add(size);
        }
    }

    /// Takes a change out.
    pub(crate) fn take(&mut self, hash: ChangeHash) -> Option<Checked> {
        let checked = self.changes.remove(&hash)?;
        self.bytes = self.bytes.saturating_sub(checked.change.raw_bytes().len());
        for dep in checked.change.deps().iter().copied().map(ChangeHash::from) {
            if let Some(waiting) = self.dependents.get_mut(&dep) {
                waiting.remove(&hash);
                if waiting.is_empty() {
                    self.dependents.remove(&dep);
                }
            }
        }
        Some(checked)
    }

    /// Whether more waits than may.
    pub(crate) fn is_too_much(&self) -> bool {
        self.len() > MAX_PENDING_CHANGES || self.bytes > MAX_PENDING_BYTES
    }

    /// What the waiting changes depend on, and that is not among them.
    pub(crate) fn wanted(&self) -> BTreeSet<ChangeHash> {
        let deps = self.changes.values().flat_map(|c| c.change.deps()).copied();
        deps.map(ChangeHash::from)
            .filter(|hash| !self.contains(*hash))
            .collect()
    }
}
