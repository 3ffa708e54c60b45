//! Which records need not be sent any more, because a compaction stands for them.
//!
//! Two nodes compare what they share, so both have to leave out the same. They may hold different
//! parts of it: one has all the records, the other a compaction in their place. So everything is
//! decided from what is *known* of the compartment's records, whether they are held or only told
//! of by the manifest of a compaction, and from nothing else:
//!
//! - A compaction covers records when its manifest is here and proves it, when it counts by
//!   [`judge`], and when nothing that is known speaks against it: no other record in the place of
//!   one that it covers or in its own author's places up to it, no other compaction that tells
//!   something else of one, no record that holds something else than the manifest says.
//! - What speaks against a compaction is not left out: a compaction that covered another record in
//!   such a place would be spoken against itself, and a record that contradicts one stays, as does
//!   the one that it contradicts. So both sides come to know of it once they have exchanged what
//!   they share.
//! - A compaction is covered by one that covers its own record and everything that it covers.
//! - Manifests of a compaction that is not covered stay.
//!
//! While two nodes agree about everything that they share, they know the same records and leave
//! out the same: [`covered`] is a pure function of sets, and its property test plays the exchange.

use std::collections::{BTreeMap, BTreeSet};

use minicbor::{Decode, Encode};

use super::book::CertificateBook;
use super::compartment::CompartmentName;
use super::extent::{Extent, Place};
use super::judgement::{RecordFacts, Verdict, judge};
use super::set::Ledger;
use crate::id::{Incarnation, NodeId, RecordId, RecordLink, Sequence};

/// A record that a manifest tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct CoveredRecord {
    /// Its id, as the manifest says.
    #[n(0)]
    pub id: RecordId,
    /// Its author.
    #[n(1)]
    pub author: NodeId,
    /// The incarnation of the author's store.
    #[n(2)]
    pub incarnation: Incarnation,
    /// Its place among the author's records.
    #[n(3)]
    pub sequence: Sequence,
    /// The link to the author's record before it.
    #[n(4)]
    pub previous: RecordLink,
    /// What its author signed, hashed; see
    /// [`Witness::signed_hash`](crate::seal::Witness::signed_hash).
    #[cbor(n(5), with = "minicbor::bytes")]
    pub signed: [u8; 32],
    /// That and the changes that it is said to hold; see
    /// [`record_claim`](crate::seal::record_claim).
    #[cbor(n(6), with = "minicbor::bytes")]
    pub claim: [u8; 32],
}

/// A compaction whose manifest is here and proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cover {
    /// The compaction.
    pub record: RecordId,
    /// The records that hold its manifest.
    pub manifest: Vec<RecordId>,
    /// What it covers: each author's records from the first on, without a gap.
    pub covered: Vec<CoveredRecord>,
    /// The records held here that contradict it: they are among those covered, and hold other
    /// changes or have another id than the manifest says.
    pub contradicted_by: Vec<RecordId>,
}

/// The compactions that are of use to two clinics that share `records`, which have to be the
/// whole of their manifests and nothing that contradicts them.
fn usable<'a>(records: &[RecordFacts], covers: &'a [Cover]) -> Vec<&'a Cover> {
    let shared: BTreeSet<RecordId> = records.iter().map(|one| one.id).collect();
    let use_of = |cover: &&Cover| {
        shared.contains(&cover.record)
            && cover.manifest.iter().all(|part| shared.contains(part))
            && !cover.contradicted_by.iter().any(|one| shared.contains(one))
    };
    covers.iter().filter(use_of).collect()
}

/// The records of one compartment that are known: those held, and those that the manifest of a
/// compaction among them tells of. What a record depends on besides is not known of the latter.
pub fn known(
    compartment: &CompartmentName,
    records: &[RecordFacts],
    covers: &[Cover],
) -> Vec<RecordFacts> {
    let mut known = records.to_vec();
    known.extend(told_of(compartment, records, &usable(records, covers)));
    known
}

/// The records that are not held, and told of. One record is told of once. Of two manifests that
/// give different ids to it one lies, and must not make a fork of it, nor of what follows it: such
/// a record is as good as not told of, and is sent, for neither of the two stands for it.
fn told_of(
    compartment: &CompartmentName,
    records: &[RecordFacts],
    covers: &[&Cover],
) -> Vec<RecordFacts> {
    let held: BTreeSet<RecordId> = records.iter().map(|one| one.id).collect();
    let mut told: BTreeMap<[u8; 32], BTreeMap<RecordId, &CoveredRecord>> = BTreeMap::new();
    for one in covers.iter().flat_map(|cover| &cover.covered) {
        told.entry(one.signed).or_default().insert(one.id, one);
    }
    let facts = told
        .into_values()
        .filter(|ids| ids.len() == 1)
        .flat_map(BTreeMap::into_values)
        .filter(|one| !held.contains(&one.id))
        .map(|one| RecordFacts {
            id: one.id,
            author: one.author,
            incarnation: one.incarnation,
            sequence: one.sequence,
            previous: one.previous,
            compartment: compartment.clone(),
            depends_on: Vec::new(),
            covers: Vec::new(),
        });
    facts.collect()
}

