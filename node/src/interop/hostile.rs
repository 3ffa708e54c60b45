//! Files as they should not be: each is refused with its own error, and the text of the error
//! is what a person reads.

use std::fs::{self, File};
use std::path::PathBuf;

use tempfile::TempDir;

use super::error::{GzipFault, ImportError, ImportReason, Place};
use super::recognise::Lookalike;
use super::unpack::tests::pack;
use super::{FileCharts, InputFile, read_inputs};

/// What is said of each hostile file. Setting `UPDATE_GOLDEN=1` writes it anew.
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/interop/errors.golden.txt");

/// A value that stands in every hostile file and must not stand in any error.
const SECRET: &str = "Okonkwo-1987-03-14";

/// The limit of these tests: the real one would take them long.
const MOST: u64 = 1 << 20;

const PATIENT: &str =
    r#"{"resourceType":"Patient","id":"a","name":[{"family":"Okonkwo-1987-03-14"}]}"#;

fn ids() -> impl FnMut() -> String {
    let mut count = 0;
    move || {
        count += 1;
        format!("new-{count}")
    }
}

/// Reads one file with this name and content.
fn read(folder: &TempDir, name: &str, content: &[u8]) -> Result<FileCharts, ImportError> {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    InputFile::read_within(&path, MOST).and_then(|file| file.charts(&mut ids()))
}

fn bundle(resources: &[&str]) -> String {
    let entries: Vec<String> = resources
        .iter()
        .map(|r| format!(r#"{{"resource":{r}}}"#))
        .collect();
    let entries = entries.join(",");
    format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{entries}]}}"#)
}

