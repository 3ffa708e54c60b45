//! Records: `header | ciphertext | signature 64`.
//!
//! The content is sealed with XChaCha20-Poly1305 under a key derived from the epoch key, chart,
//! compartment, author and incarnation; the nonce is random; the whole header is additional data.
//! A record's id is BLAKE3 of everything before the signature. The signature covers the header
//! and BLAKE3 of the ciphertext: a manifest that keeps headers, those hashes and signatures proves
//! who wrote what after the ciphertexts are gone.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::compaction::Compaction;
use super::content::RecordContent;
use super::form::RecordForm;
use super::header::{NONCE_LEN, RecordHeader, RecordPlace};
use super::key::EpochKey;
use super::manifest::Manifest;
use crate::cipher::{self, KEY_LEN};
use crate::codec::CodecError;
use crate::id::{EpochId, RecordId, SealedHash};
use crate::identity::{Context, NodeKey, Signature, SignatureError, verify};
use crate::ledger::ChartSecret;
use crate::limits::MAX_RECORD_BYTES;

const RECORD_CONTEXT: &str = "chartmesh 2026-01 record key";
const TAG_LEN: usize = 16;

/// Why a record cannot be sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// A part of the content, or its place, is out of bounds.
    #[error(transparent)]
    Content(#[from] CodecError),
    /// The sealed record would be longer than a record may be.
    #[error("the record would have {found} bytes, more than the {most} allowed")]
    TooLarge {
        /// Its length in bytes.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// The cipher refused. It does so only beyond 256 GiB.
    #[error("the content cannot be sealed")]
    Cipher,
}

/// Bytes that are no validly signed record. The sender is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The bytes do not have the structure of a record.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The author that it names did not sign it.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// Why a record does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The key is of another epoch.
    #[error("the record is sealed under another epoch")]
    OtherEpoch,
    /// It was not sealed with this key for this place. The author is at fault.
    #[error("the record was not sealed under the epoch that it names")]
    NotAuthentic,
    /// It opens, and what is inside cannot be read. The author is at fault.
    #[error(transparent)]
    Content(#[from] CodecError),
}

/// Seals and signs one save. `place` is the next place of the author in the compartment.
pub fn seal_record<R: CryptoRng + ?Sized>(
    rng: &mut R,
    place: &RecordPlace,
    epoch: &EpochKey,
    author: &NodeKey,
    content: &RecordContent,
) -> Result<VerifiedRecord, SealError> {
    let header = new_header(rng, place, epoch, author)?;
    seal(header, epoch, author, &content.encode()?)
}

/// Seals and signs a compaction. `secret` is the chart's: by it insiders see what the record is.
pub fn seal_compaction<R: CryptoRng + ?Sized>(
    rng: &mut R,
    place: &RecordPlace,
    epoch: &EpochKey,
    author: &NodeKey,
    secret: &ChartSecret,
    content: &Compaction,
) -> Result<VerifiedRecord, SealError> {
    let header = new_header(rng, place, epoch, author)?;
    let header = header.marked(RecordForm::Compaction, secret);
    seal(header, epoch, author, &content.encode()?)
}

/// Seals and signs a manifest. `secret` is the chart's: by it insiders see what the record is.
pub fn seal_manifest<R: CryptoRng + ?Sized>(
    rng: &mut R,
    place: &RecordPlace,
    epoch: &EpochKey,
    author: &NodeKey,
    secret: &ChartSecret,
    content: &Manifest,
) -> Result<VerifiedRecord, SealError> {
    let header = new_header(rng, place, epoch, author)?;
    let header = header.marked(RecordForm::Manifest, secret);
    seal(header, epoch, author, &content.encode()?)
}

fn new_header<R: CryptoRng + ?Sized>(
    rng: &mut R,
    place: &RecordPlace,
    epoch: &EpochKey,
    author: &NodeKey,
) -> Result<RecordHeader, SealError> {
    place.check()?;
    let mut nonce = [0; NONCE_LEN];
    rng.fill_bytes(&mut nonce);
    Ok(RecordHeader {
        place: *place,
        epoch: epoch.id(),
        author: author.id(),
        nonce,
    })
}

fn seal(
    header: RecordHeader,
    epoch: &EpochKey,
    author: &NodeKey,
    plain: &[u8],
) -> Result<VerifiedRecord, SealError> {
    let mut bytes = header.encode();
    let head_len = bytes.len();
    let sealed = cipher::seal(&key(&header, epoch), &header.nonce, &bytes, plain)
        .map_err(|_| SealError::Cipher)?;
    let signature = author.sign(Context::RECORD, &signed_bytes(&bytes, &hash_of(&sealed)));
    bytes.extend_from_slice(&sealed);
    let id = RecordId::new(*blake3::hash(&bytes).as_bytes());
    bytes.extend_from_slice(signature.as_bytes());
    if bytes.len() > MAX_RECORD_BYTES {
        return Err(SealError::TooLarge {
            found: bytes.len(),
            most: MAX_RECORD_BYTES,
        });
    }
    Ok(VerifiedRecord {
        record: SealedRecord {
            header,
            head_len,
            bytes,
            id,
            signature,
        },
    })
}

/// A record as it came: well formed, its signature not checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedRecord {
    header: RecordHeader,
    head_len: usize,
    bytes: Vec<u8>,
    id: RecordId,
    signature: Signature,
}

