//! The store's handle.

use std::future::Future;
use std::ops::RangeBounds;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use futures::channel::oneshot;

use super::batch::Batch;
use super::commit::{Answer, CommitNumber, Ticket, block_on};
use super::error::{OpenError, StoreError};
use super::health::{self, Health, Progress};
use super::open::{Opened, Options};
use super::read::{KeyValue, Keys, Scan, bounds_of_prefix, bounds_within};
use super::repair::{self, Report};
use super::space::Space;
use super::view::View;
use super::writer::{Request, Shared};

/// What a node keeps. Clones are handles of the same store; the last one closes it, in order.
///
/// Reads see what is committed, at any time, and do not wait for writes. Writes are batches:
/// [`commit`](Self::commit) returns when the batch is durable *and* visible.
#[derive(Clone)]
pub struct Store {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    requests: Option<SyncSender<Request>>,
    writer: Option<JoinHandle<()>>,
}

/// Whether the store accepts writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// It does.
    Ready,
    /// Not until there is space on the disk.
    Full,
    /// Not until it is reopened.
    Failed,
}

impl Store {
    /// Opens the store of `options`, or makes it.
    ///
    /// A database that lacks the last commits gets them from the journal, one that is missing
    /// is made anew from it, and the journal's torn tail is cut off.
    ///
    /// # Errors
    /// [`OpenError::Damaged`] for anything else that is not as it was written: then
    /// [`repair`](Self::repair) it.
    pub fn open(options: &Options) -> Result<Opened, OpenError> {
        super::open::open(options)
    }

    /// Makes a damaged store whole from what is left of it; the damaged parts are moved aside.
    ///
    /// # Errors
    /// What also keeps a sound store from opening, and a disk that is too full.
    pub fn repair(options: &Options) -> Result<Report, OpenError> {
        repair::repair(options)
    }

    pub(super) fn new(
        shared: Arc<Shared>,
        requests: SyncSender<Request>,
        writer: JoinHandle<()>,
    ) -> Self {
        let handle = Handle {
            shared,
            requests: Some(requests),
            writer: Some(writer),
        };
        Self {
            handle: Arc::new(handle),
        }
    }

    fn shared(&self) -> &Shared {
        &self.handle.shared
    }

    /// Commits `batch` and waits until it is durable and visible.
    ///
    /// # Errors
    /// [`StoreError::Full`] and [`StoreError::TooLarge`]: nothing was kept.
    /// [`StoreError::Failed`]: reopening tells whether it was kept.
    pub fn commit(&self, batch: Batch) -> Result<CommitNumber, StoreError> {
        self.commit_later(batch).wait()
    }

    /// Commits `batch`; the ticket tells when it is durable and visible. Commits are made in
    /// the order of the calls. Waits only when very many are under way.
    pub fn commit_later(&self, batch: Batch) -> Ticket {
        let (answer, ticket) = Ticket::new();
        let bytes = batch.bytes();
        match batch.seal(&self.shared().sealer) {
            Ok(writes) => self.request(Request::Commit {
                writes,
                bytes,
                answer,
            }),
            // Nobody can have dropped the ticket yet.
            Err(error) => drop(answer.send(Err(error))),
        }
        ticket
    }

    /// Prepares a batch in view of every earlier commit, and commits it: what is read in
    /// `prepare` is still so when the batch is written. Waits until it is durable.
    ///
    /// `prepare` runs on the writer's thread: it must be quick, and must not commit by itself.
    /// An empty batch is not a commit; the number is then that of the last one it saw.
    ///
    /// # Errors
    /// What `prepare` returns, or what [`commit`](Self::commit) would.
    pub fn commit_with<T, E, F>(&self, prepare: F) -> Result<(CommitNumber, T), E>
    where
        F: FnOnce(&View<'_>) -> Result<(Batch, T), E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        block_on(self.commit_with_later(prepare))
    }

