//! Appending to the journal.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, DiskFile};
use super::error::is_full;
use super::limits::{LOW_WATER_BYTES, RESERVE_BYTES, SPACE_FACTOR};
use super::segment::{HEADER_BYTES, Header, Place};

/// Name of the file that keeps space for opening the store when the disk is full.
pub(super) const RESERVE_NAME: &str = "reserve";

/// The open end of the journal.
pub(super) struct Journal {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    header: Header,
    segment_bytes: u64,
    file: Box<dyn DiskFile>,
    /// Length of the open segment, in bytes. All of it is durable.
    len: u64,
    reserved: bool,
}

/// Why nothing was appended.
#[derive(Debug)]
pub(super) enum AppendError {
    /// There is no space. The journal is as it was.
    Full,
    /// The named step failed; what the end of the file is, is unknown.
    Failed(&'static str, io::ErrorKind),
}

impl AppendError {
    fn failed(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Failed(what, error.kind())
    }

    fn full_or_failed(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| {
            if is_full(&error) {
                Self::Full
            } else {
                Self::Failed(what, error.kind())
            }
        }
    }
}

/// The path of segment `number` in `folder`.
pub(super) fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.log"))
}

impl Journal {
    /// Starts segment `header.segment`, whose file does not exist yet.
    pub(super) fn start(
        disk: Arc<dyn Disk>,
        folder: &Path,
        header: Header,
        segment_bytes: u64,
    ) -> Result<Self, AppendError> {
        let file = new_segment(&*disk, folder, &header)?;
        let reserved = folder.join(RESERVE_NAME).exists();
        let folder = folder.to_path_buf();
        Ok(Self {
            disk,
            folder,
            header,
            segment_bytes,
            file,
            len: HEADER_BYTES as u64,
            reserved,
        })
    }

    /// Goes on behind the first `len` bytes of the segment of `header`; what follows is cut off.
    pub(super) fn go_on(
        disk: Arc<dyn Disk>,
        folder: &Path,
        header: Header,
        segment_bytes: u64,
        len: u64,
        torn: bool,
    ) -> Result<Self, AppendError> {
        let path = segment_path(folder, header.segment);
        let mut file = disk
            .append_to(&path)
            .map_err(AppendError::failed("opening the journal"))?;
        if torn {
            file.cut(len)
                .map_err(AppendError::failed("cutting the journal's torn tail"))?;
            file.sync()
                .map_err(AppendError::failed("syncing the journal"))?;
        }
        let reserved = folder.join(RESERVE_NAME).exists();
        let folder = folder.to_path_buf();
        Ok(Self {
            disk,
            folder,
            header,
            segment_bytes,
            file,
            len,
            reserved,
        })
    }

    /// Where the next entries go, of which the first is commit `next`: a new segment when the
    /// open one is long enough.
    pub(super) fn place(&mut self, next: u64) -> Result<Place, AppendError> {
        if self.len >= self.segment_bytes {
            let segment = self.header.segment.saturating_add(1);
            let header = Header {
                segment,
                first: next,
                ..self.header
            };
            self.file = new_segment(&*self.disk, &self.folder, &header)?;
            self.header = header;
            self.len = HEADER_BYTES as u64;
        }
        Ok(Place {
            store: self.header.store,
            segment: self.header.segment,
        })
    }

    /// Appends `entries` and makes them durable.
    pub(super) fn append(&mut self, entries: &[u8]) -> Result<(), AppendError> {
        let bytes = entries.len() as u64;
        if !self.has_space(bytes) {
            return Err(AppendError::Full);
        }
        if let Err(error) = self.file.append(entries) {
            return Err(self.undo(&error, "writing the journal"));
        }
        if let Err(error) = self.file.sync() {
            return Err(self.undo(&error, "syncing the journal"));
        }
        self.len = self.len.saturating_add(bytes);
        Ok(())
    }

    /// After a failed write: takes it back if the disk is just full. A sync that failed for
    /// another reason is never tried again: the kernel forgets which pages were not written.
    fn undo(&mut self, error: &io::Error, what: &'static str) -> AppendError {
        if !is_full(error) {
            return AppendError::Failed(what, error.kind());
        }
        match self.file.cut(self.len).and_then(|()| self.file.sync()) {
            Ok(()) => AppendError::Full,
            Err(error) => AppendError::Failed("cutting the journal on a full disk", error.kind()),
        }
    }

    /// Whether `bytes` more of entries leave enough space. An unknown amount counts as enough:
    /// the write itself will tell.
    pub(super) fn has_space(&self, bytes: u64) -> bool {
        let needed = LOW_WATER_BYTES.saturating_add(bytes.saturating_mul(SPACE_FACTOR));
        self.disk
            .free_bytes(&self.folder)
            .map_or(true, |free| free >= needed)
    }

    /// Whether there is space to write, and the reserve with it: call it to leave the state of
    /// a full disk.
    pub(super) fn reserve(&mut self) -> Result<(), AppendError> {
        // More than one commit needs, so that the state does not change to and fro.
        if !self.has_space(RESERVE_BYTES as u64) {
            return Err(AppendError::Full);
        }
        if self.reserved {
            return Ok(());
        }
        let path = self.folder.join(RESERVE_NAME);
        // Not zeros: a file system may keep those without taking space.
        let mut filler = vec![0; RESERVE_BYTES];
        blake3::Hasher::new().finalize_xof().fill(&mut filler);
        let written = self.disk.create(&path).and_then(|mut file| {
            file.append(&filler)?;
            file.sync()
        });
        if let Err(error) = written {
            // Left in part it would pass for the reserve at the next start.
            let removed = self.disk.remove(&path);
            removed.map_err(AppendError::failed("removing the reserve"))?;
            return Err(AppendError::full_or_failed("writing the reserve")(error));
        }
        self.reserved = true;
        Ok(())
    }
}

/// Makes the file of a new segment, durable with its name, or leaves nothing behind.
fn new_segment(
    disk: &dyn Disk,
    folder: &Path,
    header: &Header,
) -> Result<Box<dyn DiskFile>, AppendError> {
    let path = segment_path(folder, header.segment);
    let file = disk.create(&path);
    let mut file = file.map_err(AppendError::full_or_failed("making a journal segment"))?;
    let written = file
        .append(&header.encode())
        .and_then(|()| file.sync())
        .and_then(|()| disk.sync_folder(folder));
    if let Err(error) = written {
        let removed = disk.remove(&path);
        removed.map_err(AppendError::failed(
            "removing an unfinished journal segment",
        ))?;
        return Err(AppendError::full_or_failed("starting a journal segment")(
            error,
        ));
    }
    Ok(file)
}
