//! Two clinics that never have a link: bundle files travel on a stick.

use std::path::{Path, PathBuf};

use chartmesh_tests::bundle::resources;
use chartmesh_tests::scan::Scan;
use chartmesh_tests::{Clinic, introduce};
use serde_json::Value;

use super::restart::copy_folder;
use super::{NakatoShared, shared_with};
use crate::PROGRAM;

/// Words that must not be seen on a stick.
const SECRETS: [&str; 3] = ["Nakato", "Amina", "the first note"];

/// Two clinics that know each other's cards, and a folder that is carried between them.
struct Valley {
    hill: Clinic,
    river: Clinic,
    stick: tempfile::TempDir,
}

impl Valley {
    fn new() -> (Self, NakatoShared) {
        let [hill, river] =
            ["Hill Clinic", "River Hospital"].map(|name| Clinic::create(PROGRAM, name));
        introduce(&hill, &river);
        let nakato = shared_with(&hill, &river);
        let stick = tempfile::tempdir().unwrap();
        let valley = Self { hill, river, stick };
        (valley, nakato)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.stick.path().join(name)
    }

    /// The paths of the files that were written.
    fn export(&self, from: &Clinic, to: &Clinic, name: &str, more: &[&str]) -> Vec<PathBuf> {
        let (peer, out) = (to.id(), self.file(name));
        let mut arguments = vec!["sync", "export", "--peer", &peer, "--out"];
        arguments.push(out.to_str().unwrap());
        arguments.extend(more);
        let written = from.json(&arguments);
        let files = written["files"].as_array().unwrap();
        let path = |file: &Value| PathBuf::from(file.as_str().unwrap());
        files.iter().map(path).collect()
    }
}

fn import(at: &Clinic, files: &[&Path]) -> Value {
    at.json(&arguments(files))
}

/// What is printed of files of which one at least is no good.
fn fails(at: &Clinic, files: &[&Path]) -> String {
    let output = at.cli(&arguments(files));
    assert_eq!(output.code, Some(1), "{output:?}");
    output.stdout
}

fn arguments<'a>(files: &[&'a Path]) -> Vec<&'a str> {
    let paths = files.iter().map(|file| file.to_str().unwrap());
    ["sync", "import"].into_iter().chain(paths).collect()
}

fn sum(read: &Value, what: &str) -> u64 {
    let files = read["files"].as_array().unwrap().iter();
    files.map(|file| file[what].as_u64().unwrap()).sum()
}

fn same_chart(valley: &Valley, nakato: &NakatoShared) {
    let charts = [&valley.hill, &valley.river].map(|clinic| clinic.export(&nakato.chart));
    assert_eq!(resources(&charts[0]), resources(&charts[1]));
}

#[test]
fn two_clinics_without_any_link_share_a_chart_over_a_stick() {
    let (valley, nakato) = Valley::new();
    let Valley { hill, river, stick } = &valley;
    nakato.note(hill, "n1", "the first note");
    let there = valley.export(hill, river, "there.bundle", &[]);
    assert_eq!(Scan::for_texts(SECRETS).folder(stick.path()), []);

    let read = import(river, &[&there[0]]);
    assert_eq!(read["missing"], serde_json::json!([]));
    assert!(sum(&read, "new_items") > 0);
    same_chart(&valley, &nakato);
    let again = import(river, &[&there[0]]);
    assert_eq!(sum(&again, "new_items"), 0);
    assert_eq!(sum(&again, "items"), sum(&read, "items"));

    // The way back holds what is new, and tells Hill Clinic what has arrived.
    nakato.note(river, "n2", "the answer");
    let back = valley.export(river, hill, "back.bundle", &[]);
    let read = import(hill, &[&back[0]]);
    assert!(sum(&read, "items") < 4, "{read}");
    same_chart(&valley, &nakato);
    let status = hill.json(&["sync", "status"]);
    assert_eq!(status["peers"][0]["owed_out"], 0, "{status}");
    assert!(status["peers"][0]["confirmed"].is_string(), "{status}");
    let nothing = valley.export(hill, river, "nothing.bundle", &[]);
    assert_eq!(sum(&import(river, &[&nothing[0]]), "items"), 0);
}

#[test]
fn parts_may_come_in_any_order_twice_or_cut_and_what_is_missing_is_named() {
    let (valley, nakato) = Valley::new();
    let Valley { hill, river, .. } = &valley;
    for number in 0..9 {
        // Words that do not compress, so that several files are needed.
        let mut words = String::new();
        for block in 0..2_500_u32 {
            let hash = blake3::hash(&(number * 10_000 + block).to_be_bytes());
            words.push_str(&hash.to_hex());
        }
        nakato.note(hill, &format!("n{number}"), &words);
    }
    let files = valley.export(hill, river, "much.bundle", &["--max-size", "300k"]);
    assert!(files.len() >= 3, "{files:?}");
    for file in &files {
        assert!(std::fs::metadata(file).unwrap().len() <= 300_000);
    }
    let (last, rest) = files.split_last().unwrap();

    // The last one first, and only the beginning of another.
    let whole = std::fs::read(&rest[0]).unwrap();
    std::fs::write(&rest[0], &whole[..whole.len() / 2]).unwrap();
    let paths = [last.as_path(), &rest[0], last];
    let output = fails(river, &paths);
    assert!(output.contains("cut short"), "{output}");
    let read = import(river, &[last]);
    let missing: Vec<u64> = read["missing"][0]["missing"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part.as_u64().unwrap())
        .collect();
    assert_eq!(missing, (1..files.len() as u64).collect::<Vec<_>>());

    std::fs::write(&rest[0], &whole).unwrap();
    let read = import(river, &[valley.stick.path()]);
    assert_eq!(read["missing"], serde_json::json!([]));
    same_chart(&valley, &nakato);
    let back = valley.export(river, hill, "back.bundle", &[]);
    import(hill, &[&back[0]]);
    let status = hill.json(&["sync", "status"]);
    assert_eq!(status["peers"][0]["owed_out"], 0, "{status}");
}

