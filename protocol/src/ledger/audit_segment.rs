//! What a clinic did with a chart, told to the chart's home.
//!
//! Each node keeps a log of all that is done there. What of it is about a chart of another clinic
//! goes to that one in segments, each signed by the node and sealed to the home clinic, so that the
//! patient can be told who has looked, wherever that was. The segments of a node about a chart are
//! numbered and name the one before: one that is missing or was replaced shows.

use minicbor::{Decode, Encode};
use rand_core::CryptoRng;

use crate::codec::{self, Bounded, CodecError, at_most, plain_text};
use crate::id::{ChartId, ClinicId, NodeId, SealingPublic, StatementId};
use crate::identity::SealingKey;
use crate::limits::{MAX_NAME_BYTES, MAX_SEGMENT_BYTES, MAX_SEGMENT_ENTRIES};
use crate::seal::{WrapError, open_from, seal_to};

const INFO: &[u8] = b"chartmesh/1 audit segment\0";

/// A part of a node's log, signed by the node.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct AuditSegment {
    /// The chart.
    #[n(0)]
    pub chart: ChartId,
    /// The clinic whose node signs.
    #[n(1)]
    pub clinic: ClinicId,
    /// Counts the segments of this node about this chart, from 1.
    #[n(2)]
    pub number: u64,
    /// The segment before; none for the first.
    #[n(3)]
    pub previous: Option<StatementId>,
    /// The [`SegmentEntries`], sealed to the home clinic (HPKE); at most [`MAX_SEGMENT_BYTES`].
    #[cbor(n(4), with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
}

/// The entries of a segment, earliest first; 1 to [`MAX_SEGMENT_ENTRIES`].
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SegmentEntries {
    /// The entries.
    #[n(0)]
    pub entries: Vec<SegmentEntry>,
}

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SegmentEntry {
    /// Its number in the node's own log. That of the next is larger.
    #[n(0)]
    pub number: u64,
    /// When, milliseconds since 1970 by the node's clock.
    #[n(1)]
    pub at_ms: u64,
    /// What was done, in a word such as `read`; at most 128 bytes.
    #[n(2)]
    pub action: String,
    /// The user who did it; at most 128 bytes.
    #[n(3)]
    pub user: String,
}

/// A segment does not tell what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// It is sealed to another key, or was changed.
    #[error("the part of the log is not sealed for this clinic")]
    Sealed(#[from] WrapError),
    /// What is in it cannot be read.
    #[error("the part of the log cannot be read: {0}")]
    Content(#[from] CodecError),
}

impl SegmentEntries {
    /// Seals the entries of a node's log to the home clinic of a chart.
    ///
    /// # Errors
    /// [`SegmentError`] when they are out of bounds or the key is not usable.
    pub fn seal<R: CryptoRng + ?Sized>(
        &self,
        rng: &mut R,
        (chart, node): (&ChartId, &NodeId),
        home: &SealingPublic,
    ) -> Result<Vec<u8>, SegmentError> {
        self.check()?;
        let info = info(chart, node);
        Ok(seal_to(rng, home, [&info, &[]], &codec::encode(self))?)
    }

    /// Opens what [`seal`](Self::seal) gave.
    ///
    /// # Errors
    /// [`SegmentError`].
    pub fn open(
        sealed: &[u8],
        (chart, node): (&ChartId, &NodeId),
        home: &SealingKey,
    ) -> Result<Self, SegmentError> {
        let info = info(chart, node);
        let plain = open_from(home, [&info, &[]], sealed)?;
        Ok(codec::decode(&plain)?)
    }
}

fn info(chart: &ChartId, node: &NodeId) -> Vec<u8> {
    [INFO, chart.as_bytes().as_slice(), node.as_bytes()].concat()
}

impl Bounded for AuditSegment {
    fn check(&self) -> Result<(), CodecError> {
        let begins = self.previous.is_none();
        if self.number == 0 || begins != (self.number == 1) {
            return Err(CodecError::OutOfBounds { what: "number" });
        }
        at_most("segment", self.sealed.len(), MAX_SEGMENT_BYTES)
    }
}

impl Bounded for SegmentEntries {
    fn check(&self) -> Result<(), CodecError> {
        at_most("entries", self.entries.len(), MAX_SEGMENT_ENTRIES)?;
        let ascends = self
            .entries
            .is_sorted_by(|one, next| one.number < next.number);
        if self.entries.is_empty() || !ascends {
            return Err(CodecError::OutOfBounds { what: "entries" });
        }
        for entry in &self.entries {
            plain_text("action", &entry.action, MAX_NAME_BYTES)?;
            plain_text("user", &entry.user, MAX_NAME_BYTES)?;
        }
        Ok(())
    }
}
