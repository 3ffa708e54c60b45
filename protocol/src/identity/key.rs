//! Signing keys: clinic, node, patient and user, each its own type.
//!
//! None of them has `Debug` or `Clone`; all are zeroised when dropped.

use ed25519_dalek::SigningKey;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::signature::{self, Context, Signature};
use crate::id::{ClinicId, NodeId, PatientId, UserId, UserPublic};

macro_rules! signing_key {
    ($(#[$doc:meta])* $name:ident, $public:ident, $method:ident) => {
        $(#[$doc])*
        pub struct $name(SigningKey);

        impl $name {
            /// A new key from a cryptographic random generator.
            pub fn generate<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
                let mut seed = Zeroizing::new([0_u8; 32]);
                rng.fill_bytes(seed.as_mut());
                Self::from_bytes(seed)
            }

            /// The key with this secret seed (RFC 8032 §5.1.5), as `to_bytes` gave it; the copy is
            /// zeroised.
            pub fn from_bytes(seed: Zeroizing<[u8; 32]>) -> Self {
                Self(SigningKey::from_bytes(&seed))
            }

            /// The secret seed, to be stored sealed.
            pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
                Zeroizing::new(self.0.to_bytes())
            }

            /// The public key.
            pub fn $method(&self) -> $public {
                $public::new(self.0.verifying_key().to_bytes())
            }

            /// Signs `bytes` for the use `context`.
            pub fn sign(&self, context: Context, bytes: &[u8]) -> Signature {
                signature::sign(&self.0, context, bytes)
            }
        }
    };
}

signing_key!(
    /// A clinic's key: it certifies nodes and users and signs delegated grants.
    ClinicKey,
    ClinicId,
    id
);
signing_key!(
    /// A node's key: it signs records and epochs, and is the node's libp2p identity.
    NodeKey,
    NodeId,
    id
);
signing_key!(
    /// A patient's key: the consent authority of one chart.
    PatientKey,
    PatientId,
    id
);
signing_key!(
    /// A user's key: it signs what its owner wrote.
    UserKey,
    UserPublic,
    public
);

impl UserKey {
    /// The id under which records name the owner of this key.
    pub fn id(&self) -> UserId {
        self.public().id()
    }
}

impl NodeKey {
    /// The secret scalar, for key agreement with another node.
    pub(super) fn scalar(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_scalar_bytes())
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::identity::verify;

    #[test]
    fn a_key_comes_back_from_its_bytes() {
        let key = ClinicKey::generate(&mut ChaCha20Rng::seed_from_u64(1));
        let back = ClinicKey::from_bytes(key.to_bytes());
        assert_eq!(key.id(), back.id());
        let signature = back.sign(Context::CARD, b"x");
        assert_eq!(
            verify(Context::CARD, key.id().as_bytes(), b"x", &signature),
            Ok(())
        );
    }

    #[test]
    fn two_keys_of_one_generator_differ() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        assert_ne!(
            NodeKey::generate(&mut rng).id(),
            NodeKey::generate(&mut rng).id()
        );
    }

    #[test]
    fn a_user_is_named_by_the_hash_of_the_public_key() {
        let key = UserKey::generate(&mut ChaCha20Rng::seed_from_u64(1));
        let hash = blake3::hash(key.public().as_bytes());
        assert_eq!(key.id().as_ref(), &hash.as_bytes()[..8]);
    }
}
