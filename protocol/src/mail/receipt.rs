//! A reader's word of what it holds: the way back from who fetched to who wrote.
//!
//! A relay that has a record does not say that anybody fetched it. The node that did says so in the
//! boxes that its clinic has with the others, where a relay cannot tell a receipt from other mail.
//!
//! What a receipt claims is shown to people, and nothing else follows from it: what a peer is sent
//! over a link or on a stick is what its own digests and acknowledgements leave owed. A node that
//! claims too much is sent everything all the same.

use minicbor::{Decode, Encode};

use crate::codec::{self, Bounded, CodecError, at_most};
use crate::id::{
    ChartId, CompartmentTag, Incarnation, NodeId, RecordLink, Sequence, StatementPrefix,
};
use crate::identity::{Context, NodeKey, Signable, SignedError, Verified};
use crate::limits::{MAX_RECEIPT_STATEMENTS, MAX_RECEIPT_STRETCHES};
use crate::reconcile::StoreIncarnation;
use crate::time::HybridTime;

const VERSION: u8 = 1;
/// A full receipt: 512 stretches of some 100 bytes and 1,024 statements of 9.
const MAX_RECEIPT_BYTES: usize = 64 * 1024;

/// Records of one author in one compartment that follow each other, and are all held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct Stretch {
    /// The chart.
    #[n(0)]
    pub chart: ChartId,
    /// The compartment, as records name it.
    #[n(1)]
    pub compartment: CompartmentTag,
    /// Who wrote them.
    #[n(2)]
    pub author: NodeId,
    /// The incarnation of the author's store.
    #[n(3)]
    pub incarnation: Incarnation,
    /// The first record's number: not the author's first where a compaction stands for what is
    /// before, or where a grant begins later.
    #[n(4)]
    pub first: Sequence,
    /// The last record's number.
    #[n(5)]
    pub last: Sequence,
    /// The link to the last record, to which those before are chained.
    #[n(6)]
    pub link: RecordLink,
}

/// What a node holds durably, of what it and one other clinic may both have.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Receipt {
    /// The node, which signs.
    #[n(0)]
    pub holder: NodeId,
    /// The incarnation of its store: what it held in an earlier one it may have lost.
    #[n(1)]
    pub store: StoreIncarnation,
    /// When.
    #[n(2)]
    pub at: HybridTime,
    /// Ascending, without doubles.
    #[n(3)]
    pub stretches: Vec<Stretch>,
    /// Statements, ascending and without doubles.
    #[n(4)]
    pub statements: Vec<StatementPrefix>,
}

impl Receipt {
    /// How many stretches one receipt can name.
    pub const MOST_STRETCHES: usize = MAX_RECEIPT_STRETCHES;
    /// How many statements one receipt can name.
    pub const MOST_STATEMENTS: usize = MAX_RECEIPT_STATEMENTS;

    /// Signs it. Fails when the key is another node's, or when it names too much.
    ///
    /// # Errors
    /// [`SignedError`].
    pub fn issue(self, key: &NodeKey) -> Result<Verified<Self>, SignedError> {
        Verified::issue(self, |context, payload| key.sign(context, payload))
    }
}

impl Bounded for Receipt {
    fn check(&self) -> Result<(), CodecError> {
        at_most("stretches", self.stretches.len(), MAX_RECEIPT_STRETCHES)?;
        at_most("statements", self.statements.len(), MAX_RECEIPT_STATEMENTS)?;
        if self.stretches.iter().any(|one| one.first > one.last) {
            return Err(CodecError::OutOfBounds { what: "stretch" });
        }
        codec::ascending("stretches", &self.stretches)?;
        codec::ascending("statements", &self.statements)
    }
}

impl Signable for Receipt {
    const CONTEXT: Context = Context::new("receipt");
    const MOST_BYTES: usize = MAX_RECEIPT_BYTES;

    fn to_payload(&self) -> Vec<u8> {
        codec::encode_versioned(VERSION, self)
    }

    fn from_payload(payload: &[u8]) -> Result<Self, CodecError> {
        codec::decode_versioned(VERSION, MAX_RECEIPT_BYTES, payload)
    }

    fn signer(&self) -> &[u8; 32] {
        self.holder.as_bytes()
    }
}
