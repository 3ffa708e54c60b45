//! Keeping pieces that came, whoever brought them.

use std::collections::BTreeMap;

use chartmesh_protocol::attachment::{AttachmentName, PieceError, Shape};

use super::lock;
use crate::blobs::BlobError;
use crate::clinic::Clinic;

/// What became of pieces of one attachment.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// The content's shape, where all of the attachment is here now.
    pub(crate) whole: Option<Shape>,
    /// The pieces that were not kept, by their numbers.
    pub(crate) refused: BTreeMap<u32, PieceError>,
}

impl Clinic {
    /// Verifies pieces of an attachment that is wanted and keeps them: when this returns, those
    /// that are not refused are durable. Nothing is kept of one that is not wanted any more.
    ///
    /// # Errors
    /// [`BlobError::Full`] on a full disk: what was to be kept is to be fetched again.
    pub(crate) fn keep_wanted(
        &self,
        name: &AttachmentName,
        pieces: &[(u32, &[u8])],
    ) -> Result<Kept, BlobError> {
        let mut kept = Kept::default();
        let shape = self.wants().get(name).and_then(|want| want.shape());
        let Some(shape) = shape else {
            // It came whole by another way meanwhile.
            return Ok(kept);
        };
        let blob = self.blobs.blob(&self.blob_name(name), name.id, shape)?;
        let mut blob = lock(&blob);
        for (number, bytes) in pieces {
            match blob.write(*number, bytes) {
                Ok(()) => {}
                Err(BlobError::Piece(error)) => {
                    kept.refused.insert(*number, error);
                }
                Err(error @ (BlobError::Full | BlobError::Io(_))) => return Err(error),
            }
        }
        blob.sync()?;
        kept.whole = blob.is_whole().then_some(shape);
        Ok(kept)
    }

    /// Whether attachments may be fetched now, so many bytes of them: there is space, and the disk
    /// was not found full a moment ago.
    pub(crate) fn may_fetch_attachments(&self, bytes: u64) -> bool {
        !self.wants().is_paused(self.now_ms()) && self.blobs.has_room(bytes).is_ok()
    }

    /// The disk is full: attachments are let go of for a while, since records have to go on.
    pub(crate) fn let_attachments_wait(&self) {
        tracing::warn!("the disk is full: attachments are fetched when there is space");
        self.wants().pause(self.now_ms());
    }
}
