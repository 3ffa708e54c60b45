//! What a record of changes shows to its readers: `form | bytes`, where form 0 is a CBOR array as
//! it is and form 1 the same under zstd (RFC 8878), whichever is shorter.
//!
//! The array: changes, user, role, user's signature, hybrid time, frontier.

use minicbor::{Decode, Encode};

use super::form::RecordForm;
use super::packed::{self, byte_strings};
use crate::codec::{Bounded, CodecError, ascending, at_most, plain_text};
use crate::id::{ChartId, StatementPrefix, UserId};
use crate::identity::{
    Context, Signature, SignatureError, UserCertificate, UserKey, Verified, verify,
};
use crate::limits::{MAX_CHANGES, MAX_FRONTIER, MAX_ROLE_BYTES};
use crate::time::HybridTime;

/// A save is small, so a high level costs little time.
const ZSTD_LEVEL: i32 = 9;

/// The content of a record: what one person wrote in one save.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RecordContent {
    /// The author's own new changes, opaque here, in the order in which they were made.
    #[cbor(n(0), with = "byte_strings")]
    pub changes: Vec<Vec<u8>>,
    /// Who wrote.
    #[n(1)]
    pub user: UserId,
    /// In which role, in at most 64 bytes of plain text.
    #[n(2)]
    pub role: String,
    /// The user's signature over chart, role and the hashes of the changes; see [`sign_changes`].
    #[n(3)]
    pub signature: Signature,
    /// When.
    #[n(4)]
    pub time: HybridTime,
    /// The newest ledger statements that the author had seen, ascending.
    #[n(5)]
    pub frontier: Vec<StatementPrefix>,
}

/// Signs changes with the key of who made them. `hashes` are the hashes of the changes, in their
/// order; they name the changes' own dependencies, so nothing can be added or left out.
pub fn sign_changes(key: &UserKey, chart: &ChartId, role: &str, hashes: &[[u8; 32]]) -> Signature {
    key.sign(Context::CHANGES, &changes_message(chart, role, hashes))
}

/// Why a record's user cannot be confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// The certificate is another user's.
    #[error("the certificate is of another user than the record names")]
    OtherUser,
    /// The user did not sign these changes.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

