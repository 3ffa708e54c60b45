//! Two clinics edit one chart while the link is down.

use chartmesh_tests::clinic::text;
use chartmesh_tests::{Clinic, introduce};
use serde_json::{Value, json};

use super::{NakatoShared, running, shared_with};

const ALLERGY: &str = "AllergyIntolerance/penicillin";

/// Two clinics with a patient and an allergy, in sync; the second one's daemon is stopped.
fn apart() -> (Clinic, Clinic, NakatoShared) {
    let [a, mut b] = running(["Hill Clinic", "River Hospital"]);
    introduce(&a, &b);
    let shared = shared_with(&a, &b);
    shared.put(&a, &allergy(&shared, "Penicillin", "low"));
    a.sync();
    shared.wait_for(&b, ALLERGY);
    b.stop();
    (a, b, shared)
}

fn allergy(shared: &NakatoShared, substance: &str, criticality: &str) -> Value {
    json!({
        "resourceType": "AllergyIntolerance", "id": "penicillin",
        "patient": { "reference": format!("Patient/{}", shared.patient) },
        "code": { "text": substance }, "criticality": criticality,
    })
}

/// The link is there again: both compare their stores, and show the same bytes.
fn together(a: &Clinic, b: &mut Clinic, shared: &NakatoShared) -> Value {
    b.start();
    same_at_both(a, b, shared)
}

fn same_at_both(a: &Clinic, b: &Clinic, shared: &NakatoShared) -> Value {
    a.sync();
    let export = a.export(&shared.chart);
    assert_eq!(export, b.export(&shared.chart), "the merged charts differ");
    let conflicts = a.json(&["chart", "conflicts", &shared.chart]);
    let at_b = b.json(&["chart", "conflicts", &shared.chart]);
    assert_eq!(named(&conflicts), named(&at_b));
    serde_json::from_str(&export).unwrap()
}

/// Conflicts without the clinics' names: a clinic may know itself by another name than its card.
fn named(conflicts: &Value) -> Value {
    let mut conflicts = conflicts.clone();
    for conflict in conflicts.as_array_mut().unwrap() {
        for version in conflict["versions"].as_array_mut().unwrap() {
            version.as_object_mut().unwrap().remove("clinic_name");
        }
    }
    conflicts
}

fn resource<'a>(export: &'a Value, kind: &str) -> &'a Value {
    let entries = export["entry"].as_array().unwrap();
    let resources = entries.iter().map(|entry| &entry["resource"]);
    let mut mine = resources.filter(|resource| resource["resourceType"] == kind);
    mine.next().unwrap()
}

#[test]
fn edits_of_different_elements_merge_to_the_same_bytes() {
    let (a, mut b, shared) = apart();
    let phone = json!([{ "system": "phone", "value": "+256 700 000001" }]);
    shared.edit_patient(&a, "telecom", phone.clone());
    let address = json!([{ "city": "Gulu" }]);
    shared.edit_patient(&b, "address", address.clone());
    shared.note(&a, "a1", "seen on the hill");
    shared.note(&b, "b1", "seen at the river");

    let merged = together(&a, &mut b, &shared);
    let patient = resource(&merged, "Patient");
    assert_eq!(patient["telecom"], phone);
    assert_eq!(patient["address"], address);
    assert!(shared.has(&a, "Observation/b1") && shared.has(&b, "Observation/a1"));
    assert_eq!(a.json(&["chart", "conflicts", &shared.chart]), json!([]));
}

