//! The secret that two nodes share without talking, x25519 between their node keys, and the one
//! that two clinics share, x25519 between their sealing keys.
//!
//! An ed25519 key and its x25519 counterpart serve signing and agreement together safely
//! (<https://eprint.iacr.org/2021/509>). The secret keys the digests and sketches of a pair of
//! nodes, so that nobody else can make records collide in them.

use ed25519_dalek::VerifyingKey;
use subtle::ConstantTimeEq;
use x25519_dalek::{PublicKey, SharedSecret as AgreedSecret, StaticSecret};
use zeroize::Zeroizing;

use super::key::NodeKey;
use super::sealing::SealingKey;
use crate::id::{NodeId, SealingPublic};

const PAIR_CONTEXT: &str = "chartmesh 2026-01 secret of a pair of nodes";
const CLINICS_CONTEXT: &str = "chartmesh 2026-11 secret of a pair of clinics";

/// A secret that only two nodes know. No `Debug`; zeroised when dropped.
pub struct SharedSecret(Zeroizing<[u8; 32]>);

impl SharedSecret {
    /// Binds what the agreement gave to its use and to both public keys, in ascending order.
    fn of(context: &'static str, agreed: &AgreedSecret, pair: [&[u8; 32]; 2]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(agreed.as_bytes());
        for public in pair {
            hasher.update(public);
        }
        Self(Zeroizing::new(*hasher.finalize().as_bytes()))
    }

    /// The bytes of the secret.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A key for one use, named by a context that no other use has (BLAKE3 derive mode).
    pub fn derive(&self, context: &'static str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(blake3::derive_key(context, self.0.as_ref()))
    }
}

impl PartialEq for SharedSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(other.0.as_ref()).into()
    }
}

impl Eq for SharedSecret {}

/// Two node keys that give no secret. The other node's key is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgreementError {
    /// The other node's id is no point of the curve.
    #[error("the other node's id is not a usable key")]
    NotAKey,
    /// The other node's key has a small order: everyone would know the secret.
    #[error("the other node's key is of small order")]
    LowOrder,
}

impl SealingKey {
    /// The secret that this clinic and another share, whichever of their nodes asks. Both sides
    /// compute the same.
    ///
    /// # Errors
    /// [`AgreementError::LowOrder`].
    pub fn agree(&self, other: &SealingPublic) -> Result<SharedSecret, AgreementError> {
        let shared = agreed(&self.to_bytes(), *other.as_bytes())?;
        let (mine, theirs) = (self.public(), *other);
        let pair = [mine.min(theirs), mine.max(theirs)];
        Ok(SharedSecret::of(
            CLINICS_CONTEXT,
            &shared,
            pair.each_ref().map(SealingPublic::as_bytes),
        ))
    }
}

impl NodeKey {
    /// The secret that this node and `other` share. Both sides compute the same.
    pub fn agree(&self, other: &NodeId) -> Result<SharedSecret, AgreementError> {
        let theirs =
            VerifyingKey::from_bytes(other.as_bytes()).map_err(|_| AgreementError::NotAKey)?;
        if theirs.is_weak() {
            return Err(AgreementError::LowOrder);
        }
        let shared = agreed(&self.scalar(), theirs.to_montgomery().to_bytes())?;
        let (mine, theirs) = (self.id(), *other);
        let pair = [mine.min(theirs), mine.max(theirs)];
        Ok(SharedSecret::of(
            PAIR_CONTEXT,
            &shared,
            pair.each_ref().map(NodeId::as_bytes),
        ))
    }
}

/// x25519 (RFC 7748 §5), refusing what everyone would know.
fn agreed(secret: &[u8; 32], public: [u8; 32]) -> Result<AgreedSecret, AgreementError> {
    let shared = StaticSecret::from(*secret).diffie_hellman(&PublicKey::from(public));
    match shared.was_contributory() {
        true => Ok(shared),
        false => Err(AgreementError::LowOrder),
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::hex::array;

    /// RFC 7748 §5.2, with the first step of its iteration.
    #[test]
    fn the_vectors_of_rfc_7748_hold() {
        let vectors = [
            (
                "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
                "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
            ),
            (
                "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
                "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
            ),
            (
                "0900000000000000000000000000000000000000000000000000000000000000",
                "0900000000000000000000000000000000000000000000000000000000000000",
                "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079",
            ),
        ];
        for (secret, public, shared) in vectors {
            let found = agreed(&array(secret), array(public)).unwrap();
            assert_eq!(*found.as_bytes(), array(shared));
        }
    }

    fn nodes() -> [NodeKey; 3] {
        let mut rng = ChaCha20Rng::seed_from_u64(7);
        [(); 3].map(|()| NodeKey::generate(&mut rng))
    }

    #[test]
    fn both_nodes_compute_the_same_secret() {
        let [a, b, _] = nodes();
        assert!(a.agree(&b.id()).unwrap() == b.agree(&a.id()).unwrap());
    }

    #[test]
    fn two_clinics_share_a_secret_that_others_do_not() {
        let mut rng = ChaCha20Rng::seed_from_u64(9);
        let [a, b, c] = [(); 3].map(|()| SealingKey::generate(&mut rng));
        assert!(a.agree(&b.public()).unwrap() == b.agree(&a.public()).unwrap());
        assert!(a.agree(&b.public()).unwrap() != a.agree(&c.public()).unwrap());
        let zero = SealingPublic::new([0; 32]);
        assert_eq!(a.agree(&zero).err(), Some(AgreementError::LowOrder));
    }

    #[test]
    fn another_pair_has_another_secret() {
        let [a, b, c] = nodes();
        assert!(a.agree(&b.id()).unwrap() != a.agree(&c.id()).unwrap());
        assert!(a.agree(&b.id()).unwrap() != b.agree(&c.id()).unwrap());
    }

    #[test]
    fn keys_of_small_order_are_refused() {
        let [a, _, _] = nodes();
        let mut identity = [0; 32];
        identity[0] = 1;
        let order_two = {
            let mut bytes = [0xff; 32];
            bytes[0] = 0xec;
            bytes[31] = 0x7f;
            bytes
        };
        for bytes in [identity, order_two, [0; 32]] {
            let found = a.agree(&NodeId::new(bytes)).err();
            assert_eq!(found, Some(AgreementError::LowOrder));
        }
    }

    #[test]
    fn an_id_that_is_no_point_is_refused() {
        let [a, _, _] = nodes();
        let mut bytes = [0; 32];
        bytes[0] = 2;
        assert_eq!(
            a.agree(&NodeId::new(bytes)).err(),
            Some(AgreementError::NotAKey)
        );
    }

    #[test]
    fn keys_for_two_uses_differ() {
        let [a, b, _] = nodes();
        let secret = a.agree(&b.id()).unwrap();
        assert_ne!(*secret.derive("one"), *secret.derive("two"));
    }
}
