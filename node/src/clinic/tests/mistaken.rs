//! What must not be taken for something else: one patient for another, nothing visible for nothing
//! recorded, one grant for all of them.

use chartmesh_crdt::views::AllergyStatus;

use super::sharing::visit;
use super::*;

fn named(id: &str, name: &str, born: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","birthDate":"{born}",
        "name":[{{"family":"{name}"}}]}}"#
    )
}

fn result(id: &str, patient: &str) -> String {
    format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[{{"resource":{patient}}},
        {{"resource":{{"resourceType":"Observation","id":"o1","status":"final",
        "code":{{"text":"test"}},"valueString":"positive",
        "subject":{{"reference":"Patient/{id}"}}}}}}]}}"#
    )
}

/// A clinic that another one has pushed a chart of a patient called "p1" to.
fn pushed(name: &str) -> (House, House) {
    let (home, other) = (House::new("Home"), House::new("Other"));
    introduce(&home, &other);
    other.import(&named("p1", name, "1970-01-01"));
    other.grant("p1", &home, "all", "read,write");
    sync(&other, &home).unwrap();
    (home, other)
}

#[test]
fn results_go_to_the_clinics_own_patient_and_not_to_a_chart_pushed_under_the_same_id() {
    for own_first in [true, false] {
        let (home, other) = (House::new("Home"), House::new("Other"));
        introduce(&home, &other);
        let push = || {
            other.import(&named("p1", "Mallory", "1970-01-01"));
            other.grant("p1", &home, "all", "read,write");
            sync(&other, &home).unwrap();
        };
        let own = || home.import(&named("p1", "Okello", "1987-04-02"));
        if own_first {
            own();
            push();
        } else {
            push();
            own();
        }
        home.import(&result("p1", &named("p1", "Okello", "1987-04-02")));
        sync(&other, &home).unwrap();
        assert_eq!(other.compartments("p1"), ["summary"]);
        assert!(
            matches!(
                home.clinic.find_chart("p1"),
                Err(ClinicError::Ambiguous { .. })
            ),
            "two charts have this id"
        );
    }
}

#[test]
fn results_of_a_shared_patient_go_to_the_shared_chart() {
    let (home, other) = pushed("Okello");
    home.import(&result("p1", &named("p1", "Okello", "1970-01-01")));
    assert_eq!(home.clinic.all_charts().unwrap().len(), 1);
    sync(&other, &home).unwrap();
    assert_eq!(other.compartments("p1"), ["clinical", "summary"]);
}

#[test]
fn a_clinic_that_may_not_see_the_summary_is_told_so_and_not_that_there_is_nothing() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    home.import(&visit(&home, &id, "v1"));
    home.grant(&id, &away, "clinical", "read");
    sync(&home, &away).unwrap();
    let view = away.clinic.chart_view(&id).unwrap();
    assert!(!view.summary_visible);
    assert_eq!(view.allergies.status, AllergyStatus::NotVisible);
    let listed = away.clinic.search(&[]).unwrap();
    assert_eq!((listed.len(), listed[0].name.as_str()), (1, ""));
    let view = home.clinic.chart_view(&id).unwrap();
    assert!(view.summary_visible);
    assert_eq!(view.allergies.status, AllergyStatus::NotRecorded);
}

#[test]
fn the_same_grant_twice_is_one_and_a_revocation_names_those_that_go_on() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    let first = home.grant(&id, &away, "all", "read");
    assert_eq!(home.grant(&id, &away, "all", "read").grant, first.grant);
    let second = home.grant(&id, &away, "summary", "read");
    let revoke = |grant: &GrantMade| {
        let grant = grant.grant.unwrap().to_string();
        home.clinic.revoke(&grant, "moved", None).unwrap()
    };
    assert_eq!(revoke(&first).others, [second.grant.unwrap()]);
    assert_eq!(revoke(&second).others, []);
}

#[test]
fn a_grant_takes_more_of_a_clinics_id_than_a_slip_of_a_finger() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    let mut short = request(&id, &away, "all", "read");
    short.to.truncate(7);
    assert!(matches!(
        home.try_grant(short),
        Err(ClinicError::Usage { .. })
    ));
}

#[test]
fn an_identifier_without_a_letter_or_digit_is_refused() {
    let home = House::new("Home");
    for identifier in ["", "|", "http://example.org|", "***"] {
        let registration = Registration {
            given: vec!["Amina".to_owned()],
            family: None,
            birth_date: None,
            sex: "female".to_owned(),
            identifiers: vec![identifier.to_owned()],
            even_if_alike: false,
        };
        let refused = home.clinic.register(&registration);
        assert!(
            matches!(refused, Err(ClinicError::Usage { .. })),
            "{identifier}"
        );
    }
}

#[test]
fn a_unique_beginning_of_any_length_and_case_names_a_patient() {
    let home = House::new("Home");
    home.import(&named("Zeta9", "Okello", "1987"));
    home.import(&named("abc", "Nakato", "1990"));
    for typed in ["z", "ZETA", "zeta9", "Zeta9", "Patient/Zeta9"] {
        // A chart id begins with a hexadecimal digit, and so with none of these.
        assert_eq!(
            home.clinic.patient(typed).unwrap().fhir_id,
            "Zeta9",
            "{typed}"
        );
    }
}

#[test]
fn a_granted_clinic_that_corrects_a_birth_date_opens_no_second_chart() {
    let with = |born: &str, identifier: &str| {
        named("p1", "Okello", born).replace(
            r#""resourceType":"Patient","#,
            &format!(r#""resourceType":"Patient","identifier":[{{"value":"{identifier}"}}],"#),
        )
    };
    let (home, other) = (House::new("Home"), House::new("Other"));
    introduce(&home, &other);
    home.import(&with("1980-05-05", "K-1"));
    home.grant("p1", &other, "all", "read,write");
    sync(&home, &other).unwrap();
    other.import(&with("1980-05-06", "K-1"));
    let view = other.clinic.chart_view("p1").unwrap();
    assert_eq!(view.birth_date.as_deref(), Some("1980-05-06"));
    // Of one with another identifier it cannot be known whether it is the same person.
    let path = other.dir.path().join("doubtful.json");
    std::fs::write(&path, with("1991-01-01", "K-2")).unwrap();
    let imported = other.clinic.import(&[path], &|_| {}).unwrap();
    let error = imported.files[0].error.as_deref().unwrap();
    assert!(error.contains("birth date"), "{error}");
    assert!(other.clinic.find_chart("p1").is_ok(), "there is one chart");
}

#[test]
fn a_patient_whose_name_is_in_conflict_is_found_under_both() {
    let (home, other) = (House::new("Home"), House::new("Other"));
    introduce(&home, &other);
    home.import(&named("p1", "Nakato", "1980-05-05"));
    home.grant("p1", &other, "all", "read,write");
    sync(&home, &other).unwrap();
    // Each keeps the name that it had by the given one, so that it is the same person.
    let renamed = |family: &str| {
        named("p1", family, "1980-05-05").replace(
            r#""name":[{"#,
            r#""name":[{"family":"Nakato","use":"maiden"},{"use":"official","#,
        )
    };
    home.import(&renamed("Achan"));
    other.import(&renamed("Okot"));
    sync(&home, &other).unwrap();
    for house in [&home, &other] {
        house.clinic.refresh_cards().unwrap();
        for name in ["achan", "okot", "nakato"] {
            let found = house.clinic.search(&[name.to_owned()]).unwrap();
            assert_eq!(found.len(), 1, "{name}");
        }
    }
}
