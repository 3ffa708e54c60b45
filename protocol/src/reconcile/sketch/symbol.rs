//! A coded symbol: the sum of some keys, the sum of their checks, and how many they are.
//!
//! ```text
//! symbols = (sum 8, big-endian | check 4, big-endian | count)...
//! count   = how many more keys there are than expected, zigzag, 7 bits a byte, least first
//! ```
//!
//! Symbol `i` of a set of `n` items is expected to have `2 n / (i + 2)` keys, rounded down; the
//! count differs from that by little, and mostly takes one byte. Sums wrap; they are sums and not
//! XORs, so that a key that is added twice does not vanish.

use super::SketchError;
use super::mapping::Mapping;
use crate::reconcile::key::{ComparisonKey, ItemKey, KeyMark};
use crate::reconcile::limits::MAX_ITEMS;

/// The bytes of one symbol at most.
pub const MAX_SYMBOL_BYTES: usize = 12 + MAX_COUNT_BYTES;

/// The bytes of a count at most: 64 bits.
const MAX_COUNT_BYTES: usize = 10;

/// Who has a key that the other one lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Ours,
    Theirs,
}

/// A key with what is needed to code it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coded {
    pub(super) key: ItemKey,
    check: u32,
    pub(super) mapping: Mapping,
}

impl Coded {
    pub(super) fn new(key: ItemKey, secret: &ComparisonKey) -> Self {
        let KeyMark { check, seed } = secret.mark(key);
        Self {
            key,
            check,
            mapping: Mapping::new(seed),
        }
    }
}

/// One coded symbol, or the difference of two.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Symbol {
    sum: u64,
    check: u32,
    count: i64,
}

impl Symbol {
    /// Takes a key in.
    pub(super) fn add(&mut self, coded: &Coded) {
        self.sum = self.sum.wrapping_add(coded.key.value());
        self.check = self.check.wrapping_add(coded.check);
        self.count = self.count.wrapping_add(1);
    }

    /// Takes a key out.
    pub(super) fn remove(&mut self, coded: &Coded) {
        self.sum = self.sum.wrapping_sub(coded.key.value());
        self.check = self.check.wrapping_sub(coded.check);
        self.count = self.count.wrapping_sub(1);
    }

    /// The keys of both.
    #[must_use]
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            sum: self.sum.wrapping_add(other.sum),
            check: self.check.wrapping_add(other.check),
            count: self.count.wrapping_add(other.count),
        }
    }

    /// The keys that are here and not in `other`, less those that are only there.
    #[must_use]
    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            sum: self.sum.wrapping_sub(other.sum),
            check: self.check.wrapping_sub(other.check),
            count: self.count.wrapping_sub(other.count),
        }
    }

    /// Whether nothing is left in it.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// How many keys it has; of a difference, how many more of theirs than of ours.
    pub(super) const fn count(&self) -> i64 {
        self.count
    }

    /// Whether the count alone allows a single key.
    pub(super) const fn may_be_single(&self) -> bool {
        matches!(self.count, 1 | -1)
    }

    /// The single key that is left in a difference, and who has it.
    pub(super) fn single(&self, secret: &ComparisonKey) -> Option<(Coded, Side)> {
        let (key, check, side) = match self.count {
            1 => (self.sum, self.check, Side::Theirs),
            -1 => (
                self.sum.wrapping_neg(),
                self.check.wrapping_neg(),
                Side::Ours,
            ),
            _ => return None,
        };
        let coded = Coded::new(ItemKey::new(key), secret);
        (coded.check == check).then_some((coded, side))
    }

    /// Appends the symbol with this index of a set of `items` items.
    pub(super) fn write(&self, index: usize, items: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.sum.to_be_bytes());
        out.extend_from_slice(&self.check.to_be_bytes());
        let more = self.count.wrapping_sub(expected(index, items));
        let mut rest = (more << 1 ^ more >> 63).cast_unsigned();
        loop {
            let [low, ..] = rest.to_le_bytes();
            rest >>= 7;
            if rest == 0 {
                out.push(low & 0x7f);
                return;
            }
            out.push(low | 0x80);
        }
    }

    /// Reads the symbol with this index of a set of `items` items, and what follows it.
    fn read(index: usize, items: u64, bytes: &[u8]) -> Result<(Self, &[u8]), SketchError> {
        let (sum, bytes) = bytes
            .split_first_chunk::<8>()
            .ok_or(SketchError::Malformed)?;
        let (check, bytes) = bytes
            .split_first_chunk::<4>()
            .ok_or(SketchError::Malformed)?;
        let (zigzag, bytes) = read_number(bytes)?;
        let more = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        let count = expected(index, items).checked_add(more);
        let count = count.ok_or(SketchError::Count)?;
        let possible = u64::try_from(count).is_ok_and(|count| match index {
            0 => count == items,
            _ => count <= items,
        });
        if !possible {
            return Err(SketchError::Count);
        }
        let symbol = Self {
            sum: u64::from_be_bytes(*sum),
            check: u32::from_be_bytes(*check),
            count,
        };
        Ok((symbol, bytes))
    }
}

