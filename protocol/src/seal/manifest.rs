//! What a manifest shows to its readers: `form | bytes`, where form 4 is a CBOR array as it is and
//! form 5 the same under zstd (RFC 8878), whichever is shorter.
//!
//! ```text
//! manifest = [certificates, epochs, streams]
//! stream   = [author, incarnation, first place, link before it, records]
//! record   = [id, epoch, nonce, hash of the ciphertext, node's signature, user's word or null]
//! word     = [changes, user's signature]
//! ```
//!
//! What is left of each record is what proves who wrote it: its header, taken apart so that what
//! repeats stands once, with the node's signature, and the user's signature over the hashes of the
//! changes, which stand in the save. Who the user was, in which role and when, the changes say
//! themselves. The certificates are those by which the signatures are checked: whoever has the
//! manifest needs nothing else, and everybody comes to the same result.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use super::form::RecordForm;
use super::header::{NONCE_LEN, RecordHeader, RecordPlace};
use super::packed::{self, byte_strings};
use super::record::Witness;
use crate::codec::{Bounded, CodecError, ascending, at_most};
use crate::id::{
    ChartId, CompartmentTag, EpochId, Incarnation, NodeId, RecordId, RecordLink, SealedHash,
    Sequence,
};
use crate::identity::Signature;
use crate::limits::{
    MAX_CERTIFICATE_BYTES, MAX_CHANGES, MAX_EPOCH_WALK, MAX_FRONTIER_AUTHORS,
    MAX_MANIFEST_CERTIFICATES, MAX_MANIFEST_RECORDS,
};

/// Hashes and signatures cannot be packed, so more effort gains nothing.
const ZSTD_LEVEL: i32 = 3;

/// Who wrote the records that a compaction covers, or a part of them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Manifest {
    /// Certificates of the nodes and users, as their clinics signed them, ascending.
    #[cbor(n(0), with = "byte_strings")]
    certificates: Vec<Vec<u8>>,
    /// The epochs under which the records were sealed, ascending.
    #[n(1)]
    epochs: Vec<EpochId>,
    /// By author and incarnation.
    #[n(2)]
    streams: Vec<Stream>,
}

/// Records of one author in their sequence.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Stream {
    #[n(0)]
    author: NodeId,
    #[n(1)]
    incarnation: Incarnation,
    #[n(2)]
    first: Sequence,
    #[n(3)]
    previous: RecordLink,
    #[n(4)]
    records: Vec<Remains>,
}

/// What is left of one record.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Remains {
    #[n(0)]
    id: RecordId,
    /// The place of its epoch in the list.
    #[n(1)]
    epoch: u32,
    #[cbor(n(2), with = "minicbor::bytes")]
    nonce: [u8; NONCE_LEN],
    #[n(3)]
    sealed: SealedHash,
    #[n(4)]
    signature: Signature,
    #[n(5)]
    word: Option<UserWord>,
}

/// A user's word for the changes of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct UserWord {
    /// How many of the author's changes, counted on from those of the record before.
    #[n(0)]
    pub changes: u32,
    /// The signature; see [`sign_changes`](super::sign_changes).
    #[n(1)]
    pub signature: Signature,
}

/// A record as its manifest tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManifestRecord {
    /// What its node signed.
    pub witness: Witness,
    /// The word of who wrote it: a record of changes has one, and no other.
    pub word: Option<UserWord>,
}

impl Manifest {
    /// A manifest of records, each author's without a gap, and of the certificates by which their
    /// signatures are checked.
    ///
    /// # Errors
    /// [`CodecError::OutOfBounds`] for gaps, records of several charts or compartments, or more
    /// than [`MAX_MANIFEST_RECORDS`].
    pub fn of(
        records: &[ManifestRecord],
        certificates: BTreeSet<Vec<u8>>,
    ) -> Result<Self, CodecError> {
        let epochs: BTreeSet<EpochId> = records.iter().map(|one| one.witness.epoch()).collect();
        let epochs: Vec<EpochId> = epochs.into_iter().collect();
        let mut by_place = BTreeMap::new();
        for one in records {
            let place = one.witness.header.place;
            let author = one.witness.header.author;
            by_place.insert((author, place.incarnation, place.sequence), one);
        }
        let mut streams: Vec<Stream> = Vec::new();
        for ((author, incarnation, sequence), one) in by_place {
            let witness = &one.witness;
            let at = epochs.binary_search(&witness.epoch());
            let remains = Remains {
                id: witness.id,
                epoch: u32::try_from(at.unwrap_or(usize::MAX)).unwrap_or(u32::MAX),
                nonce: witness.header.nonce,
                sealed: witness.sealed,
                signature: witness.signature,
                word: one.word,
            };
            let place = &witness.header.place;
            match streams.last_mut() {
                Some(stream) if (stream.author, stream.incarnation) == (author, incarnation) => {
                    if stream.next() != Some((sequence, place.previous)) {
                        return Err(CodecError::OutOfBounds { what: "records" });
                    }
                    stream.records.push(remains);
                }
                _ => streams.push(Stream {
                    author,
                    incarnation,
                    first: sequence,
                    previous: place.previous,
                    records: vec![remains],
                }),
            }
        }
        let manifest = Self {
            certificates: certificates.into_iter().collect(),
            epochs,
            streams,
        };
        manifest.check()?;
        Ok(manifest)
    }

