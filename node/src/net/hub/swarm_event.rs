//! What the swarm tells, and what the hub does about it.

use libp2p::swarm::{ConnectionError, ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, mdns};
use tokio::time::Instant;

use super::{Hub, MAX_ADDRESSES, Peer};
use crate::net::transport::BehaviourEvent;

/// Connections that are kept with one peer: one that each side has dialled.
const MAX_CONNECTIONS: usize = 2;

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
            } => {
                self.keep_few(id, connection_id);
                if let Some(peer) = self.peers.get_mut(&id) {
                    // Our own dial goes on beside a connection that came in.
                    peer.dialling &= !endpoint.is_dialer();
                    peer.outdated &= peer.dialling;
                    let (node, ready) = (peer.node, peer.session.is_none() && !peer.opening);
                    self.board.path(node, endpoint.get_remote_address());
                    if endpoint.is_dialer() && ready {
                        self.open(id);
                    }
                }
            }
            SwarmEvent::ConnectionClosed {
                peer_id: id,
                connection_id,
                num_established,
                cause,
                ..
            } => {
                self.forget_connection(id, connection_id);
                // A session that runs ends by itself when its stream breaks, and a dial of ours
                // tells what became of it.
                let idle = |peer: &Peer| peer.session.is_none() && !peer.opening && !peer.dialling;
                if num_established == 0 && self.peers.get(&id).is_some_and(idle) {
                    self.lost(id, closed_because(cause.as_ref()));
                }
            }
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(id),
                error,
                ..
            } => {
                if let Some(peer) = self.peers.get_mut(&id) {
                    peer.dialling = false;
                    if std::mem::take(&mut peer.outdated) {
                        peer.next_dial = Some(Instant::now());
                        return;
                    }
                }
                // Where a connection came in meanwhile, the stream goes over that one.
                if self.swarm.is_connected(&id) {
                    self.lost(id, dial_failed_because(&error));
                } else {
                    self.failed(id, dial_failed_because(&error));
                }
            }
            SwarmEvent::NewListenAddr { address, .. } => self.board.addresses().add(address),
            SwarmEvent::ExpiredListenAddr { address, .. } => {
                self.board.addresses().remove(&address);
            }
            SwarmEvent::Behaviour(BehaviourEvent::Mdns(mdns::Event::Discovered(found))) => {
                for (id, address) in found {
                    self.discovered(id, address);
                }
            }
            // Everything else changes nothing that the node acts on.
            _ => {}
        }
    }

    /// Of many connections with one peer the oldest ones are of a node that was killed and started
    /// again: they look alive for a while, and would keep new ones out.
    fn keep_few(&mut self, id: PeerId, new: ConnectionId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.connections.push(new);
        while peer.connections.len() > MAX_CONNECTIONS {
            let oldest = peer.connections.remove(0);
            self.swarm.close_connection(oldest);
        }
    }

    fn forget_connection(&mut self, id: PeerId, closed: ConnectionId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.connections.retain(|one| *one != closed);
        }
    }

    /// A known clinic's node was seen on the local network.
    fn discovered(&mut self, id: PeerId, address: Multiaddr) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if !peer.addresses.contains(&address) && peer.addresses.len() < MAX_ADDRESSES {
            peer.addresses.push(address);
        }
        if peer.session.is_none() && !peer.dialling && peer.clinic.is_some() {
            peer.next_dial = Some(Instant::now());
        }
    }
}

fn closed_because(cause: Option<&ConnectionError>) -> String {
    let Some(cause) = cause else {
        return "the connection was closed".to_owned();
    };
    let text = cause.to_string();
    // So QUIC says that the other side ended it as one does that is done (RFC 9000 §10.2).
    if text.ends_with("closed by peer: 0") {
        return "the other node ended the connection".to_owned();
    }
    text
}

/// One line a person can act on: libp2p's own text runs over several.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other reasons have a text of one line"
)]
fn dial_failed_because(error: &DialError) -> String {
    match error {
        DialError::WrongPeerId { .. } => {
            "another node answers at this address: ask the clinic for its new card".to_owned()
        }
        DialError::Transport(attempts) => {
            let tried: Vec<String> = attempts
                .iter()
                .map(|(address, _)| address.to_string())
                .collect();
            format!("no answer at {}", tried.join(", "))
        }
        DialError::NoAddresses => "no address of this clinic is known".to_owned(),
        other => other.to_string(),
    }
}