/// The records of one compartment, among those that two clinics share, that need not be sent
/// because a compaction among them stands for them. `records` are told apart by their clear
/// headers and by what the compactions among them say to cover; what they depend on besides is
/// passed over, for it is not known of all.
pub fn covered(
    ledger: &Ledger,
    book: &CertificateBook,
    compartment: &CompartmentName,
    records: &[RecordFacts],
    covers: &[Cover],
) -> BTreeSet<RecordId> {
    let usable = usable(records, covers);
    if usable.is_empty() {
        return BTreeSet::new();
    }
    let mut facts = records.to_vec();
    for one in &mut facts {
        one.depends_on = Vec::new();
    }
    facts.extend(told_of(compartment, records, &usable));
    let judgement = judge(ledger, book, &facts);
    let places = Places::of(&facts, &usable);
    let by_id: BTreeMap<RecordId, &RecordFacts> = records.iter().map(|one| (one.id, one)).collect();
    let holds = |cover: &&&Cover| {
        let counts = judgement.verdicts.get(&cover.record) == Some(&Verdict::Counts);
        let own = by_id.get(&cover.record);
        counts && places.agree_with(cover) && own.is_some_and(|own| places.are_straight_up_to(own))
    };
    let holding: Vec<&Cover> = usable.iter().filter(holds).copied().collect();
    let tips = |id: &RecordId| by_id.get(id).map_or(&[][..], |one| one.covers.as_slice());
    let covered_by = |cover: &Cover| -> BTreeSet<RecordId> {
        // Of a record that is no compaction there is nothing that it covers.
        let extent = Extent::of(tips(&cover.record));
        let within = |id: &RecordId| extent.includes(tips(id));
        let ids = cover.covered.iter().map(|one| one.id);
        ids.filter(within).collect()
    };
    let each: Vec<BTreeSet<RecordId>> = holding.iter().map(|one| covered_by(one)).collect();
    let mut covered: BTreeSet<RecordId> = each.into_iter().flatten().collect();
    let here = |id: &RecordId| by_id.contains_key(id);
    let mine = || covers.iter().filter(|cover| here(&cover.record));
    for cover in mine() {
        for one in cover.contradicted_by.iter().filter(|one| here(one)) {
            covered.remove(one);
            covered.remove(&cover.record);
        }
    }
    let staying: Vec<&Cover> = mine()
        .filter(|cover| !covered.contains(&cover.record))
        .collect();
    for part in staying.into_iter().flat_map(|cover| &cover.manifest) {
        covered.remove(part);
    }
    covered
}

/// What is known in each place: which records, with their links, and what is claimed of them.
struct Places {
    records: BTreeMap<Place, BTreeSet<(RecordId, RecordLink)>>,
    claims: BTreeMap<Place, BTreeSet<(RecordId, [u8; 32])>>,
}

impl Places {
    fn of(facts: &[RecordFacts], covers: &[&Cover]) -> Self {
        let mut records: BTreeMap<Place, BTreeSet<_>> = BTreeMap::new();
        for one in facts {
            let place = (one.author, one.incarnation, one.sequence);
            let there = records.entry(place).or_default();
            there.insert((one.id, one.previous));
        }
        let mut claims: BTreeMap<Place, BTreeSet<_>> = BTreeMap::new();
        for one in covers.iter().flat_map(|cover| &cover.covered) {
            let place = (one.author, one.incarnation, one.sequence);
            claims.entry(place).or_default().insert((one.id, one.claim));
        }
        Self { records, claims }
    }

    /// Whether nothing else is known in the places that a compaction covers.
    fn agree_with(&self, cover: &Cover) -> bool {
        cover.covered.iter().all(|one| {
            let place = (one.author, one.incarnation, one.sequence);
            let alone = self.claims.get(&place).is_some_and(|all| all.len() == 1);
            let there = self.records.get(&place).into_iter().flatten();
            alone && there.into_iter().all(|(id, _)| *id == one.id)
        })
    }

    /// Whether an author's known records up to this one are one in each place, each linked to the
    /// one before where that is known.
    fn are_straight_up_to(&self, record: &RecordFacts) -> bool {
        let place = |sequence| (record.author, record.incarnation, sequence);
        let up_to = place(Sequence::new(0))..=place(record.sequence);
        let mut before: Option<(Sequence, RecordId)> = None;
        for ((_, _, sequence), there) in self.records.range(up_to) {
            let mut there = there.iter();
            let (Some((id, previous)), None) = (there.next(), there.next()) else {
                return false;
            };
            let fits = before.is_none_or(|(earlier, id)| {
                earlier.next() != Some(*sequence) || id.link() == *previous
            });
            if !fits {
                return false;
            }
            before = Some((*sequence, *id));
        }
        true
    }
}
