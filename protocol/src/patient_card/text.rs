//! A card as the text of a QR code: `CHARTMESH-CARD:` or `CHARTMESH-SUMMARY:`, and the Base32 (RFC
//! 4648 §6, no padding) of `payload | checksum 4`.
//!
//! Only characters of a QR code's alphanumeric mode (ISO/IEC 18004 §7.3.4), and none that a shell,
//! a keyboard wedge or a mail program changes. The checksum, of BLAKE3, tells a slip from an
//! altered card before anything else is said of it.

use data_encoding::BASE32_NOPAD;

use crate::codec::CodecError;
use crate::id::first_bytes;
use crate::limits::{MAX_KEY_CARD_BYTES, MAX_SUMMARY_CARD_BYTES};

const KEY_PREFIX: &str = "CHARTMESH-CARD:";
const SUMMARY_PREFIX: &str = "CHARTMESH-SUMMARY:";
const CHECKSUM_CONTEXT: &str = "chartmesh 2026-11 card checksum";
const CHECKSUM_LEN: usize = 4;
/// How long what is typed may be: the longest text twice over, with line breaks.
const MAX_TYPED: usize = 8 * 1024;

/// Which of the two codes on a card a text is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardKind {
    /// The patient's key.
    Key,
    /// The summary for emergencies.
    Summary,
}

/// A text that is of no card, or not whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CardTextError {
    /// It does not begin like one.
    #[error(
        "this is not the text of a patient's card: it begins with CHARTMESH-CARD: or with \
         CHARTMESH-SUMMARY:"
    )]
    NotACard,
    /// The other code on the card is meant.
    #[error("this is the code of the summary: the code of the patient's key is needed")]
    IsSummary,
    /// The other code on the card is meant.
    #[error("this is the code of the patient's key: the code of the summary is needed")]
    IsKey,
    /// Longer than a card can be.
    #[error("this text is too long for a patient's card")]
    TooLong,
    /// A character was lost or changed on the way.
    #[error("this card is damaged: scan it again, or copy the whole text")]
    Damaged,
    /// There is nothing behind its beginning.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// The text of one code, read as far as its checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardText {
    kind: CardKind,
    payload: Vec<u8>,
}

impl CardText {
    /// The text of a payload, whatever it is.
    pub fn new(kind: CardKind, payload: Vec<u8>) -> Self {
        Self { kind, payload }
    }

    /// Reads a text as it was scanned or typed; white space and the case do not matter.
    ///
    /// # Errors
    /// [`CardTextError`].
    pub fn read(typed: &str) -> Result<Self, CardTextError> {
        if typed.len() > MAX_TYPED {
            return Err(CardTextError::TooLong);
        }
        let typed = typed.trim_start_matches('\u{feff}');
        let letters = typed.chars().filter(|letter| !letter.is_whitespace());
        let text: String = letters.map(|one| one.to_ascii_uppercase()).collect();
        let kinds = [CardKind::Key, CardKind::Summary].into_iter();
        let (kind, letters) = kinds
            .filter_map(|kind| Some((kind, text.strip_prefix(kind.prefix())?)))
            .next()
            .ok_or(CardTextError::NotACard)?;
        let bytes = BASE32_NOPAD.decode(letters.as_bytes());
        let bytes = bytes.map_err(|_| CardTextError::Damaged)?;
        if bytes.len() > kind.most_bytes().saturating_add(CHECKSUM_LEN) {
            return Err(CardTextError::TooLong);
        }
        let parts = bytes.split_last_chunk::<CHECKSUM_LEN>();
        let (payload, checksum) = parts.ok_or(CardTextError::Damaged)?;
        if *checksum != checksum_of(payload) {
            return Err(CardTextError::Damaged);
        }
        if payload.is_empty() {
            return Err(CodecError::Empty.into());
        }
        Ok(Self::new(kind, payload.to_vec()))
    }

    /// Which code it is.
    pub fn kind(&self) -> CardKind {
        self.kind
    }

    /// The payload, if it is of this kind.
    pub(super) fn expect(self, kind: CardKind) -> Result<Vec<u8>, CardTextError> {
        match (kind, self.kind) {
            (CardKind::Key, CardKind::Summary) => Err(CardTextError::IsSummary),
            (CardKind::Summary, CardKind::Key) => Err(CardTextError::IsKey),
            (CardKind::Key, CardKind::Key) | (CardKind::Summary, CardKind::Summary) => {
                Ok(self.payload)
            }
        }
    }

