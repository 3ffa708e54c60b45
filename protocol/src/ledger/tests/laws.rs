//! The laws of the ledger: what is decided depends on sets, never on order.
//!
//! `CHARTMESH_PROPTEST_CASES` sets the number of cases of the law of order; the others, which
//! decide for every clinic or pair of clinics, run a tenth of it.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::Config;

use super::history::{CLINICS, Chart, NAMES, step};
use crate::id::StatementId;
use crate::identity::Verified;
use crate::ledger::{Decision, RecordFacts, Signer, Statement, judge};
use crate::seal::Keyring;

pub(super) fn cases() -> u32 {
    let cases = std::env::var("CHARTMESH_PROPTEST_CASES");
    cases.ok().and_then(|text| text.parse().ok()).unwrap_or(256)
}

pub(super) fn config(cases: u32) -> Config {
    Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    }
}

proptest! {
    #![proptest_config(config(cases()))]

    #[test]
    fn decisions_and_judgements_do_not_depend_on_order(
        (steps, order, again) in (prop::collection::vec(step(), 0..40), any::<u64>(), any::<u64>())
    ) {
        let chart = Chart::of(&steps);
        let straight = chart.ledger(&chart.statements);
        let shuffled = shuffle(&chart.statements, order);
        let other = chart.ledger(&shuffled);
        prop_assert_eq!(&straight, &other);
        prop_assert_eq!(chart.decide(&straight), chart.decide(&other));

        let mut records = shuffle(&chart.records, again);
        records.extend(chart.records.iter().take(2).cloned());
        let book = chart.world.book();
        prop_assert_eq!(judge(&straight, &book, &chart.records), judge(&other, &book, &records));
    }

}

