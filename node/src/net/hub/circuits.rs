//! Circuits: links through relays, for clinics that have no direct way to each other.
//!
//! While a node is connected with a relay that it knows, it asks the relay to let others call it
//! through there, and it calls others through there that it does not reach. Once a link goes
//! through a relay, the direct way is looked for again after ever longer whiles.

use std::time::Duration;

use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use super::{Hub, Peer};
use crate::net::backoff::Backoff;
use crate::net::path::{circuit, is_circuit};

/// Relays that are tried at once.
const MAX_RELAYS: usize = 4;
/// The longest wait before a relay that refused is asked again: its operator may add this clinic.
const MAX_ASK_AGAIN: Duration = Duration::from_secs(60 * 60);
/// The longest wait before a direct way is looked for again while a link goes through a relay: an
/// attempt costs some kilobytes, and a way that opens is mostly noticed otherwise.
pub(super) const MAX_SEEK_AGAIN: Duration = Duration::from_secs(6 * 60 * 60);

/// What stands between this node and a relay.
pub(super) struct Reservation {
    /// Where calls through it come in, or will once the relay has agreed.
    listener: Option<ListenerId>,
    backoff: Backoff,
    /// When to ask it again.
    pub(super) next: Option<Instant>,
}

impl Hub {
    /// Whether this node is to be called through relays: not where no link is kept, for nobody
    /// would find it there.
    fn is_callable_through_relays(&self) -> bool {
        self.options.circuits && !self.clinic.is_relay() && !self.options.heartbeat.is_zero()
    }

    /// Asks a relay that is connected directly to let others call this node through it.
    pub(super) fn reserve(&mut self, id: PeerId) {
        if !self.is_callable_through_relays() || !self.peers.get(&id).is_some_and(|p| p.is_relay) {
            return;
        }
        let Some(link) = self.links.direct(&id) else {
            return;
        };
        let min = self.options.reconnect_min;
        let reservation = self.reservations.entry(id).or_insert_with(|| Reservation {
            listener: None,
            backoff: Backoff::new(min, MAX_ASK_AGAIN),
            next: None,
        });
        reservation.next = None;
        if reservation.listener.is_some() {
            return;
        }
        match self.swarm.listen_on(circuit(&link.at, id, None)) {
            Ok(listener) => reservation.listener = Some(listener),
            Err(error) => tracing::warn!(%error, "a relay cannot be asked for calls"),
        }
    }

    /// Asks those relays again whose time has come.
    pub(super) fn reserve_due(&mut self) {
        let now = Instant::now();
        let all = self.reservations.iter();
        let due = all.filter(|(_, one)| one.next.is_some_and(|at| at <= now));
        let due: Vec<PeerId> = due.map(|(id, _)| *id).collect();
        for id in due {
            if let Some(reservation) = self.reservations.get_mut(&id) {
                reservation.next = None;
            }
            self.reserve(id);
        }
    }

    /// A relay lets others call this node.
    pub(super) fn reserved(&mut self, id: PeerId, is_renewal: bool) {
        if let Some(reservation) = self.reservations.get_mut(&id) {
            reservation.backoff.reset();
        }
        if is_renewal {
            return;
        }
        if let Some(relay) = self.peers.get(&id) {
            tracing::info!(relay = %relay.node, "others may call through a relay");
        }
        // There is a new way to those that were not reached.
        let is_apart = |peer: &Peer| {
            peer.clinic.is_some() && peer.session.is_none() && peer.dial.is_none() && !peer.resting
        };
        let apart = self.peers.values_mut().filter(|peer| is_apart(peer));
        apart.for_each(|peer| peer.next_dial = Some(Instant::now()));
    }

