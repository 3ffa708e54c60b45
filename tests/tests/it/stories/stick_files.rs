//! What else lies on sticks: each file is named with what to do about it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chartmesh_tests::run::Output;
use chartmesh_tests::{Clinic, introduce};
use serde_json::Value;

use super::shared_with;
use crate::PROGRAM;

/// Two clinics, a file of the first for the second, and the folder that it lies in.
struct Stick {
    hill: Clinic,
    river: Clinic,
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl Stick {
    fn new() -> Self {
        let [hill, river] =
            ["Hill Clinic", "River Hospital"].map(|name| Clinic::create(PROGRAM, name));
        introduce(&hill, &river);
        let nakato = shared_with(&hill, &river);
        for number in 0..3 {
            // Words that do not compress, so that the file has several blocks.
            let hash = |block: u32| blake3::hash(&(number * 10_000 + block).to_be_bytes());
            let words: Vec<_> = (0..2_500).map(|block| hash(block).to_hex()).collect();
            let words: Vec<&str> = words.iter().map(|hash| hash.as_str()).collect();
            nakato.note(&hill, &format!("n{number}"), &words.concat());
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("river.bundle");
        let stick = Self {
            hill,
            river,
            folder,
            file,
        };
        stick.write(&stick.hill, &stick.river, "river.bundle");
        stick
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, from: &Clinic, to: &Clinic, name: &str) {
        let (peer, out) = (to.id(), self.at(name));
        let out = out.to_str().unwrap();
        from.ok(&["sync", "export", "--peer", &peer, "--out", out]);
    }
}

fn import(at: &Clinic, paths: &[&Path]) -> Output {
    let paths = paths.iter().map(|path| path.to_str().unwrap());
    let arguments: Vec<&str> = ["sync", "import"].into_iter().chain(paths).collect();
    at.cli(&arguments)
}

/// What is said of a file that is no good.
fn refused(at: &Clinic, path: &Path) -> String {
    let output = import(at, &[path]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(!output.stdout.contains("Nothing is missing"), "{output:?}");
    output.stdout
}

#[test]
fn each_file_that_is_no_good_is_said_to_be_what_it_is_and_what_to_do() {
    let stick = Stick::new();
    let whole = fs::read(&stick.file).unwrap();
    let mut altered = whole.clone();
    let middle = whole.len() * 3 / 4;
    altered[middle] ^= 1;
    let mut begins = whole.clone();
    begins[150] ^= 1;
    let noise: Vec<u8> = (0..50_000_u32).map(|n| (n * 37 % 251) as u8).collect();
    let cases: [(&str, &[u8], &[&str]); 7] = [
        ("noise", &noise, &["it is no bundle file", "sync export"]),
        ("text", b"Dear colleague,", &["it is no bundle file"]),
        ("empty", b"", &["it is empty", "copy it again"]),
        (
            "altered",
            &altered,
            &["changed or damaged", "Copy it again"],
        ),
        ("begins", &begins, &["changed or damaged", "copy it again"]),
        (
            "cut",
            &whole[..middle],
            &["it is cut short", "Copy it again"],
        ),
        (
            "head",
            &whole[..40],
            &["it is cut short", "nothing came of it"],
        ),
    ];
    for (name, content, words) in cases {
        let path = stick.folder.path().join(name);
        fs::write(&path, content).unwrap();
        let said = refused(&stick.river, &path);
        assert_eq!(said.matches("failed").count(), 1, "{said}");
        for word in words {
            assert!(said.contains(word), "{name}: {word} in {said}");
        }
    }
}

#[test]
fn of_a_file_that_was_cut_it_is_said_how_much_came_and_how_the_rest_comes() {
    let stick = Stick::new();
    let whole = fs::read(&stick.file).unwrap();
    fs::write(&stick.file, &whole[..whole.len() - 1]).unwrap();
    let said = refused(&stick.river, &stick.file);
    assert!(said.contains("it is cut short: "), "{said}");
    assert!(
        said.contains("missing here. Copy it again, or carry a stick back"),
        "{said}"
    );
    assert!(said.contains("chartmesh sync export --peer "), "{said}");
}

#[test]
fn ones_own_file_among_others_is_left_alone_and_is_no_failure() {
    let stick = Stick::new();
    stick.write(&stick.river, &stick.hill, "hill.bundle");
    let output = import(&stick.river, &[stick.folder.path()]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let hill = &stick.hill.id()[..8];
    let own = format!("it was written here, for Hill Clinic (clinic {hill}): carry it there");
    assert!(output.stdout.contains(&own), "{output:?}");
    assert!(output.stdout.contains("skipped  "), "{output:?}");
    assert!(output.stdout.contains("Nothing is missing."), "{output:?}");
    let folder = stick.folder.path().to_str().unwrap();
    let read: Value = stick.river.json(&["sync", "import", folder]);
    assert!(read["files"][0]["skipped"].is_string(), "{read}");
    assert!(read["files"][0]["error"].is_null(), "{read}");
    // One that somebody else wrote for another clinic is none of ours.
    let coast = Clinic::create(PROGRAM, "Coast Pharmacy");
    let said = refused(&coast, &stick.file);
    assert!(said.contains("not for this clinic"), "{said}");
    // Alone, nothing was read, and nothing is said to be there.
    let output = import(&stick.river, &[&stick.at("hill.bundle")]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(!output.stdout.contains("Nothing is missing"), "{output:?}");
}

#[test]
fn what_has_no_end_is_refused_and_not_waited_for() {
    let stick = Stick::new();
    let pipe = stick.at("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let socket = stick.at("socket");
    let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (path, what) in [
        (pipe.as_path(), "it is a pipe, not a file"),
        (socket.as_path(), "it is a socket, not a file"),
        (Path::new("/dev/zero"), "it is a device, not a file"),
    ] {
        let said = refused(&stick.river, path);
        assert!(said.contains(what), "{said}");
    }
    // A link to itself, and one to the folder that it is in.
    let ring = stick.at("ring");
    std::os::unix::fs::symlink(&ring, &ring).unwrap();
    refused(&stick.river, &ring);
    std::os::unix::fs::symlink(stick.folder.path(), stick.at("again")).unwrap();
    let output = import(&stick.river, &[stick.folder.path()]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains("Nothing is missing."), "{output:?}");
}
