//! Who may read and write.

use crate::identity::Verified;
use crate::ledger::{
    Body, CompartmentName, Compartments, Decision, Grant, GrantState, History, Invalid, Purpose,
    Rights, Signer, Statement, decide,
};
use crate::limits::MAX_DELEGATION_DEPTH;
use crate::world::{NOW_MS, World};

const SUMMARY: CompartmentName = CompartmentName::Summary;
const CLINICAL: CompartmentName = CompartmentName::Clinical;
const DAY_MS: u64 = 86_400_000;

fn at(world: &World, statements: &[&Verified<Statement>], now_ms: u64) -> Decision {
    decide(&world.ledger(statements), &world.book(), now_ms)
}

fn now(world: &World, statements: &[&Verified<Statement>]) -> Decision {
    at(world, statements, NOW_MS)
}

fn state(decision: &Decision, grant: &Verified<Statement>) -> GrantState {
    decision.grant(&grant.id()).unwrap().state.clone()
}

fn only_summary(grant: &mut Grant) {
    grant.compartments = [SUMMARY].into_iter().collect();
}

#[test]
fn the_custodian_reads_and_writes_without_a_grant() {
    let world = World::new(1, 2);
    let decision = now(&world, &[]);
    for name in CompartmentName::FIXED {
        assert!(decision.may_read(&world.id(0), &name) && decision.may_write(&world.id(0), &name));
        assert!(decision.may_read_history(&world.id(0), &name));
        assert_eq!(decision.readers(&name), [world.id(0)].into());
        assert!(!decision.may_read(&world.id(1), &name));
    }
}

#[test]
fn without_its_genesis_a_chart_has_no_readers() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |_| ());
    let mut ledger = crate::ledger::Ledger::new(world.chart);
    ledger.insert(grant.clone());
    let decision = decide(&ledger, &world.book(), NOW_MS);
    assert!(decision.readers(&SUMMARY).is_empty());
    assert_eq!(decision.custodian(), None);
    assert_eq!(
        state(&decision, &grant),
        GrantState::Invalid(Invalid::NoGenesis)
    );
}

#[test]
fn a_grant_gives_its_rights_in_its_compartments_only() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |grant| {
        only_summary(grant);
        grant.rights = Rights::READ;
    });
    let decision = now(&world, &[&grant]);
    let clinic = world.id(1);
    assert!(decision.may_read(&clinic, &SUMMARY));
    assert!(!decision.may_write(&clinic, &SUMMARY));
    assert!(!decision.may_share(&clinic, &SUMMARY));
    assert!(!decision.may_read(&clinic, &CLINICAL));
    assert_eq!(decision.readers(&SUMMARY), [world.id(0), clinic].into());
    assert_eq!(decision.writers(&SUMMARY), [world.id(0)].into());
}

#[test]
fn a_grant_of_all_covers_labels_yet_to_come() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |_| ());
    let name = "restricted/HIV".parse().unwrap();
    assert!(now(&world, &[&grant]).may_read(&world.id(1), &name));
}

#[test]
fn a_grant_from_now_on_opens_no_history() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |grant| grant.history = History::FromNowOn);
    let decision = now(&world, &[&grant]);
    assert!(decision.may_read(&world.id(1), &SUMMARY));
    assert!(!decision.may_read_history(&world.id(1), &SUMMARY));
}

#[test]
fn a_grant_begins_and_ends_on_the_millisecond() {
    let mut world = World::new(1, 2);
    let grant = world.grant(1, |grant| grant.expires_ms = Some(NOW_MS + DAY_MS));
    let readable = |time| at(&world, &[&grant], time).may_read(&world.id(1), &SUMMARY);
    assert!(!readable(NOW_MS - 1));
    assert!(readable(NOW_MS) && readable(NOW_MS + DAY_MS - 1));
    assert!(!readable(NOW_MS + DAY_MS));
    assert_eq!(state(&at(&world, &[&grant], 0), &grant), GrantState::NotYet);
    assert_eq!(
        state(&at(&world, &[&grant], u64::MAX), &grant),
        GrantState::Expired
    );
}

#[test]
fn a_revoked_grant_gives_nothing_and_another_grant_still_does() {
    let mut world = World::new(1, 2);
    let first = world.grant(1, |_| ());
    let second = world.grant(1, only_summary);
    let revocation = world.revoke(&first, &[]);
    let decision = now(&world, &[&first, &second, &revocation]);
    assert!(decision.may_read(&world.id(1), &SUMMARY));
    assert!(!decision.may_read(&world.id(1), &CLINICAL));
    assert_eq!(
        state(&decision, &first),
        GrantState::Revoked(vec![revocation.id()])
    );
}

