//! A scan of 20 MB: beside the records, fetched when somebody asks, cut and taken up again.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartmesh_tests::clinic::text;
use chartmesh_tests::run::{Killed, spawn};
use chartmesh_tests::scan::Scan;
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, introduce};
use serde_json::{Value, json};

use super::{NakatoShared, SOON, grant, running, shared_with};
use crate::PROGRAM;

/// Bytes of the scan.
const SCAN_BYTES: usize = 20_000_000;
/// The unit in which the system counts a file's blocks (`stat(2)`).
const BLOCK_BYTES: u64 = 512;

/// Bytes that no compression makes smaller, the same for the same number.
pub(super) fn scan(length: usize, number: u8) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut hasher = blake3::Hasher::new_keyed(&[number; 32]);
    hasher.update(b"scan").finalize_xof().fill(&mut bytes);
    bytes
}

pub(super) fn document(nakato: &NakatoShared, id: &str, content: &[u8]) -> Value {
    json!({
        "resourceType": "DocumentReference", "id": id, "status": "current",
        "subject": { "reference": nakato.patient_key() },
        "content": [{ "attachment": {
            "contentType": "image/png", "title": "Chest", "data": STANDARD.encode(content),
        }}],
    })
}

/// What `attachment list` says of a chart.
pub(super) fn list(clinic: &Clinic, nakato: &NakatoShared) -> Vec<Value> {
    let listed = clinic.json(&["attachment", "list", "--patient", &nakato.chart]);
    listed.as_array().unwrap().clone()
}

pub(super) fn fetch(clinic: &Clinic, nakato: &NakatoShared, code: i32) -> Value {
    let arguments = ["--json", "attachment", "fetch", "--patient", &nakato.chart];
    let output = clinic.cli(&arguments);
    assert_eq!(output.code, Some(code), "{output:?}");
    serde_json::from_str(&output.stdout).unwrap()
}

/// Begins to fetch, without waiting for it.
fn begin_fetch(clinic: &Clinic, nakato: &NakatoShared) -> Killed {
    let mut command = clinic.command();
    command.args(["attachment", "fetch", "--patient", &nakato.chart]);
    let scratch = clinic.scratch();
    let (out, err) = (scratch.join("fetch.out"), scratch.join("fetch.err"));
    Killed(spawn(&mut command, &out, &err))
}

/// The bytes of attachments that are on the disk.
pub(super) fn on_disk(clinic: &Clinic) -> u64 {
    let files = std::fs::read_dir(clinic.dir().join("blobs")).unwrap();
    let blocks =
        |file: std::io::Result<std::fs::DirEntry>| file.unwrap().metadata().unwrap().blocks();
    files.map(blocks).sum::<u64>() * BLOCK_BYTES
}

pub(super) fn saved(clinic: &Clinic, nakato: &NakatoShared, resource: &str) -> Vec<u8> {
    let out: PathBuf = clinic.scratch().join("saved");
    let arguments = [
        "attachment",
        "save",
        "--patient",
        &nakato.chart,
        resource,
        "--out",
    ];
    let out_text = out.to_str().unwrap();
    clinic.ok(&[&arguments[..], &[out_text]].concat());
    std::fs::read(out).unwrap()
}

fn exported_data(clinic: &Clinic, nakato: &NakatoShared) -> Vec<Value> {
    let chart: Value = serde_json::from_str(&clinic.export(&nakato.chart)).unwrap();
    let entries = chart["entry"].as_array().unwrap().iter();
    let documents = entries.filter(|one| one["resource"]["resourceType"] == "DocumentReference");
    let attachment = |one: &Value| one["resource"]["content"][0]["attachment"].clone();
    documents.map(attachment).collect()
}

