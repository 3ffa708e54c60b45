//! What two nodes leave out of what they share: the same, whatever each of them holds.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;

use super::laws::{cases, config};
use crate::id::{NodeId, RecordId, Sequence};
use crate::identity::Verified;
use crate::ledger::{
    CompartmentName, Cover, CoveredRecord, FrontierTip, Ledger, RecordFacts, Statement, Verdict,
    covered, judge, known,
};
use crate::world::{Pen, World};

const CLINICAL: CompartmentName = CompartmentName::Clinical;
/// The custodian, two clinics with a grant, and one without.
const CLINICS: usize = 4;
/// Exchanges until two nodes agree: each brings at least one item.
const MAX_ROUNDS: usize = 200;

/// What is wrong with a compaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lie {
    /// It gives other changes to a record of its own author.
    Changes,
    /// It gives another id to a record, which its author's next record does not tell apart.
    Id,
}

#[derive(Debug, Clone)]
enum Step {
    Write {
        node: usize,
    },
    Fork {
        node: usize,
        at: Index,
    },
    Send {
        from: usize,
        to: usize,
        which: Vec<Index>,
    },
    Exchange {
        one: usize,
        other: usize,
    },
    Lose {
        node: usize,
        which: Vec<Index>,
    },
    Compact {
        node: usize,
        part: bool,
        lie: Option<Lie>,
        at: usize,
    },
    Revoke {
        clinic: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let node = || 0..CLINICS;
    let some = || prop::collection::vec(any::<Index>(), 0..6);
    let lie = prop_oneof![
        4 => Just(None),
        1 => Just(Some(Lie::Changes)),
        1 => Just(Some(Lie::Id)),
    ];
    prop_oneof![
        8 => node().prop_map(|node| Step::Write { node }),
        1 => (node(), any::<Index>()).prop_map(|(node, at)| Step::Fork { node, at }),
        3 => (node(), node(), some()).prop_map(|(from, to, which)| Step::Send { from, to, which }),
        3 => (node(), node()).prop_map(|(one, other)| Step::Exchange { one, other }),
        1 => (node(), some()).prop_map(|(node, which)| Step::Lose { node, which }),
        4 => (node(), any::<bool>(), lie, any::<usize>())
            .prop_map(|(node, part, lie, at)| Step::Compact { node, part, lie, at }),
        1 => (1..CLINICS).prop_map(|clinic| Step::Revoke { clinic }),
    ]
}

/// All that was ever written, and what each node holds of it.
struct Chart {
    world: World,
    statements: Vec<Verified<Statement>>,
    grants: Vec<Verified<Statement>>,
    records: BTreeMap<RecordId, RecordFacts>,
    /// What each compaction says, whether it is true or not.
    told: BTreeMap<RecordId, Told>,
    /// The pens as they were before each record of each author.
    pens: Vec<Vec<Pen>>,
    nodes: Vec<BTreeSet<RecordId>>,
}

#[derive(Clone)]
struct Told {
    manifest: Vec<RecordId>,
    covered: Vec<CoveredRecord>,
}

impl Chart {
    fn of(steps: &[Step]) -> Self {
        let mut world = World::new(3, u8::try_from(CLINICS).unwrap());
        let grants = vec![world.grant(1, |_| ()), world.grant(2, |_| ())];
        let pens = (0..CLINICS)
            .map(|one| vec![world.pen(one, &CLINICAL)])
            .collect();
        let mut chart = Self {
            statements: grants.clone(),
            grants,
            world,
            records: BTreeMap::new(),
            told: BTreeMap::new(),
            pens,
            nodes: vec![BTreeSet::new(); CLINICS],
        };
        for (number, step) in steps.iter().enumerate() {
            chart.play(step, &number.to_string());
        }
        chart
    }

