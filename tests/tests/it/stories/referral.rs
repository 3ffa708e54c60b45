//! A patient is referred from clinic to clinic, and asks for a second opinion.

use chartmesh_tests::clinic::text;
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, introduce};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{NakatoShared, SOON, running};

/// A home clinic, a hospital that may refer on for a month, and a specialist whom the home clinic
/// does not know. The chart holds a note and a protected result.
fn referred() -> ([Clinic; 3], NakatoShared) {
    let clinics = running(["Hill Clinic", "River Hospital", "Eye Centre"]);
    let [hill, river, eye] = &clinics;
    introduce(hill, river);
    introduce(river, eye);
    let registered = hill.json(&["patient", "register", "--given", "Amina"]);
    let chart = text(&registered["id"]);
    let to = river.id();
    let mut arguments = vec!["consent", "grant", "--patient", &chart, "--to", &to];
    arguments.extend(["--compartments", "summary,clinical", "--days", "30"]);
    arguments.extend(["--rights", "read,write,share", "--purpose", "treatment"]);
    let grant = text(&hill.json(&arguments)["grant"]);
    let shared = NakatoShared {
        patient: text(&registered["fhir_id"]),
        grant,
        chart,
    };
    shared.note(hill, "seen", "clouded lens");
    let hiv = json!([{
        "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV",
    }]);
    shared.put(
        hill,
        &json!({
            "resourceType": "Observation", "id": "protected", "status": "final",
            "meta": { "security": hiv }, "code": { "text": "HIV test" },
            "subject": { "reference": shared.patient_key() }, "valueString": "positive",
        }),
    );
    hill.sync();
    shared.wait_for(river, "Observation/seen");
    (clinics, shared)
}

fn refer(from: &Clinic, shared: &NakatoShared, to: &Clinic, more: &[&str]) -> Value {
    from.json(&arguments_of(shared, &to.id(), more))
}

fn arguments_of(shared: &NakatoShared, to: &str, more: &[&str]) -> Vec<String> {
    let mut all = vec!["consent", "grant", "--patient", &shared.chart, "--to", to];
    all.extend(["--parent", &shared.grant]);
    all.extend(more);
    all.into_iter().map(str::to_owned).collect()
}

#[test]
fn a_hospital_refers_on_what_it_may_and_it_ends_with_its_own_grant() {
    let ([hill, river, eye], shared) = referred();
    let passed_on = refer(
        &river,
        &shared,
        &eye,
        &["--compartments", "summary,clinical"],
    );
    assert_eq!(passed_on["basis"], "parent", "{passed_on}");
    let until = text(&hill.json(&["consent", "show", &shared.grant])["until"]);
    assert_eq!(passed_on["until"], until.as_str(), "as long as its parent");
    river.sync();
    shared.wait_for(&eye, "Observation/seen");
    assert!(!shared.has(&eye, "Observation/protected"));
    assert!(!shared.has(&river, "Observation/protected"));
    assert!(shared.has(&hill, "Observation/protected"));

    // The home clinic sees through whom, though it does not know the specialist.
    let through_river = || {
        let lines = hill.json(&["consent", "list", "--patient", &shared.chart]);
        let lines = lines.as_array().cloned().unwrap_or_default();
        lines.into_iter().find(|line| line["through"] == river.id())
    };
    wait_until("home to hear of the referral", SOON, || {
        through_river().is_some()
    });
    let line = through_river().unwrap();
    assert_eq!(
        (&line["to"], &line["state"]),
        (&json!(eye.id()), &json!("valid"))
    );
    let said = hill.ok(&["consent", "list", "--patient", &shared.chart]);
    assert!(
        said.contains("may read, write to and pass on the summary"),
        "{said}"
    );
    assert!(said.contains("through River Hospital."), "{said}");

    hill.json(&[
        "consent",
        "revoke",
        &shared.grant,
        "--reason",
        "she asked for it",
    ]);
    hill.sync();
    river.sync();
    let state = || eye.json(&["chart", "show", &shared.chart])["access"]["state"].clone();
    wait_until("the referral to end with its parent", SOON, || {
        state() == "ended"
    });
    shared.note(&hill, "later", "operated");
    hill.sync();
    river.sync();
    assert!(!shared.has(&eye, "Observation/later"));
    let again = ["--compartments", "summary"];
    let refused = river.cli(&arguments_of(&shared, &eye.id(), &again));
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("not in force"), "{refused:?}");
}