impl RecordContent {
    /// Checks that the certified user signed these changes. `hashes` are the hashes of
    /// `self.changes`, computed by who can read changes.
    pub fn verify_user(
        &self,
        certificate: &Verified<UserCertificate>,
        chart: &ChartId,
        hashes: &[[u8; 32]],
    ) -> Result<(), ContentError> {
        let certificate = certificate.payload();
        if certificate.user != self.user {
            return Err(ContentError::OtherUser);
        }
        let message = changes_message(chart, &self.role, hashes);
        verify(
            Context::CHANGES,
            certificate.key.as_bytes(),
            &message,
            &self.signature,
        )?;
        Ok(())
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, CodecError> {
        packed::pack(RecordForm::Changes, ZSTD_LEVEL, self)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        packed::unpack(RecordForm::Changes, bytes)
    }
}

impl Bounded for RecordContent {
    fn check(&self) -> Result<(), CodecError> {
        at_most("changes", self.changes.len(), MAX_CHANGES)?;
        plain_text("role", &self.role, MAX_ROLE_BYTES)?;
        at_most("frontier", self.frontier.len(), MAX_FRONTIER)?;
        ascending("frontier", &self.frontier)
    }
}

/// What a user signs.
pub(super) fn changes_message(chart: &ChartId, role: &str, hashes: &[[u8; 32]]) -> Vec<u8> {
    // The role ends at the zero byte, which no role holds.
    let parts: [&[u8]; 4] = [
        chart.as_bytes(),
        role.as_bytes(),
        &[0],
        hashes.as_flattened(),
    ];
    parts.concat()
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::codec;
    use crate::identity::ClinicKey;
    use crate::limits::MAX_RECORD_PLAIN;

    const STORED: u8 = 0;
    const ZSTD: u8 = 1;

    const CHART: ChartId = ChartId::new([1; 16]);
    const HASHES: [[u8; 32]; 2] = [[3; 32], [4; 32]];

    fn user() -> UserKey {
        UserKey::generate(&mut ChaCha20Rng::seed_from_u64(4))
    }

    fn content() -> RecordContent {
        RecordContent {
            changes: vec![vec![1, 2, 3], vec![4; 300]],
            user: user().id(),
            role: "nurse".to_owned(),
            signature: sign_changes(&user(), &CHART, "nurse", &HASHES),
            time: HybridTime::from_ms(1_700_000_000_000),
            frontier: vec![StatementPrefix::new([1; 8]), StatementPrefix::new([2; 8])],
        }
    }

    fn certificate(key: &UserKey) -> Verified<UserCertificate> {
        let clinic = ClinicKey::generate(&mut ChaCha20Rng::seed_from_u64(5));
        let certificate = UserCertificate {
            clinic: clinic.id(),
            user: key.id(),
            key: key.public(),
            role: "nurse".to_owned(),
            name: None,
        };
        certificate.issue(&clinic).unwrap()
    }

    #[test]
    fn content_reads_back_packed_or_stored() {
        let packed = content().encode().unwrap();
        assert_eq!(packed[0], ZSTD);
        assert_eq!(RecordContent::decode(&packed), Ok(content()));
        let stored = [&[STORED], codec::encode(&content()).as_slice()].concat();
        assert_eq!(RecordContent::decode(&stored), Ok(content()));
    }

    #[test]
    fn the_users_signature_covers_chart_role_and_changes() {
        let certificate = certificate(&user());
        assert_eq!(content().verify_user(&certificate, &CHART, &HASHES), Ok(()));
        let mismatch = Err(ContentError::Signature(SignatureError::Mismatch));
        let other = ChartId::new([2; 16]);
        assert_eq!(
            content().verify_user(&certificate, &other, &HASHES),
            mismatch
        );
        assert_eq!(
            content().verify_user(&certificate, &CHART, &HASHES[..1]),
            mismatch
        );
        let mut raised = content();
        raised.role = "physician".to_owned();
        assert_eq!(raised.verify_user(&certificate, &CHART, &HASHES), mismatch);
    }

    #[test]
    fn another_users_certificate_confirms_nothing() {
        let other = UserKey::generate(&mut ChaCha20Rng::seed_from_u64(99));
        let found = content().verify_user(&certificate(&other), &CHART, &HASHES);
        assert_eq!(found, Err(ContentError::OtherUser));
    }

    #[test]
    fn packed_content_that_claims_too_much_is_refused() {
        let bomb = zstd::bulk::compress(&vec![0; MAX_RECORD_PLAIN + 1], 1).unwrap();
        let found = RecordContent::decode(&[&[ZSTD], bomb.as_slice()].concat());
        assert_eq!(found, Err(CodecError::OutOfBounds { what: "content" }));
    }

    #[test]
    fn an_unknown_form_is_refused() {
        let found = RecordContent::decode(&[2, 0]);
        assert_eq!(
            found,
            Err(CodecError::UnknownVersion { found: 2, known: 1 })
        );
        assert_eq!(RecordContent::decode(&[]), Err(CodecError::Empty));
    }

    #[test]
    fn every_truncation_of_content_is_refused() {
        for bytes in [
            content().encode().unwrap(),
            [&[STORED], codec::encode(&content()).as_slice()].concat(),
        ] {
            for end in 0..bytes.len() {
                assert!(RecordContent::decode(&bytes[..end]).is_err(), "{end} bytes");
            }
        }
    }

    #[test]
    fn content_out_of_bounds_is_neither_written_nor_read() {
        let mut long = content();
        long.role = "x".repeat(65);
        assert!(long.encode().is_err());
        let mut unsorted = content();
        unsorted.frontier.reverse();
        assert!(unsorted.encode().is_err());
        let bytes = [&[STORED], codec::encode(&unsorted).as_slice()].concat();
        let expected = CodecError::OutOfBounds { what: "frontier" };
        assert_eq!(RecordContent::decode(&bytes), Err(expected));
    }

    #[test]
    fn content_in_another_spelling_is_refused() {
        let mut bytes = [&[STORED], codec::encode(&content()).as_slice()].concat();
        assert_eq!(bytes[1..3], [0x86, 0x82]);
        bytes.splice(2..3, [0x98, 2]);
        assert_eq!(RecordContent::decode(&bytes), Err(CodecError::NotCanonical));
    }
}
