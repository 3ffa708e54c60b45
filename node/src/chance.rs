//! Where random bytes come from: keys, nonces, ids.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, TryCryptoRng, TryRng};

/// A source of random bytes. Clones draw from the same source.
#[derive(Clone, Default)]
pub enum Chance {
    /// The system's generator.
    #[default]
    System,
    /// A generator with a seed, so that what happens can happen again. Whoever knows the seed
    /// knows every key: for simulations only.
    Seeded(Arc<Mutex<ChaCha20Rng>>),
}

impl Chance {
    /// The source that a seed stands for.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::of(ChaCha20Rng::seed_from_u64(seed))
    }

    fn of(generator: ChaCha20Rng) -> Self {
        Self::Seeded(Arc::new(Mutex::new(generator)))
    }

    /// A source of its own for a part that draws at times that nobody can foresee, such as a
    /// thread: with a seed, that would change what all others get.
    #[must_use]
    pub fn apart(&self) -> Self {
        match self {
            Self::System => Self::System,
            Self::Seeded(_) => Self::of(ChaCha20Rng::from_seed(self.clone().random())),
        }
    }
}

impl TryRng for Chance {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        match self {
            Self::System => rand::rng().fill_bytes(bytes),
            // A panic of another thread leaves the generator between two draws.
            Self::Seeded(generator) => generator
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .fill_bytes(bytes),
        }
        Ok(())
    }
}

// Both sources are made for keys.
impl TryCryptoRng for Chance {}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(chance: &Chance) -> u64 {
        chance.clone().random()
    }

    #[test]
    fn one_seed_gives_the_same_numbers_every_time_and_another_gives_others() {
        let (one, again, other) = (Chance::seeded(1), Chance::seeded(1), Chance::seeded(2));
        let first = draw(&one);
        assert_eq!(first, draw(&again));
        assert_ne!(first, draw(&other));
        assert_ne!(first, draw(&one));
    }

    #[test]
    fn clones_draw_from_the_same_source() {
        let (one, again) = (Chance::seeded(1), Chance::seeded(1));
        let clone = one.clone();
        let drawn = [draw(&one), draw(&clone), draw(&one)];
        assert_eq!(drawn, [draw(&again), draw(&again), draw(&again)]);
    }

    #[test]
    fn what_draws_from_a_source_apart_does_not_change_what_others_get() {
        let (one, again) = (Chance::seeded(1), Chance::seeded(1));
        let (apart, quiet) = (one.apart(), again.apart());
        let drawn = draw(&apart);
        assert_eq!(draw(&one), draw(&again));
        assert_eq!(drawn, draw(&quiet));
    }

    #[test]
    fn the_system_never_gives_the_same_twice() {
        let chance = Chance::default();
        assert_ne!(draw(&chance), draw(&chance));
        assert!(matches!(chance.apart(), Chance::System));
    }
}
