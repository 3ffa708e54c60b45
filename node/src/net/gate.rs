//! Lets connections through a relay in from known nodes only, and of others so many that those who
//! are known always find a place.
//!
//! Whoever reaches a node directly may connect, and gets nothing without a grant. A relay could
//! bring anybody to a node that nobody reaches directly, and have it seek a direct way to wherever
//! that one says, so nobody is let in that way who is not known.

use std::convert::Infallible;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};
use thiserror::Error;

use super::crowd::Crowd;
use super::known::Known;
use super::path::is_circuit;

/// Who came through a relay is not known.
#[derive(Debug, Error)]
#[error("a node that is not known came through a relay")]
struct NotKnown;

/// The behaviour that refuses them.
pub(super) struct Gate {
    known: Known,
    crowd: Crowd,
}

impl Gate {
    /// Lets these in, for whom there are so many places.
    pub(super) fn new(known: Known, places: u32) -> Self {
        Self {
            known,
            crowd: Crowd::beside(places),
        }
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let knocks = self.crowd.knocks(id, local, remote);
        knocks.map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let is_known = self.known.contains(&peer);
        if is_circuit(local) && !is_known {
            return Err(ConnectionDenied::new(NotKnown));
        }
        let enters = self.crowd.enters(id, is_known);
        enters.map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "libp2p tells of much that the gate need not act on"
    )]
    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ListenFailure(failure) => self.crowd.leaves(failure.connection_id),
            FromSwarm::ConnectionClosed(closed) => self.crowd.leaves(closed.connection_id),
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_known_comes_directly_or_not_at_all() {
        let (known, stranger) = (PeerId::random(), PeerId::random());
        let list = Known::default();
        list.replace([known].into());
        let mut gate = Gate::new(list, 64);
        let mut enters = |peer: PeerId, local: &str| {
            let (local, remote) = (local.parse().unwrap(), Multiaddr::empty());
            let id = ConnectionId::new_unchecked(1);
            let entered = gate.handle_established_inbound_connection(id, peer, &local, &remote);
            entered.is_ok()
        };
        let circuit = "/ip4/192.0.2.7/udp/4001/quic-v1/p2p-circuit";
        assert!(enters(known, circuit));
        assert!(!enters(stranger, circuit));
        assert!(enters(stranger, "/ip4/192.0.2.7/udp/4001/quic-v1"));
    }
}
