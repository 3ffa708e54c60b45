//! How much may be on its way: a credit from what the link has been seen to carry.
//!
//! The peer says how many bytes of fragments have come. From that follow the least round trip and
//! the rate of delivery; their product is what the link itself holds. The window is that and a
//! little more, which waits in the link's queue and keeps the link busy:
//!
//! ```text
//! credit = rate * (least round trip + QUEUE_MS)
//! ```
//!
//! So an urgent item never waits behind more than [`QUEUE_MS`] of others, and a cut costs no more
//! than the credit. While the link is not full, each round trip delivers all that was allowed, so
//! the credit grows by the factor `1 + QUEUE_MS / round trip` with each.
//!
//! The rate is the best of the last two spans of [`RATE_SPAN_MS`]. Times in which there was too
//! little to send say nothing about the link, unless it was faster than was known. The least round
//! trip holds for the session: a link that becomes slower by less than [`QUEUE_MS`] is still
//! filled.

use std::collections::VecDeque;

use super::limits::{
    FRAGMENT_BYTES, FRAGMENT_LEAST_BYTES, FRAGMENTS_A_WINDOW, ITEM_OVERHEAD_BYTES, QUEUE_MS,
    RATE_SPAN_MS, WINDOW_FORGET_MS, WINDOW_LEAST_BYTES, WINDOW_MOST_BYTES, WINDOW_START_BYTES,
};

/// A fragment that has been sent and may not have come yet.
#[derive(Debug)]
struct Transit {
    /// Bytes of fragments sent since the session began, this one included.
    upto: u64,
    sent_ms: u64,
    /// How many bytes had come when it was sent, and when the last of them were told.
    come: u64,
    come_ms: u64,
}

/// What is on its way, and how much may be.
#[derive(Debug)]
pub(super) struct Window {
    transits: VecDeque<Transit>,
    sent: u64,
    come: u64,
    come_ms: u64,
    /// Up to here everything was sent that there was to send.
    starved_upto: u64,
    least_round_trip_ms: u64,
    rate: BestRate,
    credit: usize,
}

impl Window {
    pub(super) fn new() -> Self {
        Self {
            transits: VecDeque::new(),
            sent: 0,
            come: 0,
            come_ms: 0,
            starved_upto: 0,
            least_round_trip_ms: u64::MAX,
            rate: BestRate::default(),
            credit: WINDOW_START_BYTES,
        }
    }

    /// Bytes that may be on their way.
    pub(super) fn credit(&self) -> usize {
        self.credit
    }

    /// Bytes of a fragment at most.
    pub(super) fn fragment(&self) -> usize {
        let share = self.credit.checked_div(FRAGMENTS_A_WINDOW).unwrap_or(0);
        share.clamp(FRAGMENT_LEAST_BYTES, FRAGMENT_BYTES)
    }

    /// Bytes that have been sent and may not have come yet.
    pub(super) fn in_transit(&self) -> usize {
        usize::try_from(self.sent.saturating_sub(self.come)).unwrap_or(usize::MAX)
    }

    /// Whether so many bytes more may be on their way.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let cost = bytes.saturating_add(ITEM_OVERHEAD_BYTES);
        self.in_transit().saturating_add(cost) <= self.credit
    }

    /// Bytes of fragments sent, and come, since the session began.
    pub(super) fn range(&self) -> core::ops::RangeInclusive<u64> {
        self.come..=self.sent
    }

    /// A fragment goes out.
    pub(super) fn send(&mut self, bytes: usize, now_ms: u64) {
        if self.transits.is_empty() {
            if now_ms.saturating_sub(self.come_ms) > WINDOW_FORGET_MS {
                self.credit = WINDOW_START_BYTES;
                self.rate = BestRate::default();
            }
            self.come_ms = now_ms;
        }
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.sent = self.sent.saturating_add(bytes);
        self.transits.push_back(Transit {
            upto: self.sent,
            sent_ms: now_ms,
            come: self.come,
            come_ms: self.come_ms,
        });
    }

    /// There is nothing more to send for now.
    pub(super) fn starve(&mut self) {
        self.starved_upto = self.sent;
    }

    /// The first `upto` bytes of fragments have come.
    pub(super) fn arrive(&mut self, upto: u64, now_ms: u64) {
        let mut last = None;
        while let Some(transit) = self.transits.pop_front_if(|transit| transit.upto <= upto) {
            last = Some(transit);
        }
        self.come = upto;
        self.come_ms = now_ms;
        let Some(transit) = last else {
            return;
        };
        let round_trip_ms = now_ms.saturating_sub(transit.sent_ms);
        self.least_round_trip_ms = self.least_round_trip_ms.min(round_trip_ms);
        let took_ms = now_ms.saturating_sub(transit.come_ms).max(1);
        let came = upto.saturating_sub(transit.come);
        let rate = came.saturating_mul(1000) / took_ms;
        let starved = transit.come < self.starved_upto;
        if !starved || rate > self.rate.best() {
            self.rate.take(rate, now_ms);
        }
        self.credit = self.measured();
    }

    fn measured(&self) -> usize {
        let held_ms = self.least_round_trip_ms.saturating_add(QUEUE_MS);
        let credit = self.rate.best().saturating_mul(held_ms) / 1000;
        let credit = usize::try_from(credit).unwrap_or(usize::MAX);
        credit.clamp(WINDOW_LEAST_BYTES, WINDOW_MOST_BYTES)
    }
}

