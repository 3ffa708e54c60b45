//! Loading saved documents.

use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{Automerge, ROOT, ReadDoc};

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
}

impl Document {
    /// Loads what [`save`](Self::save) gave, to go on as `actor`.
    ///
    /// The bytes must come from this node's own store: the changes in them were checked when
    /// they were applied, and are not checked again. For bytes of a peer there is
    /// [`SavedChanges`](crate::SavedChanges).
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
}