#[test]
fn a_scan_of_20_mb_is_fetched_on_request_and_goes_on_where_it_was_cut() {
    let [hill, mut river, coast] = running(["Hill Clinic", "River Hospital", "Coast Pharmacy"]);
    introduce(&hill, &river);
    introduce(&hill, &coast);
    let nakato = shared_with(&hill, &river);
    grant(&hill, &nakato.chart, &coast, "summary");
    let content = scan(SCAN_BYTES, 1);
    nakato.put(&hill, &document(&nakato, "d1", &content));
    hill.sync();
    nakato.wait_for(&river, "DocumentReference/d1");

    // It is there, and its content is not: nobody asked for it.
    let line = &list(&river, &nakato)[0];
    assert_eq!(line["state"], "not-here", "{line}");
    assert_eq!(line["bytes"], SCAN_BYTES, "{line}");
    assert_eq!(
        (&line["title"], &line["content_type"]),
        (&json!("Chest"), &json!("image/png"))
    );
    let attachment = &exported_data(&river, &nakato)[0];
    assert_eq!(attachment["size"], SCAN_BYTES);
    assert!(attachment["hash"].is_string() && attachment["data"].is_null());
    let output = river.cli(&["export", "--patient", &nakato.chart]);
    assert!(
        output
            .stderr
            .contains("Without the content of DocumentReference/d1"),
        "{output:?}"
    );
    assert!(!output.stdout.contains("chartmesh-attachment"));

    // Killed in the middle of it, and taken up at the piece.
    let mut asked = begin_fetch(&river, &nakato);
    wait_until("a part of the scan", SOON, || on_disk(&river) > 500_000);
    river.kill9();
    asked.kill();
    let before = on_disk(&river);
    assert!(before < SCAN_BYTES as u64, "it was too fast: {before}");
    river.start();
    let line = &list(&river, &nakato)[0];
    assert!(line["percent_here"].as_u64().unwrap() > 0, "{line}");
    let done = fetch(&river, &nakato, 0);
    assert_eq!(done["fetched"], true, "{done}");
    assert_eq!(list(&river, &nakato)[0]["state"], "here");
    assert!(saved(&river, &nakato, "DocumentReference/d1") == content);
    assert!(river.export(&nakato.chart) == hill.export(&nakato.chart));
    let shown = river.ok(&["chart", "show", &nakato.chart]);
    assert!(
        shown.contains("DocumentReference/d1: image/png, 20.0 MB, Chest: here"),
        "{shown}"
    );

    // Who may read the summary has no part of it, and nothing to ask for.
    assert_eq!(list(&coast, &nakato), Vec::<Value>::new());
    fetch(&coast, &nakato, 0);
    assert_eq!(on_disk(&coast), 0);
    for clinic in [&hill, &river] {
        let health = clinic.json(&["doctor"]);
        assert_eq!(health["attachments"]["whole"], 1, "{health}");
        assert_eq!(health["attachments"]["damaged_pieces"], 0, "{health}");
    }
    nothing_is_readable([&hill, &river], &content);
}

/// No part of the content lies anywhere in clear.
fn nothing_is_readable(clinics: [&Clinic; 2], content: &[u8]) {
    let needles = content.chunks(1_000_000).map(|part| {
        let needle = part[..64].to_vec();
        (needle, "a part of the scan".to_owned())
    });
    let scan = Scan::for_bytes(needles);
    for clinic in clinics {
        assert_eq!(scan.folder(&clinic.dir().join("blobs")), []);
    }
}

#[test]
fn nobody_who_has_it_is_reachable_and_after_a_revocation_nobody_gives_it() {
    let [mut hill, river] = running(["Hill Clinic", "River Hospital"]);
    introduce(&hill, &river);
    let nakato = shared_with(&hill, &river);
    nakato.put(&hill, &document(&nakato, "d1", &scan(1_000_000, 2)));
    hill.sync();
    nakato.wait_for(&river, "DocumentReference/d1");
    hill.stop();
    let done = fetch(&river, &nakato, 7);
    assert_eq!(done["fetched"], false, "{done}");
    assert_eq!(done["attachments"][0]["state"], "wanted", "{done}");
    let status = river.json(&["status"]);
    assert_eq!(status["attachments"]["attachments"], 1, "{status}");
    let status = river.ok(&["status"]);
    assert!(
        status.contains(
            "1 attachment, 1.0 MB to come: comes with the next direct link to Hill Clinic, or on a \
             stick"
        ),
        "{status}"
    );

    // It comes by itself once somebody who has it is there.
    hill.start();
    wait_until("the scan", SOON, || {
        list(&river, &nakato)[0]["state"] == "here"
    });

    // After a revocation nothing more is given.
    nakato.put(&hill, &document(&nakato, "d2", &scan(1_000_000, 3)));
    nakato.wait_for(&river, "DocumentReference/d2");
    hill.ok(&["consent", "revoke", &nakato.grant, "--reason", "moved away"]);
    hill.sync();
    let before = on_disk(&river);
    let output = river.cli(&["attachment", "fetch", "--patient", &nakato.chart]);
    assert_eq!(output.code, Some(7), "{output:?}");
    assert!(
        output.stdout.contains("No clinic that has what is missing"),
        "{output:?}"
    );
    assert_eq!(on_disk(&river), before);
    let missing = river.fails(
        &[
            "attachment",
            "save",
            "--patient",
            &nakato.chart,
            "DocumentReference/d2",
            "--out",
            "x",
        ],
        4,
    );
    let said = format!(
        "is not here yet: `chartmesh attachment fetch --patient {}` gets it over a direct link to",
        nakato.chart
    );
    assert!(missing.contains(&said), "{missing}");
    assert_eq!(text(&list(&river, &nakato)[0]["state"]), "here");
}

