//! Which records count.

use crate::id::{RecordLink, Sequence};
use crate::identity::Verified;
use crate::ledger::{
    CompartmentName, FrontierTip, Held, Judgement, RecordFacts, Rights, Signer, Statement, Verdict,
    judge,
};
use crate::world::{NOW_MS, World};

const SUMMARY: CompartmentName = CompartmentName::Summary;
const CLINICAL: CompartmentName = CompartmentName::Clinical;

fn judged(
    world: &World,
    statements: &[&Verified<Statement>],
    records: &[&RecordFacts],
) -> Judgement {
    let records: Vec<RecordFacts> = records.iter().map(|record| (*record).clone()).collect();
    judge(&world.ledger(statements), &world.book(), &records)
}

fn verdicts(
    world: &World,
    statements: &[&Verified<Statement>],
    records: &[&RecordFacts],
) -> Vec<Verdict> {
    let judgement = judged(world, statements, records);
    records
        .iter()
        .map(|record| judgement.verdicts[&record.id])
        .collect()
}

const COUNTS: Verdict = Verdict::Counts;

fn held(reason: Held) -> Verdict {
    Verdict::Held(reason)
}

#[test]
fn records_of_the_custodian_and_of_grantees_count() {
    let mut world = World::new(1, 4);
    let grant = world.grant(1, |_| ());
    let reader = world.grant(2, |grant| grant.rights = Rights::READ);
    let records = [0, 1, 2, 3].map(|clinic| world.pen(clinic, &SUMMARY).write("a", &[]));
    let [home, writer, only_reader, stranger] = &records;
    let all = [home, writer, only_reader, stranger];
    let no_right = held(Held::NoRight);
    let expected = [COUNTS, COUNTS, no_right, no_right];
    assert_eq!(verdicts(&world, &[&grant, &reader], &all), expected);
}

#[test]
fn a_record_in_a_compartment_that_the_grant_does_not_cover_is_held() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |grant| {
        grant.compartments = [SUMMARY].into_iter().collect()
    });
    let record = world.pen(1, &CLINICAL).write("a", &[]);
    assert_eq!(
        verdicts(&world, &[&grant], &[&record]),
        [held(Held::NoRight)]
    );
}

#[test]
fn a_record_of_an_unknown_node_is_held() {
    let world = World::new(1, 1);
    let stranger = World::new(1, 2);
    let record = stranger.pen(1, &SUMMARY).write("a", &[]);
    assert_eq!(
        verdicts(&world, &[], &[&record]),
        [held(Held::UnknownAuthor)]
    );
}

#[test]
fn expiry_takes_nothing_back() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |grant| {
        grant.not_before_ms = 1;
        grant.expires_ms = Some(2);
    });
    let record = world.pen(1, &SUMMARY).write("a", &[]);
    assert_eq!(verdicts(&world, &[&grant], &[&record]), [COUNTS]);
    let decision = crate::ledger::decide(&world.ledger(&[&grant]), &world.book(), NOW_MS);
    assert!(!decision.may_write(&world.id(1), &SUMMARY));
}

#[test]
fn after_a_revocation_only_what_lies_inside_its_frontier_counts() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |_| ());
    let mut pen = world.pen(1, &SUMMARY);
    let [a, b, c] = ["a", "b", "c"].map(|text| pen.write(text, &[]));
    let revocation = world.revoke(&grant, &[&b]);
    let found = verdicts(&world, &[&grant, &revocation], &[&a, &b, &c]);
    assert_eq!(found, [COUNTS, COUNTS, held(Held::AfterRevocation)]);
}

#[test]
fn a_frontier_of_one_compartment_says_nothing_of_another() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |_| ());
    let record = world.pen(1, &SUMMARY).write("a", &[]);
    let other = world.pen(1, &CLINICAL).write("a", &[]);
    let revocation = world.revoke(&grant, &[&record]);
    let found = verdicts(&world, &[&grant, &revocation], &[&record, &other]);
    assert_eq!(found, [COUNTS, held(Held::AfterRevocation)]);
}

