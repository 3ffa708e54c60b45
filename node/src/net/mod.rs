//! The node on the network: libp2p below, one sync stream a peer above.
//!
//! - `transport` sets up QUIC and TCP with time limits for bad links; `head_start` lets QUIC win
//!   where both work.
//! - `hub` is the one task that owns the swarm: it dials known clinics, accepts streams and
//!   starts a session for each.
//! - `conversation` is one [`chartmesh_protocol::sync::Session`] at work on the store, without IO;
//!   `driver` moves bytes between it and one stream.
//! - `backoff` says when to dial again; `path` which of several ways to a peer is the best.
//! - `passing_on` is what a relay does for links of others; `gate` keeps strangers out who come
//!   that way, and `known` is the list that both go by.
//! - `seen` is where others see this node, and `reachability` how it learns whether they reach it
//!   there.
//! - `status` is what `sync status` shows of each peer.
//!
//! What a peer may have is decided in [`crate::clinic`]; nothing here reads the store.

mod backoff;
mod conversation;
mod driver;
mod gate;
mod head_start;
mod hub;
mod known;
mod passing_on;
mod path;
pub(crate) mod port;
mod reachability;
mod seen;
mod spoken;
mod status;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use chartmesh_protocol::{ClinicId, NodeId};
use libp2p::{Multiaddr, PeerId, identity};
use thiserror::Error;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::clinic::Clinic;
pub use conversation::{Act, Conversation, Ending};
use hub::{Command, Hub};
pub use status::{Addresses, LinkState, PeerStatus, StatusBoard, SyncReport};

/// How many commands may wait for the hub; each comes from a person or a timer.
const COMMAND_QUEUE: usize = 64;

/// Why the node could not join the network.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// A transport could not be set up.
    #[error("the network cannot be set up: {reason}")]
    Transport {
        /// What the system said.
        reason: String,
    },
    /// An address in the configuration cannot be listened on.
    #[error("cannot listen on {address}: {reason}; change `listen` in config.toml")]
    Listen {
        /// The multiaddr as configured.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The node key is not a valid libp2p identity.
    #[error("the node key cannot be used as a network identity")]
    Identity,
    /// The network task has ended.
    #[error("the network has stopped")]
    Stopped,
}

/// How to join the network.
#[derive(Debug, Clone)]
pub struct NetworkOptions {
    /// Multiaddrs to listen on; none for a short visit that only dials.
    pub listen: Vec<String>,
    /// Multiaddrs under which others reach this node from outside.
    pub external: Vec<String>,
    /// Whether to find clinics on the local network by multicast DNS.
    pub mdns: bool,
    /// Whether to reach clinics through relays; of a relay, whether it passes such links on.
    pub circuits: bool,
    /// Whether to seek a direct way while a link goes through a relay.
    pub hole_punching: bool,
    /// Whether to have relays test where this node is reached.
    pub reachability_tests: bool,
    /// How many connections to hold at most.
    pub max_connections: u32,
    /// How many connections to hold with one peer at most.
    pub max_connections_per_peer: u32,
    /// The shortest delay before dialling again.
    pub reconnect_min: Duration,
    /// The longest delay before dialling again.
    pub reconnect_max: Duration,
    /// How often an idle sync stream is probed; zero where no link is kept.
    pub heartbeat: Duration,
}

/// The running network of a node.
pub struct Network {
    commands: mpsc::Sender<Command>,
    board: Arc<StatusBoard>,
    listen: Vec<Multiaddr>,
    /// Taken by who stops the network.
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Network {
    /// Joins the network: listens, and dials every known clinic until it answers.
    ///
    /// # Errors
    /// [`NetworkError`] when a transport or an address cannot be used.
    pub async fn start(clinic: Arc<Clinic>, options: NetworkOptions) -> Result<Self, NetworkError> {
        let (commands, receiver) = mpsc::channel(COMMAND_QUEUE);
        let board = Arc::new(StatusBoard::default());
        let mut hub = Hub::new(clinic, options, Arc::clone(&board), receiver)?;
        let listen = hub.listen().await?;
        let task = tokio::spawn(hub.run());
        Ok(Self {
            commands,
            board,
            listen,
            task: Mutex::new(Some(task)),
        })
    }

    /// The addresses the node listens on.
    #[must_use]
    pub fn listen(&self) -> &[Multiaddr] {
        &self.listen
    }

    /// The addresses the node listens on, kept up to date as networks come and go.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.board.addresses()
    }

    /// What is known of each peer's link.
    #[must_use]
    pub fn board(&self) -> &Arc<StatusBoard> {
        &self.board
    }

    /// Syncs with one clinic, or with all that are known, and waits for each to finish or fail.
    ///
    /// # Errors
    /// [`NetworkError::Stopped`] when the network task has ended.
    pub async fn sync_now(
        &self,
        clinic: Option<ClinicId>,
    ) -> Result<Vec<SyncReport>, NetworkError> {
        let (reply, answers) = oneshot::channel();
        self.send(Command::SyncNow { clinic, reply }).await?;
        let waiting = answers.await.map_err(|_| NetworkError::Stopped)?;
        let mut reports = Vec::with_capacity(waiting.len());
        for answer in waiting {
            reports.push(answer.await.map_err(|_| NetworkError::Stopped)?);
        }
        Ok(reports)
    }

    /// Reads the known clinics again, after one was added or removed.
    ///
    /// # Errors
    /// [`NetworkError::Stopped`] when the network task has ended.
    pub async fn peers_changed(&self) -> Result<(), NetworkError> {
        self.send(Command::PeersChanged).await
    }

    /// Ends every session and the network task.
    pub async fn stop(&self) {
        // A hub that is gone already has nothing left to stop.
        let _ = self.send(Command::Stop).await;
        if let Some(task) = self.task.lock().await.take() {
            let _ = task.await;
        }
    }

    async fn send(&self, command: Command) -> Result<(), NetworkError> {
        self.commands
            .send(command)
            .await
            .map_err(|_| NetworkError::Stopped)
    }
}

/// The libp2p name of a node.
///
/// # Errors
/// [`NetworkError::Identity`] when the id is not a point of the curve.
pub fn peer_id(node: &NodeId) -> Result<PeerId, NetworkError> {
    let key = identity::ed25519::PublicKey::try_from_bytes(node.as_bytes())
        .map_err(|_| NetworkError::Identity)?;
    Ok(identity::PublicKey::from(key).to_peer_id())
}

/// The node behind a libp2p name. An ed25519 name holds the key itself, in an identity multihash
/// (libp2p peer-ids specification); any other kind of key is not a node of ours.
#[must_use]
pub fn node_id(peer: &PeerId) -> Option<NodeId> {
    let multihash = peer.as_ref();
    const IDENTITY: u64 = 0;
    if multihash.code() != IDENTITY {
        return None;
    }
    let key = identity::PublicKey::try_decode_protobuf(multihash.digest()).ok()?;
    Some(NodeId::new(key.try_into_ed25519().ok()?.to_bytes()))
}
