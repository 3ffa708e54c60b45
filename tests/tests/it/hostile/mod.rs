//! What nobody should send: files, commands and peers that mean no good or know no better.
//!
//! Whatever it is, it ends with a reason that a person can act on, nothing of it is stored, and
//! the node goes on.

mod circuits;
mod control;
mod corpus;
mod dialer;
mod files;
mod folder;
mod idle;
mod known_peers;
mod stranger_peers;
mod swaps;

use std::time::Duration;

use chartmesh_tests::Clinic;
use chartmesh_tests::wait::wait_until;

/// What a clinic holds: charts, items, and the ledgers' own count.
fn holdings(clinic: &Clinic) -> [u64; 4] {
    let status = clinic.json(&["status"]);
    let ledgers = clinic.json(&["consent", "verify"]);
    assert_eq!(ledgers["ok"], true, "{ledgers}");
    [
        &status["charts"],
        &status["items"],
        &ledgers["statements"],
        &ledgers["records"],
    ]
    .map(|count| {
        count
            .as_u64()
            .unwrap_or_else(|| panic!("{status} {ledgers}"))
    })
}

/// The daemon's log.
fn log(clinic: &Clinic) -> String {
    let log = std::fs::read_to_string(clinic.log_file()).unwrap();
    assert!(!log.contains("panicked"), "{log}");
    log
}

/// Waits until a line of the daemon's log, behind the first `from` bytes, has both texts: a peer
/// hears of its end a little earlier.
fn await_logged(clinic: &Clinic, from: usize, peer: &str, reason: &str) {
    let what = format!("{reason} in the log of {}", clinic.name());
    let told = |line: &str| line.contains(peer) && line.contains(reason);
    wait_until(&what, Duration::from_secs(30), || {
        log(clinic)[from..].lines().any(told)
    });
}
