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
    verify_message(signer, &context.message(bytes), signature)
}

/// Signs `bytes` for the use `context`.
pub(crate) fn sign(key: &SigningKey, context: Context, bytes: &[u8]) -> Signature {
    sign_message(key, &context.message(bytes))
}

fn verify_message(
    signer: &[u8; 32],
    message: &[u8],
    signature: &Signature,
) -> Result<(), SignatureError> {
    let key = VerifyingKey::from_bytes(signer).map_err(|_| SignatureError::UnusableKey)?;
    if key.is_weak() {
        return Err(SignatureError::UnusableKey);
    }
    let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
    key.verify_strict(message, &signature)
        .map_err(|_| SignatureError::Mismatch)
}

fn sign_message(key: &SigningKey, message: &[u8]) -> Signature {
    Signature(key.sign(message).to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::{array, bytes};

    /// RFC 8032 §7.1, TEST 1 to TEST 3.
    #[test]
    fn the_vectors_of_rfc_8032_hold_both_ways() {
        let vectors = [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                "",
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
                 5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                "72",
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                 085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                "af82",
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
                 18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ),
        ];
        for (seed, public, message, signature) in vectors {
            let key = SigningKey::from_bytes(&array(seed));
            let (public, message) = (array(public), bytes(message));
            assert_eq!(key.verifying_key().to_bytes(), public);
            let signature = Signature::new(array(signature));
            assert_eq!(sign_message(&key, &message), signature);
            assert_eq!(verify_message(&public, &message, &signature), Ok(()));
            let other = [message.as_slice(), b"."].concat();
            assert!(verify_message(&public, &other, &signature).is_err());
        }
    }

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