#[test]
fn a_scan_travels_on_sticks_behind_everything_else_and_in_parts_of_any_order() {
    let [hill, river] = ["Hill Clinic", "River Hospital"].map(|name| Clinic::create(PROGRAM, name));
    introduce(&hill, &river);
    let nakato = shared_with(&hill, &river);
    let content = scan(3_000_000, 4);
    nakato.put(&hill, &document(&nakato, "d1", &content));
    nakato.note(&hill, "n1", "the note");
    let stick = tempfile::tempdir().unwrap();
    let export = |name: &str, more: &[&str]| -> Value {
        let out = stick.path().join(name);
        let peer = river.id();
        let arguments = [
            "sync",
            "export",
            "--peer",
            &peer,
            "--out",
            out.to_str().unwrap(),
        ];
        hill.json(&[&arguments[..], more].concat())
    };
    let written = export("there", &["--max-size", "700k"]);
    assert_eq!(written["attachments"], 1, "{written}");
    let files: Vec<String> = written["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(text)
        .collect();
    assert!(files.len() >= 5, "{files:?}");
    for file in &files {
        assert!(std::fs::metadata(file).unwrap().len() <= 700_000);
    }

    // The last parts tell nothing without the records; the first gives all of these.
    let last = river.cli(&["--json", "sync", "import", files.last().unwrap()]);
    assert_eq!(last.code, Some(1), "{last:?}");
    assert!(
        last.stdout
            .contains("no record here tells of its attachments"),
        "{last:?}"
    );
    river.ok(&["sync", "import", &files[0]]);
    assert!(nakato.has(&river, "Observation/n1"));
    assert_eq!(list(&river, &nakato)[0]["state"], "not-here");
    // Each part is useful alone, in any order.
    let before = on_disk(&river);
    river.ok(&["sync", "import", files.last().unwrap()]);
    assert!(on_disk(&river) > before + 100_000);
    for file in files.iter().rev() {
        river.ok(&["sync", "import", file]);
    }
    assert_eq!(list(&river, &nakato)[0]["state"], "here");
    assert!(saved(&river, &nakato, "DocumentReference/d1") == content);
    assert!(river.export(&nakato.chart) == hill.export(&nakato.chart));

    // Until Hill Clinic knows that it has come it goes along again, and then no more.
    assert_eq!(export("again", &[])["attachments"], 1);
    let back = stick.path().join("back");
    river.ok(&[
        "sync",
        "export",
        "--peer",
        &hill.id(),
        "--out",
        back.to_str().unwrap(),
    ]);
    hill.ok(&["sync", "import", back.to_str().unwrap()]);
    nakato.note(&hill, "n2", "another note");
    let written = export("later", &[]);
    assert_eq!(
        (&written["charts"], &written["attachments"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(export("all", &["--everything"])["attachments"], 1);
}

#[test]
fn a_clinic_without_a_daemon_gives_and_gets_what_is_small_while_it_visits() {
    let hill = Clinic::create(PROGRAM, "Hill Clinic");
    let mut river = Clinic::create(PROGRAM, "River Hospital");
    river.start();
    introduce(&hill, &river);
    let nakato = shared_with(&hill, &river);
    let content = scan(200_000, 5);
    nakato.put(&hill, &document(&nakato, "d1", &content));
    hill.sync();
    assert_eq!(list(&river, &nakato)[0]["state"], "here");
    assert!(saved(&river, &nakato, "DocumentReference/d1") == content);
    let answer = scan(100_000, 6);
    nakato.put(&river, &document(&nakato, "d2", &answer));
    hill.sync();
    assert!(saved(&hill, &nakato, "DocumentReference/d2") == answer);
}
