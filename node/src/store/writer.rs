//! The one thread that writes.
//!
//! It takes what has queued up as one group: every commit gets its number and its journal
//! entry, the entries are appended and synced once, the writes go to the database as one batch,
//! and only then are the commits acknowledged. What fails before the sync has not happened.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};

use futures::channel::oneshot;

use super::batch::{Batch, SealedWrite};
use super::behind::Behind;
use super::commit::{Answer, CommitNumber};
use super::engine::{Engine, Pending, State};
use super::error::StoreError;
use super::folder::Folder;
use super::journal::{AppendError, Journal};
use super::limits::{FULL_RETRY, GROUP_BYTES, GROUP_COMMITS, GROUP_WRITES, MAX_BATCH_BYTES};
use super::seal::Sealer;
use super::segment::{Place, encode_entry};
use super::view::View;

/// What the writer and the readers share.
pub(super) struct Shared {
    pub(super) engine: Engine,
    pub(super) sealer: Sealer,
    /// The last commit that is durable and visible.
    pub(super) commit: AtomicU64,
    /// Why nothing is written, if so.
    trouble: Mutex<Option<StoreError>>,
    /// Last, so that the folder is let go of after all else.
    pub(super) folder: Folder,
}

impl Shared {
    pub(super) fn new(engine: Engine, sealer: Sealer, commit: u64, folder: Folder) -> Self {
        let commit = AtomicU64::new(commit);
        Self {
            engine,
            sealer,
            commit,
            trouble: Mutex::new(None),
            folder,
        }
    }

    pub(super) fn trouble(&self) -> Option<StoreError> {
        self.trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Changes the trouble, but for a failure, which stays until the store is reopened.
    pub(super) fn set_trouble(&self, trouble: Option<StoreError>) {
        let mut current = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*current, Some(StoreError::Failed { .. })) || *current == trouble {
            return;
        }
        match &trouble {
            Some(error) => tracing::error!(%error, "the store is read-only"),
            None => tracing::info!("the store accepts writes again"),
        }
        *current = trouble;
    }

    pub(super) fn fail(&self, what: &'static str, kind: io::ErrorKind) -> StoreError {
        let error = StoreError::Failed { what, kind };
        self.set_trouble(Some(error.clone()));
        error
    }
}

/// Makes the batch of one commit; `None` for nothing to write.
pub(super) type Prepare = Box<dyn FnOnce(&View<'_>) -> Result<Option<Batch>, StoreError> + Send>;

/// What the writer is asked to do.
pub(super) enum Request {
    /// Commit sealed writes of so many bytes.
    Commit {
        writes: Vec<SealedWrite>,
        bytes: usize,
        answer: oneshot::Sender<Answer>,
    },
    /// Prepare a batch in view of all earlier ones, and commit it.
    Prepare {
        prepare: Prepare,
        answer: oneshot::Sender<Answer>,
    },
    /// The derived values are back.
    ConfirmDerived { answer: oneshot::Sender<Answer> },
    /// Sync the database now.
    Sync { answer: oneshot::Sender<Answer> },
    /// Say when all earlier writes are done, then write nothing until the other end is dropped.
    Pause {
        paused: mpsc::Sender<()>,
        resume: Receiver<()>,
    },
}

/// Commits that share one sync.
struct Group {
    /// Why none of it is accepted, or where its entries go.
    place: Result<Place, StoreError>,
    entries: Vec<u8>,
    pending: Pending,
    /// The last commit that is durable before the group.
    durable: u64,
    /// The last commit of the group, or before it.
    last: u64,
    waiting: Vec<(oneshot::Sender<Answer>, u64)>,
}

/// The writer: what its thread owns.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) journal: Journal,
    pub(super) state: State,
    pub(super) requests: Receiver<Request>,
    pub(super) behind: Behind,
}

impl Writer {
    /// Writes until every handle of the store is gone; then syncs all and ends the run.
    pub(super) fn run(mut self) {
        while let Some(first) = self.next_request() {
            let mut group = self.begin();
            self.take(first, &mut group);
            while group.has_room() {
                let Ok(request) = self.requests.try_recv() else {
                    break;
                };
                self.take(request, &mut group);
            }
            self.finish(group);
        }
        self.behind.stop();
        let synced = self.shared.engine.sync();
        let ended = self.shared.trouble().is_none() && synced.is_ok();
        if ended && let Err(error) = self.shared.folder.end_run() {
            tracing::warn!(%error, "the end of the run is not noted: the next start checks more");
        }
    }

    /// The next request, or `None` when there will be none. While the disk is full, looks now
    /// and then whether it still is.
    fn next_request(&mut self) -> Option<Request> {
        loop {
            if self.shared.trouble() != Some(StoreError::Full) {
                return self.requests.recv().ok();
            }
            match self.requests.recv_timeout(FULL_RETRY) {
                Ok(request) => return Some(request),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => drop(self.begin()),
            }
        }
    }

    /// Starts a group, refused if the store cannot write.
    fn begin(&mut self) -> Group {
        let last = self.state.commit;
        let place = match self.shared.trouble() {
            Some(error @ StoreError::Failed { .. }) => Err(error),
            Some(_) => self
                .journal
                .reserve()
                .and_then(|()| {
                    let place = self.journal.place(last.saturating_add(1))?;
                    self.shared.set_trouble(None);
                    Ok(place)
                })
                .map_err(|error| self.in_trouble(&error)),
            None => {
                let place = self.journal.place(last.saturating_add(1));
                place.map_err(|error| self.in_trouble(&error))
            }
        };
        Group::new(place, last)
    }

