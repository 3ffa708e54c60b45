//! Waiting for a commit.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use futures::channel::oneshot;

use super::error::StoreError;

/// The number of a commit: they are counted from 1, without gaps. A repair counts anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitNumber(u64);

impl CommitNumber {
    pub(super) fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for CommitNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the writer answers.
pub(super) type Answer = Result<CommitNumber, StoreError>;

/// A commit that is on its way. Await it, or [`wait`](Self::wait) for it; dropping it does not
/// take the commit back.
#[must_use = "the commit is durable only when the ticket says so"]
pub struct Ticket(oneshot::Receiver<Answer>);

impl Ticket {
    pub(super) fn new() -> (oneshot::Sender<Answer>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(receiver))
    }

    /// Blocks the thread until the commit is durable and visible.
    ///
    /// # Errors
    /// Why it is not.
    pub fn wait(self) -> Result<CommitNumber, StoreError> {
        block_on(self)
    }
}

impl Future for Ticket {
    type Output = Result<CommitNumber, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|answer| answer.unwrap_or(Err(StoreError::Closed)))
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Parks the thread until `future` is done. Unlike the runtimes' own, it may be called within
/// a task: it then blocks its worker for the few milliseconds of a commit.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
