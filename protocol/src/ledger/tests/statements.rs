//! Statements from outside: mostly hostile.

use crate::codec::CodecError;
use crate::identity::{SignatureError, Signed, SignedError, Verified};
use crate::ledger::{Body, CompartmentName, Signer, Statement};
use crate::limits::{MAX_FRONTIER, MAX_STATEMENT_BYTES};
use crate::world::World;

const SUMMARY: CompartmentName = CompartmentName::Summary;

fn samples() -> Vec<Verified<Statement>> {
    let mut world = World::new(1, 3);
    let grant = world.grant(1, |_| ());
    let record = world.pen(1, &SUMMARY).write("a", &[]);
    let revocation = world.revoke(&grant, &[&record]);
    let (first, key) = world.epoch(0, &SUMMARY, &[0, 1], &[]);
    let (second, _) = world.epoch(0, &SUMMARY, &[0, 2], &[key]);
    vec![world.genesis.clone(), grant, revocation, first, second]
}

#[test]
fn every_kind_reads_back() {
    for statement in samples() {
        let read = Verified::<Statement>::decode(&statement.to_bytes()).unwrap();
        assert_eq!(read, statement);
        assert_eq!(read.id(), statement.id());
    }
}

#[test]
fn every_truncation_is_refused() {
    for statement in samples() {
        let bytes = statement.to_bytes();
        for end in 0..bytes.len() {
            assert!(
                Signed::<Statement>::decode(&bytes[..end]).is_err(),
                "{end} bytes"
            );
        }
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    for statement in samples() {
        let bytes = statement.to_bytes();
        for byte in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[byte] ^= 1 << (byte % 8);
            assert!(
                Verified::<Statement>::decode(&changed).is_err(),
                "byte {byte}"
            );
        }
    }
}

#[test]
fn bytes_before_behind_or_between_are_refused() {
    for statement in samples() {
        let bytes = statement.to_bytes();
        for at in [0, 1, 2, 3, bytes.len() - 96, bytes.len() - 64, bytes.len()] {
            let mut changed = bytes.clone();
            changed.insert(at, 0);
            assert!(Verified::<Statement>::decode(&changed).is_err(), "at {at}");
        }
    }
}

#[test]
fn an_unknown_kind_or_version_is_named() {
    for kind in [0, 7, 13, 200] {
        let mut bytes = samples()[0].to_bytes();
        bytes[1] = kind;
        let found = Signed::<Statement>::decode(&bytes);
        assert_eq!(found, Err(CodecError::UnknownKind { found: kind }));
    }
    let mut bytes = samples()[0].to_bytes();
    bytes[0] = 9;
    let found = Signed::<Statement>::decode(&bytes);
    assert_eq!(
        found,
        Err(CodecError::UnknownVersion { found: 9, known: 1 })
    );
}

#[test]
fn one_kind_does_not_read_as_another() {
    for statement in samples() {
        let bytes = statement.to_bytes();
        for kind in (1..=4).filter(|kind| *kind != bytes[1]) {
            let mut changed = bytes.clone();
            changed[1] = kind;
            assert!(Signed::<Statement>::decode(&changed).is_err());
        }
    }
}

#[test]
fn a_statement_that_is_too_long_is_refused_before_reading() {
    let found = Signed::<Statement>::decode(&vec![1; MAX_STATEMENT_BYTES + 1]);
    assert!(matches!(found, Err(CodecError::TooLarge { .. })));
}

#[test]
fn another_signer_put_in_its_place_is_noticed() {
    let world = World::new(1, 2);
    for statement in samples() {
        let mut bytes = statement.to_bytes();
        let at = bytes.len() - 96;
        bytes[at..at + 32].copy_from_slice(world.id(1).as_bytes());
        let found = Verified::<Statement>::decode(&bytes);
        assert_eq!(found, Err(SignedError::Signature(SignatureError::Mismatch)));
    }
}

