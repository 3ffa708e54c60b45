//! Every limit of sync, one line and one reason each.

use crate::limits::{MAX_MAIL_BYTES, MAX_STATEMENT_BYTES};

/// The payload of a frame. At 64 kbps it takes half a second: that long waits an urgent record.
pub const MAX_PAYLOAD_BYTES: usize = 4096;

/// A HELLO with its frame header: a peer with nothing new costs no more than this each way.
pub const MAX_HELLO_BYTES: usize = 256;

/// The bytes of an item in one frame: the payload less the few bytes that describe a fragment.
pub const FRAGMENT_BYTES: usize = 4080;

/// A whole statement on the wire.
pub const MAX_STATEMENT_ITEM_BYTES: usize = MAX_STATEMENT_BYTES;

/// A whole record on the wire, or the mail that holds it.
pub const MAX_RECORD_ITEM_BYTES: usize = MAX_MAIL_BYTES;

/// What may be on its way at first, when nothing is known of the link, and what may always be
/// not durable: with the urgent lane's share 16 KiB, which is what a cut may cost.
pub const WINDOW_START_BYTES: usize = 12 * 1024;

/// What may be on its way at least: a second and a half at 32 kbit/s.
pub const WINDOW_LEAST_BYTES: usize = 6 * 1024;

/// So many fragments make a window: with fewer, the link stands still between a fragment and its
/// acknowledgement; more cost bytes.
pub const FRAGMENTS_A_WINDOW: usize = 4;

/// A fragment that is not the last of its item at least: what describes it is 1 % of it.
pub const FRAGMENT_LEAST_BYTES: usize = 1_024;

/// What may be on its way at most: 600 ms of a 14 Mbit/s link.
pub const WINDOW_MOST_BYTES: usize = 1024 * 1024;

/// What the urgent lane may send beyond the window, so that it need not wait for others.
pub const WINDOW_URGENT_BYTES: usize = 4 * 1024;

/// How long the link's queue may be, in time: what an urgent item may have to wait. At 64 kbit/s
/// and 300 ms each way it makes the window 13 KB.
pub const QUEUE_MS: u64 = 600;

/// The rate of delivery is the best of two such spans: longer than the bursts of a mobile link,
/// and soon enough for one that has become slow.
pub const RATE_SPAN_MS: u64 = 5_000;

/// Silence after which the link may be another one.
pub const WINDOW_FORGET_MS: u64 = 30_000;

/// Pieces of attachments asked for and not come: the largest window.
pub const ASKED_MOST_PIECES: usize = 64;

/// So few pieces on their way, and more are asked for: half of the most keeps a link busy.
pub const ASK_BELOW_PIECES: usize = 32;

/// Pieces that a peer may have asked for at a time: as many as it asks for, and some.
pub const WANTED_MOST_PIECES: usize = 256;

/// Spans of pieces in one WANT: no more than pieces are asked for at a time.
pub const WANTED_SPANS_A_FRAME: usize = 64;

/// Names of attachments in one ASK: what fits the payload.
pub const ASKED_NAMES_A_FRAME: usize = 48;

/// Attachments of which a session asks whether the peer holds them: 20 KB of questions. What is in
/// doubt beyond that is asked in a later one.
pub const QUESTIONED_MOST_NAMES: usize = 256;

/// When to look on for what is wanted, where there is too much to look through at once.
pub const LOOK_AGAIN_MS: u64 = 20;

/// What an item counts in the window besides its bytes: tiny items cost memory, too.
pub const ITEM_OVERHEAD_BYTES: usize = 64;

/// Bytes delivered and not stored yet that a peer may cause: more than any honest window.
pub const UNSTORED_MOST_BYTES: usize = WINDOW_MOST_BYTES + 2 * MAX_RECORD_ITEM_BYTES;

/// Bytes of fragments after which the receiver says that they came: with each whole fragment, so
/// that the window moves on and the link is measured while a large item is on its way.
pub const ACK_AFTER_BYTES: u64 = 1_000;

/// Range frames of a turn are filled up to here, which leaves room for the largest range.
pub const RANGES_FILL_BYTES: usize = 2_000;

/// Symbols in one frame: the payload less the few bytes that describe them.
pub const SYMBOLS_FILL_BYTES: usize = 4_000;

/// Wanted keys in one frame: what fits the payload.
pub const WANTED_KEYS_A_FRAME: usize = 500;

/// Rounds in a row that find something new and yet move no item, before it counts as a mismatch.
pub const MAX_IDLE_ROUNDS: u32 = 4;

/// Comparisons of the sets in one synchronisation, before it counts as a mismatch. What one side
/// wrote between its HELLO and the first comparison may have escaped that; it is in the second,
/// which is always by range.
pub const MAX_COMPARISONS: u32 = 2;

/// Silence that ends a session while something is expected: longer than the outages that a
/// transport survives by itself.
pub const PROGRESS_TIMEOUT_MS: u64 = 60_000;

/// Silence after which the peer is asked for a sign of life: well under the 20 s that address
/// translators on mobile links keep an idle flow.
pub const HEARTBEAT_MS: u64 = 15_000;

/// The longest silence between heartbeats that is kept without asking the peer: under the 30 s
/// that many address translators keep an idle flow.
pub const ORDINARY_HEARTBEAT_MS: u64 = 25_000;

/// The longest silence between heartbeats that a side may ask for: a peer that is gone has to be
/// noticed within the quarter of an hour.
pub const MAX_HEARTBEAT_MS: u64 = 900_000;

/// The longest that a session waits for something useful while only heartbeats come.
pub const PATIENCE_MS: u64 = 600_000;
