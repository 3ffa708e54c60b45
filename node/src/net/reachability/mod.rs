//! Tests of where a node is reached from outside (AutoNAT v2, `libp2p/specs/autonat`).
//!
//! A node asks a relay to call it at an address that others have seen it at. A test of an address
//! other than the one that the node calls from costs it up to 100 KB, so that nobody has a relay
//! call victims for nothing. What holds goes on the node's card.
//!
//! - `asking` is the node's side, `answering` the relay's.

mod answering;
mod asking;

pub(super) use answering::Answering;
pub(super) use asking::Asking;