    /// The text, in capitals.
    pub fn to_text(&self) -> String {
        let bytes = [self.payload.as_slice(), &checksum_of(&self.payload)].concat();
        format!("{}{}", self.kind.prefix(), BASE32_NOPAD.encode(&bytes))
    }
}

impl CardKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Key => KEY_PREFIX,
            Self::Summary => SUMMARY_PREFIX,
        }
    }

    fn most_bytes(self) -> usize {
        match self {
            Self::Key => MAX_KEY_CARD_BYTES,
            Self::Summary => MAX_SUMMARY_CARD_BYTES,
        }
    }
}

fn checksum_of(payload: &[u8]) -> [u8; CHECKSUM_LEN] {
    let mut hasher = blake3::Hasher::new_derive_key(CHECKSUM_CONTEXT);
    hasher.update(payload);
    first_bytes(hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> String {
        CardText::new(CardKind::Key, vec![1; 40]).to_text()
    }

    #[test]
    fn a_text_is_read_however_it_is_broken_into_lines() {
        let text = text();
        let broken: Vec<String> = text
            .to_ascii_lowercase()
            .as_bytes()
            .chunks(7)
            .map(|chunk| String::from_utf8(chunk.to_vec()).unwrap())
            .collect();
        for typed in [
            text.clone(),
            format!("\u{feff} {text}\r\n"),
            broken.join("\n"),
        ] {
            let read = CardText::read(&typed).unwrap();
            assert_eq!((read.kind(), read.to_text()), (CardKind::Key, text.clone()));
        }
    }

    #[test]
    fn any_character_that_is_changed_or_lost_is_noticed() {
        let text = text();
        for at in 0..text.len() {
            let mut changed = text.clone();
            let other = if &text[at..=at] == "A" { "B" } else { "A" };
            changed.replace_range(at..=at, other);
            assert!(CardText::read(&changed).is_err(), "character {at}");
            let mut lost = text.clone();
            lost.remove(at);
            assert!(CardText::read(&lost).is_err(), "character {at}");
            assert!(CardText::read(&text[..at]).is_err(), "{at} characters");
        }
    }

    #[test]
    fn what_is_no_card_is_named_so() {
        for typed in ["", "hello", "chartmesh:1:AAAA", "CHARTMESH-CARD", "12345"] {
            assert_eq!(CardText::read(typed), Err(CardTextError::NotACard));
        }
        for typed in [
            "CHARTMESH-CARD:",
            "CHARTMESH-CARD:1",
            "CHARTMESH-CARD:ÄÖ",
            "CHARTMESH-SUMMARY:AA",
        ] {
            assert_eq!(CardText::read(typed), Err(CardTextError::Damaged));
        }
        let long = format!("CHARTMESH-CARD:{}", "A".repeat(MAX_TYPED));
        assert_eq!(CardText::read(&long), Err(CardTextError::TooLong));
        let long = CardText::new(CardKind::Key, vec![1; MAX_KEY_CARD_BYTES + 1]);
        let read = CardText::read(&long.to_text());
        assert_eq!(read, Err(CardTextError::TooLong));
        let empty = CardText::new(CardKind::Key, Vec::new()).to_text();
        assert!(matches!(
            CardText::read(&empty),
            Err(CardTextError::Codec(CodecError::Empty))
        ));
    }

    proptest! {
        #[test]
        fn any_payload_comes_back_from_its_text(
            payload in proptest::collection::vec(any::<u8>(), 1..=MAX_SUMMARY_CARD_BYTES),
            is_key in any::<bool>(),
        ) {
            let kind = if is_key { CardKind::Key } else { CardKind::Summary };
            let text = CardText::new(kind, payload);
            prop_assert_eq!(CardText::read(&text.to_text()), Ok(text));
        }

        #[test]
        fn whatever_is_typed_is_read_or_refused(
            typed in "(?i)(CHARTMESH-(CARD|SUMMARY):)?.{0,80}"
        ) {
            if let Ok(read) = CardText::read(&typed) {
                prop_assert_eq!(CardText::read(&read.to_text()), Ok(read));
            }
        }
    }

    #[test]
    fn the_one_code_is_not_taken_for_the_other() {
        let key = CardText::new(CardKind::Key, vec![1]);
        let summary = CardText::new(CardKind::Summary, vec![1]);
        let taken = key.expect(CardKind::Summary);
        assert_eq!(taken, Err(CardTextError::IsKey));
        let taken = summary.expect(CardKind::Key);
        assert_eq!(taken, Err(CardTextError::IsSummary));
    }
}
