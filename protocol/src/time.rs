//! Hybrid time: the wall clock, made to follow every time that was seen from others.

use core::fmt;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Bits of the counter below the milliseconds.
const COUNTER_BITS: u32 = 16;

/// A point in hybrid time: milliseconds since 1970 in the upper 48 bits, a counter in the lower
/// 16. It orders what one node wrote after what it had seen, and stays close to the wall clock.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Encode,
    Decode,
)]
#[serde(transparent)]
#[cbor(transparent)]
pub struct HybridTime(#[n(0)] u64);

impl HybridTime {
    /// The point with this number, as `value` gave it.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The first point of a millisecond since 1970; a time after the year 10889 counts as that.
    pub const fn from_ms(ms: u64) -> Self {
        let most = u64::MAX >> COUNTER_BITS;
        let ms = if ms > most { most } else { ms };
        Self(ms << COUNTER_BITS)
    }

    /// Milliseconds since 1970.
    pub const fn ms(self) -> u64 {
        self.0 >> COUNTER_BITS
    }

    /// The number that orders the points: `ms << 16 | counter`.
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for HybridTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A node's hybrid clock. It never reads a clock itself: the caller says what time it is.
///
/// Each tick is later than every tick before it and than every point observed; at the end of time
/// (the year 10889) it stays there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HybridClock {
    last: HybridTime,
}

impl HybridClock {
    /// A clock that continues after `last`, the latest point that the store remembers.
    pub const fn after(last: HybridTime) -> Self {
        Self { last }
    }

    /// The latest point ticked or observed.
    pub const fn last(&self) -> HybridTime {
        self.last
    }

    /// A new point for something written at `now_ms` (milliseconds since 1970).
    pub fn tick(&mut self, now_ms: u64) -> HybridTime {
        let next = HybridTime(self.last.0.saturating_add(1));
        self.last = next.max(HybridTime::from_ms(now_ms));
        self.last
    }

    /// Takes note of a point from elsewhere, so that the next tick is later than it.
    ///
    /// Judge a point before observing it: one that lies years ahead would drag the clock there.
    pub fn observe(&mut self, seen: HybridTime) {
        self.last = self.last.max(seen);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_rise_while_the_wall_clock_stands_still_or_goes_back() {
        let mut clock = HybridClock::default();
        let a = clock.tick(1000);
        let b = clock.tick(1000);
        let c = clock.tick(10);
        assert!(a < b && b < c);
        assert_eq!(c.ms(), 1000);
    }

    #[test]
    fn a_tick_is_later_than_what_was_observed() {
        let mut clock = HybridClock::default();
        clock.observe(HybridTime::from_ms(5000));
        assert!(clock.tick(1000) > HybridTime::from_ms(5000));
    }

    #[test]
    fn an_old_observation_does_not_turn_the_clock_back() {
        let mut clock = HybridClock::after(HybridTime::from_ms(9000));
        clock.observe(HybridTime::from_ms(5000));
        assert_eq!(clock.last(), HybridTime::from_ms(9000));
    }

    #[test]
    fn the_clock_saturates_at_the_end_of_time() {
        let mut clock = HybridClock::after(HybridTime::new(u64::MAX));
        assert_eq!(clock.tick(u64::MAX).value(), u64::MAX);
        assert_eq!(HybridTime::from_ms(u64::MAX).ms(), u64::MAX >> 16);
    }
}