    /// The certificates, as their clinics signed them: not checked here.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates.iter().map(Vec::as_slice)
    }

    /// The records, by author and place, of the chart and compartment that the manifest's own
    /// header names. Signatures are not checked here.
    pub fn records(
        &self,
        chart: ChartId,
        compartment: CompartmentTag,
    ) -> impl Iterator<Item = ManifestRecord> + '_ {
        self.streams.iter().flat_map(move |stream| {
            let mut next = Some((stream.first, stream.previous));
            stream.records.iter().map_while(move |one| {
                let (sequence, previous) = next?;
                next = sequence.next().map(|after| (after, one.id.link()));
                let place = RecordPlace {
                    chart,
                    compartment,
                    incarnation: stream.incarnation,
                    sequence,
                    previous,
                };
                let epoch = usize::try_from(one.epoch).ok()?;
                Some(ManifestRecord {
                    witness: Witness {
                        id: one.id,
                        header: RecordHeader {
                            place,
                            epoch: *self.epochs.get(epoch)?,
                            author: stream.author,
                            nonce: one.nonce,
                        },
                        sealed: one.sealed,
                        signature: one.signature,
                    },
                    word: one.word,
                })
            })
        })
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, CodecError> {
        packed::pack(RecordForm::Manifest, ZSTD_LEVEL, self)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        packed::unpack(RecordForm::Manifest, bytes)
    }
}

impl Stream {
    /// Where the record after the last belongs, and the link that it carries.
    fn next(&self) -> Option<(Sequence, RecordLink)> {
        let count = u64::try_from(self.records.len()).ok()?;
        let next = self.first.value().checked_add(count)?;
        let last = self.records.last().map(|last| last.id.link());
        Some((Sequence::new(next), last.unwrap_or(self.previous)))
    }
}

impl Bounded for Manifest {
    fn check(&self) -> Result<(), CodecError> {
        let certificates = self.certificates.len();
        at_most("certificates", certificates, MAX_MANIFEST_CERTIFICATES)?;
        for certificate in &self.certificates {
            at_most("certificate", certificate.len(), MAX_CERTIFICATE_BYTES)?;
        }
        ascending("certificates", &self.certificates)?;
        at_most("epochs", self.epochs.len(), MAX_EPOCH_WALK)?;
        ascending("epochs", &self.epochs)?;
        at_most("streams", self.streams.len(), MAX_FRONTIER_AUTHORS)?;
        let streams: Vec<_> = self
            .streams
            .iter()
            .map(|stream| (stream.author, stream.incarnation))
            .collect();
        ascending("streams", &streams)?;
        let records: usize = self.streams.iter().map(|one| one.records.len()).sum();
        at_most("records", records, MAX_MANIFEST_RECORDS)?;
        for stream in &self.streams {
            let first = stream.first == Sequence::new(0);
            if first != (stream.previous == RecordLink::FIRST)
                || stream.records.is_empty()
                || stream.next().is_none()
            {
                return Err(CodecError::OutOfBounds { what: "stream" });
            }
            for one in &stream.records {
                let epoch = usize::try_from(one.epoch).unwrap_or(usize::MAX);
                let changes = one.word.map_or(1, |word| word.changes);
                if epoch >= self.epochs.len()
                    || changes == 0
                    || usize::try_from(changes).is_ok_and(|changes| changes > MAX_CHANGES)
                {
                    return Err(CodecError::OutOfBounds { what: "record" });
                }
            }
        }
        Ok(())
    }
}
