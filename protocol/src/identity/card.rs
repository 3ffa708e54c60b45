//! The card: one line of text by which two clinics get to know each other.
//!
//! `chartmesh:1:` and the base64url (RFC 4648 §5, no padding) of
//! `version 1 | CBOR [name, clinic, certificate, [address...]] | signature 64`.
//! It travels by mail, messenger or QR code, so it is signed: a changed card is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minicbor::{Decode, Encode};

use super::certificate::NodeCertificate;
use super::key::ClinicKey;
use super::signature::{Context, SignatureError};
use super::signed::{Signable, Signed, SignedError, Verified};
use crate::codec::{self, Bounded, CodecError, at_most, plain_text};
use crate::id::ClinicId;
use crate::limits::{
    MAX_ADDRESS_BYTES, MAX_CARD_ADDRESSES, MAX_CARD_BYTES, MAX_CERTIFICATE_BYTES, MAX_NAME_BYTES,
};

const PREFIX: &str = "chartmesh:";
const VERSION: u8 = 1;

/// What a clinic tells others of one of its nodes: name, keys, and where to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    certificate: Verified<NodeCertificate>,
    signed: Verified<Body>,
}

/// A line of text that is no card to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
    /// The text does not begin like a card.
    #[error("this is not a card: a card begins with \"chartmesh:1:\"")]
    NotACard,
    /// A newer program wrote it.
    #[error("this card was made by a newer version of Chartmesh; update this one first")]
    UnknownVersion,
    /// Longer than a card can be.
    #[error("this card is too long: a card has at most {most} characters")]
    TooLong {
        /// The limit in characters.
        most: usize,
    },
    /// A character was lost or changed on the way.
    #[error("this card is damaged: copy the whole line again, without spaces or line breaks")]
    Damaged(#[source] CodecError),
    /// The line does not decode as text of a card.
    #[error("this card is damaged: it holds characters that no card has")]
    Characters,
    /// The clinic that it names did not sign it.
    #[error("this card is not signed by the clinic it names; do not trust it")]
    Forged,
    /// The certificate on it is another clinic's.
    #[error("this card carries a node certificate of another clinic; do not trust it")]
    OtherClinic,
    /// A part of the card to be made is out of bounds.
    #[error("a card cannot hold this: {0}")]
    OutOfBounds(#[source] CodecError),
}

impl Card {
    /// Makes a card for a node of the clinic with this key. `name` is at most 128 bytes of plain
    /// text; `addresses` are multiaddrs, at most 16.
    ///
    /// Fails with [`CardError::OtherClinic`] when the certificate is another clinic's, and with
    /// [`CardError::OutOfBounds`] when name or addresses are too long.
    pub fn issue(
        key: &ClinicKey,
        name: &str,
        certificate: &Verified<NodeCertificate>,
        addresses: &[String],
    ) -> Result<Self, CardError> {
        let body = Body {
            name: name.to_owned(),
            clinic: key.id(),
            certificate: certificate.to_bytes(),
            addresses: addresses.to_vec(),
        };
        if certificate.payload().clinic != body.clinic {
            return Err(CardError::OtherClinic);
        }
        match Verified::issue(body, |context, payload| key.sign(context, payload)) {
            Ok(signed) => Ok(Self {
                certificate: certificate.clone(),
                signed,
            }),
            Err(SignedError::Codec(error)) => Err(CardError::OutOfBounds(error)),
            Err(SignedError::Signature(_)) => Err(CardError::Forged),
        }
    }

    /// Reads a card; spaces and line breaks around it do not matter. Both signatures are checked.
    pub fn parse(line: &str) -> Result<Self, CardError> {
        let line = line.trim();
        let rest = line.strip_prefix(PREFIX).ok_or(CardError::NotACard)?;
        let (version, text) = rest.split_once(':').ok_or(CardError::NotACard)?;
        if version != "1" {
            let number = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
            return Err(if number {
                CardError::UnknownVersion
            } else {
                CardError::NotACard
            });
        }
        let most = MAX_CARD_BYTES.div_ceil(3).saturating_mul(4);
        if text.len() > most {
            return Err(CardError::TooLong { most });
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| CardError::Characters)?;
        Self::from_bytes(&bytes)
    }

    /// Reads the bytes of [`to_bytes`](Self::to_bytes). Both signatures are checked.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, CardError> {
        let signed = Signed::<Body>::decode(bytes).map_err(|error| {
            let newer = matches!(error, CodecError::UnknownVersion { .. });
            if newer {
                CardError::UnknownVersion
            } else {
                CardError::Damaged(error)
            }
        })?;
        let signed = signed
            .verify()
            .map_err(|_: SignatureError| CardError::Forged)?;
        let certificate = Verified::<NodeCertificate>::decode(&signed.payload().certificate)
            .map_err(|error| match error {
                SignedError::Codec(error) => CardError::Damaged(error),
                SignedError::Signature(_) => CardError::Forged,
            })?;
        if certificate.payload().clinic != signed.payload().clinic {
            return Err(CardError::OtherClinic);
        }
        Ok(Self {
            certificate,
            signed,
        })
    }

    /// The card without what makes it a line of text.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.signed.to_bytes()
    }

    /// The card as one line of text.
    pub fn to_line(&self) -> String {
        format!(
            "{PREFIX}{VERSION}:{}",
            URL_SAFE_NO_PAD.encode(self.to_bytes())
        )
    }

    /// The clinic's name, in its own words.
    pub fn name(&self) -> &str {
        &self.signed.payload().name
    }

    /// The clinic.
    pub fn clinic(&self) -> ClinicId {
        self.signed.payload().clinic
    }

    /// The certificate of the clinic's node.
    pub fn certificate(&self) -> &Verified<NodeCertificate> {
        &self.certificate
    }

    /// Where the node may be reached: multiaddrs, not yet parsed.
    pub fn addresses(&self) -> &[String] {
        &self.signed.payload().addresses
    }
}

