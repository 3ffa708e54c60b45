//! The only place that reads the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a clinic reads the time.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// This machine's clock.
    #[default]
    Machine,
    /// A clock that stands at these milliseconds since 1970 until somebody sets it. Clones are
    /// the same clock.
    Set(Arc<AtomicU64>),
}

impl Clock {
    /// Milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        match self {
            Self::Machine => now_ms(),
            Self::Set(time) => time.load(Ordering::Relaxed),
        }
    }
}

/// Milliseconds since 1970 by this machine's clock; 0 for a clock before that.
#[must_use]
pub fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}
