//! How a link is.

use std::time::Duration;

/// How a link is, each way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conditions {
    /// Bits a second that a host can send; none where the machine sets the pace.
    pub rate: Option<u32>,
    /// How long a packet travels.
    pub delay: Duration,
    /// Packets of a thousand that are lost.
    pub loss: u16,
    /// Bytes that may wait to be sent at a host; what comes on top is dropped.
    pub queue: u32,
    /// When nothing arrives at all.
    pub cuts: Option<Cuts>,
}

/// Cuts that come again and again, first after a time without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cuts {
    /// From one cut to the next.
    pub every: Duration,
    /// How long each lasts.
    pub length: Duration,
}

impl Conditions {
    /// A link that only counts.
    pub const GOOD: Self = Self {
        rate: None,
        delay: Duration::ZERO,
        loss: 0,
        queue: u32::MAX,
        cuts: None,
    };

    /// A radio link of 64 kbit/s with 300 ms each way.
    pub const SLOW: Self = Self {
        rate: Some(64_000),
        delay: Duration::from_millis(300),
        loss: 0,
        queue: 32_000,
        cuts: None,
    };

    /// The slow link in bad weather: 2 % loss, and cut for 10 s of every 20 s.
    pub const BAD: Self = Self {
        loss: 20,
        cuts: Some(Cuts {
            every: Duration::from_secs(20),
            length: Duration::from_secs(10),
        }),
        ..Self::SLOW
    };

    /// A link over which nothing arrives.
    pub const CUT: Self = Self {
        loss: 1000,
        ..Self::GOOD
    };
}

impl Cuts {
    /// Whether the link is cut at this time after the first period began.
    pub(super) fn cut_at(&self, since: Duration) -> bool {
        let up = self.every.saturating_sub(self.length);
        let nanos = since.as_nanos() % self.every.as_nanos().max(1);
        nanos >= up.as_nanos()
    }
}
