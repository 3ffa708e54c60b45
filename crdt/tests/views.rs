//! The views of a chart.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chartmesh_crdt::views::{self, AllergyStatus};
use chartmesh_crdt::{ActorId, Document, Readable, Resource, Stamp};

fn commit(document: &mut Document, texts: &[&str]) -> Vec<u8> {
    for text in texts {
        document.put(&Resource::parse(text).unwrap()).unwrap();
    }
    let stamp = Stamp::new("user", "physician", 1).unwrap();
    document.commit(&stamp).unwrap().unwrap().bytes
}

fn with(texts: &[&str]) -> Document {
    let mut document = Document::new(ActorId([1; 16]));
    commit(&mut document, texts);
    document
}

/// Two versions of one resource, made at two nodes at the same time.
fn in_conflict(before: &str, at_a: &str, at_b: &str) -> Document {
    let [mut a, mut b] = [1, 2].map(|n| Document::new(ActorId([n; 16])));
    let first = commit(&mut a, &[before]);
    b.apply(&[&first], a.actor()).unwrap();
    commit(&mut a, &[at_a]);
    let from_b = commit(&mut b, &[at_b]);
    a.apply(&[&from_b], b.actor()).unwrap();
    a
}

fn condition(id: &str, clinical: &str, verification: &str) -> String {
    format!(
        r#"{{"resourceType":"Condition","id":"{id}",
        "code":{{"coding":[{{"code":"1","display":"{id}"}}]}},
        "clinicalStatus":{{"coding":[{{"code":"{clinical}"}}]}},
        "verificationStatus":{{"coding":[{{"code":"{verification}"}}]}}}}"#
    )
}

#[test]
fn the_problem_list_has_what_is_active() {
    let document = with(&[
        &condition("asthma", "active", "confirmed"),
        &condition("angina", "remission", "confirmed"),
        &condition("flu", "resolved", "confirmed"),
        &condition("gout", "active", "entered-in-error"),
        &condition("lupus", "active", "refuted"),
    ]);
    let problems = views::problems(&[&document]);
    let names: Vec<&str> = problems
        .iter()
        .filter_map(|p| p.code.text.as_deref())
        .collect();
    assert_eq!(names, ["angina", "asthma"]);
    let json = serde_json::to_value(&problems[1]).unwrap();
    assert_eq!(json["resource"], "Condition/asthma");
    assert_eq!(json["clinicalStatus"], "active");
    assert_eq!(json["conflicted"], false);
    assert!(json.get("onset").is_none());
}

#[test]
fn a_problem_that_may_be_active_stays_on_the_list() {
    let document = in_conflict(
        &condition("asthma", "remission", "confirmed"),
        &condition("asthma", "active", "confirmed"),
        &condition("asthma", "resolved", "confirmed"),
    );
    let problems = views::problems(&[&document]);
    assert!(problems.iter().all(|one| one.conflicted));
    let mut status: Vec<_> = problems
        .iter()
        .map(|one| one.clinical_status.as_deref())
        .collect();
    status.sort_unstable();
    assert_eq!(status, [Some("active"), Some("resolved")], "both are shown");
}

#[test]
fn what_is_over_is_counted_and_not_taken_for_nothing() {
    let allergy = |id: &str, clinical: &str, verification: &str| {
        format!(
            r#"{{"resourceType":"AllergyIntolerance","id":"{id}","code":{{"text":"Latex"}},
            "clinicalStatus":{{"coding":[{{"code":"{clinical}"}}]}},
            "verificationStatus":{{"coding":[{{"code":"{verification}"}}]}}}}"#
        )
    };
    let document = with(&[
        &allergy("a", "inactive", "confirmed"),
        &allergy("b", "inactive", "entered-in-error"),
        &condition("epilepsy", "resolved", "confirmed"),
    ]);
    let documents: [&dyn Readable; 1] = [&document];
    let allergies = views::allergies(&documents);
    assert_eq!(allergies.status, AllergyStatus::NoneCurrent);
    let problems = views::problems(&documents);
    let medications = views::medications(&documents);
    let past = views::Past::beside(&documents, &allergies, &problems, &medications);
    assert_eq!((past.allergies, past.problems, past.medications), (1, 1, 0));
    let only_wrong = with(&[&allergy("b", "inactive", "entered-in-error")]);
    let status = views::allergies(&[&only_wrong]).status;
    assert_eq!(status, AllergyStatus::NotRecorded);
}

