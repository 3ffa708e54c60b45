//! Scans that are not where their records are: what people are told of them.

use std::path::Path;

use chartmesh_tests::clinic::text;
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, introduce};
use serde_json::{Value, json};

use super::attachments::{document, fetch, list, scan};
use super::restart::copy_folder;
use super::{NakatoShared, SOON, running, shared_with};
use crate::PROGRAM;

fn listed(clinic: &Clinic, nakato: &NakatoShared) -> String {
    clinic.ok(&["attachment", "list", "--patient", &nakato.chart])
}

#[test]
fn a_scan_that_was_saved_after_the_backup_is_missed_and_nobody_waits_for_the_other() {
    let [mut hill, river] = running(["Hill Clinic", "River Hospital"]);
    introduce(&hill, &river);
    let nakato = shared_with(&hill, &river);
    hill.sync();
    hill.stop();
    let backup = hill.scratch().join("backup");
    copy_folder(&hill.dir(), &backup);
    hill.start();
    nakato.put(&hill, &document(&nakato, "d1", &scan(400_000, 31)));
    nakato.wait_for(&river, "DocumentReference/d1");
    hill.stop();
    std::fs::remove_dir_all(hill.dir()).unwrap();
    copy_folder(&backup, &hill.dir());
    hill.start();
    hill.sync();
    nakato.wait_for(&hill, "DocumentReference/d1");

    let missing = "MISSING here, though this clinic saved it, and nobody is known to have it; \
                   River Hospital was asked and does not have it";
    wait_until("the answer", SOON, || {
        listed(&hill, &nakato).contains(missing)
    });
    let status = hill.ok(&["status"]);
    let but_for =
        "has everything that you saved, but for 1 attachment that it is not known to have";
    assert!(status.contains(but_for), "{status}");
    let words = "MISSING  1 attachment that this clinic saved is not here, and nobody is known to \
                 have it; River Hospital was asked and does not have it";
    assert!(status.contains(words), "{status}");
    let health = hill.ok(&["doctor"]);
    assert!(
        health.contains("MISSING 1 attachment that this clinic saved"),
        "{health}"
    );
    assert!(
        !health.contains("Everything is as it should be"),
        "{health}"
    );

    // Each asks the other, and is answered.
    for clinic in [&river, &hill] {
        fetch(clinic, &nakato, 7);
    }
    let there = "not here; Hill Clinic was asked and does not have it";
    assert!(listed(&river, &nakato).contains(there));
    let status = river.ok(&["status"]);
    let nowhere = "waiting  1 attachment is not to be had; Hill Clinic was asked and does not";
    assert!(status.contains(nowhere), "{status}");
    assert!(!status.contains("direct link"), "{status}");

    // Whoever has the file brings it back, and the other one gets it.
    nakato.put_again(&hill, &document(&nakato, "d1", &scan(400_000, 31)));
    assert_eq!(list(&hill, &nakato)[0]["state"], "here");
    assert!(!hill.ok(&["status"]).contains("MISSING"));
    fetch(&river, &nakato, 0);
    wait_until("the word of it", SOON, || {
        hill.json(&["status"])["peers"][0]["attachments"] == 0
    });
}

/// A stick in parts, of which the first one has the records.
fn written(from: &Clinic, to: &Clinic, stick: &Path, name: &str) -> Value {
    let (peer, out) = (to.id(), stick.join(name));
    let out = out.to_str().unwrap();
    let more = ["--max-size", "300k"];
    let arguments = ["sync", "export", "--peer", &peer, "--out", out];
    from.json(&[&arguments[..], &more].concat())
}

fn files(written: &Value) -> Vec<String> {
    let files = written["files"].as_array().unwrap();
    files.iter().map(text).collect()
}

#[test]
fn what_did_not_come_along_on_a_stick_is_named_and_what_came_is_told_on_the_way_back() {
    let [hill, river] = ["Hill Clinic", "River Hospital"].map(|name| Clinic::create(PROGRAM, name));
    introduce(&hill, &river);
    let nakato = shared_with(&hill, &river);
    nakato.put(&hill, &document(&nakato, "d1", &scan(600_000, 32)));
    let stick = tempfile::tempdir().unwrap();
    let there = files(&written(&hill, &river, stick.path(), "there"));
    assert!(there.len() >= 3, "{there:?}");

    // A part without the records, cut short: what was in it is not taken in, and that is said.
    let cut = &there[1];
    let whole = std::fs::read(cut).unwrap();
    std::fs::write(cut, &whole[..whole.len() - 1_000]).unwrap();
    let output = river.cli(&["sync", "import", cut]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stdout.contains("it is cut short"), "{output:?}");
    let left_out = "left out, for no record here tells of its attachments: read the other parts, \
                    then this one again";
    assert!(output.stdout.contains(left_out), "{output:?}");
    std::fs::write(cut, &whole).unwrap();

    // The records alone.
    let said = river.ok(&["sync", "import", &there[0]]);
    let missing = "Missing here: 1 attachment of 1 patient is named in the records";
    assert!(said.contains(missing), "{said}");
    let advice = format!("chartmesh attachment fetch --patient {}", nakato.chart);
    assert!(said.contains(&advice), "{said}");
    assert!(!said.contains("Nothing is missing"), "{said}");
    let again = river.json(&["sync", "import", &there[0]]);
    assert_eq!(again["not_here"]["attachments"], 1, "{again}");
    let all: Vec<&str> = ["sync", "import"]
        .into_iter()
        .chain(there.iter().map(String::as_str))
        .collect();
    let said = river.ok(&all);
    assert!(said.contains("Nothing is missing"), "{said}");
    assert_eq!(list(&river, &nakato)[0]["state"], "here");

    // The way back tells it, until it is known to have been read.
    let attachments = |clinic: &Clinic| clinic.json(&["status"])["peers"][0]["attachments"].clone();
    assert_eq!(attachments(&hill), json!(1));
    let back = written(&river, &hill, stick.path(), "back");
    assert_eq!(back["told"], 1, "{back}");
    let said = hill.ok(&["sync", "import", &files(&back)[0]]);
    assert!(
        said.contains("River Hospital has 1 attachment of those"),
        "{said}"
    );
    assert_eq!(attachments(&hill), json!(0));
    let status = hill.ok(&["status"]);
    assert!(
        status.contains("has everything that you saved;"),
        "{status}"
    );
    nakato.note(&river, "n1", "the answer");
    let more = written(&river, &hill, stick.path(), "more");
    assert_eq!(
        (&more["told"], &more["attachments"]),
        (&json!(1), &json!(0)),
        "{more}"
    );
    hill.ok(&["sync", "import", &files(&more)[0]]);
    let heard = written(&hill, &river, stick.path(), "heard");
    river.ok(&["sync", "import", &files(&heard)[0]]);
    assert_eq!(written(&river, &hill, stick.path(), "nothing")["told"], 0);
}