    fn play(&mut self, step: &Step, text: &str) {
        match step {
            Step::Write { node } => drop(self.write(*node, text, Vec::new())),
            Step::Fork { node, at } => {
                let pens = &self.pens[*node];
                let mut pen = pens[at.index(pens.len())].clone();
                let fork = pen.write(text, &[]);
                self.nodes[*node].insert(fork.id);
                self.records.insert(fork.id, fork);
            }
            Step::Send { from, to, which } => {
                let live: Vec<RecordId> = self.live(*from).into_iter().collect();
                if !live.is_empty() {
                    let some = which.iter().map(|one| live[one.index(live.len())]);
                    self.nodes[*to].extend(some);
                }
            }
            Step::Exchange { one, other } => {
                let (mine, theirs) = (self.live(*one), self.live(*other));
                self.nodes[*one].extend(theirs);
                self.nodes[*other].extend(mine);
            }
            Step::Lose { node, which } => {
                let held: Vec<RecordId> = self.nodes[*node].iter().copied().collect();
                for one in which.iter().filter(|_| !held.is_empty()) {
                    self.nodes[*node].remove(&held[one.index(held.len())]);
                }
            }
            Step::Compact {
                node,
                part,
                lie,
                at,
            } => self.compact(*node, *part, *lie, *at, text),
            Step::Revoke { clinic } => {
                let Some(grant) = self.grants.get(clinic - 1) else {
                    return;
                };
                let seen: Vec<RecordFacts> = self.newest(0);
                let seen: Vec<&RecordFacts> = seen.iter().collect();
                self.statements.push(self.world.revoke(grant, &seen));
            }
        }
    }

    fn write(&mut self, node: usize, text: &str, covers: Vec<FrontierTip>) -> RecordId {
        let mut pen = self.pens[node].last().unwrap().clone();
        let mut record = pen.write(text, &[]);
        record.covers = covers;
        let id = record.id;
        self.pens[node].push(pen);
        self.nodes[node].insert(id);
        self.records.insert(id, record);
        id
    }

    /// A node compacts what it knows of each author from the first record on, as far as that is
    /// straight.
    fn compact(&mut self, node: usize, part: bool, lie: Option<Lie>, at: usize, text: &str) {
        let mut covered = self.straight(node);
        if covered.is_empty() {
            return;
        }
        let own = self.world.node(node);
        let at = at % covered.len();
        match lie {
            Some(Lie::Changes) if covered[at].author == own => covered[at].claim[0] ^= 1,
            Some(Lie::Id) => {
                let mut id = covered[at].id.to_bytes();
                id[31] ^= 1;
                covered[at].id = RecordId::new(id);
            }
            Some(Lie::Changes) | None => {}
        }
        let mut tips: BTreeMap<NodeId, FrontierTip> = BTreeMap::new();
        for one in &covered {
            let tip = FrontierTip {
                author: one.author,
                incarnation: one.incarnation,
                sequence: one.sequence,
                record: one.id,
            };
            tips.insert(one.author, tip);
        }
        let own_part = self.write(node, &format!("{text} manifest"), Vec::new());
        let mut manifest = BTreeSet::from([own_part]);
        if part {
            let covers = self.covers(node);
            manifest.extend(covers.into_iter().flat_map(|cover| cover.manifest));
        }
        let tips = tips.into_values().collect();
        let compaction = self.write(node, &format!("{text} compaction"), tips);
        let told = Told {
            manifest: manifest.into_iter().collect(),
            covered,
        };
        self.told.insert(compaction, told);
    }

    /// What a node knows of each author, from the first record on and up to a gap or a fork.
    fn straight(&self, node: usize) -> Vec<CoveredRecord> {
        let covers = self.covers(node).into_iter();
        let spared = covers.filter(|cover| cover.contradicted_by.is_empty());
        let told = spared.flat_map(|cover| cover.covered);
        let held = self.nodes[node].iter();
        let held = held.map(|id| true_entry(&self.records[id]));
        let mut places: BTreeMap<(NodeId, Sequence), BTreeSet<CoveredRecord>> = BTreeMap::new();
        for one in told.chain(held) {
            let place = (one.author, one.sequence);
            places.entry(place).or_default().insert(one);
        }
        let mut straight: Vec<CoveredRecord> = Vec::new();
        for ((author, sequence), there) in places {
            let last = straight.last().filter(|last| last.author == author);
            let (next, link) = last.map_or((Some(Sequence::new(0)), None), |last| {
                (last.sequence.next(), Some(last.id.link()))
            });
            let fits = |one: &&CoveredRecord| {
                next == Some(sequence) && link.is_none_or(|link| link == one.previous)
            };
            if there.len() == 1 {
                straight.extend(there.iter().find(fits));
            }
        }
        straight
    }

    /// What the revoker has seen of each author.
    fn newest(&self, node: usize) -> Vec<RecordFacts> {
        let mut newest: BTreeMap<NodeId, RecordFacts> = BTreeMap::new();
        for one in known(&CLINICAL, &self.facts(node), &self.covers(node)) {
            let best = newest.entry(one.author).or_insert_with(|| one.clone());
            if (best.sequence, best.id) < (one.sequence, one.id) {
                *best = one;
            }
        }
        newest.into_values().collect()
    }