#[test]
fn a_stick_for_another_clinic_an_altered_one_and_one_of_a_stranger_are_refused() {
    let (valley, nakato) = Valley::new();
    let Valley { hill, river, .. } = &valley;
    nakato.note(hill, "n1", "the first note");
    let file = valley.export(hill, river, "there.bundle", &[]).remove(0);
    let coast = Clinic::create(PROGRAM, "Coast Pharmacy");
    let output = fails(&coast, &[&file]);
    assert!(output.contains("it is for clinic"), "{output}");

    let mut altered = std::fs::read(&file).unwrap();
    let at = altered.len() - 40;
    altered[at] ^= 1;
    let path = valley.file("altered.bundle");
    std::fs::write(&path, altered).unwrap();
    let output = fails(river, &[&path]);
    assert!(output.contains("changed or damaged"), "{output}");
    let text = valley.file("text.bundle");
    std::fs::write(&text, "{}").unwrap();
    let output = fails(river, &[&text]);
    assert!(output.contains("no bundle file"), "{output}");

    river.ok(&["peer", "remove", &hill.id()]);
    let output = fails(river, &[&file]);
    assert!(output.contains("peer add"), "{output}");
    assert!(!nakato.has(river, "Observation/n1"));
}

#[test]
fn a_file_that_exists_stays_as_it_is_and_a_size_for_no_chart_is_refused() {
    let (valley, _) = Valley::new();
    let Valley { hill, river, .. } = &valley;
    let path = valley.file("mine.txt");
    std::fs::write(&path, "mine").unwrap();
    let (peer, out) = (river.id(), path.to_str().unwrap());
    let export = ["sync", "export", "--peer", &peer, "--out", out];
    let output = hill.fails(&export, 2);
    assert!(output.contains("exists"), "{output}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    let small = [&export[..], &["--max-size", "100"]].concat();
    let output = hill.fails(&small, 2);
    assert!(output.contains("too small"), "{output}");
    assert_eq!(std::fs::read_dir(valley.stick.path()).unwrap().count(), 1);
}

#[test]
fn a_revoked_clinic_finds_nothing_new_on_its_stick() {
    let (valley, nakato) = Valley::new();
    let Valley { hill, river, .. } = &valley;
    let first = valley.export(hill, river, "first.bundle", &[]);
    import(river, &[&first[0]]);
    hill.ok(&["consent", "revoke", &nakato.grant, "--reason", "moved away"]);
    nakato.note(hill, "n1", "the first note");
    let second = valley.export(hill, river, "second.bundle", &["--everything"]);
    let read = import(river, &[&second[0]]);
    assert_eq!(sum(&read, "refused"), 0, "{read}");
    assert!(!nakato.has(river, "Observation/n1"));
    let shown = river.json(&["chart", "show", &nakato.chart]);
    assert_eq!(shown["access"]["state"], "ended", "{shown}");
}

#[test]
fn a_stick_that_is_not_there_is_not_one_with_nothing_missing() {
    let clinic = Clinic::create(PROGRAM, "Hill Clinic");
    let empty = clinic.scratch().join("not-mounted");
    std::fs::create_dir(&empty).unwrap();
    let said = clinic.fails(&[Path::new("sync"), Path::new("import"), &empty], 4);
    assert!(said.contains("is the stick plugged in"), "{said}");
}

/// What one clinic is told of the other.
fn summary(at: &Clinic) -> String {
    let status = at.json(&["sync", "status"]);
    status["peers"][0]["summary"].as_str().unwrap().to_owned()
}

#[test]
fn a_clinic_that_is_put_back_is_told_what_it_lacks_and_gets_it_with_the_second_stick() {
    let (valley, nakato) = Valley::new();
    let Valley { hill, river, .. } = &valley;
    let mut number = 0;
    let mut carry = |from: &Clinic, to: &Clinic| {
        number += 1;
        let file = valley.export(from, to, &format!("{number}.bundle"), &[]);
        to.ok(&arguments(&[&file[0]]))
    };
    for (from, to) in [(hill, river), (river, hill), (hill, river)] {
        carry(from, to);
    }
    let backup = river.scratch().join("backup");
    copy_folder(&river.dir(), &backup);
    nakato.note(hill, "n1", "written after the copy");
    carry(hill, river);
    carry(river, hill);
    let has = "has everything that you saved; confirmed just now";
    assert!(summary(hill).starts_with(has), "{}", summary(hill));
    std::fs::remove_dir_all(river.dir()).unwrap();
    copy_folder(&backup, &river.dir());

    let said = carry(hill, river);
    let missing = "Missing here: Hill Clinic takes this node to have what is not here";
    assert!(said.contains(missing), "{said}");
    assert!(said.contains("chartmesh sync export --peer "), "{said}");
    assert!(!said.contains("Nothing is missing"), "{said}");
    let said = carry(river, hill);
    assert!(
        said.contains("Missing at River Hospital: it has less"),
        "{said}"
    );
    assert!(summary(hill).contains("wait"), "{}", summary(hill));
    let said = carry(hill, river);
    assert!(said.contains("Nothing is missing"), "{said}");
    same_chart(&valley, &nakato);
    carry(river, hill);
    carry(hill, river);
    for clinic in [hill, river] {
        assert!(summary(clinic).starts_with(has), "{}", summary(clinic));
    }
}
