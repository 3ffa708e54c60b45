//! The peers that the hub knows: those of the clinic's list, and whoever opened a stream.

use chartmesh_protocol::NodeId;
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::circuits::MAX_SEEK_AGAIN;
use super::{Hub, MAX_ADDRESSES, Peer};
use crate::net::backoff::Backoff;
use crate::net::path::is_circuit;
use crate::net::peer_id;

impl Hub {
    /// Takes over the known clinics: new ones are dialled at once, removed ones are cut off.
    pub(super) fn read_peers(&mut self) {
        self.peer_list = self.clinic.peer_list();
        let known = self.clinic.known_peers();
        let mut outdated = Vec::new();
        let mut keep = Vec::new();
        for card in known {
            let Ok(id) = peer_id(&card.node) else {
                continue;
            };
            keep.push(id);
            let addresses = card
                .addresses
                .iter()
                .filter_map(|text| text.parse().ok())
                // Through which relays it is called, this node decides by what it knows of them.
                .filter(|address| !is_circuit(address))
                .take(MAX_ADDRESSES)
                .collect::<Vec<Multiaddr>>();
            let peer = self.peer(id, card.node);
            peer.clinic = Some(card.clinic);
            peer.is_relay = card.is_relay();
            peer.name.clone_from(&card.name);
            let is_new = addresses.iter().any(|new| !peer.addresses.contains(new));
            if let Some(dial) = peer.dial.as_mut().filter(|_| is_new) {
                dial.outdated = true;
                outdated.push(id);
            }
            peer.addresses = addresses;
            if peer.session.is_none() && peer.dial.is_none() && !peer.addresses.is_empty() {
                peer.next_dial = Some(Instant::now());
            }
            self.board.name(card.node, card.clinic, &card.name);
            if is_new {
                self.seek_now(id);
            }
            self.reserve(id);
        }
        self.known.replace(keep.iter().copied().collect());
        for id in outdated {
            // A dial that nobody answers would go on for a minute. Its end is told of, and the
            // new addresses are tried then. Where the peer has called meanwhile, that is enough.
            if !self.swarm.is_connected(&id) {
                let _ = self.swarm.disconnect_peer_id(id);
            }
        }
        let gone: Vec<PeerId> = self
            .peers
            .iter()
            .filter(|(id, peer)| peer.clinic.is_some() && !keep.contains(id))
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            if let Some(peer) = self.peers.remove(&id) {
                self.board.forget(peer.node);
                // Dropping the handle ends the session.
                drop(peer.session);
            }
            let _ = self.swarm.disconnect_peer_id(id);
        }
        self.forget_reservations();
    }

    pub(super) fn peer(&mut self, id: PeerId, node: NodeId) -> &mut Peer {
        let (min, max) = (self.options.reconnect_min, self.options.reconnect_max);
        let backoff = Backoff::new(min, max);
        let seeking = Backoff::new(max, MAX_SEEK_AGAIN);
        self.peers.entry(id).or_insert_with(|| Peer {
            node,
            clinic: None,
            name: String::new(),
            is_relay: false,
            addresses: Vec::new(),
            backoff,
            next_dial: None,
            dial: None,
            opening: false,
            resting: false,
            lost: 0,
            session: None,
            by_circuit: false,
            is_outdone: false,
            seeking,
            next_seek: None,
            waiting: Vec::new(),
        })
    }
}
