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
        let theirs = PublicKey::from(*other.as_bytes());
        let shared = StaticSecret::from(*self.to_bytes()).diffie_hellman(&theirs);
        if !shared.was_contributory() {
            return Err(AgreementError::LowOrder);
        }
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
        let theirs = PublicKey::from(theirs.to_montgomery().to_bytes());
        let shared = StaticSecret::from(*self.scalar()).diffie_hellman(&theirs);
        if !shared.was_contributory() {
            return Err(AgreementError::LowOrder);
        }
        let (mine, theirs) = (self.id(), *other);
        let pair = [mine.min(theirs), mine.max(theirs)];
        Ok(SharedSecret::of(
            PAIR_CONTEXT,
            &shared,
            pair.each_ref().map(NodeId::as_bytes),
        ))
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

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
