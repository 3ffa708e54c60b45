//! Saves that travel: the changes of many records in one, far smaller than the records.
//!
//! A save of another node is not believed. It is bounded first, then taken apart into its
//! changes, and each of these is checked as if it had come by itself.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{Automerge, Change, ReadDoc};

use super::apply::Applied;
use super::check::{ChangeFacts, Checked};
use super::refusal::{ApplyError, ChangeError};
use super::{Document, first};
use crate::limits::{MAX_SAVED_BYTES, MAX_SAVED_CHANGES, MAX_SAVED_OPS};
use crate::saved_frame::is_bounded_save;
use crate::stamp::ChangeHash;

/// Why a save of another node is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SavedError {
    /// Longer than [`MAX_SAVED_BYTES`].
    #[error("a save has at most {MAX_SAVED_BYTES} bytes")]
    TooLarge,
    /// Not one saved document, or one with compressed columns or absurd counts: more than
    /// [`MAX_SAVED_CHANGES`] changes or [`MAX_SAVED_OPS`] operations.
    #[error("not a save")]
    Malformed,
    /// Its changes do not add up to the heads that it names, or it was damaged.
    #[error("the save is damaged, or names heads that it does not have")]
    Damaged,
    /// It holds a change that no document takes.
    #[error("the save holds a change that is refused: {0}")]
    Change(#[from] ChangeError),
}

/// The changes of a save of another node, each sound by itself, and none of them applied yet.
pub struct SavedChanges {
    changes: Vec<Checked>,
    facts: Vec<ChangeFacts>,
}

impl SavedChanges {
    /// Takes apart what [`Document::save_plain`] made at another node.
    ///
    /// # Errors
    /// [`SavedError`] when it is no such save, or holds a change that no document would take.
    pub fn read(bytes: &[u8]) -> Result<Self, SavedError> {
        if bytes.len() > MAX_SAVED_BYTES {
            return Err(SavedError::TooLarge);
        }
        if !is_bounded_save(bytes) {
            return Err(SavedError::Malformed);
        }
        // Automerge's reader has panicked on damaged bytes before. It has no state of ours.
        let read = catch_unwind(AssertUnwindSafe(|| {
            Automerge::load(bytes).map(|doc| doc.get_changes(&[]))
        }));
        let all = read
            .map_err(|_| SavedError::Damaged)?
            .map_err(|_| SavedError::Damaged)?;
        let (mut changes, mut facts) = (Vec::new(), Vec::new());
        for change in all.iter().filter(|change| !first::is(change)) {
            let checked = Checked::read(change.raw_bytes())?;
            facts.push(checked.facts()?);
            changes.push(checked);
        }
        facts.sort_by_key(|one| (one.author.actor, one.seq));
        Ok(Self { changes, facts })
    }

    /// What each change says of itself, by writer and number.
    pub fn facts(&self) -> &[ChangeFacts] {
        &self.facts
    }
}

impl Document {
    /// Takes the changes of a save as [`apply`](Self::apply) takes changes. Whether their writers
    /// may write is for the caller to check, by [`SavedChanges::facts`].
    ///
    /// # Errors
    /// [`ApplyError::TooManyPending`] when too many of them would wait for others.
    pub fn apply_saved(&mut self, saved: SavedChanges) -> Result<Applied, ApplyError> {
        self.admit(saved.changes)
    }

    /// A save of these changes alone, for [`SavedChanges::read`]: the same changes give the same
    /// bytes at every node. Columns are not compressed: whoever seals it compresses. `None` when
    /// one of the changes, or one that they depend on, is not in the document or not among them,
    /// or when the save would be larger than a node takes.
    pub fn save_plain(&self, changes: &BTreeSet<ChangeHash>) -> Option<Vec<u8>> {
        let mut wanted: Vec<Change> = self
            .doc
            .get_changes(&[])
            .into_iter()
            .filter(|change| first::is(change) || changes.contains(&change.hash().into()))
            .collect();
        if wanted.len() != changes.len().checked_add(1)? || changes.len() > MAX_SAVED_CHANGES {
            return None;
        }
        let operations = wanted.iter().map(Change::len);
        if operations.fold(0, usize::saturating_add) > MAX_SAVED_OPS {
            return None;
        }
        // A change counts its operations on from all that it depends on: causes stay first.
        wanted.sort_by_key(|change| (change.start_op(), change.hash()));
        let mut sorted = Automerge::new();
        sorted.apply_changes(wanted).ok()?;
        let whole = sorted.get_missing_deps(&[]).is_empty();
        let save = sorted.save_nocompress();
        (whole && save.len() <= MAX_SAVED_BYTES && is_bounded_save(&save)).then_some(save)
    }
}
