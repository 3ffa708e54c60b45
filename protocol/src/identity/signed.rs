//! The envelope of everything signed: `payload | signature 64`.
//!
//! [`Signed`] came from outside and shows nothing of its payload. [`Verified`] was checked, or
//! made here by the owner of the key, and shows it; it can be put into a sealed store and
//! recalled from it.

use super::signature::{self, Context, Signature, SignatureError};
use crate::codec::CodecError;

/// Something that is signed as a whole by the key that it names.
pub trait Signable: Sized {
    /// What the signature is for.
    const CONTEXT: Context;
    /// Bytes of payload and signature together that are read at most.
    const MOST_BYTES: usize;

    /// The payload: a version byte and the canonical form of the value.
    fn to_payload(&self) -> Vec<u8>;

    /// Reads a payload; every value has exactly one.
    fn from_payload(payload: &[u8]) -> Result<Self, CodecError>;

    /// The ed25519 public key of who has to have signed.
    fn signer(&self) -> &[u8; 32];
}

/// Bytes that are not a validly signed value. The sender is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignedError {
    /// The value itself cannot be read.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The signature does not hold.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// A signed value whose signature is not checked yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed<T> {
    value: T,
    payload: Vec<u8>,
    signature: Signature,
}

impl<T: Signable> Signed<T> {
    /// Reads `payload | signature`. Says nothing of whether the signature holds.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        if bytes.is_empty() {
            return Err(CodecError::Empty);
        }
        if bytes.len() > T::MOST_BYTES {
            return Err(CodecError::TooLarge {
                found: bytes.len(),
                most: T::MOST_BYTES,
            });
        }
        let Some((payload, signature)) = bytes.split_last_chunk::<{ Signature::LEN }>() else {
            return Err(CodecError::Malformed { at: bytes.len() });
        };
        let value = T::from_payload(payload)?;
        Ok(Self {
            value,
            payload: payload.to_vec(),
            signature: Signature::new(*signature),
        })
    }

    /// Checks the signature against the signer that the value names.
    pub fn verify(self) -> Result<Verified<T>, SignatureError> {
        signature::verify(
            T::CONTEXT,
            self.value.signer(),
            &self.payload,
            &self.signature,
        )?;
        Ok(Verified::seal(self))
    }
}

/// A value that its signer signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T> {
    signed: Signed<T>,
    digest: [u8; 32],
}

impl<T: Signable> Verified<T> {
    /// Reads and checks in one go.
    pub fn decode(bytes: &[u8]) -> Result<Self, SignedError> {
        Ok(Signed::decode(bytes)?.verify()?)
    }

    /// Reads what was checked before, from a store that authenticates what it gives back: the
    /// signature is not checked again, which takes 20 times as long as reading. Bytes of any
    /// other origin are for [`decode`](Self::decode).
    pub fn recall(bytes: &[u8]) -> Result<Self, CodecError> {
        Signed::decode(bytes).map(Self::seal)
    }

    /// Signs a value with `sign`, which is given context and payload, and checks the result: a
    /// value is never issued that others would refuse.
    pub(crate) fn issue(
        value: T,
        sign: impl FnOnce(Context, &[u8]) -> Signature,
    ) -> Result<Self, SignedError> {
        let mut bytes = value.to_payload();
        let signature = sign(T::CONTEXT, &bytes);
        bytes.extend_from_slice(signature.as_bytes());
        Self::decode(&bytes)
    }

    /// The value.
    pub fn payload(&self) -> &T {
        &self.signed.value
    }

    /// The value, without its signature.
    pub fn into_payload(self) -> T {
        self.signed.value
    }

    /// `payload | signature`, as [`Signed::decode`] reads it.
    pub fn to_bytes(&self) -> Vec<u8> {
        [
            self.signed.payload.as_slice(),
            self.signed.signature.as_bytes(),
        ]
        .concat()
    }

    /// The signature.
    pub fn signature(&self) -> &Signature {
        &self.signed.signature
    }

    /// BLAKE3 of the payload.
    pub(crate) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    fn seal(signed: Signed<T>) -> Self {
        let digest = *blake3::hash(&signed.payload).as_bytes();
        Self { signed, digest }
    }
}
