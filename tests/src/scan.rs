//! A folder searched for texts that must not lie in it in clear, in the encodings that programs
//! use without anyone noticing.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use base64::Engine;
use base64::alphabet::{STANDARD as PLAIN, URL_SAFE};
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use data_encoding::{HEXLOWER, HEXUPPER};

/// What is shorter occurs by chance in a few million random bytes.
const MIN_BYTES: usize = 6;
/// What comes out of a compressed member is looked at so far.
const MAX_UNPACKED: u64 = 4 << 20;
/// How deep compressed members are followed.
const MAX_DEPTH: usize = 2;

/// Texts to look for, in every encoding.
#[derive(Debug)]
pub struct Scan {
    automaton: AhoCorasick,
    names: Vec<String>,
}

/// A text that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The file.
    pub file: PathBuf,
    /// What was found, and in which encoding.
    pub what: String,
    /// Where it begins, in bytes.
    pub offset: usize,
}

impl Scan {
    /// Looks for texts: as they are, in lower and upper case and without accents.
    ///
    /// # Panics
    /// When there are too many of them.
    #[must_use]
    pub fn for_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut needles = BTreeMap::new();
        for text in texts {
            for variant in [
                text.to_owned(),
                text.to_lowercase(),
                text.to_uppercase(),
                without_accents(text),
                without_accents(text).to_lowercase(),
            ] {
                for (bytes, encoding) in encodings(&variant) {
                    needles.insert(bytes, format!("{variant} as {encoding}"));
                }
            }
        }
        Self::for_needles(needles)
    }

    /// Looks for byte strings, each with a name.
    ///
    /// # Panics
    /// When one is so short that it occurs by chance.
    #[must_use]
    pub fn for_bytes(needles: impl IntoIterator<Item = (Vec<u8>, String)>) -> Self {
        let mut all = BTreeMap::new();
        for (bytes, name) in needles {
            assert!(bytes.len() >= MIN_BYTES, "{name} is too short");
            for (text, encoding) in [
                (HEXLOWER.encode(&bytes), "hex"),
                (HEXUPPER.encode(&bytes), "HEX"),
            ] {
                all.insert(text.into_bytes(), format!("{name} as {encoding}"));
            }
            for (text, encoding) in base64s(&bytes) {
                all.insert(text.into_bytes(), format!("{name} as {encoding}"));
            }
            all.insert(bytes, name);
        }
        Self::for_needles(all)
    }

    fn for_needles(needles: BTreeMap<Vec<u8>, String>) -> Self {
        let (bytes, names): (Vec<Vec<u8>>, Vec<String>) = needles.into_iter().unzip();
        Self {
            automaton: AhoCorasick::new(bytes).unwrap(),
            names,
        }
    }

    /// Searches every file below a folder, and the names of the files.
    ///
    /// # Panics
    /// When one cannot be read.
    #[must_use]
    pub fn folder(&self, folder: &Path) -> Vec<Found> {
        let mut found = Vec::new();
        for file in files_below(folder) {
            let named = self.bytes(&file, file.to_string_lossy().as_bytes());
            found.extend(named);
            found.extend(self.bytes(&file, &std::fs::read(&file).unwrap()));
        }
        found
    }

    /// Searches bytes, and what compressed members among them hold. `file` is whose they are.
    #[must_use]
    pub fn bytes(&self, file: &Path, bytes: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        self.search(file, bytes, 0, &mut found);
        found
    }

    fn search(&self, file: &Path, bytes: &[u8], depth: usize, found: &mut Vec<Found>) {
        for hit in self.automaton.find_overlapping_iter(bytes) {
            found.push(Found {
                file: file.to_owned(),
                what: self.names[hit.pattern().as_usize()].clone(),
                offset: hit.start(),
            });
        }
        if depth < MAX_DEPTH {
            for unpacked in members(bytes) {
                self.search(file, &unpacked, depth + 1, found);
            }
        }
    }
}

