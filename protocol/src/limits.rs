//! Every limit of the protocol, one line and one reason each.
//!
//! A limit is checked before anything is allocated for what a peer claims to send.

/// A sealed record: one save of one clinician, or a compaction record of a long chart.
pub const MAX_RECORD_BYTES: usize = 4 * 1024 * 1024;

/// A mail at a relay: a sealed record of any size, padded (12 % at most), and what stands around
/// it.
pub const MAX_MAIL_BYTES: usize = MAX_RECORD_BYTES + MAX_RECORD_BYTES / 8 + 1024;

/// Stretches of records that one receipt names: the compartments and authors that one morning's
/// mail is of; more take another.
pub const MAX_RECEIPT_STRETCHES: usize = 512;

/// Statements that one receipt names: a chart has some five, and ten with its years.
pub const MAX_RECEIPT_STATEMENTS: usize = 1024;

/// Attachments that one request at a relay names: a clinic's morning; the next ones follow once
/// these have come.
pub const MAX_REQUEST_ATTACHMENTS: usize = 256;

/// The clear text inside a record: what decompression may grow to, so that 4 MiB of zstd cannot
/// claim gigabytes.
pub const MAX_RECORD_PLAIN: usize = 32 * 1024 * 1024;

/// Changes in one record: one save seldom has more than one, an import has one a resource.
pub const MAX_CHANGES: usize = 65_536;

/// Records of which one manifest tells: some 230 bytes each, so less than a megabyte.
pub const MAX_MANIFEST_RECORDS: usize = 4_096;

/// Certificates in one manifest: every node and user of a chart in decades.
pub const MAX_MANIFEST_CERTIFICATES: usize = 2_048;

/// Manifests of one compaction: each adds what the ones before did not tell of.
pub const MAX_MANIFEST_PARTS: usize = 1_024;

/// A signed ledger statement: an epoch with the largest reader set needs 25 KiB.
pub const MAX_STATEMENT_BYTES: usize = 64 * 1024;

/// A node or user certificate: keys, a role and a name.
pub const MAX_CERTIFICATE_BYTES: usize = 1024;

/// A card before base64: it has to fit a QR code of version 40 and one line of a terminal.
pub const MAX_CARD_BYTES: usize = 2048;

/// A patient's key on a card: the statement that begins the chart, the home clinic's card with two
/// addresses, and the sealed key have 900; with all of it the QR code is of version 30 of 40, and a
/// telephone still reads it from paper.
pub const MAX_KEY_CARD_BYTES: usize = 1200;

/// The summary on a patient's card: its QR code is of version 26 of 40.
pub const MAX_SUMMARY_CARD_BYTES: usize = 900;

/// Addresses on a card: a node with both transports on several networks needs eight.
pub const MAX_CARD_ADDRESSES: usize = 16;

/// One address on a card: a multiaddr with a relay hop and two peer ids has 200 characters.
pub const MAX_ADDRESS_BYTES: usize = 256;

/// Names of clinics, roles and users: longer than any that a letterhead has.
pub const MAX_NAME_BYTES: usize = 128;

/// A role inside a record or a user certificate: a short word such as `physician`.
pub const MAX_ROLE_BYTES: usize = 64;

/// The part after `restricted/`: sensitivity labels such as `HIV` are short codes, and a resource
/// with several of them has them joined.
pub const MAX_LABEL_BYTES: usize = 64;

/// Compartments that one grant or revocation names: the five fixed ones and every label.
pub const MAX_COMPARTMENTS: usize = 64;

/// Readers of one epoch: clinics that share one chart; a large city has fewer.
pub const MAX_READERS: usize = 256;

/// Parent epochs of one epoch: as many as nodes that rotated while apart.
pub const MAX_EPOCH_PARENTS: usize = 32;

/// Ledger statements that a frontier names: heads of the ledger, few unless many worked apart.
pub const MAX_FRONTIER: usize = 256;

/// Entries of an audit log in one segment: what a ward does with one chart between two syncs; more
/// take another.
pub const MAX_SEGMENT_ENTRIES: usize = 256;

/// A sealed audit segment: its entries at some 60 bytes each, with the longest names.
pub const MAX_SEGMENT_BYTES: usize = 48 * 1024;

/// Records that one admission names: what a clinic wrote in a month without hearing that its right
/// had ended; more take another.
pub const MAX_ADMITTED: usize = 1024;

/// Authors that a revocation's frontier names in one compartment: nodes times incarnations.
pub const MAX_FRONTIER_AUTHORS: usize = 1024;

/// What one node of a clinic tells the others: a card, or a patient's key.
pub const MAX_HOUSE_NOTE_BYTES: usize = 8 * 1024;

/// The reason of a revocation: a sentence or two.
pub const MAX_REASON_BYTES: usize = 512;

/// A chain of delegated grants: home clinic, hospital, department, laboratory, and some more.
pub const MAX_DELEGATION_DEPTH: usize = 8;

/// Epochs walked back from one key to open a history: rotations of one compartment in decades.
pub const MAX_EPOCH_WALK: usize = 4096;
