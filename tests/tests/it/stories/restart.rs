//! Daemons end and come back.

use std::path::Path;

use chartmesh_tests::scan::files_below;
use chartmesh_tests::{Clinic, bundle, introduce};
use serde_json::json;

use super::{running, shared_with};
use crate::PROGRAM;

/// Both sides dial after a restart, in any order: some of the orders are rare.
const ROUNDS: usize = 6;

#[test]
fn a_sync_is_answered_however_the_daemons_find_each_other_again() {
    let [mut a, mut b] = running(["Hill Clinic", "River Hospital"]);
    introduce(&a, &b);
    shared_with(&a, &b);
    for _ in 0..ROUNDS {
        b.stop();
        b.start();
        a.stop();
        a.start();
        a.sync();
        // One side alone is new: the other one dials as well, and one connection is given up.
        b.stop();
        b.start();
        a.sync();
    }
}

#[test]
fn an_unchanged_reconnect_costs_one_round_trip_and_256_bytes() {
    let [mut a, mut b] = running(["Hill Clinic", "River Hospital"]);
    introduce(&a, &b);
    shared_with(&a, &b);
    a.sync();
    b.sync();
    a.stop();
    b.stop();
    b.start();
    a.start();
    // The first comparison of a connection says who is who, the second one does not.
    for _ in 0..2 {
        costs_next_to_nothing(&a);
    }
    costs_next_to_nothing(&b);
}

#[test]
fn a_node_that_was_told_no_address_keeps_the_port_that_it_drew() {
    let mut clinic = Clinic::create(PROGRAM, "Hill Clinic");
    std::fs::remove_dir_all(clinic.dir()).unwrap();
    clinic.ok(&["init", "--name", "Hill Clinic"]);
    let listens = |clinic: &mut Clinic| {
        clinic.start();
        let addresses = clinic.run_file().unwrap()["listen"].clone();
        clinic.stop();
        addresses
    };
    let first = listens(&mut clinic);
    assert!(!first.as_array().unwrap().is_empty());
    assert_eq!(listens(&mut clinic), first);
}

fn costs_next_to_nothing(clinic: &Clinic) {
    let reports = clinic.sync();
    let [report] = reports.as_slice() else {
        panic!("one peer is expected: {reports:?}")
    };
    assert_eq!(report["tier"], "cursor", "{report}");
    assert_eq!(report["round_trips"], 1, "{report}");
    for direction in ["bytes_sent", "bytes_received"] {
        let bytes = report[direction].as_u64().unwrap();
        assert!(0 < bytes && bytes <= 256, "{report}");
    }
    for what in ["records_sent", "records_received", "owed_in", "owed_out"] {
        assert_eq!(report[what], 0, "{report}");
    }
}

#[test]
fn what_was_saved_while_a_clinic_was_away_reaches_it_when_it_is_back() {
    let [a, mut b] = running(["Hill Clinic", "River Hospital"]);
    introduce(&a, &b);
    let shared = shared_with(&a, &b);
    a.sync();
    b.kill9();
    shared.note(&a, "n1", "seen while the hospital was away");
    b.start();
    shared.wait_for(&b, "Observation/n1");
}

#[test]
fn a_node_put_back_from_a_backup_gets_what_it_lost_at_the_first_sync() {
    let [mut a, b] = running(["Hill Clinic", "River Hospital"]);
    introduce(&a, &b);
    let shared = shared_with(&a, &b);
    a.sync();
    a.stop();
    let backup = a.scratch().join("backup");
    copy_folder(&a.dir(), &backup);
    a.start();
    for number in 0..5 {
        shared.note(&a, &format!("lost{number}"), "written after the backup");
    }
    shared.wait_for(&b, "Observation/lost4");
    a.stop();
    std::fs::remove_dir_all(a.dir()).unwrap();
    copy_folder(&backup, &a.dir());
    a.start();
    a.sync();
    shared.wait_for(&a, "Observation/lost4");
    // What it writes now follows what it had written, and nobody takes one for the other.
    shared.note(&a, "later", "written after the backup was put back");
    shared.wait_for(&b, "Observation/later");
    let resources = |clinic: &Clinic| bundle::resources(&clinic.export(&shared.chart));
    assert_eq!(resources(&a), resources(&b));
}

#[test]
fn a_node_put_back_from_a_backup_may_write_before_it_meets_anybody() {
    let [mut a, b] = running(["Hill Clinic", "River Hospital"]);
    introduce(&a, &b);
    let shared = shared_with(&a, &b);
    a.sync();
    a.stop();
    let backup = a.scratch().join("backup");
    copy_folder(&a.dir(), &backup);
    a.start();
    shared.note(&a, "lost", "written after the backup");
    shared.wait_for(&b, "Observation/lost");
    a.stop();
    std::fs::remove_dir_all(a.dir()).unwrap();
    copy_folder(&backup, &a.dir());
    // Without a daemon: nobody can tell it what it had written.
    shared.note(&a, "at-once", "written before the first sync");
    a.start();
    shared.wait_for(&a, "Observation/lost");
    shared.wait_for(&b, "Observation/at-once");
    for clinic in [&a, &b] {
        let shown = clinic.json(&["chart", "show", &shared.chart]);
        assert_eq!(shown["held"], json!([]), "{shown}");
    }
    let resources = |clinic: &Clinic| bundle::resources(&clinic.export(&shared.chart));
    assert_eq!(resources(&a), resources(&b));
}

pub(super) fn copy_folder(from: &Path, to: &Path) {
    for file in files_below(from) {
        let copy = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::copy(&file, &copy).unwrap();
    }
}

#[test]
fn a_node_that_is_killed_again_and_again_is_let_in_each_time() {
    let [mut a, b] = running(["Hill Clinic", "River Hospital"]);
    introduce(&a, &b);
    let shared = shared_with(&a, &b);
    // More often than a node holds connections with one peer: those of killed ones look alive.
    for round in 0..6 {
        a.sync();
        a.kill9();
        a.start();
        shared.note(&a, &format!("note-{round}"), "written after the restart");
    }
    a.sync();
    assert!((0..6).all(|round| shared.has(&b, &format!("Observation/note-{round}"))));
}
