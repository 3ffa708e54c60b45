//! The machine that finds the difference of two sets, range by range.
//!
//! Both sides sort their items by key. They take turns; a turn is a list of [`Range`]s, strictly
//! ascending and disjoint. The first turn describes the whole key space. Then, for each range:
//!
//! | received | answer |
//! |---|---|
//! | `Sum`, equal to ours | nothing: the range is settled |
//! | `Sum` of no items | nothing: the other side lacks all of ours |
//! | `Sum`, and we have few items there | `Have` with our keys |
//! | `Sum`, and we have many | a `Sum` for each sixteenth |
//! | `Have` | `Want` for the keys that we do not know; the other side lacks the rest of ours |
//! | `Want` | nothing: the other side lacks these |
//!
//! A turn without a question (`Sum` or `Have`) ends it. Every `Sum` answered by `Sum`s goes one
//! level deeper, so an honest exchange ends after [`MAX_TURNS`] turns at most. What one side sends
//! is bounded by its own set, whatever the other one claims.

use super::digest::{Digest, ItemId, PairKey};
use super::key::{ComparisonKey, ItemKey, KeyTable};
use super::limits::{LIST_AT_MOST, MAX_TURNS};
use super::range::{Claim, KeyPrefix, MAX_DEPTH, Range};

/// What a peer did wrong in a reconciliation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RangeError {
    /// The ranges of one turn are not ascending and disjoint.
    #[error("the ranges of a turn overlap or are out of order")]
    Order,
    /// A turn came when it was not the peer's turn.
    #[error("it is not the peer's turn")]
    Turn,
    /// The exchange does not end.
    #[error("the exchange of ranges did not end after {MAX_TURNS} turns")]
    Endless,
    /// A key is wanted that we do not have.
    #[error("the peer wants an item that was not offered")]
    NotOffered,
}

/// What follows from ranges received.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// To send.
    pub ranges: Vec<Range>,
    /// Whether our turn ends with these ranges; it has to be said even when there are none.
    pub ends_turn: bool,
    /// Places, in the list given at the start, of items that the peer lacks; each at most once.
    pub lacking: Vec<usize>,
}

/// One side of a reconciliation of two sets.
pub struct Reconciliation {
    keys: KeyTable,
    /// `digests[i]` covers the first `i` items.
    digests: Vec<Digest>,
    /// Whether the item at this place has been named as lacking.
    given: Vec<bool>,
    /// Whose turn it is.
    turn: Turn,
    turns: u32,
    /// The first key that the next range of the peer's turn may have; `None` after the last key.
    floor: Option<ItemKey>,
    /// Whether the peer's present turn had a question.
    asked: bool,
    /// Whether our present turn had a question.
    asking: bool,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Nobody has begun.
    New,
    Theirs,
    Done,
}

impl Reconciliation {
    /// Prepares the reconciliation of a set. `pair` keys the sums, `key` the short keys; both
    /// sides need the same.
    pub fn new(items: &[ItemId], pair: &PairKey, key: &ComparisonKey) -> Self {
        let keys = KeyTable::of(items, key);
        let mut digests = Vec::with_capacity(items.len().saturating_add(1));
        let mut sum = Digest::default();
        digests.push(sum);
        for (_, place) in keys.all() {
            if let Some(id) = items.get(*place) {
                sum.add(pair, id);
            }
            digests.push(sum);
        }
        Self {
            given: vec![false; items.len()],
            keys,
            digests,
            turn: Turn::New,
            turns: 0,
            floor: Some(ItemKey::new(0)),
            asked: false,
            asking: false,
        }
    }

    /// The first turn. Only one side opens; the other one just receives.
    pub fn open(&mut self) -> Vec<Range> {
        self.turn = Turn::Theirs;
        self.turns = 1;
        self.describe_parts(KeyPrefix::ALL)
    }