fn flag(id: &str, patient: &str) -> String {
    let code = format!(r#"{{"text":"{SECRET}"}}"#);
    let subject = format!(r#"{{"reference":"Patient/{patient}"}}"#);
    format!(r#"{{"resourceType":"Flag","id":"{id}","code":{code},"subject":{subject}}}"#)
}

type Files = Vec<(&'static str, Vec<u8>)>;

/// The hostile files: name and content.
fn hostile() -> Files {
    [
        wrongly_packed(),
        of_other_kinds(),
        no_charts(),
        wrong_lines(),
    ]
    .concat()
}

fn wrongly_packed() -> Files {
    let whole = pack(PATIENT.as_bytes());
    let mut damaged = whole.clone();
    let at = damaged.len() - 6;
    damaged[at] ^= 1;
    vec![
        ("empty.json", Vec::new()),
        ("blank.json", b" \r\n\t ".to_vec()),
        ("empty-packed.json.gz", pack(b"")),
        ("not-packed.json.gz", PATIENT.into()),
        ("truncated.json.gz", whole[..whole.len() - 9].to_vec()),
        ("damaged.json.gz", damaged),
        ("trailing.json.gz", [whole, SECRET.into()].concat()),
        (
            "bomb.json.gz",
            pack(&vec![b' '; usize::try_from(MOST).unwrap() + 1]),
        ),
        ("large.json", vec![b' '; usize::try_from(MOST).unwrap() + 1]),
    ]
}

fn of_other_kinds() -> Files {
    let utf16: Vec<u8> = "\u{feff}{}"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let cda = format!("<?xml version=\"1.0\"?>\n<ClinicalDocument>{SECRET}</ClinicalDocument>");
    vec![
        ("latin1.json", b"{\"x\":\"Jos\xe9\"}".to_vec()),
        ("utf16.json", utf16),
        (
            "message.hl7",
            format!("MSH|^~\\&|LAB\rPID|1||{SECRET}").into(),
        ),
        (
            "message.json",
            format!("MSH|^~\\&|LAB\rPID|1||{SECRET}").into(),
        ),
        ("document.xml", cda.clone().into()),
        ("document.json.gz", pack(cda.as_bytes())),
        ("report.pdf", b"%PDF-1.7".to_vec()),
        ("charts.zip", b"PK\x03\x04".to_vec()),
        ("table.csv", format!("name\n{SECRET}\n").into()),
    ]
}

fn no_charts() -> Files {
    let second = PATIENT.replace("\"a\"", "\"b\"");
    let no_type = format!(r#"{{"id":"x","note":"{SECRET}"}}"#);
    let deep = format!(r#"{{"resourceType":"Basic","x":{}}}"#, "[".repeat(5000));
    let twice = format!(r#"{{"resourceType":"Flag","status":"{SECRET}","status":"active"}}"#);
    let (of_a, of_b) = (flag("f", "a"), flag("f", "b"));
    let files: [(&str, String); 13] = [
        ("torn.json", PATIENT[..PATIENT.len() - 5].into()),
        ("several.json", format!("{PATIENT}\n{of_a}")),
        ("list.json", format!("[{PATIENT}]")),
        ("no-type.json", no_type.clone()),
        (
            "no-patient.json",
            bundle(&[&of_a.replace("Patient/a", "#x")]),
        ),
        (
            "history.json",
            bundle(&[PATIENT]).replace("collection", "history"),
        ),
        ("entry-without-type.json", bundle(&[PATIENT, &no_type])),
        ("two-patients.json", bundle(&[PATIENT, &second])),
        ("other-patient.json", bundle(&[PATIENT, &of_b])),
        ("same-key.json", bundle(&[PATIENT, &of_a, &of_a])),
        ("deep.json", bundle(&[PATIENT, &deep])),
        ("twice.json", bundle(&[PATIENT, &twice])),
        (
            "no-resource.json",
            bundle(&[PATIENT]).replace("}]}}]", "}]}},{}]"),
        ),
    ];
    files
        .into_iter()
        .map(|(name, text)| (name, text.into_bytes()))
        .collect()
}

fn wrong_lines() -> Files {
    let no_type = format!(r#"{{"id":"x","note":"{SECRET}"}}"#);
    let lines = |lines: &[&str]| lines.join("\n").into_bytes();
    let of_a = flag("f", "a");
    vec![
        ("bad-line.ndjson", lines(&[PATIENT, "", &no_type])),
        ("bundle.ndjson", lines(&[&bundle(&[PATIENT])])),
        ("other-patient.ndjson", lines(&[PATIENT, &flag("f", "b")])),
        ("same-key.ndjson", lines(&[PATIENT, &of_a, &of_a])),
    ]
}

#[test]
fn every_hostile_file_is_refused_in_words_that_help_and_tell_nothing_of_the_patient() {
    let folder = tempfile::tempdir().unwrap();
    let mut said = String::new();
    for (name, content) in hostile() {
        let error = read(&folder, name, &content).unwrap_err();
        let relative = ImportError {
            file: PathBuf::from(name),
            ..error
        };
        said.push_str(&format!("{relative}\n"));
    }
    assert!(
        !said.contains("Okonkwo") && !said.contains("1987"),
        "{said}"
    );
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(GOLDEN, &said).unwrap();
    }
    assert_eq!(said, include_str!("errors.golden.txt"));
}

#[test]
fn one_bad_file_does_not_stop_the_others() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in hostile()
        .into_iter()
        .filter(|(name, _)| *name != "bomb.json.gz")
    {
        fs::write(folder.path().join(name), content).unwrap();
    }
    fs::write(folder.path().join("good.json"), PATIENT).unwrap();
    let inputs = read_inputs(&[folder.path().to_owned()]);
    let good: Vec<_> = inputs
        .filter_map(Result::ok)
        .filter_map(|file| file.charts(&mut ids()).ok().map(|_| file.path().to_owned()))
        .collect();
    assert_eq!(good, [folder.path().join("good.json")]);
}

#[test]
fn a_file_too_large_is_refused_before_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.json");
    // A sparse file takes no room on the disk, and would take minutes to parse.
    File::create(&path).unwrap().set_len(200 << 20).unwrap();
    let start = std::time::Instant::now();
    let error = InputFile::read(&path).unwrap_err();
    assert_eq!(
        error.reason,
        ImportReason::TooLarge {
            bytes: 200 << 20,
            most: 128 << 20
        }
    );
    assert!(start.elapsed().as_millis() < 500);
}

#[test]
fn reasons_and_places_can_be_matched_on() {
    let folder = tempfile::tempdir().unwrap();
    let reason = |name: &str, content: &[u8]| {
        let error = read(&folder, name, content).unwrap_err();
        (error.place, error.reason)
    };
    let second = PATIENT.replace("\"a\"", "\"b\"");
    let two = bundle(&[PATIENT, &second]);
    let (place, why) = reason("two.json", two.as_bytes());
    assert_eq!(
        (place, why),
        (Some(Place::Entry(1)), ImportReason::SecondPatient)
    );
    let (place, why) = reason("x.ndjson", format!("{PATIENT}\n{{}}").as_bytes());
    assert!(matches!(
        (place, why),
        (Some(Place::Line(2)), ImportReason::Resource(_))
    ));
    let (_, why) = reason("x.json.gz", b"{}");
    assert_eq!(why, ImportReason::Gzip(GzipFault::NotGzip));
    let (_, why) = reason("x.json", b"%PDF-");
    assert_eq!(why, ImportReason::NotFhirJson(Lookalike::Pdf));
    let (_, why) = reason("utf16.json", b"\xff\xfe{\0}\0");
    assert_eq!(why, ImportReason::NotUtf8 { offset: 0 });
}

#[test]
fn packed_marked_and_renamed_files_are_read_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let marked = format!("\u{feff}{PATIENT}\r\n");
    let two = [
        pack(&marked.as_bytes()[..30]),
        pack(&marked.as_bytes()[30..]),
    ]
    .concat();
    let lines = format!("{PATIENT}\r\n\r\n{}\n", flag("f", "a"));
    for (name, content) in [
        ("a.json", marked.clone().into_bytes()),
        ("a.JSON.GZ", pack(marked.as_bytes())),
        ("packed-without-saying.json", pack(marked.as_bytes())),
        ("several-members.json.gz", two),
        ("a.ndjson", lines.clone().into_bytes()),
        ("a.ndjson.gz", pack(format!("\u{feff}{lines}").as_bytes())),
    ] {
        let charts = read(&folder, name, &content).unwrap().charts;
        assert_eq!(charts.len(), 1, "{name}");
        assert_eq!(charts[0].patient.id(), Some("a"), "{name}");
    }
}

#[test]
fn what_no_chart_claims_in_an_ndjson_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let second = PATIENT.replace("\"a\"", "\"b\"");
    let organisation = r#"{"resourceType":"Organization","id":"o"}"#;
    let lines = [PATIENT, &second, organisation].join("\n");
    let read = read(&folder, "x.ndjson", lines.as_bytes()).unwrap();
    assert_eq!(read.charts.len(), 2);
    assert_eq!(
        read.unclaimed
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["Organization/o"]
    );
}

#[test]
fn a_file_name_cannot_steer_the_terminal() {
    let error = ImportError::whole("a\u{1b}[2J\nb.json", ImportReason::Empty);
    assert!(!error.to_string().contains(char::is_control));
}

#[test]
fn generated_charts_are_read() {
    let folder = tempfile::tempdir().unwrap();
    for patient in crate::generate::generate(25, 3) {
        fs::write(folder.path().join(patient.file_name), patient.json).unwrap();
    }
    let mut charts = 0;
    for file in read_inputs(&[folder.path().to_owned()]) {
        let read = file.unwrap().charts(&mut ids()).unwrap();
        assert!(read.charts[0].resources.len() >= 20 && read.unclaimed.is_empty());
        charts += 1;
    }
    assert_eq!(charts, 25);
}
