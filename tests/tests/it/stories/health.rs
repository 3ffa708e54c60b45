//! What a node says of itself, and the log of who did what.

use std::net::TcpListener;
use std::process::Stdio;

use chartmesh::store::{Batch, Space};
use chartmesh_tests::clinic::text;
use chartmesh_tests::vault::Vault;
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, introduce};
use serde_json::{Value, json};

use super::{SOON, running, shared_with};
use crate::PROGRAM;

#[test]
fn commands_work_with_a_daemon_and_without_one() {
    let mut clinic = Clinic::create(PROGRAM, "Hill Clinic");
    let registered = clinic.json(&["patient", "register", "--given", "Amina"]);
    let chart = text(&registered["id"]);
    let commands: [&[&str]; 11] = [
        &["id"],
        &["peer", "list"],
        &["patient", "search"],
        &["patient", "show", &chart],
        &["export", "--patient", &chart],
        &["chart", "show", &chart],
        &["chart", "history", &chart],
        &["chart", "conflicts", &chart],
        &["consent", "list"],
        &["consent", "verify"],
        &["sync", "status"],
    ];
    let answers = |clinic: &Clinic| -> Vec<Value> {
        let answers = commands.iter().skip(1).map(|command| clinic.json(command));
        answers.collect()
    };
    let before = answers(&clinic);
    assert_eq!(clinic.json(&["status"])["running"], false);
    clinic.start();
    assert_eq!(answers(&clinic), before);
    let status = clinic.json(&["status"]);
    assert_eq!(status["running"], true);
    assert_eq!(status["name"], "Hill Clinic");
    assert_eq!(status["charts"], 1);
    assert_eq!(status["store"], "writable");
    // A second daemon on the same folder would write over the first one's work.
    let said = clinic.fails(&["run"], 1);
    assert!(!said.contains("panic"), "{said}");
    clinic.stop();
    assert_eq!(answers(&clinic), before);
}

#[test]
fn every_command_prints_text_for_people_and_one_document_for_programs() {
    let mut clinic = Clinic::create(PROGRAM, "Hill Clinic");
    let chart = text(&clinic.json(&["patient", "register", "--given", "Amina"])["id"]);
    clinic.start();
    let commands: [&[&str]; 12] = [
        &["id"],
        &["peer", "list"],
        &["patient", "search"],
        &["patient", "show", &chart],
        &["chart", "show", &chart],
        &["chart", "history", &chart],
        &["chart", "conflicts", &chart],
        &["consent", "list"],
        &["consent", "verify"],
        &["audit", "verify"],
        &["status"],
        &["doctor"],
    ];
    for command in commands {
        let shown = clinic.ok(command);
        assert!(!shown.trim().is_empty(), "{command:?} says nothing");
        assert!(!shown.starts_with(['{', '[']), "{command:?}: {shown}");
        clinic.json(command);
    }
}

#[test]
fn doctor_finds_a_used_store_healthy_with_a_daemon_and_without() {
    let [mut a, b] = running(["Hill Clinic", "River Hospital"]);
    introduce(&a, &b);
    let shared = shared_with(&a, &b);
    shared.note(&a, "n1", "seen");
    a.sync();
    for clinic in [&a, &b] {
        let report = clinic.json(&["doctor"]);
        assert_eq!(report["healthy"], true, "{report}");
        assert_eq!(report["ledgers"]["charts"], 1, "{report}");
        assert!(report["ledgers"]["records"].as_u64().unwrap() >= 2);
        assert_eq!(report["problems"], json!([]));
    }
    a.stop();
    let report = a.json(&["doctor"]);
    assert_eq!(
        (&report["healthy"], &report["problems"]),
        (&json!(true), &json!([]))
    );
    let report = a.json(&["doctor", "--repair"]);
    assert_eq!(report["healthy"], true, "{report}");
    assert!(shared.has(&a, "Observation/n1"));
}

#[test]
fn a_peer_that_is_away_is_reported_and_ends_the_sync_with_7() {
    let [a, mut b] = running(["Hill Clinic", "River Hospital"]);
    introduce(&a, &b);
    a.sync();
    b.stop();
    let output = a.cli(&["--json", "sync", "now"]);
    assert_eq!(output.code, Some(7), "{output:?}");
    let report: Value = serde_json::from_str(&output.stdout).unwrap();
    let peer = &report["peers"][0];
    assert_eq!(peer["connected"], false, "{report}");
    assert!(!text(&peer["error"]).is_empty());
    assert_eq!(peer["clinic"], b.id());
}

#[test]
fn a_sync_reports_every_field_and_one_peer_alone_when_asked() {
    let [a, b, c] = running(["Hill Clinic", "River Hospital", "Coast Pharmacy"]);
    introduce(&a, &b);
    introduce(&a, &c);
    let report = a.json(&["sync", "now", "--peer", &b.id()[..8]]);
    let [peer] = report["peers"].as_array().unwrap().as_slice() else {
        panic!("one peer is expected: {report}")
    };
    let mut fields: Vec<&str> = peer
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    fields.retain(|field| *field != "name");
    fields.sort_unstable();
    let expected = [
        "bytes_received",
        "bytes_sent",
        "clinic",
        "connected",
        "duration_ms",
        "error",
        "node",
        "owed_in",
        "owed_out",
        "records_received",
        "records_sent",
        "round_trips",
        "summary",
        "tier",
    ];
    assert_eq!(fields, expected);
    assert_eq!(peer["clinic"], b.id());
    assert_eq!(peer["node"], b.json(&["id"])["node_id"]);
    assert_eq!(peer["connected"], true);
    assert_eq!(a.sync().len(), 2);
    a.fails(&["sync", "now", "--peer", &"00".repeat(32)], 4);
}

