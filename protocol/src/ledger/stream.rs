//! Streams: the records of one author, incarnation and compartment, in their sequence.

use std::collections::{BTreeMap, BTreeSet};

use super::compartment::CompartmentName;
use super::judgement::RecordFacts;
use super::revocation::FrontierTip;
use crate::id::{Incarnation, NodeId, RecordId, RecordLink, Sequence};

/// Two or more records of one author in one place, or one that does not follow the record before
/// it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fork {
    /// The compartment.
    pub compartment: CompartmentName,
    /// The author.
    pub author: NodeId,
    /// The incarnation of the author's store.
    pub incarnation: Incarnation,
    /// The place.
    pub sequence: Sequence,
    /// The record that has the place; none when no record follows the chosen branch.
    pub chosen: Option<RecordId>,
    /// The records that lost it, ascending.
    pub displaced: Vec<RecordId>,
}

/// Places of an author without a record, below one that has one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// The compartment.
    pub compartment: CompartmentName,
    /// The author.
    pub author: NodeId,
    /// The incarnation of the author's store.
    pub incarnation: Incarnation,
    /// The first missing place.
    pub first: Sequence,
    /// The last missing place.
    pub last: Sequence,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a> {
    compartment: &'a CompartmentName,
    author: NodeId,
    incarnation: Incarnation,
}

/// The records in each place, with the link of each.
type Places = BTreeMap<Sequence, BTreeMap<RecordId, RecordLink>>;

pub(super) struct Streams<'a>(BTreeMap<Key<'a>, Places>);

impl<'a> Streams<'a> {
    pub(super) fn of(records: &BTreeMap<RecordId, &'a RecordFacts>) -> Self {
        let mut streams: BTreeMap<Key<'a>, Places> = BTreeMap::new();
        for record in records.values() {
            let key = Key {
                compartment: &record.compartment,
                author: record.author,
                incarnation: record.incarnation,
            };
            let place = streams
                .entry(key)
                .or_default()
                .entry(record.sequence)
                .or_default();
            place.insert(record.id, record.previous);
        }
        Self(streams)
    }

