//! What two stores share, and how they find out in what they differ.
//!
//! - [`cursor`]: how far one node has followed the feed of another;
//! - [`digest`]: sixteen bytes that are equal when two sets of items are;
//! - [`range`]: a part of the key space and what one side says about it;
//! - [`difference`]: the machine that finds the difference of two sets, range by range.
//!
//! Everything that leaves a node is keyed for the pair of nodes: no third party learns from a
//! digest or a key which items a node holds, and nobody can prepare items that collide.

pub mod cursor;
pub mod difference;
pub mod digest;
pub mod range;

pub use cursor::{Cursor, FeedNumber, StoreIncarnation};
pub use difference::{Answer, RangeError, Reconciliation};
pub use digest::{Digest, ItemId, PairKey, RangeKey, SharedDigests};
pub use range::{Claim, ItemKey, KeyPrefix, Range};
