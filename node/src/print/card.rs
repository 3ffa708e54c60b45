//! The patient's card on paper.

use super::Page;
use super::canvas::{Canvas, HEIGHT, Size, WIDTH, has_letters};
use super::code::{Code, CodeError};

/// White around everything, in pixels: 10 mm, which every printer leaves.
const MARGIN: usize = 60;
/// The square for one code, in pixels: two of them stand side by side.
const CODE: usize = (WIDTH - 2 * MARGIN - GAP) / 2;
const GAP: usize = 20;
/// The most lines of one text: a page has room for them.
const MAX_LINES: usize = 3;

/// What stands on a card.
#[derive(Debug, Clone)]
pub struct CardPage {
    /// The patient's name.
    pub name: String,
    /// FHIR date, where it is known.
    pub birth_date: Option<String>,
    /// The home clinic's name.
    pub clinic: String,
    /// The whole id of the chart.
    pub chart: String,
    /// The beginning of it.
    pub short_id: String,
    /// The emergency code.
    pub emergency_code: String,
    /// When the card was made: a day.
    pub made: String,
    /// The text of the code with the key.
    pub key: String,
    /// The text of the code with the summary.
    pub summary: String,
    /// What the summary lacks, in words.
    pub left_out: Option<String>,
}

/// Draws a card.
///
/// # Errors
/// [`CodeError`] for a text that no QR code holds.
pub fn card(page: &CardPage) -> Result<Page, CodeError> {
    let (key, summary) = (Code::of(&page.key)?, Code::of(&page.summary)?);
    let mut pen = Pen {
        canvas: Canvas::new(),
        y: MARGIN,
    };
    head(&mut pen, page);
    pen.rule();
    let top = pen.y;
    let right = MARGIN + CODE + GAP;
    pen.canvas.code((MARGIN, top), CODE, &key);
    pen.canvas.code((right, top), CODE, &summary);
    let below = top + CODE;
    for (x, lines) in [
        (MARGIN, ["1  KEY", "opens the chart, with the PIN"]),
        (
            right,
            ["2  EMERGENCY", "opens a summary, with the code above"],
        ),
    ] {
        for (line, text) in (0..).zip(lines) {
            let at = (x, below + line * Size::Plain.line());
            pen.canvas.text(at, Size::Plain, text);
        }
    }
    pen.y = below + 3 * Size::Plain.line();
    pen.rule();
    foot(&mut pen, page);
    Ok(Page(pen.canvas))
}

fn head(pen: &mut Pen, page: &CardPage) {
    pen.lines(Size::Plain, "CHARTMESH  PATIENT'S CARD");
    pen.y += Size::Plain.line() / 2;
    pen.lines(Size::Large, &page.name);
    if !has_letters(&page.name) {
        let line = "Some letters of the name cannot be printed. Write it here:";
        pen.lines(Size::Plain, line);
        pen.y += 2 * Size::Plain.line();
        pen.rule();
    }
    if let Some(date) = &page.birth_date {
        pen.lines(Size::Plain, &format!("born            {date}"));
    }
    pen.lines(Size::Plain, &format!("home clinic     {}", page.clinic));
    pen.lines(Size::Plain, &format!("made            {}", page.made));
    pen.lines(Size::Plain, &format!("short id        {}", page.short_id));
    pen.lines(Size::Plain, &format!("chart           {}", page.chart));
    pen.y += Size::Plain.line() / 2;
    pen.lines(Size::Plain, "emergency code");
    pen.lines(Size::Large, &page.emergency_code);
}

fn foot(pen: &mut Pen, page: &CardPage) {
    if let Some(left_out) = &page.left_out {
        pen.lines(Size::Plain, &format!("NOT ON THIS CARD: {left_out}"));
        pen.y += Size::Plain.line() / 2;
    }
    for text in [
        "Keep this card like a key. Never write the PIN on it.",
        "Lost? Tell the home clinic at once.",
        "At a clinic:      chartmesh card grant, with code 1 and the PIN",
        "In an emergency:  chartmesh card summary, with code 2 and the emergency code",
    ] {
        pen.lines(Size::Plain, text);
    }
}

/// Writes from the top to the bottom.
struct Pen {
    canvas: Canvas,
    y: usize,
}

impl Pen {
    /// A text in as many lines as it needs; what is too long for three ends in dots.
    fn lines(&mut self, size: Size, text: &str) {
        for line in wrapped(text, size.letters(WIDTH - 2 * MARGIN)) {
            if self.y + size.line() <= HEIGHT - MARGIN {
                self.canvas.text((MARGIN, self.y), size, &line);
                self.y += size.line();
            }
        }
    }

