//! The patient's PIN.

use zeroize::Zeroizing;

/// The fewest digits of a PIN: a million guesses, each at the cost of argon2id.
pub const MIN_PIN_DIGITS: usize = 6;
/// The most digits: what a person can type without looking twice.
pub const MAX_PIN_DIGITS: usize = 32;

/// Digits that only the patient knows. No `Debug`; zeroised when dropped.
#[derive(Clone)]
pub struct PatientPin(Zeroizing<Vec<u8>>);

/// What was typed is no PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a PIN has {MIN_PIN_DIGITS} to {MAX_PIN_DIGITS} digits")]
pub struct PinError;

impl PatientPin {
    /// A PIN of these digits.
    ///
    /// # Errors
    /// [`PinError`] for too few or too many, and for anything but digits.
    pub fn new(digits: &str) -> Result<Self, PinError> {
        let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
        if !all_digits || !(MIN_PIN_DIGITS..=MAX_PIN_DIGITS).contains(&digits.len()) {
            return Err(PinError);
        }
        Ok(Self(Zeroizing::new(digits.as_bytes().to_vec())))
    }

    pub(super) fn digits(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_has_six_digits_or_more_and_nothing_else() {
        for good in ["123456", "00000000", &"9".repeat(MAX_PIN_DIGITS)] {
            assert!(PatientPin::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "12345",
            "12345a",
            "12 3456",
            " 123456",
            "１２３４５６",
            &"9".repeat(33),
        ] {
            assert_eq!(PatientPin::new(bad).err(), Some(PinError), "{bad}");
        }
    }
}
