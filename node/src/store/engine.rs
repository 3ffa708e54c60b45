//! sled, guarded: the only file that names it.
//!
//! One tree holds everything, so that a batch over several spaces is one atomic write:
//!
//! ```text
//! 00 "state"         what commit the tree is at, and its fingerprint (see `State`)
//! 01 | full key      a derived value that was lost and is to be made anew
//! space byte | key   a sealed value
//! ```
//!
//! sled panics on some damage, silently forgets its tail on other, and a sync of what it has
//! written is not part of its `flush`. So whatever may meet damage runs under `catch_unwind`,
//! the commit number tells a short tree, and the fingerprint a thinned one.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::ops::Bound;
use std::os::unix::fs::PermissionsExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;

use thiserror::Error;

use super::error::{Damage, OpenError, StoreError, is_full};
use super::fingerprint::Fingerprint;
use super::limits::{LOCK_PAUSE, LOCK_TRIES};
use super::room::Room;
use super::seal::first_16;
use super::segment::StoreId;
use super::space::Space;

const STATE_KEY: &[u8] = b"\0state";
const STALE_PREFIX: u8 = 1;
/// First byte of the keys that hold values: below are the store's own.
const FIRST_SPACE: u8 = 0x10;
const STATE_VERSION: u8 = 1;
const DATABASE_FILE: &str = "db";
/// Its folder within the data folder, for messages.
const DATABASE_FOLDER: &str = "db";

/// Writes by full key, in their last state: `None` deletes.
pub(super) type Pending = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A full key and its sealed value, as they lie in the tree.
pub(super) type Pair = (sled::IVec, sled::IVec);

/// What the tree says of itself, written in the same batch as the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) store: StoreId,
    /// The last commit that is in the tree.
    pub(super) commit: u64,
    /// The values that must be there.
    pub(super) fingerprint: Fingerprint,
    /// The tree was made anew, and the derived values are not back yet.
    pub(super) rebuilt: bool,
}

/// The database.
pub(super) struct Engine {
    db: sled::Db,
    folder: PathBuf,
    room: Room,
}

impl Engine {
    /// Opens or makes the database in `folder`.
    pub(super) fn open(folder: &Path, cache_bytes: u64) -> Result<Self, OpenError> {
        super::disk::make_folder(folder).map_err(OpenError::io("making", folder))?;
        remove_unfinished(folder).map_err(OpenError::io("cleaning", folder))?;
        let config = sled::Config::new().path(folder).cache_capacity(cache_bytes);
        let mut tries = 0;
        let db = loop {
            match guarded(|| config.open()) {
                Ok(Ok(db)) => break db,
                Ok(Err(error)) if is_locked(&error) && tries < LOCK_TRIES => {
                    tries += 1;
                    thread::sleep(LOCK_PAUSE);
                }
                Ok(Err(sled::Error::Io(error))) if is_full(&error) => return Err(OpenError::Full),
                Ok(Err(error)) => return Err(Damage::Database(brief(&error)).into()),
                Err(Panicked) => return Err(Damage::Database("it panics".to_owned()).into()),
            }
        };
        let file = folder.join(DATABASE_FILE);
        let room = Room::of(&file).map_err(OpenError::io("opening", file))?;
        let engine = Self {
            db,
            folder: folder.to_path_buf(),
            room,
        };
        engine
            .restrict()
            .map_err(OpenError::io("restricting access to", folder))?;
        Ok(engine)
    }

    /// sled makes its files by the process's umask: takes all rights from others.
    fn restrict(&self) -> io::Result<()> {
        for file in fs::read_dir(&self.folder)? {
            let file = file?;
            let mode = if file.file_type()?.is_dir() {
                0o700
            } else {
                0o600
            };
            match fs::set_permissions(file.path(), Permissions::from_mode(mode)) {
                // sled replaces its snapshots at any time.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => done?,
            }
        }
        Ok(())
    }

    /// What the tree says of itself; `None` if it is empty.
    pub(super) fn state(&self) -> Result<Option<State>, OpenError> {
        let unread = |_| OpenError::from(Damage::Database("its state does not read".to_owned()));
        if let Some(bytes) = self.get_raw(STATE_KEY).map_err(unread)? {
            let state = State::decode(&bytes);
            let damaged = || Damage::Database("its state is damaged".to_owned());
            return Ok(Some(state.ok_or_else(damaged)?));
        }
        match self.pairs().next() {
            None => Ok(None),
            Some(_) => Err(Damage::Database("its state is missing".to_owned()).into()),
        }
    }

    /// The sealed value at `full_key`.
    pub(super) fn get(&self, full_key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        self.get_raw(full_key)
    }

    fn get_raw(&self, full_key: &[u8]) -> Result<Option<sled::IVec>, StoreError> {
        match guarded(|| self.db.get(full_key)) {
            Ok(found) => found.map_err(|error| read_error(full_key, &error)),
            Err(Panicked) => Err(StoreError::Damaged {
                space: Space::of(full_key),
            }),
        }
    }

