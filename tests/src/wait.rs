//! Waiting for something to become true, with a deadline.

use std::time::{Duration, Instant};

/// How often to look.
const POLL: Duration = Duration::from_millis(10);

/// Looks until `look` finds something, and returns it.
///
/// # Panics
/// When `deadline` passes first; `what` says what was waited for.
pub fn wait_for<T>(what: &str, deadline: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            begun.elapsed() < deadline,
            "waited {deadline:?} in vain for {what}"
        );
        std::thread::sleep(POLL);
    }
}

/// As [`wait_for`], for a condition.
///
/// # Panics
/// When `deadline` passes first.
pub fn wait_until(what: &str, deadline: Duration, mut is: impl FnMut() -> bool) {
    wait_for(what, deadline, || is().then_some(()));
}
