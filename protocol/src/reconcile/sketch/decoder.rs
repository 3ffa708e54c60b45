//! Takes the symbols of the peer's set until the difference to ours is known.
//!
//! What is left of a symbol after ours is subtracted is the sum of the keys in it that only one
//! side has. A symbol with a single such key shows it, by its count and by the key's check; taken
//! out of all other symbols, it may leave another one with a single key, and so on: they peel.
//! When every symbol is empty, everything has been found.
//!
//! Whatever the peer sends, a key is taken out once, only from a symbol that it is part of and
//! only on the side that can have it, and not more keys than the set tier takes on; so peeling
//! ends. Symbols that make no sense just never become empty, until there have been too many of
//! them.

use std::collections::BTreeMap;

use super::SketchError;
use super::encoder::Coder;
use super::symbol::{Coded, Side, Symbol, read_symbols};
use super::symbols_for;
use crate::reconcile::digest::ItemId;
use crate::reconcile::key::{ComparisonKey, ItemKey, KeyTable};
use crate::reconcile::limits::{FIRST_FLIGHT, FLIGHT_LEAST, FLIGHT_MOST, MAX_SYMBOLS};

/// In what two sets differ.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Keys that only the peer has, ascending.
    pub theirs: Vec<ItemKey>,
    /// Places, in the list given at the start, of items that only we have.
    pub ours: Vec<usize>,
}

/// What follows from the symbols so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The flight is not over.
    Waiting,
    /// The difference is known.
    Found(Difference),
    /// More symbols are needed, up to this index.
    Further(usize),
    /// The difference is too large, or the symbols make no sense: compare by ranges.
    TooMany,
}

/// The side that receives symbols of the peer's set.
pub struct Decoder {
    secret: ComparisonKey,
    table: KeyTable,
    /// Our keys, and those of the peer that were found: they are taken out of what comes.
    known: Coder,
    /// Those of our keys that the peer lacks: they were not in what comes.
    lacking: Coder,
    /// How many items the peer has.
    items: Option<u64>,
    /// As they came; behind `peeled` with our keys still in.
    symbols: Vec<Symbol>,
    /// The first so many symbols have only keys of the difference.
    peeled: usize,
    found: BTreeMap<ItemKey, Side>,
    most: usize,
    /// The end of the present flight.
    upto: usize,
}

impl Decoder {
    /// Prepares to find at most `most` differences to a set of ours, when the first flight has
    /// `symbols` symbols.
    pub fn new(ours: &[ItemId], key: &ComparisonKey, most: u64, symbols: usize) -> Self {
        let table = KeyTable::of(ours, key);
        let coded = table.all().iter().map(|(item, _)| Coded::new(*item, key));
        Self {
            secret: key.clone(),
            known: Coder::new(coded.collect()),
            lacking: Coder::new(Vec::new()),
            table,
            items: None,
            symbols: Vec::new(),
            peeled: 0,
            found: BTreeMap::new(),
            most: usize::try_from(most).unwrap_or(usize::MAX),
            upto: symbols.min(MAX_SYMBOLS),
        }
    }

    /// Takes symbols of the present flight, from index `first` on, of a set of `items` items.
    ///
    /// # Errors
    /// The peer's fault, see [`SketchError`]. The comparison cannot go on.
    pub fn receive(
        &mut self,
        items: u64,
        first: usize,
        bytes: &[u8],
    ) -> Result<Verdict, SketchError> {
        if first != self.symbols.len() || self.items.is_some_and(|known| known != items) {
            return Err(SketchError::Order);
        }
        self.items = Some(items);
        let mut symbols = read_symbols(first, items, bytes)?;
        let room = self.upto.saturating_sub(first);
        if symbols.is_empty() || symbols.len() > room {
            return Err(SketchError::Order);
        }
        self.symbols.append(&mut symbols);
        if self.symbols.len() < self.upto {
            return Ok(Verdict::Waiting);
        }
        self.subtract();
        self.peel();
        Ok(self.verdict())
    }

