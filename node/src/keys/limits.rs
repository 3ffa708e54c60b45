//! The limits of key files: each a number and its reason.

/// Longest passphrase or PIN, in bytes: anything longer is the wrong file.
pub(super) const MAX_PASSPHRASE_BYTES: usize = 1024;
/// A shorter passphrase is guessed in little time by whoever has the disk (NIST SP 800-63B
/// §5.1.1.2 asks for as much of a secret that a person remembers).
pub const MIN_PASSPHRASE_BYTES: usize = 8;
/// Largest keyring file, in bytes: a full one has half of it.
pub(super) const MAX_KEYRING_BYTES: u64 = 16 << 10;
/// Most secrets of a keyring: a node has about ten.
pub(super) const MAX_SECRETS: usize = 64;
/// Longest name of a secret, in bytes: a word, perhaps with a number.
pub(super) const MAX_NAME_BYTES: usize = 48;
/// Most memory that a file may ask argon2id for, in KiB: four times what we write, and still
/// not more than a small node has.
pub(super) const MAX_MEMORY_KIB: u32 = 256 << 10;
/// Least memory that argon2id takes for one lane, in KiB (RFC 9106 §3.1).
pub(super) const MIN_MEMORY_KIB: u32 = 8;
/// Most passes that a file may ask for: some ten seconds at the most memory.
pub(super) const MAX_PASSES: u8 = 16;
/// Most lanes that a file may ask for: they are worked off one after the other.
pub(super) const MAX_LANES: u8 = 4;
