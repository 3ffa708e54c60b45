//! The demonstration: what it claims, what it leaves, and what it prints for a program.

use std::path::Path;
use std::process::Command;

use chartmesh_tests::run::{Output, run};
use serde_json::Value;

use crate::PROGRAM;

/// Runs the demonstration in a folder of its own.
fn demo(place: &Path, arguments: &[&str]) -> Output {
    let scratch = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("demo").args(arguments).current_dir(place);
    run(&mut command, scratch.path())
}

/// The facts of a step.
fn facts(document: &Value, number: usize) -> &Value {
    &document["steps"][number - 1]["facts"]
}

#[test]
fn the_demonstration_shows_in_words_how_a_chart_is_shared_and_how_that_ends() {
    let place = tempfile::tempdir().unwrap();
    let shown = demo(place.path(), &["--patients", "3", "--seed", "5"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    // A bar is for a terminal only.
    assert_eq!(shown.stderr, "");
    for said in [
        "\n 1  Three clinics\n",
        "River Hospital  4 of 4 charts, the same to the byte",
        "Far Clinic      0 charts, 0 records",
        "| Amina Nakato, born 1987-04-02, female",
        "|   1  ",
        "|   2  ",
        "criticality: \"high\"",
        "criticality: \"low\"",
        "Swelling of the face",
        "Mild rash",
        "marked ACCESS ENDED; none of the 2 new",
        "cannot be called back",
        "All 10 steps hold",
    ] {
        assert!(
            shown.stdout.contains(said),
            "no {said:?} in\n{}",
            shown.stdout
        );
    }
    let longest = shown.stdout.lines().map(|line| line.chars().count()).max();
    assert!(longest <= Some(100), "{longest:?}: {}", shown.stdout);
    assert_eq!(
        place.path().read_dir().unwrap().count(),
        0,
        "nothing is left"
    );
}

#[test]
fn the_demonstration_prints_one_json_document_for_a_program() {
    let place = tempfile::tempdir().unwrap();
    let shown = demo(place.path(), &["--json", "--patients", "2"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let document: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(document["ok"], true);
    assert_eq!(document["kept"], Value::Null);
    assert_eq!(document["steps"].as_array().unwrap().len(), 10);
    for step in document["steps"].as_array().unwrap() {
        assert!(step["ok"] == true && step["meaning"].is_string(), "{step}");
    }
    let shared = facts(&document, 4);
    assert_eq!(shared["charts"]["River Hospital"], 3);
    assert_eq!(shared["charts"]["Far Clinic"], 0);
    let conflict = &facts(&document, 8)["conflicts"][0];
    assert_eq!(conflict["resource"], "AllergyIntolerance/penicillin");
    let mut clinics: Vec<&str> = conflict["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| {
            assert!(
                version["at"].is_string() && version["user"].is_string(),
                "{version}"
            );
            version["clinic_name"].as_str().unwrap()
        })
        .collect();
    clinics.sort_unstable();
    assert_eq!(clinics, ["Hill Clinic", "River Hospital"]);
    let end = facts(&document, 10);
    assert_eq!(end["new_records"], 2);
    assert_eq!(end["new_records_opened"], 0);
    assert_eq!(end["old_records_opened"], end["records"]["River Hospital"]);
    assert!(end["keys_tried"].as_u64() > Some(0), "{end}");
    assert_eq!(end["charts_at_far_clinic"], 0);
}

#[test]
fn what_the_demonstration_keeps_can_be_looked_at_with_the_commands_that_it_prints() {
    let place = tempfile::tempdir().unwrap();
    let shown = demo(place.path(), &["--patients", "2", "--keep", "two clinics"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let (_, next) = shown.stdout.split_once("To look around:").unwrap();
    let typed: Vec<&str> = next
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .collect();
    let (daemons, commands): (Vec<&str>, Vec<&str>) =
        typed.iter().partition(|line| line.ends_with(" run"));
    assert!(daemons.len() == 2 && commands.len() > 5, "{typed:?}");
    assert!(commands[0].starts_with("export "), "{commands:?}");
    let kept = place.path().join("two clinics");
    let secret = std::fs::read_to_string(kept.join("passphrase")).unwrap();
    assert!(
        !shown.stdout.contains(secret.trim()),
        "the passphrase is printed"
    );

    let looked = bash(place.path(), &format!("set -e\n{}", commands.join("\n")));
    assert_eq!(looked.code, Some(0), "{looked:?}");
    for said in [
        "Amina Nakato",
        "ACCESS ENDED (revoked)",
        "No patient is here yet.",
    ] {
        assert!(
            looked.stdout.contains(said),
            "no {said:?} in\n{}",
            looked.stdout
        );
    }

    // The nodes find each other at the addresses of the cards that they had exchanged.
    let mut script = "trap 'kill $(jobs -p); wait' EXIT\n".to_owned();
    for daemon in &daemons {
        script.push_str(&format!("timeout 100 {daemon} 2>>log &\n"));
    }
    for clinic in ["hill", "river"] {
        let ready = format!("'two clinics/{clinic}/run.json'");
        script.push_str(&format!(
            "for _ in {{1..600}}; do [[ -e {ready} ]] && break; sleep 0.1; done\n"
        ));
    }
    let search = commands.iter().find(|line| line.contains("patient search"));
    let hill = search.unwrap().replace("patient search", "--json sync now");
    script.push_str(&format!("{}\n{hill}\n", commands[0]));
    let synced = bash(place.path(), &script);
    let report: Value = serde_json::from_str(&synced.stdout).unwrap();
    let met = report["peers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|peer| peer["name"] == "River Hospital")
        .unwrap();
    assert!(met["connected"] == true && met["error"].is_null(), "{met}");
}

#[test]
fn the_demonstration_leaves_a_folder_alone_that_has_something_in_it() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("mine"), "mine").unwrap();
    let shown = demo(place.path(), &["--keep", "."]);
    assert_eq!(shown.code, Some(5), "{shown:?}");
    assert!(shown.stderr.contains("is not empty"), "{shown:?}");
    assert_eq!(place.path().read_dir().unwrap().count(), 1);
}

fn bash(place: &Path, script: &str) -> Output {
    let scratch = tempfile::tempdir().unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-c", script]).current_dir(place);
    run(&mut bash, scratch.path())
}
