//! A transport that waits before it dials, so that another one may win the race.
//!
//! All addresses of a peer are dialled at once, and the first connection is kept. On a link that
//! works, TCP often answers as fast as QUIC; but after a cut, TCP is silent for up to twice as long
//! as the cut took, and QUIC answers within seconds. So TCP dials a little later.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use libp2p::Multiaddr;
use libp2p::core::Transport;
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};

/// A transport whose dials begin later; it listens as the one inside does.
pub(super) struct Later<T> {
    inner: T,
    delay: Duration,
}

impl<T> Later<T> {
    /// Dials begin so much later.
    pub(super) fn new(inner: T, delay: Duration) -> Self {
        Self { inner, delay }
    }
}

impl<T> Transport for Later<T>
where
    T: Transport + Unpin,
    T::Dial: Send + 'static,
    T::Output: 'static,
    T::Error: 'static,
{
    type Output = T::Output;
    type Error = T::Error;
    type ListenerUpgrade = T::ListenerUpgrade;
    type Dial = BoxFuture<'static, Result<T::Output, T::Error>>;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<Self::Error>> {
        self.inner.listen_on(id, address)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner.remove_listener(id)
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<Self::Error>> {
        let dial = self.inner.dial(address, options)?;
        let delay = self.delay;
        Ok(Box::pin(async move {
            tokio::time::sleep(delay).await;
            dial.await
        }))
    }

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, Self::Error>> {
        Pin::new(&mut self.inner).poll(context)
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use libp2p::core::Endpoint;
    use libp2p::core::transport::{MemoryTransport, PortUse};

    use super::*;

    const DELAY: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn a_dial_begins_after_the_delay_and_arrives() {
        let mut listening = Later::new(MemoryTransport::new(), DELAY).boxed();
        let address: Multiaddr = "/memory/7301".parse().unwrap();
        listening
            .listen_on(ListenerId::next(), address.clone())
            .unwrap();
        let mut dialling = Later::new(MemoryTransport::new(), DELAY);
        let options = DialOpts {
            role: Endpoint::Dialer,
            port_use: PortUse::New,
        };
        let begun = tokio::time::Instant::now();
        let dial = dialling.dial(address, options).unwrap();
        let incoming = async {
            loop {
                let event = listening.select_next_some().await;
                if let Some((upgrade, _)) = event.into_incoming() {
                    break upgrade.await.unwrap();
                }
            }
        };
        let (dialled, _incoming) = tokio::join!(dial, incoming);
        dialled.unwrap();
        assert!(begun.elapsed() >= DELAY);
    }
}
