//! What a clinic says of its nodes and users, under the clinic key.
//!
//! `version 1 | CBOR array | signature 64`, the array in the order of the fields.

use minicbor::{Decode, Encode};

use super::key::ClinicKey;
use super::signature::Context;
use super::signed::{Signable, SignedError, Verified};
use crate::codec::{self, Bounded, CodecError, plain_text};
use crate::id::{CertificateHash, ClinicId, NodeId, SealingPublic, UserId, UserPublic};
use crate::limits::{MAX_CERTIFICATE_BYTES, MAX_NAME_BYTES, MAX_ROLE_BYTES};

const VERSION: u8 = 1;

/// What a node is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(index_only)]
pub enum NodeRole {
    /// It holds and shows charts.
    #[n(0)]
    Clinic,
    /// It stores and forwards sealed records and holds no chart keys.
    #[n(1)]
    Relay,
}

/// A clinic's word that a node is its own.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct NodeCertificate {
    /// The clinic, which signs.
    #[n(0)]
    pub clinic: ClinicId,
    /// The node.
    #[n(1)]
    pub node: NodeId,
    /// Where keys for the clinic are to be wrapped to.
    #[n(2)]
    pub sealing: SealingPublic,
    /// What the node is there for.
    #[n(3)]
    pub role: NodeRole,
    /// When it was issued, milliseconds since 1970.
    #[n(4)]
    pub issued_ms: u64,
    /// Rises with each certificate of the clinic: of two for one node, the higher one holds.
    #[n(5)]
    pub serial: u64,
}

impl NodeCertificate {
    /// Signs the certificate. Fails when it names another clinic than the key's.
    pub fn issue(self, key: &ClinicKey) -> Result<Verified<Self>, SignedError> {
        Verified::issue(self, |context, payload| key.sign(context, payload))
    }
}

impl Bounded for NodeCertificate {
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}

impl Signable for NodeCertificate {
    const CONTEXT: Context = Context::NODE_CERTIFICATE;
    const MOST_BYTES: usize = MAX_CERTIFICATE_BYTES;

    fn to_payload(&self) -> Vec<u8> {
        codec::encode_versioned(VERSION, self)
    }

    fn from_payload(payload: &[u8]) -> Result<Self, CodecError> {
        codec::decode_versioned(VERSION, MAX_CERTIFICATE_BYTES, payload)
    }

    fn signer(&self) -> &[u8; 32] {
        self.clinic.as_bytes()
    }
}

impl Verified<NodeCertificate> {
    /// The hash by which a peer names a certificate that the other side may know.
    pub fn hash(&self) -> CertificateHash {
        CertificateHash::new(*self.digest())
    }
}

/// A clinic's word that a user key belongs to one of its people.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct UserCertificate {
    /// The clinic, which signs.
    #[n(0)]
    pub clinic: ClinicId,
    /// The user's id, derived from the key.
    #[n(1)]
    pub user: UserId,
    /// The user's public key.
    #[n(2)]
    pub key: UserPublic,
    /// The user's role, such as `physician`; at most 64 bytes.
    #[n(3)]
    pub role: String,
    /// The user's name, if the clinic tells it; at most 128 bytes.
    #[n(4)]
    pub name: Option<String>,
}

impl UserCertificate {
    /// Signs the certificate. Fails when it names another clinic than the key's, or when a part
    /// is out of bounds.
    pub fn issue(self, key: &ClinicKey) -> Result<Verified<Self>, SignedError> {
        Verified::issue(self, |context, payload| key.sign(context, payload))
    }
}

impl Bounded for UserCertificate {
    fn check(&self) -> Result<(), CodecError> {
        if self.user != self.key.id() {
            return Err(CodecError::OutOfBounds { what: "user id" });
        }
        plain_text("role", &self.role, MAX_ROLE_BYTES)?;
        plain_text(
            "name",
            self.name.as_deref().unwrap_or_default(),
            MAX_NAME_BYTES,
        )
    }
}

impl Signable for UserCertificate {
    const CONTEXT: Context = Context::USER_CERTIFICATE;
    const MOST_BYTES: usize = MAX_CERTIFICATE_BYTES;

    fn to_payload(&self) -> Vec<u8> {
        codec::encode_versioned(VERSION, self)
    }

    fn from_payload(payload: &[u8]) -> Result<Self, CodecError> {
        codec::decode_versioned(VERSION, MAX_CERTIFICATE_BYTES, payload)
    }

