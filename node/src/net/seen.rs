//! Where others see this node, exactly as they do.
//!
//! libp2p's identify behaviour takes a port that the node does not listen on for that of some
//! connection, and puts the node's own in its place. QUIC calls from the port that it listens on,
//! so another one is what an address translator has made of it, and the way through it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

/// The behaviour that tells the others, which make use of such addresses.
#[derive(Default)]
pub(super) struct Seen {
    told: VecDeque<Multiaddr>,
}

impl Seen {
    /// Another node says where it sees this one. Once the swarm is polled, it is passed on.
    pub(super) fn at(&mut self, address: Multiaddr) {
        if is_listener(&address) {
            self.told.push_back(address);
        }
    }
}

/// Whether an address is one of the port that this node listens on, if translated: that of QUIC,
/// and of nothing but an IP address and a port before it.
fn is_listener(address: &Multiaddr) -> bool {
    let parts: Vec<Protocol<'_>> = address.iter().collect();
    matches!(
        parts.as_slice(),
        [
            Protocol::Ip4(_) | Protocol::Ip6(_),
            Protocol::Udp(_),
            Protocol::QuicV1
        ]
    )
}

impl NetworkBehaviour for Seen {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
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

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        match self.told.pop_front() {
            Some(address) => Poll::Ready(ToSwarm::NewExternalAddrCandidate(address)),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_that_a_node_calls_and_listens_on_is_passed_on() {
        let seen = |text: &str| {
            let mut seen = Seen::default();
            seen.at(text.parse().unwrap());
            !seen.told.is_empty()
        };
        assert!(seen("/ip4/192.0.2.7/udp/4001/quic-v1"));
        assert!(seen("/ip6/2001:db8::7/udp/4001/quic-v1"));
        assert!(!seen("/ip4/192.0.2.7/tcp/4001"));
        assert!(!seen("/ip4/192.0.2.7/udp/4001/quic-v1/p2p-circuit"));
        let id = PeerId::random();
        assert!(!seen(&format!("/p2p/{id}")));
    }
}