    /// Takes ranges of the peer's turn; `last` when the turn ends with them.
    ///
    /// # Errors
    /// The peer's fault, see [`RangeError`]. The reconciliation cannot go on.
    pub fn receive(&mut self, ranges: &[Range], last: bool) -> Result<Answer, RangeError> {
        match self.turn {
            Turn::New | Turn::Theirs => self.turn = Turn::Theirs,
            Turn::Done => return Err(RangeError::Turn),
        }
        if self.turns >= MAX_TURNS {
            return Err(RangeError::Endless);
        }
        let mut answer = Answer::default();
        for range in ranges {
            self.advance_floor(range.prefix)?;
            self.asked |= range.claim.is_question();
            self.answer(range, &mut answer)?;
        }
        self.asking |= answer.ranges.iter().any(|range| range.claim.is_question());
        if last {
            self.end_turn(&mut answer);
        }
        Ok(answer)
    }

    /// Whether the difference is known: nothing more is to be sent or received.
    pub fn is_done(&self) -> bool {
        self.turn == Turn::Done
    }

    /// Ends the peer's turn, and ours with it, since answers are made as ranges come in.
    fn end_turn(&mut self, answer: &mut Answer) {
        self.turns = self.turns.saturating_add(1);
        self.floor = Some(ItemKey::new(0));
        if self.asked {
            answer.ends_turn = true;
            self.turns = self.turns.saturating_add(1);
        }
        if !(self.asked && self.asking) {
            self.turn = Turn::Done;
        }
        self.asked = false;
        self.asking = false;
    }

    fn advance_floor(&mut self, prefix: KeyPrefix) -> Result<(), RangeError> {
        match self.floor {
            Some(floor) if prefix.first() >= floor => {
                self.floor = prefix.last().value().checked_add(1).map(ItemKey::new);
                Ok(())
            }
            _ => Err(RangeError::Order),
        }
    }

    fn answer(&mut self, range: &Range, answer: &mut Answer) -> Result<(), RangeError> {
        let (from, to) = self.bounds(range.prefix);
        match &range.claim {
            Claim::Sum(theirs) if *theirs == self.digest(from, to) => {}
            Claim::Sum(theirs) if theirs.count() == 0 => self.give(from, to, &mut answer.lacking),
            Claim::Sum(_) => answer.ranges.append(&mut self.describe_parts(range.prefix)),
            Claim::Have(theirs) => {
                let wanted = self.compare(from, to, theirs, &mut answer.lacking);
                if !wanted.is_empty() {
                    answer.ranges.push(Range {
                        prefix: range.prefix,
                        claim: Claim::Want(wanted),
                    });
                }
            }
            Claim::Want(wanted) => {
                for key in wanted {
                    self.give_key(*key, &mut answer.lacking)?;
                }
            }
        }
        Ok(())
    }

    /// Says what we have in a range: a list, or the sums of its parts.
    fn describe_parts(&self, prefix: KeyPrefix) -> Vec<Range> {
        let (from, to) = self.bounds(prefix);
        if to.saturating_sub(from) <= LIST_AT_MOST || prefix.depth() == MAX_DEPTH {
            let mut keys: Vec<ItemKey> = self
                .keys
                .slice(from, to)
                .iter()
                .map(|(key, _)| *key)
                .collect();
            keys.dedup();
            return vec![Range {
                prefix,
                claim: Claim::Have(keys),
            }];
        }
        let sum = |part| {
            let (from, to) = self.bounds(part);
            Range {
                prefix: part,
                claim: Claim::Sum(self.digest(from, to)),
            }
        };
        prefix.children().map(sum).collect()
    }

    /// Compares our items of a range with the peer's list: what it lacks goes to `lacking`, the
    /// keys that we lack are returned.
    fn compare(
        &mut self,
        from: usize,
        to: usize,
        theirs: &[ItemKey],
        lacking: &mut Vec<usize>,
    ) -> Vec<ItemKey> {
        let mut at = from;
        let mut wanted = Vec::new();
        for key in theirs {
            let below = self
                .keys
                .slice(at, to)
                .partition_point(|(ours, _)| ours < key);
            let below = at.saturating_add(below);
            self.give(at, below, lacking);
            let same = self
                .keys
                .slice(below, to)
                .partition_point(|(ours, _)| ours == key);
            if same == 0 {
                wanted.push(*key);
            }
            at = below.saturating_add(same);
        }
        self.give(at, to, lacking);
        wanted
    }

