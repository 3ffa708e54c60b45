//! Signatures: ed25519 (RFC 8032), each bound to a context.
//!
//! What is signed is `"chartmesh/1 " | context | 0x00 | bytes`. A context holds no zero byte, so
//! no bytes of one context read as bytes of another.

use core::fmt;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::id::{decode_bytes, write_hex};

/// What a signature is for. Two uses with different contexts cannot be taken for one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context(&'static str);

impl Context {
    /// A node certificate, by the clinic key.
    pub const NODE_CERTIFICATE: Self = Self("node certificate");
    /// A user certificate, by the clinic key.
    pub const USER_CERTIFICATE: Self = Self("user certificate");
    /// A card, by the clinic key.
    pub const CARD: Self = Self("card");
    /// A ledger statement, by a patient, clinic or node key.
    pub const STATEMENT: Self = Self("statement");
    /// A record, by the node key.
    pub const RECORD: Self = Self("record");
    /// The changes of a record, by the user key.
    pub const CHANGES: Self = Self("changes");

    /// A context of another module, named by a few plain words that no other context has.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    fn message(self, bytes: &[u8]) -> Vec<u8> {
        [b"chartmesh/1 ", self.0.as_bytes(), &[0], bytes].concat()
    }
}

/// An ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signature([u8; 64]);

impl Signature {
    /// The number of bytes of a signature.
    pub const LEN: usize = 64;

    /// The signature with these bytes, not yet verified.
    pub const fn new(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The bytes of the signature.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl<C> Encode<C> for Signature {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Signature {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        decode_bytes(d).map(Self)
    }
}

/// A signature that does not hold. The sender is at fault, or the bytes were changed on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The signer's public key is no usable ed25519 key.
    #[error("the signer's key is not a usable ed25519 key")]
    UnusableKey,
    /// Another key signed, for another use, or over other bytes.
    #[error("the signature does not match its signer and content")]
    Mismatch,
}

/// Checks that the owner of `signer` signed `bytes` for the use `context`.
///
/// The strict check of RFC 8032 §5.1.7 and beyond: keys and nonces of small order are refused, so
/// no signature fits two messages.
pub fn verify(
    context: Context,
    signer: &[u8; 32],
    bytes: &[u8],
    signature: &Signature,
) -> Result<(), SignatureError> {
    let key = VerifyingKey::from_bytes(signer).map_err(|_| SignatureError::UnusableKey)?;
    if key.is_weak() {
        return Err(SignatureError::UnusableKey);
    }
    let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
    key.verify_strict(&context.message(bytes), &signature)
        .map_err(|_| SignatureError::Mismatch)
}

/// Signs `bytes` for the use `context`.
pub(crate) fn sign(key: &SigningKey, context: Context, bytes: &[u8]) -> Signature {
    Signature(key.sign(&context.message(bytes)).to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    #[test]
    fn a_signature_holds_for_its_signer_context_and_bytes() {
        let signature = sign(&key(1), Context::CARD, b"bytes");
        let signer = key(1).verifying_key().to_bytes();
        assert_eq!(verify(Context::CARD, &signer, b"bytes", &signature), Ok(()));
    }

    #[test]
    fn a_signature_of_another_context_is_refused() {
        let signature = sign(&key(1), Context::CARD, b"bytes");
        let signer = key(1).verifying_key().to_bytes();
        let found = verify(Context::RECORD, &signer, b"bytes", &signature);
        assert_eq!(found, Err(SignatureError::Mismatch));
    }

    #[test]
    fn a_signature_of_another_key_is_refused() {
        let signature = sign(&key(1), Context::CARD, b"bytes");
        let other = key(2).verifying_key().to_bytes();
        assert!(verify(Context::CARD, &other, b"bytes", &signature).is_err());
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let signer = key(1).verifying_key().to_bytes();
        let signature = sign(&key(1), Context::CARD, b"bytes");
        for bit in 0..512 {
            let mut bytes = signature.0;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(verify(Context::CARD, &signer, b"bytes", &Signature(bytes)).is_err());
        }
    }

    #[test]
    fn a_key_of_small_order_is_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let signature = Signature([0; 64]);
        let found = verify(Context::CARD, &identity, b"bytes", &signature);
        assert_eq!(found, Err(SignatureError::UnusableKey));
    }

    #[test]
    fn the_same_words_split_otherwise_do_not_verify() {
        let one = Context::new("a");
        let two = Context::new("ab");
        let signer = key(1).verifying_key().to_bytes();
        let signature = sign(&key(1), one, b"bc");
        assert!(verify(two, &signer, b"c", &signature).is_err());
    }
}
