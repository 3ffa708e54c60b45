//! Paper: a page as pixels, and that page as a PNG or a PDF.
//!
//! | file | idea |
//! |---|---|
//! | `canvas` | grey pixels, and letters and codes on them |
//! | `code` | a text as a QR code |
//! | `card` | the patient's card |
//! | `png`, `pdf` | a page as a file |
//!
//! A page is one picture, the same in both files. Letters come from a bundled bitmap of Noto Sans
//! Mono: Latin letters with the accents of European, Turkish and many African languages. A name
//! with any other letter is printed with boxes in their places, and a line on which to write it by
//! hand: fonts for all scripts would be larger than the program.

mod canvas;
mod card;
mod code;
mod pdf;
mod png;

pub use card::{CardPage, card};
pub use code::CodeError;

use std::path::Path;

use canvas::Canvas;

/// What a card is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A page.
    Pdf,
    /// The page as a picture.
    Png,
    /// The texts of its codes, a line each.
    Text,
}

/// A file whose name does not say what to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a card is written as .pdf, .png or .txt: name a file that ends so")]
pub struct FormError;

impl Form {
    /// The form that the name of a file says.
    ///
    /// # Errors
    /// [`FormError`] for a name that says none.
    pub fn of(path: &Path) -> Result<Self, FormError> {
        let ending = path.extension().and_then(|ending| ending.to_str());
        match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("pdf") => Ok(Self::Pdf),
            Some("png") => Ok(Self::Png),
            Some("txt") => Ok(Self::Text),
            _ => Err(FormError),
        }
    }
}

/// A page of paper.
pub struct Page(Canvas);

impl Page {
    /// The page as a PNG (ISO/IEC 15948), with its size on paper.
    #[must_use]
    pub fn png(&self) -> Vec<u8> {
        png::of(&self.0)
    }

    /// The page as a PDF (ISO 32000) of one A4 page.
    #[must_use]
    pub fn pdf(&self) -> Vec<u8> {
        pdf::of(&self.0)
    }
}