    fn rule(&mut self) {
        self.y += 10;
        self.canvas.bar((MARGIN, self.y), (WIDTH - 2 * MARGIN, 2));
        self.y += 14;
    }
}

/// Breaks a text into lines of so many letters.
fn wrapped(text: &str, letters: usize) -> Vec<String> {
    let all: Vec<char> = text.chars().collect();
    let mut lines: Vec<String> = all
        .chunks(letters.max(1))
        .take(MAX_LINES)
        .map(|chunk| chunk.iter().collect())
        .collect();
    if all.len() > letters.saturating_mul(MAX_LINES)
        && let Some(last) = lines.last_mut()
    {
        let kept: String = last.chars().take(letters.saturating_sub(3)).collect();
        *last = format!("{kept}...");
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::ZlibDecoder;

    use super::*;

    fn page(name: &str) -> CardPage {
        CardPage {
            name: name.to_owned(),
            birth_date: Some("1987-04-02".to_owned()),
            clinic: "Hill Clinic".to_owned(),
            chart: "440ffe7245d94d2e8b5a7f0ee1a4c3d2".to_owned(),
            short_id: "440ffe72".to_owned(),
            emergency_code: "M4PL-2QZA-77KD-XW3B".to_owned(),
            made: "2026-11-28".to_owned(),
            key: format!("CHARTMESH-CARD:{}", "ABCDEFGH".repeat(240)),
            summary: format!("CHARTMESH-SUMMARY:{}", "23456789".repeat(180)),
            left_out: Some("3 problems".to_owned()),
        }
    }

    /// What a scanner reads on a page.
    fn scanned(page: &Page) -> Vec<String> {
        let mut image =
            rqrr::PreparedImage::prepare_from_greyscale(WIDTH, HEIGHT, |x, y| page.0.pixel(x, y));
        let mut texts: Vec<String> = image
            .detect_grids()
            .iter()
            .map(|grid| grid.decode().unwrap().1)
            .collect();
        texts.sort();
        texts
    }

    #[test]
    fn a_scanner_reads_both_codes_off_the_page_also_the_longest() {
        let written = page("Amina Nakato");
        let drawn = card(&written).unwrap();
        assert_eq!(scanned(&drawn), [written.key, written.summary]);
    }

    #[test]
    fn what_no_code_holds_is_refused() {
        let mut written = page("Amina");
        written.key = "A".repeat(5_000);
        assert_eq!(card(&written).err(), Some(CodeError));
    }

    #[test]
    fn a_name_with_accents_is_printed_and_one_that_cannot_be_says_so() {
        for name in [
            "Hernán Núñez",
            "Zoë Ångström",
            "Łukasz Šťastný",
            "Şükrü Iğdır",
        ] {
            assert!(has_letters(name), "{name}");
        }
        let plain = card(&page("Amina")).unwrap();
        for name in ["李小龙", "أحمد", "Nguyễn"] {
            assert!(!has_letters(name), "{name}");
            let drawn = card(&page(name)).unwrap();
            // The line to write on moves the codes down, and they are read all the same.
            assert_eq!(scanned(&drawn), scanned(&plain), "{name}");
        }
    }

    #[test]
    fn a_long_name_takes_three_lines_at_most() {
        assert_eq!(wrapped("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(wrapped(&"x".repeat(50), 10)[2], "xxxxxxx...");
        let drawn = card(&page(&"Wilhelmina ".repeat(40))).unwrap();
        assert_eq!(scanned(&drawn).len(), 2);
    }

    #[test]
    fn the_picture_holds_the_pixels_of_the_page() {
        let drawn = card(&page("Amina")).unwrap();
        let file = drawn.png();
        let at = file
            .windows(4)
            .position(|window| window == b"IDAT")
            .unwrap();
        let mut rows = Vec::new();
        let packed = ZlibDecoder::new(&file[at + 4..]);
        packed
            .take(((WIDTH + 1) * HEIGHT) as u64)
            .read_to_end(&mut rows)
            .unwrap();
        assert_eq!(rows.len(), (WIDTH + 1) * HEIGHT);
        let whole: Vec<u8> = drawn.0.rows().flatten().copied().collect();
        let read: Vec<u8> = rows
            .chunks_exact(WIDTH + 1)
            .flat_map(|row| row[1..].iter().copied())
            .collect();
        assert!(read == whole);
        let pdf = drawn.pdf();
        assert!(pdf.starts_with(b"%PDF-1."));
        assert!(pdf.ends_with(b"%%EOF"));
        for bytes in [file, pdf] {
            assert!(bytes.len() < 200_000, "{} bytes", bytes.len());
        }
    }
}