    fn signer(&self) -> &[u8; 32] {
        self.clinic.as_bytes()
    }
}

impl Verified<UserCertificate> {
    /// The hash by which a peer names a certificate that the other side may know.
    pub fn hash(&self) -> CertificateHash {
        CertificateHash::new(*self.digest())
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::identity::{NodeKey, SealingKey, SignatureError, Signed, UserKey};

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(3)
    }

    fn certificate(clinic: &ClinicKey) -> NodeCertificate {
        let mut rng = rng();
        NodeCertificate {
            clinic: clinic.id(),
            node: NodeKey::generate(&mut rng).id(),
            sealing: SealingKey::generate(&mut rng).public(),
            role: NodeRole::Clinic,
            issued_ms: 1_700_000_000_000,
            serial: 1,
        }
    }

    #[test]
    fn a_certificate_reads_back_and_verifies() {
        let clinic = ClinicKey::generate(&mut rng());
        let issued = certificate(&clinic).issue(&clinic).unwrap();
        let read = Verified::<NodeCertificate>::decode(&issued.to_bytes()).unwrap();
        assert_eq!(read, issued);
        assert_eq!(read.hash(), issued.hash());
    }

    #[test]
    fn a_clinic_cannot_certify_in_another_clinics_name() {
        let clinic = ClinicKey::generate(&mut rng());
        let other = ClinicKey::generate(&mut ChaCha20Rng::seed_from_u64(9));
        let found = certificate(&clinic).issue(&other);
        assert_eq!(found, Err(SignedError::Signature(SignatureError::Mismatch)));
    }

    #[test]
    fn every_truncation_of_a_certificate_is_refused() {
        let clinic = ClinicKey::generate(&mut rng());
        let bytes = certificate(&clinic).issue(&clinic).unwrap().to_bytes();
        for end in 0..bytes.len() {
            assert!(
                Verified::<NodeCertificate>::decode(&bytes[..end]).is_err(),
                "{end} bytes"
            );
        }
    }

    #[test]
    fn every_flipped_bit_of_a_certificate_is_noticed() {
        let clinic = ClinicKey::generate(&mut rng());
        let bytes = certificate(&clinic).issue(&clinic).unwrap().to_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(
                Verified::<NodeCertificate>::decode(&bytes).is_err(),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn a_certificate_of_another_version_or_size_is_refused() {
        let clinic = ClinicKey::generate(&mut rng());
        let mut bytes = certificate(&clinic).issue(&clinic).unwrap().to_bytes();
        bytes[0] = 2;
        let found = Signed::<NodeCertificate>::decode(&bytes);
        assert_eq!(
            found,
            Err(CodecError::UnknownVersion { found: 2, known: 1 })
        );
        let found = Signed::<NodeCertificate>::decode(&[1; MAX_CERTIFICATE_BYTES + 1]);
        assert!(matches!(found, Err(CodecError::TooLarge { .. })));
        assert_eq!(
            Signed::<NodeCertificate>::decode(&[]),
            Err(CodecError::Empty)
        );
    }

    #[test]
    fn an_unknown_role_is_refused() {
        let clinic = ClinicKey::generate(&mut rng());
        let payload = certificate(&clinic).to_payload();
        let at = 1 + 1 + 34 * 3;
        assert_eq!(payload[at], 0);
        let mut payload = payload;
        payload[at] = 7;
        let found = NodeCertificate::from_payload(&payload);
        assert!(matches!(found, Err(CodecError::Malformed { .. })));
    }

    #[test]
    fn a_user_certificate_with_an_id_of_another_key_is_refused() {
        let clinic = ClinicKey::generate(&mut rng());
        let user = UserKey::generate(&mut rng());
        let mut certificate = UserCertificate {
            clinic: clinic.id(),
            user: user.id(),
            key: user.public(),
            role: "physician".to_owned(),
            name: Some("Ngozi Eze".to_owned()),
        };
        assert!(certificate.clone().issue(&clinic).is_ok());
        certificate.user = UserId::new([0; 8]);
        let found = certificate.issue(&clinic);
        let expected = CodecError::OutOfBounds { what: "user id" };
        assert_eq!(found, Err(SignedError::Codec(expected)));
    }

    #[test]
    fn a_user_certificate_is_never_a_node_certificate() {
        let clinic = ClinicKey::generate(&mut rng());
        let bytes = certificate(&clinic).issue(&clinic).unwrap().to_bytes();
        assert!(Verified::<UserCertificate>::decode(&bytes).is_err());
    }
}
