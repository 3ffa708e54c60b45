//! The summary on a card, under the emergency code:
//! `version 1 | chart 16 | nonce 24 | ciphertext | tag 16`.
//!
//! XChaCha20-Poly1305; the key is BLAKE3-derived from the emergency code, whose 80 random bits
//! nobody guesses, and everything before the ciphertext is additional data. Inside lies a
//! [`CardSummary`] with the signature of the clinic that made it.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::error::{SummaryCardError, of_codec};
use super::summary::CardSummary;
use super::text::{CardKind, CardText};
use crate::codec::{self, CodecError};
use crate::id::ChartId;
use crate::identity::{Signature, SignedError, Verified};
use crate::ledger::EmergencyCode;
use crate::limits::MAX_SUMMARY_CARD_BYTES;

const VERSION: u8 = 1;
const SEAL_CONTEXT: &str = "chartmesh 2026-11 card summary under the emergency code";
const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;
const HEAD_LEN: usize = 1 + ChartId::LEN + NONCE_LEN;

/// How long the CBOR of a summary may be, so that its card fits.
pub(super) const fn room_for_summary() -> usize {
    // Its version byte stands before it, its signature behind it.
    MAX_SUMMARY_CARD_BYTES - HEAD_LEN - TAG_LEN - 1 - Signature::LEN
}

/// A sealed summary as it stands on a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryCard {
    chart: ChartId,
    bytes: Vec<u8>,
}

impl SummaryCard {
    /// Seals a summary under the emergency code of its chart.
    ///
    /// # Errors
    /// [`SummaryCardError::OutOfBounds`] for one that was not [fitted](CardSummary::fitted).
    pub fn seal<R: CryptoRng + ?Sized>(
        rng: &mut R,
        summary: &Verified<CardSummary>,
        code: &EmergencyCode,
    ) -> Result<Self, SummaryCardError> {
        let what = CodecError::OutOfBounds { what: "summary" };
        let chart = summary.payload().chart;
        let mut nonce = [0; NONCE_LEN];
        rng.fill_bytes(&mut nonce);
        let mut bytes = [&[VERSION], chart.as_bytes().as_slice(), &nonce].concat();
        let plain = Zeroizing::new(summary.to_bytes());
        let payload = Payload {
            msg: &plain,
            aad: &bytes,
        };
        let sealed = cipher(code).encrypt(&XNonce::from(nonce), payload);
        bytes.extend_from_slice(&sealed.map_err(|_| SummaryCardError::OutOfBounds(what))?);
        if bytes.len() > MAX_SUMMARY_CARD_BYTES {
            return Err(SummaryCardError::OutOfBounds(what));
        }
        Ok(Self { chart, bytes })
    }

    /// Reads the text of a card as it was scanned or typed.
    ///
    /// # Errors
    /// [`SummaryCardError::Text`], [`SummaryCardError::UnknownVersion`],
    /// [`SummaryCardError::Malformed`].
    pub fn parse(typed: &str) -> Result<Self, SummaryCardError> {
        Self::of(CardText::read(typed)?)
    }