    /// The pairs between two full keys.
    pub(super) fn range(&self, low: Bound<Vec<u8>>, high: Bound<Vec<u8>>) -> Pairs {
        let first = match &low {
            Bound::Included(key) | Bound::Excluded(key) => Space::of(key),
            Bound::Unbounded => Space::Meta,
        };
        Pairs {
            iter: Some(self.db.range((low, high))),
            space: first,
        }
    }

    /// All pairs but the store's own.
    pub(super) fn pairs(&self) -> Pairs {
        self.range(Bound::Included(vec![FIRST_SPACE]), Bound::Unbounded)
    }

    /// The full keys of the derived values that are to be made anew.
    pub(super) fn stale(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let low = Bound::Included(vec![STALE_PREFIX]);
        let high = Bound::Excluded(vec![STALE_PREFIX + 1]);
        self.range(low, high)
            .map(|pair| pair.map(|(key, _)| key.get(1..).unwrap_or_default().to_vec()))
            .collect()
    }

    /// Makes `pending` and the new state visible, all or nothing, and marks `stale` keys.
    ///
    /// `state` comes in as it is in the tree, but for the commit number; its fingerprint is
    /// brought up to date.
    pub(super) fn apply(
        &self,
        pending: Pending,
        stale: &[Vec<u8>],
        state: &mut State,
    ) -> Result<(), WriteError> {
        let applied = guarded(|| {
            let mut batch = sled::Batch::default();
            for (key, sealed) in pending {
                if let Some(old) = self.db.get(&key)? {
                    state.fingerprint.remove(&key, &old);
                }
                match sealed {
                    Some(sealed) => {
                        state.fingerprint.add(&key, &sealed);
                        batch.insert(key, sealed);
                    }
                    None => batch.remove(key),
                }
            }
            for key in stale {
                batch.insert(marker(key), Vec::new());
            }
            batch.insert(STATE_KEY, state.encode());
            self.db.apply_batch(batch)
        });
        settle(applied)
    }

    /// Takes away the marks of stale keys, and says so in the state.
    pub(super) fn clear_stale(&self, state: &mut State) -> Result<(), StoreError> {
        let keys = self.stale()?;
        state.rebuilt = false;
        let cleared = guarded(|| {
            let mut batch = sled::Batch::default();
            for key in keys {
                batch.remove(marker(&key));
            }
            batch.insert(STATE_KEY, state.encode());
            self.db.apply_batch(batch)
        });
        settle(cleared).map_err(|error| StoreError::Failed {
            what: "writing the database",
            kind: error.kind(),
        })
    }

    /// Makes sure that the disk has space for a group of so many bytes of entries.
    ///
    /// # Errors
    /// It has not.
    pub(super) fn ensure_room(&self, bytes: u64) -> io::Result<()> {
        self.room.ensure(bytes)
    }

    /// Writes out what sled holds back, and syncs its file.
    pub(super) fn sync(&self) -> Result<(), WriteError> {
        settle(guarded(|| self.db.flush().map(drop)))?;
        self.room.sync()?;
        Ok(self.restrict()?)
    }

    /// The fingerprint of what is really there. Reads all of it.
    pub(super) fn fingerprint(&self) -> Result<Fingerprint, StoreError> {
        let mut found = Fingerprint::default();
        for pair in self.pairs() {
            let (key, sealed) = pair?;
            found.add(&key, &sealed);
        }
        Ok(found)
    }
}

/// Why the database was not written.
#[derive(Debug, Error)]
pub(super) enum WriteError {
    /// The disk did not take it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What is there already is damaged: sled reads pages before it changes them.
    #[error("{0}")]
    Damaged(String),
}

impl WriteError {
    /// For a store that is open: what it says until it is reopened, which then finds damage.
    pub(super) fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Damaged(_) => io::ErrorKind::InvalidData,
        }
    }

    /// For a store that is being opened: what was tried with the database.
    pub(super) fn opening(self, what: &'static str) -> OpenError {
        match self {
            Self::Io(error) => OpenError::io(what, DATABASE_FOLDER)(error),
            Self::Damaged(how) => Damage::Database(how).into(),
        }
    }
}

/// Pairs of a range, from either end.
pub(super) struct Pairs {
    /// Gone after an error: sled may return the same one without end.
    iter: Option<sled::Iter>,
    space: Space,
}

impl Pairs {
    fn settle(
        &mut self,
        found: Result<Option<sled::Result<Pair>>, Panicked>,
    ) -> Option<Result<Pair, StoreError>> {
        let space = self.space;
        let error = match found {
            Ok(None) => return None,
            Ok(Some(Ok(pair))) => return Some(Ok(pair)),
            Ok(Some(Err(error))) => read_error(&[space.byte()], &error),
            Err(Panicked) => StoreError::Damaged { space },
        };
        self.iter = None;
        Some(Err(error))
    }
}

impl Iterator for Pairs {
    type Item = Result<Pair, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let iter = self.iter.as_mut()?;
        let found = guarded(|| iter.next());
        self.settle(found)
    }
}

