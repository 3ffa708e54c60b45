//! Signing a consent, and the patient's PIN.

use std::path::PathBuf;

use chartmesh_tests::clinic::text;
use chartmesh_tests::{Clinic, introduce};
use serde_json::{Value, json};

use crate::PROGRAM;

/// Two clinics that know each other, and a patient of the first one. No daemon runs.
fn two() -> (Clinic, Clinic, String) {
    let [a, b] = ["Hill Clinic", "River Hospital"].map(|name| Clinic::create(PROGRAM, name));
    introduce(&a, &b);
    let registered = a.json(&["patient", "register", "--given", "Amina"]);
    (a, b, text(&registered["id"]))
}

fn file(clinic: &Clinic, name: &str, content: &str) -> PathBuf {
    let path = clinic.scratch().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

#[test]
fn a_grant_says_what_was_granted_and_on_what_ground() {
    let (a, b, chart) = two();
    let to = b.id();
    let made = a.json(&[
        "consent",
        "grant",
        "--patient",
        &chart,
        "--to",
        &to,
        "--compartments",
        "clinical,summary",
        "--rights",
        "read,write",
        "--purpose",
        "treatment",
        "--until",
        "2099-06-30",
    ]);
    let mut expected = json!({
        "patient": chart, "to": to, "compartments": ["summary", "clinical"],
        "rights": ["read", "write"], "basis": "custody",
    });
    for field in ["patient", "to", "compartments", "rights", "basis"] {
        assert_eq!(made[field], expected[field].take(), "{made}");
    }
    // The last day is part of it.
    let until = text(&made["until"]);
    assert!(until.starts_with("2099-06-30T23:59:59") || until.starts_with("2099-07-01T00:00:00"));
    let shown = a.json(&["consent", "show", &text(&made["grant"])[..10]]);
    assert_eq!(shown["grant"], made["grant"]);
    assert_eq!(shown["purpose"], "TREAT");
    assert_eq!(shown["state"], "valid");
    let lines = a.json(&["consent", "list", "--patient", &chart]);
    assert_eq!(lines, json!([shown]));

    let all = a.json(&[
        "consent",
        "grant",
        "--patient",
        "all",
        "--to",
        &to[..8],
        "--compartments",
        "all",
    ]);
    let [one] = all.as_array().unwrap().as_slice() else {
        panic!("an array of one grant is expected: {all}")
    };
    assert_eq!((&one["patient"], &one["to"]), (&json!(chart), &json!(to)));
    assert_eq!(one["rights"], json!(["read"]));
    assert_eq!(one["until"], Value::Null);
}

#[test]
fn a_grant_that_cannot_be_meant_is_refused() {
    let (a, b, chart) = two();
    let to = b.id();
    let unknown = "00".repeat(32);
    let grant = |patient: &str, to: &str, compartments: &str, more: &[&str]| -> Vec<String> {
        let mut command = vec!["consent", "grant", "--patient", patient, "--to", to];
        command.extend(["--compartments", compartments]);
        command.extend(more);
        command.into_iter().map(str::to_owned).collect()
    };
    for (command, code) in [
        (grant(&chart, &unknown, "all", &[]), 4),
        (grant("all", &unknown, "all", &[]), 4),
        (grant(&unknown, &to, "all", &[]), 4),
        (grant(&chart, &to, "everything", &[]), 2),
        (grant(&chart, &to, "all", &["--rights", "own"]), 2),
        (grant(&chart, &to, "all", &["--until", "2001-01-01"]), 2),
        (grant(&chart, &to, "all", &["--until", "soon"]), 2),
        (grant(&chart, &to, "all", &["--purpose", "because"]), 2),
    ] {
        a.fails(&command, code);
    }
    assert_eq!(a.json(&["consent", "list"]), json!([]));
    // What is not this clinic's to give cannot be given by it.
    b.fails(&grant(&chart, &a.id(), "all", &[]), 4);
}

#[test]
fn a_patient_with_a_pin_signs_with_it_and_nobody_without() {
    let (mut a, b, chart) = two();
    let to = b.id();
    let pin = file(&a, "pin", "271828\n");
    let wrong = file(&a, "wrong", "271829\n");
    let short = file(&a, "short", "1234\n");
    let as_text = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let grant = |pin: Option<&PathBuf>| -> Vec<String> {
        let mut command = vec!["consent", "grant", "--patient", &chart, "--to", &to];
        command.extend(["--compartments", "summary"]);
        let mut command: Vec<String> = command.into_iter().map(str::to_owned).collect();
        if let Some(pin) = pin {
            command.extend(["--pin-file".to_owned(), as_text(pin)]);
        }
        command
    };
    let set = |file: &PathBuf| {
        vec![
            "patient".to_owned(),
            "pin".to_owned(),
            chart.clone(),
            "--new-pin-file".to_owned(),
            as_text(file),
        ]
    };
    a.fails(&set(&short), 2);
    let answer = a.json(&set(&pin));
    assert_eq!(answer, json!({ "patient": chart, "custody": "pin" }));

    for running in [false, true] {
        if running {
            a.start();
        }
        let said = a.fails(&grant(None), 3);
        assert!(said.contains("--pin-file"), "{said}");
        let said = a.fails(&grant(Some(&wrong)), 3);
        assert!(said.contains("PIN is wrong"), "{said}");
        // Another PIN is set only by who knows this one.
        a.fails(&set(&wrong), 3);
    }
    assert_eq!(a.json(&["consent", "list"]), json!([]));

    let made = a.json(&grant(Some(&pin)));
    assert_eq!(made["basis"], "patient-pin", "{made}");
    let line = &a.json(&["consent", "list"])[0];
    assert_eq!(
        (&line["basis"], &line["state"]),
        (&json!("patient-pin"), &json!("valid"))
    );

    let all = [
        "consent",
        "grant",
        "--patient",
        "all",
        "--to",
        &to,
        "--compartments",
        "all",
    ];
    let passed_over = &passed_over(&a, &all)[0];
    assert_eq!(passed_over["grant"], Value::Null, "{passed_over}");
    assert!(text(&passed_over["error"]).contains("PIN"), "{passed_over}");
}

/// The answer to a grant for all that passed somebody over.
fn passed_over(clinic: &Clinic, grant: &[&str]) -> Value {
    let output = clinic.cli(&[&["--json"], grant].concat());
    assert_eq!(output.code, Some(3), "{output:?}");
    serde_json::from_str(&output.stdout).unwrap()
}