#[test]
fn patient_issuer_and_custodian_may_revoke_and_nobody_else() {
    let mut world = World::new(1, 4);
    let parent = world.grant(1, |_| ());
    let child = world.pass_on(parent.id(), 1, 2, |_| ());
    let body = world.revocation(child.id(), &[]);
    let sign = |signer| body.clone().sign(signer).unwrap();
    for (signer, may) in [
        (Signer::Patient(&world.patient), true),
        (Signer::Clinic(&world.clinics[1].key), true),
        (Signer::Clinic(&world.clinics[0].key), true),
        (Signer::Clinic(&world.clinics[2].key), false),
        (Signer::Clinic(&world.clinics[3].key), false),
        (Signer::Node(&world.clinics[0].node), false),
    ] {
        let revocation = sign(signer);
        let decision = now(&world, &[&parent, &child, &revocation]);
        assert_eq!(decision.may_read(&world.id(2), &SUMMARY), !may);
        let refused: Vec<_> = decision.refused().collect();
        let expected = if may {
            vec![]
        } else {
            vec![(revocation.id(), Invalid::WrongSigner)]
        };
        assert_eq!(refused, expected);
        assert!(decision.may_read(&world.id(1), &SUMMARY));
    }
}

#[test]
fn a_grant_that_the_patient_did_not_sign_never_counts() {
    let mut world = World::new(1, 3);
    let forged = Body::Grant(world.terms(1));
    for signer in [
        Signer::Clinic(&world.clinics[1].key),
        Signer::Clinic(&world.clinics[0].key),
        Signer::Node(&world.clinics[0].node),
    ] {
        let forged = forged.clone().sign(signer).unwrap();
        let decision = now(&world, &[&forged]);
        assert!(!decision.may_read(&world.id(1), &SUMMARY));
        assert_eq!(
            state(&decision, &forged),
            GrantState::Invalid(Invalid::WrongSigner)
        );
    }
}

#[test]
fn a_grant_or_revocation_for_another_chart_never_counts() {
    let mut world = World::new(1, 2);
    let mut other = World::new(2, 2);
    let strange = other.grant(1, |_| ());
    let grant = world.grant(1, |_| ());
    let revocation = other.revoke(&grant, &[]);
    let decision = now(&world, &[&strange, &grant, &revocation, &other.genesis]);
    assert_eq!(
        state(&decision, &strange),
        GrantState::Invalid(Invalid::OtherChart)
    );
    assert_eq!(state(&decision, &grant), GrantState::Valid);
    let refused: std::collections::BTreeMap<_, _> = decision.refused().collect();
    assert_eq!(refused.get(&revocation.id()), Some(&Invalid::OtherChart));
    assert_eq!(refused.get(&other.genesis.id()), Some(&Invalid::OtherChart));
}

#[test]
fn a_genesis_signed_by_another_key_never_counts() {
    let world = World::new(1, 2);
    let body = world.genesis.body().clone();
    let forged = body.sign(Signer::Clinic(&world.clinics[1].key)).unwrap();
    let mut ledger = crate::ledger::Ledger::new(world.chart);
    ledger.insert(forged.clone());
    let decision = decide(&ledger, &world.book(), NOW_MS);
    assert_eq!(decision.custodian(), None);
    assert_eq!(
        decision.refused().next(),
        Some((forged.id(), Invalid::ForgedGenesis))
    );
}

#[test]
fn a_grant_passed_on_gives_what_it_says() {
    let mut world = World::new(1, 3);
    let parent = world.grant(1, |_| ());
    let child = world.pass_on(parent.id(), 1, 2, only_summary);
    let decision = now(&world, &[&parent, &child]);
    assert!(decision.may_read(&world.id(2), &SUMMARY));
    assert!(!decision.may_read(&world.id(2), &CLINICAL));
}

#[test]
fn a_grant_passed_on_is_never_wider_than_its_parent() {
    let mut world = World::new(1, 3);
    let parent = world.grant(1, |grant| {
        only_summary(grant);
        grant.rights = Rights::READ.with(Rights::SHARE);
        grant.history = History::FromNowOn;
        grant.expires_ms = Some(NOW_MS + DAY_MS);
    });
    let within = |grant: &mut Grant| {
        only_summary(grant);
        grant.rights = Rights::READ;
        grant.history = History::FromNowOn;
        grant.expires_ms = Some(NOW_MS + DAY_MS);
    };
    let id = parent.id();
    let mut check = |change: &dyn Fn(&mut Grant), expected: Option<Invalid>| {
        let child = world.pass_on(id, 1, 2, |grant| {
            within(grant);
            change(grant);
        });
        let decision = now(&world, &[&parent, &child]);
        let state = state(&decision, &child);
        assert_eq!(
            state,
            expected.map_or(GrantState::Valid, GrantState::Invalid)
        );
        assert_eq!(
            decision.may_read(&world.id(2), &SUMMARY),
            expected.is_none()
        );
    };
    check(&|_| (), None);
    let wider = Some(Invalid::WiderThanParent);
    check(&|grant| grant.compartments = Compartments::All, wider);
    check(
        &|grant| grant.compartments = [SUMMARY, CLINICAL].into_iter().collect(),
        wider,
    );
    check(
        &|grant| grant.rights = Rights::READ.with(Rights::WRITE),
        wider,
    );
    check(
        &|grant| grant.purpose = Purpose::new("HRESCH").unwrap(),
        wider,
    );
    check(&|grant| grant.history = History::All, wider);
    let longer = Some(Invalid::LongerThanParent);
    check(&|grant| grant.expires_ms = None, longer);
    check(
        &|grant| grant.expires_ms = Some(NOW_MS + DAY_MS + 1),
        longer,
    );
    check(&|grant| grant.not_before_ms = NOW_MS - 1, longer);
}

