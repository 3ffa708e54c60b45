//! The moment of a kill: chosen by a seed, waited for by what can be seen from outside.

use std::time::{Duration, Instant};

use chartmesh_tests::Clinic;

/// How often to look: a journal write and its sync take about a millisecond.
const POLL: Duration = Duration::from_micros(200);
const DEADLINE: Duration = Duration::from_secs(60);

/// Bytes of a clinic's journal.
pub(super) fn journal_bytes(clinic: &Clinic) -> u64 {
    let Ok(files) = std::fs::read_dir(clinic.dir().join("journal")) else {
        return 0;
    };
    files
        .map(|file| file.unwrap())
        .filter(|file| file.path().extension().is_some_and(|end| end == "log"))
        .map(|file| file.metadata().unwrap().len())
        .sum()
}

/// Waits as [`chartmesh_tests::wait`] does, and looks more often.
pub(super) fn catch(what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(
            begun.elapsed() < DEADLINE,
            "waited {DEADLINE:?} in vain for {what}"
        );
        std::thread::sleep(POLL);
    }
}
