//! Who may see what in an emergency.

use crate::codec::CodecError;
use crate::id::StatementId;
use crate::identity::{SignedError, Verified};
use crate::ledger::{
    Basis, Body, BreakGlass, CompartmentName, Decision, EMERGENCY_MS, GrantState, Invalid, Rights,
    Signer, Statement, decide,
};
use crate::world::{NOW_MS, World};

const SUMMARY: CompartmentName = CompartmentName::Summary;
const CLINICAL: CompartmentName = CompartmentName::Clinical;

fn decided(world: &World, statements: &[&Verified<Statement>], now_ms: u64) -> Decision {
    decide(&world.ledger(statements), &world.book(), now_ms)
}

fn state(world: &World, statements: &[&Verified<Statement>], id: StatementId) -> GrantState {
    let decision = decided(world, statements, NOW_MS);
    decision.grant(&id).unwrap().state.clone()
}

#[test]
fn the_custodian_releases_the_summary_for_a_day_and_nothing_else() {
    let mut world = World::new(5, 2);
    let asked = world.break_glass(1);
    let release = world.release(&asked, (0, 1), None, |_| ());
    let other = world.id(1);
    let asking = decided(&world, &[&asked], NOW_MS);
    assert!(!asking.may_read_any(&other), "to ask opens nothing");
    let open = decided(&world, &[&asked, &release], NOW_MS);
    assert!(open.may_read(&other, &SUMMARY) && !open.may_read(&other, &CLINICAL));
    assert!(!open.may_write(&other, &SUMMARY) && !open.may_share(&other, &SUMMARY));
    let over = decided(&world, &[&asked, &release], NOW_MS + EMERGENCY_MS);
    assert!(!over.may_read_any(&other));
}

#[test]
fn a_clinic_that_reads_the_summary_releases_it_and_that_falls_with_its_own_grant() {
    let mut world = World::new(5, 4);
    let reads = world.grant(1, |grant| grant.rights = Rights::READ);
    let asked = world.break_glass(2);
    let release = world.release(&asked, (1, 2), Some(reads.id()), |_| ());
    let all = [&reads, &asked, &release];
    assert_eq!(state(&world, &all, release.id()), GrantState::Valid);
    let revocation = world.revoke(&reads, &[]);
    let after = [&reads, &asked, &release, &revocation];
    let fallen = GrantState::FallsWithParent(vec![revocation.id()]);
    assert_eq!(state(&world, &after, release.id()), fallen);
    // Who reads in an emergency releases to nobody.
    let again = world.break_glass(3);
    let onward = world.release(&again, (2, 3), Some(release.id()), |_| ());
    let all = [&reads, &asked, &release, &again, &onward];
    let wider = GrantState::Invalid(Invalid::WiderThanParent);
    assert_eq!(state(&world, &all, onward.id()), wider);
    // Nor does who cannot read the summary.
    let part = world.grant(3, |grant| {
        grant.compartments = [CLINICAL].into_iter().collect();
    });
    let blind = world.release(&asked, (3, 2), Some(part.id()), |_| ());
    let all = [&part, &asked, &blind];
    assert_eq!(state(&world, &all, blind.id()), wider);
}

