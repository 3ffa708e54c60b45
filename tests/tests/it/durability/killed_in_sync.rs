//! `kill -9` of either side while two clinics sync: what the receiver acknowledged it holds, and
//! both end up with the same.

use std::path::PathBuf;
use std::time::Duration;

use chartmesh_tests::run::spawn;
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, introduce};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::assert_healthy;
use super::moment::{catch, journal_bytes};
use super::visits::Visits;
use crate::PROGRAM;

const KILLS: u64 = 10;
const PATIENTS: usize = 3;
/// Visits that are imported in one round, and the size of each.
const VISITS: usize = 20;
const NOTE_BYTES: usize = 2500;
const DEADLINE: Duration = Duration::from_secs(60);

/// Items that a clinic holds, and how many of them its one peer has not acknowledged.
fn items(clinic: &Clinic) -> (u64, u64) {
    let status = clinic.json(&["status"]);
    let owed = &status["peers"][0]["owed_out"];
    (status["items"].as_u64().unwrap(), owed.as_u64().unwrap())
}

fn exports(clinic: &Clinic) -> Vec<String> {
    (0..PATIENTS)
        .map(|patient| clinic.export(&format!("visitor-{patient}")))
        .collect()
}

/// Both are connected and have compared their stores.
fn converge(home: &Clinic, other: &Clinic) {
    wait_until("both to be in sync", DEADLINE, || {
        let synced = home.cli(&["sync", "now"]).code == Some(0);
        synced && items(home).1 == 0
    });
    let (here, there) = (exports(home), exports(other));
    assert!(here == there, "the exports differ after a sync");
}

/// A home clinic whose patients have all granted everything to another, both in sync, and both
/// stopped. Returns also by how many items their stores differ.
fn two_clinics(visits: &mut Visits) -> (Clinic, Clinic, u64) {
    let mut home = Clinic::create(PROGRAM, "Hill Clinic");
    let mut other = Clinic::create(PROGRAM, "River Hospital");
    home.start();
    other.start();
    introduce(&home, &other);
    for patient in 0..PATIENTS {
        let file = visits.next(&home, patient, 10);
        home.ok(&[PathBuf::from("import"), file]);
    }
    let to = other.id();
    let all = ["--compartments", "all", "--rights", "read,write"];
    let grant = ["consent", "grant", "--patient", "all", "--to", to.as_str()];
    home.ok(&[&grant[..], &all[..]].concat());
    converge(&home, &other);
    let differ = items(&home).0 - items(&other).0;
    home.stop();
    other.stop();
    (home, other, differ)
}

#[test]
fn ten_kills_during_sync_lose_nothing_acknowledged_and_both_converge() {
    let mut visits = Visits::new(31);
    let mut rng = ChaCha8Rng::seed_from_u64(31);
    let (mut home, mut other, differ) = two_clinics(&mut visits);
    let mut halfway = 0;
    for round in 1..=KILLS {
        home.start();
        other.start();
        converge(&home, &other);
        let mut import = home.command();
        import.arg("import");
        for number in 0..VISITS {
            import.arg(visits.next(&home, number % PATIENTS, NOTE_BYTES));
        }
        // What is imported is pushed as it is saved; a note's digits take half their length.
        let some = (VISITS * NOTE_BYTES) as u64 * rng.random_range(1..=60) / 100;
        let grown = journal_bytes(&other) + some;
        let scratch = home.scratch();
        let mut importing = spawn(&mut import, &scratch.join("out"), &scratch.join("err"));
        catch("the receiver's journal to grow", || {
            journal_bytes(&other) >= grown
        });
        // The receiver in one round, the sender in the next.
        if round % 2 == 0 {
            home.kill9();
            other.stop();
        } else {
            other.kill9();
            importing.wait().unwrap();
            home.stop();
        }
        // It ends by itself, with or without its node.
        importing.wait().unwrap();
        let (sent, owed) = items(&home);
        // Alone, so that it has only what it had.
        other.start();
        let (received, _) = items(&other);
        let acknowledged = sent - owed;
        assert!(
            received + differ >= acknowledged,
            "round {round}: of {sent} items {acknowledged} were acknowledged, {received} are there"
        );
        halfway += u64::from(received + differ < sent);

        home.start();
        assert_healthy(&home);
        assert_healthy(&other);
        converge(&home, &other);
        assert_eq!(items(&home).0, items(&other).0 + differ, "round {round}");
        home.stop();
        other.stop();
    }
    eprintln!("{KILLS} kills, {halfway} of them before everything was over");
    assert!(halfway >= KILLS / 2, "only {halfway} kills came in time");
    let visited = home.export("visitor-0").matches("\"Observation\"").count();
    assert!(visited > VISITS, "{visited}");
}
