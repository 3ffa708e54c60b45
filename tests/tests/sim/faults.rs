//! Faults planted on purpose: each has to be found within some seeds, or the invariant that it
//! breaks is not really checked. Nothing of the product is changed; the harness does to one clinic
//! what a mistake in it would do.

use crate::broken::Invariant;
use crate::plan::Plan;
use crate::run;

/// A mistake that one clinic makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It acknowledges a record and does not store it.
    AcksUnstored,
    /// It lacks one record and says the same digests as if it had it.
    HidesWhatItLacks,
    /// It sends what another clinic may have.
    ServesAnothersPart,
    /// It signs wider grants than it was told to.
    GrantsTooMuch,
    /// It grants the past where the patient said from now on.
    GrantsThePast,
    /// After a power cut it begins at an older state, and says nothing of it.
    LosesLastWrites,
    /// It decides conflicts by itself.
    DecidesConflicts,
    /// It seals under old keys after a revocation.
    KeepsOldKeys,
}

/// Seeds within which a fault has to be found.
const SEEDS: u64 = 60;

/// Looks for it from a seed on that has shown it soon.
fn is_found(fault: Fault, first: u64, by: &[Invariant]) {
    for seed in first..first + SEEDS {
        let plan = Plan::of(seed);
        let outcome = run::play(&plan, Some((fault, 0)));
        if let Err(broken) = outcome.result {
            assert!(
                by.contains(&broken.invariant),
                "{fault:?} with seed {seed} shows as another invariant: {broken}\n{}",
                outcome.last
            );
            println!("{fault:?}: found with seed {seed}, {broken}");
            return;
        }
    }
    panic!("{fault:?} is not found in {SEEDS} seeds");
}

#[test]
fn a_clinic_that_acknowledges_what_it_does_not_store_is_found() {
    is_found(Fault::AcksUnstored, 0, &[Invariant::Durable]);
}

#[test]
fn a_clinic_that_pretends_to_hold_what_it_lacks_is_found() {
    let by = [
        Invariant::Convergence,
        Invariant::Shown,
        Invariant::Attribution,
    ];
    is_found(Fault::HidesWhatItLacks, 0, &by);
}

#[test]
fn a_clinic_that_sends_what_another_one_may_have_is_found() {
    is_found(Fault::ServesAnothersPart, 0, &[Invariant::Consent]);
}

#[test]
fn a_grant_that_is_wider_than_the_patient_said_is_found() {
    is_found(Fault::GrantsTooMuch, 0, &[Invariant::Consent]);
}

#[test]
fn a_grant_that_opens_the_past_against_the_patients_word_is_found() {
    is_found(Fault::GrantsThePast, 0, &[Invariant::Consent]);
}

#[test]
fn a_store_that_loses_acknowledged_writes_in_a_power_cut_is_found() {
    is_found(Fault::LosesLastWrites, 24, &[Invariant::Durable]);
}

#[test]
fn a_clinic_that_decides_conflicts_by_itself_is_found() {
    is_found(Fault::DecidesConflicts, 19, &[Invariant::Shown]);
}

#[test]
fn a_clinic_that_seals_under_old_keys_after_a_revocation_is_found() {
    is_found(Fault::KeepsOldKeys, 3, &[Invariant::Revocation]);
}
