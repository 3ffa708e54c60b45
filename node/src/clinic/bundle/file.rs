//! Files that are there whole or not at all, on whatever a stick is formatted with.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What the name of a file ends in while it is written.
const UNFINISHED: &str = ".unfinished";

/// A file on its way to its name.
pub(super) struct NewFile {
    file: File,
    unfinished: PathBuf,
    path: PathBuf,
}

impl NewFile {
    /// Begins a file. One with this name must not exist.
    pub(super) fn begin(path: &Path) -> io::Result<Self> {
        if path.exists() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut name = path.as_os_str().to_owned();
        name.push(UNFINISHED);
        let unfinished = PathBuf::from(name);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&unfinished)?;
        Ok(Self {
            file,
            unfinished,
            path: path.to_owned(),
        })
    }

    /// Adds bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Gives the file its name once it is on the stick: people pull sticks out.
    pub(super) fn finish(self) -> io::Result<PathBuf> {
        self.file.sync_all()?;
        std::fs::rename(&self.unfinished, &self.path)?;
        // Not every file system that a stick has can sync a folder.
        if let Some(folder) = self.path.parent()
            && let Ok(folder) = File::open(folder)
        {
            let _ = folder.sync_all();
        }
        Ok(self.path.clone())
    }
}

impl Drop for NewFile {
    /// What was not finished is of no use to anyone.
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.unfinished);
    }
}
