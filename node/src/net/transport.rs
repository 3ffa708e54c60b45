//! The transports under the sync stream: QUIC, and TCP with Noise and Yamux.
//!
//! Default timeouts suit a data centre. A link of 64 kbit/s and 600 ms needs longer ones, and a
//! connection has to outlive a cut of a minute, so all of them are set here.

use std::time::Duration;

use libp2p::core::{Transport, upgrade};
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{Swarm, SwarmBuilder, connection_limits, identify, identity, mdns, noise, ping};
use libp2p::{tcp, yamux};
use libp2p_stream as stream;

use super::head_start::Later;
use super::{NetworkError, NetworkOptions};

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
    pub(super) identify: identify::Behaviour,
    pub(super) limits: connection_limits::Behaviour,
    pub(super) mdns: Toggle<mdns::tokio::Behaviour>,
    pub(super) ping: ping::Behaviour,
    pub(super) stream: stream::Behaviour,
}

/// Makes the swarm of a node with the given key.
///
/// # Errors
/// [`NetworkError::Transport`] when a transport cannot be set up, for example when the system
/// refuses a socket for mDNS.
pub(super) fn swarm(
    keypair: identity::Keypair,
    options: &NetworkOptions,
) -> Result<Swarm<Behaviour>, NetworkError> {
    let failed = |reason: String| NetworkError::Transport { reason };
    let mdns = if options.mdns {
        let peer = keypair.public().to_peer_id();
        let behaviour = mdns::tokio::Behaviour::new(mdns::Config::default(), peer)
            .map_err(|error| failed(format!("mDNS: {error}")))?;
        Some(behaviour)
    } else {
        None
    };
    let limits = connection_limits::ConnectionLimits::default()
        .with_max_established(Some(options.max_connections))
        .with_max_pending_incoming(Some(options.max_connections))
        .with_max_established_per_peer(Some(options.max_connections_per_peer));
    let behaviour = Behaviour {
        identify: identify::Behaviour::new(
            identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), keypair.public())
                .with_agent_version(format!("chartmesh/{}", env!("CARGO_PKG_VERSION")))
                .with_interval(IDENTIFY_INTERVAL),
        ),
        limits: connection_limits::Behaviour::new(limits),
        mdns: mdns.into(),
        ping: ping::Behaviour::new(
            ping::Config::new()
                .with_interval(PING_INTERVAL)
                .with_timeout(HANDSHAKE_TIMEOUT),
        ),
        stream: stream::Behaviour::new(),
    };
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
        .with_behaviour(|_| behaviour)
        .map_err(|error| failed(format!("behaviours: {error}")))?
        .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE_CONNECTION))
        .with_connection_timeout(HANDSHAKE_TIMEOUT)
        .build();
    Ok(swarm)
}
