//! Hosts on this machine, joined by a link as bad as wanted.
//!
//! Every host is a network namespace of its own with one TUN device, which [`Network`] reads and
//! writes: a packet waits for the sender's rate, is lost or travels for the delay, and is written
//! to the host that it is addressed to, unless the link is cut when it arrives. No queueing
//! discipline of the kernel is needed, and every byte is counted.
//!
//! - `conditions` is how the link is.
//! - `guard` is what a router before a host lets in.
//! - `wire` is the packets on their way, without IO.
//! - `host` is one namespace and its device.
//! - `network` moves packets between the devices and the wire.
//!
//! It needs root, iproute2 and `/dev/net/tun`: see [`Network::required`].

mod conditions;
mod guard;
mod host;
mod network;
mod wire;

pub use conditions::{Conditions, Cuts};
pub use host::Place;
pub use network::Network;
pub use wire::Count;
