//! Which statements a clinic may be sent.

use crate::identity::Verified;
use crate::ledger::{CompartmentName, Grant, Statement, decide};
use crate::world::{NOW_MS, World};

const SUMMARY: CompartmentName = CompartmentName::Summary;
const CLINICAL: CompartmentName = CompartmentName::Clinical;

fn only(names: &[CompartmentName]) -> impl Fn(&mut Grant) + use<> {
    let names = names.to_vec();
    move |grant| grant.compartments = names.iter().cloned().collect()
}

fn entitled(
    world: &World,
    all: &[&Verified<Statement>],
    clinic: usize,
    one: &Verified<Statement>,
) -> bool {
    let decision = decide(&world.ledger(all), &world.book(), NOW_MS);
    decision.entitled(&world.id(clinic), &one.id())
}

#[test]
fn a_clinic_without_a_grant_learns_nothing() {
    let mut world = World::new(1, 3);
    let grant = world.grant(1, |_| ());
    let (epoch, _) = world.epoch(0, &SUMMARY, &[0, 1], &[]);
    let all = [&grant, &epoch];
    for one in [&world.genesis, &grant, &epoch] {
        assert!(!entitled(&world, &all, 2, one));
        assert!(entitled(&world, &all, 1, one));
        assert!(entitled(&world, &all, 0, one));
    }
}

#[test]
fn a_clinic_learns_of_others_in_the_compartments_that_it_reads() {
    let mut world = World::new(1, 4);
    let mine = world.grant(1, only(&[SUMMARY]));
    let same = world.grant(2, only(&[SUMMARY, CLINICAL]));
    let other = world.grant(3, only(&[CLINICAL]));
    let same_ends = world.revoke(&same, &[]);
    let other_ends = world.revoke(&other, &[]);
    let all = [&mine, &same, &other, &same_ends, &other_ends];
    assert!(entitled(&world, &all, 1, &same) && entitled(&world, &all, 1, &same_ends));
    assert!(!entitled(&world, &all, 1, &other) && !entitled(&world, &all, 1, &other_ends));
}

#[test]
fn a_revoked_clinic_learns_of_its_own_end_and_of_nothing_new() {
    let mut world = World::new(1, 3);
    let mine = world.grant(1, |_| ());
    let ends = world.revoke(&mine, &[]);
    let other = world.grant(2, |_| ());
    let (epoch, _) = world.epoch(0, &SUMMARY, &[0, 2], &[]);
    let all = [&mine, &ends, &other, &epoch];
    assert!(entitled(&world, &all, 1, &world.genesis));
    assert!(entitled(&world, &all, 1, &mine) && entitled(&world, &all, 1, &ends));
    assert!(!entitled(&world, &all, 1, &other) && !entitled(&world, &all, 1, &epoch));
}

#[test]
fn a_grantee_is_sent_what_its_grant_stands_on_even_after_the_end() {
    let mut world = World::new(1, 3);
    let parent = world.grant(1, |_| ());
    let child = world.pass_on(parent.id(), 1, 2, only(&[SUMMARY]));
    let ends = world.revoke(&parent, &[]);
    let all = [&parent, &child, &ends];
    for one in [&parent, &child, &ends] {
        assert!(entitled(&world, &all, 2, one));
    }
}

#[test]
fn epochs_go_to_the_readers_of_their_compartment() {
    let mut world = World::new(1, 3);
    let mine = world.grant(1, only(&[SUMMARY]));
    let (summary, _) = world.epoch(0, &SUMMARY, &[0, 1], &[]);
    let (clinical, _) = world.epoch(0, &CLINICAL, &[0], &[]);
    let all = [&mine, &summary, &clinical];
    assert!(entitled(&world, &all, 1, &summary));
    assert!(!entitled(&world, &all, 1, &clinical));
}

#[test]
fn an_epoch_comes_home_from_the_clinic_that_made_it_even_after_the_end() {
    let mut world = World::new(1, 4);
    let mine = world.grant(1, |_| ());
    let other = world.grant(2, |_| ());
    let (made, _) = world.epoch(1, &CLINICAL, &[0, 1, 2], &[]);
    let (others, _) = world.epoch(2, &CLINICAL, &[0, 1, 2], &[]);
    let ends = world.revoke(&mine, &[]);
    let all = [&mine, &other, &made, &others, &ends];
    assert!(entitled(&world, &all, 1, &made) && !entitled(&world, &all, 1, &others));
    let decision = decide(&world.ledger(&all), &world.book(), NOW_MS);
    let shared =
        |one: usize, other: usize| decision.shared(&world.id(one), &world.id(other), &made.id());
    assert!(shared(0, 1) && shared(1, 0));
    assert!(!shared(1, 2) && !shared(2, 1));
}

#[test]
fn what_does_not_count_goes_to_the_custodian_only() {
    let mut world = World::new(1, 3);
    let mine = world.grant(1, |_| ());
    let missing = world.grant(2, |_| ());
    let orphan = world.pass_on(missing.id(), 2, 1, |_| ());
    assert!(entitled(&world, &[&mine, &orphan], 0, &orphan));
    assert!(!entitled(&world, &[&mine, &orphan], 1, &orphan));
}

#[test]
fn a_statement_that_is_not_here_is_sent_to_nobody() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |_| ());
    assert!(!entitled(&world, &[], 0, &grant));
}

#[test]
fn two_clinics_settle_nothing_by_a_grant_that_one_of_them_may_not_see() {
    let mut world = World::new(1, 4);
    let billing = CompartmentName::Billing;
    let a_summary = world.grant(1, only(&[SUMMARY]));
    let a_billing = world.grant(1, only(std::slice::from_ref(&billing)));
    let b = world.grant(2, only(&[billing, CLINICAL]));
    let both = world.grant(3, only(&[SUMMARY, CLINICAL]));
    let all = [&a_summary, &a_billing, &b, &both];
    assert!(entitled(&world, &all, 1, &both) && entitled(&world, &all, 2, &both));
    let decision = decide(&world.ledger(&all), &world.book(), NOW_MS);
    let shared = |one: &Verified<Statement>| decision.shared(&world.id(1), &world.id(2), &one.id());
    assert!(!shared(&both) && !shared(&a_summary));
    assert!(shared(&a_billing) && shared(&b) && shared(&world.genesis));
}