    fn in_trouble(&self, error: &AppendError) -> StoreError {
        match error {
            AppendError::Full => {
                self.shared.set_trouble(Some(StoreError::Full));
                StoreError::Full
            }
            AppendError::Failed(what, kind) => self.shared.fail(what, *kind),
        }
    }

    fn take(&mut self, request: Request, group: &mut Group) {
        match request {
            Request::Commit {
                writes,
                bytes,
                answer,
            } => group.add(writes, bytes, answer),
            Request::Prepare { prepare, answer } => self.prepare(prepare, answer, group),
            Request::ConfirmDerived { answer } => {
                self.finish_before(group);
                let cleared = match self.shared.trouble() {
                    Some(error) => Err(error),
                    None => self.shared.engine.clear_stale(&mut self.state),
                };
                respond(
                    answer,
                    cleared.map(|()| CommitNumber::new(self.state.commit)),
                );
            }
            Request::Sync { answer } => {
                self.finish_before(group);
                let synced = self.shared.engine.sync();
                let synced =
                    synced.map_err(|error| self.shared.fail("syncing the database", error.kind()));
                respond(
                    answer,
                    synced.map(|()| CommitNumber::new(self.state.commit)),
                );
            }
            Request::Pause { paused, resume } => {
                self.finish_before(group);
                if paused.send(()).is_ok() {
                    // Ends when the other side drops its sender.
                    let _ = resume.recv();
                }
            }
        }
    }

    /// Prepares a commit in view of the group so far.
    fn prepare(&self, prepare: Prepare, answer: oneshot::Sender<Answer>, group: &mut Group) {
        if let Err(error) = &group.place {
            return respond(answer, Err(error.clone()));
        }
        let Shared { engine, sealer, .. } = &*self.shared;
        let view = View::new(engine, &group.pending, sealer, group.last.saturating_add(1));
        let prepared = catch_unwind(AssertUnwindSafe(|| prepare(&view)));
        let sealed = prepared
            .unwrap_or(Err(StoreError::Panicked))
            .and_then(|batch| {
                let batch = batch.unwrap_or_default();
                let bytes = batch.bytes();
                Ok((batch.seal(sealer)?, bytes))
            });
        match sealed {
            Ok((writes, bytes)) => group.add(writes, bytes, answer),
            Err(error) => respond(answer, Err(error)),
        }
    }

    /// Finishes what came before a request that is no commit, and starts anew.
    fn finish_before(&mut self, group: &mut Group) {
        let empty = Group::new(group.place.clone(), group.last);
        self.finish(std::mem::replace(group, empty));
        *group = self.begin();
    }

    /// Makes a group durable, then visible, then known to those who wait.
    fn finish(&mut self, group: Group) {
        let written = self.write(&group.entries, group.pending, group.last);
        for (answer, number) in group.waiting {
            respond(answer, written.clone().map(|()| CommitNumber::new(number)));
        }
    }

    fn write(&mut self, entries: &[u8], pending: Pending, last: u64) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let bytes = entries.len() as u64;
        if self.shared.engine.ensure_room(bytes).is_err() {
            return Err(self.in_trouble(&AppendError::Full));
        }
        self.journal
            .append(entries)
            .map_err(|error| self.in_trouble(&error))?;
        self.state.commit = last;
        let applied = self.shared.engine.apply(pending, &[], &mut self.state);
        applied.map_err(|error| self.shared.fail("writing the database", error.kind()))?;
        self.shared.commit.store(last, Ordering::Release);
        self.behind.wrote(bytes);
        Ok(())
    }
}

impl Group {
    fn new(place: Result<Place, StoreError>, durable: u64) -> Self {
        let (entries, pending, waiting) = (Vec::new(), Pending::new(), Vec::new());
        Self {
            place,
            entries,
            pending,
            durable,
            last: durable,
            waiting,
        }
    }

    /// Whether more may join. A refused group ends with its first request, so that the next
    /// one finds out whether the reason still holds.
    fn has_room(&self) -> bool {
        let small = self.entries.len() < GROUP_BYTES
            && self.pending.len() < GROUP_WRITES
            && self.waiting.len() < GROUP_COMMITS;
        small && self.place.is_ok()
    }

    /// Adds a commit. One without writes waits for those before it, which it may have seen.
    fn add(&mut self, writes: Vec<SealedWrite>, bytes: usize, answer: oneshot::Sender<Answer>) {
        let place = match &self.place {
            Ok(place) => *place,
            Err(error) => return respond(answer, Err(error.clone())),
        };
        if !writes.is_empty() {
            let number = self.last.saturating_add(1);
            let entries = &mut self.entries;
            if encode_entry(entries, place, number, self.durable, &writes).is_none() {
                let limit = MAX_BATCH_BYTES;
                return respond(
                    answer,
                    Err(StoreError::TooLarge {
                        what: "batch",
                        bytes,
                        limit,
                    }),
                );
            }
            self.last = number;
            self.pending.extend(
                writes
                    .into_iter()
                    .map(|write| (write.full_key, write.sealed)),
            );
        }
        self.waiting.push((answer, self.last));
    }
}

/// Answers, if anyone still waits.
fn respond(answer: oneshot::Sender<Answer>, result: Answer) {
    // A caller that has gone away has dropped its ticket on purpose.
    let _ = answer.send(result);
}
