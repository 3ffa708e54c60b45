//! The end of a node in one compartment: what it had written by then is marked out, and the keys
//! that it had are followed by others.

use minicbor::{Decode, Encode};

use super::compartment::CompartmentName;
use super::revocation::FrontierTip;
use crate::codec::{Bounded, CodecError, ascending, at_most};
use crate::id::{ChartId, ClinicId, NodeId, SealingPublic};
use crate::limits::MAX_FRONTIER_AUTHORS;

/// What a clinic had seen of its own node in one compartment of a chart when it cut the node off
/// (see [`NodeRevocation`](super::NodeRevocation)). Signed by the clinic's key.
///
/// Records of the node as a node of this clinic count when they lie inside the frontier of one of
/// these statements: the clinic may say later that it has seen more. Others are held. Nobody seals
/// under an epoch that the node made, or that is wrapped for the clinic to a key that it had.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct NodeEnd {
    /// The chart.
    #[n(0)]
    pub chart: ChartId,
    /// The clinic, which signs.
    #[n(1)]
    pub clinic: ClinicId,
    /// The node.
    #[n(2)]
    pub node: NodeId,
    /// The compartment.
    #[n(3)]
    pub compartment: CompartmentName,
    /// The newest records of the node that the clinic has seen, ascending by incarnation.
    #[n(4)]
    pub tips: Vec<FrontierTip>,
    /// The clinic's sealing key that the node had.
    #[n(5)]
    pub burnt: SealingPublic,
}

impl Bounded for NodeEnd {
    fn check(&self) -> Result<(), CodecError> {
        at_most("frontier", self.tips.len(), MAX_FRONTIER_AUTHORS)?;
        let streams: Vec<_> = self.tips.iter().map(|tip| tip.incarnation).collect();
        ascending("frontier", &streams)?;
        if self.tips.iter().any(|tip| tip.author != self.node) {
            return Err(CodecError::OutOfBounds { what: "frontier" });
        }
        Ok(())
    }
}
