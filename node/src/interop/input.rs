//! One file of an import: read with its limits, unpacked, and made text.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::vec::IntoIter;

use super::error::{GzipFault, ImportError, ImportReason};
use super::find::find;
use super::limits::{MAX_FILE_BYTES, SNIFF_BYTES};
use super::recognise::{Format, by_content, by_name};
use super::unpack::{MAGIC, unpack};

/// The mark that some write before UTF-8 text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A file that was read: text that may be FHIR.
#[derive(Clone, PartialEq, Eq)]
pub struct InputFile {
    path: PathBuf,
    format: Format,
    text: String,
}

/// The files of an import, read one by one as they are asked for.
#[derive(Debug)]
pub struct Inputs {
    files: IntoIter<Result<PathBuf, ImportError>>,
}

/// Reads what the user named: files, and folders with all that can be imported in them, in
/// order. Files are `.json` and `.ndjson`, alone or with `.gz`; what is packed is told by its
/// first bytes too. Hidden files in folders are left alone.
///
/// The files are listed at once and read one at a time. Each item is a file, or the
/// [`ImportError`] that stands in its place; the others follow all the same.
pub fn read_inputs(paths: &[PathBuf]) -> Inputs {
    Inputs {
        files: find(paths).into_iter(),
    }
}

impl Inputs {
    /// How many files and errors are still to come.
    pub fn remaining(&self) -> usize {
        self.files.len()
    }
}

impl Iterator for Inputs {
    type Item = Result<InputFile, ImportError>;

    fn next(&mut self) -> Option<Self::Item> {
        let path = self.files.next()?;
        Some(path.and_then(|path| InputFile::read(&path)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.files.size_hint()
    }
}

impl InputFile {
    /// Reads one file.
    ///
    /// # Errors
    /// [`ImportError`] for what cannot be read, is too large, is wrongly packed, or is no text.
    pub fn read(path: &Path) -> Result<Self, ImportError> {
        Self::read_within(path, MAX_FILE_BYTES)
    }

    /// Reads one file of at most so many bytes, on the disk and again unpacked.
    pub(super) fn read_within(path: &Path, most: u64) -> Result<Self, ImportError> {
        let whole = |reason| ImportError::whole(path, reason);
        let file = File::open(path).map_err(|error| ImportError::io(path, &error))?;
        let metadata = file
            .metadata()
            .map_err(|error| ImportError::io(path, &error))?;
        if metadata.len() > most {
            return Err(whole(ImportReason::TooLarge {
                bytes: metadata.len(),
                most,
            }));
        }
        // The file may grow while it is read.
        let reader = BufReader::new(file.take(most.saturating_add(1)));
        let (format, bytes) = content(path, reader, most)?;
        text(bytes)
            .map(|text| Self {
                path: path.to_owned(),
                format,
                text,
            })
            .map_err(whole)
    }

    /// Where it lies, as it was named or found.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How its resources stand in it.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Its text without a byte order mark; not empty.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Without the text: it is a patient's.
impl fmt::Debug for InputFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputFile")
            .field("path", &self.path)
            .field("format", &self.format)
            .field("bytes", &self.text.len())
            .finish()
    }
}

/// What a file holds: the format that its name says, and its bytes, unpacked.
fn content(
    path: &Path,
    mut reader: impl BufRead,
    most: u64,
) -> Result<(Format, Vec<u8>), ImportError> {
    let whole = |reason| ImportError::whole(path, reason);
    let head = reader
        .fill_buf()
        .map_err(|error| ImportError::io(path, &error))?;
    if head.is_empty() {
        return Err(whole(ImportReason::Empty));
    }
    let is_packed = head.starts_with(&MAGIC);
    if let Some(kind) = by_content(head.get(..SNIFF_BYTES).unwrap_or(head)) {
        return Err(whole(ImportReason::NotFhirJson(kind)));
    }
    let named = by_name(path).ok_or_else(|| whole(ImportReason::UnknownName))?;
    let bytes = if is_packed {
        unpack(reader, most).map_err(whole)?
    } else if named.is_packed {
        return Err(whole(ImportReason::Gzip(GzipFault::NotGzip)));
    } else {
        let mut bytes = Vec::new();
        reader
            .read_to_end(&mut bytes)
            .map_err(|error| ImportError::io(path, &error))?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if length > most {
            return Err(whole(ImportReason::TooLarge {
                bytes: length,
                most,
            }));
        }
        bytes
    };
    match by_content(bytes.get(..SNIFF_BYTES).unwrap_or(&bytes)) {
        Some(kind) => Err(whole(ImportReason::NotFhirJson(kind))),
        None => Ok((named.format, bytes)),
    }
}

/// The bytes as text, without a mark before it.
fn text(bytes: Vec<u8>) -> Result<String, ImportReason> {
    let mut text = String::from_utf8(bytes).map_err(|error| ImportReason::NotUtf8 {
        offset: error.utf8_error().valid_up_to(),
    })?;
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len_utf8());
    }
    if text.trim_ascii().is_empty() {
        Err(ImportReason::Empty)
    } else {
        Ok(text)
    }
}
