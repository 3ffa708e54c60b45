//! The epoch: a content key of one compartment, wrapped to those who may read.

use minicbor::{Decode, Encode};

use super::compartment::CompartmentName;
use crate::codec::{Bounded, CodecError, ascending, at_most};
use crate::id::{ChartId, ClinicId, EpochId, SealingPublic, first_bytes};
use crate::limits::{MAX_EPOCH_PARENTS, MAX_READERS};
use crate::seal::{KeyWrap, SealedKey};
use crate::time::HybridTime;

/// A content key of one compartment, signed by the node that made or passed on the key.
///
/// Several statements may name one epoch: a later one wraps the same key to further readers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Epoch {
    /// The chart.
    #[n(0)]
    pub chart: ChartId,
    /// The compartment.
    #[n(1)]
    pub compartment: CompartmentName,
    /// The epoch: the hash of its key.
    #[n(2)]
    pub id: EpochId,
    /// The epochs that this one follows, ascending.
    #[n(3)]
    pub parents: Vec<EpochId>,
    /// The key, wrapped to each reader; ascending by clinic.
    #[n(4)]
    pub readers: Vec<ReaderKey>,
    /// Parents' keys sealed under this epoch's key, ascending by parent; empty when a reader may
    /// see only what comes from now on.
    #[n(5)]
    pub history: Vec<HistoryKey>,
    /// When the statement was made.
    #[n(6)]
    pub created: HybridTime,
}

/// An epoch key wrapped to one clinic.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ReaderKey {
    /// The clinic.
    #[n(0)]
    pub clinic: ClinicId,
    /// The key, wrapped to the clinic's sealing key.
    #[n(1)]
    pub key: KeyWrap,
    /// Which sealing key that is. Only told where the clinic has had another one, which a node
    /// that is cut off knows.
    #[n(2)]
    pub sealing: Option<SealingTag>,
}

/// The first bytes of a clinic's sealing key: enough to tell it from the clinic's others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct SealingTag(#[cbor(n(0), with = "minicbor::bytes")] [u8; 8]);

impl SealingTag {
    /// The tag of a sealing key.
    pub fn of(sealing: &SealingPublic) -> Self {
        Self(first_bytes(sealing.as_bytes()))
    }
}

/// The key of an earlier epoch, sealed under a later one's.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct HistoryKey {
    /// The earlier epoch.
    #[n(0)]
    pub epoch: EpochId,
    /// Its key.
    #[n(1)]
    pub key: SealedKey,
}

impl Bounded for Epoch {
    fn check(&self) -> Result<(), CodecError> {
        at_most("parents", self.parents.len(), MAX_EPOCH_PARENTS)?;
        ascending("parents", &self.parents)?;
        at_most("readers", self.readers.len(), MAX_READERS)?;
        let readers: Vec<_> = self.readers.iter().map(|reader| reader.clinic).collect();
        ascending("readers", &readers)?;
        let history: Vec<_> = self.history.iter().map(|one| one.epoch).collect();
        ascending("history", &history)?;
        let known = history
            .iter()
            .all(|id| self.parents.binary_search(id).is_ok());
        if self.readers.is_empty() || !known || self.parents.contains(&self.id) {
            return Err(CodecError::OutOfBounds { what: "epoch" });
        }
        Ok(())
    }
}
