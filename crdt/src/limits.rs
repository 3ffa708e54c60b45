//! Every limit of this crate, each checked before memory is taken for what it bounds.

/// Deepest nesting of objects and arrays in one resource. R4's deepest examples stay under 20;
/// beyond 64 a text is built to exhaust a stack.
pub const MAX_DEPTH: usize = 64;

/// Longest text of one resource, in bytes: an attachment of 64 MiB in base64, and the largest
/// official R4 example, which has 35 MB.
pub const MAX_RESOURCE_BYTES: usize = 96 * 1024 * 1024;

/// Longest text of one bundle, in bytes: a lifetime of records without attachments is under 10 MB,
/// and several scans go with it.
pub const MAX_BUNDLE_BYTES: usize = 128 * 1024 * 1024;

/// Most entries in one bundle: a lifetime of records has some ten thousand.
pub const MAX_ENTRIES: usize = 100_000;

/// Most lines of one NDJSON input: the bulk export of a clinic.
pub const MAX_LINES: usize = 1_000_000;

/// Longest name of a resource type. R4's longest has 33 letters.
pub const MAX_TYPE_BYTES: usize = 64;

/// Longest id of a resource. FHIR says 64 (R4 2.24.0.1), its own examples have up to 67, and an
/// id is kept as it came.
pub const MAX_ID_BYTES: usize = 128;

/// Longest name of a top-level element. R4's longest has 32 letters.
pub const MAX_NAME_BYTES: usize = 128;

/// Longest sensitivity label of a restricted compartment: several codes may be joined.
pub const MAX_LABEL_BYTES: usize = 64;

/// Longest encoded change, in bytes: one bundle of the largest size, and the names around it.
pub const MAX_CHANGE_BYTES: usize = 96 * 1024 * 1024;

/// Most operations in one change: one bundle of the most entries at ten elements each.
pub const MAX_CHANGE_OPS: usize = 1_000_000;

/// Most dependencies of one change. There is one for each node that wrote at the same time.
pub const MAX_CHANGE_DEPS: usize = 1_024;

/// Most other actors that one change can name: each node that wrote what this change replaces.
pub const MAX_CHANGE_ACTORS: usize = 4_096;

/// Most changes that wait for what they depend on, so that a peer cannot fill the memory.
pub const MAX_PENDING_CHANGES: usize = 10_000;

/// Most bytes of changes that wait for what they depend on.
pub const MAX_PENDING_BYTES: usize = 192 * 1024 * 1024;

/// Longest saved document to load, in bytes.
pub const MAX_DOCUMENT_BYTES: usize = 512 * 1024 * 1024;

/// Longest save of another node, in bytes, its columns uncompressed: what a sealed record holds.
pub const MAX_SAVED_BYTES: usize = 32 * 1024 * 1024;

/// Most changes in one save of another node: twenty saves a day for thirty years.
pub const MAX_SAVED_CHANGES: usize = 250_000;

/// Most operations in one save of another node: as in two changes of the largest size.
pub const MAX_SAVED_OPS: usize = 2_000_000;

/// Most bytes of text in one save of another node, each name at each place where it stands: a
/// name is seldom longer than 40 bytes, so this is as much as the most operations need.
pub const MAX_SAVED_TEXT: usize = 96 * 1024 * 1024;

/// Longest id of a user, in bytes: a name, a mail address or a key in hex.
pub const MAX_USER_BYTES: usize = 128;

/// Longest name of a role, in bytes.
pub const MAX_ROLE_BYTES: usize = 64;

/// Latest time of a change: the end of the year 9999, in milliseconds since 1970.
pub const MAX_TIME_MS: i64 = 253_402_300_799_999;