    /// The same of a text that was read already.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn of(text: CardText) -> Result<Self, SummaryCardError> {
        Self::decode(text.expect(CardKind::Summary)?)
    }

    fn decode(bytes: Vec<u8>) -> Result<Self, SummaryCardError> {
        let rest = codec::strip_version(VERSION, MAX_SUMMARY_CARD_BYTES, &bytes);
        let rest = rest.map_err(malformed)?;
        let cut = CodecError::Malformed { at: bytes.len() };
        let parts = rest.split_first_chunk::<{ ChartId::LEN }>();
        let (chart, rest) = parts.ok_or(SummaryCardError::Malformed(cut))?;
        if rest.len() < NONCE_LEN + TAG_LEN {
            return Err(SummaryCardError::Malformed(cut));
        }
        Ok(Self {
            chart: ChartId::new(*chart),
            bytes,
        })
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`SummaryCardError::WrongCode`]; [`SummaryCardError::Forged`],
    /// [`SummaryCardError::OtherChart`] and [`SummaryCardError::Malformed`] for what somebody
    /// sealed who has the code, and is no clinic.
    pub fn open(&self, code: &EmergencyCode) -> Result<Verified<CardSummary>, SummaryCardError> {
        let wrong = SummaryCardError::WrongCode;
        let (head, sealed) = self.bytes.split_at_checked(HEAD_LEN).ok_or(wrong)?;
        let (_, nonce) = head.split_last_chunk::<NONCE_LEN>().ok_or(wrong)?;
        let payload = Payload {
            msg: sealed,
            aad: head,
        };
        let plain = cipher(code).decrypt(&XNonce::from(*nonce), payload);
        let plain = Zeroizing::new(plain.map_err(|_| wrong)?);
        let summary = Verified::<CardSummary>::decode(&plain).map_err(|error| match error {
            SignedError::Codec(error) => malformed(error),
            SignedError::Signature(_) => SummaryCardError::Forged,
        })?;
        match summary.payload().chart == self.chart {
            true => Ok(summary),
            false => Err(SummaryCardError::OtherChart),
        }
    }

    /// The text of its QR code.
    pub fn to_text(&self) -> String {
        CardText::new(CardKind::Summary, self.bytes.clone()).to_text()
    }

    /// The chart.
    pub fn chart(&self) -> ChartId {
        self.chart
    }
}

fn malformed(error: CodecError) -> SummaryCardError {
    of_codec(
        error,
        SummaryCardError::UnknownVersion,
        SummaryCardError::Malformed,
    )
}

fn cipher(code: &EmergencyCode) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&Key::from(*code.sealing_key(SEAL_CONTEXT)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::ChartSecret;
    use crate::patient_card::{AllergiesKnown, LeftOut};
    use crate::world::World;

    /// What somebody seals who has the code.
    fn sealed(chart: ChartId, plain: &[u8], code: &EmergencyCode) -> SummaryCard {
        let head = [&[VERSION], chart.as_bytes().as_slice(), &[0; NONCE_LEN]].concat();
        let payload = Payload {
            msg: plain,
            aad: &head,
        };
        let sealed = cipher(code).encrypt(&XNonce::from([0; NONCE_LEN]), payload);
        SummaryCard::decode([head, sealed.unwrap()].concat()).unwrap()
    }

    #[test]
    fn who_has_the_code_makes_no_summary_that_is_believed() {
        let world = World::new(1, 1);
        let code = ChartSecret::from_bytes(Zeroizing::new([7; 32])).emergency_code();
        let summary = CardSummary {
            chart: world.chart,
            clinic: world.id(0),
            clinic_name: "Hillside Clinic".to_owned(),
            made_ms: 1,
            name: "Amina".to_owned(),
            birth_date: None,
            sex: None,
            blood_group: None,
            contact: None,
            allergies_known: AllergiesKnown::NoneKnown,
            allergies: Vec::new(),
            medications: Vec::new(),
            problems: Vec::new(),
            left_out: LeftOut::default(),
        };
        let bytes = summary.sign(&world.clinics[0].key).unwrap().to_bytes();
        assert!(sealed(world.chart, &bytes, &code).open(&code).is_ok());
        let of_another = sealed(ChartId::new([9; 16]), &bytes, &code);
        let found = of_another.open(&code).unwrap_err();
        assert_eq!(found, SummaryCardError::OtherChart);
        let mut forged = bytes.clone();
        *forged.last_mut().unwrap() ^= 1;
        let found = sealed(world.chart, &forged, &code).open(&code).unwrap_err();
        assert_eq!(found, SummaryCardError::Forged);
        let found = sealed(world.chart, b"\x02", &code).open(&code).unwrap_err();
        assert!(matches!(found, SummaryCardError::Malformed(_)), "{found}");
    }
}