proptest! {
    #![proptest_config(config(cases().div_ceil(10).max(100)))]

    #[test]
    fn ledgers_that_grow_apart_and_merge_agree(
        (steps, order, cut) in (prop::collection::vec(step(), 1..30), any::<u64>(), any::<Index>())
    ) {
        let chart = Chart::of(&steps);
        let shuffled = shuffle(&chart.statements, order);
        let (left, right) = shuffled.split_at(cut.index(shuffled.len()));
        let (left, right) = (chart.ledger(left), chart.ledger(right));
        let (mut one, mut two) = (left.clone(), right.clone());
        one.merge(&right);
        two.merge(&left);
        prop_assert_eq!(&one, &two);
        let before = one.clone();
        one.merge(&two);
        prop_assert_eq!(&one, &before);
        prop_assert_eq!(&one, &chart.ledger(&chart.statements));
    }

    #[test]
    fn what_does_not_count_changes_no_right(steps in prop::collection::vec(step(), 0..30)) {
        let chart = Chart::of(&steps);
        let whole = chart.decide(&chart.ledger(&chart.statements));
        let refused: Vec<StatementId> = whole.refused().map(|(id, _)| id).collect();
        let kept = chart.statements.iter().filter(|one| !refused.contains(&one.id()));
        let clean = chart.decide(&chart.ledger(kept));
        for name in &NAMES {
            prop_assert_eq!(whole.readers(name), clean.readers(name));
            prop_assert_eq!(whole.writers(name), clean.writers(name));
        }
        prop_assert_eq!(clean.refused().count(), 0);
    }

    #[test]
    fn a_revocation_never_gives_a_right(
        (steps, grant) in (prop::collection::vec(step(), 1..30), any::<Index>())
    ) {
        let chart = Chart::of(&steps);
        let before = chart.decide(&chart.ledger(&chart.statements));
        if let Some((id, _)) = chart.a_grant(&grant) {
            let body = chart.world.revocation(id, &[]);
            let revocation = body.sign(Signer::Patient(&chart.world.patient)).unwrap();
            let after = chart.statements.iter().chain([&revocation]);
            let after = chart.decide(&chart.ledger(after));
            for name in &NAMES {
                prop_assert!(after.readers(name).is_subset(&before.readers(name)));
                prop_assert!(after.writers(name).is_subset(&before.writers(name)));
            }
        }
    }

    #[test]
    fn nobody_but_a_reader_opens_what_is_sealed_now(
        steps in prop::collection::vec(step(), 0..40)
    ) {
        let chart = Chart::of(&steps);
        let ledger = chart.ledger(&chart.statements);
        let decision = chart.decide(&ledger);
        for name in &NAMES {
            let Some(sealing) = decision.sealing_epoch(name) else { continue };
            for clinic in chart.world.clinics {
                let epochs = ledger.epochs().map(|(_, epoch)| epoch);
                let epochs = epochs.filter(|epoch| epoch.compartment == *name);
                let ring = Keyring::open(epochs, &clinic.id(), &clinic.sealing);
                let opens = ring.get(&sealing.epoch()).is_some();
                prop_assert!(!opens || decision.may_read(&clinic.id(), name));
            }
        }
    }

    #[test]
    fn a_clinic_judges_its_own_part_of_the_ledger_as_the_custodian_does(
        steps in prop::collection::vec(step(), 0..40)
    ) {
        let chart = Chart::of(&steps);
        let whole = chart.decide(&chart.ledger(&chart.statements));
        for index in 1..usize::from(CLINICS) {
            let clinic = chart.world.id(index);
            let part: Vec<_> =
                chart.statements.iter().filter(|one| whole.entitled(&clinic, &one.id())).collect();
            let own = chart.decide(&chart.ledger(part.iter().copied()));
            for one in &part {
                prop_assert!(own.entitled(&clinic, &one.id()));
            }
            for name in NAMES.iter().filter(|name| whole.may_read(&clinic, name)) {
                prop_assert_eq!(own.readers(name), whole.readers(name));
                prop_assert_eq!(own.writers(name), whole.writers(name));
                let mine = |record: &&RecordFacts| record.compartment == *name;
                let records: Vec<_> = chart.records.iter().filter(mine).cloned().collect();
                let book = chart.world.book();
                let here = judge(&chart.ledger(part.iter().copied()), &book, &records);
                let there = judge(&chart.ledger(&chart.statements), &book, &records);
                prop_assert_eq!(here, there);
            }
        }
    }

    #[test]
    fn two_clinics_name_the_same_statements_to_settle(
        steps in prop::collection::vec(step(), 0..40)
    ) {
        let chart = Chart::of(&steps);
        let whole = chart.decide(&chart.ledger(&chart.statements));
        let all = 0..usize::from(CLINICS);
        let clinics: Vec<_> = all.map(|index| chart.world.id(index)).collect();
        let parts: Vec<(Vec<StatementId>, Decision)> = clinics
            .iter()
            .map(|clinic| {
                let mine = |one: &&Verified<Statement>| whole.entitled(clinic, &one.id());
                let part: Vec<_> = chart.statements.iter().filter(mine).collect();
                let decision = chart.decide(&chart.ledger(part.iter().copied()));
                (part.iter().map(|one| one.id()).collect(), decision)
            })
            .collect();
        for (one, (ones, one_decides)) in clinics.iter().zip(&parts) {
            for (other, (others, other_decides)) in clinics.iter().zip(&parts) {
                let here: Vec<_> =
                    ones.iter().filter(|id| one_decides.shared(one, other, id)).collect();
                let there: Vec<_> =
                    others.iter().filter(|id| other_decides.shared(other, one, id)).collect();
                prop_assert_eq!(here, there);
            }
        }
    }
}

/// The same things in another order, which follows from the seed.
fn shuffle<T: Clone>(things: &[T], seed: u64) -> Vec<T> {
    let key = |place: usize| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.update(&place.to_le_bytes());
        *hasher.finalize().as_bytes()
    };
    let mut places: Vec<usize> = (0..things.len()).collect();
    places.sort_by_key(|place| key(*place));
    places
        .into_iter()
        .map(|place| things[place].clone())
        .collect()
}
