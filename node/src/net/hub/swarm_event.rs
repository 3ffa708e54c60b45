//! What the swarm tells, and what the hub does about it.

use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, autonat, identify, mdns, relay};
use tokio::time::Instant;

use super::{Hub, MAX_ADDRESSES};
use crate::net::path::is_circuit;
use crate::net::transport::BehaviourEvent;

impl Hub {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "libp2p tells of much that the node need not act on"
    )]
    pub(super) fn swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished {
                peer_id: id,
                connection_id,
                endpoint,
                ..
            } => self.connected(id, connection_id, &endpoint),
            SwarmEvent::ConnectionClosed {
                peer_id: id,
                connection_id,
                num_established,
                cause,
                ..
            } => self.disconnected(id, connection_id, num_established, cause.as_ref()),
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(id),
                connection_id,
                error,
                ..
            } => self.dial_failed(id, connection_id, &error),
            SwarmEvent::NewListenAddr { address, .. } => self.listens_at(address),
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.board.addresses().remove(&address);
                self.swarm.remove_external_address(&address);
            }
            SwarmEvent::ListenerClosed { listener_id, .. } => self.listener_closed(listener_id),
            SwarmEvent::Behaviour(BehaviourEvent::Circuits(event)) => self.circuit_event(event),
            SwarmEvent::Behaviour(BehaviourEvent::HolePunching(event)) => {
                let result = event.result.map(|_| ());
                tracing::debug!(peer = %event.remote_peer_id, ?result, "a direct way was sought");
            }
            SwarmEvent::Behaviour(BehaviourEvent::Relay(event)) => {
                tracing::debug!(?event, "passing links on");
            }
            // A stranger may say anything, and others would be sent there.
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                peer_id: id,
                info,
                ..
            })) if self.known.contains(&id) => {
                self.swarm.behaviour_mut().seen.at(info.observed_addr);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Asking(event)) => self.tested(&event),
            SwarmEvent::Behaviour(BehaviourEvent::Mdns(mdns::Event::Discovered(found))) => {
                for (id, address) in found {
                    self.discovered(id, address);
                }
            }
            // Everything else changes nothing that the node acts on.
            _ => {}
        }
    }

    /// A known clinic's node was seen on the local network.
    fn discovered(&mut self, id: PeerId, address: Multiaddr) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let has_room = peer.addresses.len() < MAX_ADDRESSES && !is_circuit(&address);
        let is_new = has_room && !peer.addresses.contains(&address);
        if is_new {
            peer.addresses.push(address);
        }
        if peer.session.is_none() && peer.dial.is_none() && peer.clinic.is_some() {
            peer.next_dial = Some(Instant::now());
        }
        if is_new {
            self.seek_now(id);
        }
    }

    /// A relay has called this node at an address, or has tried to.
    fn tested(&self, event: &autonat::v2::client::Event) {
        let (address, bytes) = (&event.tested_addr, event.bytes_sent);
        match &event.result {
            Ok(()) => {
                tracing::info!(%address, bytes, "others reach this node here");
                self.board.addresses().add(address.clone());
            }
            Err(reason) => {
                tracing::info!(%address, bytes, %reason, "nobody reaches this node here")
            }
        }
    }

    fn circuit_event(&mut self, event: relay::client::Event) {
        if let relay::client::Event::ReservationReqAccepted {
            relay_peer_id,
            renewal,
            ..
        } = event
        {
            self.reserved(relay_peer_id, renewal);
        }
    }
}
