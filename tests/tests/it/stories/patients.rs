//! Finding patients, and naming them in commands.

use chartmesh_tests::Clinic;
use chartmesh_tests::clinic::text;
use serde_json::{Value, json};

use super::running;
use crate::PROGRAM;

/// Registers a patient, and returns the chart's id and the FHIR id.
fn register(clinic: &Clinic, given: &str, family: &str, born: &str) -> (String, String) {
    let registered = clinic.json(&[
        "patient",
        "register",
        "--given",
        given,
        "--family",
        family,
        "--birth-date",
        born,
        "--sex",
        "male",
        "--identifier",
        &format!("urn:clinic|N-{born}"),
    ]);
    (text(&registered["id"]), text(&registered["fhir_id"]))
}

#[test]
fn search_ignores_accents_case_and_the_order_of_words() {
    let mut clinic = Clinic::create(PROGRAM, "Hill Clinic");
    let (chart, fhir) = register(&clinic, "Hernán", "Núñez Ōta", "2014-11-23");
    register(&clinic, "Luigi", "Wiegand", "2020-10-20");
    for running in [false, true] {
        if running {
            clinic.start();
        }
        let expected = json!([{
            "id": chart, "fhir_id": fhir, "name": "Hernán Núñez Ōta", "birth_date": "2014-11-23",
            "sex": "male",
            "identifiers": [{ "system": "urn:clinic", "value": "N-2014-11-23" }],
        }]);
        for words in [
            &["Hernán"][..],
            &["HERNAN", "nunez"],
            &["ota", "hern"],
            &["Nun\u{303}ez"],
            &["2014-11-23"],
            &["n-2014-11-23"],
            &["núñez", "2014"],
        ] {
            let mut command = vec!["patient", "search"];
            command.extend(words);
            assert_eq!(clinic.json(&command), expected, "{words:?}");
        }
        for words in [&["nunez", "luigi"][..], &["ernan"], &["2013"]] {
            let mut command = vec!["patient", "search"];
            command.extend(words);
            assert_eq!(clinic.json(&command), json!([]), "{words:?}");
        }
        let all = clinic.json(&["patient", "search"]);
        assert_eq!(all.as_array().unwrap().len(), 2);
    }
}

#[test]
fn a_patient_is_named_by_chart_id_fhir_id_or_a_unique_beginning() {
    let [clinic] = running(["Hill Clinic"]);
    let (chart, fhir) = register(&clinic, "Amina", "Nakato", "1987-04-02");
    for (id, name) in [("twin-1", "Kato"), ("twin-2", "Wasswa")] {
        let patient = json!({
            "resourceType": "Patient", "id": id, "name": [{ "family": name }],
        });
        clinic.import_text("twin.json", &patient.to_string());
    }
    for id in [
        &chart[..],
        &chart[..8],
        &fhir,
        &fhir[..8],
        &chart.to_uppercase(),
    ] {
        assert_eq!(clinic.json(&["patient", "show", id])["id"], chart.as_str());
        let shown = clinic.json(&["chart", "show", id]);
        assert_eq!(shown["fhir_id"], fhir.as_str());
        assert!(clinic.export(id).contains("Nakato"));
    }
    let twin = clinic.json(&["patient", "show", "twin-2"]);
    assert_eq!(twin["name"], "Wasswa");
    let said = clinic.fails(&["patient", "show", "twin-"], 4);
    assert!(said.contains("type more of it"), "{said}");
    for nobody in ["ffffffffffffffffffffffffffffffff", "twin-3", "nakato", ""] {
        for command in [["chart", "show"], ["patient", "show"], ["chart", "history"]] {
            clinic.fails(&[command[0], command[1], nobody], 4);
        }
    }
}

#[test]
fn an_alike_patient_is_registered_only_when_that_is_meant() {
    let clinic = Clinic::create(PROGRAM, "Hill Clinic");
    register(&clinic, "Hernán", "Núñez", "2014-11-23");
    let again = [
        "patient",
        "register",
        "--given",
        "hernan",
        "--family",
        "NUNEZ",
        "--birth-date",
        "2014-11-23",
    ];
    let said = clinic.fails(&again, 5);
    assert!(said.contains("--even-if-alike"), "{said}");
    assert!(!said.to_lowercase().contains("nunez"), "{said}");
    let mut meant = again.to_vec();
    meant.push("--even-if-alike");
    clinic.ok(&meant);
    let all: Value = clinic.json(&["patient", "search", "nunez"]);
    assert_eq!(all.as_array().unwrap().len(), 2);
}