impl SealedRecord {
    /// Reads a record. Says nothing of who wrote it.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        if bytes.len() > MAX_RECORD_BYTES {
            return Err(CodecError::TooLarge {
                found: bytes.len(),
                most: MAX_RECORD_BYTES,
            });
        }
        let (header, rest) = RecordHeader::decode(bytes)?;
        if rest.len() <= TAG_LEN.saturating_add(Signature::LEN) {
            return Err(CodecError::Malformed { at: bytes.len() });
        }
        let malformed = CodecError::Malformed { at: bytes.len() };
        let (before, signature) = bytes
            .split_last_chunk::<{ Signature::LEN }>()
            .ok_or(malformed)?;
        Ok(Self {
            header,
            head_len: bytes.len().saturating_sub(rest.len()),
            bytes: bytes.to_vec(),
            id: RecordId::new(*blake3::hash(before).as_bytes()),
            signature: Signature::new(*signature),
        })
    }

    /// The header, as the sender wrote it.
    pub fn header(&self) -> &RecordHeader {
        &self.header
    }

    /// The record's id.
    pub fn id(&self) -> RecordId {
        self.id
    }

    /// Checks that the author that the header names signed the record. Anyone can, a relay too.
    pub fn verify(self) -> Result<VerifiedRecord, SignatureError> {
        self.witness().verify()?;
        Ok(VerifiedRecord { record: self })
    }

    fn witness(&self) -> Witness {
        let (_, sealed) = self.parts();
        Witness {
            id: self.id,
            header: self.header,
            sealed: hash_of(sealed),
            signature: self.signature,
        }
    }

    /// The header's bytes and the ciphertext.
    fn parts(&self) -> (&[u8], &[u8]) {
        let end = self.bytes.len().saturating_sub(Signature::LEN);
        let before = self.bytes.get(..end).unwrap_or_default();
        before.split_at_checked(self.head_len).unwrap_or_default()
    }
}

/// A record whose author's signature holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedRecord {
    record: SealedRecord,
}

