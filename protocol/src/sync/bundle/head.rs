//! What a part shows to everyone.

use minicbor::{Decode, Encode};

use super::{MAX_HEAD_BYTES, MAX_PARTS};
use crate::codec::{self, Bounded, CodecError};
use crate::id::ClinicId;

/// The version of bundle files that this program writes.
const VERSION: u8 = 1;
/// Bytes of an encapsulated key (RFC 9180 §7.1, X25519).
pub(super) const ENCAPSULATED_BYTES: usize = 32;

/// The name of a bundle, random: the same in all of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct BundleId(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]);

impl BundleId {
    /// The id with these bytes, from a random generator.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl core::fmt::Display for BundleId {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        crate::id::write_hex(&self.0, f)
    }
}

/// What a part shows to everyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PartHead {
    /// The bundle.
    #[n(0)]
    pub bundle: BundleId,
    /// Which of its parts this is, from 1.
    #[n(1)]
    pub part: u32,
    /// The clinic that can open it.
    #[n(2)]
    pub recipient: ClinicId,
    /// From which the recipient derives the key.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub(super) encapsulated: [u8; ENCAPSULATED_BYTES],
}

impl Bounded for PartHead {
    fn check(&self) -> Result<(), CodecError> {
        if self.part == 0 || self.part > MAX_PARTS {
            return Err(CodecError::OutOfBounds { what: "part" });
        }
        Ok(())
    }
}

impl PartHead {
    pub(super) fn encode(&self) -> Vec<u8> {
        codec::encode_versioned(VERSION, self)
    }

    /// Reads a head; none until enough has come. Returns its length, too.
    pub(super) fn read(bytes: &[u8]) -> Result<Option<(Self, usize)>, CodecError> {
        let Some((version, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        if *version != VERSION {
            return Err(CodecError::UnknownVersion {
                found: *version,
                known: VERSION,
            });
        }
        let mut decoder = minicbor::Decoder::new(rest);
        let Err(error) = decoder.skip() else {
            let length = decoder.position();
            let head = codec::decode(rest.get(..length).unwrap_or_default())?;
            return Ok(Some((head, length.saturating_add(1))));
        };
        if error.is_end_of_input() && bytes.len() < MAX_HEAD_BYTES {
            return Ok(None);
        }
        Err(CodecError::Malformed {
            at: decoder.position(),
        })
    }

    /// What the recipient has to have said to derive the key: all but the encapsulated key, which
    /// HPKE binds by itself.
    pub(super) fn info(&self) -> Vec<u8> {
        [
            b"chartmesh/1 bundle\0".as_slice(),
            self.bundle.as_bytes(),
            &self.part.to_be_bytes(),
            self.recipient.as_bytes(),
        ]
        .concat()
    }
}
