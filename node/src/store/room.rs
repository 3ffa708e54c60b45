//! Space on disk that only the database can take.
//!
//! sled writes some time after a commit is acknowledged, and is torn when it then finds the
//! disk full. So blocks behind the end of its file are allocated before a commit is accepted.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::limits::{ROOM_BYTES, SPACE_FACTOR};

/// The unit in which the kernel counts a file's blocks, in bytes (`stat(2)`).
const BLOCK_BYTES: u64 = 512;

/// The end of the database's file.
pub(super) struct Room {
    file: File,
}

impl Room {
    /// Of the file at `path`.
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: OpenOptions::new().write(true).open(path)?,
        })
    }

    /// Makes sure that what is now held back, and `bytes` of entries more, can be written.
    /// Does nothing on a file system that cannot allocate ahead.
    ///
    /// # Errors
    /// There is no space.
    pub(super) fn ensure(&self, bytes: u64) -> io::Result<()> {
        let needed = ROOM_BYTES.saturating_add(bytes.saturating_mul(SPACE_FACTOR));
        let metadata = self.file.metadata()?;
        let allocated = metadata.blocks().saturating_mul(BLOCK_BYTES);
        if allocated.saturating_sub(metadata.len()) >= needed {
            return Ok(());
        }
        let ahead = needed.saturating_add(ROOM_BYTES);
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, metadata.len(), ahead) {
            Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Makes the file durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}