#[test]
fn medications_are_the_active_ones_with_their_dosage() {
    let request = |id: &str, status: &str, rest: &str| {
        format!(
            r#"{{"resourceType":"MedicationRequest","id":"{id}","status":"{status}",
            "intent":"order",{rest}}}"#
        )
    };
    let document = with(&[
        &request(
            "a",
            "active",
            r#""medicationCodeableConcept":{"text":"warfarin"},"authoredOn":"2024-02-01",
            "dosageInstruction":[{"doseAndRate":[{"doseQuantity":{"value":2.50,"unit":"mg"}}]}]"#,
        ),
        &request(
            "b",
            "completed",
            r#""medicationCodeableConcept":{"text":"x"}"#,
        ),
        &request(
            "c",
            "on-hold",
            r#""medicationReference":{"reference":"Medication/m","display":"d"}"#,
        ),
        &request(
            "d",
            "active",
            r##""medicationReference":{"reference":"#i"},"doNotPerform":true,
            "contained":[{"resourceType":"Medication","id":"i","code":{"text":"inside"}}]"##,
        ),
        &request(
            "e",
            "active",
            r#""medicationReference":{"reference":"Medication/none","display":"shown"}"#,
        ),
        &request("f", "active", r#""medicationCodeableConcept":{"text":"x"}"#)
            .replace("\"order\"", "\"plan\""),
        r#"{"resourceType":"Medication","id":"m","code":{"text":"elsewhere"}}"#,
        r#"{"resourceType":"MedicationStatement","id":"s","status":"active",
            "medicationCodeableConcept":{"text":"aspirin"},"dosage":[{"text":"daily"}]}"#,
    ]);
    let medications = views::medications(&[&document]);
    let shown: Vec<String> = medications
        .iter()
        .map(|m| {
            format!(
                "{} {:?}",
                m.medication.text.as_deref().unwrap_or("?"),
                m.dosage
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "warfarin [\"2.50 mg\"]",
            "elsewhere []",
            "inside []",
            "shown []",
            "aspirin [\"daily\"]"
        ]
    );
    assert!(medications[2].do_not_perform);
}

#[test]
fn both_versions_of_a_prescription_in_conflict_are_shown() {
    let of = |dose: &str, status: &str| {
        format!(
            r#"{{"resourceType":"MedicationRequest","id":"m","status":"{status}",
            "medicationCodeableConcept":{{"text":"warfarin"}},
            "dosageInstruction":[{{"text":"{dose}"}}]}}"#
        )
    };
    let document = in_conflict(
        &of("5 mg", "active"),
        &of("2 mg", "active"),
        &of("5 mg", "stopped"),
    );
    let medications = views::medications(&[&document]);
    let shown: Vec<(&str, &str)> = medications
        .iter()
        .map(|m| (m.dosage[0].as_str(), m.status.as_deref().unwrap()))
        .collect();
    assert_eq!(shown, [("5 mg", "stopped"), ("2 mg", "active")]);
    assert!(medications.iter().all(|m| m.conflicted));
}

#[test]
fn no_known_allergy_is_not_the_same_as_nothing_recorded() {
    let allergy = |id: &str, code: &str, rest: &str| {
        format!(
            r#"{{"resourceType":"AllergyIntolerance","id":"{id}",
            "code":{{"coding":[{{"code":"{code}"}}]}}{rest}}}"#
        )
    };
    let status = |texts: &[&str]| {
        let allergies = views::allergies(&[&with(texts)]);
        (allergies.status, allergies.list.len())
    };
    let patient = r#"{"resourceType":"Patient","id":"p"}"#;
    assert_eq!(status(&[patient]), (AllergyStatus::NotRecorded, 0));
    let unknown = allergy("u", "no-allergy-info", "");
    assert_eq!(status(&[&unknown]), (AllergyStatus::NotRecorded, 0));
    let none = allergy("n", "716186003", "");
    assert_eq!(status(&[&none]), (AllergyStatus::NoneKnown, 1));
    let high = allergy(
        "z",
        "91935009",
        r#","criticality":"high",
        "reaction":[{"manifestation":[{"text":"hives"}],"severity":"severe"}]"#,
    );
    assert_eq!(status(&[&none, &high]), (AllergyStatus::Recorded, 2));
    let error = r#","verificationStatus":{"coding":[{"code":"entered-in-error"}]}"#;
    assert_eq!(
        status(&[&allergy("e", "1", error)]),
        (AllergyStatus::NotRecorded, 0)
    );
    let document = with(&[&none, &high]);
    let list = views::allergies(&[&document]).list;
    assert_eq!(list[0].reaction[0].manifestation, ["hives"]);
    assert!(list[1].none_known);
    let json = serde_json::to_value(views::allergies(&[&document])).unwrap();
    assert_eq!(json["status"], "recorded");
    assert_eq!(json["list"][1]["noneKnown"], true);
}

