//! Opening a store: its parts are held against each other before anything is written.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;

use rand::Rng;

use super::behind::Behind;
use super::disk::{Disk, RealDisk, make_folder};
use super::engine::{Engine, Pending, State};
use super::error::{Damage, OpenError};
use super::fingerprint::Fingerprint;
use super::folder::{Folder, LastRun};
use super::handle::Store;
use super::journal::{AppendError, Journal, RESERVE_NAME};
use super::limits::{CACHE_BYTES, GROUP_BYTES, QUEUE_COMMITS, RESERVE_BYTES, SEGMENT_BYTES};
use super::seal::{Sealer, StoreKey};
use super::segment::{Header, StoreId, Write};
use super::shrink::shrink;
use super::space::Space;
use super::survey::{Entries, Survey, list, survey};
use super::writer::{Shared, Writer};
use crate::chance::Chance;

/// How to open a store.
#[derive(Clone)]
pub struct Options {
    /// The data folder: the store uses `db`, `journal`, `lock` and `running` in it.
    pub dir: PathBuf,
    /// The key that seals the values.
    pub key: StoreKey,
    /// Memory for sled's pages, in bytes.
    pub cache_bytes: u64,
    /// Size at which a journal segment is closed, in bytes.
    pub segment_bytes: u64,
    /// Bytes of the journal above which it is made smaller at the start, where most of it is of
    /// values that are gone; none where it keeps all.
    pub shrink_above_bytes: Option<u64>,
    /// Where nonces come from.
    pub chance: Chance,
    pub(super) disk: Arc<dyn Disk>,
}

impl Options {
    /// The store in `dir`, with the usual limits.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, key: StoreKey) -> Self {
        Self {
            dir: dir.into(),
            key,
            cache_bytes: CACHE_BYTES,
            segment_bytes: SEGMENT_BYTES,
            shrink_above_bytes: None,
            chance: Chance::System,
            disk: Arc::new(RealDisk),
        }
    }
}

/// An open store, and what was found on opening it.
pub struct Opened {
    /// The store.
    pub store: Store,
    /// The database was made anew from the journal: every derived value is missing. Stays so
    /// over restarts until [`Store::confirm_derived`].
    pub rebuilt: bool,
    /// The derived values, by space and key, that a power cut took: make these anew, then call
    /// [`Store::confirm_derived`]. Empty if `rebuilt`.
    pub stale: Vec<(Space, Vec<u8>)>,
    /// Commits that the database lacked and got from the journal.
    pub caught_up: u64,
    /// Bytes at the journal's end that were cut off: a write that was never acknowledged.
    pub torn_bytes: u64,
}

/// Opens or makes the store of `options`.
pub(super) fn open(options: &Options) -> Result<Opened, OpenError> {
    let folder = Folder::hold(&options.dir)?;
    shrink(&folder, options)?;
    let sealer = Sealer::new(&options.key, options.chance.clone());
    if folder.journal_ready().exists() {
        return Err(Damage::Interrupted.into());
    }
    let (journal_folder, database) = (folder.journal(), folder.database());
    make_folder(&journal_folder).map_err(OpenError::io("making", &*journal_folder))?;
    let journal_read = read_journal(&journal_folder, &sealer)?;
    let engine = with_reserve(&journal_folder, || open_engine(options, &database))?;
    let found = engine.state()?;
    let mut state = compare(found, journal_read.as_ref(), &options.chance)?;
    if folder.last_run() == LastRun::PowerCut {
        verify(&engine, &state)?;
    }
    with_reserve(&journal_folder, || folder.begin_run())?;
    let (mut caught_up, mut torn_bytes) = (0, 0);
    let mut journal = match &journal_read {
        None => new_journal(options, &journal_folder, state.store, &sealer),
        Some(survey) => {
            torn_bytes = survey.torn_bytes;
            caught_up = catch_up(&engine, survey, &mut state)?;
            go_on(options, &journal_folder, survey)
        }
    }
    .map_err(|error| journal_error(error, &journal_folder))?;
    let full = match journal.reserve() {
        Ok(()) => false,
        Err(AppendError::Full) => true,
        Err(error) => return Err(journal_error(error, &journal_folder)),
    };
    let stale = stale_keys(&engine, &state)?;
    let shared = Arc::new(Shared::new(engine, sealer, state.commit, folder));
    if full {
        shared.set_trouble(Some(super::error::StoreError::Full));
    }
    let rebuilt = state.rebuilt;
    let store = start(shared, journal, state).map_err(OpenError::io("starting", &*options.dir))?;
    Ok(Opened {
        store,
        rebuilt,
        stale,
        caught_up,
        torn_bytes,
    })
}