#[test]
fn a_release_that_opens_more_than_an_emergency_does_opens_nothing() {
    let mut world = World::new(5, 3);
    let asked = world.break_glass(1);
    let beyond = GrantState::Invalid(Invalid::BeyondEmergency);
    let changes: [fn(&mut crate::ledger::Grant); 7] = [
        |grant| grant.compartments = [SUMMARY, CLINICAL].into_iter().collect(),
        |grant| grant.rights = Rights::READ.with(Rights::WRITE),
        |grant| grant.purpose = crate::ledger::Purpose::treatment(),
        |grant| grant.expires_ms = None,
        |grant| grant.expires_ms = Some(NOW_MS + EMERGENCY_MS + 1),
        |grant| {
            grant.not_before_ms += EMERGENCY_MS + 1;
            grant.expires_ms = Some(grant.not_before_ms + 1);
        },
        |grant| {
            grant.not_before_ms -= EMERGENCY_MS + 1;
            grant.expires_ms = Some(grant.not_before_ms + 1);
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let release = world.release(&asked, (0, 1), None, change);
        let found = state(&world, &[&asked, &release], release.id());
        assert_eq!(found, beyond, "change {number}");
    }
    let to_another = world.release(&asked, (0, 2), None, |_| ());
    assert_eq!(
        state(&world, &[&asked, &to_another], to_another.id()),
        beyond
    );
}

#[test]
fn nobody_is_released_anything_without_asking_nor_by_who_may_not() {
    let mut world = World::new(5, 3);
    let asked = world.break_glass(1);
    let found = |statements: &[&Verified<Statement>], id| state(&world, statements, id);
    let by_stranger = {
        let mut world = World::new(5, 3);
        world.release(&asked, (2, 1), None, |_| ())
    };
    assert_eq!(
        found(&[&asked, &by_stranger], by_stranger.id()),
        GrantState::Invalid(Invalid::WrongSigner)
    );
    let release = world.release(&asked, (0, 1), None, |_| ());
    assert_eq!(
        state(&world, &[&release], release.id()),
        GrantState::Invalid(Invalid::MissingEmergency)
    );
    let genesis = world.genesis.clone();
    let of_nothing = world.release(&genesis, (0, 1), None, |_| ());
    assert_eq!(
        state(&world, &[&of_nothing], of_nothing.id()),
        GrantState::Invalid(Invalid::NotAnEmergency)
    );
    let mut bare = world.terms(1);
    bare.basis = Basis::Emergency;
    let signed = Body::Grant(bare).sign(Signer::Clinic(&world.clinics[0].key));
    let basis = SignedError::Codec(CodecError::OutOfBounds { what: "basis" });
    assert_eq!(signed, Err(basis));
}

#[test]
fn what_the_patient_has_forbidden_is_not_shown_until_the_patient_says_otherwise() {
    let mut world = World::new(5, 2);
    let asked = world.break_glass(1);
    let release = world.release(&asked, (0, 1), None, |_| ());
    let no = world.emergency_rule(1, false);
    let yes = world.emergency_rule(2, true);
    let same = world.emergency_rule(2, false);
    let ended = |by: &[&Verified<Statement>]| {
        let mut ids: Vec<StatementId> = by.iter().map(|one| one.id()).collect();
        ids.sort_unstable();
        GrantState::Revoked(ids)
    };
    // What has ended stays so, whatever is said later.
    for (rules, expected) in [
        (vec![&no], ended(&[&no])),
        (vec![&no, &yes], ended(&[&no])),
        (vec![&no, &yes, &same], ended(&[&no, &same])),
        (vec![&yes], GrantState::Valid),
    ] {
        let all = [vec![&asked, &release], rules].concat();
        assert_eq!(state(&world, &all, release.id()), expected);
    }
    // A release after it was allowed again names that.
    let later = world.release(&asked, (0, 1), None, |grant| {
        grant.frontier.push(yes.id());
        grant.frontier.sort_unstable();
    });
    for (rules, expected) in [
        (vec![&no, &yes], GrantState::Valid),
        (vec![&no, &yes, &same], ended(&[&same])),
    ] {
        let all = [vec![&asked, &later], rules].concat();
        assert_eq!(state(&world, &all, later.id()), expected);
    }
    let Body::EmergencyRule(rule) = no.body().clone() else {
        panic!()
    };
    let forged = Body::EmergencyRule(rule).sign(Signer::Clinic(&world.clinics[1].key));
    let forged = forged.unwrap();
    let all = [&asked, &release, &forged];
    assert_eq!(state(&world, &all, release.id()), GrantState::Valid);
    let decision = decided(&world, &all, NOW_MS);
    let refused: Vec<_> = decision.refused().collect();
    assert_eq!(refused, [(forged.id(), Invalid::WrongSigner)]);
}

#[test]
fn who_asks_tells_every_clinic_and_the_answer_is_for_who_asked() {
    let mut world = World::new(5, 4);
    let grant = world.grant(1, |_| ());
    let asked = world.break_glass(2);
    let [home, reader, asks, stranger] = [0, 1, 2, 3].map(|clinic| world.id(clinic));
    // Where the chart is not known.
    let mut bare = crate::ledger::Ledger::new(world.chart);
    bare.insert(asked.clone());
    let nothing_known = decide(&bare, &world.book(), NOW_MS);
    for other in [&home, &reader, &stranger] {
        assert!(nothing_known.shared(&asks, other, &asked.id()));
        assert!(nothing_known.shared(other, &asks, &asked.id()));
    }
    assert!(!nothing_known.shared(&home, &stranger, &asked.id()));
    // Where it is.
    let release = world.release(&asked, (0, 2), None, |_| ());
    let review = world.review(0, asked.id());
    let all = decided(&world, &[&grant, &asked, &release, &review], NOW_MS);
    assert!(all.shared(&home, &reader, &asked.id()));
    assert!(all.shared(&asks, &stranger, &asked.id()));
    assert!(!all.shared(&home, &stranger, &asked.id()));
    assert!(all.shared(&home, &asks, &release.id()));
    assert!(all.shared(&home, &asks, &world.genesis.id()));
    assert!(all.entitled(&asks, &review.id()) && all.shared(&home, &reader, &review.id()));
    assert!(!all.entitled(&stranger, &release.id()));
    // Who is refused hears that, too.
    let no = world.emergency_rule(1, false);
    let refused = decided(&world, &[&grant, &asked, &no], NOW_MS);
    assert!(!refused.allows_emergencies());
    for statement in [world.genesis.id(), no.id()] {
        assert!(refused.shared(&home, &asks, &statement));
        assert!(!refused.shared(&home, &stranger, &statement));
    }
    assert!(!refused.entitled(&asks, &grant.id()));
    // And nothing of what others have asked.
    let another = world.break_glass(3);
    let review = world.review(0, another.id());
    let both = decided(&world, &[&grant, &asked, &another, &review, &no], NOW_MS);
    for statement in [another.id(), review.id()] {
        assert!(!both.shared(&home, &asks, &statement));
        assert!(both.shared(&home, &stranger, &statement));
    }
}

#[test]
fn a_review_is_the_custodians_and_of_an_emergency() {
    let world = World::new(5, 3);
    let asked = world.break_glass(1);
    let by_other = world.review(1, asked.id());
    let of_nothing = world.review(0, world.genesis.id());
    let fine = world.review(0, asked.id());
    let decision = decided(&world, &[&asked, &by_other, &of_nothing, &fine], NOW_MS);
    let mut expected = [
        (by_other.id(), Invalid::WrongSigner),
        (of_nothing.id(), Invalid::NotAnEmergency),
    ];
    expected.sort_unstable();
    let refused: Vec<_> = decision.refused().collect();
    assert_eq!(refused, expected);
}

#[test]
fn an_emergency_names_a_clinician_and_a_reason_and_is_signed_by_who_asks() {
    let world = World::new(5, 3);
    let Body::BreakGlass(asked) = world.break_glass(1).body().clone() else {
        panic!()
    };
    let signed = |change: &dyn Fn(&mut BreakGlass), by: usize| {
        let mut asked = asked.clone();
        change(&mut asked);
        Body::BreakGlass(asked).sign(Signer::Clinic(&world.clinics[by].key))
    };
    assert!(signed(&|_| (), 1).is_ok());
    assert!(
        signed(&|_| (), 2).is_err(),
        "nobody asks for another clinic"
    );
    for text in [
        String::new(),
        "  ".to_owned(),
        "a\nb".to_owned(),
        "x".repeat(513),
    ] {
        assert!(signed(&|asked| asked.reason = text.clone(), 1).is_err());
        assert!(signed(&|asked| asked.clinician = text.clone(), 1).is_err());
    }
}

#[test]
fn the_code_vouches_for_one_asking_only() {
    let world = World::new(5, 2);
    let Body::BreakGlass(mut asked) = world.break_glass(1).body().clone() else {
        panic!()
    };
    assert!(!asked.has_code(&world.secret));
    let code = world.secret.emergency_code();
    asked.proof = Some(code.proof(&asked.chart, &asked.clinic, asked.at_ms));
    assert!(asked.has_code(&world.secret));
    asked.at_ms += 1;
    assert!(!asked.has_code(&world.secret));
}
