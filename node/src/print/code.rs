//! A text as a QR code (ISO/IEC 18004).

use qrcode::types::Color;
use qrcode::{EcLevel, QrCode};

/// A text that no QR code holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is too long for a QR code")]
pub struct CodeError;

/// A code as dark and light modules.
pub(super) struct Code(QrCode);

impl Code {
    /// The code of a text: with a seventh of it smudged it is still read where that fits, else with
    /// a fourteenth.
    pub(super) fn of(text: &str) -> Result<Self, CodeError> {
        let level = |level| QrCode::with_error_correction_level(text, level);
        let code = level(EcLevel::M).or_else(|_| level(EcLevel::L));
        code.map(Self).map_err(|_| CodeError)
    }

    /// Modules in a row.
    pub(super) fn width(&self) -> usize {
        self.0.width()
    }

    /// Where the dark modules are, as column and row.
    pub(super) fn dark(&self) -> impl Iterator<Item = (usize, usize)> {
        let width = self.width();
        let modules = self.0.to_colors().into_iter().enumerate();
        let dark = modules.filter(|(_, color)| *color == Color::Dark);
        dark.map(move |(at, _)| (at % width, at / width))
    }
}
