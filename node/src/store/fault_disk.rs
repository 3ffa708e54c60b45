//! A disk that fails on demand, for tests: it counts and holds syncs, runs out of space at a
//! byte, and knows what a power cut would leave.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};

use super::disk::{Disk, DiskFile, RealDisk};

/// Files are real; what happens to them is told and bent here.
#[derive(Clone, Default)]
pub(super) struct FaultDisk {
    shared: Arc<(Mutex<Faults>, Condvar)>,
}

#[derive(Default)]
struct Faults {
    files: BTreeMap<PathBuf, Lengths>,
    syncs: u64,
    /// Syncs wait while this is set.
    held: bool,
    waiting: u64,
    /// Bytes that still fit, if that is bounded.
    space: Option<u64>,
    /// Whether `free_bytes` tells of the bound.
    tells_space: bool,
    write_error: Option<io::ErrorKind>,
    sync_error: Option<io::ErrorKind>,
}

/// Of a file: how long it is, and how much of it a power cut leaves for sure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lengths {
    pub(super) written: u64,
    pub(super) synced: u64,
}

impl FaultDisk {
    fn change<T>(&self, change: impl FnOnce(&mut Faults) -> T) -> T {
        let changed = change(&mut self.shared.0.lock().unwrap());
        self.shared.1.notify_all();
        changed
    }

    pub(super) fn syncs(&self) -> u64 {
        self.change(|faults| faults.syncs)
    }

    /// The files that have been written to.
    pub(super) fn files(&self) -> BTreeMap<PathBuf, Lengths> {
        self.change(|faults| faults.files.clone())
    }

    /// Lets no sync end until [`release`](Self::release).
    pub(super) fn hold(&self) {
        self.change(|faults| faults.held = true);
    }

    pub(super) fn release(&self) {
        self.change(|faults| faults.held = false);
    }

    /// Waits until a sync is being held.
    pub(super) fn wait_for_held_sync(&self) {
        let mut faults = self.shared.0.lock().unwrap();
        while faults.waiting == 0 {
            faults = self.shared.1.wait(faults).unwrap();
        }
    }

    /// Leaves `space` bytes, and says so.
    pub(super) fn limit_space(&self, space: u64) {
        self.change(|faults| (faults.space, faults.tells_space) = (Some(space), true));
    }

    /// Leaves `space` bytes, and does not say so, as when another program fills the disk.
    pub(super) fn limit_space_silently(&self, space: u64) {
        self.change(|faults| (faults.space, faults.tells_space) = (Some(space), false));
    }

    pub(super) fn unlimit_space(&self) {
        self.change(|faults| faults.space = None);
    }

    pub(super) fn fail_writes(&self, error: Option<io::ErrorKind>) {
        self.change(|faults| faults.write_error = error);
    }

    pub(super) fn fail_syncs(&self, error: Option<io::ErrorKind>) {
        self.change(|faults| faults.sync_error = error);
    }
}

struct FaultFile {
    disk: FaultDisk,
    path: PathBuf,
    file: Box<dyn DiskFile>,
}

impl Disk for FaultDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = RealDisk.create(path)?;
        self.change(|faults| faults.files.insert(path.to_path_buf(), Lengths::default()));
        Ok(Box::new(FaultFile {
            disk: self.clone(),
            path: path.to_path_buf(),
            file,
        }))
    }

    fn append_to(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = RealDisk.append_to(path)?;
        let written = std::fs::metadata(path)?.len();
        let lengths = Lengths {
            written,
            synced: written,
        };
        self.change(|faults| faults.files.insert(path.to_path_buf(), lengths));
        Ok(Box::new(FaultFile {
            disk: self.clone(),
            path: path.to_path_buf(),
            file,
        }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let freed = std::fs::metadata(path)?.len();
        RealDisk.remove(path)?;
        self.change(|faults| {
            faults.files.remove(path);
            if let Some(space) = &mut faults.space {
                *space += freed;
            }
        });
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        RealDisk.sync_folder(path)
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(self.change(|faults| match faults.space {
            Some(space) if faults.tells_space => space,
            _ => u64::MAX,
        }))
    }
}

impl DiskFile for FaultFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (fits, error) = self.disk.change(|faults| {
            let length = bytes.len() as u64;
            if let Some(kind) = faults.write_error {
                return (length / 2, Some(kind));
            }
            match &mut faults.space {
                Some(space) if *space < length => {
                    let fits = std::mem::take(space);
                    (fits, Some(io::ErrorKind::StorageFull))
                }
                Some(space) => {
                    *space -= length;
                    (length, None)
                }
                None => (length, None),
            }
        });
        self.file.append(&bytes[..usize::try_from(fits).unwrap()])?;
        self.disk
            .change(|faults| faults.files.get_mut(&self.path).unwrap().written += fits);
        error.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut faults = self.disk.shared.0.lock().unwrap();
        faults.waiting += 1;
        self.disk.shared.1.notify_all();
        while faults.held {
            faults = self.disk.shared.1.wait(faults).unwrap();
        }
        faults.waiting -= 1;
        if let Some(kind) = faults.sync_error {
            return Err(kind.into());
        }
        self.file.sync()?;
        faults.syncs += 1;
        let lengths = faults.files.get_mut(&self.path).unwrap();
        lengths.synced = lengths.written;
        Ok(())
    }

    fn cut(&mut self, len: u64) -> io::Result<()> {
        self.file.cut(len)?;
        self.disk.change(|faults| {
            let lengths = faults.files.get_mut(&self.path).unwrap();
            let freed = lengths.written.saturating_sub(len);
            lengths.written = len;
            lengths.synced = lengths.synced.min(len);
            if let Some(space) = &mut faults.space {
                *space += freed;
            }
        });
        Ok(())
    }
}
