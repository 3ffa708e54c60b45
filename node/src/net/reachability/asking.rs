//! Asks relays to call this node, seldom.

use std::task::{Context, Poll, ready};
use std::time::Duration;

use libp2p::autonat::v2::client;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use rand::rngs::StdRng;

/// Tests from one start to the next. The library makes one again that broke off, as all do where a
/// router swallows the call.
const MAX_TESTS: u32 = 8;
/// How often addresses that are not tested yet are looked for: the first time once a relay is
/// connected.
const TEST_INTERVAL: Duration = Duration::from_secs(30);

/// The node's side.
pub(in crate::net) struct Asking {
    inner: client::Behaviour,
    left: u32,
}

impl Asking {
    pub(in crate::net) fn new() -> Self {
        let config = client::Config::default()
            .with_max_candidates(1)
            .with_probe_interval(TEST_INTERVAL);
        Self {
            inner: client::Behaviour::new(rand::make_rng::<StdRng>(), config),
            left: MAX_TESTS,
        }
    }
}

impl NetworkBehaviour for Asking {
    type ConnectionHandler = THandler<client::Behaviour>;
    type ToSwarm = client::Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let inner = &mut self.inner;
        inner.handle_established_inbound_connection(connection, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let inner = &mut self.inner;
        inner.handle_established_outbound_connection(connection, peer, address, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        self.inner.on_swarm_event(event);
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        let inner = &mut self.inner;
        inner.on_connection_handler_event(peer, connection, event);
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            let event = ready!(self.inner.poll(context));
            // The only thing that it tells a connection is to make a test.
            if !matches!(event, ToSwarm::NotifyHandler { .. }) {
                return Poll::Ready(event);
            }
            if let Some(left) = self.left.checked_sub(1) {
                self.left = left;
                return Poll::Ready(event);
            }
        }
    }
}
