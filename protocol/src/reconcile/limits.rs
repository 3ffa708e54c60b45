//! Every limit of reconciliation, one line and one reason each.

/// Items of a range that are listed rather than summed: a list costs 8 bytes each, sixteen sums
/// some 400 bytes and another turn.
pub const LIST_AT_MOST: usize = 32;

/// Turns of both sides together: sixteen levels of sums, a list, the wishes, and the end.
pub const MAX_TURNS: u32 = 20;

/// Keys in one range: what fits half a frame, far more than the threshold of an honest list.
pub const MAX_KEYS_A_RANGE: usize = 256;

/// Symbols of one comparison: they find some 20,000 differences in 430 KB. More is for ranges.
pub const MAX_SYMBOLS: usize = 32_768;

/// The first flight of symbols between large sets: 100 differences are found with it almost
/// always, and it costs 2.5 KB.
pub const FIRST_FLIGHT: usize = 192;

/// The first flight between small sets: some 40 differences.
pub const FIRST_FLIGHT_LEAST: usize = 64;

/// A further flight at least: each takes a round trip, and a walk over all items at both sides.
pub const FLIGHT_LEAST: usize = 64;

/// A flight at most: 14 KB, what may be on its way on a slow link.
pub const FLIGHT_MOST: usize = 1_024;

/// Differences that the set tier takes on, in hundredths of the larger set: with more of them
/// most ranges differ anyway.
pub const DIFFERENCE_MOST_PERCENT: u64 = 15;

/// Differences that the set tier takes on in any case: the first flight finds them.
pub const DIFFERENCE_LEAST: u64 = 40;

/// Differences that the set tier takes on at most, so that what it holds stays small: 1.5 MB.
pub const DIFFERENCE_MOST: u64 = 20_000;

/// Items that the peer may claim to have: far more than a clinic writes, and sums stay in range.
pub const MAX_ITEMS: u64 = 1 << 32;
