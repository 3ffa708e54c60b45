//! The limits of what is read, each checked before memory is taken for what it bounds.

/// The most bytes of one file, as it lies on the disk and again once unpacked: the largest
/// bundle, or as much as NDJSON.
pub const MAX_FILE_BYTES: u64 = 128 * 1024 * 1024;

/// The deepest folder below a named one: exports nest by year, month and kind at most.
pub const MAX_FOLDER_DEPTH: usize = 16;

/// The most files of one import: a file for each of a million patients.
pub const MAX_FILES: usize = 1_000_000;

/// The first bytes that are looked at to tell a file of another kind.
pub const SNIFF_BYTES: usize = 4096;

/// The most characters of the reason in an error: the path to an element may be of any length.
pub const MAX_REASON_CHARS: usize = 200;
