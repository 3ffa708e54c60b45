//! Loading saved documents.

use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{Automerge, ROOT, ReadDoc};

use super::check::Checked;
use super::refusal::{ApplyError, ChangeError, Refusal};
use super::{Document, RESOURCES, first};
use crate::limits::MAX_DOCUMENT_BYTES;
use crate::stamp::ActorId;

/// Why a saved document cannot be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Longer than [`MAX_DOCUMENT_BYTES`].
    #[error("a saved document has at most {MAX_DOCUMENT_BYTES} bytes")]
    TooLarge,
    /// The bytes are not a saved document, or were damaged.
    #[error("the saved document is damaged")]
    Damaged,
    /// An Automerge document, but not one that starts from the first change of a chart.
    #[error("the saved document is not a chart")]
    NotAChart,
    /// It holds changes without the changes that they depend on.
    #[error("the saved document lacks changes")]
    Incomplete,
    /// It holds a change that no document takes.
    #[error("the saved document holds a change that is refused: {0}")]
    Change(ChangeError),
    /// It holds a change that contradicts its past.
    #[error("the saved document holds a change that is refused: {0}")]
    Refused(Refusal),
}

impl Document {
    /// Loads what [`save`](Self::save) gave, to go on as `actor`.
    ///
    /// The bytes must come from this node's own store: the changes in them were checked when
    /// they were applied, and are not checked again. For bytes of a peer there is
    /// [`load_checked`](Self::load_checked).
    ///
    /// # Errors
    /// [`LoadError`]. Damage is found by the hashes that the bytes hold.
    pub fn load(bytes: &[u8], actor: ActorId) -> Result<Self, LoadError> {
        if bytes.len() > MAX_DOCUMENT_BYTES {
            return Err(LoadError::TooLarge);
        }
        // Automerge's reader has panicked on damaged bytes before. It has no state of ours.
        let read = catch_unwind(AssertUnwindSafe(|| Automerge::load(bytes)));
        let doc = read
            .map_err(|_| LoadError::Damaged)?
            .map_err(|_| LoadError::Damaged)?;
        if !doc.get_missing_deps(&[]).is_empty() {
            return Err(LoadError::Incomplete);
        }
        let resources = first::resources();
        match doc.get_all(ROOT, RESOURCES).as_deref() {
            Ok([(value, id)]) if value.is_object() && *id == resources => {}
            _ => return Err(LoadError::NotAChart),
        }
        Ok(Self::of(doc, resources, actor))
    }

    /// Loads what another node saved, and checks every change in it as [`apply`](Self::apply)
    /// does, whoever wrote it: that each author may write is for the caller to check, with
    /// [`history`](Self::history).
    ///
    /// Compressed bytes can stand for much more than their length. So take them only from who
    /// is granted to write this compartment.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load_checked(bytes: &[u8], actor: ActorId) -> Result<Self, LoadError> {
        let loaded = Self::load(bytes, actor)?;
        let changes = catch_unwind(AssertUnwindSafe(|| loaded.doc.get_changes(&[])));
        let mut document = Self::new(actor);
        let known = document.heads();
        let mut checked = Vec::new();
        for change in changes.map_err(|_| LoadError::Damaged)? {
            if !known.contains(&change.hash().into()) {
                checked.push(Checked::read(change.raw_bytes()).map_err(LoadError::Change)?);
            }
        }
        let report = document.admit(checked).map_err(|error| match error {
            ApplyError::Change { error, .. } => LoadError::Change(error),
            ApplyError::TooManyPending => LoadError::Incomplete,
        })?;
        match report.refused.first() {
            Some(refused) => Err(LoadError::Refused(refused.reason)),
            None if document.pending.len() > 0 => Err(LoadError::Incomplete),
            None => Ok(document),
        }
    }
}