/// Reads the journal's headers and its last segment.
fn read_journal(folder: &Path, sealer: &Sealer) -> Result<Option<Survey>, OpenError> {
    let listing = list(folder, sealer.check())?;
    if let Some(unfinished) = listing.unfinished {
        fs::remove_file(&unfinished).map_err(OpenError::io("removing", &*unfinished))?;
    }
    survey(listing.segments)
}

/// Opens the database.
///
/// sled writes while it opens, and calls itself corrupt when it cannot: on a full disk nothing
/// can be said about damage.
pub(super) fn open_engine(options: &Options, database: &Path) -> Result<Engine, OpenError> {
    let opened = Engine::open(database, options.cache_bytes);
    let free = options.disk.free_bytes(database).unwrap_or(u64::MAX);
    match opened {
        Err(OpenError::Damaged(_)) if free < RESERVE_BYTES as u64 => Err(OpenError::Full),
        opened => opened,
    }
}

/// Runs a step that needs space; on a full disk a second time, with the space that was kept
/// for it.
fn with_reserve<T>(
    journal: &Path,
    step: impl Fn() -> Result<T, OpenError>,
) -> Result<T, OpenError> {
    match step() {
        Err(OpenError::Full) => {
            fs::remove_file(journal.join(RESERVE_NAME)).map_err(|_| OpenError::Full)?;
            step()
        }
        done => done,
    }
}

/// Holds the database's state against the journal; returns the state to go on from.
pub(super) fn compare(
    found: Option<State>,
    journal: Option<&Survey>,
    chance: &Chance,
) -> Result<State, OpenError> {
    let Some(journal) = journal else {
        return match found {
            Some(_) => Err(Damage::Missing { segment: 1 }.into()),
            None => Ok(empty_state(new_store_id(chance), false)),
        };
    };
    let Some(state) = found else {
        return Ok(empty_state(journal.store(), journal.last > 0));
    };
    if state.store != journal.store() {
        return Err(Damage::Stranger.into());
    }
    if state.commit > journal.last {
        // It was acknowledged, so what is there instead is not just torn.
        let short = Damage::Short {
            journal: journal.last,
            database: state.commit,
        };
        return Err(journal.torn.clone().unwrap_or(short).into());
    }
    Ok(state)
}

fn empty_state(store: StoreId, rebuilt: bool) -> State {
    State {
        store,
        commit: 0,
        fingerprint: Fingerprint::default(),
        rebuilt,
    }
}

/// A random store id.
pub(super) fn new_store_id(chance: &Chance) -> StoreId {
    let mut id = StoreId::default();
    chance.clone().fill_bytes(&mut id);
    id
}

/// Reads the whole database to see that it holds what its state says.
pub(super) fn verify(engine: &Engine, state: &State) -> Result<(), OpenError> {
    match engine.fingerprint() {
        Ok(found) if found == state.fingerprint => Ok(()),
        Ok(_) => Err(Damage::Fingerprint.into()),
        Err(error) => Err(Damage::Database(error.to_string()).into()),
    }
}

