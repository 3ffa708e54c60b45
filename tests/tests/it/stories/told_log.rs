//! Who looked at a chart elsewhere is told to its home, for the patient to see.

use chartmesh_tests::{Clinic, introduce};
use serde_json::Value;

use super::{grant, running, shared_with};

/// The entries of a chart's log that another clinic has told of.
fn told(at: &Clinic, chart: &str) -> Vec<Value> {
    let lines = at.json(&["audit", "list", "--patient", chart]);
    let lines = lines.as_array().unwrap().iter();
    lines
        .filter(|line| !line["clinic"].is_null())
        .cloned()
        .collect()
}

#[test]
fn the_home_of_a_chart_sees_who_read_it_elsewhere_and_nobody_else_does() {
    let [hill, river, coast] = running(["Hill Clinic", "River Hospital", "Coast Pharmacy"]);
    introduce(&hill, &river);
    introduce(&hill, &coast);
    let nakato = shared_with(&hill, &river);
    grant(&hill, &nakato.chart, &coast, "all");
    nakato.note(&hill, "n1", "a note");
    nakato.wait_for(&river, "Observation/n1");
    let before = told(&river, &nakato.chart).len();
    assert_eq!(before, 0, "what is done here is no news from elsewhere");
    river.ok(&["chart", "show", &nakato.chart]);
    river.sync();
    let lines = told(&hill, &nakato.chart);
    let read = lines.iter().find(|line| line["action"] == "read");
    let read = read.unwrap_or_else(|| panic!("{lines:?}"));
    assert_eq!(read["clinic"], river.id());
    assert_eq!(read["clinic_name"], "River Hospital");
    let words = hill.ok(&["audit", "list", "--patient", &nakato.chart]);
    let short = &nakato.chart[..8];
    let sentence = format!("read the chart of patient {short}");
    let said = |line: &&str| line.contains("at River Hospital, user") && line.ends_with(&sentence);
    assert!(words.lines().any(|line| said(&line)), "{words}");

    // It was told once, and what follows is added to it.
    let count = lines.len();
    river.sync();
    assert_eq!(told(&hill, &nakato.chart).len(), count);
    river.ok(&["chart", "show", &nakato.chart]);
    river.sync();
    assert_eq!(told(&hill, &nakato.chart).len(), count + 1);
    // Another clinic with the same rights is not told.
    coast.sync();
    assert_eq!(told(&coast, &nakato.chart), [Value::Null; 0]);
    let audit = coast.ok(&["--json", "audit", "list", "--patient", &nakato.chart]);
    assert!(!audit.contains(&river.id()), "{audit}");
    let check = hill.json(&["audit", "verify"]);
    assert_eq!(
        (&check["ok"], check["problems"].as_array().unwrap().len()),
        (&true.into(), 0)
    );
}

#[test]
fn what_was_read_before_the_consent_ended_is_told_after_it_too() {
    let [hill, mut river] = running(["Hill Clinic", "River Hospital"]);
    introduce(&hill, &river);
    let nakato = shared_with(&hill, &river);
    nakato.note(&hill, "n1", "a note");
    nakato.wait_for(&river, "Observation/n1");
    river.stop();
    river.ok(&["chart", "show", &nakato.chart]);
    hill.ok(&["consent", "revoke", &nakato.grant, "--reason", "she asked"]);
    // A visit without a daemon tells it, too.
    river.sync();
    let lines = told(&hill, &nakato.chart);
    assert!(
        lines.iter().any(|line| line["action"] == "read"),
        "{lines:?}"
    );
}

#[test]
fn the_log_is_written_as_fhir_with_what_other_clinics_have_told() {
    let [hill, river] = running(["Hill Clinic", "River Hospital"]);
    introduce(&hill, &river);
    let nakato = shared_with(&hill, &river);
    nakato.note(&hill, "n1", "a note");
    nakato.wait_for(&river, "Observation/n1");
    river.ok(&["chart", "show", &nakato.chart]);
    river.sync();
    let out = hill.scratch().join("audit.ndjson");
    let path = out.to_string_lossy();
    hill.ok(&[
        "audit",
        "export",
        "--patient",
        &nakato.chart,
        "--out",
        &path,
    ]);
    let text = std::fs::read_to_string(&out).unwrap();
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let patient = nakato.patient_key();
    for event in &events {
        assert_eq!(event["resourceType"], "AuditEvent", "{event}");
        assert_eq!(event["entity"][0]["what"]["reference"], patient, "{event}");
    }
    let sites = |code: &str| -> Vec<&str> {
        let of = events
            .iter()
            .filter(|event| event["subtype"][0]["code"] == code);
        of.filter_map(|event| event["source"]["site"].as_str())
            .collect()
    };
    assert!(sites("read").contains(&"River Hospital"), "{text}");
    assert!(sites("update").contains(&"Hill Clinic"), "{text}");
    // That it was written is in the log, too.
    let again = hill.ok(&["audit", "export", "--patient", &nakato.chart]);
    assert!(again.contains("110106"), "{again}");
}