/// The best of the last two spans, in bytes a second.
#[derive(Debug, Default)]
struct BestRate {
    since_ms: u64,
    now: u64,
    before: u64,
}

impl BestRate {
    fn best(&self) -> u64 {
        self.now.max(self.before)
    }

    fn take(&mut self, rate: u64, now_ms: u64) {
        if now_ms.saturating_sub(self.since_ms) >= RATE_SPAN_MS {
            self.before = core::mem::take(&mut self.now);
            self.since_ms = now_ms;
        }
        self.now = self.now.max(rate);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A link with a rate and a delay, and a queue that holds everything.
    struct Link {
        window: Window,
        now: u64,
        /// Bytes a second.
        rate: u64,
        round_trip_ms: u64,
        free_at: u64,
        acks: VecDeque<(u64, u64)>,
        most: usize,
    }

    impl Link {
        fn new(rate: u64, round_trip_ms: u64) -> Self {
            Self {
                window: Window::new(),
                now: 1_000,
                rate,
                round_trip_ms,
                free_at: 0,
                acks: VecDeque::new(),
                most: 0,
            }
        }

        /// Sends as much as is allowed, in fragments, for some time; returns what came.
        fn run(&mut self, ms: u64) -> u64 {
            let start = *self.window.range().start();
            for now in self.now..self.now + ms {
                while let Some((at, upto)) = self.acks.front().copied()
                    && at <= now
                {
                    self.acks.pop_front();
                    self.window.arrive(upto, now);
                }
                while self.window.in_transit() + self.window.fragment() <= self.window.credit() {
                    self.send(now);
                }
            }
            self.now += ms;
            *self.window.range().start() - start
        }

        fn send(&mut self, now: u64) {
            let bytes = self.window.fragment();
            self.window.send(bytes, now);
            let takes = bytes as u64 * 1000 / self.rate;
            self.free_at = self.free_at.max(now) + takes;
            self.most = self.most.max(self.window.in_transit());
            let upto = *self.window.range().end();
            self.acks
                .push_back((self.free_at + self.round_trip_ms, upto));
        }
    }

    #[test]
    fn a_slow_link_is_filled_and_holds_at_most_16_kib() {
        let mut link = Link::new(8_000, 600);
        link.run(5_000);
        let came = link.run(60_000);
        assert!(came >= 60 * 8_000 * 97 / 100, "{came} bytes in a minute");
        assert!(link.most <= 16 * 1024, "{}", link.most);
    }

    #[test]
    fn a_satellite_link_opens_within_seconds_and_is_filled() {
        let mut link = Link::new(1_750_000, 600);
        link.run(6_000);
        assert_eq!(link.window.credit(), WINDOW_MOST_BYTES);
        let came = link.run(10_000);
        assert!(came >= 10 * 1_650_000, "{came} bytes in ten seconds");
    }

    #[test]
    fn a_local_link_opens_at_once() {
        let mut link = Link::new(100_000_000, 1);
        link.run(20);
        assert_eq!(link.window.credit(), WINDOW_MOST_BYTES);
    }

    #[test]
    fn a_link_that_becomes_slow_closes_the_window() {
        let mut link = Link::new(100_000, 300);
        link.run(20_000);
        assert!(link.window.credit() > 60_000);
        link.rate = 6_000;
        link.run(60_000);
        assert!(
            link.window.credit() <= 16 * 1024,
            "{}",
            link.window.credit()
        );
    }

    #[test]
    fn having_little_to_send_does_not_close_the_window() {
        let mut link = Link::new(100_000, 300);
        link.run(10_000);
        let credit = link.window.credit();
        for _ in 0..20 {
            while let Some((at, upto)) = link.acks.pop_front() {
                link.now = link.now.max(at);
                link.window.arrive(upto, link.now);
            }
            link.send(link.now);
            link.window.starve();
            link.now += 2_000;
        }
        assert!(
            link.window.credit() >= credit * 9 / 10,
            "{}",
            link.window.credit()
        );
    }

    #[test]
    fn after_a_long_silence_the_window_opens_anew() {
        let mut link = Link::new(1_000_000, 100);
        link.run(10_000);
        while let Some((at, upto)) = link.acks.pop_front() {
            link.window.arrive(upto, at);
            link.now = at;
        }
        link.now += WINDOW_FORGET_MS + 1;
        link.send(link.now);
        assert_eq!(link.window.credit(), WINDOW_START_BYTES);
    }

    #[test]
    fn any_times_and_numbers_are_bounded() {
        let mut window = Window::new();
        window.send(usize::MAX, u64::MAX);
        window.send(usize::MAX, 0);
        window.arrive(u64::MAX, 0);
        window.arrive(u64::MAX, u64::MAX);
        assert_eq!(window.in_transit(), 0);
        assert!((WINDOW_LEAST_BYTES..=WINDOW_MOST_BYTES).contains(&window.credit()));
    }
}
