//! The set tier: the difference of two sets from a stream of coded symbols.
//!
//! A rateless invertible Bloom lookup table (Yang, Gilad, Alizadeh: "Practical Rateless Set
//! Reconciliation", SIGCOMM 2024). One side turns its keys into an endless sequence of symbols;
//! the other one subtracts its own symbols from them, and what remains describes the difference
//! alone. Some 1.4 symbols for each difference suffice, whatever the size of the sets, and who
//! encodes need not know how many that will be: more symbols are sent until it is enough.
//!
//! - [`mapping`]: which symbols a key is part of;
//! - [`symbol`]: one symbol, and how symbols travel;
//! - [`encoder`]: makes the symbols of a set;
//! - [`decoder`]: takes symbols until the difference is known.
//!
//! The one who listens encodes, because it is the first to know where both stores stand; its
//! symbols travel right behind its HELLO. The one who dialled decodes.

pub mod decoder;
pub mod encoder;
pub mod mapping;
pub mod symbol;

use super::limits::{
    DIFFERENCE_LEAST, DIFFERENCE_MOST, DIFFERENCE_MOST_PERCENT, FIRST_FLIGHT, FIRST_FLIGHT_LEAST,
    FLIGHT_MOST, LIST_AT_MOST,
};

/// What a peer did wrong in the set tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SketchError {
    /// The bytes are no symbols.
    #[error("the symbols cannot be read")]
    Malformed,
    /// A symbol counts more items than there are, or fewer than none.
    #[error("a symbol has an impossible count")]
    Count,
    /// The symbols do not continue those before.
    #[error("the symbols are not the next ones")]
    Order,
    /// More symbols are asked for than a flight has, or fewer.
    #[error("a flight of {symbols} symbols is asked for")]
    Flight {
        /// How many.
        symbols: usize,
    },
    /// A key is wanted that was not offered, or not in order.
    #[error("the peer wants an item that was not offered")]
    NotOffered,
}

/// How many differences of two sets the set tier takes on, by the sizes of both.
pub fn most_differences(ours: u64, theirs: u64) -> u64 {
    let larger = u128::from(ours.max(theirs));
    let share = larger.saturating_mul(u128::from(DIFFERENCE_MOST_PERCENT)) / 100;
    u64::try_from(share)
        .unwrap_or(u64::MAX)
        .clamp(DIFFERENCE_LEAST, DIFFERENCE_MOST)
}

/// How many symbols the first flight has, by the sizes of both sets, in either order. `None` when
/// ranges are the better way: one side has nothing or few items, or the sizes alone differ by too
/// much.
pub fn first_flight(ours: u64, theirs: u64) -> Option<usize> {
    let (smaller, larger) = (ours.min(theirs), ours.max(theirs));
    let apart = larger.saturating_sub(smaller);
    let listed = u64::try_from(LIST_AT_MOST).unwrap_or(u64::MAX);
    if smaller == 0 || larger <= listed || apart > most_differences(ours, theirs) {
        return None;
    }
    let by_size = usize::try_from(larger / 2).unwrap_or(usize::MAX);
    let by_size = by_size.clamp(FIRST_FLIGHT_LEAST, FIRST_FLIGHT);
    // So many differences there are at least.
    let known = usize::try_from(apart).unwrap_or(usize::MAX);
    Some(symbols_for(known).max(by_size).min(FLIGHT_MOST))
}

/// How many symbols find so many differences nearly always.
fn symbols_for(differences: usize) -> usize {
    differences
        .saturating_add(differences / 2)
        .saturating_add(16)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::identity::NodeKey;
    use crate::reconcile::digest::{ItemId, PairKey};
    use crate::reconcile::key::ComparisonKey;

    pub(super) fn item(number: u32) -> ItemId {
        ItemId::new(*blake3::hash(&number.to_be_bytes()).as_bytes())
    }

    /// The key of a comparison with this salt.
    pub(super) fn secret(salt: u32) -> ComparisonKey {
        static PAIR: LazyLock<PairKey> = LazyLock::new(|| {
            let [a, b] =
                [1, 2].map(|seed| NodeKey::generate(&mut ChaCha20Rng::seed_from_u64(seed)));
            PairKey::derive(&a.agree(&b.id()).unwrap())
        });
        ComparisonKey::derive(&PAIR, blake3::hash(&salt.to_be_bytes()).as_bytes())
    }

    #[test]
    fn both_sides_find_the_same_flight() {
        for (a, b) in [(10_000, 9_900), (100, 90), (50, 0), (10, 3), (1 << 40, 5)] {
            assert_eq!(first_flight(a, b), first_flight(b, a));
            assert_eq!(most_differences(a, b), most_differences(b, a));
        }
    }

    #[test]
    fn few_items_and_sizes_far_apart_are_for_ranges() {
        assert_eq!(first_flight(32, 30), None);
        assert_eq!(first_flight(0, 100_000), None);
        assert_eq!(first_flight(10_000, 8_499), None);
        assert_eq!(first_flight(u64::MAX, 1), None);
    }

    #[test]
    fn the_flight_grows_with_what_is_known_of_the_difference() {
        assert_eq!(first_flight(33, 33), Some(FIRST_FLIGHT_LEAST));
        assert_eq!(first_flight(10_000, 10_000), Some(FIRST_FLIGHT));
        assert_eq!(first_flight(10_000, 9_900), Some(FIRST_FLIGHT));
        assert_eq!(first_flight(10_000, 9_500), Some(766));
        assert_eq!(first_flight(100_000, 90_000), Some(FLIGHT_MOST));
    }
}
