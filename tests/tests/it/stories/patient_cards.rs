//! A patient takes a card to a clinic that has never heard of her.

use std::path::PathBuf;

use chartmesh_tests::clinic::text;
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, introduce};
use serde_json::{Value, json};

use super::{NakatoShared, SOON, allergic, running};
use crate::PROGRAM;

const PIN: &str = "246810";

/// A patient of a clinic with an allergy and a note.
fn patient_of(home: &Clinic) -> NakatoShared {
    let names = ["--given", "Zoë", "--family", "Nakato"];
    allergic(home, &names, ("note", "a visit"))
}

fn pin_file(clinic: &Clinic, digits: &str) -> String {
    let file = clinic.scratch().join(format!("pin-{digits}"));
    std::fs::write(&file, digits).unwrap();
    file.to_string_lossy().into_owned()
}

/// Makes a card, written in this form.
fn make_card(home: &Clinic, chart: &str, form: &str) -> PathBuf {
    let out = home.scratch().join(format!("card.{form}"));
    let (file, pin) = (out.to_string_lossy(), pin_file(home, PIN));
    home.ok(&["patient", "card", chart, "--out", &file, "--pin-file", &pin]);
    out
}

/// The texts of both codes: that of the key, and that of the summary.
fn codes(home: &Clinic, chart: &str) -> [String; 2] {
    let written = std::fs::read_to_string(make_card(home, chart, "txt")).unwrap();
    let lines: Vec<&str> = written.lines().collect();
    [lines[0].to_owned(), lines[1].to_owned()]
}