/// Reads consecutive symbols, from index `first` on, of a set of `items` items.
///
/// # Errors
/// [`SketchError::Malformed`] and [`SketchError::Count`].
pub fn read_symbols(first: usize, items: u64, bytes: &[u8]) -> Result<Vec<Symbol>, SketchError> {
    if items > MAX_ITEMS {
        return Err(SketchError::Count);
    }
    let mut symbols = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let index = first.saturating_add(symbols.len());
        let (symbol, after) = Symbol::read(index, items, rest)?;
        symbols.push(symbol);
        rest = after;
    }
    Ok(symbols)
}

/// How many keys a symbol is expected to have.
fn expected(index: usize, items: u64) -> i64 {
    let index = u64::try_from(index).unwrap_or(u64::MAX);
    let expected = items.saturating_mul(2) / index.saturating_add(2);
    i64::try_from(expected).unwrap_or(i64::MAX)
}

/// Reads a number in its shortest spelling.
fn read_number(bytes: &[u8]) -> Result<(u64, &[u8]), SketchError> {
    let mut number = 0_u64;
    let mut rest = bytes;
    for at in 0..MAX_COUNT_BYTES {
        let (byte, after) = rest.split_first().ok_or(SketchError::Malformed)?;
        rest = after;
        let bits = u64::from(byte & 0x7f);
        let shift = at.saturating_mul(7);
        let shifted = bits << shift;
        if shifted >> shift != bits || (*byte == 0 && at > 0) {
            return Err(SketchError::Malformed);
        }
        number |= shifted;
        if byte & 0x80 == 0 {
            return Ok((number, rest));
        }
    }
    Err(SketchError::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn symbol(sum: u64, check: u32, count: i64) -> Symbol {
        Symbol { sum, check, count }
    }

    fn written(symbol: Symbol, index: usize, items: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        symbol.write(index, items, &mut bytes);
        bytes
    }

    #[test]
    fn a_count_near_the_expected_takes_one_byte() {
        let bytes = written(symbol(7, 9, 5_000 + 63), 2, 10_000);
        assert_eq!(bytes, [0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 9, 126]);
        assert_eq!(written(symbol(7, 9, 4_936), 2, 10_000).len(), 13);
        assert_eq!(written(symbol(7, 9, 4_935), 2, 10_000).len(), 14);
    }

    #[test]
    fn impossible_counts_are_refused() {
        for (index, items, count) in [
            (0, 10, 9),
            (0, 10, 11),
            (1, 10, 11),
            (1, 10, -1),
            (5, 0, 1),
            (5, 10, i64::MAX),
            (5, 10, i64::MIN),
        ] {
            let bytes = written(symbol(1, 1, count), index, items);
            assert_eq!(
                read_symbols(index, items, &bytes),
                Err(SketchError::Count),
                "{index} {items} {count}"
            );
        }
        assert_eq!(read_symbols(0, MAX_ITEMS + 1, &[]), Err(SketchError::Count));
    }

    #[test]
    fn longer_spellings_and_endless_counts_are_refused() {
        let head = [0; 12];
        for count in [
            &[0x80, 0x00][..],
            &[0x81, 0x80, 0x00],
            &[0xff; 10],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
            &[0x80],
            &[],
        ] {
            let bytes = [&head[..], count].concat();
            assert_eq!(read_symbols(3, 100, &bytes), Err(SketchError::Malformed));
        }
    }

    proptest! {
        #[test]
        fn symbols_read_back(
            items in 0_u64..=MAX_ITEMS,
            first in 1_usize..40_000,
            raw in proptest::collection::vec((any::<u64>(), any::<u32>(), any::<u64>()), 0..20),
        ) {
            let symbols: Vec<Symbol> = raw
                .into_iter()
                .map(|(sum, check, count)| symbol(sum, check, (count % (items + 1)) as i64))
                .collect();
            let mut bytes = Vec::new();
            for (at, symbol) in symbols.iter().enumerate() {
                symbol.write(first + at, items, &mut bytes);
            }
            prop_assert!(bytes.len() <= symbols.len() * MAX_SYMBOL_BYTES);
            prop_assert_eq!(read_symbols(first, items, &bytes), Ok(symbols));
        }

        #[test]
        fn what_reads_is_spelled_in_one_way(first in 0_usize..99, items in 0_u64..999,
            bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(symbols) = read_symbols(first, items, &bytes) {
                let mut again = Vec::new();
                for (at, symbol) in symbols.iter().enumerate() {
                    symbol.write(first + at, items, &mut again);
                }
                prop_assert_eq!(again, bytes);
            }
        }
    }
}
