//! The ways that lead to a node: directly, or through a relay.
//!
//! ```text
//! /ip4/192.0.2.7/udp/4001/quic-v1                                     direct
//! /ip4/192.0.2.7/udp/4001/quic-v1/p2p/RELAY/p2p-circuit/p2p/NODE      through RELAY
//! ```
//!
//! A direct connection is the better one, but for one case: where the other side has come through a
//! relay, it has found no direct way, so what looks like one from here may be dead.

use std::collections::BTreeMap;

use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};

/// Connections of one kind that are kept with one peer: one that each side has dialled.
const MAX_OF_A_KIND: usize = 2;

/// Whether an address leads through a relay.
pub(super) fn is_circuit(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// The address without the name of a node at its end.
fn without_name(address: &Multiaddr) -> Multiaddr {
    let mut address = address.clone();
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

/// The address of a node through a relay that is connected at `at`; of this node, so that others
/// come to it, where no node is named.
pub(super) fn circuit(at: &Multiaddr, relay: PeerId, to: Option<PeerId>) -> Multiaddr {
    let circuit = without_name(at)
        .with(Protocol::P2p(relay))
        .with(Protocol::P2pCircuit);
    match to {
        Some(node) => circuit.with(Protocol::P2p(node)),
        None => circuit,
    }
}

/// Whether this side is the one that opens the sync stream on a new connection: the one that
/// dialled it. Where both did, to get through address translators, they have agreed who counts as
/// the one that was dialled.
pub(super) fn is_opener(endpoint: &ConnectedPoint) -> bool {
    match endpoint {
        ConnectedPoint::Dialer { role_override, .. } => *role_override == Endpoint::Dialer,
        ConnectedPoint::Listener { .. } => false,
    }
}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) id: ConnectionId,
    /// Where the other end is; the relay, where it is reached through one.
    pub(super) at: Multiaddr,
    pub(super) way: Way,
}

/// Which way a connection takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From node to node.
    Direct,
    /// Through a relay: which one, where the address says so, and whether this side has dialled.
    Circuit { relay: Option<PeerId>, ours: bool },
}

impl Link {
    pub(super) fn new(id: ConnectionId, endpoint: &ConnectedPoint) -> Self {
        let (at, ours) = match endpoint {
            ConnectedPoint::Dialer { address, .. } => (address, true),
            ConnectedPoint::Listener {
                local_addr,
                send_back_addr,
            } if is_circuit(send_back_addr) || !is_circuit(local_addr) => (send_back_addr, false),
            ConnectedPoint::Listener { local_addr, .. } => (local_addr, false),
        };
        if !is_circuit(at) {
            let (at, way) = (without_name(at), Way::Direct);
            return Self { id, at, way };
        }
        let before = at.iter().take_while(|part| *part != Protocol::P2pCircuit);
        let before: Multiaddr = before.collect();
        let relay = match before.iter().last() {
            Some(Protocol::P2p(relay)) => Some(relay),
            _ => None,
        };
        let (at, way) = (without_name(&before), Way::Circuit { relay, ours });
        Self { id, at, way }
    }

    pub(super) fn is_direct(&self) -> bool {
        self.way == Way::Direct
    }
}

/// All connections, of each peer the oldest first.
#[derive(Debug, Default)]
pub(super) struct Links(BTreeMap<PeerId, Vec<Link>>);

impl Links {
    /// Takes a new connection in, and says which ones are to be closed: of many with one peer the
    /// oldest are of a node that was killed and started again, and look alive for a while; and a
    /// way through a relay is given up for a direct one.
    pub(super) fn add(&mut self, peer: PeerId, new: Link) -> Vec<ConnectionId> {
        let links = self.0.entry(peer).or_default();
        let gives_up_circuits = match new.way {
            Way::Direct => true,
            Way::Circuit { ours, .. } => ours && links.iter().any(Link::is_direct),
        };
        links.push(new);
        let mut direct = MAX_OF_A_KIND;
        let mut circuits = if gives_up_circuits { 0 } else { MAX_OF_A_KIND };
        let mut closed = Vec::new();
        for link in links.iter().rev() {
            let kept = if link.is_direct() {
                &mut direct
            } else {
                &mut circuits
            };
            if *kept == 0 {
                closed.push(link.id);
            }
            *kept = kept.saturating_sub(1);
        }
        closed
    }

    /// Forgets a connection that is closed, and returns it.
    pub(super) fn remove(&mut self, peer: &PeerId, id: ConnectionId) -> Option<Link> {
        let links = self.0.get_mut(peer)?;
        let index = links.iter().position(|link| link.id == id)?;
        let link = links.remove(index);
        if links.is_empty() {
            self.0.remove(peer);
        }
        Some(link)
    }

    /// The newest direct connection.
    pub(super) fn direct(&self, peer: &PeerId) -> Option<&Link> {
        self.of(peer).iter().rfind(|link| link.is_direct())
    }

    /// The newest connection, which is the one that works if any does.
    pub(super) fn newest(&self, peer: &PeerId) -> Option<&Link> {
        self.of(peer).last()
    }

