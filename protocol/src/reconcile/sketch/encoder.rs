//! Makes the symbols of a set, flight by flight.
//!
//! Each key remembers the next symbol that it is part of. A flight is one walk over the keys, in
//! which each adds itself to those symbols of the flight that it is part of. A heap of the next
//! indices would give symbols one by one, for a logarithm more of work on each; nobody wants a
//! single symbol. A key takes four words of memory.

use super::SketchError;
use super::symbol::{Coded, Symbol};
use crate::reconcile::digest::ItemId;
use crate::reconcile::key::{ComparisonKey, ItemKey, KeyTable};
use crate::reconcile::limits::{FLIGHT_LEAST, FLIGHT_MOST, MAX_SYMBOLS};

/// The endless sequence of symbols of some keys, and how much of it has been made.
pub(super) struct Coder {
    keys: Vec<Coded>,
    made: usize,
}

impl Coder {
    pub(super) fn new(keys: Vec<Coded>) -> Self {
        Self { keys, made: 0 }
    }

    /// Takes in one key more, from the next symbol on.
    pub(super) fn join(&mut self, mut coded: Coded) {
        coded.mapping.skip_to(self.made);
        self.keys.push(coded);
    }

    /// The symbols from the last one made up to index `upto`.
    pub(super) fn next_upto(&mut self, upto: usize) -> Vec<Symbol> {
        let first = self.made;
        let mut symbols = vec![Symbol::default(); upto.saturating_sub(first)];
        for coded in &mut self.keys {
            while let Some(index) = coded.mapping.below(upto) {
                if let Some(symbol) = symbols.get_mut(index.saturating_sub(first)) {
                    symbol.add(coded);
                }
                coded.mapping.advance();
            }
        }
        self.made = upto.max(first);
        symbols
    }
}

/// The side that sends symbols of its set.
pub struct Encoder {
    coder: Coder,
    table: KeyTable,
    items: u64,
    /// The last key that the peer wanted.
    wanted: Option<ItemKey>,
}

/// Consecutive symbols of one set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flight {
    /// The index of the first one.
    pub first: usize,
    /// How many items the set has.
    pub items: u64,
    /// The symbols.
    pub symbols: Vec<Symbol>,
}

impl Flight {
    /// The symbols as they travel, in pieces of at most `most` bytes (or of one symbol), each with
    /// the index of its first symbol.
    pub fn pieces(&self, most: usize) -> Vec<(usize, Vec<u8>)> {
        let mut pieces: Vec<(usize, Vec<u8>)> = Vec::new();
        for (at, symbol) in self.symbols.iter().enumerate() {
            let index = self.first.saturating_add(at);
            let mut bytes = Vec::new();
            symbol.write(index, self.items, &mut bytes);
            match pieces.last_mut() {
                Some((_, piece)) if piece.len().saturating_add(bytes.len()) <= most => {
                    piece.append(&mut bytes);
                }
                _ => pieces.push((index, bytes)),
            }
        }
        pieces
    }
}

impl Encoder {
    /// Prepares to encode a set.
    pub fn new(items: &[ItemId], key: &ComparisonKey) -> Self {
        let table = KeyTable::of(items, key);
        let coded = table.all().iter().map(|(item, _)| Coded::new(*item, key));
        Self {
            coder: Coder::new(coded.collect()),
            items: u64::try_from(items.len()).unwrap_or(u64::MAX),
            table,
            wanted: None,
        }
    }

    /// The first flight, of as many symbols as [`first_flight`](super::first_flight) says.
    pub fn open(&mut self, symbols: usize) -> Flight {
        self.next_upto(symbols.min(MAX_SYMBOLS))
    }

    /// The next flight, which the peer asked for: up to index `upto`.
    ///
    /// # Errors
    /// [`SketchError::Flight`] when that is too few symbols or too many.
    pub fn further(&mut self, upto: usize) -> Result<Flight, SketchError> {
        let symbols = upto.saturating_sub(self.coder.made);
        if upto > MAX_SYMBOLS || !(FLIGHT_LEAST..=FLIGHT_MOST).contains(&symbols) {
            return Err(SketchError::Flight { symbols });
        }
        Ok(self.next_upto(upto))
    }

