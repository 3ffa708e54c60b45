//! Why a file was not imported, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use chartmesh_crdt::{BundleError, ResourceError};

use super::limits::{MAX_FILES, MAX_FOLDER_DEPTH, MAX_REASON_CHARS};
use super::recognise::{Format, Lookalike};

/// A file that was not imported. Its text names the file, the place in it, the reason and what
/// to do next; it holds no value out of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportError {
    /// The file or folder, as it was named or found.
    pub file: PathBuf,
    /// Where in the file, when it is one place.
    pub place: Option<Place>,
    /// What is wrong.
    pub reason: ImportReason,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// An entry of a bundle, counted from 0 as FHIRPath does: `Bundle.entry[0]`.
    Entry(usize),
    /// A line of an NDJSON file, counted from 1.
    Line(usize),
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportReason {
    /// There is no such file or folder.
    #[error("there is no such file or folder")]
    NotFound,
    /// The system does not let it be read.
    #[error("cannot be read: {0}")]
    Unreadable(io::ErrorKind),
    /// Neither a file nor a folder: a device, a pipe or a socket.
    #[error("is neither a file nor a folder")]
    NotAFile,
    /// A folder without anything to import.
    #[error("this folder holds no file to import")]
    NothingToImport,
    /// Folders nest deeper than [`MAX_FOLDER_DEPTH`].
    #[error("folders nest more than {MAX_FOLDER_DEPTH} deep")]
    FolderTooDeep,
    /// There are more than [`MAX_FILES`] files.
    #[error("there are more than {MAX_FILES} files")]
    TooManyFiles,
    /// The name does not say what the file holds.
    #[error("the name ends in none of .json, .json.gz, .ndjson and .ndjson.gz")]
    UnknownName,
    /// The file is larger than [`MAX_FILE_BYTES`](super::limits::MAX_FILE_BYTES).
    #[error("has {bytes} bytes, more than the {most} that are read")]
    TooLarge {
        /// Its size; for one that grows while it is read, what was there.
        bytes: u64,
        /// The most that are read.
        most: u64,
    },
    /// The file unpacks to more than [`MAX_FILE_BYTES`](super::limits::MAX_FILE_BYTES).
    #[error("unpacks to more than the {most} bytes that are read")]
    UnpacksTooLarge {
        /// The most that are read.
        most: u64,
    },
    /// The gzip around the text is wrong.
    #[error("wrong gzip: {0}")]
    Gzip(GzipFault),
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
    /// The text is not UTF-8.
    #[error("is not UTF-8 text: byte {offset} is wrong")]
    NotUtf8 {
        /// How many bytes before the first wrong one are good.
        offset: usize,
    },
    /// The file is of another kind.
    #[error("is not FHIR JSON: looks like {0}")]
    NotFhirJson(Lookalike),
    /// A resource, or the text as a whole, is not FHIR JSON.
    #[error("{0}")]
    Resource(ResourceError),
    /// The text is larger than a bundle may be.
    #[error("the bundle has {bytes} bytes, more than a bundle may have")]
    BundleTooLarge {
        /// Its length.
        bytes: usize,
    },
    /// The bundle is of a type that does not hold a chart.
    #[error("the bundle's type is not transaction, batch, collection, document or searchset")]
    WrongBundleType,
    /// More entries or lines than are read.
    #[error("there are too many entries")]
    TooManyEntries,
    /// An entry without a resource.
    #[error("there is no resource in the entry")]
    NoResource,
    /// No Patient.
    #[error("there is no Patient in it")]
    NoPatient,
    /// A second Patient in one bundle.
    #[error("is a second Patient")]
    SecondPatient,
    /// A reference to another patient.
    #[error("refers to another patient, or to one that is not in the file, at \"{path}\"")]
    OtherPatient {
        /// The element with the reference.
        path: String,
    },
    /// The type and id of an earlier entry.
    #[error("has the same type and id as {0}")]
    SameKey(Place),
    /// A chart that cannot be read for another reason.
    #[error("{0}")]
    Chart(BundleError),
}

/// What is wrong with a gzip file (RFC 1952).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GzipFault {
    /// The name says gzip, the first bytes do not.
    #[error("the name ends in .gz, but the content is not packed")]
    NotGzip,
    /// The end is missing.
    #[error("the file ends before its content does")]
    Truncated,
    /// A header, a block or a check sum is wrong.
    #[error("the content is damaged")]
    Damaged,
    /// There are other bytes behind the end.
    #[error("there are other bytes behind its end")]
    TrailingBytes,
}

impl ImportError {
    /// A reason that concerns the file as a whole.
    pub(super) fn whole(file: impl Into<PathBuf>, reason: ImportReason) -> Self {
        Self {
            file: file.into(),
            place: None,
            reason,
        }
    }

