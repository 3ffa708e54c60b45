//! The name of a clinic, as people read it.

use std::fmt;

use crate::limits::MAX_NAME_CHARS;

/// The name of a clinic: 1 to [`MAX_NAME_CHARS`] characters of any script on one line.
///
/// It is shown in terminals and on pages of other clinics, so characters that steer a terminal
/// or turn the order of the text around are refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name(String);

/// Why a text is no clinic name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// Nothing, or only white space.
    #[error("is empty")]
    Empty,
    /// More than [`MAX_NAME_CHARS`] characters.
    #[error("has {0} characters, more than {MAX_NAME_CHARS}")]
    TooLong(usize),
    /// A line break or another control character.
    #[error("holds a line break or control character (U+{0:04X})")]
    Control(u32),
}

impl Name {
    /// The name without the white space around it.
    ///
    /// # Errors
    /// [`NameError`] when nothing is left, it is too long, or it holds a control character.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        let chars = text.chars().count();
        if chars > MAX_NAME_CHARS {
            return Err(NameError::TooLong(chars));
        }
        match text.chars().find(|&c| steers_text(c)) {
            Some(c) => Err(NameError::Control(u32::from(c))),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a character breaks lines, steers a terminal, or overrides the direction of text
/// (Unicode UAX #9). Marks that Arabic and Hebrew names need (U+200C to U+200F) are fine.
fn steers_text(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_script_are_names() {
        for name in [
            "St Mary's",
            "Clínica \"La Paz\"",
            "مستوصف النور",
            "健康診所",
            "Ɗan Ƙano 2",
        ] {
            assert_eq!(Name::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn white_space_around_a_name_is_dropped() {
        assert_eq!(Name::new("  Hilltop \n").unwrap().as_str(), "Hilltop");
    }

    #[test]
    fn what_would_steer_a_terminal_is_refused() {
        assert_eq!(Name::new(" \t"), Err(NameError::Empty));
        assert_eq!(Name::new("a\nb"), Err(NameError::Control(0x0a)));
        assert_eq!(Name::new("a\u{1b}[2Jb"), Err(NameError::Control(0x1b)));
        assert_eq!(Name::new("a\u{202e}b"), Err(NameError::Control(0x202e)));
        assert_eq!(Name::new(&"x".repeat(121)), Err(NameError::TooLong(121)));
    }
}
