//! The emergency code of a chart: on the patient's card, and known to whoever has the chart.

use data_encoding::BASE32_NOPAD;
use zeroize::Zeroizing;

use super::break_glass::CODE_PROOF_LEN;
use super::secret::ChartSecret;
use crate::id::{ChartId, ClinicId, first_bytes};

const CODE_CONTEXT: &str = "chartmesh 2026-11 emergency code";
const PROOF_CONTEXT: &str = "chartmesh 2026-11 emergency proof";

/// 80 bits: too many to be guessed from a proof, and few enough to be typed.
const CODE_LEN: usize = 10;
/// Letters between two dashes.
const GROUP: usize = 4;

/// Who has it has the patient's card at hand. It opens the summary that stands on the card, and
/// nothing of the chart: there it vouches for who breaks the glass. No `Debug`; zeroised when
/// dropped.
#[derive(Clone)]
pub struct EmergencyCode(Zeroizing<[u8; CODE_LEN]>);

/// What was typed is no emergency code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an emergency code has 16 letters and digits, as on the patient's card")]
pub struct ParseEmergencyCodeError;

impl EmergencyCode {
    /// Reads a code as a card shows it; dashes, spaces and the case do not matter.
    ///
    /// # Errors
    /// [`ParseEmergencyCodeError`] for anything else.
    pub fn parse(typed: &str) -> Result<Self, ParseEmergencyCodeError> {
        let letters = typed.chars().filter(|letter| !matches!(letter, '-' | ' '));
        let letters: Zeroizing<String> = Zeroizing::new(letters.collect());
        let upper = Zeroizing::new(letters.to_ascii_uppercase());
        let bytes = BASE32_NOPAD.decode(upper.as_bytes());
        let bytes = Zeroizing::new(bytes.map_err(|_| ParseEmergencyCodeError)?);
        let bytes = <[u8; CODE_LEN]>::try_from(bytes.as_slice());
        Ok(Self(Zeroizing::new(
            bytes.map_err(|_| ParseEmergencyCodeError)?,
        )))
    }

    /// The code as a card shows it: four groups of four letters and digits.
    pub fn to_text(&self) -> Zeroizing<String> {
        let letters = Zeroizing::new(BASE32_NOPAD.encode(self.0.as_ref()));
        let mut text = Zeroizing::new(String::with_capacity(letters.len() + GROUP));
        for (place, letter) in letters.chars().enumerate() {
            if place > 0 && place.is_multiple_of(GROUP) {
                text.push('-');
            }
            text.push(letter);
        }
        text
    }

    /// A key for what only who has the code is to read, for one `context`.
    pub(crate) fn sealing_key(&self, context: &str) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(blake3::derive_key(context, self.0.as_ref()))
    }

    /// What shows that the code was at hand, without telling it: bound to the chart, to the clinic
    /// that asks and to the time of asking, milliseconds since 1970.
    pub fn proof(&self, chart: &ChartId, clinic: &ClinicId, at_ms: u64) -> [u8; CODE_PROOF_LEN] {
        let key = Zeroizing::new(blake3::derive_key(PROOF_CONTEXT, self.0.as_ref()));
        let mut hasher = blake3::Hasher::new_keyed(&key);
        hasher.update(chart.as_bytes());
        hasher.update(clinic.as_bytes());
        hasher.update(&at_ms.to_be_bytes());
        first_bytes(hasher.finalize().as_bytes())
    }
}

impl ChartSecret {
    /// The emergency code of the chart.
    pub fn emergency_code(&self) -> EmergencyCode {
        let hash = Zeroizing::new(self.keyed_hash(CODE_CONTEXT, &[]));
        EmergencyCode(Zeroizing::new(first_bytes(&hash)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHART: ChartId = ChartId::new([1; 16]);
    const CLINIC: ClinicId = ClinicId::new([2; 32]);

    fn code(byte: u8) -> EmergencyCode {
        ChartSecret::from_bytes(Zeroizing::new([byte; 32])).emergency_code()
    }

    #[test]
    fn a_code_is_read_as_it_is_shown_however_it_is_typed() {
        let text = code(7).to_text();
        assert_eq!(text.len(), 19);
        let spaced = text.replace('-', " ").to_lowercase();
        for typed in [text.as_str(), spaced.as_str()] {
            assert_eq!(*EmergencyCode::parse(typed).unwrap().0, *code(7).0);
        }
        for wrong in ["", "ABCD", "1111-1111-1111-1111", &format!("{}A", *text)] {
            assert!(EmergencyCode::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_proof_is_of_one_code_chart_clinic_and_time() {
        let proof = code(7).proof(&CHART, &CLINIC, 5);
        assert_eq!(proof, code(7).proof(&CHART, &CLINIC, 5));
        for other in [
            code(8).proof(&CHART, &CLINIC, 5),
            code(7).proof(&ChartId::new([3; 16]), &CLINIC, 5),
            code(7).proof(&CHART, &ClinicId::new([3; 32]), 5),
            code(7).proof(&CHART, &CLINIC, 6),
        ] {
            assert_ne!(proof, other);
        }
    }
}
