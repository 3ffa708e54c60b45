//! Files that are no charts: `import` names file, place and reason, takes in the good ones, and
//! keeps nothing of the bad.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use chartmesh_tests::{Clinic, Output};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

use super::holdings;
use crate::PROGRAM;

/// Stands in every bad file; no error may repeat it.
const SECRET: &str = "Okonkwo-Zyx";

fn patient(id: &str) -> String {
    format!(
        r#"{{"resource":{{"resourceType":"Patient","id":"{id}","birthDate":"1987-03-14",
            "name":[{{"family":"{SECRET}"}}]}}}}"#
    )
}

fn flag(id: &str, patient: &str) -> String {
    format!(
        r#"{{"resource":{{"resourceType":"Flag","id":"{id}","status":"active",
            "code":{{"text":"{SECRET}"}},"subject":{{"reference":"Patient/{patient}"}}}}}}"#
    )
}

fn bundle(entries: &[String]) -> String {
    let entries = entries.join(",");
    format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{entries}]}}"#)
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Unpacks to 144 MiB of nothing, which is more than is read.
fn bomb() -> Vec<u8> {
    let mebibytes = 16;
    packed(&vec![b' '; mebibytes << 20]).repeat(9)
}

/// The bad files: name, content, and what the error must say besides the name.
fn bad() -> Vec<(&'static str, Vec<u8>, &'static [&'static str])> {
    let whole = bundle(&[patient("p"), flag("f", "p")]);
    let gzip = packed(whole.as_bytes());
    let deep = format!(
        r#"{{"resource":{{"resourceType":"Flag","id":"deep","x":{}"{SECRET}"{}}}}}"#,
        "[".repeat(50_000),
        "]".repeat(50_000)
    );
    let untyped = format!(r#"{{"resource":{{"id":"u","note":"{SECRET}"}}}}"#);
    let mut not_utf8 = whole.clone().into_bytes();
    let at = whole.find(SECRET).unwrap();
    not_utf8[at + 2] = 0xff;
    let hl7 = format!(
        "MSH|^~\\&|LAB|HILL|EMR|RIVER|20240101||ADT^A01|1|P|2.5\r\
         PID|1||77||{SECRET}^Ada||19870314|F\r"
    );
    vec![
        (
            "cut.json",
            whole[..whole.len() - 9].into(),
            &["entry[1]", "not JSON: byte"],
        ),
        (
            "prose.json",
            format!("Dear {SECRET}, come in").into(),
            &["not JSON: byte 0"],
        ),
        (
            "no-fhir.json",
            format!(r#"{{"name":"{SECRET}"}}"#).into(),
            &["resourceType"],
        ),
        (
            "untyped.json",
            bundle(&[patient("p"), untyped]).into(),
            &["entry[1]", "resourceType"],
        ),
        (
            "two-patients.json",
            bundle(&[patient("p"), patient("q")]).into(),
            &["entry[1]", "second Patient"],
        ),
        (
            "other-patient.json",
            bundle(&[patient("p"), flag("f", "p"), flag("g", "another")]).into(),
            &["entry[2]", "another patient", "subject"],
        ),
        ("deep.json", bundle(&[patient("p"), deep]).into(), &["nest"]),
        ("unpacked.json.gz", whole.into(), &["not packed"]),
        (
            "truncated.json.gz",
            gzip[..gzip.len() / 2].into(),
            &["ends before"],
        ),
        ("bomb.json.gz", bomb(), &["unpacks to more than"]),
        ("message.json", hl7.clone().into(), &["HL7"]),
        ("message.hl7", hl7.into(), &["HL7"]),
        ("empty.json", Vec::new(), &["empty"]),
        ("latin.json", not_utf8, &["UTF-8", "byte"]),
    ]
}

/// Writes the bad files and a sparse one of 200 MB, between two good ones.
fn write_folder(folder: &Path) -> Vec<(&'static str, &'static [&'static str])> {
    let mut expected = Vec::new();
    for (name, content, says) in bad() {
        fs::write(folder.join(name), content).unwrap();
        expected.push((name, says));
    }
    let large = File::create(folder.join("large.json")).unwrap();
    large.set_len(200_000_000).unwrap();
    expected.push(("large.json", &["200000000 bytes"]));
    for id in ["aaa-good", "zzz-good"] {
        let good = bundle(&[patient(id), flag("f", id)]).replace(SECRET, "Wholesome");
        fs::write(folder.join(format!("{id}.json")), good).unwrap();
    }
    expected
}

fn import(clinic: &Clinic, paths: &[PathBuf]) -> (Output, Vec<Value>) {
    let mut command = vec![PathBuf::from("--json"), PathBuf::from("import")];
    command.extend_from_slice(paths);
    let output = clinic.cli(&command);
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    let files = document["files"].as_array().unwrap().clone();
    (output, files)
}

/// No value out of a file, and no trouble of the program's own.
fn assert_discreet(text: &str) {
    for word in [
        SECRET,
        "19870314",
        "1987-03-14",
        "panicked",
        "please report",
    ] {
        assert!(!text.contains(word), "{word} in {text}");
    }
}

fn refuse_each(clinic: &Clinic) {
    let folder = clinic.scratch().join("bad");
    fs::create_dir_all(&folder).unwrap();
    let before = holdings(clinic);
    for (name, says) in write_folder(&folder) {
        let path = folder.join(name);
        let (output, files) = import(clinic, std::slice::from_ref(&path));
        assert_eq!(output.code, Some(1), "{name}: {output:?}");
        let [file] = files.as_slice() else {
            panic!("{name}: {files:?}");
        };
        let error = file["error"].as_str().unwrap();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        for part in says {
            assert!(error.contains(part), "{name}: {part} is not in {error}");
        }
        assert!(
            file["patient"].is_null() && file["resources"] == 0,
            "{file}"
        );
        assert_discreet(&format!("{output:?}"));
        let text = clinic.cli(&[Path::new("import"), &path]);
        assert_eq!(text.code, Some(1), "{text:?}");
        assert!(text.stdout.contains(name) || text.stderr.contains(name));
        assert_discreet(&format!("{text:?}"));
    }
    assert_eq!(holdings(clinic), before);
    assert_eq!(clinic.json(&["patient", "search"]), Value::Array(vec![]));
    clinic.fails(&["patient", "show", "p"], 4);
}

#[test]
fn a_daemon_refuses_bad_files_one_by_one_and_keeps_nothing() {
    let mut clinic = Clinic::create(PROGRAM, "Hill Clinic");
    clinic.start();
    refuse_each(&clinic);
    let log = super::log(&clinic);
    assert_discreet(&log);
    assert_eq!(clinic.json(&["doctor"])["healthy"], true);
    clinic.stop();
}

#[test]
fn good_files_of_a_folder_are_taken_in_whatever_stands_between_them() {
    let clinic = Clinic::create(PROGRAM, "Hill Clinic");
    let folder = clinic.scratch().join("mixed");
    fs::create_dir_all(&folder).unwrap();
    let mut expected = write_folder(&folder);
    // In a folder, files of other kinds are not looked at.
    expected.retain(|(name, _)| *name != "message.hl7");
    let (output, files) = import(&clinic, std::slice::from_ref(&folder));
    assert_eq!(output.code, Some(1), "{output:?}");
    assert_discreet(&format!("{output:?}"));
    assert_eq!(files.len(), expected.len() + 2, "{files:?}");
    let found = |name: &str| {
        let path = folder.join(name);
        let mut files = files.iter();
        files.find(|file| file["file"] == path.to_str().unwrap())
    };
    for (name, says) in expected {
        let error = found(name).unwrap()["error"].as_str().unwrap().to_owned();
        assert!(says.iter().all(|part| error.contains(part)), "{error}");
    }
    for id in ["aaa-good", "zzz-good"] {
        let file = found(&format!("{id}.json")).unwrap();
        assert!(file["error"].is_null() && file["resources"] == 2, "{file}");
        assert!(clinic.export(id).contains("Wholesome"));
    }
    let here = clinic.json(&["patient", "search"]);
    assert_eq!(here.as_array().unwrap().len(), 2, "{here}");

    let once = holdings(&clinic);
    let (_, again) = import(&clinic, std::slice::from_ref(&folder));
    assert_eq!(again.len(), files.len());
    assert_eq!(holdings(&clinic), once, "a second import changes nothing");
}