#[test]
fn the_longer_spelling_of_a_number_is_refused() {
    let bytes = samples()[1].to_bytes();
    // The array of 14 fields in one byte, and in two.
    assert_eq!(bytes[2], 0x8e);
    let mut changed = bytes;
    changed.splice(2..3, [0x98, 14]);
    assert_eq!(
        Signed::<Statement>::decode(&changed),
        Err(CodecError::NotCanonical)
    );
}

#[test]
fn parts_out_of_bounds_are_not_signed() {
    let mut world = World::new(1, 2);
    let genesis = world.genesis.id();
    let terms = world.terms(1);
    let mut bad = Vec::new();
    let mut with = |change: &dyn Fn(&mut crate::ledger::Grant)| {
        let mut grant = terms.clone();
        change(&mut grant);
        bad.push(Body::Grant(grant));
    };
    with(&|grant| grant.rights = crate::ledger::Rights::default());
    with(&|grant| grant.compartments = [].into_iter().collect());
    with(&|grant| grant.expires_ms = Some(grant.not_before_ms));
    with(&|grant| grant.parent = Some(genesis));
    with(&|grant| grant.basis = crate::ledger::Basis::Parent);
    with(&|grant| grant.frontier = vec![genesis, genesis]);
    with(&|grant| grant.frontier = vec![genesis; MAX_FRONTIER + 1]);
    for text in ["x".repeat(513), "line\nbreak".to_owned()] {
        let Body::Revocation(mut revocation) = world.revocation(genesis, &[]) else {
            panic!()
        };
        revocation.reason = text;
        bad.push(Body::Revocation(revocation));
    }
    let (one, two) = {
        let mut pen = world.pen(1, &SUMMARY);
        (pen.write("a", &[]), pen.write("b", &[]))
    };
    // Two tips of one author.
    bad.push(world.revocation(genesis, &[&one, &two]));
    for body in bad {
        let found = body.sign(Signer::Patient(&world.patient));
        assert!(matches!(
            found,
            Err(SignedError::Codec(CodecError::OutOfBounds { .. }))
        ));
    }
}

#[test]
fn an_epoch_without_readers_or_on_itself_is_not_signed() {
    let mut world = World::new(1, 2);
    let (statement, _) = world.epoch(0, &SUMMARY, &[0, 1], &[]);
    let Body::Epoch(epoch) = statement.into_payload().body().clone() else {
        panic!()
    };
    let mut empty = epoch.clone();
    empty.readers.clear();
    let mut itself = epoch.clone();
    itself.parents.push(itself.id);
    let mut unsorted = epoch.clone();
    unsorted.readers.reverse();
    let mut twice = epoch;
    twice.readers.push(twice.readers[1].clone());
    for epoch in [empty, itself, unsorted, twice] {
        let found = Body::Epoch(epoch).sign(Signer::Node(&world.clinics[0].node));
        assert!(matches!(
            found,
            Err(SignedError::Codec(CodecError::OutOfBounds { .. }))
        ));
    }
}

#[test]
fn the_same_statement_twice_is_one() {
    let world = World::new(1, 2);
    let mut ledger = world.ledger(&[]);
    assert!(!ledger.insert(world.genesis.clone()));
    assert_eq!(ledger.len(), 1);
}

#[test]
fn the_frontier_is_what_nobody_has_seen() {
    let mut world = World::new(1, 3);
    let one = world.grant(1, |_| ());
    let two = world.grant(2, |_| ());
    assert_eq!(world.ledger(&[]).frontier(), [world.genesis.id()]);
    let mut both = [one.id(), two.id()];
    both.sort_unstable();
    assert_eq!(world.ledger(&[&one, &two]).frontier(), both);
    let revocation = world.revoke(&one, &[]);
    let mut heads = [revocation.id(), two.id()];
    heads.sort_unstable();
    assert_eq!(world.ledger(&[&one, &two, &revocation]).frontier(), heads);
}