/// A text in every encoding, where that is long enough not to occur by chance. A short one is
/// looked for between the marks that a text would stand between.
fn encodings(text: &str) -> Vec<(Vec<u8>, &'static str)> {
    let mut all: Vec<(Vec<u8>, &'static str)> = Vec::new();
    let forms = if text.len() >= MIN_BYTES {
        vec![text.to_owned()]
    } else {
        let marks = [
            ("\"", "\""),
            (" ", " "),
            (">", "<"),
            (" ", ","),
            ("\0", "\0"),
        ];
        marks
            .map(|(before, after)| format!("{before}{text}{after}"))
            .into()
    };
    for form in &forms {
        all.push((form.clone().into(), "UTF-8"));
        let base64s = base64s(form.as_bytes()).into_iter();
        all.extend(base64s.map(|(text, encoding)| (text.into(), encoding)));
    }
    let wide = || text.encode_utf16();
    all.extend([
        (wide().flat_map(u16::to_le_bytes).collect(), "UTF-16LE"),
        (wide().flat_map(u16::to_be_bytes).collect(), "UTF-16BE"),
        (HEXLOWER.encode(text.as_bytes()).into(), "hex"),
        (HEXUPPER.encode(text.as_bytes()).into(), "HEX"),
        (escaped(text).into(), "JSON escapes"),
    ]);
    let latin: Result<Vec<u8>, _> = text.chars().map(|c| u8::try_from(u32::from(c))).collect();
    all.extend(latin.ok().map(|bytes| (bytes, "ISO 8859-1")));
    all.retain(|(bytes, _)| bytes.len() >= MIN_BYTES);
    all
}

/// The part of the base64 text that does not depend on what stands before and after, for each of
/// the three places that bytes can stand at.
fn base64s(bytes: &[u8]) -> Vec<(String, &'static str)> {
    let mut all = Vec::new();
    for (alphabet, name) in [(&PLAIN, "base64"), (&URL_SAFE, "base64url")] {
        let engine = GeneralPurpose::new(alphabet, NO_PAD);
        for place in 0..3 {
            let mut padded = vec![0; place];
            padded.extend_from_slice(bytes);
            let text = engine.encode(&padded);
            let begin = (place * 8).div_ceil(6);
            let end = padded.len() * 8 / 6;
            if end >= begin + MIN_BYTES {
                all.push((text[begin..end].to_owned(), name));
            }
        }
    }
    all
}

fn escaped(text: &str) -> String {
    let escape = |letter: char| match u32::from(letter) {
        0..=0x7f => letter.to_string(),
        code => format!("\\u{code:04x}"),
    };
    text.chars().map(escape).collect()
}

fn without_accents(text: &str) -> String {
    const ACCENTS: [(char, char); 16] = [
        ('á', 'a'),
        ('à', 'a'),
        ('ã', 'a'),
        ('ä', 'a'),
        ('ç', 'c'),
        ('é', 'e'),
        ('è', 'e'),
        ('ê', 'e'),
        ('í', 'i'),
        ('ï', 'i'),
        ('ñ', 'n'),
        ('ó', 'o'),
        ('ö', 'o'),
        ('ú', 'u'),
        ('ü', 'u'),
        ('Á', 'A'),
    ];
    let plain = |letter: char| {
        let found = ACCENTS.iter().find(|(accented, _)| *accented == letter);
        found.map_or(letter, |(_, plain)| *plain)
    };
    text.chars().map(plain).collect()
}

/// What comes out of the compressed members of some bytes, wherever one seems to begin.
fn members(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for at in 0..bytes.len().saturating_sub(4) {
        let rest = &bytes[at..];
        let unpacked = match rest {
            [0x1f, 0x8b, 8, ..] => unpack(flate2::read::GzDecoder::new(rest)),
            [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => unpack(flate2::read::ZlibDecoder::new(rest)),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => {
                zstd::stream::read::Decoder::with_buffer(rest).map_or_else(|_| Vec::new(), unpack)
            }
            _ => continue,
        };
        // Chance beginnings break off after a few bytes.
        if unpacked.len() >= MIN_BYTES {
            all.push(unpacked);
        }
    }
    all
}

fn unpack(reader: impl Read) -> Vec<u8> {
    let mut unpacked = Vec::new();
    // What came out before an error is looked at all the same.
    drop(reader.take(MAX_UNPACKED).read_to_end(&mut unpacked));
    unpacked
}

/// Every file below a folder, by path. Sockets and the like are passed over.
///
/// # Panics
/// When a folder cannot be read.
#[must_use]
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files.extend(files_below(&entry.path()));
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Needles hidden in the encodings that the scan claims to see through.
    fn hidden(text: &str) -> Vec<Vec<u8>> {
        let quoted = format!("{{\"x\":\"{text}\"}}");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(quoted.as_bytes()).unwrap();
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(quoted.as_bytes()).unwrap();
        let engine = GeneralPurpose::new(&PLAIN, NO_PAD);
        let mut all = vec![
            quoted.clone().into_bytes(),
            quoted.to_lowercase().into_bytes(),
            quoted.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            quoted.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            HEXLOWER.encode(quoted.as_bytes()).into_bytes(),
            HEXUPPER.encode(quoted.as_bytes()).into_bytes(),
            gzip.finish().unwrap(),
            zlib.finish().unwrap(),
            zstd::encode_all(quoted.as_bytes(), 3).unwrap(),
        ];
        for before in ["", "a", "ab"] {
            all.push(engine.encode(format!("{before}{quoted}")).into_bytes());
        }
        all
    }

    #[test]
    fn a_text_is_found_in_every_encoding() {
        for text in ["Hernán", "Schultz", "Vida", "1948-11-08"] {
            let scan = Scan::for_texts([text]);
            for (number, hiding) in hidden(text).into_iter().enumerate() {
                let mut bytes = b"before\xff\x00".to_vec();
                bytes.extend(hiding);
                bytes.extend(b"\x00after");
                let found = scan.bytes(Path::new("x"), &bytes);
                assert!(!found.is_empty(), "{text}: hiding {number}");
            }
        }
    }

    #[test]
    fn a_text_is_not_found_where_it_is_not() {
        let scan = Scan::for_texts(["Hernán", "Vida"]);
        let found = scan.bytes(Path::new("x"), b"\"Herna\", \"Viday\", VIDAL, aVida");
        assert_eq!(found, []);
    }
}
