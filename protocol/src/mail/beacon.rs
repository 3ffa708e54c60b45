//! An author's word of how far its records at a relay go.

use minicbor::{Decode, Encode};

use crate::codec::{self, Bounded, CodecError, at_most};
use crate::id::{ChartId, CompartmentTag, Incarnation, NodeId, RecordLink, Sequence};
use crate::identity::{Context, NodeKey, Signable, SignedError, Verified};
use crate::time::HybridTime;

const VERSION: u8 = 1;
/// Compartments that one beacon names: those that one morning's work touches; more take another.
const MAX_REACHES: usize = 512;
/// A full beacon: some 50 bytes a compartment.
const MAX_BEACON_BYTES: usize = 32 * 1024;

/// How far an author's records of one compartment go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct Reach {
    /// The chart.
    #[n(0)]
    pub chart: ChartId,
    /// The compartment, as records name it.
    #[n(1)]
    pub compartment: CompartmentTag,
    /// The incarnation of the author's store.
    #[n(2)]
    pub incarnation: Incarnation,
    /// The newest record's number.
    #[n(3)]
    pub sequence: Sequence,
    /// The link to that record: the records before it are chained to it.
    #[n(4)]
    pub link: RecordLink,
}

/// What an author has put at a relay, as far as one other clinic may fetch it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Beacon {
    /// The relay's node, which confirmed all of it.
    #[n(0)]
    pub relay: NodeId,
    /// The author, who signs.
    #[n(1)]
    pub author: NodeId,
    /// When.
    #[n(2)]
    pub at: HybridTime,
    /// Ascending, without doubles.
    #[n(3)]
    pub reaches: Vec<Reach>,
}

impl Beacon {
    /// How many compartments one beacon can name.
    pub const MOST: usize = MAX_REACHES;

    /// Signs it. Fails when the key is another node's, or when it names too much.
    ///
    /// # Errors
    /// [`SignedError`].
    pub fn issue(self, key: &NodeKey) -> Result<Verified<Self>, SignedError> {
        Verified::issue(self, |context, payload| key.sign(context, payload))
    }
}

impl Bounded for Beacon {
    fn check(&self) -> Result<(), CodecError> {
        at_most("reaches", self.reaches.len(), MAX_REACHES)?;
        codec::ascending("reaches", &self.reaches)
    }
}

impl Signable for Beacon {
    const CONTEXT: Context = Context::new("beacon");
    const MOST_BYTES: usize = MAX_BEACON_BYTES;

    fn to_payload(&self) -> Vec<u8> {
        codec::encode_versioned(VERSION, self)
    }

    fn from_payload(payload: &[u8]) -> Result<Self, CodecError> {
        codec::decode_versioned(VERSION, MAX_BEACON_BYTES, payload)
    }

    fn signer(&self) -> &[u8; 32] {
        self.author.as_bytes()
    }
}
