//! The bounds of what a configuration may say, and its defaults.

use std::ops::RangeInclusive;

/// The longest configuration text in bytes: a full commented file has under 4 KiB.
pub const MAX_CONFIG_BYTES: usize = 64 * 1024;

/// The longest clinic name in characters: it travels on every card and heads every page.
pub const MAX_NAME_CHARS: usize = 120;

/// The most addresses in one list: a card carries them, and a QR code must hold the card.
pub const MAX_ADDRESSES: usize = 16;

/// The longest address in bytes: the longest DNS name (253) and the parts around it.
pub const MAX_ADDRESS_BYTES: usize = 384;

/// Seconds between heartbeats: a peer that is gone is noticed within the quarter of an hour. 0
/// keeps no link.
pub const HEARTBEAT_SECONDS: RangeInclusive<u64> = 0..=900;

/// Default seconds between heartbeats: under the 30 s that address translators keep an idle flow.
pub const DEFAULT_HEARTBEAT_SECONDS: u64 = 25;

/// Seconds before a broken link is tried again: an hour at most, or a repaired link stays idle.
pub const RECONNECT_SECONDS: RangeInclusive<u64> = 1..=3600;

/// Default of the first wait before a broken link is tried again.
pub const DEFAULT_RECONNECT_MIN_SECONDS: u64 = 1;

/// Default of the longest wait before a broken link is tried again.
pub const DEFAULT_RECONNECT_MAX_SECONDS: u64 = 300;

/// Open connections of all peers together: each holds buffers, and a small machine has
/// 1,024 file handles by default.
pub const CONNECTIONS: RangeInclusive<u64> = 1..=512;

/// Default of the open connections of all peers together.
pub const DEFAULT_CONNECTIONS: u64 = 64;

/// Open connections of one peer: one each over QUIC and TCP, and one being replaced, suffice.
pub const CONNECTIONS_PER_PEER: RangeInclusive<u64> = 1..=8;

/// Default of the open connections of one peer.
pub const DEFAULT_CONNECTIONS_PER_PEER: u64 = 4;

/// Kibibytes up to which attachments are fetched by themselves: no attachment has more than 64
/// mebibytes.
pub const UP_TO_KIBIBYTES: RangeInclusive<u64> = 16..=65_536;

/// Default kibibytes up to which attachments are fetched by themselves: half a minute at 64 kbit/s.
pub const DEFAULT_UP_TO_KIBIBYTES: u64 = 256;

/// Mebibytes of the store's page cache: less than 4 thrashes, more than 4,096 starves a machine.
pub const CACHE_MEBIBYTES: RangeInclusive<u64> = 4..=4096;

/// Default mebibytes of the store's page cache: what several thousand charts take. It fills only as
/// they are read, so an idle node stays small.
pub const DEFAULT_CACHE_MEBIBYTES: u64 = 64;

/// Mebibytes of one clinic at a relay: less than 16 does not hold a morning, more than a tebibyte
/// no relay has.
pub const RELAY_MEBIBYTES: RangeInclusive<u64> = 16..=1_048_576;

/// Default mebibytes of one clinic at a relay: some 40,000 charts.
pub const DEFAULT_RELAY_MEBIBYTES: u64 = 2048;