    /// As [`commit_with`](Self::commit_with), to be awaited. It is under way when this returns.
    pub fn commit_with_later<T, E, F>(
        &self,
        prepare: F,
    ) -> impl Future<Output = Result<(CommitNumber, T), E>> + Send + use<T, E, F>
    where
        F: FnOnce(&View<'_>) -> Result<(Batch, T), E> + Send + 'static,
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let outcome = Arc::new(Mutex::new(None));
        let slot = outcome.clone();
        let (answer, ticket) = Ticket::new();
        let prepare = Box::new(move |view: &View<'_>| {
            let (batch, outcome) = match prepare(view) {
                Ok((batch, value)) => (Some(batch), Ok(value)),
                Err(error) => (None, Err(error)),
            };
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            Ok(batch)
        });
        self.request(Request::Prepare { prepare, answer });
        async move {
            let answer = ticket.await;
            let outcome = outcome
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            match (outcome, answer) {
                (Some(Err(error)), _) => Err(error),
                (Some(Ok(value)), Ok(number)) => Ok((number, value)),
                (_, Err(error)) => Err(error.into()),
                (None, Ok(_)) => Err(StoreError::Closed.into()),
            }
        }
    }

    /// Says that the derived values are all back: the next start does not ask for them again.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn confirm_derived(&self) -> Result<(), StoreError> {
        self.ask(|answer| Request::ConfirmDerived { answer })
    }

    /// Syncs the database now, for a backup or a test. Commits need no such call.
    ///
    /// # Errors
    /// [`StoreError::Failed`].
    pub fn sync(&self) -> Result<(), StoreError> {
        self.ask(|answer| Request::Sync { answer })
    }

    fn ask(
        &self,
        request: impl FnOnce(oneshot::Sender<Answer>) -> Request,
    ) -> Result<(), StoreError> {
        let (answer, ticket) = Ticket::new();
        self.request(request(answer));
        ticket.wait().map(drop)
    }

    /// Hands `request` to the writer. If that is gone, the ticket says so.
    fn request(&self, request: Request) {
        if let Some(requests) = &self.handle.requests {
            let _ = requests.send(request);
        }
    }

    /// The value at `key` of `space`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] or [`StoreError::Read`].
    pub fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let key = space.full_key(key);
        let sealed = self.shared().engine.get(&key)?;
        sealed
            .map(|sealed| self.shared().sealer.open(&key, &sealed))
            .transpose()
    }

    /// Whether there is a value at `key` of `space`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] or [`StoreError::Read`].
    pub fn contains(&self, space: Space, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.shared().engine.get(&space.full_key(key))?.is_some())
    }

    /// The keys and values of `space` whose keys start with `prefix`; all for an empty one.
    #[must_use]
    pub fn scan_prefix(&self, space: Space, prefix: &[u8]) -> Scan<'_> {
        let Shared { engine, sealer, .. } = self.shared();
        Scan::new(engine, sealer, bounds_of_prefix(space, prefix))
    }

    /// The keys and values of `space` whose keys lie in `bounds`; `key..` goes on from a key.
    #[must_use]
    pub fn range<'k>(&self, space: Space, bounds: impl RangeBounds<&'k [u8]>) -> Scan<'_> {
        let Shared { engine, sealer, .. } = self.shared();
        Scan::new(engine, sealer, bounds_within(space, &bounds))
    }

    /// The keys of `space` that start with `prefix`, without opening the values.
    #[must_use]
    pub fn keys(&self, space: Space, prefix: &[u8]) -> Keys<'_> {
        Keys::new(&self.shared().engine, bounds_of_prefix(space, prefix))
    }

    /// The last key and value of `space` whose key starts with `prefix`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] or [`StoreError::Read`].
    pub fn last(&self, space: Space, prefix: &[u8]) -> Result<Option<KeyValue>, StoreError> {
        self.scan_prefix(space, prefix).next_back().transpose()
    }

    /// The last key of `space` that starts with `prefix`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] or [`StoreError::Read`].
    pub fn last_key(&self, space: Space, prefix: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.keys(space, prefix).next_back().transpose()
    }

    /// A keyed hash of `text`, to be used in a key in place of what identifies a person: the
    /// same for the same text in this store, and telling nothing without the store's key.
    #[must_use]
    pub fn token(&self, text: &[u8]) -> [u8; 16] {
        self.shared().sealer.token(text)
    }

    /// The last commit that is durable and visible.
    #[must_use]
    pub fn last_commit(&self) -> CommitNumber {
        CommitNumber::new(self.shared().commit.load(Ordering::Acquire))
    }

    /// Whether it accepts writes.
    #[must_use]
    pub fn condition(&self) -> Condition {
        match self.shared().trouble() {
            None => Condition::Ready,
            Some(StoreError::Full) => Condition::Full,
            Some(_) => Condition::Failed,
        }
    }

    /// Why it does not accept writes, with what to do.
    #[must_use]
    pub fn trouble(&self) -> Option<StoreError> {
        self.shared().trouble()
    }

    /// Reads everything and holds it against everything else. Commits wait meanwhile.
    ///
    /// # Errors
    /// [`OpenError::Io`] when the journal's files cannot be read at all; what is damaged is
    /// in the returned list.
    pub fn check(&self, progress: &mut dyn FnMut(Progress)) -> Result<Health, OpenError> {
        let (paused, is_paused) = mpsc::channel();
        let (_resume, resumed) = mpsc::channel();
        self.request(Request::Pause {
            paused,
            resume: resumed,
        });
        // If the writer is gone, nothing writes either.
        let _ = is_paused.recv();
        health::check(self.shared(), self.last_commit(), progress)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.requests = None;
        // The last handle can be one that a `commit_with` function held.
        let writer = self
            .writer
            .take()
            .filter(|writer| writer.thread().id() != thread::current().id());
        if let Some(writer) = writer {
            // A panic of the writer has been answered to those who waited for it.
            let _ = writer.join();
        }
    }
}