    /// A failure of the system.
    pub(super) fn io(file: impl Into<PathBuf>, error: &io::Error) -> Self {
        let reason = if error.kind() == io::ErrorKind::NotFound {
            ImportReason::NotFound
        } else {
            ImportReason::Unreadable(error.kind())
        };
        Self::whole(file, reason)
    }

    /// A fault of a bundle or of the lines of an NDJSON file.
    pub(super) fn of_bundle(file: PathBuf, format: Format, error: BundleError) -> Self {
        use BundleError as B;
        let place = |at| match format {
            Format::Json => Place::Entry(at),
            Format::Ndjson => Place::Line(at.saturating_add(1)),
        };
        let (at, reason) = match error {
            B::TooLarge { bytes } => (None, ImportReason::BundleTooLarge { bytes }),
            B::Input(error) => (None, ImportReason::Resource(error)),
            B::WrongType => (None, ImportReason::WrongBundleType),
            B::TooManyEntries => (None, ImportReason::TooManyEntries),
            B::NoResource { entry } => (Some(entry), ImportReason::NoResource),
            B::Entry { entry, error } => (Some(entry), ImportReason::Resource(error)),
            B::NoPatient => (None, ImportReason::NoPatient),
            B::SecondPatient { entry } => (Some(entry), ImportReason::SecondPatient),
            B::OtherPatient { entry, path } => (Some(entry), ImportReason::OtherPatient { path }),
            B::SameKey { first, second } => (Some(second), ImportReason::SameKey(place(first))),
            other => (None, ImportReason::Chart(other)),
        };
        Self {
            file,
            place: at.map(place),
            reason,
        }
    }
}

impl ImportReason {
    /// What to do about it, as a sentence.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::NotFound => "Check the name.",
            Self::Unreadable(_) => "Check who may read it, and the disk or stick that it is on.",
            Self::NotAFile => "Write it to a file first.",
            Self::NothingToImport => {
                "Name a folder with .json, .json.gz, .ndjson or .ndjson.gz files."
            }
            Self::FolderTooDeep => "Name the folder with the files itself.",
            Self::TooManyFiles => "Import in several goes.",
            Self::UnknownName => "If it holds FHIR JSON, rename it.",
            Self::TooLarge { .. } | Self::UnpacksTooLarge { .. } | Self::BundleTooLarge { .. } => {
                "Export again with one file a patient."
            }
            Self::Gzip(GzipFault::NotGzip) => "Rename it without .gz.",
            Self::Gzip(_) | Self::Empty => "Copy or export it again.",
            Self::NotUtf8 { .. } => "Save it as UTF-8.",
            Self::NotFhirJson(kind) => kind.advice(),
            Self::Resource(error) => of_resource(error),
            Self::WrongBundleType => "Export the chart as a collection or a transaction.",
            Self::TooManyEntries => "Export again in several files.",
            Self::NoResource => "Remove the entry, or export it with its resource.",
            Self::NoPatient => "Export again with the Patient resource.",
            Self::SecondPatient => "Export again with one bundle a patient, or as NDJSON.",
            Self::OtherPatient { .. } => {
                "Check whose record it is; take it out or correct the reference."
            }
            Self::SameKey(_) => "Keep the one that is right.",
            Self::Chart(_) => "Export it again.",
        }
    }
}

/// What to do about a resource that is none.
fn of_resource(error: &ResourceError) -> &'static str {
    match error {
        ResourceError::TooLarge { .. } => "Export it without its attachments.",
        ResourceError::Syntax { .. } => {
            "Export it again; a file of one resource a line must be named .ndjson."
        }
        ResourceError::TooDeep { .. } => "No FHIR resource nests like that: check its source.",
        ResourceError::BadResourceType => {
            "Correct it where it comes from; a bundle goes into a .json file of its own."
        }
        ResourceError::DuplicateName { .. }
        | ResourceError::NotAnObject
        | ResourceError::NoResourceType
        | ResourceError::NoId
        | ResourceError::BadId
        | ResourceError::BadName { .. }
        | _ => "Correct it where it comes from, and export it again.",
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(at) => write!(f, "entry[{at}]"),
            Self::Line(line) => write!(f, "line {line}"),
        }
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A file name may hold anything; it must not steer the terminal.
        let file = self
            .file
            .to_string_lossy()
            .replace(char::is_control, "\u{fffd}");
        write!(f, "{file}: ")?;
        if let Some(place) = self.place {
            write!(f, "{place}: ")?;
        }
        let reason = printable(&self.reason.to_string());
        match reason.char_indices().nth(MAX_REASON_CHARS) {
            Some((end, _)) => write!(f, "{}…", reason.get(..end).unwrap_or_default())?,
            None => f.write_str(&reason)?,
        }
        write!(f, ". {}", self.reason.advice())
    }
}

/// A text without what would steer a terminal: file names and the names of elements may hold
/// anything.
fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

impl std::error::Error for ImportError {}
