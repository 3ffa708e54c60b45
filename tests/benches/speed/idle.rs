//! The memory of a daemon that has nothing to do.

use std::time::Duration;

use chartmesh_tests::Clinic;
use chartmesh_tests::wait::wait_until;

use super::invented;

const CHARTS: usize = 1_000;
/// How many looks in a row must find the same size, within one percent and 10 ms apart: two
/// seconds of quiet.
const QUIET_LOOKS: u32 = 200;

/// Prints the resident memory of a restarted daemon with 1,000 charts.
pub(crate) fn measure() {
    let mut clinic = Clinic::create(env!("CARGO_BIN_EXE_chartmesh-under-test"), "Idle");
    let folder = invented::charts(CHARTS);
    clinic.ok(&["import".as_ref(), folder.path()]);
    clinic.start();
    let (mut size, mut looks) = (0, 0);
    wait_until("the daemon to settle", Duration::from_secs(60), || {
        let now = resident_kib(&mut clinic);
        if now.abs_diff(size) > size / 100 {
            (size, looks) = (now, 0);
        }
        looks += 1;
        looks >= QUIET_LOOKS
    });
    let found = clinic.json(&["patient", "search"]);
    assert_eq!(found.as_array().map(Vec::len), Some(CHARTS));
    let after = resident_kib(&mut clinic);
    println!(
        "idle_daemon_of_1000: {:.1} MB resident, {:.1} MB after listing all patients",
        megabytes(size),
        megabytes(after)
    );
    clinic.stop();
}

fn resident_kib(clinic: &mut Clinic) -> u32 {
    let id = clinic.daemon().unwrap().id();
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.unwrap().parse().unwrap()
}

fn megabytes(kib: u32) -> f64 {
    f64::from(kib) * 1024.0 / 1e6
}