#[test]
fn a_back_dated_record_is_not_inside_a_frontier() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |_| ());
    let mut pen = world.pen(1, &SUMMARY);
    let a = pen.write("a", &[]);
    let mut forger = pen.clone();
    let b = pen.write("b", &[]);
    let c = pen.write("c", &[]);
    let revocation = world.revoke(&grant, &[&c]);
    for attempt in 0..8 {
        let mut forger = forger.clone();
        let forged = forger.write(&format!("forged {attempt}"), &[]);
        let next = forger.write("next", &[]);
        let found = verdicts(
            &world,
            &[&grant, &revocation],
            &[&a, &b, &c, &forged, &next],
        );
        let fork = held(Held::Fork);
        assert_eq!(found, [COUNTS, COUNTS, COUNTS, fork, fork]);
    }
    // Without the true one beside it, it is still not inside.
    let forged = forger.write("forged", &[]);
    let found = verdicts(&world, &[&grant, &revocation], &[&a, &c, &forged]);
    assert_ne!(found[2], COUNTS);
}

#[test]
fn what_lies_below_a_missing_record_is_inside_once_that_is_there() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |_| ());
    let mut pen = world.pen(1, &SUMMARY);
    let [a, b, c] = ["a", "b", "c"].map(|text| pen.write(text, &[]));
    let revocation = world.revoke(&grant, &[&c]);
    let found = verdicts(&world, &[&grant, &revocation], &[&a, &c]);
    assert_eq!(found, [held(Held::AfterRevocation), COUNTS]);
    assert_eq!(
        verdicts(&world, &[&grant, &revocation], &[&a, &b, &c]),
        [COUNTS; 3]
    );
}

#[test]
fn concurrent_revocations_all_apply() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |_| ());
    let mut pen = world.pen(1, &SUMMARY);
    let [a, b] = ["a", "b"].map(|text| pen.write(text, &[]));
    let knew_both = world.revoke(&grant, &[&b]);
    let knew_one = world.revocation(grant.id(), &[&a]);
    let knew_one = knew_one
        .sign(Signer::Clinic(&world.clinics[0].key))
        .unwrap();
    let found = verdicts(&world, &[&grant, &knew_both, &knew_one], &[&a, &b]);
    assert_eq!(found, [COUNTS, held(Held::AfterRevocation)]);
}

#[test]
fn another_grant_that_is_not_revoked_still_gives_the_right() {
    let mut world = World::new(1, 2);
    let first = world.grant(1, |_| ());
    let second = world.grant(1, |_| ());
    let record = world.pen(1, &SUMMARY).write("a", &[]);
    let revocation = world.revoke(&first, &[]);
    assert_eq!(
        verdicts(&world, &[&first, &second, &revocation], &[&record]),
        [COUNTS]
    );
}

#[test]
fn the_end_of_a_parent_holds_what_its_children_wrote_later() {
    let mut world = World::new(1, 3);
    let parent = world.grant(1, |_| ());
    let child = world.pass_on(parent.id(), 1, 2, |_| ());
    let mut pen = world.pen(2, &SUMMARY);
    let [a, b] = ["a", "b"].map(|text| pen.write(text, &[]));
    let revocation = world.revoke(&parent, &[&a]);
    let found = verdicts(&world, &[&parent, &child, &revocation], &[&a, &b]);
    assert_eq!(found, [COUNTS, held(Held::AfterRevocation)]);
}

#[test]
fn what_a_valid_record_builds_on_counts() {
    let mut world = World::new(1, 3);
    let grant = world.grant(1, |_| ());
    let mut late = world.pen(1, &SUMMARY);
    let a = late.write("a", &[]);
    let b = late.write("b", &[&a]);
    let c = late.write("c", &[&b]);
    let revocation = world.revoke(&grant, &[]);
    let admitted = world.pen(0, &SUMMARY).write("admits b", &[&b]);
    let found = verdicts(&world, &[&grant, &revocation], &[&a, &b, &c, &admitted]);
    assert_eq!(found, [COUNTS, COUNTS, held(Held::AfterRevocation), COUNTS]);
}

