//! Attachments on disk: `blobs/` in the data folder, one file for each.
//!
//! ```text
//! file  = "CMBLOB" | version 1 u8 | 0 | content length u64 | id 32 | pieces, each at its place
//! name  = a keyed hash, in hex: it says nothing without the key of the store
//! ```
//!
//! The pieces are sealed, and named by the lists that lie before them (see
//! [`chartmesh_protocol::attachment`]): what is in a file is found by checking it. A piece that is
//! torn, altered or not there is not there; nothing else has to be kept to know that. So a file
//! grows in any order, is whole or not after any cut, and is never the store's concern: a scan of
//! 20 MB is not written into the journal.
//!
//! | file | what it is for |
//! |---|---|
//! | `blob` | one file: reading, writing, checking |
//! | `new_blob` | a file that is written whole before it has a name |
//! | `pieces` | which pieces there are |
//! | `health` | all of them, for `doctor` |

mod blob;
mod health;
mod new_blob;
mod pieces;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chartmesh_protocol::AttachmentId;
use chartmesh_protocol::attachment::{PieceError, Shape};
use lru::LruCache;
use rustix::fs::statvfs;
use thiserror::Error;

pub use blob::Blob;
pub use health::{BlobsChecked, BlobsHealth};
pub use new_blob::NewBlob;
pub use pieces::Pieces;

/// Files kept open, with what was found in them: those of some charts.
const OPEN_BLOBS: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// Space that attachments leave on the disk: for the store, which a record needs more.
const LEFT_FREE_BYTES: u64 = 32 * 1024 * 1024;
/// What the name of a file ends in while it is written.
const UNFINISHED: &str = ".new";
/// The unit in which the system counts a file's blocks (`stat(2)`).
const BLOCK_BYTES: u64 = 512;
/// Bytes of a name.
const NAME_BYTES: usize = 16;

/// The name of a file: a keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobName([u8; NAME_BYTES]);

impl BlobName {
    /// The name with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; NAME_BYTES]) -> Self {
        Self(bytes)
    }
}

/// Why an attachment cannot be kept or read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BlobError {
    /// There is no space for it.
    #[error("the disk is full: free some space, then try again")]
    Full,
    /// A file could not be read or written.
    #[error("blobs: {0}")]
    Io(io::Error),
    /// A piece is not what it should be.
    #[error(transparent)]
    Piece(#[from] PieceError),
}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        if matches!(error.kind(), StorageFull | QuotaExceeded) {
            Self::Full
        } else {
            Self::Io(error)
        }
    }
}

/// All attachments of a node.
pub struct Blobs {
    folder: PathBuf,
    open: Mutex<LruCache<BlobName, Arc<Mutex<Blob>>>>,
}

impl Blobs {
    /// The attachments in a folder, which is made if need be. What was not finished is removed.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn open(folder: &Path) -> io::Result<Self> {
        crate::folder::make_private(folder)?;
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(UNFINISHED) {
                fs::remove_file(path)?;
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            open: Mutex::new(LruCache::new(OPEN_BLOBS)),
        })
    }

    /// What is here of an attachment, perhaps nothing.
    ///
    /// # Errors
    /// [`BlobError::Io`] when its file cannot be read.
    pub fn blob(
        &self,
        name: &BlobName,
        id: AttachmentId,
        shape: Shape,
    ) -> Result<Arc<Mutex<Blob>>, BlobError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(blob) = open.get(name) {
            let same = {
                let blob = blob.lock().unwrap_or_else(PoisonError::into_inner);
                blob.is_of(&id, shape)
            };
            if same {
                return Ok(Arc::clone(blob));
            }
        }
        let blob = Arc::new(Mutex::new(Blob::open(self.path(name), id, shape)?));
        open.put(*name, Arc::clone(&blob));
        Ok(blob)
    }

    /// Whether there is a file of an attachment, with all of it or some.
    pub(crate) fn has_file(&self, name: &BlobName) -> bool {
        self.path(name).exists()
    }

    /// Whether the file of an attachment is as large as all of it, without holes: quickly, and
    /// without reading it. A piece of it may be damaged all the same.
    pub(crate) fn looks_whole(&self, name: &BlobName, shape: Shape) -> bool {
        let last = shape.pieces().saturating_sub(1);
        let end = shape.size_of(last).unwrap_or(0);
        let end = blob::offset(shape, last).saturating_add(u64::try_from(end).unwrap_or(u64::MAX));
        let file = fs::metadata(self.path(name));
        file.is_ok_and(|file| file.len() >= end && file.blocks().saturating_mul(BLOCK_BYTES) >= end)
    }

    /// Begins a file for a content of this shape that is all at hand.
    ///
    /// # Errors
    /// [`BlobError::Full`] when there is no space for it.
    pub fn begin(&self, shape: Shape) -> Result<NewBlob, BlobError> {
        self.has_room(shape.length())?;
        NewBlob::begin(&self.folder, shape)
    }

    /// Gives a finished file its name, durably; one that had the name is replaced.
    ///
    /// # Errors
    /// [`BlobError`] when the system refuses.
    pub fn keep(&self, blob: NewBlob, id: AttachmentId, name: &BlobName) -> Result<(), BlobError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        blob.finish(id, &self.path(name))?;
        open.pop(name);
        Ok(())
    }

    /// Whether so many bytes may be written: the store's last space is not for attachments.
    ///
    /// # Errors
    /// [`BlobError::Full`] when they may not.
    pub fn has_room(&self, bytes: u64) -> Result<(), BlobError> {
        let disk = statvfs(&self.folder).map_err(io::Error::from)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < bytes.saturating_add(LEFT_FREE_BYTES) {
            return Err(BlobError::Full);
        }
        Ok(())
    }

    /// Checks every file, as it lies on the disk; tells how many of how many.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn check(&self, progress: &mut dyn FnMut(u64, u64)) -> io::Result<BlobsChecked> {
        // What was found in them before is found anew.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.clear();
        drop(open);
        BlobsChecked::of(&self.folder, progress)
    }

    /// Lets go of what is damaged: of these attachments also where their files begin, of all others
    /// what their files say themselves. What is sound stays. Nothing may write meanwhile.
    ///
    /// # Errors
    /// [`BlobError`] when the system refuses.
    pub(crate) fn mend(
        &self,
        of: impl Iterator<Item = (BlobName, AttachmentId, Shape)>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(), BlobError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, id, shape) in of {
            health::mend_header(&self.path(&name), &id, shape)?;
        }
        health::clear_torn(&self.folder, progress)?;
        open.clear();
        Ok(())
    }

    fn path(&self, name: &BlobName) -> PathBuf {
        let hex = data_encoding::HEXLOWER.encode(&name.0);
        self.folder.join(hex)
    }
}
