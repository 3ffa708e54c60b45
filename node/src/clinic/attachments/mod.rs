//! Attachments: large content of documents, beside the records.
//!
//! A resource in a record has a mark where its content stood; the content lies in
//! [`Blobs`](crate::blobs::Blobs), under a name that is a keyed hash of chart, compartment and id.
//! What lies under that name belongs to that compartment: it was put there when this node saved a
//! resource of it, or fetched for a mark that stands in one.
//!
//! | file | what it is for |
//! |---|---|
//! | `take_out` | saving: content leaves the text, before the record is made |
//! | `put_back` | exporting: content comes back, or is said not to be here |
//! | `saved` | what was saved here, and who holds it |
//! | `lacking` | who has said that they lack one |
//! | `wants` | what is not here and wanted, by the configuration or by a person |
//! | `look` | looking through a chart of which something came |
//! | `list`, `awaited` | a chart's attachments, and what is waited for, for people |
//! | `givers` | who could bring content that is not here |
//! | `keep` | keeping pieces that came |
//! | `come` | what came whole of others |
//! | `own_nodes` | what the nodes of one clinic fetch from each other |
//! | `lost` | what was here whole and is not any more |
//! | `exchange` | what to ask a peer for, and what it may have |

mod awaited;
mod come;
mod exchange;
mod givers;
mod keep;
mod lacking;
mod list;
mod look;
mod lost;
mod own_nodes;
mod put_back;
mod saved;
mod take_out;
mod wants;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chartmesh_crdt::MARK;
use chartmesh_protocol::attachment::{
    AttachmentName, ChunkError, Mark, MarkError, Piece, Shape, ShapeError, open_chunk,
};

use super::{Clinic, ClinicError};
use crate::blobs::{Blob, BlobError, BlobName};
use crate::store::StoreError;

pub use awaited::{Awaited, NotHad};
pub(crate) use exchange::PeerPieces;
pub use exchange::PieceDelivery;
pub use givers::Absent;
pub use list::{AttachmentLine, AttachmentState};
pub use lost::{Lost, Mended};
pub(crate) use put_back::shown;
pub use put_back::{AbsentAttachment, Exported};
pub(crate) use saved::{Saved, note_saved};
pub(crate) use take_out::Known;
pub(crate) use wants::{Wants, found_in, key_of, name_of};

/// Content above this many bytes lies outside the record: what a cut link may cost.
const INSIDE_BYTES: usize = 16 * 1024;

impl From<BlobError> for ClinicError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Full => StoreError::Full.into(),
            BlobError::Io(_) | BlobError::Piece(_) => Self::Folder {
                reason: error.to_string(),
            },
        }
    }
}

impl From<ShapeError> for ClinicError {
    fn from(error: ShapeError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<ChunkError> for ClinicError {
    fn from(error: ChunkError) -> Self {
        Self::fault(error)
    }
}

/// Reads a mark as it stands in a resource.
pub(crate) fn read_mark(literal: &str) -> Result<Mark, MarkError> {
    let text = literal.strip_prefix(MARK).ok_or(MarkError::Text)?;
    Mark::from_text(text)
}

/// A mark as it stands in a resource.
pub(crate) fn mark_text(mark: &Mark) -> String {
    format!("{MARK}{}", mark.to_text())
}

impl Clinic {
    /// What is here of an attachment.
    pub(crate) fn blob(
        &self,
        name: &AttachmentName,
        shape: Shape,
    ) -> Result<Arc<Mutex<Blob>>, ClinicError> {
        Ok(self.blobs.blob(&self.blob_name(name), name.id, shape)?)
    }

    fn blob_name(&self, name: &AttachmentName) -> BlobName {
        let text = [
            b"attachment".as_slice(),
            name.place.chart.as_bytes(),
            name.place.compartment.as_bytes(),
            name.id.as_bytes(),
        ]
        .concat();
        BlobName::new(self.store.token(&text))
    }

    /// The content that a mark stands for; none where it is not here whole, or where the mark is
    /// not true: whoever wrote it knows a key that opens nothing.
    pub(crate) fn content(
        &self,
        name: &AttachmentName,
        mark: &Mark,
    ) -> Result<Option<Vec<u8>>, ClinicError> {
        let blob = self.blob(name, mark.shape)?;
        let mut blob = lock(&blob);
        if !blob.is_whole() {
            return Ok(None);
        }
        let mut content = Vec::with_capacity(usize::try_from(mark.shape.length()).unwrap_or(0));
        for number in mark.shape.first_chunk()..mark.shape.pieces() {
            let Some(Piece::Chunk(chunk)) = mark.shape.piece(number) else {
                continue;
            };
            let Some(sealed) = blob.read(number)? else {
                return Ok(None);
            };
            match open_chunk(&mark.key, &name.place, chunk, &sealed) {
                Ok(plain) => content.extend_from_slice(&plain),
                Err(error) => {
                    tracing::warn!(%error, "an attachment does not open");
                    return Ok(None);
                }
            }
        }
        let is_true = *blake3::hash(&content).as_bytes() == mark.digest;
        Ok(is_true.then_some(content))
    }
}

/// A panic while a blob was held leaves it as its file is: what is here was checked.
pub(crate) fn lock(blob: &Mutex<Blob>) -> MutexGuard<'_, Blob> {
    blob.lock().unwrap_or_else(PoisonError::into_inner)
}
