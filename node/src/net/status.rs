//! What is known of each peer's link, for `sync status` and for `sync now`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chartmesh_protocol::sync::{Report, Tier, Traffic};
use chartmesh_protocol::{ClinicId, NodeId};
use libp2p::Multiaddr;
use serde::{Deserialize, Serialize};

use crate::clinic::PassedOn;

/// How a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// Nothing has been tried yet, or the last attempt failed.
    Disconnected,
    /// Being dialled.
    Connecting,
    /// A stream is open, and the stores are being compared.
    Syncing,
    /// Both stores were found equal in what they share, and new items are pushed as they come.
    InSync,
    /// A stream is open, something is owed to the peer, and nothing has come from it for longer
    /// than a link that works takes. It is given up and dialled anew if that goes on.
    Stalled,
}

impl LinkState {
    /// Whether a stream is open.
    #[must_use]
    pub fn is_open(self) -> bool {
        match self {
            Self::InSync | Self::Syncing | Self::Stalled => true,
            Self::Connecting | Self::Disconnected => false,
        }
    }
}

/// One peer's link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStatus {
    /// The clinic.
    pub clinic: Option<ClinicId>,
    /// Its name, from its card.
    pub name: String,
    /// The node.
    pub node: NodeId,
    /// How the link stands.
    pub state: LinkState,
    /// The address it was last reached at; that of the relay, where it was reached through one.
    pub path: Option<String>,
    /// The name of that relay.
    #[serde(default)]
    pub through: Option<String>,
    /// When both stores were last found equal, in milliseconds since 1970.
    pub confirmed_ms: Option<u64>,
    /// When the stream was opened or last brought something, in milliseconds since 1970.
    #[serde(default)]
    pub heard_ms: Option<u64>,
    /// Statements and records sent over the present stream, or the last one.
    #[serde(default)]
    pub items_sent: u64,
    /// Statements and records received over it.
    #[serde(default)]
    pub items_received: u64,
    /// Why the last attempt or session ended, where it did.
    pub error: Option<String>,
}

impl PeerStatus {
    /// A peer of whom nothing is known yet.
    fn new(node: NodeId) -> Self {
        Self {
            clinic: None,
            name: String::new(),
            node,
            state: LinkState::Disconnected,
            path: None,
            through: None,
            confirmed_ms: None,
            heard_ms: None,
            items_sent: 0,
            items_received: 0,
            error: None,
        }
    }
}

/// How one sync went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncReport {
    /// The clinic.
    pub clinic: Option<ClinicId>,
    /// Its name, where it is known.
    #[serde(default)]
    pub name: Option<String>,
    /// The node.
    pub node: NodeId,
    /// What tells it from others of the same clinic, where there are several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub label: Option<String>,
    /// Whether the peer was reached.
    pub connected: bool,
    /// By what means the stores came to be equal: `cursor`, `set` or `range`.
    pub tier: Option<String>,
    /// How often an answer was waited for.
    pub round_trips: u32,
    /// Bytes sent on the sync stream.
    pub bytes_sent: u64,
    /// Bytes received on the sync stream.
    pub bytes_received: u64,
    /// Records sent.
    pub records_sent: u64,
    /// Records received.
    pub records_received: u64,
    /// Items that we lack; unknown while the stores have not been compared.
    pub owed_in: Option<u64>,
    /// Items that the peer lacks, as far as we know.
    pub owed_out: Option<u64>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// Why it failed.
    pub error: Option<String>,
    /// Whether the clinic has what was saved here, in one line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub summary: Option<String>,
    /// Of a clinic that was not reached: by what it is none the less served. Then it is no failure.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub passed_on: Option<PassedOn>,
}

impl SyncReport {
    /// The report of a peer that was not reached, or that was lost before the end.
    #[must_use]
    pub fn unreachable(node: NodeId, clinic: Option<ClinicId>, error: String) -> Self {
        Self {
            clinic,
            name: None,
            node,
            label: None,
            connected: false,
            tier: None,
            round_trips: 0,
            bytes_sent: 0,
            bytes_received: 0,
            records_sent: 0,
            records_received: 0,
            owed_in: None,
            owed_out: None,
            duration_ms: 0,
            error: Some(error),
            summary: None,
            passed_on: None,
        }
    }