    /// Names the items with this key as lacking.
    fn give_key(&mut self, key: ItemKey, lacking: &mut Vec<usize>) -> Result<(), RangeError> {
        let (from, to) = self.keys.bounds(key, key);
        if from == to {
            return Err(RangeError::NotOffered);
        }
        self.give(from, to, lacking);
        Ok(())
    }

    /// Names the items `from..to`, in order of their keys, as lacking, unless they were before.
    fn give(&mut self, from: usize, to: usize, lacking: &mut Vec<usize>) {
        for (_, place) in self.keys.slice(from, to) {
            if let Some(given) = self.given.get_mut(*place)
                && !*given
            {
                *given = true;
                lacking.push(*place);
            }
        }
    }

    /// Where the items of a range begin and end.
    fn bounds(&self, prefix: KeyPrefix) -> (usize, usize) {
        self.keys.bounds(prefix.first(), prefix.last())
    }

    fn digest(&self, from: usize, to: usize) -> Digest {
        let upto = |end: usize| self.digests.get(end).copied().unwrap_or_default();
        upto(to).without(upto(from))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::identity::NodeKey;

    fn pair_key() -> PairKey {
        let [a, b] = [1, 2].map(|seed| NodeKey::generate(&mut ChaCha20Rng::seed_from_u64(seed)));
        PairKey::derive(&a.agree(&b.id()).unwrap())
    }

    fn item(number: u32) -> ItemId {
        ItemId::new(*blake3::hash(&number.to_be_bytes()).as_bytes())
    }

    fn machine(set: &[ItemId]) -> Reconciliation {
        let pair = pair_key();
        let key = ComparisonKey::derive(&pair, &[4; 32]);
        Reconciliation::new(set, &pair, &key)
    }

    /// Runs both sides, in pieces of `piece` ranges; returns what each sends and the turns.
    fn run(a: &[ItemId], b: &[ItemId], piece: usize) -> ([BTreeSet<ItemId>; 2], u32) {
        let sets = [a, b];
        let mut sides = [machine(a), machine(b)];
        let mut sent = [BTreeSet::new(), BTreeSet::new()];
        let mut turn = sides[0].open();
        let mut to = 1;
        let mut turns = 1;
        loop {
            let mut next = Vec::new();
            let mut ends = false;
            let mut pieces: Vec<&[Range]> = turn.chunks(piece).collect();
            if pieces.is_empty() {
                pieces.push(&[]);
            }
            for (at, ranges) in pieces.iter().enumerate() {
                let last = at + 1 == pieces.len();
                let mut answer = sides[to].receive(ranges, last).unwrap();
                next.append(&mut answer.ranges);
                ends |= answer.ends_turn;
                for place in answer.lacking {
                    assert!(sent[to].insert(sets[to][place]), "sent twice");
                }
            }
            if !ends {
                assert!(next.is_empty());
                break;
            }
            turns += 1;
            turn = next;
            to = 1 - to;
        }
        assert!(sides[0].is_done() && sides[1].is_done());
        (sent, turns)
    }

    fn check(a: &BTreeSet<u32>, b: &BTreeSet<u32>, piece: usize) -> u32 {
        let ids = |set: &BTreeSet<u32>| set.iter().map(|n| item(*n)).collect::<Vec<_>>();
        let ([from_a, from_b], turns) = run(&ids(a), &ids(b), piece);
        assert_eq!(from_a, a.difference(b).map(|n| item(*n)).collect());
        assert_eq!(from_b, b.difference(a).map(|n| item(*n)).collect());
        assert!(turns <= MAX_TURNS);
        turns
    }

    #[test]
    fn one_missing_item_among_many_is_found_in_few_turns() {
        let a: BTreeSet<u32> = (0..20_000).collect();
        let mut b = a.clone();
        b.remove(&777);
        assert!(check(&a, &b, 50) <= 6);
        assert!(check(&b, &a, 50) <= 6);
    }

    #[test]
    fn an_empty_side_gets_everything_in_two_turns() {
        let a: BTreeSet<u32> = (0..5_000).collect();
        assert!(check(&a, &BTreeSet::new(), 9) <= 3);
        assert!(check(&BTreeSet::new(), &a, 9) <= 3);
        assert_eq!(check(&BTreeSet::new(), &BTreeSet::new(), 9), 2);
    }

    #[test]
    fn a_turn_that_goes_back_is_refused() {
        let mut side = machine(&[item(1)]);
        let whole = Range {
            prefix: KeyPrefix::ALL,
            claim: Claim::Have(vec![]),
        };
        assert_eq!(
            side.receive(&[whole.clone(), whole], true),
            Err(RangeError::Order)
        );
    }

    #[test]
    fn an_exchange_that_never_ends_is_ended() {
        let items: Vec<_> = (0..100).map(item).collect();
        let mut side = machine(&items);
        let question = Range {
            prefix: KeyPrefix::ALL,
            claim: Claim::Sum(Digest::from_parts([9; 16], 5)),
        };
        let ends =
            (0..MAX_TURNS).find_map(|_| side.receive(core::slice::from_ref(&question), true).err());
        assert_eq!(ends, Some(RangeError::Endless));
    }

    #[test]
    fn wanting_what_was_not_offered_is_refused() {
        let mut side = machine(&[item(1)]);
        let want = Range {
            prefix: KeyPrefix::ALL,
            claim: Claim::Want(vec![ItemKey::new(1)]),
        };
        assert_eq!(side.receive(&[want], true), Err(RangeError::NotOffered));
    }

    #[test]
    fn a_turn_after_the_end_is_refused() {
        let mut side = machine(&[]);
        assert!(!side.receive(&[], true).unwrap().ends_turn);
        assert!(side.is_done());
        assert_eq!(side.receive(&[], true), Err(RangeError::Turn));
    }

    fn any_range() -> impl Strategy<Value = Range> {
        let claim = prop_oneof![
            (any::<[u8; 16]>(), 0_u64..4).prop_map(|(s, c)| Claim::Sum(Digest::from_parts(s, c))),
            Just(Claim::Have(vec![])),
            any::<u64>().prop_map(|k| Claim::Want(vec![ItemKey::new(k)])),
        ];
        (0_u8..=16, any::<u64>(), claim).prop_map(|(depth, bits, claim)| {
            let bits = bits.checked_shr(u32::from(16 - depth) * 4).unwrap_or(0);
            let prefix = KeyPrefix::new(depth, bits).unwrap();
            Range { prefix, claim }
        })
    }

    proptest! {
        #[test]
        fn the_difference_of_any_two_sets_is_found(
            a in proptest::collection::btree_set(0_u32..600, 0..300),
            b in proptest::collection::btree_set(0_u32..600, 0..300),
            piece in 1_usize..40,
        ) {
            check(&a, &b, piece);
        }

        #[test]
        fn a_hostile_peer_gets_a_bounded_answer_and_never_a_panic(
            turns in proptest::collection::vec(
                (proptest::collection::vec(any_range(), 0..8), any::<bool>()), 0..60),
            opens: bool,
        ) {
            let items: Vec<_> = (0..200).map(item).collect();
            let mut side = machine(&items);
            if opens {
                side.open();
            }
            let mut given = 0;
            for (mut ranges, last) in turns {
                ranges.sort_by_key(|range| range.prefix.first());
                match side.receive(&ranges, last) {
                    Ok(answer) => {
                        given += answer.lacking.len();
                        prop_assert!(answer.ranges.len() <= 16 * ranges.len());
                    }
                    Err(_) => break,
                }
            }
            prop_assert!(given <= items.len());
        }
    }
}
