//! A clinic that gets a long chart late gets it in a few records, and knows who wrote it.

use std::ops::Range;
use std::path::Path;

use chartmesh_tests::clinic::text;
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, Exact, bundle, introduce};
use serde_json::{Value, json};

use super::{NakatoShared, SOON, grant, running, shared_with};
use crate::PROGRAM;

/// A patient with so many visits at a clinic that runs no daemon.
fn visited(home: &Clinic, visits: usize) -> NakatoShared {
    let registered = home.json(&[
        "patient", "register", "--given", "Amina", "--family", "Nakato",
    ]);
    let shared = NakatoShared {
        patient: text(&registered["fhir_id"]),
        chart: text(&registered["id"]),
        grant: String::new(),
    };
    notes(home, &shared, 0..visits);
    shared
}

/// Visits with a note each, one record each, taken in by one command.
fn notes(clinic: &Clinic, shared: &NakatoShared, numbers: Range<usize>) {
    let patient = shared.patient_at(clinic);
    let folder = clinic.scratch().join(format!("visits-{}", numbers.start));
    std::fs::create_dir(&folder).unwrap();
    for number in numbers.clone() {
        let subject = json!({ "reference": format!("Patient/{}", shared.patient) });
        let note = json!({
            "resourceType": "Observation", "id": format!("n{number}"), "status": "final",
            "subject": subject, "code": { "text": "note" },
            "valueString": format!("visit {number}: rest, and much to drink"),
        });
        let bundle = bundle::bundle_of([&patient, &Exact::read(&note.to_string())]);
        std::fs::write(folder.join(format!("{number:03}.json")), bundle).unwrap();
    }
    let report = clinic.json(&[Path::new("import"), &folder]);
    assert_eq!(report["files"].as_array().unwrap().len(), numbers.len());
}

fn history(clinic: &Clinic, shared: &NakatoShared) -> Vec<Value> {
    let history = clinic.json(&["chart", "history", &shared.chart]);
    history.as_array().unwrap().clone()
}

#[test]
fn forty_visits_reach_a_clinic_that_is_granted_them_afterwards_in_a_few_records() {
    let home = Clinic::create(PROGRAM, "Hill Clinic");
    let [mut late] = running(["River Hospital"]);
    introduce(&home, &late);
    let shared = visited(&home, 40);
    let sizes = home.json(&["consent", "verify"]);
    assert!(sizes["records"].as_u64().unwrap() > 40, "{sizes}");
    grant(&home, &shared.chart, &late, "all");
    let report = home.sync().remove(0);
    // The summary, the compaction and its manifest.
    assert_eq!(report["records_sent"], 3, "{report}");
    let bytes = report["bytes_sent"].as_u64().unwrap();
    assert!(bytes < 25_000, "{report}");
    assert_eq!(home.export(&shared.chart), late.export(&shared.chart));

    let (ours, theirs) = (history(&home, &shared), history(&late, &shared));
    assert_eq!(ours.len(), 41);
    assert_eq!(ours, theirs);
    assert!(theirs.iter().all(|entry| entry["provenance"] == "signed"));
    let verified = late.json(&["consent", "verify"]);
    assert_eq!(
        (&verified["ok"], &verified["records"]),
        (&true.into(), &3.into())
    );

    // What comes afterwards comes as ever, both ways.
    shared.note(&late, "there", "written at the hospital");
    shared.note(&home, "here", "written at home");
    home.sync();
    assert_eq!(home.export(&shared.chart), late.export(&shared.chart));
    late.stop();
    assert_eq!(home.export(&shared.chart), late.export(&shared.chart));
}

#[test]
fn clinics_that_both_compact_while_apart_come_together() {
    let [mut a, mut b] = running(["Hill Clinic", "River Hospital"]);
    introduce(&a, &b);
    let shared = shared_with(&a, &b);
    a.sync();
    shared.wait_for(&b, &format!("Patient/{}", shared.patient));
    a.stop();
    b.stop();
    // Without a daemon, a command compacts what has become due when it ends.
    notes(&a, &shared, 0..34);
    notes(&b, &shared, 100..134);
    a.start();
    b.start();
    a.sync();
    let merged = a.export(&shared.chart);
    assert_eq!(merged, b.export(&shared.chart));
    assert!(merged.contains("visit 33") && merged.contains("visit 133"));
    let [late] = running(["Coast Pharmacy"]);
    introduce(&a, &late);
    introduce(&b, &late);
    grant(&a, &shared.chart, &late, "all");
    a.sync();
    assert_eq!(late.export(&shared.chart), merged);
    let entries = history(&late, &shared);
    assert_eq!(entries.len(), 69);
    let by = |clinic: &Clinic| {
        let id = clinic.id();
        entries
            .iter()
            .filter(|entry| entry["clinic"] == id.as_str())
            .count()
    };
    assert_eq!((by(&a), by(&b)), (35, 34));
    b.sync();
    let records = late.json(&["consent", "verify"])["records"]
        .as_u64()
        .unwrap();
    assert!(records < 40, "{records} records instead of some 69");
}

#[test]
fn a_compaction_by_a_clinic_that_had_lost_its_right_takes_nobodys_place() {
    let [mut a, mut b] = running(["Hill Clinic", "River Hospital"]);
    introduce(&a, &b);
    let shared = shared_with(&a, &b);
    a.sync();
    shared.wait_for(&b, &format!("Patient/{}", shared.patient));
    notes(&a, &shared, 0..20);
    a.sync();
    shared.wait_for(&b, "Observation/n19");
    a.stop();
    b.stop();
    a.json(&["consent", "revoke", &shared.grant, "--reason", "moved away"]);
    notes(&b, &shared, 100..120);
    a.start();
    b.start();
    a.sync();
    let held = || a.json(&["chart", "show", &shared.chart])["held"].clone();
    wait_until("what came too late to be held", SOON, || {
        held().as_array().unwrap().len() > 20
    });
    assert!(!a.export(&shared.chart).contains("visit 119"));
    let [late] = running(["Coast Pharmacy"]);
    introduce(&a, &late);
    grant(&a, &shared.chart, &late, "all");
    a.sync();
    assert_eq!(late.export(&shared.chart), a.export(&shared.chart));
    assert!(late.export(&shared.chart).contains("visit 19"));
}
