//! Grey pixels of an A4 page, and letters and codes on them.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use super::code::Code;

/// Pixels of an inch of paper: a printer of any age has twice as many, and a page stays small.
pub(super) const DPI: u32 = 150;
/// The page's pixels: A4, 210 mm × 297 mm.
pub(super) const WIDTH: usize = 1240;
/// See [`WIDTH`].
pub(super) const HEIGHT: usize = 1754;

/// White around a code, in modules (ISO/IEC 18004 §9.1).
const QUIET: usize = 4;
/// What stands for a letter that there is no bitmap of.
const BOX: char = '_';
const FONT: RasterHeight = RasterHeight::Size24;
const PAPER: u8 = 0xff;

/// How large letters are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// 4 mm high.
    Plain,
    /// 8 mm high.
    Large,
}

impl Size {
    fn factor(self) -> usize {
        match self {
            Self::Plain => 1,
            Self::Large => 2,
        }
    }

    /// From one line to the next, in pixels.
    pub(super) fn line(self) -> usize {
        (FONT.val() + 6) * self.factor()
    }

    /// How many letters stand in so many pixels.
    pub(super) fn letters(self, pixels: usize) -> usize {
        pixels / (letter_width() * self.factor())
    }
}

/// Pixels of one letter at its plain size.
fn letter_width() -> usize {
    get_raster_width(FontWeight::Regular, FONT)
}

/// Whether there is a bitmap of every letter.
pub(super) fn has_letters(text: &str) -> bool {
    text.chars()
        .all(|letter| get_raster(letter, FontWeight::Regular, FONT).is_some())
}

/// A page that is drawn on: a byte a pixel, 0 for black.
pub(super) struct Canvas {
    pixels: Vec<u8>,
}

impl Canvas {
    /// White paper.
    pub(super) fn new() -> Self {
        Self {
            pixels: vec![PAPER; WIDTH * HEIGHT],
        }
    }

    /// The pixels, row by row.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.pixels.chunks_exact(WIDTH)
    }

    /// The pixels.
    #[cfg(test)]
    pub(super) fn pixel(&self, x: usize, y: usize) -> u8 {
        self.pixels.get(y * WIDTH + x).copied().unwrap_or(PAPER)
    }

    /// Makes a pixel darker; one beside the page is none.
    fn ink(&mut self, x: usize, y: usize, ink: u8) {
        if x >= WIDTH {
            return;
        }
        if let Some(pixel) = self.pixels.get_mut(y * WIDTH + x) {
            *pixel = (*pixel).min(PAPER - ink);
        }
    }

    /// A black rectangle.
    pub(super) fn bar(&mut self, (x, y): (usize, usize), (width, height): (usize, usize)) {
        for row in y..y + height {
            for column in x..x + width {
                self.ink(column, row, PAPER);
            }
        }
    }

    /// One line of text, its upper left corner at `x` and `y`.
    pub(super) fn text(&mut self, (x, y): (usize, usize), size: Size, text: &str) {
        let factor = size.factor();
        for (place, letter) in text.chars().enumerate() {
            let raster = |letter| get_raster(letter, FontWeight::Regular, FONT);
            let Some(raster) = raster(letter).or_else(|| raster(BOX)) else {
                continue;
            };
            let left = x + place * letter_width() * factor;
            for (row, line) in raster.rows().enumerate() {
                for (column, ink) in line.iter().enumerate().filter(|(_, ink)| **ink > 0) {
                    for dot in 0..factor * factor {
                        let right = left + column * factor + dot % factor;
                        self.ink(right, y + row * factor + dot / factor, *ink);
                    }
                }
            }
        }
    }

    /// A code with its white margin, as large as fits into a square of `room` pixels whose upper
    /// left corner is at `x` and `y`.
    pub(super) fn code(&mut self, (x, y): (usize, usize), room: usize, code: &Code) {
        let modules = code.width() + 2 * QUIET;
        let scale = (room / modules).max(1);
        let begin = (room.saturating_sub(modules * scale)) / 2 + QUIET * scale;
        for (column, row) in code.dark() {
            let at = (x + begin + column * scale, y + begin + row * scale);
            self.bar(at, (scale, scale));
        }
    }
}
