//! Whole networks of clinics, 3 to 50 of them, simulated in one thread from a seed.
//!
//! ```text
//! cargo test -p chartmesh-tests --test sim         some seeds, and the planted faults
//!
//! CHARTMESH_SIM_SEED=17 cargo test -p chartmesh-tests --test sim replay -- --nocapture
//!                                                  that one; with CHARTMESH_SIM_SHRINK=1 the
//!                                                  fewest of its steps that still fail
//!
//! CHARTMESH_SIM_FIRST=$(date +%s)00000 CHARTMESH_SIM_RUNS=50000 \
//!     cargo test -p chartmesh-tests --test sim networks
//!                                                  a night's worth, of new seeds
//! ```
//!
//! A seed stands for a [`plan`]: who knows whom, whose clock is wrong by how much, and some dozens
//! of steps. Patients are registered; visits are written; two clinics write over the same element
//! or the same allergy; scans are attached; a person decides a conflict; grants of all kinds are
//! given, passed on, end by themselves or are revoked; what is due is compacted. Clinics are joined
//! by links with a rate,
//! a delay and a loss, which are cut, so that both ends notice or in silence; sticks are carried,
//! and their files lost, cut short, damaged, read twice and in the wrong order; clinics are closed
//! and opened, lose their power in the middle of an entry of the journal, or are put back to a
//! backup; clocks are set by hours. At last all links are whole, everybody meets everybody until
//! nothing is sent any more, and every invariant is checked; those that can be checked at once are
//! checked with each item that leaves a clinic or that one says to hold. See [`invariants`].
//!
//! # What is real
//!
//! The clinics ([`chartmesh::clinic::Clinic`]) with their stores, in folders in memory, and their
//! keys; what a person does goes through the same methods as the command line's. The sessions, and
//! the [`chartmesh::net::Conversation`] that carries out for them what the daemon has carried out.
//! The files on a stick.
//!
//! # What is simulated
//!
//! Time, chance, the streams between nodes (libp2p's: bytes in order, or not at all), the dialling,
//! and the machines that fail. A store has a thread that writes; nothing that is logged depends on
//! when it does, and one test holds two runs of a seed against each other.
//!
//! What has to be so is kept beside the clinics, in [`expected`], and not asked of them.
//!
//! # Whether it finds anything
//!
//! Eight mistakes are planted, one at a time, each in the harness, and each has to be found:
//! [`faults`]. What it has found in the product is kept as [`regressions`].

mod broken;
mod expected;
mod faults;
mod fhir;
mod invariants;
mod link;
mod log;
mod meeting;
mod mishap;
mod plan;
mod play;
mod regressions;
mod run;
mod shrink;
mod site;
mod stick;
mod watched;
mod world;
mod write;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use plan::Plan;

/// Runs where nobody asks for more: some seconds.
const RUNS: u64 = 30;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let parsed = text.parse();
    Some(parsed.unwrap_or_else(|_| panic!("{name} is a number, and not {text:?}")))
}

/// Plays a seed; what is wrong, with what happened before and how to see it again.
fn fault_of(seed: u64) -> Option<String> {
    let outcome = run::play(&Plan::of(seed), None);
    let broken = outcome.result.err()?;
    Some(format!(
        "{}\nseed {seed}: {broken}\n\nTo see it again:\n    CHARTMESH_SIM_SEED={seed} cargo test \
         -p chartmesh-tests --test sim replay -- --nocapture\n",
        outcome.last
    ))
}

#[test]
fn networks_of_clinics_hold_the_invariants() {
    let first = number("CHARTMESH_SIM_FIRST").unwrap_or(0);
    let last = first + number("CHARTMESH_SIM_RUNS").unwrap_or(RUNS);
    let next = AtomicU64::new(first);
    let faults = Mutex::new(Vec::new());
    let threads = thread::available_parallelism().map_or(1, |count| count.get());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= last {
                        return;
                    }
                    let fault = fault_of(seed);
                    faults.lock().unwrap().extend(fault);
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    let count = faults.len();
    assert!(
        faults.is_empty(),
        "{count} runs fail:\n{}",
        faults.join("\n")
    );
    println!("{} runs, from seed {first}", last - first);
}

#[test]
fn replay() {
    let seed = number("CHARTMESH_SIM_SEED").unwrap_or(0);
    if number("CHARTMESH_SIM_SHRINK").is_some() {
        println!("{}", shrink::fewest_steps(&Plan::of(seed)));
    }
    let outcome = run::play(&Plan::of(seed), None);
    println!("{}", outcome.last);
    assert_eq!(outcome.result, Ok(()), "seed {seed}");
}

#[test]
fn two_runs_of_one_seed_are_the_same() {
    for seed in [3, 17] {
        let [one, again] = [(); 2].map(|()| run::play(&Plan::of(seed), None));
        assert!(one.last.lines().count() > 40);
        assert_eq!(one.last, again.last, "seed {seed}");
        assert_eq!(one.digest, again.digest, "seed {seed}");
    }
}
