//! Which keys are owed to whom.

use std::slice::from_ref;

use crate::identity::Verified;
use crate::ledger::{CompartmentName, History, OwedKey, Statement, decide, openable, owed_keys};
use crate::world::{NOW_MS, World};

const SUMMARY: CompartmentName = CompartmentName::Summary;

/// What clinic `giver` owes by these statements.
fn owed(world: &World, statements: &[&Verified<Statement>], giver: usize) -> Vec<OwedKey> {
    let ledger = world.ledger(statements);
    let decision = decide(&ledger, &world.book(), NOW_MS);
    owed_keys(&ledger, &decision, &SUMMARY, &world.id(giver))
}

#[test]
fn nothing_is_owed_where_every_reader_opens_everything() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |_| ());
    let (first, key) = world.epoch(0, &SUMMARY, &[0], &[]);
    let (second, _) = world.epoch(0, &SUMMARY, &[0, 1], from_ref(&key));
    assert_eq!(owed(&world, &[&grant, &first, &second], 0), []);
}

#[test]
fn a_grant_of_all_history_makes_the_keys_owed_that_no_later_epoch_carries() {
    let mut world = World::new(1, 2);
    let (first, first_key) = world.epoch(0, &SUMMARY, &[0], &[]);
    let (second, second_key) = world.epoch(0, &SUMMARY, &[0], from_ref(&first_key));
    let (third, _) = world.epoch(0, &SUMMARY, &[0, 1], &[]);
    let now_on = world.grant(1, |grant| grant.history = History::FromNowOn);
    let epochs = [&first, &second, &third];
    assert_eq!(owed(&world, &[&epochs[..], &[&now_on]].concat(), 0), []);
    let whole = world.grant(1, |_| ());
    let all = [&epochs[..], &[&now_on, &whole]].concat();
    let key = OwedKey {
        epoch: second_key.id(),
        clinics: [world.id(1)].into(),
    };
    assert_eq!(owed(&world, &all, 0), [key]);
    assert_eq!(owed(&world, &all, 1), [], "it has nothing to give");
}

#[test]
fn an_epoch_made_without_knowing_of_a_grant_is_owed_to_its_grantee_until_it_is_shared() {
    let mut world = World::new(1, 3);
    let (one, other) = (world.grant(1, |_| ()), world.grant(2, |_| ()));
    let (known, _) = world.epoch(0, &SUMMARY, &[0, 1, 2], &[]);
    let (unaware, key) = world.epoch(1, &SUMMARY, &[0, 1], &[]);
    let statements = [&one, &other, &known, &unaware];
    let expected = [OwedKey {
        epoch: key.id(),
        clinics: [world.id(2)].into(),
    }];
    assert_eq!(owed(&world, &statements, 0), expected);
    assert_eq!(owed(&world, &statements, 1), expected);
    let (follower, _) = world.epoch(0, &SUMMARY, &[0, 1, 2], from_ref(&key));
    let statements = [&statements[..], &[&follower]].concat();
    assert_eq!(owed(&world, &statements, 0), []);
}

#[test]
fn nothing_is_owed_to_a_clinic_whose_grant_was_revoked() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |_| ());
    let (epoch, _) = world.epoch(0, &SUMMARY, &[0], &[]);
    assert_eq!(owed(&world, &[&grant, &epoch], 0).len(), 1);
    let revocation = world.revoke(&grant, &[]);
    assert_eq!(owed(&world, &[&grant, &epoch, &revocation], 0), []);
}

#[test]
fn a_clinic_opens_what_is_wrapped_to_it_and_what_later_epochs_carry() {
    let mut world = World::new(1, 3);
    let (first, first_key) = world.epoch(0, &SUMMARY, &[0], &[]);
    let (second, second_key) = world.epoch(0, &SUMMARY, &[0, 1], from_ref(&first_key));
    let (third, third_key) = world.epoch(0, &SUMMARY, &[0, 2], &[]);
    let ledger = world.ledger(&[&first, &second, &third]);
    let opens = |clinic| openable(&ledger, &SUMMARY, &world.id(clinic));
    let [first, second, third] = [first_key, second_key, third_key].map(|key| key.id());
    assert_eq!(opens(0), [first, second, third].into());
    assert_eq!(opens(1), [first, second].into());
    assert_eq!(opens(2), [third].into());
    assert!(openable(&ledger, &CompartmentName::Clinical, &world.id(0)).is_empty());
}
