//! The data folder: where its parts are, who holds it, and how the last run ended.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::disk::make_folder;
use super::error::OpenError;

const LOCK_NAME: &str = "lock";
const RUNNING_NAME: &str = "running";
/// Linux tells one start of the machine from another here.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Length of its text, in bytes: a UUID.
const BOOT_ID_BYTES: usize = 36;

/// What stands in the mark: the boot id of the run, or one of these.
type Mark = [u8; BOOT_ID_BYTES];
const ENDED: Mark = *b"ended-------------------------------";
const UNKNOWN: Mark = *b"running-----------------------------";

/// A data folder that this process holds until it drops this.
pub(super) struct Folder {
    path: PathBuf,
    /// The lock is on this open file; the kernel lets go of it even when the process is killed.
    _lock: File,
}

/// How the last run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastRun {
    /// In order, or there was none.
    Ended,
    /// The process was killed: what it wrote is there, since the machine ran on.
    Killed,
    /// The machine stopped, or may have: what was not synced may be missing.
    PowerCut,
}

impl Folder {
    /// Makes the folder if need be, and takes hold of it.
    pub(super) fn hold(path: &Path) -> Result<Self, OpenError> {
        make_folder(path).map_err(OpenError::io("making", path))?;
        let name = path.join(LOCK_NAME);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&name);
        let file = file.map_err(OpenError::io("opening", &*name))?;
        match file.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_path_buf(),
                _lock: file,
            }),
            Err(TryLockError::WouldBlock) => Err(OpenError::Locked),
            Err(TryLockError::Error(error)) => Err(OpenError::io("locking", name)(error)),
        }
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path.join("db")
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }

    /// A journal that a repair is writing.
    pub(super) fn journal_in_making(&self) -> PathBuf {
        self.path.join("journal.new")
    }

    /// A journal that a repair has finished and not yet put in place.
    pub(super) fn journal_ready(&self) -> PathBuf {
        self.path.join("journal.ready")
    }

    /// A journal that is to replace a larger one, finished and not yet put in place.
    pub(super) fn journal_shrunk(&self) -> PathBuf {
        self.path.join("journal.shrunk")
    }

    pub(super) fn last_run(&self) -> LastRun {
        match fs::read(self.path.join(RUNNING_NAME)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => LastRun::Ended,
            Ok(mark) if mark == ENDED => LastRun::Ended,
            Ok(mark) if boot_id().is_some_and(|boot| mark == boot) => LastRun::Killed,
            Ok(_) | Err(_) => LastRun::PowerCut,
        }
    }

    /// Notes that a run has begun, durably.
    pub(super) fn begin_run(&self) -> Result<(), OpenError> {
        let mark = boot_id().unwrap_or(UNKNOWN);
        self.mark(&mark)
            .map_err(OpenError::io("writing", self.path.join(RUNNING_NAME)))
    }

    /// Notes that the run has ended and all of it is synced.
    pub(super) fn end_run(&self) -> io::Result<()> {
        self.mark(&ENDED)
    }

    /// Writes over the mark in place: that works on a full disk too.
    fn mark(&self, mark: &Mark) -> io::Result<()> {
        let path = self.path.join(RUNNING_NAME);
        let is_new = !path.exists();
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        file.write_all(mark)?;
        file.set_len(mark.len() as u64)?;
        file.sync_all()?;
        if is_new {
            File::open(&self.path)?.sync_all()?;
        }
        Ok(())
    }

    /// Moves `path` to a free name next to it, and returns that.
    pub(super) fn move_aside(&self, path: &Path) -> Result<PathBuf, OpenError> {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let mut free = (1..).map(|number: u32| self.path.join(format!("{name}.damaged-{number}")));
        let aside = free.find(|aside| !aside.exists()).unwrap_or_default();
        self.rename(path, &aside)?;
        Ok(aside)
    }

    /// Renames within the folder, durably.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<(), OpenError> {
        fs::rename(from, to)
            .and_then(|()| File::open(&self.path)?.sync_all())
            .map_err(OpenError::io("renaming", from))
    }
}

fn boot_id() -> Option<Mark> {
    fs::read(BOOT_ID)
        .ok()?
        .get(..BOOT_ID_BYTES)?
        .try_into()
        .ok()
}