#[test]
fn a_right_in_one_compartment_admits_nothing_in_another() {
    let mut world = World::new(1, 3);
    let grant = world.grant(1, |grant| {
        grant.compartments = [CLINICAL].into_iter().collect()
    });
    let stranger = world.pen(2, &SUMMARY).write("a", &[]);
    let above = world.pen(1, &CLINICAL).write("b", &[&stranger]);
    let found = verdicts(&world, &[&grant], &[&stranger, &above]);
    assert_eq!(found, [held(Held::NoRight), COUNTS]);
}

#[test]
fn a_held_record_admits_nothing() {
    let world = World::new(1, 3);
    let a = world.pen(1, &SUMMARY).write("a", &[]);
    let b = world.pen(2, &SUMMARY).write("b", &[&a]);
    assert_eq!(verdicts(&world, &[], &[&a, &b]), [held(Held::NoRight); 2]);
}

#[test]
fn of_a_fork_one_branch_counts_and_the_other_is_held() {
    let world = World::new(1, 1);
    let mut pen = world.pen(0, &SUMMARY);
    let root = pen.write("root", &[]);
    let mut other = pen.clone();
    let (a, a_next) = (pen.write("a", &[]), pen.write("next", &[]));
    let (b, b_next) = (other.write("b", &[]), other.write("next", &[]));
    let all = [&root, &a, &a_next, &b, &b_next];
    let found = verdicts(&world, &[], &all);
    let fork = held(Held::Fork);
    let expected = if a.id < b.id {
        [COUNTS, COUNTS, COUNTS, fork, fork]
    } else {
        [COUNTS, fork, fork, COUNTS, COUNTS]
    };
    assert_eq!(found, expected);
    let forks = judged(&world, &[], &all).forks;
    assert_eq!(forks.len(), 2);
    assert_eq!(forks[0].sequence, Sequence::new(1));
    assert_eq!(forks[0].chosen, Some(a.id.min(b.id)));
    assert_eq!(forks[0].displaced, [a.id.max(b.id)]);
}

#[test]
fn a_fork_does_not_displace_what_others_have_built_on() {
    for attempt in 0..8 {
        let mut world = World::new(1, 2);
        let grant = world.grant(1, |_| ());
        let mut pen = world.pen(1, &SUMMARY);
        let mut forger = pen.clone();
        let seen = pen.write("seen", &[]);
        let built = world.pen(0, &SUMMARY).write("built", &[&seen]);
        let forged = forger.write(&format!("forged {attempt}"), &[]);
        let found = verdicts(&world, &[&grant], &[&seen, &built, &forged]);
        assert_eq!(found, [COUNTS, COUNTS, held(Held::Fork)]);
    }
}

#[test]
fn what_builds_on_a_displaced_record_is_held() {
    let mut world = World::new(1, 3);
    let grants = [world.grant(1, |_| ()), world.grant(2, |_| ())];
    let mut pen = world.pen(0, &SUMMARY);
    let mut other = pen.clone();
    let forks = [pen.write("a", &[]), other.write("b", &[])];
    // Two clinics have each seen another one of the two.
    let above = [1, 2].map(|clinic| world.pen(clinic, &SUMMARY).write("", &[&forks[clinic - 1]]));
    let all = [&forks[0], &forks[1], &above[0], &above[1]];
    let found = verdicts(&world, &[&grants[0], &grants[1]], &all);
    let (fork, on_fork) = (held(Held::Fork), held(Held::OnFork));
    let expected = if forks[0].id < forks[1].id {
        [COUNTS, fork, COUNTS, on_fork]
    } else {
        [fork, COUNTS, on_fork, COUNTS]
    };
    assert_eq!(found, expected);
}

#[test]
fn gaps_are_reported_and_hold_nothing() {
    let world = World::new(1, 1);
    let mut pen = world.pen(0, &SUMMARY);
    let records: Vec<_> = (0..6)
        .map(|index| pen.write(&index.to_string(), &[]))
        .collect();
    let judgement = judged(&world, &[], &[&records[2], &records[5]]);
    assert!(
        judgement
            .verdicts
            .values()
            .all(|verdict| *verdict == COUNTS)
    );
    let gaps: Vec<_> = judgement
        .gaps
        .iter()
        .map(|gap| (gap.first, gap.last))
        .collect();
    let sequence = Sequence::new;
    assert_eq!(
        gaps,
        [(sequence(0), sequence(1)), (sequence(3), sequence(4))]
    );
}

