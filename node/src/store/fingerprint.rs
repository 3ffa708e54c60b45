//! A short value that tells whether a set of pairs is the one that was written.

use super::seal::first_16;

/// The number of pairs and the sum of their hashes.
///
/// It is the same whatever the order of the writes that led to the set, and it follows every
/// write without looking at the rest. It finds accidents; the sealed values resist forgery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fingerprint {
    pub(super) count: u64,
    pub(super) sum: u128,
}

impl Fingerprint {
    /// Counts a pair in.
    pub(super) fn add(&mut self, full_key: &[u8], sealed: &[u8]) {
        self.count = self.count.wrapping_add(1);
        self.sum = self.sum.wrapping_add(digest(full_key, sealed));
    }

    /// Counts a pair out, as it was counted in.
    pub(super) fn remove(&mut self, full_key: &[u8], sealed: &[u8]) {
        self.count = self.count.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(digest(full_key, sealed));
    }
}

/// A hash of one pair.
pub(super) fn digest(full_key: &[u8], sealed: &[u8]) -> u128 {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(&(full_key.len() as u64).to_be_bytes())
        .update(full_key)
        .update(sealed);
    u128::from_be_bytes(first_16(hasher.finalize().as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_order_of_writes_does_not_matter_and_a_removal_undoes(
            mut pairs in prop::collection::vec((".{0,8}", ".{0,8}"), 0..8),
            extra in (".{0,8}", ".{0,8}"),
        ) {
            let mut one = Fingerprint::default();
            for (key, value) in &pairs {
                one.add(key.as_bytes(), value.as_bytes());
            }
            pairs.reverse();
            let mut other = Fingerprint::default();
            other.add(extra.0.as_bytes(), extra.1.as_bytes());
            for (key, value) in &pairs {
                other.add(key.as_bytes(), value.as_bytes());
            }
            prop_assert_ne!(one, other);
            other.remove(extra.0.as_bytes(), extra.1.as_bytes());
            prop_assert_eq!(one, other);
        }
    }
}