#[test]
fn a_referral_is_never_wider_or_longer_than_what_it_stands_on() {
    let ([hill, river, eye], shared) = referred();
    for (more, says) in [
        (&["--compartments", "all"][..], "wider"),
        (&["--compartments", "restricted/HIV"][..], "wider"),
        (&["--compartments", "summary", "--days", "31"][..], "longer"),
        (
            &["--compartments", "summary", "--purpose", "research"][..],
            "wider",
        ),
    ] {
        let refused = river.cli(&arguments_of(&shared, &eye.id(), more));
        assert_eq!(refused.code, Some(3), "{more:?}: {refused:?}");
        assert!(refused.stderr.contains(says), "{more:?}: {refused:?}");
    }
    // The home clinic needs none.
    let home = ["--compartments", "summary"];
    river.fails(&arguments_of(&shared, &hill.id(), &home), 2);
    // Nobody passes on what was given to another, nor for all patients at once.
    let summary = ["--compartments", "summary"];
    let by_home = hill.cli(&arguments_of(&shared, &river.id(), &summary));
    assert_eq!(by_home.code, Some(3), "{by_home:?}");
    let mut of_all = arguments_of(&shared, &eye.id(), &summary);
    of_all[3] = "all".to_owned();
    river.fails(&of_all, 2);
    assert_eq!(
        river.json(&["consent", "list"]).as_array().unwrap().len(),
        1
    );
    // Without a grant that may be passed on there is no referral.
    refer(
        &river,
        &shared,
        &eye,
        &["--compartments", "summary", "--days", "7"],
    );
    river.sync();
    wait_until("the referral", SOON, || {
        eye.cli(&["chart", "show", &shared.chart]).code == Some(0)
    });
    let own = text(&eye.json(&["consent", "list"])[0]["grant"]);
    let mut on = arguments_of(&shared, &river.id(), &summary);
    let parent = on.iter().position(|one| *one == shared.grant).unwrap();
    on[parent] = own;
    eye.fails(&on, 3);
}

#[test]
fn a_second_opinion_reads_named_parts_for_two_weeks() {
    let [hill, river] = running(["Hill Clinic", "River Hospital"]);
    introduce(&hill, &river);
    let registered = hill.json(&["patient", "register", "--given", "Amina"]);
    let shared = NakatoShared {
        chart: text(&registered["id"]),
        patient: text(&registered["fhir_id"]),
        grant: String::new(),
    };
    shared.note(&hill, "seen", "clouded lens");
    let to = river.id();
    let arguments = ["--patient", &shared.chart, "--to", &to];
    let asked = [&["consent", "second-opinion"][..], &arguments].concat();
    let made = hill.json(&asked);
    assert_eq!(made["rights"], json!(["read"]));
    assert_eq!(made["compartments"], json!(["summary", "clinical"]));
    let line = &hill.json(&["consent", "list"])[0];
    let moment = |field: &str| {
        let text = text(&line[field]);
        OffsetDateTime::parse(&text, &Rfc3339).unwrap()
    };
    assert_eq!((moment("until") - moment("since")).whole_days(), 14);
    hill.sync();
    shared.wait_for(&river, "Observation/seen");
    let late = river.scratch().join("opinion.json");
    std::fs::write(&late, shared.note_bundle(&river, "opinion", "operate")).unwrap();
    let refused = river.cli(&[std::path::Path::new("import"), &late]);
    assert_eq!(refused.code, Some(1), "it may only read: {refused:?}");
    let twice = [&asked[..], &["--days", "0"]].concat();
    hill.fails(&twice, 2);
}
