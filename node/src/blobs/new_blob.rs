//! A file that is written whole before it has a name.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use chartmesh_protocol::AttachmentId;
use chartmesh_protocol::attachment::Shape;

use super::blob::{header, offset};
use super::{BlobError, UNFINISHED};

/// Several imports may write at once.
static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A file on its way to its name. When it is dropped before, it goes.
pub struct NewBlob {
    file: File,
    path: PathBuf,
    shape: Shape,
}

impl NewBlob {
    pub(super) fn begin(folder: &Path, shape: Shape) -> Result<Self, BlobError> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{number}{UNFINISHED}"));
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(true);
        let file = options.mode(0o600).open(&path)?;
        Ok(Self { file, path, shape })
    }

    /// Writes a piece that was made here.
    ///
    /// # Errors
    /// [`BlobError::Full`] on a full disk.
    pub fn write(&mut self, number: u32, bytes: &[u8]) -> Result<(), BlobError> {
        let offset = offset(self.shape, number);
        Ok(self.file.write_all_at(bytes, offset)?)
    }

    pub(super) fn finish(self, id: AttachmentId, path: &Path) -> Result<(), BlobError> {
        self.file.write_all_at(&header(&id, self.shape), 0)?;
        self.file.sync_all()?;
        fs::rename(&self.path, path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

impl Drop for NewBlob {
    /// One that has its name is not there under this one any more.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
