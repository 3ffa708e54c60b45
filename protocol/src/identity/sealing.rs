//! The clinic's sealing key: x25519 (RFC 7748), to which chart secrets and epoch keys are wrapped.

use rand_core::CryptoRng;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::id::SealingPublic;

/// A clinic's secret sealing key: who has it can open every chart that the clinic may read.
pub struct SealingKey(StaticSecret);

impl SealingKey {
    /// A new key from a cryptographic random generator.
    pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        let mut bytes = Zeroizing::new([0_u8; 32]);
        rng.fill_bytes(bytes.as_mut());
        Self::from_bytes(bytes)
    }

    /// The key with these secret bytes, as `to_bytes` gave them; the copy is zeroised.
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(StaticSecret::from(*bytes))
    }

    /// The secret bytes, to be stored sealed.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public key, as the clinic's certificates and card show it.
    pub fn public(&self) -> SealingPublic {
        SealingPublic::new(PublicKey::from(&self.0).to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn a_sealing_key_comes_back_from_its_bytes() {
        let key = SealingKey::generate(&mut ChaCha20Rng::seed_from_u64(1));
        assert_eq!(
            SealingKey::from_bytes(key.to_bytes()).public(),
            key.public()
        );
    }
}
