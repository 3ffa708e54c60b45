//! What a compaction record shows to its readers: `form | bytes`, where form 2 is a CBOR array as
//! it is and form 3 the same under zstd (RFC 8878), whichever is shorter.
//!
//! The array: coverage, manifest, hybrid time, save.
//!
//! The save names its own heads. What it has to hold is said twice: by the coverage, which is
//! here at once, and by the manifest, which comes later and proves it.

use minicbor::{Decode, Encode};

use super::form::RecordForm;
use super::packed;
use crate::codec::{Bounded, CodecError, ascending, at_most};
use crate::id::{Incarnation, NodeId, RecordId};
use crate::ledger::FrontierTip;
use crate::limits::{MAX_FRONTIER_AUTHORS, MAX_MANIFEST_PARTS};
use crate::time::HybridTime;

/// It is made seldom and sent often: as small as zstd makes it in a fraction of a second. A long
/// one is made faster, and is a twentieth larger.
const ZSTD_LEVEL: i32 = 19;
const ZSTD_LEVEL_LONG: i32 = 9;
const LONG_BYTES: usize = 256 * 1024;

/// A whole compartment, in place of the records that it covers.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Compaction {
    /// For each author the newest record that is covered, ascending. It covers those before as
    /// well: all of an author's records up to here, without a gap.
    #[n(0)]
    pub coverage: Vec<FrontierTip>,
    /// The records that hold the manifest, ascending. Their ids are hashes of what is in them, so
    /// nothing else can be put in their place.
    #[n(1)]
    pub manifest: Vec<RecordId>,
    /// When it was made.
    #[n(2)]
    pub time: HybridTime,
    /// The changes of the covered records and no others, as a saved document, opaque here.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub save: Vec<u8>,
}

impl Compaction {
    /// What it covers of one author's records.
    pub fn tip(&self, author: &NodeId, incarnation: Incarnation) -> Option<&FrontierTip> {
        let place = |tip: &FrontierTip| (tip.author, tip.incarnation);
        let at = self
            .coverage
            .binary_search_by_key(&(*author, incarnation), place);
        self.coverage.get(at.ok()?)
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, CodecError> {
        let level = if self.save.len() < LONG_BYTES {
            ZSTD_LEVEL
        } else {
            ZSTD_LEVEL_LONG
        };
        packed::pack(RecordForm::Compaction, level, self)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        packed::unpack(RecordForm::Compaction, bytes)
    }
}

impl Bounded for Compaction {
    fn check(&self) -> Result<(), CodecError> {
        at_most("coverage", self.coverage.len(), MAX_FRONTIER_AUTHORS)?;
        let streams: Vec<_> = self
            .coverage
            .iter()
            .map(|tip| (tip.author, tip.incarnation))
            .collect();
        ascending("coverage", &streams)?;
        at_most("manifest", self.manifest.len(), MAX_MANIFEST_PARTS)?;
        ascending("manifest", &self.manifest)?;
        let empty = [
            ("coverage", self.coverage.is_empty()),
            ("manifest", self.manifest.is_empty()),
            ("save", self.save.is_empty()),
        ];
        match empty.into_iter().find(|(_, empty)| *empty) {
            Some((what, _)) => Err(CodecError::OutOfBounds { what }),
            None => Ok(()),
        }
    }
}