fn grant<'a>(card: &'a str, pin: &'a str) -> [&'a str; 5] {
    ["card", "grant", card, "--pin-file", pin]
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
fn a_patient_takes_the_card_to_another_clinic_and_the_chart_is_there() {
    let [hill, river] = running(["Hill Clinic", "River Hospital"]);
    hill.ok(&["peer", "add", &river.card()]);
    let shared = patient_of(&hill);
    for (form, begin) in [("pdf", &b"%PDF-"[..]), ("png", b"\x89PNG")] {
        let written = std::fs::read(make_card(&hill, &shared.chart, form)).unwrap();
        assert!(written.starts_with(begin), "{form}");
    }
    let [key, summary] = codes(&hill, &shared.chart);
    // A scanner types into a file, in small letters and in several lines.
    let scanned = river.scratch().join("scanned.txt");
    let typed = key.to_lowercase();
    let (one, other) = typed.split_at(300);
    std::fs::write(&scanned, format!("{one}\r\n{other}\r\n{summary}")).unwrap();
    let scanned = scanned.to_string_lossy();
    let shown = river.ok(&["card", "show", &scanned]);
    assert!(shown.contains("which is not here"), "{shown}");
    assert!(shown.contains("Hill Clinic"), "{shown}");
    assert!(!shown.contains("Nakato"), "{shown}");

    let pin = pin_file(&river, PIN);
    let said = river.ok(&grant(&scanned, &pin));
    assert!(said.contains("Added Hill Clinic"), "{said}");
    assert!(said.contains("with the patient's card and PIN"), "{said}");
    assert!(said.contains("The chart has come"), "{said}");
    shared.wait_for(&river, "Observation/note");
    assert!(shared.has(&river, "AllergyIntolerance/a1"));
    let given = &hill.json(&["consent", "list", "--patient", &shared.chart])[0];
    assert_eq!(given["basis"], "card", "{given}");
    assert_eq!(given["state"], "valid", "{given}");
    shared.note(&river, "there", "written at the hospital");
    shared.wait_for(&hill, "Observation/there");
    assert!(actions(&river, &shared.chart).contains(&json!("grant")));
    assert!(actions(&hill, &shared.chart).contains(&json!("make-card")));
    let log = std::fs::read_to_string(river.log_file()).unwrap();
    assert!(
        !log.contains("CHARTMESH-CARD") && !log.contains(PIN),
        "{log}"
    );
}

#[test]
fn a_grant_by_card_is_kept_until_somebody_is_reached() {
    let [mut hill, river] = running(["Hill Clinic", "River Hospital"]);
    introduce(&hill, &river);
    let shared = patient_of(&hill);
    let [key, _] = codes(&hill, &shared.chart);
    hill.stop();
    let unreached = river.cli(&grant(&key, &pin_file(&river, PIN)));
    assert_eq!(unreached.code, Some(7), "{unreached:?}");
    assert!(unreached.stdout.contains("NOT come yet"), "{unreached:?}");
    hill.start();
    shared.wait_for(&river, "Observation/note");
}

#[test]
fn another_clinic_that_has_the_chart_gives_it_while_home_is_away() {
    let [mut hill, river, coast] = running(["Hill Clinic", "River Hospital", "Coast Clinic"]);
    introduce(&hill, &coast);
    introduce(&river, &coast);
    let shared = patient_of(&hill);
    super::grant(&hill, &shared.chart, &coast, "all");
    shared.wait_for(&coast, "Observation/note");
    let [key, _] = codes(&hill, &shared.chart);
    hill.stop();
    let given = river.json(&grant(&key, &pin_file(&river, PIN)));
    assert_eq!(given["arrived"], true, "{given}");
    assert_eq!(given["home_added"], true, "{given}");
    shared.wait_for(&river, "Observation/note");
    // Home hears of it as soon as it meets one of them.
    hill.start();
    let heard = || {
        let grants = hill.json(&["consent", "list", "--patient", &shared.chart]);
        grants.to_string().contains("\"basis\":\"card\"")
    };
    wait_until("home to hear of the grant", SOON, heard);
}

/// When the last grant was signed there.
fn granted_at(clinic: &Clinic) -> String {
    let entries = clinic.json(&["audit", "list"]);
    let entries = entries.as_array().unwrap();
    let mut grants = entries.iter().rev().filter(|one| one["action"] == "grant");
    text(&grants.next().unwrap()["at"])
}

#[test]
fn guessing_a_pin_takes_ever_longer_also_after_a_kill() {
    let [hill, mut river] = running(["Hill Clinic", "River Hospital"]);
    introduce(&hill, &river);
    let shared = patient_of(&hill);
    let [key, _] = codes(&hill, &shared.chart);
    for guess in 0..10 {
        let pin = pin_file(&river, &format!("00000{guess}"));
        let said = river.fails(&grant(&key, &pin), 3);
        assert!(said.contains("PIN is wrong"), "{said}");
    }
    let right = pin_file(&river, PIN);
    let limited = |said: &str| {
        let (_, next) = said.split_once("the next may be tried after ").expect(said);
        next.trim().to_owned()
    };
    let next = limited(&river.fails(&grant(&key, &right), 3));
    river.kill9();
    river.start();
    let tried = river.cli(&grant(&key, &right));
    // On a machine so slow that the delay is over, it is that the right one is taken.
    match tried.code {
        Some(3) => assert_eq!(limited(&tried.stderr), next),
        code => assert!(code == Some(0) && granted_at(&river) >= next, "{tried:?}"),
    }
    let entries = actions(&river, &shared.chart);
    let wrong = entries.iter().filter(|one| **one == "wrong-pin").count();
    assert_eq!(wrong, 10, "{entries:?}");
    assert!(entries.contains(&json!("deny-pin")), "{entries:?}");
    let listed = river.ok(&["audit", "list"]);
    assert!(listed.contains("gave a wrong PIN for patient"), "{listed}");
}

#[test]
fn the_summary_on_a_card_opens_at_a_clinic_without_any_link() {
    let hill = Clinic::create(PROGRAM, "Hill Clinic");
    let shared = patient_of(&hill);
    let [_, summary] = codes(&hill, &shared.chart);
    let code = text(&hill.json(&["emergency", "code", "--patient", &shared.chart])["code"]);
    let river = Clinic::create(PROGRAM, "River Hospital");
    let opened = river.json(&["card", "summary", &summary, "--code", &code]);
    assert_eq!(opened["allergies"], json!(["Penicillin"]), "{opened}");
    assert_eq!(opened["name"], "Zoë Nakato");
    let said = river.ok(&["card", "summary", &summary, "--code", &code.to_lowercase()]);
    for words in [
        "Zoë Nakato",
        "Penicillin",
        "by Hill Clinic",
        "CAUTION: this clinic does not know that clinic",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let wrong = ["card", "summary", &summary, "--code", "AAAA-AAAA-AAAA-AAAA"];
    let refused = river.fails(&wrong, 3);
    assert!(refused.contains("does not open"), "{refused}");
    let damaged = summary.replacen("CHARTMESH-SUMMARY:A", "CHARTMESH-SUMMARY:B", 1);
    let refused = river.fails(&["card", "show", &damaged], 3);
    assert!(refused.contains("damaged"), "{refused}");
    let typed = river.fails(&["patient", "card", &shared.chart, "--out", "card.doc"], 2);
    assert!(typed.contains(".pdf, .png or .txt"), "{typed}");
}
