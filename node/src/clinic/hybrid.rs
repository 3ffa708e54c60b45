//! The hybrid clock, over restarts: what peers have told of the time is not forgotten.
//!
//! ```text
//! Meta "hybrid clock" -> the latest point, 8 bytes
//! ```
//!
//! Where the own clock is slow, a grant that a peer or this clinic itself signed by the faster time
//! of a peer would else not have begun after a restart, and one that has ended would begin anew.

use std::sync::{MutexGuard, PoisonError};

use chartmesh_protocol::{HybridClock, HybridTime};

use super::{Clinic, ClinicError, MAX_SKEW_MS, items};
use crate::store::{Batch, Space, Store};

/// Where the latest point stands.
const CLOCK_KEY: &[u8] = b"hybrid clock";

/// The clock as it was when the store was written last. A point that lies too far ahead of
/// `now_ms`, the own clock, is no more believed than if a peer told it.
pub(super) fn clock_of(store: &Store, now_ms: u64) -> Result<HybridClock, ClinicError> {
    let bytes = store.get(Space::Meta, CLOCK_KEY)?;
    let last = bytes.and_then(|bytes| items::number(&bytes));
    let last = HybridTime::new(last.unwrap_or(0));
    let believed = last.ms() <= now_ms.saturating_add(MAX_SKEW_MS);
    Ok(HybridClock::after(if believed {
        last
    } else {
        HybridTime::default()
    }))
}

/// Adds a point to a batch, for the next start.
pub(super) fn remember(batch: &mut Batch, point: HybridTime) {
    let bytes = point.value().to_be_bytes().to_vec();
    batch.put(Space::Meta, CLOCK_KEY.to_vec(), bytes);
}

impl Clinic {
    /// The next point of hybrid time.
    pub(crate) fn tick(&self) -> HybridTime {
        self.clock().tick(self.now_ms())
    }

    /// The time that decides on expiry: the larger of our clock and what peers have told.
    pub(crate) fn time_ms(&self) -> u64 {
        self.now_ms().max(self.clock().last().ms())
    }

    pub(crate) fn clock(&self) -> MutexGuard<'_, HybridClock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