impl DoubleEndedIterator for Pairs {
    fn next_back(&mut self) -> Option<Self::Item> {
        let iter = self.iter.as_mut()?;
        let found = guarded(|| iter.next_back());
        self.settle(found)
    }
}

impl State {
    /// `version 1 | store id 16 | commit 8 | count 8 | sum 16 | rebuilt 1 | checksum 16`.
    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![STATE_VERSION];
        bytes.extend_from_slice(&self.store);
        bytes.extend_from_slice(&self.commit.to_be_bytes());
        bytes.extend_from_slice(&self.fingerprint.count.to_be_bytes());
        bytes.extend_from_slice(&self.fingerprint.sum.to_be_bytes());
        bytes.push(u8::from(self.rebuilt));
        let checksum = first_16(blake3::hash(&bytes).as_bytes());
        bytes.extend_from_slice(&checksum);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (covered, checksum) = bytes.split_last_chunk::<16>()?;
        let (store, rest) = covered
            .strip_prefix(&[STATE_VERSION])?
            .split_first_chunk::<16>()?;
        let (commit, rest) = rest.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first_chunk::<8>()?;
        let (sum, rest) = rest.split_first_chunk::<16>()?;
        let [rebuilt] = rest else { return None };
        if first_16(blake3::hash(covered).as_bytes()) != *checksum {
            return None;
        }
        let (count, sum) = (u64::from_be_bytes(*count), u128::from_be_bytes(*sum));
        Some(Self {
            store: *store,
            commit: u64::from_be_bytes(*commit),
            fingerprint: Fingerprint { count, sum },
            rebuilt: *rebuilt == 1,
        })
    }
}

/// Removes snapshots that sled did not finish when it was killed, or found the disk full, while
/// it opened: it would take them for whole ones, and itself for corrupt.
fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "generating")
        {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// sled panicked.
struct Panicked;

fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| Panicked)
}

fn settle(done: Result<sled::Result<()>, Panicked>) -> Result<(), WriteError> {
    match done {
        Ok(Ok(())) => Ok(()),
        Ok(Err(sled::Error::Io(error))) => Err(WriteError::Io(error)),
        Ok(Err(error)) => Err(WriteError::Damaged(brief(&error))),
        Err(Panicked) => Err(WriteError::Damaged("it panics".to_owned())),
    }
}

fn read_error(full_key: &[u8], error: &sled::Error) -> StoreError {
    match error {
        sled::Error::Io(error) => StoreError::Read { kind: error.kind() },
        sled::Error::Corruption { .. }
        | sled::Error::CollectionNotFound(_)
        | sled::Error::Unsupported(_)
        | sled::Error::ReportableBug(_) => StoreError::Damaged {
            space: Space::of(full_key),
        },
    }
}

/// What `doctor` says of a database that does not open: sled's own text can hold stored bytes.
fn brief(error: &sled::Error) -> String {
    match error {
        sled::Error::Io(error) => format!("reading or writing it fails: {}", error.kind()),
        sled::Error::Corruption { .. } => "its pages are corrupt".to_owned(),
        sled::Error::Unsupported(_) => "its settings are damaged or of another version".to_owned(),
        sled::Error::CollectionNotFound(_) | sled::Error::ReportableBug(_) => {
            "its structure is damaged".to_owned()
        }
    }
}

/// Whether sled's own lock is still held; it wraps the cause in its text.
fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().contains("could not acquire lock"))
}

fn marker(full_key: &[u8]) -> Vec<u8> {
    let mut marker = Vec::with_capacity(1 + full_key.len());
    marker.push(STALE_PREFIX);
    marker.extend_from_slice(full_key);
    marker
}

/// Takes one value out behind the store's back, for tests: as sled would forget it.
#[cfg(test)]
pub(super) fn thin(folder: &Path, full_key: &[u8]) {
    let db = sled::open(folder).unwrap();
    assert!(db.remove(full_key).unwrap().is_some());
    db.flush().unwrap();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catching up reads the pages that it changes, so that opening meets damage while it writes.
    #[test]
    fn damage_that_a_write_meets_is_damage_to_whoever_opens() {
        let corrupt = sled::Error::Corruption { at: None, bt: () };
        for done in [Ok(Err(corrupt)), Err(Panicked)] {
            let error = settle(done).unwrap_err().opening("writing");
            assert!(
                matches!(error, OpenError::Damaged(Damage::Database(_))),
                "{error}"
            );
        }
    }

    #[test]
    fn a_disk_that_takes_nothing_is_no_damage() {
        let refused = |kind| settle(Ok(Err(sled::Error::Io(io::Error::from(kind))))).unwrap_err();
        let full = refused(io::ErrorKind::StorageFull).opening("writing");
        assert!(matches!(full, OpenError::Full), "{full}");
        let denied = refused(io::ErrorKind::PermissionDenied).opening("writing");
        assert_eq!(denied.to_string(), "writing db: permission denied");
    }
}
