//! What a record holds, and the mark by which insiders see it without opening the record.
//!
//! Compactions and manifests have the same clear header as every other record, so a relay cannot
//! tell them apart. Who has the chart secret can: in their headers the last 8 bytes of the nonce
//! are not random, but a keyed hash of the header before them. The 16 random bytes that are left
//! of the nonce are enough for a key that seals the records of one author in one compartment.

use crate::id::first_bytes;
use crate::ledger::ChartSecret;

/// Bytes of a mark.
pub(super) const MARK_LEN: usize = 8;

const MARK_CONTEXT: &str = "chartmesh 2026-01 record mark";

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordForm {
    /// What one person wrote in one save.
    Changes,
    /// A whole compartment as it was at some time, in place of the records that made it so.
    Compaction,
    /// Who wrote the records that a compaction stands for.
    Manifest,
}

impl RecordForm {
    /// The mark of this form behind a header that ends before it; none for [`Self::Changes`],
    /// whose nonce is all random.
    pub(super) fn mark(self, secret: &ChartSecret, head: &[u8]) -> Option<[u8; MARK_LEN]> {
        if self == Self::Changes {
            return None;
        }
        let hash = secret.keyed_hash(MARK_CONTEXT, &[head, &[self.stored()]].concat());
        Some(first_bytes(&hash))
    }

    /// The form whose mark stands at the end of an encoded header.
    pub(super) fn read(secret: &ChartSecret, head: &[u8]) -> Self {
        let Some((before, found)) = head.split_last_chunk::<MARK_LEN>() else {
            return Self::Changes;
        };
        let marked = |form: &Self| form.mark(secret, before) == Some(*found);
        [Self::Compaction, Self::Manifest]
            .into_iter()
            .find(marked)
            .unwrap_or(Self::Changes)
    }

    /// The byte before content of this form that stands as it is.
    pub(super) const fn stored(self) -> u8 {
        match self {
            Self::Changes => 0,
            Self::Compaction => 2,
            Self::Manifest => 4,
        }
    }

    /// The byte before content of this form under zstd.
    pub(super) const fn packed(self) -> u8 {
        self.stored() | 1
    }
}
