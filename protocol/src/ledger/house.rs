//! A clinic's own affairs: what its nodes tell each other, and which of them are cut off.
//!
//! They travel like the statements of a chart. What is of no chart has the *house* of the clinic
//! in a chart's place: an id that follows from the clinic's.

use minicbor::{Decode, Encode};

use crate::codec::{Bounded, CodecError, at_most, plain_text};
use crate::id::{ChartId, ClinicId, NodeId, SealingPublic, first_bytes};
use crate::limits::{MAX_HOUSE_NOTE_BYTES, MAX_REASON_BYTES};
use crate::time::HybridTime;

/// What the id of a house is derived under.
const HOUSE_CONTEXT: &str = "chartmesh 2026-11 house of a clinic";

/// The id that stands in a chart's place for what a clinic says of itself.
pub fn house_of(clinic: &ClinicId) -> ChartId {
    let hash = blake3::derive_key(HOUSE_CONTEXT, clinic.as_bytes());
    ChartId::new(first_bytes(&hash))
}

/// What a note of a clinic is about: which of two notes takes the other's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(array)]
pub struct NoteTopic {
    /// The kind of note, of the node's own choosing.
    #[n(0)]
    pub kind: u8,
    /// Whom or what it is about; zero where the kind says all.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub about: [u8; 32],
}

/// What one node of a clinic tells the others: a patient's key in custody, a peer's card. Signed by
/// the clinic's key, sealed for its nodes, and shared with nobody else.
///
/// Of two notes of a chart and topic the later one holds; of two of one time, the one with the
/// larger id.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct HouseNote {
    /// The clinic, which signs.
    #[n(0)]
    pub clinic: ClinicId,
    /// The chart that it belongs to, or the clinic's house.
    #[n(1)]
    pub chart: ChartId,
    /// What it is about.
    #[n(2)]
    pub topic: NoteTopic,
    /// When it was made.
    #[n(3)]
    pub at: HybridTime,
    /// The node that made it.
    #[n(4)]
    pub by: NodeId,
    /// The note; at most [`MAX_HOUSE_NOTE_BYTES`].
    #[cbor(n(5), with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
}

impl Bounded for HouseNote {
    fn check(&self) -> Result<(), CodecError> {
        at_most("note", self.sealed.len(), MAX_HOUSE_NOTE_BYTES)
    }
}

/// A clinic cuts off one of its nodes: it was stolen, lost or given away. Signed by the clinic's
/// key, and public: every clinic that hears of it passes it on.
///
/// From then on nobody who knows lets the node in. What it wrote until then is marked out chart by
/// chart, by [`NodeEnd`](super::NodeEnd).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct NodeRevocation {
    /// The clinic, which signs.
    #[n(0)]
    pub clinic: ClinicId,
    /// The node that is cut off.
    #[n(1)]
    pub node: NodeId,
    /// Why; at most 512 bytes.
    #[n(2)]
    pub reason: String,
    /// When, milliseconds since 1970.
    #[n(3)]
    pub revoked_ms: u64,
    /// Where keys for the clinic are wrapped to from now on: the node had the key before.
    #[n(4)]
    pub sealing: SealingPublic,
}

impl Bounded for NodeRevocation {
    fn check(&self) -> Result<(), CodecError> {
        plain_text("reason", &self.reason, MAX_REASON_BYTES)
    }
}