    /// Takes keys that the peer wants, in ascending order over all calls; returns the places of
    /// their items in the list given at the start.
    ///
    /// # Errors
    /// [`SketchError::NotOffered`] for a key that no item has, or that is out of order.
    pub fn wanted(&mut self, keys: &[ItemKey]) -> Result<Vec<usize>, SketchError> {
        let mut places = Vec::new();
        for key in keys {
            let found = self.table.of_key(*key);
            if found.is_empty() || self.wanted.is_some_and(|last| last >= *key) {
                return Err(SketchError::NotOffered);
            }
            self.wanted = Some(*key);
            places.extend(found.iter().map(|(_, place)| *place));
        }
        Ok(places)
    }

    fn next_upto(&mut self, upto: usize) -> Flight {
        Flight {
            first: self.coder.made,
            items: self.items,
            symbols: self.coder.next_upto(upto),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reconcile::sketch::symbol::read_symbols;
    use crate::reconcile::sketch::tests::{item, secret};

    fn encoder(count: u32) -> Encoder {
        let items: Vec<ItemId> = (0..count).map(item).collect();
        Encoder::new(&items, &secret(1))
    }

    #[test]
    fn flights_of_any_size_make_the_same_symbols() {
        let whole = encoder(300).open(500).symbols;
        let mut one = encoder(300);
        let mut symbols = one.open(70).symbols;
        for upto in [134, 198, 400, 500] {
            let flight = one.further(upto).unwrap();
            assert_eq!((flight.first, flight.items), (symbols.len(), 300));
            symbols.extend(flight.symbols);
        }
        assert_eq!(symbols, whole);
        assert_eq!(whole[0].count(), 300);
    }

    #[test]
    fn a_flight_travels_in_pieces_that_fit() {
        let flight = encoder(3_000).open(500);
        let pieces = flight.pieces(4_000);
        assert_eq!(pieces.len(), 2);
        let mut symbols = Vec::new();
        for (first, bytes) in pieces {
            assert!(bytes.len() <= 4_000);
            assert_eq!(first, symbols.len());
            symbols.extend(read_symbols(first, 3_000, &bytes).unwrap());
        }
        assert_eq!(symbols, flight.symbols);
        assert_eq!(encoder(3).open(64).pieces(0).len(), 64);
    }

    #[test]
    fn flights_too_short_or_too_long_are_refused() {
        for upto in [0, 64, 65, 127, 64 + FLIGHT_MOST + 1, usize::MAX] {
            let mut one = encoder(3);
            one.open(64);
            assert!(
                matches!(one.further(upto), Err(SketchError::Flight { .. })),
                "{upto}"
            );
        }
        let mut one = encoder(3);
        one.open(64);
        let flights = (2..)
            .map_while(|at| one.further(at * FLIGHT_LEAST).ok())
            .count();
        assert_eq!(flights, MAX_SYMBOLS / FLIGHT_LEAST - 1);
    }

    #[test]
    fn wanting_what_was_not_offered_or_twice_is_refused() {
        let mut one = encoder(3);
        let mut keys: Vec<ItemKey> = (0..3).map(|at| secret(1).item_key(&item(at))).collect();
        keys.sort_unstable();
        assert_eq!(one.wanted(&keys[..1]).unwrap().len(), 1);
        assert_eq!(one.wanted(&keys[1..]).unwrap().len(), 2);
        assert_eq!(one.wanted(&keys[..1]), Err(SketchError::NotOffered));
        assert_eq!(one.wanted(&keys[2..]), Err(SketchError::NotOffered));
        let none = ItemKey::new(keys[0].value() ^ 1);
        assert_eq!(encoder(3).wanted(&[none]), Err(SketchError::NotOffered));
    }

    proptest! {
        #[test]
        fn a_key_that_joins_later_is_in_the_symbols_that_follow(
            count in 0_u32..50, joins in 0_usize..300) {
            let new = Coded::new(ItemKey::new(77), &secret(1));
            let mut before = Coder::new(vec![new]);
            let with: Vec<Symbol> = before.next_upto(400);
            let keys = (0..count).map(|at| Coded::new(ItemKey::new(at.into()), &secret(1)));
            let keys: Vec<Coded> = keys.collect();
            let (mut joined, mut without) = (Coder::new(keys.clone()), Coder::new(keys));
            joined.next_upto(joins);
            without.next_upto(joins);
            joined.join(new);
            let (joined, without) = (joined.next_upto(400), without.next_upto(400));
            for (at, symbol) in joined.into_iter().enumerate() {
                prop_assert_eq!(symbol, without[at].plus(with[joins + at]));
            }
        }
    }
}