    /// How the link stood at the end.
    #[must_use]
    pub fn link(&self) -> PeerStatus {
        let state = match self.error {
            None => LinkState::InSync,
            Some(_) => LinkState::Disconnected,
        };
        PeerStatus {
            state,
            ..PeerStatus::new(self.node)
        }
    }

    /// The report of a sync that ended with equal stores.
    pub(super) fn in_sync(
        node: NodeId,
        clinic: Option<ClinicId>,
        report: &Report,
        owed_out: u64,
    ) -> Self {
        let tier = match report.tier {
            Tier::Cursor => "cursor",
            Tier::Set => "set",
            Tier::Range => "range",
        };
        Self {
            connected: true,
            tier: Some(tier.to_owned()),
            round_trips: report.round_trips,
            bytes_sent: report.traffic.bytes_sent,
            bytes_received: report.traffic.bytes_received,
            records_sent: report.traffic.records_sent,
            records_received: report.traffic.records_received,
            owed_in: Some(0),
            owed_out: Some(owed_out),
            duration_ms: report.duration_ms,
            error: None,
            ..Self::unreachable(node, clinic, String::new())
        }
    }
}

/// The addresses that a node listens on, shared between the network and the clinic's card.
#[derive(Debug, Clone, Default)]
pub struct Addresses(Arc<Mutex<Vec<Multiaddr>>>);

impl Addresses {
    /// The addresses now, as text.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.lock().iter().map(ToString::to_string).collect()
    }

    pub(super) fn add(&self, address: Multiaddr) {
        let mut addresses = self.lock();
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }

    pub(super) fn remove(&self, address: &Multiaddr) {
        self.lock().retain(|known| known != address);
    }

    /// Each change is one push or retain: a panic leaves a whole list behind.
    fn lock(&self) -> MutexGuard<'_, Vec<Multiaddr>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The links of all peers. Written by the hub and the sessions, read by who asks.
#[derive(Debug, Default)]
pub struct StatusBoard {
    peers: Mutex<BTreeMap<NodeId, PeerStatus>>,
    addresses: Addresses,
}

impl StatusBoard {
    /// Every peer's link, in the order of their node ids.
    #[must_use]
    pub fn all(&self) -> Vec<PeerStatus> {
        self.lock().values().cloned().collect()
    }

    /// The addresses that the node listens on.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses.clone()
    }

    pub(super) fn name(&self, node: NodeId, clinic: ClinicId, name: &str) {
        self.change(node, |status| {
            status.clinic = Some(clinic);
            name.clone_into(&mut status.name);
        });
    }

    pub(super) fn set(&self, node: NodeId, state: LinkState, error: Option<String>) {
        self.change(node, |status| {
            status.state = state;
            if error.is_some() || state == LinkState::InSync {
                status.error = error;
            }
        });
    }

    pub(super) fn path(&self, node: NodeId, address: &Multiaddr, through: Option<String>) {
        self.change(node, |status| {
            status.path = Some(address.to_string());
            status.through = through;
        });
    }

    pub(super) fn confirmed(&self, node: NodeId, now_ms: u64) {
        self.change(node, |status| status.confirmed_ms = Some(now_ms));
        self.set(node, LinkState::InSync, None);
    }

    /// Something came over the stream, by which so much has travelled so far.
    pub(super) fn heard(&self, node: NodeId, now_ms: u64, traffic: &Traffic) {
        self.change(node, |status| {
            status.heard_ms = Some(now_ms);
            status.items_sent = traffic.statements_sent.saturating_add(traffic.records_sent);
            let received = traffic.statements_received;
            status.items_received = received.saturating_add(traffic.records_received);
        });
    }

    pub(super) fn forget(&self, node: NodeId) {
        self.lock().remove(&node);
    }

    fn change(&self, node: NodeId, change: impl FnOnce(&mut PeerStatus)) {
        let mut peers = self.lock();
        let status = peers.entry(node).or_insert_with(|| PeerStatus::new(node));
        change(status);
    }

    /// A panic while the board was held leaves a whole status behind: changes only set fields.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, PeerStatus>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
