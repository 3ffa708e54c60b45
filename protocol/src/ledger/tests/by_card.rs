//! A grant that the patient signed with the card, at a clinic that does not know who has the chart.

use crate::ledger::{Basis, Body, CompartmentName, GrantState, Invalid, Ledger, Signer, decide};
use crate::world::{NOW_MS, World};

fn by_card(world: &mut World, to: usize) -> crate::identity::Verified<crate::ledger::Statement> {
    world.grant(to, |grant| grant.basis = Basis::Card)
}

#[test]
fn its_grantee_tells_every_clinic_and_nobody_else_passes_it_on_to_whom_it_does_not_concern() {
    let mut world = World::new(5, 4);
    let reader_grant = world.grant(1, |grant| {
        grant.compartments = [CompartmentName::Summary].into_iter().collect();
    });
    let grant = by_card(&mut world, 2);
    let [home, reader, grantee, stranger] = [0, 1, 2, 3].map(|clinic| world.id(clinic));
    // At a clinic that has only this of the chart.
    let mut bare = Ledger::new(world.chart);
    bare.insert(grant.clone());
    let nothing_known = decide(&bare, &world.book(), NOW_MS);
    // At the grantee, which has the card.
    let at_grantee = decide(&world.ledger(&[&grant]), &world.book(), NOW_MS);
    for decision in [&nothing_known, &at_grantee] {
        for other in [&home, &reader, &stranger] {
            assert!(decision.shared(&grantee, other, &grant.id()));
            assert!(decision.shared(other, &grantee, &grant.id()));
        }
        assert!(!decision.shared(&reader, &stranger, &grant.id()));
    }
    // Nothing else of the chart goes with it.
    assert!(!at_grantee.shared(&grantee, &reader, &world.genesis.id()));
    // Where all is known, home tells whom it concerns.
    let ledger = world.ledger(&[&reader_grant, &grant]);
    let all = decide(&ledger, &world.book(), NOW_MS);
    assert!(all.shared(&home, &reader, &grant.id()));
    assert!(!all.shared(&home, &stranger, &grant.id()));
    assert!(all.shared(&reader, &grantee, &reader_grant.id()));
    assert!(all.shared(&reader, &grantee, &world.genesis.id()));
}

#[test]
fn one_that_the_patient_did_not_sign_is_for_the_custodian_alone() {
    let mut world = World::new(5, 4);
    let mut terms = world.terms(2);
    terms.basis = Basis::Card;
    let forged = Body::Grant(terms).sign(Signer::Clinic(&world.clinics[2].key));
    let forged = forged.unwrap();
    let all = decide(&world.ledger(&[&forged]), &world.book(), NOW_MS);
    let state = all.grant(&forged.id()).map(|view| view.state.clone());
    assert_eq!(state, Some(GrantState::Invalid(Invalid::WrongSigner)));
    assert!(!all.entitled(&world.id(1), &forged.id()));
    assert!(all.entitled(&world.id(0), &forged.id()));
    assert!(!all.may_read_any(&world.id(2)));
}

#[test]
fn its_end_is_for_whom_it_concerns() {
    let mut world = World::new(5, 4);
    let grant = by_card(&mut world, 2);
    let end = world.revoke(&grant, &[]);
    let all = decide(&world.ledger(&[&grant, &end]), &world.book(), NOW_MS);
    assert!(all.entitled(&world.id(2), &end.id()));
    assert!(!all.entitled(&world.id(3), &end.id()));
    assert!(!all.may_read_any(&world.id(2)));
}
