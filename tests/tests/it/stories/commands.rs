//! The command line itself: help, completions, what it says of failures.

use std::fs::Permissions;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use chartmesh_tests::scan::files_below;
use chartmesh_tests::{Clinic, introduce};

use crate::PROGRAM;

/// The commands below some words, as their help lists them.
fn below(clinic: &Clinic, words: &[&str]) -> (String, Vec<String>) {
    let mut arguments = words.to_vec();
    arguments.push("--help");
    let help = clinic.ok(&arguments);
    let list = help.split_once("Commands:\n").map_or("", |(_, rest)| rest);
    let names = list
        .lines()
        .take_while(|line| !line.is_empty())
        // Two blanks and a name; what is deeper continues the line before.
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect();
    (help, names)
}

#[test]
fn every_command_has_an_example() {
    let clinic = Clinic::create(PROGRAM, "Hill Clinic");
    let mut open = vec![Vec::new()];
    let mut seen = 0;
    while let Some(words) = open.pop() {
        let words: Vec<String> = words;
        let typed: Vec<&str> = words.iter().map(String::as_str).collect();
        let (help, names) = below(&clinic, &typed);
        let example = format!("chartmesh {}", typed.join(" "));
        let examples = help.split_once("Examples:").map_or("", |(_, rest)| rest);
        let shown = examples
            .lines()
            .any(|line| typed.iter().all(|word| line.contains(word)));
        assert!(shown, "no example of `{example}`:\n{help}");
        seen += 1;
        for name in names {
            let mut longer = words.clone();
            longer.push(name);
            open.push(longer);
        }
    }
    assert!(seen > 30, "only {seen} commands were found");
}

#[test]
fn a_weak_passphrase_is_taken_and_spoken_of() {
    let clinic = Clinic::create(PROGRAM, "Hill Clinic");
    std::fs::remove_dir_all(clinic.dir()).unwrap();
    let file = clinic.passphrase_file();
    let init = |text: &str, mode: u32| {
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        let output = clinic.cli(&["init", "--name", "Hill Clinic"]);
        assert_eq!(output.code, Some(0), "{output:?}");
        std::fs::remove_dir_all(clinic.dir()).unwrap();
        output.stderr
    };
    assert!(init("hill", 0o600).contains("is short"));
    assert!(init("a mule on the hill road", 0o644).contains("chmod 600"));
    assert_eq!(init("a mule on the hill road", 0o600), "");
}

#[test]
fn an_export_is_written_to_a_file_that_is_named_without_a_folder() {
    let clinic = Clinic::create(PROGRAM, "Hill Clinic");
    let patient = clinic.json(&["patient", "register", "--given", "Amina"]);
    let id = patient["id"].as_str().unwrap();
    let arguments = ["export", "--patient", id, "--out", "amina.json"];
    let folder = clinic.scratch();
    let output = clinic
        .command()
        .args(arguments)
        .current_dir(&folder)
        .output();
    assert!(output.unwrap().status.success());
    let written = std::fs::read_to_string(folder.join("amina.json")).unwrap();
    assert_eq!(written, clinic.export(id));
}