/// Writes to the database what only the journal has; returns the number of commits.
///
/// Derived values are not in the journal: what is there of them is older, and is removed.
fn catch_up(engine: &Engine, journal: &Survey, state: &mut State) -> Result<u64, OpenError> {
    let start = state.commit;
    let mut writes = Replay::default();
    let followers = journal.segments.iter().skip(1).map(Some).chain([None]);
    for (segment, follower) in journal.segments.iter().zip(followers) {
        let next_first = follower.map(|next| next.header.first);
        if next_first.is_some_and(|first| first <= start.saturating_add(1)) {
            continue;
        }
        let mut entries = Entries::of(segment)?;
        let mut last = segment.header.first.saturating_sub(1);
        while let Some(entry) = entries.next_entry()? {
            last = entry.commit;
            if entry.commit > start {
                let body = entry.writes().ok_or_else(|| entries.damaged("body"))?;
                writes.add(&body, entry.commit, state.rebuilt);
            }
            if writes.bytes > GROUP_BYTES {
                std::mem::take(&mut writes).apply(engine, state)?;
            }
        }
        if next_first.is_some_and(|first| first != last.saturating_add(1)) {
            return Err(entries.damaged("ends early").into());
        }
    }
    if writes.last > 0 {
        writes.apply(engine, state)?;
        engine.sync().map_err(|error| error.opening("syncing"))?;
    }
    Ok(state.commit.saturating_sub(start))
}

/// Writes of the journal on their way to the database.
#[derive(Default)]
struct Replay {
    pending: Pending,
    stale: Vec<Vec<u8>>,
    last: u64,
    bytes: usize,
}

impl Replay {
    fn add(&mut self, body: &[Write<'_>], commit: u64, rebuilt: bool) {
        self.last = commit;
        for write in body {
            match write {
                Write::Put { key, sealed } => {
                    self.bytes = self.bytes.saturating_add(key.len() + sealed.len());
                    self.pending.insert(key.to_vec(), Some(sealed.to_vec()));
                }
                Write::Delete { key } => {
                    self.bytes = self.bytes.saturating_add(key.len());
                    self.pending.insert(key.to_vec(), None);
                }
                // After a rebuild all derived values are missing anyway.
                Write::Note { .. } if rebuilt => {}
                Write::Note { key } => {
                    self.bytes = self.bytes.saturating_add(key.len());
                    self.pending.insert(key.to_vec(), None);
                    self.stale.push(key.to_vec());
                }
            }
        }
    }

    fn apply(self, engine: &Engine, state: &mut State) -> Result<(), OpenError> {
        state.commit = self.last;
        let applied = engine.apply(self.pending, &self.stale, state);
        applied.map_err(|error| error.opening("writing"))
    }
}

fn stale_keys(engine: &Engine, state: &State) -> Result<Vec<(Space, Vec<u8>)>, OpenError> {
    if state.rebuilt {
        return Ok(Vec::new());
    }
    let keys = engine
        .stale()
        .map_err(|error| Damage::Database(error.to_string()))?;
    let split = |key: Vec<u8>| (Space::of(&key), super::read::short_key(&key));
    Ok(keys.into_iter().map(split).collect())
}

fn new_journal(
    options: &Options,
    folder: &Path,
    store: StoreId,
    sealer: &Sealer,
) -> Result<Journal, AppendError> {
    let header = Header {
        store,
        segment: 1,
        first: 1,
        key_check: sealer.check(),
    };
    Journal::start(options.disk.clone(), folder, header, options.segment_bytes)
}

fn go_on(options: &Options, folder: &Path, survey: &Survey) -> Result<Journal, AppendError> {
    let lost = AppendError::Failed("opening the journal", std::io::ErrorKind::NotFound);
    let end = survey.segments.last().ok_or(lost)?;
    let torn = survey.torn_bytes > 0;
    let (disk, size) = (options.disk.clone(), options.segment_bytes);
    Journal::go_on(disk, folder, end.header, size, end.len, torn)
}

pub(super) fn journal_error(error: AppendError, folder: &Path) -> OpenError {
    match error {
        AppendError::Full => OpenError::Full,
        AppendError::Failed(what, kind) => OpenError::io(what, folder)(kind.into()),
    }
}

/// Starts the threads.
fn start(shared: Arc<Shared>, journal: Journal, state: State) -> std::io::Result<Store> {
    let (sender, requests) = sync_channel(QUEUE_COMMITS);
    let behind = Behind::start(shared.clone())?;
    let writer = Writer {
        shared: shared.clone(),
        journal,
        state,
        requests,
        behind,
    };
    let thread = thread::Builder::new().name("store-writer".to_owned());
    let thread = thread.spawn(move || writer.run())?;
    Ok(Store::new(shared, sender, thread))
}