#[test]
fn the_last_possible_sequence_is_judged_without_overflow() {
    let world = World::new(1, 1);
    let mut pen = world.pen(0, &SUMMARY);
    pen.sequence = u64::MAX - 1;
    pen.previous = RecordLink::new([1; 8]);
    let below = pen.write("below", &[]);
    let mut top = below.clone();
    top.sequence = Sequence::new(u64::MAX);
    top.previous = below.id.link();
    top.id = crate::id::RecordId::new([9; 32]);
    assert_eq!(verdicts(&world, &[], &[&below, &top]), [COUNTS; 2]);
}

/// Where an author's records end.
fn tip(record: &RecordFacts) -> FrontierTip {
    FrontierTip {
        author: record.author,
        incarnation: record.incarnation,
        sequence: record.sequence,
        record: record.id,
    }
}

#[test]
fn a_compaction_that_counts_admits_what_it_covers() {
    let mut world = World::new(1, 3);
    let grant = world.grant(1, |_| ());
    let mut pen = world.pen(1, &SUMMARY);
    let [seen, beyond, later] = ["a", "b", "c"].map(|text| pen.write(text, &[]));
    let revocation = world.revoke(&grant, &[&seen]);
    let mut compaction = world.pen(0, &SUMMARY).write("compaction", &[]);
    compaction.covers = vec![tip(&beyond)];
    let all = [&seen, &beyond, &later, &compaction];
    let late = held(Held::AfterRevocation);
    assert_eq!(
        verdicts(&world, &[&grant, &revocation], &all),
        [COUNTS, COUNTS, late, COUNTS]
    );
    let mut strange = world.pen(2, &SUMMARY).write("compaction", &[]);
    strange.covers = vec![tip(&later)];
    assert_eq!(
        verdicts(
            &world,
            &[&grant, &revocation],
            &[&seen, &beyond, &later, &strange]
        ),
        [COUNTS, late, late, held(Held::NoRight)]
    );
}

#[test]
fn what_a_compaction_covers_is_no_gap_and_displaces_nothing_that_follows() {
    let world = World::new(1, 2);
    let mut pen = world.pen(0, &SUMMARY);
    let [_, _, newest] = ["a", "b", "c"].map(|text| pen.write(text, &[]));
    let after = pen.write("d", &[]);
    let mut compaction = pen.write("compaction", &[]);
    compaction.covers = vec![tip(&newest)];
    let judgement = judged(&world, &[], &[&after, &compaction]);
    assert!(judgement.gaps.is_empty() && judgement.forks.is_empty());
    let without = judged(&world, &[], &[&after]);
    assert_eq!(without.gaps.len(), 1);

    // It only says which record is there: another one may be, and is known when it comes.
    compaction.covers[0].record = crate::id::RecordId::new([9; 32]);
    let judgement = judged(&world, &[], &[&after, &compaction]);
    assert_eq!(judgement.verdicts[&after.id], COUNTS);
    let judgement = judged(&world, &[], &[&newest, &after, &compaction]);
    assert_eq!(judgement.verdicts[&after.id], COUNTS);
    let mut stray = after.clone();
    stray.id = crate::id::RecordId::new([9; 32]);
    stray.previous = RecordLink::new([9; 8]);
    let judgement = judged(&world, &[], &[&newest, &stray, &compaction]);
    assert_eq!(judgement.verdicts[&stray.id], held(Held::Fork));
}

#[test]
fn records_from_before_a_compaction_count_with_it_while_its_manifest_has_not_come() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |_| ());
    let mut pen = world.pen(1, &SUMMARY);
    let [first, second, third] = ["a", "b", "c"].map(|text| pen.write(text, &[]));
    let revocation = world.revoke(&grant, &[]);
    let mut compaction = world.pen(0, &SUMMARY).write("compaction", &[]);
    compaction.covers = vec![tip(&second)];
    assert_eq!(
        verdicts(
            &world,
            &[&grant, &revocation],
            &[&first, &third, &compaction]
        ),
        [COUNTS, held(Held::AfterRevocation), COUNTS]
    );
}
