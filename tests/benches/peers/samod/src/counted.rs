//! A connection between two repositories of one process whose bytes are counted.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::BoxFuture;
use futures::{SinkExt, StreamExt};
use samod::{AcceptorHandle, DialError, Dialer, Transport};
use tokio::sync::watch;
use url::Url;

/// The bytes of the messages that went each way.
#[derive(Clone)]
pub(crate) struct Wire {
    there: Arc<AtomicU64>,
    back: Arc<AtomicU64>,
    messages: watch::Sender<u64>,
}

impl Default for Wire {
    fn default() -> Self {
        Self {
            there: Arc::default(),
            back: Arc::default(),
            messages: watch::Sender::new(0),
        }
    }
}

impl Wire {
    /// Waits until no message has come for so long.
    pub(crate) async fn quiet(&self, span: Duration) {
        let mut messages = self.messages.subscribe();
        while tokio::time::timeout(span, messages.changed()).await.is_ok() {}
    }

    /// Bytes to the acceptor, and back.
    pub(crate) fn bytes(&self) -> (u64, u64) {
        let read = |way: &AtomicU64| way.load(Ordering::Relaxed);
        (read(&self.there), read(&self.back))
    }

    fn count(&self, way: &AtomicU64, message: &[u8]) {
        way.fetch_add(message.len() as u64, Ordering::Relaxed);
        self.messages.send_modify(|messages| *messages += 1);
    }
}

/// Dials an acceptor of the same process.
pub(crate) struct Counted {
    acceptor: AcceptorHandle,
    wire: Wire,
}

impl Counted {
    pub(crate) fn new(acceptor: AcceptorHandle, wire: Wire) -> Self {
        Self { acceptor, wire }
    }
}

impl Dialer for Counted {
    type Error = Infallible;

    fn url(&self) -> Url {
        Url::parse("counted://river").unwrap()
    }

    fn connect(&self) -> BoxFuture<'static, Result<Transport, DialError<Infallible>>> {
        let (acceptor, wire) = (self.acceptor.clone(), self.wire.clone());
        Box::pin(async move {
            let (to_river, at_river) = mpsc::unbounded::<Vec<u8>>();
            let (to_hill, at_hill) = mpsc::unbounded::<Vec<u8>>();
            let (there, back) = (wire.clone(), wire);
            let at_river = at_river.map(move |message| {
                there.count(&there.there, &message);
                Ok::<_, Infallible>(message)
            });
            let at_hill = at_hill.map(move |message| {
                back.count(&back.back, &message);
                Ok::<_, Infallible>(message)
            });
            let to_hill = to_hill.sink_map_err(std::io::Error::other);
            let to_river = to_river.sink_map_err(std::io::Error::other);
            acceptor
                .accept(Transport::new(at_river, to_hill))
                .map_err(DialError::transient)?;
            Ok(Transport::new(at_hill, to_river))
        })
    }
}