    fn facts(&self, node: usize) -> Vec<RecordFacts> {
        self.nodes[node]
            .iter()
            .map(|id| self.records[id].clone())
            .collect()
    }

    /// The compactions that a node can check, with what speaks against them there.
    fn covers(&self, node: usize) -> Vec<Cover> {
        let held = &self.nodes[node];
        let mine = self.told.iter().filter(|(id, told)| {
            held.contains(*id) && told.manifest.iter().all(|part| held.contains(part))
        });
        let cover = |(id, told): (&RecordId, &Told)| {
            let against = held.iter().filter(|id| {
                let truth = true_entry(&self.records[*id]);
                let mine = told.covered.iter().filter(|one| one.signed == truth.signed);
                mine.into_iter()
                    .any(|one| (one.id, one.claim) != (truth.id, truth.claim))
            });
            Cover {
                record: *id,
                manifest: told.manifest.clone(),
                covered: told.covered.clone(),
                contradicted_by: against.copied().collect(),
            }
        };
        mine.map(cover).collect()
    }

    fn ledger(&self) -> Ledger {
        let statements: Vec<&Verified<Statement>> = self.statements.iter().collect();
        self.world.ledger(&statements)
    }

    fn covered(&self, node: usize) -> BTreeSet<RecordId> {
        let (ledger, book) = (self.ledger(), self.world.book());
        covered(
            &ledger,
            &book,
            &CLINICAL,
            &self.facts(node),
            &self.covers(node),
        )
    }

    fn live(&self, node: usize) -> BTreeSet<RecordId> {
        let covered = self.covered(node);
        self.nodes[node].difference(&covered).copied().collect()
    }

    /// Two nodes exchange what they share until nothing new comes.
    fn settle(&mut self, one: usize, other: usize) {
        for _ in 0..MAX_ROUNDS {
            let before = (self.nodes[one].len(), self.nodes[other].len());
            self.play(&Step::Exchange { one, other }, "");
            if before == (self.nodes[one].len(), self.nodes[other].len()) {
                return;
            }
        }
        panic!("it never ends");
    }