    /// All connections but the newest.
    pub(super) fn older(&self, peer: &PeerId) -> Vec<ConnectionId> {
        let older = self
            .of(peer)
            .split_last()
            .map_or(&[][..], |(_, older)| older);
        older.iter().map(|link| link.id).collect()
    }

    /// The connections through relays.
    pub(super) fn circuits(&self, peer: &PeerId) -> Vec<ConnectionId> {
        let circuits = self.of(peer).iter().filter(|link| !link.is_direct());
        circuits.map(|link| link.id).collect()
    }

    /// The peer that is connected directly at this address, such as the relay of a circuit.
    pub(super) fn peer_at(&self, at: &Multiaddr) -> Option<PeerId> {
        let is_there = |link: &Link| link.is_direct() && link.at == *at;
        let mut all = self.0.iter();
        let found = all.find(|(_, links)| links.iter().any(is_there));
        found.map(|(peer, _)| *peer)
    }

    fn of(&self, peer: &PeerId) -> &[Link] {
        self.0.get(peer).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use libp2p::core::transport::PortUse;

    use super::*;

    const AT: &str = "/ip4/192.0.2.7/udp/4001/quic-v1";

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    fn id(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    fn dialled(to: &str, role_override: Endpoint) -> ConnectedPoint {
        ConnectedPoint::Dialer {
            address: address(to),
            role_override,
            port_use: PortUse::Reuse,
        }
    }

    fn link(number: usize, way: Way) -> Link {
        let (id, at) = (id(number), address(AT));
        Link { id, at, way }
    }

    fn through(ours: bool) -> Way {
        Way::Circuit { relay: None, ours }
    }

    /// What is closed when these come one after another, the first as connection 0.
    fn closed(ways: &[Way]) -> Vec<Vec<ConnectionId>> {
        let (mut links, peer) = (Links::default(), PeerId::random());
        let mut closed = Vec::new();
        for (number, way) in ways.iter().enumerate() {
            let now = links.add(peer, link(number, *way));
            for id in &now {
                links.remove(&peer, *id).unwrap();
            }
            closed.push(now);
        }
        closed
    }

    #[test]
    fn a_way_through_a_relay_is_given_up_for_a_direct_one() {
        for ours in [true, false] {
            assert_eq!(closed(&[through(ours), Way::Direct]), [vec![], vec![id(0)]]);
        }
        assert_eq!(
            closed(&[Way::Direct, through(true)]),
            [vec![], vec![id(1)]],
            "it came too late"
        );
    }

    #[test]
    fn who_came_through_a_relay_found_no_direct_way() {
        assert_eq!(closed(&[Way::Direct, through(false)]), [vec![], vec![]]);
    }

    #[test]
    fn of_many_connections_the_newest_are_kept() {
        let direct = [Way::Direct; 4];
        assert_eq!(closed(&direct), [vec![], vec![], vec![id(0)], vec![id(1)]]);
        let circuits = [through(true), through(false), through(true)];
        assert_eq!(closed(&circuits), [vec![], vec![], vec![id(0)]]);
    }

    #[test]
    fn a_direct_connection_outlives_circuits_that_come_after_it() {
        let ways = [Way::Direct, through(false), through(false), through(false)];
        assert_eq!(closed(&ways), [vec![], vec![], vec![], vec![id(1)]]);
    }

    #[test]
    fn the_relay_of_a_circuit_is_known_by_its_name_or_its_address() {
        let (relay, node) = (PeerId::random(), PeerId::random());
        let there = circuit(&address(AT), relay, Some(node));
        assert_eq!(
            there.to_string(),
            format!("{AT}/p2p/{relay}/p2p-circuit/p2p/{node}")
        );
        let link = Link::new(id(1), &dialled(&there.to_string(), Endpoint::Dialer));
        assert_eq!(link.at, address(AT));
        let (relay, ours) = (Some(relay), true);
        assert_eq!(link.way, Way::Circuit { relay, ours });

        let mut links = Links::default();
        let relay = PeerId::random();
        let at = format!("{AT}/p2p/{relay}");
        links.add(relay, Link::new(id(2), &dialled(&at, Endpoint::Dialer)));
        let came = ConnectedPoint::Listener {
            local_addr: address(&format!("{AT}/p2p-circuit")),
            send_back_addr: address(&format!("/p2p/{node}")),
        };
        let link = Link::new(id(3), &came);
        assert_eq!(link.way, through(false));
        assert_eq!(links.peer_at(&link.at), Some(relay));
    }

    #[test]
    fn one_side_of_each_connection_opens_the_stream() {
        let came = ConnectedPoint::Listener {
            local_addr: address(AT),
            send_back_addr: address(AT),
        };
        assert!(is_opener(&dialled(AT, Endpoint::Dialer)));
        assert!(!is_opener(&came));
        // Both sides dialled.
        assert!(!is_opener(&dialled(AT, Endpoint::Listener)));
    }
}
