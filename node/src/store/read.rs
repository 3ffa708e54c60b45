//! Reading ranges of the store.

use std::ops::{Bound, RangeBounds};

use super::engine::{Engine, Pairs};
use super::error::StoreError;
use super::seal::Sealer;
use super::space::Space;

/// A key, without its space, and its value.
pub type KeyValue = (Vec<u8>, Vec<u8>);

/// The keys and values of a range, ascending; from the end with `rev`.
///
/// It sees writes that happen meanwhile, or not: it is not a snapshot.
pub struct Scan<'s> {
    pairs: Pairs,
    sealer: &'s Sealer,
}

impl<'s> Scan<'s> {
    pub(super) fn new(engine: &'s Engine, sealer: &'s Sealer, bounds: FullBounds) -> Self {
        Self {
            pairs: engine.range(bounds.0, bounds.1),
            sealer,
        }
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<KeyValue, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.pairs.next()?;
        Some(found.and_then(|(key, sealed)| open_pair(self.sealer, &key, &sealed)))
    }
}

impl DoubleEndedIterator for Scan<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let found = self.pairs.next_back()?;
        Some(found.and_then(|(key, sealed)| open_pair(self.sealer, &key, &sealed)))
    }
}

/// The keys of a range, ascending, without opening the values.
pub struct Keys<'s> {
    pairs: Pairs,
    /// An open scan keeps sled's lock: it must not outlive the store.
    store: std::marker::PhantomData<&'s Engine>,
}

impl<'s> Keys<'s> {
    pub(super) fn new(engine: &'s Engine, bounds: FullBounds) -> Self {
        Self {
            pairs: engine.range(bounds.0, bounds.1),
            store: std::marker::PhantomData,
        }
    }
}

impl Iterator for Keys<'_> {
    type Item = Result<Vec<u8>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.pairs.next()?.map(|(key, _)| short_key(&key)))
    }
}

impl DoubleEndedIterator for Keys<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        Some(self.pairs.next_back()?.map(|(key, _)| short_key(&key)))
    }
}

/// A range of full keys.
pub(super) type FullBounds = (Bound<Vec<u8>>, Bound<Vec<u8>>);

/// The full keys of `space` within `bounds`.
pub(super) fn bounds_within<'k>(space: Space, bounds: &impl RangeBounds<&'k [u8]>) -> FullBounds {
    let low = match bounds.start_bound() {
        Bound::Included(key) => Bound::Included(space.full_key(key)),
        Bound::Excluded(key) => Bound::Excluded(space.full_key(key)),
        Bound::Unbounded => Bound::Included(vec![space.byte()]),
    };
    let high = match bounds.end_bound() {
        Bound::Included(key) => Bound::Included(space.full_key(key)),
        Bound::Excluded(key) => Bound::Excluded(space.full_key(key)),
        Bound::Unbounded => after(vec![space.byte()]),
    };
    (low, high)
}

/// The full keys of `space` that start with `prefix`.
pub(super) fn bounds_of_prefix(space: Space, prefix: &[u8]) -> FullBounds {
    let low = space.full_key(prefix);
    (Bound::Included(low.clone()), after(low))
}

/// The end of the keys that start with `prefix`: the next key of at most its length.
fn after(mut prefix: Vec<u8>) -> Bound<Vec<u8>> {
    while let Some(byte) = prefix.pop() {
        if let Some(next) = byte.checked_add(1) {
            prefix.push(next);
            return Bound::Excluded(prefix);
        }
    }
    Bound::Unbounded
}

pub(super) fn open_pair(
    sealer: &Sealer,
    full_key: &[u8],
    sealed: &[u8],
) -> Result<KeyValue, StoreError> {
    Ok((short_key(full_key), sealer.open(full_key, sealed)?))
}

pub(super) fn short_key(full_key: &[u8]) -> Vec<u8> {
    full_key.get(1..).unwrap_or_default().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_before_the_next_key_of_its_length() {
        assert_eq!(after(vec![1, 2]), Bound::Excluded(vec![1, 3]));
        assert_eq!(after(vec![1, 0xff]), Bound::Excluded(vec![2]));
        assert_eq!(after(vec![0xff]), Bound::Unbounded);
    }
}