    /// What a node holds, or has in a compaction that nothing there contradicts: of `honest` ones,
    /// which do not lie at all, or of all.
    fn has(&self, node: usize, honest: bool) -> BTreeSet<CoveredRecord> {
        let truths: BTreeSet<CoveredRecord> = self.records.values().map(true_entry).collect();
        let is_true = |one: &CoveredRecord| truths.contains(one);
        let mut has: BTreeSet<_> = self.facts(node).iter().map(true_entry).collect();
        for cover in self.covers(node) {
            let spared = cover.contradicted_by.is_empty();
            if spared && (!honest || cover.covered.iter().all(is_true)) {
                has.extend(cover.covered.into_iter().filter(is_true));
            }
        }
        has
    }
}

/// What a true manifest tells of a record.
fn true_entry(record: &RecordFacts) -> CoveredRecord {
    let hash =
        |what: &str| *blake3::hash(&[what.as_bytes(), record.id.as_bytes()].concat()).as_bytes();
    CoveredRecord {
        id: record.id,
        author: record.author,
        incarnation: record.incarnation,
        sequence: record.sequence,
        previous: record.previous,
        signed: hash("signed"),
        claim: hash("claim"),
    }
}

proptest! {
    // A case takes ten times as long as one of the laws of decisions.
    #![proptest_config(config(cases().div_ceil(8)))]

    #[test]
    fn two_nodes_that_have_exchanged_what_they_share_leave_out_the_same(
        steps in prop::collection::vec(step(), 1..60),
        one in 0..CLINICS,
        other in 0..CLINICS,
    ) {
        let mut chart = Chart::of(&steps);
        let mut before = chart.has(one, true);
        before.extend(chart.has(other, true));
        chart.settle(one, other);
        prop_assert_eq!(chart.live(one), chart.live(other));
        for node in [one, other] {
            let lost: Vec<_> = before.difference(&chart.has(node, false)).copied().collect();
            prop_assert!(lost.is_empty(), "{} records are lost", lost.len());
        }
    }

    #[test]
    fn any_number_of_nodes_come_to_leave_out_the_same(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut chart = Chart::of(&steps);
        for _ in 0..MAX_ROUNDS {
            let before: Vec<usize> = chart.nodes.iter().map(BTreeSet::len).collect();
            for (one, other) in [(0, 1), (1, 2), (2, 3), (3, 0)] {
                chart.settle(one, other);
            }
            if before == chart.nodes.iter().map(BTreeSet::len).collect::<Vec<_>>() {
                break;
            }
        }
        let live: BTreeSet<_> = (0..CLINICS).map(|node| chart.live(node)).collect();
        prop_assert_eq!(live.len(), 1);
    }

    #[test]
    fn what_is_left_out_depends_on_no_order(
        steps in prop::collection::vec(step(), 1..40),
        node in 0..CLINICS,
        turn in any::<Index>(),
    ) {
        let chart = Chart::of(&steps);
        let (mut facts, mut covers) = (chart.facts(node), chart.covers(node));
        facts.extend(facts.clone());
        let turns = turn.index(facts.len().max(1));
        facts.rotate_left(turns);
        covers.reverse();
        let again = covered(&chart.ledger(), &chart.world.book(), &CLINICAL, &facts, &covers);
        prop_assert_eq!(again, chart.covered(node));
    }

    #[test]
    fn what_is_left_out_is_in_a_compaction_that_counts_and_stays(
        steps in prop::collection::vec(step(), 1..60),
        node in 0..CLINICS,
    ) {
        let chart = Chart::of(&steps);
        let (left_out, live) = (chart.covered(node), chart.live(node));
        let all = known(&CLINICAL, &chart.facts(node), &chart.covers(node));
        let judgement = judge(&chart.ledger(), &chart.world.book(), &all);
        for id in left_out {
            let by = chart.covers(node).into_iter().any(|cover| {
                live.contains(&cover.record)
                    && cover.manifest.iter().all(|part| live.contains(part))
                    && cover.covered.iter().any(|one| one.id == id)
                    && judgement.verdicts[&cover.record] == Verdict::Counts
            });
            prop_assert!(by);
        }
    }
}

/// A chart in which the home clinic wrote three times and compacted at another clinic's node.
fn compacted(by: usize) -> Chart {
    let mut steps = vec![Step::Write { node: 0 }; 3];
    steps.push(Step::Exchange { one: 0, other: by });
    let mut chart = Chart::of(&steps);
    chart.compact(by, false, None, 0, "c");
    chart
}

fn ids(chart: &Chart, node: usize) -> usize {
    chart.live(node).len()
}

#[test]
fn a_compaction_and_its_manifest_stand_for_what_they_cover() {
    let mut chart = compacted(1);
    assert_eq!(ids(&chart, 1), 2);
    assert_eq!(ids(&chart, 0), 3, "it has not come here yet");
    chart.settle(1, 2);
    assert_eq!(chart.nodes[2].len(), 2, "only those two were sent");
    chart.settle(0, 1);
    assert_eq!((ids(&chart, 0), chart.nodes[0].len()), (2, 5));
}

#[test]
fn without_its_manifest_a_compaction_stands_for_nothing() {
    let chart = compacted(1);
    let mut facts = chart.facts(1);
    let part = chart.told.values().next().unwrap().manifest[0];
    facts.retain(|one| one.id != part);
    let (ledger, book) = (chart.ledger(), chart.world.book());
    assert!(covered(&ledger, &book, &CLINICAL, &facts, &chart.covers(1)).is_empty());
}

#[test]
fn a_compaction_by_a_clinic_without_the_right_stands_for_nothing() {
    let chart = compacted(3);
    assert!(chart.covered(3).is_empty());
}

#[test]
fn when_the_right_of_its_author_ends_before_it_was_known_the_records_are_shared_again() {
    let mut chart = compacted(1);
    chart.settle(1, 2);
    let grant = chart.grants[0].clone();
    let home: Vec<RecordFacts> = chart.facts(0);
    chart
        .statements
        .push(chart.world.revoke(&grant, &[home.last().unwrap()]));
    assert!(chart.covered(1).is_empty() && chart.covered(2).is_empty());
    chart.settle(1, 2);
    assert_eq!(chart.nodes[2].len(), 5);
}

#[test]
fn a_compaction_that_the_revoker_had_seen_goes_on_standing_for_its_records() {
    let mut chart = compacted(1);
    chart.settle(0, 1);
    chart.play(&Step::Revoke { clinic: 1 }, "");
    assert_eq!(chart.covered(1).len(), 3);
}

#[test]
fn two_compactions_made_apart_both_stay_and_a_later_one_takes_their_place() {
    let mut chart = compacted(1);
    chart.compact(2, false, None, 0, "nothing is known here");
    chart.play(&Step::Exchange { one: 0, other: 2 }, "");
    chart.compact(2, false, None, 0, "d");
    chart.settle(1, 2);
    assert_eq!(ids(&chart, 1), 4, "two compactions and two manifests");
    chart.compact(1, false, None, 0, "e");
    assert_eq!(
        ids(&chart, 1),
        2,
        "the new one tells of all by its own manifest"
    );
    chart.compact(2, true, None, 0, "f");
    chart.settle(1, 2);
    assert_eq!(chart.live(1), chart.live(2));
}

#[test]
fn a_manifest_that_a_newer_compaction_names_again_stays() {
    let mut chart = compacted(1);
    chart.play(&Step::Write { node: 1 }, "more");
    chart.compact(1, true, None, 0, "e");
    assert_eq!(ids(&chart, 1), 3, "one compaction, two manifests");
}

#[test]
fn a_compaction_in_whose_places_another_record_is_known_stands_for_nothing() {
    let mut chart = compacted(1);
    chart.settle(1, 2);
    let mut pen = chart.pens[0][1].clone();
    let fork = pen.write("another second record", &[]);
    chart.nodes[2].insert(fork.id);
    chart.records.insert(fork.id, fork);
    assert!(chart.covered(2).is_empty());
    chart.settle(1, 2);
    assert_eq!(chart.live(1), chart.live(2));
    assert_eq!(chart.nodes[2].len(), 6);
}

#[test]
fn a_compaction_of_an_author_with_two_records_in_one_place_before_it_stands_for_nothing() {
    let mut chart = Chart::of(&[Step::Write { node: 0 }, Step::Write { node: 1 }]);
    chart.play(&Step::Exchange { one: 0, other: 1 }, "");
    let fork = chart.pens[1][0].clone().write("another first record", &[]);
    chart.nodes[1].insert(fork.id);
    chart.records.insert(fork.id, fork);
    chart.compact(1, false, None, 0, "c");
    assert_eq!(chart.told.values().next().unwrap().covered.len(), 1);
    assert!(chart.covered(1).is_empty());
}

#[test]
fn a_lie_about_an_own_record_is_shown_by_the_record_to_all() {
    let mut chart = compacted(1);
    chart.play(&Step::Write { node: 1 }, "own");
    chart.compact(1, false, Some(Lie::Id), 0, "lie");
    let liar = *chart
        .told
        .keys()
        .find(|id| {
            !chart
                .covers(1)
                .iter()
                .any(|cover| cover.record == **id && cover.contradicted_by.is_empty())
        })
        .unwrap();
    assert!(
        chart.live(1).contains(&liar),
        "the author itself holds what contradicts it"
    );
    chart.settle(1, 2);
    assert_eq!(chart.live(1), chart.live(2));
}

#[test]
fn what_is_told_of_once_is_known_once() {
    let chart = compacted(1);
    let told: Vec<RecordFacts> = known(&CLINICAL, &[], &chart.covers(1));
    assert!(told.is_empty(), "the compaction itself is not shared");
    let mut facts = chart.facts(1);
    let covered = chart.covered(1);
    facts.retain(|one| !covered.contains(&one.id));
    let all = known(&CLINICAL, &facts, &chart.covers(1));
    assert_eq!(all.len(), 5);
}

#[test]
fn a_false_id_for_a_record_displaces_nothing_that_follows_the_true_one() {
    let mut chart = compacted(1);
    chart.play(&Step::Exchange { one: 0, other: 2 }, "");
    chart.compact(2, false, None, 0, "false");
    let next = chart.write(0, "next", Vec::new());
    let told: Vec<RecordId> = chart.told.keys().copied().collect();
    let by_two = |id: &&RecordId| chart.records[*id].author == chart.world.node(2);
    let liar = *told.iter().find(by_two).unwrap();
    let newest = chart.told[&liar].covered.len() - 1;
    chart.told.get_mut(&liar).unwrap().covered[newest].id = RecordId::new([0; 32]);
    let mut reader = BTreeSet::from([next]);
    for (id, told) in &chart.told {
        reader.insert(*id);
        reader.extend(&told.manifest);
    }
    chart.nodes[3] = reader;
    let all = known(&CLINICAL, &chart.facts(3), &chart.covers(3));
    let judgement = judge(&chart.ledger(), &chart.world.book(), &all);
    assert_eq!(judgement.verdicts[&next], Verdict::Counts);
    assert!(judgement.forks.is_empty());
}
