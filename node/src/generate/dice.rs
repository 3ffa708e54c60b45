//! The source of all chance: the same rolls for the same seed on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// A seeded generator. All rolls are made of 64-bit words with integer arithmetic only.
#[derive(Debug)]
pub(super) struct Dice(ChaCha8Rng);

impl Dice {
    /// The dice of one patient: they depend on nothing but the seed and the patient's number,
    /// so a patient is the same however many others are generated.
    pub(super) fn of(seed: u64, patient: u64) -> Self {
        let mut key = [0; 32];
        let words = seed.to_le_bytes().into_iter().chain(patient.to_le_bytes());
        key.iter_mut()
            .zip(words)
            .for_each(|(byte, value)| *byte = value);
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A number from `low` to `high`, both included; `low` when `high` is less.
    pub(super) fn between(&mut self, low: u32, high: u32) -> u32 {
        let span = u128::from(high.saturating_sub(low)) + 1;
        // The upper half of the product is uniform below `span` but for a bias of under 2^-31.
        let roll = (u128::from(self.0.next_u64()) * span) >> 64;
        low.saturating_add(u32::try_from(roll).unwrap_or(0))
    }

    /// Whether something that happens `percent` times in 100 happens.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.between(1, 100) <= percent
    }

    /// One of the choices, each as likely as the others. The choices are tables of this
    /// program and hold at least one.
    #[expect(
        clippy::indexing_slicing,
        reason = "the roll is below the length of the table"
    )]
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let last = u32::try_from(choices.len().saturating_sub(1)).unwrap_or(0);
        choices[usize::try_from(self.between(0, last)).unwrap_or(0)]
    }

    /// The position of a choice, each as likely as its weight says; 0 when all weigh nothing.
    pub(super) fn weighted(&mut self, weights: impl Iterator<Item = u32> + Clone) -> usize {
        let total: u32 = weights.clone().sum();
        let mut roll = self.between(1, total.max(1));
        for (position, weight) in weights.enumerate() {
            if roll <= weight {
                return position;
            }
            roll -= weight;
        }
        0
    }

    /// A random UUID (RFC 9562 §5.4, version 4).
    pub(super) fn uuid(&mut self) -> String {
        let high = (self.0.next_u64() & 0xffff_ffff_ffff_0fff) | 0x4000;
        let low = (self.0.next_u64() & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
        let (high, low) = (format!("{high:016x}"), format!("{low:016x}"));
        let cut = |text: &str, from, to| text.get(from..to).unwrap_or_default().to_owned();
        [
            cut(&high, 0, 8),
            cut(&high, 8, 12),
            cut(&high, 12, 16),
            cut(&low, 0, 4),
            cut(&low, 4, 16),
        ]
        .join("-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolls_stay_in_range_and_reach_both_ends() {
        let mut dice = Dice::of(1, 1);
        let rolls: Vec<u32> = (0..1000).map(|_| dice.between(3, 6)).collect();
        assert_eq!(rolls.iter().min(), Some(&3));
        assert_eq!(rolls.iter().max(), Some(&6));
        assert_eq!(dice.between(5, 5), 5);
        assert_eq!(dice.between(5, 2), 5);
    }

    #[test]
    fn weights_of_nothing_are_never_chosen() {
        let mut dice = Dice::of(1, 2);
        let positions: Vec<usize> = (0..1000)
            .map(|_| dice.weighted([0, 3, 0, 1].into_iter()))
            .collect();
        let ones = positions.iter().filter(|&&p| p == 1).count();
        assert!(positions.iter().all(|p| [1, 3].contains(p)));
        assert!((680..820).contains(&ones), "{ones}");
    }

    #[test]
    fn an_id_has_the_form_of_a_random_uuid() {
        let id = Dice::of(1, 3).uuid();
        assert_eq!(id.len(), 36);
        assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 4);
    }
}
