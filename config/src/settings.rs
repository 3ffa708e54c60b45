//! The configuration as it is meant: every value present and usable.

use std::net::SocketAddr;
use std::time::Duration;

use crate::address::Address;
use crate::error::ConfigErrors;
use crate::name::Name;

/// The configuration of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// The clinic's name, as other clinics see it.
    pub name: Name,
    /// What this node is.
    pub role: Role,
    /// How this node reaches others.
    pub network: Network,
    /// The web server.
    pub http: Http,
    /// The database.
    pub store: Store,
    /// What a relay takes; nothing to other nodes.
    pub relay: Relay,
    /// Large content of documents, such as scans.
    pub attachments: Attachments,
    /// What is logged, and how.
    pub log: Log,
}

impl Config {
    /// Reads and checks a configuration text (TOML 1.0).
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything that is wrong.
    pub fn parse(text: &str) -> Result<Self, ConfigErrors> {
        crate::resolve::parse(text)
    }

    /// The defaults under a clinic's name.
    ///
    /// # Errors
    /// [`ConfigErrors`] when the text is no name: see [`Name::new`].
    pub fn default_for(name: &str) -> Result<Self, ConfigErrors> {
        crate::resolve::default_for(name)
    }
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// Keeps charts and the keys to them.
    Clinic,
    /// Stores and forwards sealed records that it cannot read.
    Relay,
}

impl Role {
    /// The role as it is written in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clinic => "clinic",
            Self::Relay => "relay",
        }
    }
}

/// How a node reaches others.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Network {
    /// Where the node listens for other nodes. Empty: it only dials.
    pub listen: Vec<Address>,
    /// Addresses that go on this clinic's card besides those that it listens on.
    pub external_addresses: Vec<Address>,
    /// Whether the node looks for others on the local network by multicast DNS (RFC 6762).
    pub mdns: bool,
    /// The time between heartbeats on a silent link; zero where no link is kept.
    pub heartbeat: Duration,
    /// When a broken link is tried again.
    pub reconnect: Reconnect,
    /// How many connections the node holds.
    pub limits: ConnectionLimits,
    /// How the node gets through address translators.
    pub nat: Nat,
}

/// How a node gets through address translators (NAT).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Nat {
    /// Whether links go through known relays where there is no direct way; a relay passes them on.
    pub circuits: bool,
    /// Whether a direct way is sought while a link goes through a relay (DCUtR).
    pub hole_punching: bool,
    /// Whether relays are asked to call this node, to learn where it is reached (AutoNAT v2). A
    /// relay answers known nodes that ask, as far as it serves circuits.
    pub reachability_tests: bool,
}

/// When a broken link is tried again: after `min`, then after ever longer waits up to `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reconnect {
    /// The first wait.
    pub min: Duration,
    /// The longest wait; never shorter than `min`.
    pub max: Duration,
}

/// How many connections a node holds at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionLimits {
    /// Of all peers together.
    pub total: u32,
    /// Of one peer; never more than `total`.
    pub per_peer: u32,
}

/// The web server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Http {
    /// Whether it is served at all.
    pub enabled: bool,
    /// Where: a loopback address; port 0 takes a free one.
    pub listen: SocketAddr,
}

/// What a relay takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Relay {
    /// How much of one clinic lies here at most, in mebibytes.
    pub mebibytes_per_clinic: u32,
}

impl Relay {
    /// How much of one clinic lies here at most, in bytes.
    #[must_use]
    pub fn quota_bytes(&self) -> u64 {
        u64::from(self.mebibytes_per_clinic) * 1024 * 1024
    }
}

/// The database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Store {
    /// The size of the page cache in mebibytes.
    pub cache_mebibytes: u32,
}

impl Store {
    /// The size of the page cache in bytes.
    pub fn cache_bytes(&self) -> u64 {
        u64::from(self.cache_mebibytes) * 1024 * 1024
    }
}

/// Large content of documents, such as scans, of charts that other clinics share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attachments {
    /// Which are fetched without being asked for.
    pub fetch: Fetch,
    /// The largest that is, in kibibytes, where that depends on the size.
    pub up_to_kibibytes: u32,
    /// Whether the nodes of this clinic fetch from each other, of whatever size, all that one of
    /// them holds, so that the loss of one loses nothing.
    pub all_between_own_nodes: bool,
}

impl Attachments {
    /// The largest that is fetched without being asked for, in bytes; none where none is.
    pub fn fetched_up_to(&self) -> Option<u64> {
        match self.fetch {
            Fetch::All => Some(u64::MAX),
            Fetch::UpTo => Some(u64::from(self.up_to_kibibytes) * 1024),
            Fetch::OnDemand => None,
        }
    }
}

/// Which attachments are fetched without being asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetch {
    /// All of them.
    All,
    /// Those up to a size.
    UpTo,
    /// None: `attachment fetch` asks for them.
    OnDemand,
}

impl Fetch {
    /// All choices.
    pub const ALL: [Self; 3] = [Self::All, Self::UpTo, Self::OnDemand];

    /// The choice as it is written in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::UpTo => "up-to",
            Self::OnDemand => "on-demand",
        }
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Log {
    /// The least severe level that is logged.
    pub level: LogLevel,
    /// How a line is written.
    pub format: LogFormat,
}

/// The severity of a line of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Something failed and needs a person.
    Error,
    /// Something is odd and was dealt with.
    Warn,
    /// What the node does.
    Info,
    /// How it does it.
    Debug,
    /// Every step of it.
    Trace,
}

impl LogLevel {
    /// All levels, the most severe first.
    pub const ALL: [Self; 5] = [
        Self::Error,
        Self::Warn,
        Self::Info,
        Self::Debug,
        Self::Trace,
    ];

    /// The level as it is written in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

impl LogFormat {
    /// All formats.
    pub const ALL: [Self; 2] = [Self::Text, Self::Json];

    /// The format as it is written in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}