#[test]
fn a_conflict_of_one_element_shows_both_values_and_is_decided_once() {
    let (a, mut b, shared) = apart();
    shared.edit_patient(&a, "birthDate", json!("1987-04-02"));
    shared.edit_patient(&b, "birthDate", json!("1978-04-02"));
    together(&a, &mut b, &shared);

    let conflicts = a.json(&["chart", "conflicts", &shared.chart]);
    let [conflict] = conflicts.as_array().unwrap().as_slice() else {
        panic!("one conflict is expected: {conflicts}")
    };
    let patient = format!("Patient/{}", shared.patient);
    assert_eq!(conflict["resource"], patient.as_str());
    assert_eq!(conflict["element"], "birthDate");
    let versions = conflict["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 2, "{conflict}");
    for (clinic, value) in [(&a, "1987-04-02"), (&b, "1978-04-02")] {
        let version = version_of(versions, clinic);
        assert_eq!(version["value"], value, "{conflict}");
        let at = text(&version["at"]);
        assert!(at.starts_with("20") && at.ends_with('Z'), "{at}");
    }

    // The first value is the one that is read: the other one is chosen.
    let chosen = &versions[1];
    let number = chosen["version"].to_string();
    let arguments = ["--resource", &patient, "--element", "birthDate"];
    let mut command = vec!["chart", "resolve", &shared.chart, "--version", &number];
    command.extend(arguments);
    let resolved = b.json(&command);
    assert_eq!(resolved["left"], 0, "{resolved}");
    let merged = same_at_both(&a, &b, &shared);
    assert_eq!(resource(&merged, "Patient")["birthDate"], chosen["value"]);
    assert_eq!(a.json(&["chart", "conflicts", &shared.chart]), json!([]));
}

fn version_of<'a>(versions: &'a [Value], clinic: &Clinic) -> &'a Value {
    let id = clinic.id();
    versions
        .iter()
        .find(|version| version["clinic"] == id.as_str())
        .unwrap_or_else(|| panic!("no version of {}: {versions:?}", clinic.name()))
}

#[test]
fn an_allergy_edited_at_both_is_shown_in_both_whole_versions_until_it_is_decided() {
    let (a, mut b, shared) = apart();
    // Different elements: a mixture of both would be nobody's statement.
    shared.put(&a, &allergy(&shared, "Penicillin", "high"));
    shared.put(&b, &allergy(&shared, "Amoxicillin", "low"));
    together(&a, &mut b, &shared);

    for clinic in [&a, &b] {
        let shown = clinic.json(&["chart", "show", &shared.chart]);
        assert_eq!(shown["conflicts"], 1, "{shown}");
        let list = shown["allergies"]["list"].as_array().unwrap();
        let mut seen: Vec<(String, String)> = list
            .iter()
            .map(|one| {
                assert_eq!(one["conflicted"], true, "{one}");
                (text(&one["code"]["text"]), text(&one["criticality"]))
            })
            .collect();
        seen.sort();
        let both = [("Amoxicillin", "low"), ("Penicillin", "high")];
        assert_eq!(seen, both.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }
    let conflicts = b.json(&["chart", "conflicts", &shared.chart]);
    assert_eq!(conflicts[0]["resource"], ALLERGY);
    assert_eq!(conflicts[0]["element"], Value::Null);
    let versions = conflicts[0]["versions"].as_array().unwrap();
    let ours = version_of(versions, &b);
    assert_eq!(ours["value"]["code"]["text"], "Amoxicillin");
    assert_eq!(ours["value"]["criticality"], "low");

    let number = version_of(versions, &a)["version"].to_string();
    a.ok(&[
        "chart",
        "resolve",
        &shared.chart,
        "--resource",
        ALLERGY,
        "--version",
        &number,
    ]);
    let merged = same_at_both(&a, &b, &shared);
    let decided = resource(&merged, "AllergyIntolerance");
    assert_eq!(decided["code"]["text"], "Penicillin");
    assert_eq!(decided["criticality"], "high");
    let shown = b.json(&["chart", "show", &shared.chart]);
    assert_eq!(shown["conflicts"], 0, "{shown}");
    assert_eq!(shown["allergies"]["list"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_saved_at_either_clinic_appears_at_the_other_by_itself() {
    let [a, b] = running(["Hill Clinic", "River Hospital"]);
    introduce(&a, &b);
    let shared = shared_with(&a, &b);
    shared.wait_for(&b, &format!("Patient/{}", shared.patient));
    shared.note(&a, "a1", "seen on the hill");
    shared.wait_for(&b, "Observation/a1");
    shared.note(&b, "b1", "seen at the river");
    shared.wait_for(&a, "Observation/b1");
}
