//! A patient is brought in unconscious to a clinic that has no consent.

use chartmesh_tests::clinic::text;
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, introduce};
use serde_json::{Value, json};

use super::{NakatoShared, SOON, allergic, running};

const OPEN: [&str; 6] = [
    "emergency",
    "open",
    "--clinician",
    "Dr Okello",
    "--reason",
    "unconscious after a fall",
];

/// A patient of the first clinic with an allergy and a note.
fn patient_of(home: &Clinic) -> NakatoShared {
    let note = ("secret", "not for an emergency");
    allergic(home, &["--given", "Amina"], note)
}

fn open<'a>(chart: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&OPEN[..], &["--patient", chart], more].concat()
}

fn actions(clinic: &Clinic, chart: &str) -> Vec<Value> {
    let entries = clinic.json(&["audit", "list", "--patient", chart]);
    let entries = entries.as_array().cloned().unwrap_or_default();
    entries
        .into_iter()
        .map(|entry| entry["action"].clone())
        .collect()
}

#[test]
fn the_glass_is_broken_and_everybody_sees_it() {
    let [hill, river] = running(["Hill Clinic", "River Hospital"]);
    introduce(&hill, &river);
    let shared = patient_of(&hill);
    let code = text(&hill.json(&["emergency", "code", "--patient", &shared.chart])["code"]);
    hill.sync();
    assert!(!shared.has(&river, "AllergyIntolerance/a1"));

    let opened = river.json(&open(&shared.chart, &["--code", &code]));
    assert_eq!(opened["state"], "open", "{opened}");
    let allergies = opened["chart"]["allergies"].to_string();
    assert!(allergies.contains("Penicillin"), "{opened}");
    assert!(!shared.has(&river, "Observation/secret"));
    let said = river.ok(&open(&shared.chart, &[]));
    assert!(
        said.contains("EMERGENCY: the summary is open until"),
        "{said}"
    );
    assert!(said.contains("Penicillin"), "{said}");
    assert!(actions(&river, &shared.chart).contains(&json!("break-glass")));

    let to_review = || hill.json(&["status"])["emergencies"] == 1;
    wait_until("home to hear of it", SOON, to_review);
    assert!(hill.ok(&["status"]).contains("asked for in an emergency"));
    let list = hill.ok(&["emergency", "list", "--patient", &shared.chart]);
    for words in [
        "Dr Okello at River Hospital asked for the summary",
        "with the emergency code",
        "unconscious after a fall",
        "The home clinic has not looked at it yet.",
    ] {
        assert!(list.contains(words), "{words}: {list}");
    }
    assert!(actions(&hill, &shared.chart).contains(&json!("release")));
    let chart = ["chart", "show", &shared.chart];
    assert!(
        hill.ok(&chart)
            .contains("EMERGENCY Dr Okello at River Hospital asked")
    );
    let id = text(&hill.json(&["emergency", "list"])[0]["id"]);
    let note = ["--note", "she was admitted"];
    let review = [&["emergency", "review", &id[..8]][..], &note].concat();
    assert!(
        hill.ok(&review)
            .contains("found it right: \"she was admitted\"")
    );
    assert_eq!(hill.json(&["status"])["emergencies"], 0);
    assert!(!hill.ok(&chart).contains("EMERGENCY"));
    hill.sync();
    wait_until("the other clinic to hear of it", SOON, || {
        river.json(&["emergency", "list"])[0]["reviewed"]["justified"] == true
    });
}

#[test]
fn a_patient_who_does_not_want_it_is_heard() {
    let [hill, river] = running(["Hill Clinic", "River Hospital"]);
    introduce(&hill, &river);
    let shared = patient_of(&hill);
    let said = hill.ok(&["emergency", "forbid", "--patient", &shared.chart]);
    assert!(said.contains("once whoever has it"), "{said}");
    let refused = river.cli(&open(&shared.chart, &[]));
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stdout.contains("has forbidden"), "{refused:?}");
    assert!(!shared.has(&river, "AllergyIntolerance/a1"));
}

#[test]
fn what_was_asked_while_nobody_was_reached_opens_once_somebody_is() {
    let [hill, mut river] = running(["Hill Clinic", "River Hospital"]);
    introduce(&hill, &river);
    let shared = patient_of(&hill);
    let mut hill = hill;
    hill.stop();
    // Without a running node either: the command joins the network by itself.
    river.stop();
    let unreached = river.cli(&open(&shared.chart, &[]));
    assert_eq!(unreached.code, Some(7), "{unreached:?}");
    assert!(
        unreached.stdout.contains("Asked; nobody who has the chart"),
        "{unreached:?}"
    );
    hill.start();
    river.start();
    wait_until("the summary to come", SOON, || {
        shared.has(&river, "AllergyIntolerance/a1")
    });
    let opened = river.json(&open(&shared.chart, &[]));
    assert_eq!(opened["state"], "open", "{opened}");
    assert_eq!(
        river.json(&["emergency", "list"]).as_array().unwrap().len(),
        1
    );
}
