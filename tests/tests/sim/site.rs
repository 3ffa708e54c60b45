//! One clinic of the network: its data folder, its clock, and what befalls them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chartmesh::chance::Chance;
use chartmesh::clinic::{Clinic, Instance, Surroundings};
use chartmesh::clock::Clock;
use chartmesh::keys::{Cost, Passphrase};
use chartmesh_config::Config;
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::broken::{Broken, Invariant, conduct};

/// Where folders in memory are made: a run syncs thousands of times.
const MEMORY: &str = "/dev/shm";
/// What a copy of a data folder leaves out: the database, which is made anew from the journal, and
/// the space that is kept for a full disk.
const LEFT_OUT: [&str; 2] = ["db", "reserve"];
/// What lies at the end of a journal when the power goes in the middle of an entry.
const TORN: [u8; 21] = [0x5a; 21];

/// A clinic with its folder and its clock.
pub(crate) struct Site {
    pub(crate) name: String,
    clinic: Option<Arc<Clinic>>,
    dir: TempDir,
    /// The latest backup.
    backup: Option<TempDir>,
    config: Config,
    surroundings: Surroundings,
    clock: Arc<AtomicU64>,
    skew_ms: i64,
    /// How often it was put back to a backup, from its own number on: both ways come first.
    restores: usize,
}

impl Site {
    /// A new clinic whose clock is off by `skew_ms`.
    pub(crate) fn new(number: usize, seed: u64, now_ms: u64, skew_ms: i64) -> Result<Self, Broken> {
        let name = format!("Clinic {number}");
        let clock = Arc::new(AtomicU64::new(0));
        let surroundings = Surroundings {
            clock: Clock::Set(Arc::clone(&clock)),
            chance: Chance::seeded(seed),
            // Other copies of the folder stand for the same disk.
            instance: Instance::AsNoted,
        };
        let config = conduct("a name", Config::default_for(&name))?;
        let mut site = Self {
            name,
            clinic: None,
            dir: folder()?,
            backup: None,
            config,
            surroundings,
            clock,
            skew_ms,
            restores: number,
        };
        site.set_time(now_ms);
        let cost = conduct("a cost", Cost::new(64, 1, 1).ok_or("too low"))?;
        let around = Surroundings {
            instance: Instance::OfFile,
            ..site.surroundings.clone()
        };
        let dir = site.dir.path();
        let made = Clinic::create_in(&around, dir, &site.config, &passphrase()?, cost);
        conduct("making a clinic", made)?;
        site.open()?;
        Ok(site)
    }

    /// The clinic.
    pub(crate) fn clinic(&self) -> &Arc<Clinic> {
        self.clinic.as_ref().expect("closed only while a step runs")
    }

    /// What the clinic's own clock says, in milliseconds since 1970.
    pub(crate) fn clock_ms(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    /// Sets the clock by the true time.
    pub(crate) fn set_time(&mut self, now_ms: u64) {
        let shown = now_ms.saturating_add_signed(self.skew_ms);
        self.clock.store(shown, Ordering::Relaxed);
    }

    /// By how much its clock is wrong, in milliseconds.
    pub(crate) fn skew_ms(&self) -> i64 {
        self.skew_ms
    }

    /// Sets the clock wrong by so much.
    pub(crate) fn set_skew(&mut self, now_ms: u64, skew_ms: i64) {
        self.skew_ms = skew_ms;
        self.set_time(now_ms);
    }

    /// A file in the clinic's folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Ends the clinic in order and starts it again.
    pub(crate) fn restart(&mut self) -> Result<(), Broken> {
        self.close()?;
        self.open()
    }

    /// The power goes: what is left is the journal, with a torn entry at its end.
    pub(crate) fn kill(&mut self) -> Result<(), Broken> {
        let left = folder()?;
        conduct("copying a folder", copy(self.dir.path(), left.path()))?;
        conduct("tearing a journal", tear(&left.path().join("journal")))?;
        self.close()?;
        self.dir = left;
        self.open()
    }

    /// Keeps a copy of the folder as it is.
    pub(crate) fn back_up(&mut self) -> Result<(), Broken> {
        conduct("flushing", self.clinic().flush())?;
        let backup = folder()?;
        conduct("copying a folder", copy(self.dir.path(), backup.path()))?;
        self.backup = Some(backup);
        Ok(())
    }

    /// Whether there is a backup.
    pub(crate) fn has_backup(&self) -> bool {
        self.backup.is_some()
    }

    /// Puts the last backup in the folder's place. Every other time that is done file by file,
    /// which the clinic notices by itself, and else with the whole disk; says whether it can
    /// notice.
    pub(crate) fn restore(&mut self) -> Result<bool, Broken> {
        let Some(backup) = self.backup.take() else {
            return Ok(false);
        };
        self.restores += 1;
        let by_file = self.restores % 2 == 1;
        self.close()?;
        self.dir = backup;
        if by_file {
            self.open_as(Instance::OfFile)?;
        } else {
            self.open()?;
        }
        Ok(by_file)
    }

    /// Another clinic on a copy of this folder, as it was at the last backup.
    pub(crate) fn twin(&self) -> Result<(Arc<Clinic>, TempDir), Broken> {
        let dir = folder()?;
        let from = self
            .backup
            .as_ref()
            .map_or_else(|| self.dir.path(), TempDir::path);
        conduct("copying a folder", copy(from, dir.path()))?;
        let around = self.surroundings.clone();
        let opened = Clinic::open_in(around, dir.path(), self.config.clone(), &passphrase()?);
        Ok((Arc::new(conduct("opening a twin", opened)?), dir))
    }

    fn close(&mut self) -> Result<(), Broken> {
        let clinic = self.clinic.take().and_then(Arc::into_inner);
        let free = || format!("something still holds {}", self.name);
        Invariant::Conduct.holds(clinic.is_some(), free)
    }

    fn open(&mut self) -> Result<(), Broken> {
        self.open_as(self.surroundings.instance)
    }

    fn open_as(&mut self, instance: Instance) -> Result<(), Broken> {
        let around = Surroundings {
            instance,
            ..self.surroundings.clone()
        };
        let config = self.config.clone();
        let opened = Clinic::open_in(around, self.dir.path(), config, &passphrase()?);
        let opened = opened.map_err(|error| {
            Invariant::Durable.broken(format!("{} does not open: {error}", self.name))
        })?;
        self.clinic = Some(Arc::new(opened));
        Ok(())
    }
}

fn passphrase() -> Result<Passphrase, Broken> {
    let made = Passphrase::new(Zeroizing::new(b"a simulated passphrase".to_vec()));
    conduct("a passphrase", made)
}

/// An empty folder, in memory where there is such a place.
pub(crate) fn folder() -> Result<TempDir, Broken> {
    let made = tempfile::tempdir_in(MEMORY).or_else(|_| tempfile::tempdir());
    conduct("making a folder", made)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if LEFT_OUT.iter().any(|left_out| name == *left_out) {
            continue;
        }
        let target = to.join(&name);
        if entry.file_type()?.is_dir() {
            fs::create_dir_all(&target)?;
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn tear(journal: &Path) -> std::io::Result<()> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(journal)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "log") {
            segments.push(path);
        }
    }
    segments.sort();
    match segments.last() {
        Some(last) => fs::OpenOptions::new()
            .append(true)
            .open(last)?
            .write_all(&TORN),
        None => Ok(()),
    }
}