#[test]
fn a_retracted_allergy_is_gone_from_the_view_and_stays_in_the_chart() {
    let mut document =
        with(&[r#"{"resourceType":"AllergyIntolerance","id":"a","code":{"text":"nuts"}}"#]);
    let key = "AllergyIntolerance/a".parse().unwrap();
    let retracted = document
        .resource(&key)
        .unwrap()
        .retracted("wrong patient")
        .unwrap();
    commit(&mut document, &[&retracted.to_json()]);
    assert_eq!(views::allergies(&[&document]).list.len(), 0);
    assert_eq!((document.len(), document.history_of(&key).len()), (1, 2));
}

#[test]
fn immunizations_are_over_all_compartments_and_say_what_was_not_done() {
    let given = r#"{"resourceType":"Immunization","id":"g","status":"completed",
        "vaccineCode":{"text":"MMR"},"occurrenceDateTime":"2020-05-01","lotNumber":"L1",
        "protocolApplied":[{"doseNumberPositiveInt":2}]}"#;
    let refused = r#"{"resourceType":"Immunization","id":"r","status":"not-done",
        "vaccineCode":{"text":"HPV"},"statusReason":{"text":"refused"},
        "occurrenceString":"2021"}"#;
    let error = r#"{"resourceType":"Immunization","id":"e","status":"entered-in-error"}"#;
    let (a, b) = (with(&[given, error]), with(&[refused]));
    let entries = views::immunizations(&[&a, &b]);
    let shown: Vec<String> = entries
        .iter()
        .map(|e| {
            format!(
                "{:?} {:?} {:?}",
                e.vaccine_code.text, e.status_reason, e.dose_number
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            r#"Some("HPV") Some("refused") None"#,
            r#"Some("MMR") None Some("2")"#
        ]
    );
}

#[test]
fn a_problem_that_one_ends_and_another_describes_anew_is_in_conflict_as_a_whole() {
    let condition = |text: &str, status: &str| {
        Resource::parse(&format!(
            r#"{{"resourceType":"Condition","id":"c","code":{{"text":"{text}"}},
            "clinicalStatus":{{"coding":[{{"code":"{status}"}}]}}}}"#
        ))
        .unwrap()
    };
    let mut a = Document::new(ActorId([1; 16]));
    let mut b = Document::new(ActorId([2; 16]));
    let stamp = |at| Stamp::new("user", "nurse", at).unwrap();
    a.put(&condition("diabetes", "active")).unwrap();
    let first = a.commit(&stamp(1)).unwrap().unwrap();
    b.apply(&[&first.bytes], a.actor()).unwrap();
    a.put(&condition("diabetes", "resolved")).unwrap();
    let ended = a.commit(&stamp(2)).unwrap().unwrap();
    b.put(&condition("diabetes with ketoacidosis", "active"))
        .unwrap();
    let worse = b.commit(&stamp(3)).unwrap().unwrap();
    a.apply(&[&worse.bytes], b.actor()).unwrap();
    b.apply(&[&ended.bytes], a.actor()).unwrap();
    for document in [&a, &b] {
        let problems = views::problems(&[document]);
        assert_eq!(problems.len(), 2, "both are shown");
        assert!(problems.iter().all(|one| one.conflicted));
        assert_eq!(document.conflicts().len(), 1);
    }
}
