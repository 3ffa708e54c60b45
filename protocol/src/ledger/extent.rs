//! How far a compartment's records reach, author by author.

use std::collections::{BTreeMap, BTreeSet};

use super::revocation::FrontierTip;
use crate::id::{Incarnation, NodeId, Sequence};

/// Where a record stands: its author, the incarnation of the author's store, and its number.
pub type Place = (NodeId, Incarnation, Sequence);

/// For each author, and each incarnation of the author's store, the newest place up to which
/// records are covered, from the first on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extent(BTreeMap<(NodeId, Incarnation), Sequence>);

impl Extent {
    /// What reaches up to these tips.
    pub fn of<'a>(tips: impl IntoIterator<Item = &'a FrontierTip>) -> Self {
        let mut extent = Self::default();
        extent.cover(tips);
        extent
    }

    /// Reaches up to these tips as well.
    pub fn cover<'a>(&mut self, tips: impl IntoIterator<Item = &'a FrontierTip>) {
        for tip in tips {
            let newest = self
                .0
                .entry((tip.author, tip.incarnation))
                .or_insert(tip.sequence);
            *newest = (*newest).max(tip.sequence);
        }
    }

    /// Reaches on over the records in these places, in any order, as far as they follow without a
    /// gap.
    pub fn follow(&mut self, places: impl IntoIterator<Item = Place>) {
        for (author, incarnation, sequence) in places.into_iter().collect::<BTreeSet<Place>>() {
            let newest = self.0.get(&(author, incarnation)).copied();
            let next = newest.map_or(Some(Sequence::new(0)), Sequence::next);
            if next == Some(sequence) {
                self.0.insert((author, incarnation), sequence);
            }
        }
    }

    /// Whether it reaches up to a place.
    pub fn holds(&self, (author, incarnation, sequence): Place) -> bool {
        let newest = self.0.get(&(author, incarnation));
        newest.is_some_and(|newest| *newest >= sequence)
    }

    /// Whether it reaches up to all of these tips.
    pub fn includes(&self, tips: &[FrontierTip]) -> bool {
        let place = |tip: &FrontierTip| (tip.author, tip.incarnation, tip.sequence);
        tips.iter().all(|tip| self.holds(place(tip)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RecordId;

    fn tip(author: u8, sequence: u64) -> FrontierTip {
        FrontierTip {
            author: NodeId::new([author; 32]),
            incarnation: Incarnation::new(1),
            sequence: Sequence::new(sequence),
            record: RecordId::new([9; 32]),
        }
    }

    #[test]
    fn it_reaches_to_the_newest_tip_of_each_author() {
        let extent = Extent::of(&[tip(1, 5), tip(2, 0), tip(1, 3)]);
        assert!(extent.includes(&[tip(1, 5), tip(1, 4), tip(2, 0)]));
        assert!(!extent.includes(&[tip(1, 6)]) && !extent.includes(&[tip(3, 0)]));
        assert!(extent.includes(&[]));
    }

    #[test]
    fn it_reaches_on_without_a_gap_only() {
        let mut extent = Extent::of(&[tip(1, 5)]);
        let next = [tip(1, 8), tip(1, 6), tip(2, 1), tip(2, 0), tip(3, 1)];
        extent.follow(next.map(|tip| (tip.author, tip.incarnation, tip.sequence)));
        assert_eq!(extent, Extent::of(&[tip(1, 6), tip(2, 1)]));
    }
}
