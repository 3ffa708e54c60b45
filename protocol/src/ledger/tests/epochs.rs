//! Which epoch a writer seals under.

use crate::identity::Verified;
use crate::ledger::{CompartmentName, Decision, Invalid, Statement, decide};
use crate::world::{NOW_MS, World};

const SUMMARY: CompartmentName = CompartmentName::Summary;

fn now(world: &World, statements: &[&Verified<Statement>]) -> Decision {
    decide(&world.ledger(statements), &world.book(), NOW_MS)
}

#[test]
fn a_writer_seals_under_an_epoch_of_the_readers() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |_| ());
    let (epoch, key) = world.epoch(0, &SUMMARY, &[0, 1], &[]);
    let decision = now(&world, &[&grant, &epoch]);
    let sealing = decision.sealing_epoch(&SUMMARY).unwrap();
    assert_eq!(sealing.epoch(), key.id());
    assert!(sealing.missing().is_empty());
    assert!(decision.sealing_epoch(&CompartmentName::Clinical).is_none());
}

#[test]
fn after_a_revocation_a_new_epoch_is_owed() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |_| ());
    let (old, _) = world.epoch(0, &SUMMARY, &[0, 1], &[]);
    let revocation = world.revoke(&grant, &[]);
    assert!(
        now(&world, &[&grant, &old, &revocation])
            .sealing_epoch(&SUMMARY)
            .is_none()
    );
    let (new, key) = world.epoch(0, &SUMMARY, &[0], &[]);
    let decision = now(&world, &[&grant, &old, &revocation, &new]);
    assert_eq!(decision.sealing_epoch(&SUMMARY).unwrap().epoch(), key.id());
}

#[test]
fn an_epoch_that_a_revoked_clinic_made_is_not_sealed_under() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |_| ());
    let revocation = world.revoke(&grant, &[]);
    let (trap, _) = world.epoch(1, &SUMMARY, &[0], &[]);
    assert!(
        now(&world, &[&grant, &trap, &revocation])
            .sealing_epoch(&SUMMARY)
            .is_none()
    );
}

#[test]
fn an_epoch_that_a_revoked_clinic_opens_through_history_is_not_sealed_under() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |_| ());
    let (first, first_key) = world.epoch(0, &SUMMARY, &[0], &[]);
    let (second, _) = world.epoch(0, &SUMMARY, &[0, 1], std::slice::from_ref(&first_key));
    let revocation = world.revoke(&grant, &[]);
    let before = now(&world, &[&grant, &first]);
    assert_eq!(
        before.sealing_epoch(&SUMMARY).unwrap().epoch(),
        first_key.id()
    );
    let after = now(&world, &[&grant, &first, &second, &revocation]);
    assert!(after.sealing_epoch(&SUMMARY).is_none());
}

#[test]
fn a_new_reader_is_reported_missing() {
    let mut world = World::new(1, 2);
    let (epoch, key) = world.epoch(0, &SUMMARY, &[0], &[]);
    let grant = world.grant(1, |_| ());
    let decision = now(&world, &[&epoch, &grant]);
    let sealing = decision.sealing_epoch(&SUMMARY).unwrap();
    assert_eq!(*sealing.missing(), [world.id(1)].into());
    let (whole, whole_key) = world.epoch(0, &SUMMARY, &[0, 1], &[key]);
    let decision = now(&world, &[&epoch, &grant, &whole]);
    assert_eq!(
        decision.sealing_epoch(&SUMMARY).unwrap().epoch(),
        whole_key.id()
    );
}

#[test]
fn an_epoch_of_a_stranger_or_of_an_unknown_node_does_not_count() {
    let mut world = World::new(1, 3);
    let (stranger, _) = world.epoch(2, &SUMMARY, &[0], &[]);
    let decision = now(&world, &[&stranger]);
    assert!(decision.sealing_epoch(&SUMMARY).is_none());
    assert_eq!(
        decision.refused().next(),
        Some((stranger.id(), Invalid::NoRight))
    );
    let (epoch, _) = world.epoch(0, &SUMMARY, &[0], &[]);
    let nobody = crate::ledger::CertificateBook::new();
    let decision = decide(&world.ledger(&[&epoch]), &nobody, NOW_MS);
    assert!(decision.sealing_epoch(&SUMMARY).is_none());
    assert_eq!(
        decision.refused().next(),
        Some((epoch.id(), Invalid::UnknownNode))
    );
}

#[test]
fn a_strangers_certificate_for_a_node_changes_nothing() {
    let mut world = World::new(1, 3);
    let (epoch, key) = world.epoch(0, &SUMMARY, &[0], &[]);
    let mut book = world.book();
    let mut claim = world.clinics[0].certificate.payload().clone();
    claim.clinic = world.id(2);
    book.insert(&claim.issue(&world.clinics[2].key).unwrap());
    let decision = decide(&world.ledger(&[&epoch]), &book, NOW_MS);
    assert_eq!(decision.sealing_epoch(&SUMMARY).unwrap().epoch(), key.id());
}
