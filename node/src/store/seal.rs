//! Sealing values at rest.
//!
//! ```text
//! sealed value = version 1 | nonce 24 | ciphertext | tag 16
//! ```
//!
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) with a random nonce: a restored backup would
//! repeat a counter. The version and the full key are authenticated with it, so a value cannot
//! be moved to another key.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::Rng;
use zeroize::Zeroizing;

use super::error::StoreError;
use super::space::Space;
use crate::chance::Chance;

/// The version of a sealed value that is written.
const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;
const SEAL_CONTEXT: &str = "chartmesh 2025 store: values at rest";
const TOKEN_CONTEXT: &str = "chartmesh 2025 store: search tokens";
const CHECK_CONTEXT: &str = "chartmesh 2025 store: is it the right key";

/// The 32-byte key under which a store seals its values. Wiped when dropped.
#[derive(Clone)]
pub struct StoreKey(Zeroizing<[u8; 32]>);

impl StoreKey {
    /// The key with these bytes.
    #[must_use]
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }
}

/// Seals and opens values, and makes tokens.
pub(super) struct Sealer {
    cipher: XChaCha20Poly1305,
    token_key: Zeroizing<[u8; 32]>,
    check: [u8; 16],
    chance: Chance,
}

impl Sealer {
    pub(super) fn new(key: &StoreKey, chance: Chance) -> Self {
        let seal_key = Zeroizing::new(blake3::derive_key(SEAL_CONTEXT, &*key.0));
        let check = blake3::derive_key(CHECK_CONTEXT, &*key.0);
        Self {
            cipher: XChaCha20Poly1305::new((&*seal_key).into()),
            token_key: Zeroizing::new(blake3::derive_key(TOKEN_CONTEXT, &*key.0)),
            check: first_16(&check),
            chance,
        }
    }

    /// What a segment's header holds to tell a wrong key from a damaged store.
    pub(super) fn check(&self) -> [u8; 16] {
        self.check
    }

    /// A keyed hash of `text`: the same for the same text in this store, and telling nothing.
    pub(super) fn token(&self, text: &[u8]) -> [u8; 16] {
        first_16(blake3::keyed_hash(&self.token_key, text).as_bytes())
    }

    /// Seals `value` for `full_key`.
    pub(super) fn seal(&self, full_key: &[u8], value: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_BYTES];
        self.chance.clone().fill_bytes(&mut nonce);
        self.seal_with(nonce, full_key, value)
    }

    /// Seals with a given nonce, which must never be given twice.
    pub(super) fn seal_with(
        &self,
        nonce: [u8; NONCE_BYTES],
        full_key: &[u8],
        value: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let payload = Payload {
            msg: value,
            aad: &additional_data(full_key),
        };
        // The cipher only refuses messages of more than 256 GiB.
        let too_large = |_| StoreError::TooLarge {
            what: "value",
            bytes: value.len(),
            limit: super::limits::MAX_VALUE_BYTES,
        };
        let ciphertext = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(too_large)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + ciphertext.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        Ok(sealed)
    }

    /// Opens what [`seal`](Self::seal) made for the same key.
    pub(super) fn open(&self, full_key: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let damaged = || StoreError::Damaged {
            space: Space::of(full_key),
        };
        let (version, rest) = sealed.split_first().ok_or_else(damaged)?;
        let (nonce, ciphertext) = rest
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or_else(damaged)?;
        if *version != VERSION {
            return Err(damaged());
        }
        let payload = Payload {
            msg: ciphertext,
            aad: &additional_data(full_key),
        };
        self.cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| damaged())
    }
}

fn additional_data(full_key: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(1 + full_key.len());
    data.push(VERSION);
    data.extend_from_slice(full_key);
    data
}

/// The first half of a hash.
pub(super) fn first_16(hash: &[u8; 32]) -> [u8; 16] {
    let (half, _) = hash.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
    *half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(byte: u8) -> Sealer {
        let key = StoreKey::new(Zeroizing::new([byte; 32]));
        Sealer::new(&key, Chance::System)
    }

    #[test]
    fn a_value_opens_for_its_own_key_only() {
        let sealer = sealer(1);
        let sealed = sealer.seal(b"\x20a", b"value").unwrap();
        assert_eq!(sealer.open(b"\x20a", &sealed).unwrap(), b"value");
        assert_eq!(
            sealer.open(b"\x20b", &sealed),
            Err(StoreError::Damaged {
                space: Space::Items
            })
        );
        assert_eq!(
            sealer.open(b"\x21a", &sealed),
            Err(StoreError::Damaged { space: Space::Feed })
        );
    }

    #[test]
    fn no_flipped_bit_and_no_cut_passes() {
        let sealer = sealer(1);
        let sealed = sealer.seal(b"\x20a", b"value").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(sealer.open(b"\x20a", &changed).is_err());
        }
        for len in 0..sealed.len() {
            assert!(sealer.open(b"\x20a", &sealed[..len]).is_err());
        }
    }

    #[test]
    fn the_same_value_is_sealed_differently_each_time() {
        let sealer = sealer(1);
        assert_ne!(
            sealer.seal(b"\x20a", b"v").unwrap(),
            sealer.seal(b"\x20a", b"v").unwrap()
        );
    }

    #[test]
    fn tokens_depend_on_the_key() {
        assert_eq!(sealer(1).token(b"amina"), sealer(1).token(b"amina"));
        assert_ne!(sealer(1).token(b"amina"), sealer(2).token(b"amina"));
        assert_ne!(sealer(1).token(b"amina"), sealer(1).token(b"amira"));
    }
}
