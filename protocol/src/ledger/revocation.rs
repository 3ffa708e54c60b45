//! The revocation: a grant ends, and what its author had written by then is marked out.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};

use super::compartment::CompartmentName;
use crate::codec::{Bounded, CodecError, ascending, at_most, plain_text};
use crate::id::{ChartId, Incarnation, NodeId, RecordId, Sequence, StatementId};
use crate::limits::{MAX_COMPARTMENTS, MAX_FRONTIER, MAX_FRONTIER_AUTHORS, MAX_REASON_BYTES};

/// The end of a grant, and of every grant passed on from it.
///
/// It may be signed by the patient's key, by who signed the grant, or by the custodian's clinic
/// key: taking access away is always safe, and the patient may be out of reach.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Revocation {
    /// The chart.
    #[n(0)]
    pub chart: ChartId,
    /// The grant that ends.
    #[n(1)]
    pub grant: StatementId,
    /// Why, in at most 512 bytes of plain text.
    #[n(2)]
    pub reason: String,
    /// For each compartment the newest record of each author that the signer had seen. Records of
    /// the grantee beyond it are held.
    #[n(3)]
    pub frontier: BTreeMap<CompartmentName, Vec<FrontierTip>>,
    /// The newest statements that the signer had seen, ascending.
    #[n(4)]
    pub statements: Vec<StatementId>,
}

/// The newest record of one author in one compartment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct FrontierTip {
    /// The author's node.
    #[n(0)]
    pub author: NodeId,
    /// The incarnation of the author's store.
    #[n(1)]
    pub incarnation: Incarnation,
    /// The place of the record among the author's.
    #[n(2)]
    pub sequence: Sequence,
    /// The record.
    #[n(3)]
    pub record: RecordId,
}

impl Bounded for Revocation {
    fn check(&self) -> Result<(), CodecError> {
        plain_text("reason", &self.reason, MAX_REASON_BYTES)?;
        at_most("frontier", self.frontier.len(), MAX_COMPARTMENTS)?;
        for tips in self.frontier.values() {
            at_most("frontier", tips.len(), MAX_FRONTIER_AUTHORS)?;
            let streams: Vec<_> = tips
                .iter()
                .map(|tip| (tip.author, tip.incarnation))
                .collect();
            ascending("frontier", &streams)?;
        }
        at_most("statements", self.statements.len(), MAX_FRONTIER)?;
        ascending("statements", &self.statements)
    }
}
