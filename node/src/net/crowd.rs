//! How many may stand at the door: connections whose handshake is not over, and those of strangers.
//!
//! Whoever reaches a node can begin connections and say nothing, or connect under keys of the
//! moment. Neither may keep out those who are known: what has not shown who it is has places of its
//! own, few for one address, and others for each transport; and strangers never take the places
//! that are there for known nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;
use thiserror::Error;

use super::path::is_circuit;

/// Handshakes under way by one transport: an hour's arrivals of a relay with a thousand clinics
/// after a power cut, and some 10 MB.
const MAX_HANDSHAKES: usize = 512;
/// Handshakes under way of one address by one transport: clinics that share one behind a
/// translator, each with a few attempts.
const MAX_HANDSHAKES_OF_ADDRESS: usize = 16;
/// The share of the places of known nodes that strangers have beside them: they have come to be
/// told that they are not known, and are gone a moment later.
const STRANGERS_SHARE: u32 = 4;

/// There is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Crowded {
    /// By this transport, or of this address.
    #[error("too many connections are being made")]
    Handshakes,
    /// Of those who are not known.
    #[error("too many nodes that are not known are connected")]
    Strangers,
}

/// By what a connection comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Transport {
    Quic,
    Tcp,
    Circuit,
}

/// Who stands at the door.
#[derive(Debug)]
pub(super) struct Crowd {
    handshakes: BTreeMap<ConnectionId, (Transport, Option<IpAddr>)>,
    strangers: BTreeSet<ConnectionId>,
    most_strangers: usize,
}

impl Crowd {
    /// A door beside so many places for known nodes.
    pub(super) fn beside(places: u32) -> Self {
        Self {
            handshakes: BTreeMap::new(),
            strangers: BTreeSet::new(),
            most_strangers: usize::try_from(strangers_beside(places)).unwrap_or(usize::MAX),
        }
    }

    /// A connection begins.
    pub(super) fn knocks(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), Crowded> {
        let (transport, origin) = (transport_of(local), origin_of(remote));
        let same = self.handshakes.values().filter(|(by, _)| *by == transport);
        let (mut all, mut of_address) = (0, 0);
        for (_, from) in same {
            all += 1;
            of_address += usize::from(origin.is_some() && *from == origin);
        }
        if all >= MAX_HANDSHAKES || of_address >= MAX_HANDSHAKES_OF_ADDRESS {
            return Err(Crowded::Handshakes);
        }
        self.handshakes.insert(id, (transport, origin));
        Ok(())
    }

    /// It has shown whose it is.
    pub(super) fn enters(&mut self, id: ConnectionId, is_known: bool) -> Result<(), Crowded> {
        self.handshakes.remove(&id);
        if is_known {
            return Ok(());
        }
        if self.strangers.len() >= self.most_strangers {
            return Err(Crowded::Strangers);
        }
        self.strangers.insert(id);
        Ok(())
    }

    /// It has ended, or never came to be.
    pub(super) fn leaves(&mut self, id: ConnectionId) {
        self.handshakes.remove(&id);
        self.strangers.remove(&id);
    }
}

/// How many strangers may be connected beside so many places for known nodes.
pub(super) fn strangers_beside(places: u32) -> u32 {
    (places / STRANGERS_SHARE).max(STRANGERS_SHARE)
}

fn transport_of(local: &Multiaddr) -> Transport {
    if is_circuit(local) {
        return Transport::Circuit;
    }
    let is_tcp = local.iter().any(|part| matches!(part, Protocol::Tcp(_)));
    match is_tcp {
        true => Transport::Tcp,
        false => Transport::Quic,
    }
}

/// The address that a connection comes from; of IPv6 the network, for a host has as many addresses
/// as it likes. Through a relay everybody comes from the relay's.
fn origin_of(remote: &Multiaddr) -> Option<IpAddr> {
    if is_circuit(remote) {
        return None;
    }
    remote.iter().find_map(|part| {
        if let Protocol::Ip4(address) = part {
            return Some(IpAddr::V4(address));
        }
        let Protocol::Ip6(address) = part else {
            return None;
        };
        let [a, b, c, d, ..] = address.segments();
        Some(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUIC: &str = "/ip4/192.0.2.1/udp/4001/quic-v1";
    const TCP: &str = "/ip4/192.0.2.1/tcp/4001";

    fn id(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    fn knock(crowd: &mut Crowd, number: usize, local: &str, remote: &str) -> Result<(), Crowded> {
        crowd.knocks(
            id(number),
            &local.parse().unwrap(),
            &remote.parse().unwrap(),
        )
    }

    #[test]
    fn one_address_cannot_keep_others_out_nor_itself_by_another_transport() {
        let mut crowd = Crowd::beside(64);
        let from = |port: usize| format!("/ip4/203.0.113.9/tcp/{port}");
        for number in 0..MAX_HANDSHAKES_OF_ADDRESS {
            assert_eq!(knock(&mut crowd, number, TCP, &from(number + 1)), Ok(()));
        }
        let more = knock(&mut crowd, 100, TCP, &from(999));
        assert_eq!(more, Err(Crowded::Handshakes));
        assert_eq!(
            knock(&mut crowd, 101, TCP, "/ip4/203.0.113.10/tcp/1"),
            Ok(())
        );
        assert_eq!(
            knock(&mut crowd, 102, QUIC, "/ip4/203.0.113.9/udp/1/quic-v1"),
            Ok(())
        );
        // One that ends makes room.
        crowd.leaves(id(0));
        assert_eq!(knock(&mut crowd, 103, TCP, &from(999)), Ok(()));
    }

    #[test]
    fn many_addresses_of_one_network_are_one_and_of_many_networks_are_bounded() {
        let mut crowd = Crowd::beside(64);
        let host =
            |network: usize, host: usize| format!("/ip6/2001:db8:0:{network:x}::{host:x}/tcp/1");
        for number in 0..MAX_HANDSHAKES_OF_ADDRESS {
            assert_eq!(knock(&mut crowd, number, TCP, &host(1, number + 1)), Ok(()));
        }
        assert!(knock(&mut crowd, 500, TCP, &host(1, 999)).is_err());
        for number in MAX_HANDSHAKES_OF_ADDRESS..MAX_HANDSHAKES {
            let from = host(number, 1);
            assert_eq!(knock(&mut crowd, 1000 + number, TCP, &from), Ok(()));
        }
        assert!(knock(&mut crowd, 5000, TCP, &host(5000, 1)).is_err());
        assert_eq!(
            knock(&mut crowd, 5001, QUIC, "/ip4/203.0.113.9/udp/1/quic-v1"),
            Ok(())
        );
    }

    #[test]
    fn strangers_take_no_place_of_who_is_known() {
        let mut crowd = Crowd::beside(64);
        for number in 0..16 {
            assert_eq!(crowd.enters(id(number), false), Ok(()));
        }
        assert_eq!(crowd.enters(id(16), false), Err(Crowded::Strangers));
        for number in 20..100 {
            assert_eq!(crowd.enters(id(number), true), Ok(()));
        }
        crowd.leaves(id(3));
        assert_eq!(crowd.enters(id(17), false), Ok(()));
        assert_eq!(strangers_beside(1), STRANGERS_SHARE);
    }
}
