//! When to dial a peer again.

use std::time::Duration;

use rand::{Rng, RngExt};

/// The delays between attempts to reach one peer: they double from `min` to `max`, and each is
/// drawn between half and the whole of it, so that clinics that lost the same link do not all
/// dial in the same second.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    min: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    pub(super) fn new(min: Duration, max: Duration) -> Self {
        Self {
            min,
            max: max.max(min),
            failures: 0,
        }
    }

    /// The delay before the next attempt after one more failure.
    pub(super) fn next(&mut self, rng: &mut impl Rng) -> Duration {
        let whole = self
            .min
            .saturating_mul(2_u32.saturating_pow(self.failures))
            .min(self.max);
        self.failures = self.failures.saturating_add(1);
        let micros = u64::try_from(whole.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(rng.random_range(micros / 2..=micros))
    }

    /// The peer answered: the next failure starts from the shortest delay.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn delays_double_up_to_the_largest_and_are_spread() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        let mut delays = Vec::new();
        for whole in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let delay = backoff.next(&mut rng);
            let whole = Duration::from_secs(whole);
            assert!(
                delay >= whole / 2 && delay <= whole,
                "{delay:?} of {whole:?}"
            );
            delays.push(delay);
        }
        assert_ne!(
            delays[6], delays[7],
            "two delays of the same bound are not the same"
        );
        backoff.reset();
        assert!(backoff.next(&mut rng) <= Duration::from_secs(1));
    }

    #[test]
    fn a_largest_delay_below_the_smallest_is_raised_to_it() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut backoff = Backoff::new(Duration::from_secs(5), Duration::ZERO);
        assert!(backoff.next(&mut rng) >= Duration::from_millis(2_500));
    }
}