    /// The records to which links lead from the tips of a frontier, the tips included.
    pub(super) fn inside<'f>(
        &self,
        frontier: impl Iterator<Item = (&'f CompartmentName, &'f Vec<FrontierTip>)>,
    ) -> BTreeSet<RecordId> {
        let mut inside = BTreeSet::new();
        for (compartment, tips) in frontier {
            for tip in tips {
                let (author, incarnation) = (tip.author, tip.incarnation);
                if let Some(places) = self.0.get(&Key {
                    compartment,
                    author,
                    incarnation,
                }) {
                    walk_back(places, tip, &mut inside);
                }
            }
        }
        inside
    }

    /// The records that a compaction covers up to a tip: those to which links lead from it. Where
    /// the tip itself is not here, links tell nothing, and places have to do.
    pub(super) fn up_to(
        &self,
        compartment: &CompartmentName,
        tip: &FrontierTip,
    ) -> BTreeSet<RecordId> {
        let key = Key {
            compartment,
            author: tip.author,
            incarnation: tip.incarnation,
        };
        let mut covered = BTreeSet::new();
        let Some(places) = self.0.get(&key) else {
            return covered;
        };
        walk_back(places, tip, &mut covered);
        if covered.is_empty() {
            let below = places.range(..=tip.sequence);
            covered.extend(below.flat_map(|(_, there)| there.keys()));
        }
        covered
    }

    /// The forks and gaps of all streams. What a compaction covers is no gap; `replaced` are the
    /// places up to which valid ones cover. Which records are there they only claim: nothing has
    /// to follow those before they are known. Of several records in a place the one with the lowest
    /// rank is chosen, then the one with the smallest id; later places follow the chosen one.
    pub(super) fn forks<'t>(
        &self,
        rank: impl Fn(&RecordId) -> u8,
        replaced: impl Iterator<Item = (&'t CompartmentName, &'t FrontierTip)>,
    ) -> (Vec<Fork>, Vec<Gap>) {
        let replaced = newest(replaced);
        let mut forks = Vec::new();
        let mut gaps = Vec::new();
        for (key, places) in &self.0 {
            let tip = replaced.get(key).copied();
            // Where the next record belongs, and the link it has to carry if that is known.
            let mut expected = (Some(Sequence::new(0)), Some(RecordLink::FIRST));
            // The place before has records, and all of them are displaced.
            let mut lost = false;
            for (sequence, records) in places {
                if let Some(tip) = tip.filter(|tip| tip < sequence)
                    && expected.0.is_some_and(|place| place <= tip)
                {
                    expected = (tip.next(), None);
                    lost = false;
                }
                let is_replaced = tip.is_some_and(|tip| *sequence <= tip);
                let adjacent = expected.0 == Some(*sequence);
                if !adjacent {
                    lost = false;
                    let missing = gap(key, expected.0, *sequence);
                    gaps.extend(missing.filter(|_| !is_replaced));
                }
                let follows = |link: &RecordLink| {
                    !adjacent || (!lost && expected.1.is_none_or(|chosen| chosen == *link))
                };
                let able = records
                    .iter()
                    .filter(|(_, link)| follows(link))
                    .map(|(id, _)| *id);
                let chosen = able.min_by_key(|id| (rank(id), *id));
                let displaced: Vec<RecordId> = records
                    .keys()
                    .filter(|id| Some(**id) != chosen)
                    .copied()
                    .collect();
                if !displaced.is_empty() {
                    let compartment = key.compartment.clone();
                    let (author, incarnation) = (key.author, key.incarnation);
                    let sequence = *sequence;
                    forks.push(Fork {
                        compartment,
                        author,
                        incarnation,
                        sequence,
                        chosen,
                        displaced,
                    });
                }
                lost = chosen.is_none();
                expected = (sequence.next(), chosen.map(|id| id.link()));
            }
        }
        (forks, gaps)
    }
}

/// The newest place of each stream that is covered.
fn newest<'t>(
    tips: impl Iterator<Item = (&'t CompartmentName, &'t FrontierTip)>,
) -> BTreeMap<Key<'t>, Sequence> {
    let mut newest: BTreeMap<Key<'t>, Sequence> = BTreeMap::new();
    for (compartment, tip) in tips {
        let (author, incarnation) = (tip.author, tip.incarnation);
        let key = Key {
            compartment,
            author,
            incarnation,
        };
        let known = newest.entry(key).or_insert(tip.sequence);
        *known = (*known).max(tip.sequence);
    }
    newest
}

fn gap(key: &Key<'_>, expected: Option<Sequence>, found: Sequence) -> Option<Gap> {
    let first = expected?;
    let last = Sequence::new(found.value().checked_sub(1)?);
    Some(Gap {
        compartment: key.compartment.clone(),
        author: key.author,
        incarnation: key.incarnation,
        first,
        last,
    })
}

/// Adds the tip and every record that a chain of links connects to it. A missing record ends the
/// walk: what lies below it is inside only once it is here.
fn walk_back(places: &Places, tip: &FrontierTip, inside: &mut BTreeSet<RecordId>) {
    let mut at = places
        .get(&tip.sequence)
        .and_then(|records| records.get(&tip.record))
        .map(|link| (tip.sequence, tip.record, *link));
    while let Some((sequence, id, link)) = at {
        if !inside.insert(id) {
            return;
        }
        at = sequence
            .value()
            .checked_sub(1)
            .map(Sequence::new)
            .and_then(|below| {
                let records = places.get(&below)?;
                // Links are 8 bytes: of several records that fit, the smallest.
                let (id, link) = records.iter().find(|(id, _)| id.link() == link)?;
                Some((below, *id, *link))
            });
    }
}
