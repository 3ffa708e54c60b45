//! What clinics tell the home of a chart of their logs.

use proptest::prelude::*;

use crate::codec::CodecError;
use crate::identity::SignedError;
use crate::ledger::{
    AuditSegment, Body, Invalid, SegmentEntries, SegmentEntry, SegmentError, Signer, decide,
};
use crate::limits::{MAX_SEGMENT_BYTES, MAX_SEGMENT_ENTRIES};
use crate::seal::WrapError;
use crate::world::{NOW_MS, World};

#[test]
fn what_a_clinic_did_is_told_to_the_home_and_to_nobody_else() {
    let mut world = World::new(3, 4);
    let grants = [1, 2].map(|to| world.grant(to, |_| ()));
    let segment = world.segment(1, 1, None);
    let ledger = world.ledger(&[&grants[0], &grants[1], &segment]);
    let decision = decide(&ledger, &world.book(), NOW_MS);
    let [home, own, other, stranger] = [0, 1, 2, 3].map(|clinic| world.id(clinic));
    for (one, another, both) in [
        (&home, &own, true),
        (&own, &own, true),
        (&home, &home, true),
        (&own, &other, false),
        (&home, &other, false),
        (&other, &other, false),
        (&home, &stranger, false),
    ] {
        assert_eq!(decision.shared(one, another, &segment.id()), both);
        assert_eq!(decision.shared(another, one, &segment.id()), both);
    }
    assert_eq!(decision.refused().count(), 0);
    // It also gets home once the consent has ended.
    let end = world.revoke(&grants[0], &[]);
    let ledger = world.ledger(&[&grants[0], &segment, &end]);
    let decision = decide(&ledger, &world.book(), NOW_MS);
    assert!(decision.shared(&own, &home, &segment.id()));
    assert_eq!(decision.refused().count(), 0);
}

#[test]
fn what_only_the_home_opens_names_the_node_and_the_chart() {
    let mut world = World::new(5, 3);
    world.grant(1, |_| ());
    let segment = world.segment(1, 1, None);
    let Body::AuditSegment(AuditSegment { sealed, .. }) = segment.body() else {
        panic!("a segment");
    };
    let place = (&world.chart, &world.node(1));
    let [home, own] = [0, 1].map(|clinic| &world.clinics[clinic].sealing);
    let read = SegmentEntries::open(sealed, place, home).unwrap();
    assert_eq!(
        (read.entries.len(), read.entries[0].action.as_str()),
        (1, "read")
    );
    let closed = Err(SegmentError::Sealed(WrapError::NotForUs));
    assert_eq!(SegmentEntries::open(sealed, place, own), closed);
    let other_node = (&world.chart, &world.node(2));
    assert_eq!(SegmentEntries::open(sealed, other_node, home), closed);
}

#[test]
fn nobody_tells_of_another_clinic_or_of_a_chart_that_it_never_had() {
    let mut world = World::new(4, 3);
    let grant = world.grant(1, |_| ());
    let of_a_stranger = world.segment(2, 1, None);
    let Body::AuditSegment(segment) = world.segment(1, 1, None).body().clone() else {
        panic!("a segment");
    };
    let node = Signer::Node(&world.clinics[2].node);
    let in_anothers_name = Body::AuditSegment(segment).sign(node).unwrap();
    let ledger = world.ledger(&[&grant, &of_a_stranger, &in_anothers_name]);
    let decision = decide(&ledger, &world.book(), NOW_MS);
    let refused: Vec<_> = decision.refused().collect();
    assert_eq!(refused.len(), 2);
    assert!(refused.contains(&(of_a_stranger.id(), Invalid::NoRight)));
    assert!(refused.contains(&(in_anothers_name.id(), Invalid::UnknownNode)));
}

#[test]
fn numbers_begin_at_one_and_go_on_from_the_one_before() {
    let mut world = World::new(6, 2);
    world.grant(1, |_| ());
    let first = world.segment(1, 1, None);
    let Body::AuditSegment(segment) = first.body().clone() else {
        panic!("a segment");
    };
    let node = || Signer::Node(&world.clinics[1].node);
    let refused = |what| Err(SignedError::Codec(CodecError::OutOfBounds { what }));
    for (number, previous) in [(0, None), (1, Some(first.id())), (2, None)] {
        let odd = AuditSegment {
            number,
            previous,
            ..segment.clone()
        };
        assert_eq!(Body::AuditSegment(odd).sign(node()), refused("number"));
    }
    let large = AuditSegment {
        sealed: vec![0; MAX_SEGMENT_BYTES + 1],
        ..segment
    };
    assert_eq!(Body::AuditSegment(large).sign(node()), refused("segment"));
}

fn entry(number: u64) -> SegmentEntry {
    SegmentEntry {
        number,
        at_ms: NOW_MS,
        action: "read".to_owned(),
        user: "0707070707070707".to_owned(),
    }
}

#[test]
fn entries_are_few_ascend_and_are_some() {
    let mut world = World::new(7, 2);
    let home = world.clinics[0].sealing.public();
    let (chart, node) = (world.chart, world.node(1));
    let mut seal = |numbers: Vec<u64>| {
        let entries = numbers.into_iter().map(entry).collect();
        let sealed = SegmentEntries { entries }.seal(&mut world.rng, (&chart, &node), &home);
        sealed.map(|sealed| sealed.len())
    };
    let odd = Err(SegmentError::Content(CodecError::OutOfBounds {
        what: "entries",
    }));
    assert_eq!(seal(vec![]), odd);
    assert_eq!(seal(vec![2, 2]), odd);
    assert_eq!(seal(vec![3, 2]), odd);
    assert_eq!(seal((0..=MAX_SEGMENT_ENTRIES as u64).collect()), odd);
    let most = seal((0..MAX_SEGMENT_ENTRIES as u64).collect()).unwrap();
    assert!(most <= MAX_SEGMENT_BYTES, "{most}");
}

proptest! {
    #[test]
    fn bytes_that_nobody_sealed_do_not_open(sealed in prop::collection::vec(any::<u8>(), 0..200)) {
        let world = World::new(8, 2);
        let place = (&world.chart, &world.node(1));
        let home = &world.clinics[0].sealing;
        let refused = SegmentEntries::open(&sealed, place, home);
        prop_assert!(matches!(refused, Err(SegmentError::Sealed(_))));
    }
}
