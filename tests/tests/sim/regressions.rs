//! What the simulators have found in the product, as stories of a few steps.
//!
//! Plans change when the drawing of them does; a seed then stands for something else. So each find
//! has a test of its own beside what was wrong, too. One find has only that: statements that a
//! comparison of sets finds came in any order, keys ahead of the revocations that they were made
//! for (`protocol/src/sync/tests/sets.rs`); the seed that showed it has another plan now.

use crate::plan::{HOUR_MS, Mishap, Plan, Step, Terms, Trouble};
use crate::run;

const ALL: Terms = Terms {
    chart: 0,
    by_home: true,
    by: 0,
    to: 1,
    compartments: &["all"],
    rights: &["read", "write"],
    from_now_on: false,
    for_ms: None,
};

fn holds(skews: &[i64], steps: &[(u64, Step)]) {
    let plan = Plan {
        seed: 0,
        skews: skews.to_vec(),
        acquainted: vec![(1, 2)],
        steps: [&[(0, Step::Register { at: 0 })], steps].concat(),
    };
    let outcome = run::play(&plan, None);
    assert_eq!(outcome.result, Ok(()), "{}", outcome.last);
}

fn stick(from: usize, to: usize) -> Step {
    Step::Stick {
        from,
        to,
        mishap: Mishap::None,
        everything: false,
    }
}

fn at_home(trouble: Trouble) -> Step {
    Step::Machine { at: 0, trouble }
}

fn write(at: usize, kind: usize) -> Step {
    let chart = 0;
    Step::Write { at, chart, kind }
}

/// The key of a compartment that the grantee began was for readers only, and it was none any more:
/// home refused the record, and every session with it.
#[test]
fn a_grantee_begins_a_compartment_and_its_grant_ends_before_they_meet_again() {
    let ends = Terms {
        for_ms: Some(HOUR_MS),
        ..ALL
    };
    let coverage = 3;
    let steps = [
        (10, Step::Grant(ends)),
        (10, stick(0, 1)),
        (10, write(1, coverage)),
        (2 * HOUR_MS, write(0, coverage)),
    ];
    holds(&[0, 0, 0], &steps);
}

/// A clinic that is opened anew forgot what a peer had told of the time: by its own slow clock the
/// grant that it had signed had not begun.
#[test]
fn a_clinic_with_a_slow_clock_grants_by_the_time_of_a_peer_and_is_restarted() {
    let join = Step::Join {
        one: 0,
        other: 2,
        weather: crate::link::Weather::CALM,
        for_ms: 100,
    };
    let steps = [
        (10, join),
        (200, Step::Grant(ALL)),
        (10, at_home(Trouble::Kill)),
        (10, write(0, 5)),
    ];
    let hours = 3_600_000;
    holds(&[-8 * hours, 0, 8 * hours], &steps);
}

/// A grant of everything after one "from now on" did not open the past.
#[test]
fn a_grant_of_all_follows_one_from_now_on() {
    let from_now_on = Terms {
        from_now_on: true,
        compartments: &["messages"],
        ..ALL
    };
    let steps = [
        (10, write(0, 5)),
        (10, Step::Grant(from_now_on)),
        (10, stick(0, 1)),
        (10, write(0, 0)),
        (10, Step::Grant(ALL)),
        (10, write(0, 5)),
    ];
    holds(&[0, 0, 0], &steps);
}

/// A grant was refused where the clock is slow.
#[test]
fn a_grant_is_passed_on_by_a_clinic_whose_clock_is_hours_slow() {
    let share = Terms {
        rights: &["read", "share"],
        ..ALL
    };
    let passed_on = Terms {
        by_home: false,
        by: 1,
        to: 2,
        rights: &["read"],
        ..ALL
    };
    let steps = [
        (10, Step::Grant(share)),
        (10, stick(0, 1)),
        (10, Step::Grant(passed_on)),
        (10, write(0, 5)),
    ];
    let hours = 3_600_000;
    holds(&[5 * hours, -5 * hours, 0], &steps);
}

/// A home that is put back heard of a grant, and paid keys that were made after its end, before it
/// heard of the revocation behind it.
#[test]
fn a_home_that_is_put_back_waits_for_all_that_a_peer_has_to_tell() {
    let to = |to| Step::Grant(Terms { to, ..ALL });
    let steps = [
        (10, to(1)),
        (10, to(2)),
        (10, at_home(Trouble::BackUp)),
        (10, to(3)),
        (10, stick(0, 1)),
        (10, stick(0, 2)),
        (10, Step::Revoke { grant: 2 }),
        (10, stick(0, 1)),
        (10, stick(0, 2)),
        (10, Step::Revoke { grant: 0 }),
        (10, write(1, 3)),
        (10, stick(1, 0)),
        (10, stick(0, 1)),
        (10, at_home(Trouble::Restore)),
    ];
    holds(&[0, 0, 0, 0], &steps);
}
