//! What two stores share, and how they find out in what they differ.
//!
//! - [`cursor`]: how far one node has followed the feed of another;
//! - [`digest`]: sixteen bytes that are equal when two sets of items are;
//! - [`key`]: eight bytes that stand for an item in one comparison;
//! - [`sketch`]: the set tier, which finds the difference from a stream of coded symbols;
//! - [`difference`]: the range tier, which finds it range by range, whatever its size;
//! - [`range`]: a part of the key space and what one side says about it;
//! - [`limits`]: every limit, with its reason.
//!
//! Everything that leaves a node is keyed for the pair of nodes: no third party learns from a
//! digest or a key which items a node holds, and nobody can prepare items that collide.

pub mod cursor;
pub mod difference;
pub mod digest;
pub mod key;
pub mod limits;
pub mod range;
pub mod sketch;

pub use cursor::{Cursor, CursorFit, FeedNumber, StoreIncarnation};
pub use difference::{Answer, RangeError, Reconciliation};
pub use digest::{Digest, ItemId, PairKey, SharedDigests};
pub use key::{ComparisonKey, ItemKey};
pub use range::{Claim, KeyPrefix, Range};
pub use sketch::SketchError;
pub use sketch::decoder::{Decoder, Difference, Verdict};
pub use sketch::encoder::{Encoder, Flight};
