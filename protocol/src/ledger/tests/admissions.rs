//! What was held and is to count.

use crate::codec::CodecError;
use crate::id::RecordId;
use crate::identity::SignedError;
use crate::ledger::{Body, CompartmentName, Held, Invalid, Signer, Verdict, decide, judge};
use crate::limits::MAX_ADMITTED;
use crate::world::{NOW_MS, World};

const SUMMARY: CompartmentName = CompartmentName::Summary;
const CLINICAL: CompartmentName = CompartmentName::Clinical;

#[test]
fn what_the_custodian_admits_counts_and_what_it_builds_on_and_nothing_else() {
    let mut world = World::new(4, 2);
    let grant = world.grant(1, |_| ());
    let mut pen = world.pen(1, &SUMMARY);
    let first = pen.write("first", &[]);
    let second = pen.write("second", &[&first]);
    let third = pen.write("third", &[&second]);
    let revocation = world.revoke(&grant, &[]);
    let admission = world.admit(0, &[&second]);
    let records = [first.clone(), second.clone(), third.clone()];
    let verdicts = |statements: &[&_]| {
        let judgement = judge(&world.ledger(statements), &world.book(), &records);
        [&first, &second, &third].map(|record| judgement.verdicts[&record.id])
    };
    let held = Verdict::Held(Held::AfterRevocation);
    assert_eq!(verdicts(&[&grant, &revocation]), [held; 3]);
    assert_eq!(
        verdicts(&[&grant, &revocation, &admission]),
        [Verdict::Counts, Verdict::Counts, held]
    );
}

#[test]
fn only_the_custodian_admits_and_only_in_the_compartment_that_it_names() {
    let mut world = World::new(4, 3);
    let stranger = world.pen(2, &SUMMARY).write("stranger", &[]);
    let grant = world.grant(1, |_| ());
    let by_other = world.admit(1, &[&stranger]);
    let mut elsewhere = stranger.clone();
    elsewhere.compartment = CLINICAL;
    let of_other = world.admit(0, &[&elsewhere]);
    for (admission, reason) in [(&by_other, Some(Invalid::WrongSigner)), (&of_other, None)] {
        let ledger = world.ledger(&[&grant, admission]);
        let judgement = judge(&ledger, &world.book(), std::slice::from_ref(&stranger));
        let held = Verdict::Held(Held::NoRight);
        assert_eq!(judgement.verdicts[&stranger.id], held);
        let decision = decide(&ledger, &world.book(), NOW_MS);
        let refused: Vec<_> = decision.refused().collect();
        let expected: Vec<_> = reason
            .into_iter()
            .map(|one| (admission.id(), one))
            .collect();
        assert_eq!(refused, expected);
    }
}

#[test]
fn an_admission_gives_no_right_to_write() {
    let world = World::new(4, 3);
    let stranger = world.pen(2, &SUMMARY).write("stranger", &[]);
    let admission = world.admit(0, &[&stranger]);
    let decision = decide(&world.ledger(&[&admission]), &world.book(), NOW_MS);
    assert!(!decision.may_write(&world.id(2), &SUMMARY));
    assert!(!decision.entitled(&world.id(2), &admission.id()));
}

#[test]
fn of_two_records_in_one_place_the_admitted_one_stays() {
    let mut world = World::new(4, 2);
    let grant = world.grant(1, |_| ());
    let one = world.pen(1, &SUMMARY).write("one", &[]);
    let other = world.pen(1, &SUMMARY).write("other", &[]);
    let revocation = world.revoke(&grant, &[]);
    let records = [one.clone(), other.clone()];
    for (kept, lost) in [(&one, &other), (&other, &one)] {
        let admission = world.admit(0, &[kept]);
        let ledger = world.ledger(&[&grant, &revocation, &admission]);
        let verdicts = judge(&ledger, &world.book(), &records).verdicts;
        assert_eq!(verdicts[&kept.id], Verdict::Counts);
        assert_ne!(verdicts[&lost.id], Verdict::Counts);
    }
}

#[test]
fn an_admission_of_nothing_or_of_too_much_is_not_signed() {
    let world = World::new(4, 1);
    let record = world.pen(0, &SUMMARY).write("one", &[]);
    let admission = world.admit(0, &[&record]).into_payload().body().clone();
    let Body::Admission(admission) = admission else {
        panic!()
    };
    let many = |count: u32| -> Vec<RecordId> {
        let id = |number: u32| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            RecordId::new(bytes)
        };
        (0..count).map(id).collect()
    };
    let most = u32::try_from(MAX_ADMITTED).unwrap();
    let twice = [many(2), many(2)].concat();
    for (records, fits) in [
        (many(most), true),
        (many(most + 1), false),
        (Vec::new(), false),
        (twice, false),
    ] {
        let mut admission = admission.clone();
        admission.records = records;
        let signed = Body::Admission(admission).sign(Signer::Clinic(&world.clinics[0].key));
        let out_of_bounds = matches!(
            signed,
            Err(SignedError::Codec(CodecError::OutOfBounds { .. }))
        );
        assert_eq!(out_of_bounds, !fits);
    }
}
