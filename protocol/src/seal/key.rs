//! The content key of an epoch, and how a later epoch carries an earlier one's.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use core::fmt;

use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::id::{ChartId, EpochId, decode_bytes, first_bytes, write_hex};

const HISTORY_CONTEXT: &str = "chartmesh 2026-01 history key";

/// The content key of one epoch of one compartment. No `Debug`; zeroised when dropped.
#[derive(Clone)]
pub struct EpochKey(Zeroizing<[u8; 32]>);

impl EpochKey {
    /// A new key from a cryptographic random generator.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        rng.fill_bytes(bytes.as_mut());
        Self(bytes)
    }

    /// The key with these bytes, as `to_bytes` gave them.
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The bytes, to be stored sealed.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// The epoch's id: the first 8 bytes of the key's hash.
    pub fn id(&self) -> EpochId {
        EpochId::new(first_bytes(blake3::hash(self.0.as_ref()).as_bytes()))
    }

    /// A key for one use, bound to `parts`, each of a fixed length.
    pub(crate) fn derive(&self, context: &'static str, parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(self.0.as_ref());
        for part in parts {
            hasher.update(part);
        }
        Zeroizing::new(*hasher.finalize().as_bytes())
    }

    /// Seals an earlier epoch's key under this one.
    ///
    /// The cipher key serves this pair of epochs only and always seals the same 32 bytes, so the
    /// nonce may be fixed.
    pub(super) fn seal_earlier(&self, chart: &ChartId, earlier: &Self) -> Option<SealedKey> {
        let plain = Payload {
            msg: earlier.0.as_ref(),
            aad: chart.as_bytes(),
        };
        let sealed = self
            .history_cipher(chart, &earlier.id())
            .encrypt(&Nonce::default(), plain);
        sealed
            .ok()
            .and_then(|bytes| <[u8; SealedKey::LEN]>::try_from(bytes).ok())
            .map(SealedKey)
    }

    /// Opens an earlier epoch's key that was sealed under this one. None when it is not sealed
    /// under this key, or is not the key of that epoch.
    pub(super) fn open_earlier(
        &self,
        chart: &ChartId,
        earlier: EpochId,
        sealed: &SealedKey,
    ) -> Option<Self> {
        let sealed = Payload {
            msg: &sealed.0,
            aad: chart.as_bytes(),
        };
        let cipher = self.history_cipher(chart, &earlier);
        let bytes = Zeroizing::new(cipher.decrypt(&Nonce::default(), sealed).ok()?);
        let bytes = Zeroizing::new(<[u8; 32]>::try_from(bytes.as_slice()).ok()?);
        Some(Self(bytes)).filter(|key| key.id() == earlier)
    }

    fn history_cipher(&self, chart: &ChartId, earlier: &EpochId) -> ChaCha20Poly1305 {
        let key = self.derive(HISTORY_CONTEXT, &[chart.as_bytes(), earlier.as_bytes()]);
        ChaCha20Poly1305::new(&Key::from(*key))
    }
}

impl PartialEq for EpochKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(other.0.as_ref()).into()
    }
}

impl Eq for EpochKey {}

/// An epoch key sealed under a later one's: ciphertext 32, tag 16.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedKey([u8; 48]);

impl SealedKey {
    /// The number of bytes.
    pub const LEN: usize = 48;
}

impl fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl<C> Encode<C> for SealedKey {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for SealedKey {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        decode_bytes(d).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> EpochKey {
        EpochKey::from_bytes(Zeroizing::new([byte; 32]))
    }

    #[test]
    fn a_later_key_opens_an_earlier_one() {
        let chart = ChartId::new([5; 16]);
        let sealed = key(2).seal_earlier(&chart, &key(1)).unwrap();
        assert!(key(2).open_earlier(&chart, key(1).id(), &sealed) == Some(key(1)));
    }

    #[test]
    fn another_key_chart_or_epoch_does_not_open_it() {
        let chart = ChartId::new([5; 16]);
        let sealed = key(2).seal_earlier(&chart, &key(1)).unwrap();
        assert!(key(3).open_earlier(&chart, key(1).id(), &sealed).is_none());
        assert!(
            key(2)
                .open_earlier(&ChartId::new([6; 16]), key(1).id(), &sealed)
                .is_none()
        );
        assert!(key(2).open_earlier(&chart, key(4).id(), &sealed).is_none());
    }

    #[test]
    fn every_flipped_bit_of_a_sealed_key_is_noticed() {
        let chart = ChartId::new([5; 16]);
        let sealed = key(2).seal_earlier(&chart, &key(1)).unwrap();
        for bit in 0..SealedKey::LEN * 8 {
            let mut changed = sealed.clone();
            changed.0[bit / 8] ^= 1 << (bit % 8);
            assert!(key(2).open_earlier(&chart, key(1).id(), &changed).is_none());
        }
    }
}
