//! A consent ends.

use std::collections::BTreeSet;
use std::path::Path;

use chartmesh_tests::clinic::text;
use chartmesh_tests::scan::Scan;
use chartmesh_tests::vault::Vault;
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, introduce};
use serde_json::Value;

use super::{NakatoShared, SOON, running, shared_with};

/// Two clinics that share a patient with one note.
fn sharing() -> (Clinic, Clinic, NakatoShared) {
    let [a, b] = running(["Hill Clinic", "River Hospital"]);
    introduce(&a, &b);
    let shared = shared_with(&a, &b);
    shared.note(&a, "before", "shared with the hospital");
    a.sync();
    shared.wait_for(&b, "Observation/before");
    (a, b, shared)
}

fn revoke(a: &Clinic, shared: &NakatoShared) {
    let revoked = a.json(&["consent", "revoke", &shared.grant, "--reason", "moved away"]);
    assert_eq!(revoked["grant"], shared.grant.as_str());
    assert_eq!(revoked["patient"], shared.chart.as_str());
}

fn access(clinic: &Clinic, shared: &NakatoShared) -> Value {
    clinic.json(&["chart", "show", &shared.chart])["access"].clone()
}

#[test]
fn a_revoked_clinic_cannot_open_what_is_written_later() {
    let (mut a, mut b, shared) = sharing();
    assert_eq!(access(&b, &shared)["state"], "granted");
    let had = b.export(&shared.chart);

    revoke(&a, &shared);
    shared.note(&a, "after", "not for the hospital");
    a.sync();
    wait_until("the end of the access to be known", SOON, || {
        access(&b, &shared)["state"] == "ended"
    });
    assert_eq!(b.export(&shared.chart), had, "what B had is what B shows");
    assert!(had.contains("shared with the hospital"));
    let line = &b.json(&["consent", "list"])[0];
    assert_eq!(line["state"], "revoked", "{line}");
    let late = write_note(&b, &shared, "late");
    let output = b.cli(&[Path::new("import"), &late]);
    assert_eq!(output.code, Some(1), "B still writes: {output:?}");
    let said = output.stdout + &output.stderr;
    assert!(said.contains("the patient has to grant it"), "{said}");
    b.sync();

    a.stop();
    b.stop();
    nothing_opens_the_new_records(&Vault::open(&a), &Vault::open(&b), &b);
}

fn write_note(clinic: &Clinic, shared: &NakatoShared, id: &str) -> std::path::PathBuf {
    let path = clinic.scratch().join("note.json");
    std::fs::write(&path, shared.note_bundle(clinic, id, "too late")).unwrap();
    path
}

fn nothing_opens_the_new_records(ours: &Vault, theirs: &Vault, b: &Clinic) {
    let known: BTreeSet<_> = theirs.records().iter().map(|record| record.id()).collect();
    let (old, new): (Vec<_>, Vec<_>) = ours
        .records()
        .into_iter()
        .partition(|record| known.contains(&record.id()));
    assert!(!old.is_empty() && !new.is_empty());
    let (our_keys, their_keys) = (ours.epoch_keys(), theirs.epoch_keys());
    // Keys that open nothing would prove nothing.
    for record in &old {
        assert!(their_keys.iter().any(|(.., key)| record.opens_with(key)));
    }
    let mut secret = Vec::new();
    for record in &new {
        for (.., key) in &their_keys {
            assert!(!record.opens_with(key), "B opens {}", record.id());
        }
        let (.., key) = our_keys
            .iter()
            .find(|(.., key)| record.opens_with(key))
            .expect("A opens its own record");
        secret.push((key.to_bytes().to_vec(), "the new key".to_owned()));
        let bytes = record.as_bytes();
        let middle = bytes.len() / 2;
        secret.push((
            bytes[middle..middle + 32].to_vec(),
            "the new record".to_owned(),
        ));
    }
    let scan = Scan::for_bytes(secret);
    assert_eq!(scan.folder(&b.dir()), []);
    for (space, key, value) in theirs.values() {
        assert_eq!(scan.bytes(Path::new(space.name()), &key), []);
        assert_eq!(scan.bytes(Path::new(space.name()), &value), []);
    }
}

#[test]
fn a_record_written_before_hearing_of_the_revocation_is_held_and_not_lost() {
    let (a, mut b, shared) = sharing();
    b.stop();
    revoke(&a, &shared);
    shared.note(&b, "meanwhile", "written without knowing");
    b.start();
    a.sync();

    let held = || a.json(&["chart", "show", &shared.chart])["held"].clone();
    wait_until("the record to be held", SOON, || {
        !held().as_array().unwrap().is_empty()
    });
    let held = held();
    let [record] = held.as_array().unwrap().as_slice() else {
        panic!("one record is expected: {held}")
    };
    assert_eq!(record["compartment"], "clinical", "{record}");
    assert_eq!(record["clinics"], serde_json::json!([b.id()]), "{record}");
    assert!(!text(&record["reason"]).is_empty(), "{record}");
    assert!(
        !shared.has(&a, "Observation/meanwhile"),
        "it counts although it is held"
    );
    let check = a.json(&["consent", "verify"]);
    assert_eq!((&check["ok"], &check["held"]), (&true.into(), &1.into()));

    wait_until("the node to tell of it", SOON, || {
        a.json(&["status"])["held"]["records"] == 1
    });
    let status = a.ok(&["status"]);
    let told = "1 record of 1 patient does not count: `chartmesh held list`";
    assert!(status.contains(told), "{status}");
    let exported = a.cli(&["export", "--patient", &shared.chart]);
    assert!(
        exported
            .stderr
            .contains("NOT WRITTEN: 1 record that does not count"),
        "{exported:?}"
    );

    let item = &a.json(&["held", "list"])[0];
    assert_eq!(item["patient"], shared.chart.as_str(), "{item}");
    assert_eq!(item["author"], b.id(), "{item}");
    assert!(
        !text(&item["at"]).is_empty() && !text(&item["reason"]).is_empty(),
        "{item}"
    );
    let record = text(&item["id"]);
    let elsewhere = b.cli(&["held", "admit", &record]);
    assert_eq!(elsewhere.code, Some(3), "{elsewhere:?}");
    let said = a.ok(&[
        "held",
        "admit",
        &record[..8],
        "--reason",
        "told by telephone",
    ]);
    assert!(said.contains("1 record in clinical of patient"), "{said}");
    assert!(shared.has(&a, "Observation/meanwhile"));
    assert_eq!(a.ok(&["held", "list"]), "Nothing is held.\n");
    wait_until("the node to tell of nothing", SOON, || {
        a.json(&["status"])["held"].is_null()
    });
    let entries = a.json(&["audit", "list", "--patient", &shared.chart]);
    let admitted = |entry: &Value| entry["action"] == "admit";
    assert!(
        entries.as_array().unwrap().iter().any(admitted),
        "{entries}"
    );
}