#[test]
fn a_grant_without_share_cannot_be_passed_on() {
    let mut world = World::new(1, 3);
    let parent = world.grant(1, |grant| grant.rights = Rights::READ);
    let child = world.pass_on(parent.id(), 1, 2, |grant| grant.rights = Rights::READ);
    let decision = now(&world, &[&parent, &child]);
    assert_eq!(
        state(&decision, &child),
        GrantState::Invalid(Invalid::NotShared)
    );
}

#[test]
fn only_the_grantee_passes_a_grant_on() {
    let mut world = World::new(1, 3);
    let parent = world.grant(1, |_| ());
    for by in [0, 2] {
        let child = world.pass_on(parent.id(), by, 2, |_| ());
        let decision = now(&world, &[&parent, &child]);
        assert_eq!(
            state(&decision, &child),
            GrantState::Invalid(Invalid::WrongSigner)
        );
    }
}

#[test]
fn a_grant_waits_for_its_parent_and_counts_once_it_is_there() {
    let mut world = World::new(1, 3);
    let parent = world.grant(1, |_| ());
    let child = world.pass_on(parent.id(), 1, 2, |_| ());
    let revocation = world.revoke(&parent, &[]);
    let missing = GrantState::Invalid(Invalid::MissingGrant);
    assert_eq!(state(&now(&world, &[&child, &revocation]), &child), missing);
    assert_eq!(
        state(&now(&world, &[&child, &parent]), &child),
        GrantState::Valid
    );
    let fallen = GrantState::FallsWithParent(vec![revocation.id()]);
    assert_eq!(
        state(&now(&world, &[&child, &revocation, &parent]), &child),
        fallen
    );
}

#[test]
fn grants_fall_with_what_they_were_passed_on_from() {
    let mut world = World::new(1, 4);
    let parent = world.grant(1, |_| ());
    let child = world.pass_on(parent.id(), 1, 2, |_| ());
    let grandchild = world.pass_on(child.id(), 2, 3, |_| ());
    let revocation = world.revoke(&parent, &[]);
    let decision = now(&world, &[&parent, &child, &grandchild, &revocation]);
    assert_eq!(decision.readers(&SUMMARY), [world.id(0)].into());
    let fallen = GrantState::FallsWithParent(vec![revocation.id()]);
    assert_eq!(state(&decision, &child), fallen);
    assert_eq!(state(&decision, &grandchild), fallen);
}

#[test]
fn a_fault_goes_down_the_chain() {
    let mut world = World::new(1, 4);
    let terms = world.terms(1);
    let forged = Body::Grant(terms)
        .sign(Signer::Clinic(&world.clinics[1].key))
        .unwrap();
    let child = world.pass_on(forged.id(), 1, 2, |_| ());
    let revocation = world.revoke(&forged, &[]);
    let genesis = world.genesis.id();
    let on_genesis = world.pass_on(genesis, 1, 3, |_| ());
    let decision = now(&world, &[&forged, &child, &revocation, &on_genesis]);
    assert_eq!(
        state(&decision, &child),
        GrantState::Invalid(Invalid::InvalidGrant)
    );
    assert_eq!(
        state(&decision, &on_genesis),
        GrantState::Invalid(Invalid::NotAGrant)
    );
    let refused: std::collections::BTreeMap<_, _> = decision.refused().collect();
    assert_eq!(refused.get(&revocation.id()), Some(&Invalid::InvalidGrant));
}

#[test]
fn a_grant_is_passed_on_a_bounded_number_of_times() {
    let mut world = World::new(1, 3);
    let mut chain = vec![world.grant(1, |_| ())];
    for depth in 0..=MAX_DELEGATION_DEPTH {
        let (by, to) = if depth % 2 == 0 { (1, 2) } else { (2, 1) };
        let parent = chain.last().unwrap().id();
        chain.push(world.pass_on(parent, by, to, |_| ()));
    }
    let decision = now(&world, &chain.iter().collect::<Vec<_>>());
    let states: Vec<_> = chain.iter().map(|grant| state(&decision, grant)).collect();
    let (last, others) = states.split_last().unwrap();
    assert_eq!(*last, GrantState::Invalid(Invalid::TooDeep));
    assert!(others.iter().all(|state| *state == GrantState::Valid));
}