impl core::fmt::Display for Card {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.to_line())
    }
}

impl core::str::FromStr for Card {
    type Err = CardError;

    fn from_str(line: &str) -> Result<Self, CardError> {
        Self::parse(line)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Body {
    #[n(0)]
    name: String,
    #[n(1)]
    clinic: ClinicId,
    #[cbor(n(2), with = "minicbor::bytes")]
    certificate: Vec<u8>,
    #[n(3)]
    addresses: Vec<String>,
}

impl Bounded for Body {
    fn check(&self) -> Result<(), CodecError> {
        plain_text("name", &self.name, MAX_NAME_BYTES)?;
        at_most("certificate", self.certificate.len(), MAX_CERTIFICATE_BYTES)?;
        at_most("addresses", self.addresses.len(), MAX_CARD_ADDRESSES)?;
        self.addresses
            .iter()
            .try_for_each(|one| plain_text("address", one, MAX_ADDRESS_BYTES))
    }
}

impl Signable for Body {
    const CONTEXT: Context = Context::CARD;
    const MOST_BYTES: usize = MAX_CARD_BYTES;

    fn to_payload(&self) -> Vec<u8> {
        codec::encode_versioned(VERSION, self)
    }

    fn from_payload(payload: &[u8]) -> Result<Self, CodecError> {
        codec::decode_versioned(VERSION, MAX_CARD_BYTES, payload)
    }

    fn signer(&self) -> &[u8; 32] {
        self.clinic.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::identity::{NodeKey, NodeRole, SealingKey};

    fn clinic(seed: u64) -> (ClinicKey, Verified<NodeCertificate>) {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let key = ClinicKey::generate(&mut rng);
        let certificate = NodeCertificate {
            clinic: key.id(),
            node: NodeKey::generate(&mut rng).id(),
            sealing: SealingKey::generate(&mut rng).public(),
            role: NodeRole::Clinic,
            issued_ms: 1,
            serial: 1,
        };
        let certificate = certificate.issue(&key).unwrap();
        (key, certificate)
    }

    fn card() -> Card {
        let (key, certificate) = clinic(1);
        let addresses = ["/ip4/10.0.0.7/udp/4001/quic-v1".to_owned()];
        Card::issue(&key, "Clinique Sainte-Thérèse", &certificate, &addresses).unwrap()
    }

    #[test]
    fn a_card_reads_back_from_its_line() {
        let card = card();
        let read = Card::parse(&format!("  {}\n", card.to_line())).unwrap();
        assert_eq!(read, card);
        assert_eq!(read.name(), "Clinique Sainte-Thérèse");
        assert_eq!(read.addresses(), ["/ip4/10.0.0.7/udp/4001/quic-v1"]);
        assert_eq!(read.certificate().payload().clinic, read.clinic());
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let line = card().to_line();
        for at in 0..line.len() {
            let mut bytes = line.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert!(Card::parse(&changed).is_err(), "character {at}");
        }
    }

    #[test]
    fn every_truncation_is_noticed() {
        let line = card().to_line();
        for end in 0..line.len() {
            assert!(Card::parse(&line[..end]).is_err(), "{end} characters");
        }
    }

    #[test]
    fn a_line_that_is_no_card_is_named_so() {
        for line in [
            "",
            "hello",
            "chartmesh",
            "chartmesh:",
            "chartmesh:x:AAAA",
            "chartmesh::A",
        ] {
            assert_eq!(Card::parse(line), Err(CardError::NotACard), "{line}");
        }
    }

    #[test]
    fn a_card_of_a_newer_version_is_named_so() {
        assert_eq!(
            Card::parse("chartmesh:2:AAAA"),
            Err(CardError::UnknownVersion)
        );
        assert_eq!(
            Card::parse(&card().to_line().replace("chartmesh:1:A", "chartmesh:1:C")),
            Err(CardError::UnknownVersion)
        );
    }

    #[test]
    fn a_long_line_is_refused_before_it_is_decoded() {
        let line = format!("chartmesh:1:{}", "A".repeat(10_000));
        assert!(matches!(Card::parse(&line), Err(CardError::TooLong { .. })));
    }

    #[test]
    fn strange_characters_are_refused() {
        assert_eq!(Card::parse("chartmesh:1:AB=="), Err(CardError::Characters));
        assert_eq!(Card::parse("chartmesh:1:é"), Err(CardError::Characters));
    }

    #[test]
    fn a_card_with_another_clinics_certificate_is_refused() {
        let (key, _) = clinic(1);
        let (_, certificate) = clinic(2);
        let found = Card::issue(&key, "Evil", &certificate, &[]);
        assert_eq!(found, Err(CardError::OtherClinic));
        let body = Body {
            name: "Evil".to_owned(),
            clinic: key.id(),
            certificate: certificate.to_bytes(),
            addresses: Vec::new(),
        };
        let signed = Verified::issue(body, |context, payload| key.sign(context, payload)).unwrap();
        let line = format!("chartmesh:1:{}", URL_SAFE_NO_PAD.encode(signed.to_bytes()));
        assert_eq!(Card::parse(&line), Err(CardError::OtherClinic));
    }

    #[test]
    fn a_card_signed_by_another_is_refused() {
        let (key, certificate) = clinic(1);
        let (other, _) = clinic(2);
        let body = Body {
            name: "Evil".to_owned(),
            clinic: key.id(),
            certificate: certificate.to_bytes(),
            addresses: Vec::new(),
        };
        let mut bytes = body.to_payload();
        let signature = other.sign(Context::CARD, &bytes);
        bytes.extend_from_slice(signature.as_bytes());
        let line = format!("chartmesh:1:{}", URL_SAFE_NO_PAD.encode(bytes));
        assert_eq!(Card::parse(&line), Err(CardError::Forged));
    }

    #[test]
    fn names_and_addresses_have_bounds() {
        let (key, certificate) = clinic(1);
        let issue = |name: &str, addresses: &[String]| {
            Card::issue(&key, name, &certificate, addresses).err()
        };
        assert!(matches!(
            issue(&"x".repeat(129), &[]),
            Some(CardError::OutOfBounds(_))
        ));
        assert!(matches!(
            issue("a\nb", &[]),
            Some(CardError::OutOfBounds(_))
        ));
        let many = vec!["/ip4/1.2.3.4".to_owned(); 17];
        assert!(matches!(issue("a", &many), Some(CardError::OutOfBounds(_))));
        let long = vec!["x".repeat(257)];
        assert!(matches!(issue("a", &long), Some(CardError::OutOfBounds(_))));
    }
}
