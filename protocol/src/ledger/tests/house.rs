//! What a clinic says of its nodes, and what follows.

use crate::codec::CodecError;
use crate::identity::{SignedError, Verified};
use crate::ledger::{Body, Held, Signer, Statement, Verdict, decide, house_of, judge};
use crate::ledger::{CompartmentName, NodeEnd};
use crate::world::{NOW_MS, Pen, World};

const SUMMARY: CompartmentName = CompartmentName::Summary;
const CLINICAL: CompartmentName = CompartmentName::Clinical;

#[test]
fn nobody_speaks_in_the_name_of_another_clinic() {
    let world = World::new(3, 3);
    for statement in [
        world.house_note(1, world.chart),
        world.cut_off(1),
        world.node_end(1, &SUMMARY, &[]),
    ] {
        let body = statement.body().clone();
        let other = Signer::Clinic(&world.clinics[2].key);
        let refused = SignedError::Codec(CodecError::OutOfBounds { what: "signer" });
        assert_eq!(body.sign(other), Err(refused));
    }
}

#[test]
fn every_flipped_bit_of_a_nodes_revocation_is_noticed() {
    let bytes = World::new(3, 2).cut_off(1).to_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Verified::<Statement>::decode(&bytes).is_err(), "bit {bit}");
    }
}

#[test]
fn a_clinics_notes_are_for_its_own_nodes_and_a_revocation_is_for_everybody() {
    let mut world = World::new(3, 3);
    let grant = world.grant(1, |_| ());
    let note = world.house_note(1, world.chart);
    let revocation = world.cut_off(1);
    assert_eq!(revocation.payload().chart(), house_of(&world.id(1)));
    let ledger = world.ledger(&[&grant, &note, &revocation]);
    let decision = decide(&ledger, &world.book(), NOW_MS);
    let [home, own, stranger] = [0, 1, 2].map(|clinic| world.id(clinic));
    assert!(decision.shared(&own, &own, &note.id()));
    assert!(!decision.shared(&own, &home, &note.id()));
    assert!(!decision.shared(&home, &own, &note.id()));
    assert!(!decision.entitled(&home, &note.id()));
    assert!(decision.shared(&home, &stranger, &revocation.id()));
    assert!(decision.shared(&stranger, &own, &revocation.id()));
}

#[test]
fn a_record_of_a_node_that_was_cut_off_counts_if_its_clinic_had_seen_it() {
    let mut world = World::new(3, 2);
    let grant = world.grant(1, |_| ());
    let mut pen = world.pen(1, &SUMMARY);
    let first = pen.write("first", &[]);
    let second = pen.write("second", &[]);
    let forged = Pen {
        sequence: 1,
        ..pen.clone()
    }
    .write("in the second's place", &[]);
    let third = pen.write("third", &[]);
    let elsewhere = world.pen(1, &CLINICAL).write("elsewhere", &[]);
    let records = [&first, &second, &forged, &third, &elsewhere].map(Clone::clone);
    let end = world.node_end(1, &SUMMARY, &[&second]);
    let verdicts = |ends: &[&Verified<Statement>]| {
        let mut statements = vec![&grant];
        statements.extend(ends);
        judge(&world.ledger(&statements), &world.book(), &records).verdicts
    };
    let found = verdicts(&[&end]);
    assert_eq!(found[&first.id], Verdict::Counts);
    assert_eq!(found[&second.id], Verdict::Counts);
    assert_eq!(found[&third.id], Verdict::Held(Held::NodeCutOff));
    assert_eq!(found[&forged.id], Verdict::Held(Held::Fork));
    assert_eq!(found[&elsewhere.id], Verdict::Counts);
    // The clinic says later that it had seen more.
    let more = world.node_end(1, &SUMMARY, &[&third]);
    let found = verdicts(&[&end, &more]);
    assert_eq!(found[&third.id], Verdict::Counts);
    // Another clinic has no say.
    let other = NodeEnd {
        clinic: world.id(0),
        ..end_of(&world.node_end(1, &SUMMARY, &[]))
    };
    let other = world.sign_house(0, Body::NodeEnd(other));
    assert_eq!(verdicts(&[&other])[&first.id], Verdict::Counts);
}

fn end_of(statement: &Verified<Statement>) -> NodeEnd {
    let Body::NodeEnd(end) = statement.body() else {
        panic!("another statement")
    };
    end.clone()
}

#[test]
fn nothing_is_sealed_under_a_key_that_a_node_had_that_was_cut_off() {
    let mut world = World::new(3, 2);
    let grant = world.grant(1, |_| ());
    let (before, _) = world.epoch(0, &SUMMARY, &[0, 1], &[]);
    let end = world.node_end(1, &SUMMARY, &[]);
    let fit = |statements: &[&Verified<Statement>]| {
        let decision = decide(&world.ledger(statements), &world.book(), NOW_MS);
        decision.sealing_epoch(&SUMMARY).map(|fit| fit.epoch())
    };
    assert!(fit(&[&grant, &before]).is_some());
    assert_eq!(fit(&[&grant, &before, &end]), None);
    // Made by somebody who had not heard of it: wrapped to the old key as well.
    let (unaware, _) = World::new(4, 2).epoch(0, &SUMMARY, &[0, 1], &[]);
    assert_eq!(fit(&[&grant, &unaware, &end]), None);
    let mut other = World::new(3, 2);
    let after = other.epoch_that_tells(0, &SUMMARY, &[0, 1]);
    let by_the_node = other.epoch_that_tells(1, &SUMMARY, &[0, 1]);
    let Body::Epoch(epoch) = after.body() else {
        panic!("another statement")
    };
    assert_eq!(fit(&[&grant, &before, &end, &after]), Some(epoch.id));
    assert_eq!(fit(&[&grant, &before, &end, &by_the_node]), None);
}
