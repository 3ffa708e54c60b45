//! What a relay passes on of other nodes' links (circuit relay v2, `libp2p/specs/relay`).
//!
//! A circuit is a stream that is copied from one connection to another, encrypted from node to
//! node: the relay sees who talks with whom, how much, and when. It is there for known nodes, so
//! the limits that public relays need against strangers are not.

use std::time::{Duration, Instant};

use libp2p::{Multiaddr, PeerId, relay};

use super::known::Known;

/// How long a node may be called through this relay before it asks again. It asks when it connects
/// anew, and rarely otherwise, since it may pay by the byte. The answer holds the end by this
/// relay's clock, so this is long beside what clocks are wrong by.
const RESERVATION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// After how long a circuit ends. The nodes then make another one.
const MAX_CIRCUIT_DURATION: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Circuits carry whole charts: no limit, as the library understands it.
const MAX_CIRCUIT_BYTES: u64 = 0;
/// Nodes that may be called: more than a relay may hold connections with.
const MAX_RESERVATIONS: usize = 1024;
/// Circuits at once: each pair of a few dozen clinics.
const MAX_CIRCUITS: usize = 1024;
/// Circuits of one node: with as many clinics as one shares charts with.
const MAX_CIRCUITS_PER_PEER: usize = 64;

/// How circuits are passed on, for known nodes only.
pub(super) fn config(known: &Known) -> relay::Config {
    let admits = |known: &Known| {
        let known = known.clone();
        Box::new(move |peer: PeerId, _: &Multiaddr, _: Instant| known.contains(&peer))
    };
    relay::Config {
        max_reservations: MAX_RESERVATIONS,
        reservation_duration: RESERVATION,
        reservation_rate_limiters: vec![admits(known)],
        max_circuits: MAX_CIRCUITS,
        max_circuits_per_peer: MAX_CIRCUITS_PER_PEER,
        max_circuit_duration: MAX_CIRCUIT_DURATION,
        max_circuit_bytes: MAX_CIRCUIT_BYTES,
        circuit_src_rate_limiters: vec![admits(known)],
        ..relay::Config::default()
    }
}