    /// Where calls came in, none do any more: the relay has refused, or the connection is closed.
    pub(super) fn listener_closed(&mut self, closed: ListenerId) {
        let mut all = self.reservations.iter_mut();
        let Some((id, reservation)) = all.find(|(_, one)| one.listener == Some(closed)) else {
            return;
        };
        reservation.listener = None;
        let wait = reservation.backoff.next(&mut rand::rng());
        reservation.next = Some(Instant::now() + wait);
        if let Some(relay) = self.peers.get(id) {
            tracing::debug!(relay = %relay.node, "nobody calls through a relay any more");
        }
    }

    /// Forgets what stood between this node and relays that are known no more.
    pub(super) fn forget_reservations(&mut self) {
        self.reservations
            .retain(|id, _| self.peers.get(id).is_some_and(|peer| peer.is_relay));
    }

    /// The relays through which a peer may be reached now.
    fn relays(&self, to: &PeerId) -> impl Iterator<Item = (&PeerId, &Peer, &Multiaddr)> {
        let is_used = self.options.circuits && !self.clinic.is_relay();
        let is_end = self.peers.get(to).is_none_or(|peer| peer.is_relay);
        let relays = self.peers.iter().filter(|(_, peer)| peer.is_relay);
        let connected = relays.filter_map(|(id, peer)| {
            let link = self.links.direct(id)?;
            Some((id, peer, &link.at))
        });
        connected
            .filter(move |_| is_used && !is_end)
            .take(MAX_RELAYS)
    }

    /// The addresses of a peer through relays; none where it is a relay itself.
    pub(super) fn circuits_to(&self, to: &PeerId) -> Vec<Multiaddr> {
        let relays = self.relays(to);
        relays
            .map(|(relay, _, at)| circuit(at, *relay, Some(*to)))
            .collect()
    }

    /// The names of those relays, for people.
    pub(super) fn relays_to(&self, to: &PeerId) -> String {
        let names: Vec<&str> = self.relays(to).map(|(_, peer, _)| &*peer.name).collect();
        match names.is_empty() {
            true => "a relay".to_owned(),
            false => names.join(", "),
        }
    }

    /// Plans when to look for a direct way, where the link goes through a relay.
    pub(super) fn plan_seeking(&mut self, id: PeerId) {
        let is_direct = self.links.direct(&id).is_some();
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if is_direct {
            peer.seeking.reset();
            peer.next_seek = None;
        } else if peer.by_circuit && !self.options.heartbeat.is_zero() {
            let wait = peer.seeking.next(&mut rand::rng());
            peer.next_seek = Some(Instant::now() + wait);
        }
    }

    /// The network of this node or of a peer has changed: a direct way may be open now.
    pub(super) fn seek_now(&mut self, id: PeerId) {
        let is_direct = self.links.direct(&id).is_some();
        if let Some(peer) = self.peers.get_mut(&id)
            && peer.by_circuit
            && peer.session.is_some()
            && !is_direct
        {
            peer.seeking.reset();
            peer.next_seek = Some(Instant::now());
        }
    }

    /// This node listens at an address. One through a relay is nothing that a card names: whoever
    /// knows the relay finds it, and nobody else may come that way.
    pub(super) fn listens_at(&mut self, address: Multiaddr) {
        if is_circuit(&address) {
            return;
        }
        if self.clinic.is_relay() && !is_loopback(&address) {
            self.swarm.add_external_address(address.clone());
        }
        self.board.addresses().add(address);
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        for id in peers {
            self.seek_now(id);
        }
    }

    /// A relay tells where it is reached, without which it passes nothing on: at its configured
    /// addresses and where it listens; on its own machine only where there is no other place.
    pub(super) fn announce(&mut self, bound: &[Multiaddr]) {
        if !self.clinic.is_relay() {
            return;
        }
        let external = self.options.external.iter();
        let external: Vec<Multiaddr> = external.filter_map(|text| text.parse().ok()).collect();
        external
            .into_iter()
            .for_each(|address| self.swarm.add_external_address(address));
        if self.swarm.external_addresses().next().is_none() {
            for address in bound {
                self.swarm.add_external_address(address.clone());
            }
        }
    }
}

fn is_loopback(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    }
}