    /// Takes what we know out of the new symbols.
    fn subtract(&mut self) {
        let known = self.known.next_upto(self.upto);
        let lacking = self.lacking.next_upto(self.upto);
        let new = self.symbols.iter_mut().skip(self.peeled);
        for (symbol, (known, lacking)) in new.zip(known.into_iter().zip(lacking)) {
            *symbol = symbol.minus(known).plus(lacking);
        }
    }

    /// Finds keys for as long as a symbol shows one.
    fn peel(&mut self) {
        let mut open: Vec<usize> = (self.peeled..self.symbols.len()).collect();
        self.peeled = self.symbols.len();
        while let Some(index) = open.pop() {
            let single = self
                .symbols
                .get(index)
                .and_then(|symbol| symbol.single(&self.secret));
            let Some((coded, side)) = single else {
                continue;
            };
            if !self.is_new(index, &coded, side) {
                continue;
            }
            if self.found.len() >= self.most {
                return;
            }
            self.found.insert(coded.key, side);
            self.take_out(coded, side, &mut open);
        }
    }

    /// Whether a key can be what a symbol shows: not found before, part of that symbol, and ours
    /// exactly if it is missing there.
    fn is_new(&self, index: usize, coded: &Coded, side: Side) -> bool {
        let mut mapping = coded.mapping;
        mapping.skip_to(index);
        let have = !self.table.of_key(coded.key).is_empty();
        have == (side == Side::Ours)
            && mapping.below(index.saturating_add(1)) == Some(index)
            && !self.found.contains_key(&coded.key)
    }

    /// Takes a key out of every symbol; `open` gets those that may show another one now.
    fn take_out(&mut self, mut coded: Coded, side: Side, open: &mut Vec<usize>) {
        while let Some(index) = coded.mapping.below(self.symbols.len()) {
            if let Some(symbol) = self.symbols.get_mut(index) {
                match side {
                    Side::Theirs => symbol.remove(&coded),
                    Side::Ours => symbol.add(&coded),
                }
                if symbol.may_be_single() {
                    open.push(index);
                }
            }
            coded.mapping.advance();
        }
        match side {
            Side::Theirs => self.known.join(coded),
            Side::Ours => self.lacking.join(coded),
        }
    }

    fn verdict(&mut self) -> Verdict {
        if self.symbols.iter().all(Symbol::is_empty) {
            return Verdict::Found(self.difference());
        }
        let made = self.symbols.len();
        let total = self.found.len().saturating_add(self.remaining());
        let cap = symbols_for(self.most)
            .saturating_add(FIRST_FLIGHT)
            .min(MAX_SYMBOLS);
        let least = made.saturating_add(FLIGHT_LEAST);
        if total > self.most || least > cap {
            return Verdict::TooMany;
        }
        let most = made.saturating_add(FLIGHT_MOST).min(cap);
        self.upto = symbols_for(total).clamp(least, most);
        Verdict::Further(self.upto)
    }

    fn difference(&self) -> Difference {
        let mut difference = Difference::default();
        for (key, side) in &self.found {
            match side {
                Side::Theirs => difference.theirs.push(*key),
                Side::Ours => {
                    let places = self.table.of_key(*key).iter().map(|(_, place)| *place);
                    difference.ours.extend(places);
                }
            }
        }
        difference
    }

    /// About how many differences are still in the symbols.
    ///
    /// Symbol `i` has each of them with probability `p = 2 / (i + 2)`. So the square of its count,
    /// less what the excess of one side makes of it, is on average their number times `p (1 - p)`;
    /// the mean over all symbols is off by a tenth or so.
    fn remaining(&self) -> usize {
        let excess = i128::from(self.symbols.first().map_or(0, Symbol::count));
        let mut sum = 0_i128;
        for (index, symbol) in (0_i128..).zip(&self.symbols).skip(1) {
            let scaled = i128::from(symbol.count()).saturating_mul(index.saturating_add(2));
            let off = scaled.saturating_sub(excess.saturating_mul(2));
            sum = sum.saturating_add(off.saturating_mul(off) / index.saturating_mul(2));
        }
        let symbols = i128::try_from(self.symbols.len()).unwrap_or(i128::MAX);
        let mean = sum / symbols.saturating_sub(1).max(1);
        usize::try_from(mean).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests;
