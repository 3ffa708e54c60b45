//! Which symbols a key is part of.
//!
//! Symbol `i` takes in a key with probability `2 / (i + 2)`, independently for each: every key is
//! in symbol 0, two of three keys are in symbol 1, and the later symbols thin out, so that for a
//! difference of any size there is a stretch of them that peels. The paper writes the density as
//! `1 / (1 + i / 2)`.
//!
//! The indices are not tried one by one. After index `i`, all of `i + 1 ..= n` are left out with
//! the product of their chances, which is a fraction of two terms:
//!
//! ```text
//! P(next > n)  =  i+1   i+2         n     (i + 1) (i + 2)
//!                 --- · --- · ... · ---  = ---------------
//!                 i+3   i+4         n+2    (n + 1) (n + 2)
//! ```
//!
//! So one draw `u` from `(0, 1)` names the next index: the smallest `n` with
//! `u (n + 1) (n + 2) >= (i + 1) (i + 2)`. The paper takes a root of floating point for it; here
//! it is a root of whole numbers, which is the same on every machine.

use crate::reconcile::limits::MAX_SYMBOLS;

/// What the state of the generator grows by (SplitMix64: Steele, Lea, Flood, OOPSLA 2014).
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// No symbol: the key is in none of those that follow.
const NEVER: u32 = u32::MAX;

// `(i + 1) (i + 2)`, shifted by the 32 bits of a draw, fits 64 bits.
const _: () = assert!(MAX_SYMBOLS < 1 << 16);

/// The indices of the symbols that one key is part of, in ascending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapping {
    state: u64,
    next: u32,
}

impl Mapping {
    /// The mapping of the key with this seed. It stands at symbol 0, which has every key.
    pub const fn new(seed: u64) -> Self {
        Self {
            state: seed,
            next: 0,
        }
    }

    /// The index at which it stands, if it is below `upto`.
    pub fn below(&self, upto: usize) -> Option<usize> {
        let index = usize::try_from(self.next).ok()?;
        (index < upto).then_some(index)
    }

    /// Goes on to the next index.
    pub fn advance(&mut self) {
        let index = u64::from(self.next);
        self.next = match usize::try_from(index) {
            Ok(at) if at < MAX_SYMBOLS => after(index, self.draw()),
            _ => NEVER,
        };
    }

    /// Goes on to the first index that is not below `from`.
    pub fn skip_to(&mut self, from: usize) {
        while self.below(from).is_some() {
            self.advance();
        }
    }

    /// 32 bits, uniform but for 0, which counts as 1.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        let z = self.state;
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 32).max(1)
    }
}

/// The index after `index` that a draw from `1 .. 2^32` names; [`NEVER`] beyond the last symbol.
fn after(index: u64, draw: u64) -> u32 {
    let here = index
        .saturating_add(1)
        .saturating_mul(index.saturating_add(2));
    let least = (here << 32).div_ceil(draw);
    // The smallest n + 1 whose product with its successor reaches `least`.
    let root = least.isqrt();
    let enough = root.saturating_mul(root.saturating_add(1)) >= least;
    let next = root.saturating_sub(u64::from(enough));
    match usize::try_from(next) {
        Ok(at) if at < MAX_SYMBOLS => u32::try_from(next).unwrap_or(NEVER),
        _ => NEVER,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All indices below `upto`.
    fn indices(seed: u64, upto: usize) -> Vec<usize> {
        let mut mapping = Mapping::new(seed);
        let mut indices = Vec::new();
        while let Some(index) = mapping.below(upto) {
            indices.push(index);
            mapping.advance();
        }
        indices
    }

    /// The next index, found the long way: one index after the other, each left out with its own
    /// chance, until less remains than was drawn.
    fn long_way(index: u64, draw: u64) -> Option<u64> {
        let drawn = draw as f64 / 4_294_967_296.0;
        let mut left = 1.0;
        for next in index + 1..MAX_SYMBOLS as u64 {
            left *= 1.0 - 1.0 / (1.0 + next as f64 / 2.0);
            if left <= drawn {
                return Some(next);
            }
        }
        None
    }

    #[test]
    fn every_key_is_in_symbol_0_and_indices_ascend() {
        for seed in 0..500 {
            let indices = indices(seed, MAX_SYMBOLS);
            assert_eq!(indices[0], 0);
            assert!(indices.is_sorted_by(|a, b| a < b));
            assert!(indices.len() < 80, "{}", indices.len());
        }
    }

    #[test]
    fn symbols_are_as_dense_as_the_paper_says() {
        let keys = 40_000;
        let upto = 400;
        let mut taken = vec![0_u32; upto];
        for seed in 0..keys {
            for index in indices(seed, upto) {
                taken[index] += 1;
            }
        }
        for (index, count) in taken.into_iter().enumerate() {
            let density = 1.0 / (1.0 + index as f64 / 2.0);
            let mean = keys as f64 * density;
            let deviation = (mean * (1.0 - density)).sqrt();
            let off = (f64::from(count) - mean).abs();
            assert!(
                off <= 4.5 * deviation + 0.5,
                "{count} at {index}, expected {mean}"
            );
        }
    }

    #[test]
    fn neighbouring_symbols_are_chosen_independently() {
        let keys = 100_000_u64;
        for (one, other) in [(1, 2), (3, 4), (3, 7), (10, 11), (9, 30)] {
            let both = (0..keys)
                .filter(|seed| {
                    let indices = indices(*seed, other + 1);
                    indices.contains(&one) && indices.contains(&other)
                })
                .count();
            let density = |index: usize| 2.0 / (index as f64 + 2.0);
            let share = density(one) * density(other);
            let mean = keys as f64 * share;
            let deviation = (mean * (1.0 - share)).sqrt();
            assert!(
                (both as f64 - mean).abs() < 4.5 * deviation,
                "{one} {other}: {both}"
            );
        }
    }

    #[test]
    fn the_first_mappings_are_as_they_first_were() {
        assert_eq!(indices(0, 200), FIRST_OF_0);
        assert_eq!(indices(u64::MAX, 200), FIRST_OF_MAX);
    }

    const FIRST_OF_0: &[usize] = &[0, 1, 3, 27, 28, 89, 157];
    const FIRST_OF_MAX: &[usize] = &[0, 1, 2, 6, 10, 13, 15, 16, 34, 39];

    proptest! {
        #[test]
        fn the_next_index_is_the_one_found_the_long_way(index in 0_u64..3_000, draw: u32) {
            let draw = u64::from(draw).max(1);
            let next = after(index, draw);
            match long_way(index, draw) {
                // Sums of rounded numbers may be off by one at a boundary.
                Some(found) => prop_assert!(found.abs_diff(u64::from(next)) <= 1),
                None => prop_assert!(next == NEVER || next as usize >= MAX_SYMBOLS - 1),
            }
        }

        #[test]
        fn any_draw_leads_onwards(index in 0..MAX_SYMBOLS as u64, draw in 1_u64..1 << 32) {
            let next = after(index, draw);
            prop_assert!(u64::from(next) > index);
            prop_assert!(next == NEVER || (next as usize) < MAX_SYMBOLS);
        }
    }
}
