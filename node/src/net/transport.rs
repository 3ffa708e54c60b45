//! The transports under the sync stream: QUIC, and TCP with Noise and Yamux.
//!
//! Default timeouts suit a data centre. A link of 64 kbit/s and 600 ms needs longer ones, and a
//! connection has to outlive a cut of a minute, so all of them are set here.

use std::time::Duration;

use libp2p::core::{Transport, upgrade};
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{Swarm, SwarmBuilder, connection_limits, dcutr, identify, identity, mdns, noise};
use libp2p::{ping, relay, tcp, yamux};
use libp2p_stream as stream;

use super::crowd::strangers_beside;
use super::gate::Gate;
use super::head_start::Later;
use super::known::Known;
use super::reachability::{Answering, Asking};
use super::seen::Seen;
use super::{NetworkError, NetworkOptions, passing_on};

/// What the node says it speaks when a peer identifies it.
const IDENTIFY_PROTOCOL: &str = "/chartmesh/1";
/// How long a handshake may take: several round trips at 600 ms on a link that is busy, and no
/// longer than a person waits for a clinic that is off.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);
/// How much later TCP dials than QUIC: three round trips of 600 ms.
const QUIC_HEAD_START: Duration = Duration::from_secs(2);
/// How long a QUIC connection survives without a packet: longer than a cut, and than the longest
/// silence that two nodes agree on. A session notices a peer that is gone by itself, and earlier.
const QUIC_IDLE_TIMEOUT: Duration = Duration::from_secs(20 * 60);
/// How often an idle QUIC connection sends a packet: not at all, within its life. The heartbeats of
/// the session keep the port at address translators, and a node that pays by the byte can have
/// fewer of them.
const QUIC_KEEP_ALIVE: Duration = Duration::from_secs(60 * 60);
/// How long a connection without a stream is kept: long enough to open the sync stream.
const IDLE_CONNECTION: Duration = Duration::from_secs(60);
/// How often libp2p measures the round trip. The session does so by what it sends, and whoever pays
/// by the byte pays for each one.
const PING_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// How often a peer is asked for its addresses again. It says so by itself when they change.
const IDENTIFY_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// The libp2p behaviours of a node.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    // Before all that remember connections: what these two refuse never was one.
    pub(super) limits: connection_limits::Behaviour,
    pub(super) gate: Gate,
    pub(super) identify: identify::Behaviour,
    pub(super) seen: Seen,
    pub(super) mdns: Toggle<mdns::tokio::Behaviour>,
    pub(super) ping: ping::Behaviour,
    pub(super) stream: stream::Behaviour,
    pub(super) relay: Toggle<relay::Behaviour>,
    pub(super) circuits: Toggle<relay::client::Behaviour>,
    pub(super) hole_punching: Toggle<dcutr::Behaviour>,
    pub(super) asking: Toggle<Asking>,
    pub(super) answering: Toggle<Answering>,
}

/// Makes the swarm of a node with the given key. Where it passes circuits on, it does so for the
/// known nodes.
///
/// # Errors
/// [`NetworkError::Transport`] when a transport cannot be set up, for example when the system
/// refuses a socket for mDNS.
pub(super) fn swarm(
    keypair: identity::Keypair,
    options: &NetworkOptions,
    is_relay: bool,
    known: &Known,
) -> Result<Swarm<Behaviour>, NetworkError> {
    let failed = |reason: String| NetworkError::Transport { reason };
    let swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_quic_config(|mut quic| {
            quic.handshake_timeout = HANDSHAKE_TIMEOUT;
            quic.max_idle_timeout =
                u32::try_from(QUIC_IDLE_TIMEOUT.as_millis()).unwrap_or(u32::MAX);
            quic.keep_alive_interval = QUIC_KEEP_ALIVE;
            quic
        })
        .with_other_transport(|keypair| {
            let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
                .upgrade(upgrade::Version::V1Lazy)
                .authenticate(noise::Config::new(keypair)?)
                .multiplex(yamux::Config::default());
            Ok(Later::new(tcp, QUIC_HEAD_START))
        })
        .map_err(|error| failed(format!("TCP: {error}")))?
        .with_dns()
        .map_err(|error| failed(format!("DNS: {error}")))?
        // From end to end: a relay passes on what it cannot read.
        .with_relay_client(noise::Config::new, yamux::Config::default)
        .map_err(|error| failed(format!("circuits: {error}")))?
        .with_behaviour(|keypair, circuits| behaviour(keypair, circuits, options, is_relay, known))
        .map_err(|error| failed(error.to_string()))?
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE_CONNECTION))
        .with_connection_timeout(HANDSHAKE_TIMEOUT)
        .build();
    Ok(swarm)
}

fn behaviour(
    keypair: &identity::Keypair,
    circuits: relay::client::Behaviour,
    options: &NetworkOptions,
    is_relay: bool,
    known: &Known,
) -> Result<Behaviour, Box<dyn std::error::Error + Send + Sync>> {
    let own = keypair.public().to_peer_id();
    let mdns = match options.mdns {
        true => Some(mdns::tokio::Behaviour::new(mdns::Config::default(), own)?),
        false => None,
    };
    let (serves, uses) = (options.circuits && is_relay, options.circuits && !is_relay);
    Ok(Behaviour {
        limits: connection_limits::Behaviour::new(limits(options)),
        gate: Gate::new(known.clone(), options.max_connections),
        identify: identify::Behaviour::new(
            identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), keypair.public())
                .with_agent_version(format!("chartmesh/{}", env!("CARGO_PKG_VERSION")))
                .with_interval(IDENTIFY_INTERVAL),
        ),
        seen: Seen::default(),
        mdns: mdns.into(),
        ping: ping::Behaviour::new(
            ping::Config::new()
                .with_interval(PING_INTERVAL)
                .with_timeout(HANDSHAKE_TIMEOUT),
        ),
        stream: stream::Behaviour::new(),
        relay: serves
            .then(|| relay::Behaviour::new(own, passing_on::config(known)))
            .into(),
        circuits: uses.then_some(circuits).into(),
        hole_punching: (uses && options.hole_punching)
            .then(|| dcutr::Behaviour::new(own))
            .into(),
        asking: (!is_relay && options.reachability_tests)
            .then(Asking::new)
            .into(),
        answering: serves.then(|| Answering::new(known.clone())).into(),
    })
}

/// How many connections are held. Where circuits are used, one more with each peer: a direct one
/// takes the place of one through a relay, and both are there for a moment. The gate bounds those
/// that have not shown yet whose they are, and strangers, who have places of their own.
fn limits(options: &NetworkOptions) -> connection_limits::ConnectionLimits {
    let per_peer = options.max_connections_per_peer;
    let per_peer = per_peer.saturating_add(u32::from(options.circuits));
    connection_limits::ConnectionLimits::default()
        .with_max_established(Some(
            options
                .max_connections
                .saturating_add(strangers_beside(options.max_connections)),
        ))
        .with_max_established_per_peer(Some(per_peer))
}