#[test]
fn completions_name_the_commands_for_every_shell() {
    let clinic = Clinic::create(PROGRAM, "Hill Clinic");
    for shell in ["bash", "zsh", "fish"] {
        let script = clinic.ok(&["completions", shell]);
        for word in ["chartmesh", "consent", "passphrase-file", "conflicts"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        // A reader that goes away, such as `head`, is no failure.
        let mut command = clinic.command();
        command.args(["completions", shell]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        let mut stderr = child.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success(), "{shell}: {said}");
        assert_eq!(said, "");
    }
}

#[test]
fn a_wrong_passphrase_ends_with_3_and_one_clear_line() {
    let clinic = Clinic::create(PROGRAM, "Hill Clinic");
    let wrong = clinic.scratch().join("wrong");
    std::fs::write(&wrong, "something else").unwrap();
    for command in ["id", "status", "run", "doctor"] {
        let arguments = ["--passphrase-file", wrong.to_str().unwrap(), command];
        let said = clinic.fails(&arguments, 3);
        assert_eq!(said, "chartmesh: the passphrase is wrong\n", "{command}");
    }
}

#[test]
fn a_folder_without_a_clinic_is_named_with_what_to_do() {
    let clinic = Clinic::create(PROGRAM, "Hill Clinic");
    let empty = clinic.scratch().join("nothing");
    let dir = empty.to_str().unwrap();
    for command in ["id", "run", "status", "doctor"] {
        let said = clinic.fails(&["--dir", dir, command], 4);
        assert!(said.contains("init --name"), "{said}");
    }
    assert!(!empty.exists(), "asking made a folder");
    // Making a clinic where one is would take its keys.
    let said = clinic.fails(&["init", "--name", "Another"], 5);
    assert!(said.contains("holds a clinic already"), "{said}");
}

#[test]
fn generate_writes_the_same_bytes_for_the_same_seed() {
    let clinic = Clinic::create(PROGRAM, "Hill Clinic");
    let generate = |seed: &str, name: &str| -> Vec<(String, Vec<u8>)> {
        let out = clinic.scratch().join(name);
        let folder = out.to_str().unwrap();
        clinic.ok(&["generate", "--charts", "6", "--seed", seed, "--out", folder]);
        let files = files_below(&out).into_iter();
        files
            .map(|file| {
                let name = file.file_name().unwrap().to_str().unwrap().to_owned();
                (name, std::fs::read(&file).unwrap())
            })
            .collect()
    };
    let first = generate("7", "first");
    assert_eq!(first.len(), 6, "one bundle a patient");
    assert!(first == generate("7", "second"), "other bytes");
    let other = generate("8", "other");
    assert!(
        first
            .iter()
            .all(|(_, bytes)| other.iter().all(|(_, one)| one != bytes))
    );

    let folder = clinic.scratch().join("first");
    let report = clinic.json(&["import", folder.to_str().unwrap()]);
    for line in report["files"].as_array().unwrap() {
        assert!(line["error"].is_null(), "{line}");
    }
}

#[test]
fn a_failure_is_one_json_document_too() {
    let clinic = Clinic::create(PROGRAM, "Hill Clinic");
    let failed = clinic.cli(&["--json", "patient", "show", "440ffe72"]);
    assert_eq!(failed.code, Some(4));
    let answer: serde_json::Value = serde_json::from_str(&failed.stdout).unwrap();
    assert_eq!(answer["exit"], 4);
    let said = &failed.stderr;
    let error = answer["error"].as_str().unwrap();
    assert!(
        error.contains("patient search") && said.contains(error),
        "{answer} {said}"
    );
}

#[test]
fn a_clinic_without_any_grant_is_not_said_to_have_everything() {
    let [hill, river] = ["Hill Clinic", "River Hospital"].map(|name| Clinic::create(PROGRAM, name));
    introduce(&hill, &river);
    register(&hill, "1987-04-02");
    let line = |word: &str| hill.ok(&[word]).contains("no patient is shared with it");
    assert!(line("status"));
    let river = river.id();
    let to_all = ["consent", "grant", "--patient", "all", "--to", &river];
    hill.ok(&[&to_all[..], &["--compartments", "all"]].concat());
    assert!(!line("status"));
}

#[test]
fn nobody_is_registered_who_is_not_born_yet() {
    let clinic = Clinic::create(PROGRAM, "Hill Clinic");
    let born = "2999-01-01";
    let typed = [
        "patient",
        "register",
        "--given",
        "Amina",
        "--birth-date",
        born,
    ];
    let said = clinic.fails(&typed, 2);
    assert!(said.contains("future"), "{said}");
    assert!(
        clinic
            .json(&["patient", "search"])
            .as_array()
            .unwrap()
            .is_empty()
    );
}

fn register(clinic: &Clinic, born: &str) {
    let name = [
        "patient", "register", "--given", "Amina", "--family", "Nakato",
    ];
    clinic.ok(&[&name[..], &["--birth-date", born, "--sex", "female"]].concat());
}