#[test]
fn every_read_of_a_chart_is_in_the_log() {
    let clinic = Clinic::create(PROGRAM, "Hill Clinic");
    let chart = text(&clinic.json(&["patient", "register", "--given", "Amina"])["id"]);
    clinic.ok(&["patient", "search", "amina"]);
    clinic.ok(&["patient", "show", &chart]);
    clinic.ok(&["chart", "show", &chart]);
    clinic.ok(&["chart", "history", &chart]);
    clinic.ok(&["chart", "conflicts", &chart]);
    let _: String = clinic.export(&chart);
    let lines = clinic.json(&["audit", "list", "--patient", &chart]);
    let actions: Vec<String> = lines
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            assert_eq!(line["chart"], chart.as_str());
            text(&line["action"])
        })
        .collect();
    assert_eq!(actions, ["write", "read", "read", "read", "read", "export"]);
    let all = clinic.json(&["audit", "list"]);
    assert_eq!(all.as_array().unwrap().len(), 7, "the search is there too");
    let newest = clinic.json(&["audit", "list", "--most", "1"]);
    assert_eq!(newest[0], all[6]);
    let check = clinic.json(&["audit", "verify"]);
    assert_eq!(check, json!({ "entries": 7, "ok": true, "problems": [] }));
}

#[test]
fn a_log_that_was_tampered_with_is_found_out() {
    let number = |number: u64| number.to_be_bytes().to_vec();
    type Tamper = fn(&mut Batch, &dyn Fn(u64) -> Vec<u8>, Vec<u8>);
    let tampers: [(&str, Tamper); 4] = [
        ("an entry was removed", |batch, number, _| {
            batch.delete(Space::Audit, number(2));
        }),
        ("the last entry was cut off", |batch, number, _| {
            batch.delete(Space::Audit, number(4));
        }),
        ("an entry was changed", |batch, number, mut entry| {
            let middle = entry.len() / 2;
            entry[middle] ^= 1;
            batch.put(Space::Audit, number(2), entry);
        }),
        ("an entry stands twice", |batch, number, entry| {
            batch.put(Space::Audit, number(3), entry);
        }),
    ];
    let clinic = Clinic::create(PROGRAM, "Hill Clinic");
    clinic.ok(&["patient", "register", "--given", "Amina"]);
    for _ in 0..3 {
        clinic.ok(&["patient", "search"]);
    }
    let whole = json!({ "entries": 4, "ok": true, "problems": [] });
    for (what, tamper) in tampers {
        assert_eq!(clinic.json(&["audit", "verify"]), whole);
        let entries = entries(&clinic);
        change(&clinic, |batch| tamper(batch, &number, entries[1].clone()));
        let output = clinic.cli(&["--json", "audit", "verify"]);
        assert_eq!(output.code, Some(1), "{what}: {output:?}");
        let check: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(check["ok"], false, "{what}");
        assert_ne!(check["problems"], json!([]), "{what}");
        change(&clinic, |batch| {
            for (place, entry) in (1..).zip(entries) {
                batch.put(Space::Audit, number(place), entry);
            }
        });
    }
}

fn entries(clinic: &Clinic) -> Vec<Vec<u8>> {
    let vault = Vault::open(clinic);
    let entries = vault.store().scan_prefix(Space::Audit, &[]);
    entries.map(|pair| pair.unwrap().1).collect()
}

fn change(clinic: &Clinic, change: impl FnOnce(&mut Batch)) {
    let vault = Vault::open(clinic);
    let mut batch = Batch::new();
    change(&mut batch);
    vault.store().commit(batch).unwrap();
}

#[test]
fn how_a_node_stands_is_told_while_a_sync_waits_for_an_answer() {
    let [a] = running(["Hill Clinic"]);
    let b = Clinic::create(PROGRAM, "River Hospital");
    std::fs::remove_dir_all(b.dir()).unwrap();
    // Connections are taken, and nobody ever says a word on them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let address = format!("/ip4/127.0.0.1/tcp/{port}");
    b.ok(&["init", "--name", "River Hospital", "--listen", &address]);
    a.ok(&["peer", "add", &b.card()]);
    let mut sync = a.command();
    sync.args(["sync", "now"]).stdin(Stdio::null());
    let mut sync = sync
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let is_called = || {
        let status = a.json(&["status"]);
        status["peers"][0]["state"] == "connecting"
    };
    wait_until("the other clinic to be called", SOON, is_called);
    // Whichever of these comes when the sync has begun to wait, none waits with it.
    for _ in 0..10 {
        a.ok(&["sync", "status"]);
    }
    assert!(
        sync.try_wait().unwrap().is_none(),
        "the sync had not waited"
    );
    sync.kill().unwrap();
    sync.wait().unwrap();
}