impl VerifiedRecord {
    /// Reads and checks in one go.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        Ok(SealedRecord::decode(bytes)?.verify()?)
    }

    /// Reads what was checked before, from a store that authenticates what it gives back: the
    /// signature is not checked again. Bytes of any other origin are for [`decode`](Self::decode).
    pub fn recall(bytes: &[u8]) -> Result<Self, CodecError> {
        let record = SealedRecord::decode(bytes)?;
        Ok(Self { record })
    }

    /// The header.
    pub fn header(&self) -> &RecordHeader {
        &self.record.header
    }

    /// The record's id: BLAKE3 of everything before the signature.
    pub fn id(&self) -> RecordId {
        self.record.id
    }

    /// The record as it is stored and sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.record.bytes
    }

    /// The record as it is stored and sent.
    pub fn into_bytes(self) -> Vec<u8> {
        self.record.bytes
    }

    /// What proves who wrote the record once its ciphertext is gone.
    pub fn witness(&self) -> Witness {
        self.record.witness()
    }

    /// Opens a record of changes with the key of its epoch. Whether it counts is for the ledger to
    /// judge, and whether its user signed for [`RecordContent::verify_user`].
    pub fn open(&self, epoch: &EpochKey) -> Result<RecordContent, OpenError> {
        Ok(RecordContent::decode(&self.unseal(epoch)?)?)
    }

    /// Opens a compaction with the key of its epoch. What it claims is for [`prove`] to check.
    ///
    /// [`prove`]: super::prove
    pub fn open_compaction(&self, epoch: &EpochKey) -> Result<Compaction, OpenError> {
        Ok(Compaction::decode(&self.unseal(epoch)?)?)
    }

    /// Opens a manifest with the key of its epoch. What it claims is for [`prove`] to check.
    ///
    /// [`prove`]: super::prove
    pub fn open_manifest(&self, epoch: &EpochKey) -> Result<Manifest, OpenError> {
        Ok(Manifest::decode(&self.unseal(epoch)?)?)
    }

    /// Whether this is the key that the record is sealed under, whatever it holds.
    pub fn opens_with(&self, epoch: &EpochKey) -> bool {
        self.unseal(epoch).is_ok()
    }

    fn unseal(&self, epoch: &EpochKey) -> Result<Vec<u8>, OpenError> {
        let header = &self.record.header;
        if epoch.id() != header.epoch {
            return Err(OpenError::OtherEpoch);
        }
        let (head, sealed) = self.record.parts();
        cipher::open(&key(header, epoch), &header.nonce, head, sealed)
            .map_err(|_| OpenError::NotAuthentic)
    }
}

/// What proves who wrote a record once its ciphertext is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witness {
    /// The record's id. The signature does not cover it: whoever has the record can check it, and
    /// who has the author's next one its first bytes.
    pub id: RecordId,
    /// The header.
    pub header: RecordHeader,
    /// The hash of the ciphertext.
    pub sealed: SealedHash,
    /// The author's signature over header and hash.
    pub signature: Signature,
}

impl Witness {
    /// Checks that the author that the header names signed the record.
    pub fn verify(&self) -> Result<(), SignatureError> {
        verify(
            Context::RECORD,
            self.header.author.as_bytes(),
            &signed_bytes(&self.header.encode(), &self.sealed),
            &self.signature,
        )
    }

    /// The epoch under which the record was sealed.
    pub fn epoch(&self) -> EpochId {
        self.header.epoch
    }

    /// What the author signed, under one hash: two witnesses of one record have the same.
    pub fn signed_hash(&self) -> [u8; 32] {
        *blake3::hash(&signed_bytes(&self.header.encode(), &self.sealed)).as_bytes()
    }
}

fn key(header: &RecordHeader, epoch: &EpochKey) -> Zeroizing<[u8; KEY_LEN]> {
    let place = &header.place;
    let incarnation = place.incarnation.value().to_be_bytes();
    let parts: [&[u8]; 4] = [
        place.chart.as_bytes(),
        place.compartment.as_bytes(),
        header.author.as_bytes(),
        &incarnation,
    ];
    epoch.derive(RECORD_CONTEXT, &parts)
}

fn hash_of(sealed: &[u8]) -> SealedHash {
    SealedHash::new(*blake3::hash(sealed).as_bytes())
}

fn signed_bytes(head: &[u8], sealed: &SealedHash) -> Vec<u8> {
    [head, sealed.as_bytes()].concat()
}

#[cfg(test)]
mod tests;
