//! A clinic without a grant sees the summary in an emergency, and answers for it.

use chartmesh_protocol::StatementId;
use chartmesh_protocol::ledger::EMERGENCY_MS;

use super::sharing::visit;
use super::*;
use crate::clinic::{CodeGiven, EmergencyState};
use crate::control::{EmergencyOrder, Exit};

const HOURS: u64 = EMERGENCY_MS / 3_600_000;

fn order(patient: &str) -> EmergencyOrder {
    EmergencyOrder {
        patient: patient.to_owned(),
        clinician: "Dr Okello".to_owned(),
        reason: "unconscious after a fall".to_owned(),
        code: None,
    }
}

fn ask(house: &House, patient: &str) -> StatementId {
    house.clinic.ask_in_emergency(&order(patient)).unwrap()
}

fn state(house: &House, patient: &str, id: &StatementId) -> EmergencyState {
    house.clinic.opening(patient, id).unwrap().state
}

/// A home with a patient who has an allergy and a visit, and another clinic that knows it.
fn two() -> ([House; 2], String) {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    let fhir_id = home.clinic.patient(&id).unwrap().fhir_id;
    home.import(&visit(&home, &id, "secret-visit"));
    home.import(&format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[
        {{"resource":{{"resourceType":"Patient","id":"{fhir_id}",
        "name":[{{"given":["Amina"],"family":"Okello"}}],"birthDate":"1987-04"}}}},
        {{"resource":{{"resourceType":"AllergyIntolerance","id":"a1",
        "code":{{"text":"Penicillin"}},"patient":{{"reference":"Patient/{fhir_id}"}}}}}}]}}"#
    ));
    ([home, away], id)
}

#[test]
fn the_summary_is_open_for_a_day_and_nothing_else_and_home_looks_at_it() {
    let ([home, away], id) = two();
    let emergency = ask(&away, &id);
    assert_eq!(state(&away, &id, &emergency), EmergencyState::Asked);
    sync(&home, &away).unwrap();
    sync(&home, &away).unwrap();
    let opening = away.clinic.opening(&id, &emergency).unwrap();
    assert_eq!(opening.state, EmergencyState::Open);
    let view = opening.chart.expect("the chart has come");
    assert_eq!(view.allergies.list.len(), 1, "{view:?}");
    assert_eq!(away.compartments(&id), ["summary"]);
    let shown = away.clinic.export(&id, true).unwrap();
    assert!(!shown.contains("secret-visit"), "{shown}");
    // It is asked once.
    assert_eq!(ask(&away, &id), emergency);

    let line = &home.clinic.emergencies(Some(&id)).unwrap()[0];
    assert_eq!((line.id, line.clinic), (emergency, away.clinic.clinic_id()));
    assert_eq!((line.code, &line.reviewed), (CodeGiven::None, &None));
    let to_review = || home.clinic.status(false, Vec::new()).unwrap().emergencies;
    assert_eq!(to_review(), 1);
    let by_other = away
        .clinic
        .review_emergency(&emergency.to_string(), true, "");
    assert_eq!(by_other.unwrap_err().exit(), Exit::Refused);
    let id_text = emergency.to_string();
    let reviewed = home
        .clinic
        .review_emergency(&id_text[..8], false, "nobody knows of it");
    assert!(!reviewed.unwrap().reviewed.unwrap().justified);
    assert_eq!(to_review(), 0);

    for house in [&home, &away] {
        house.wait_hours(HOURS + 1);
    }
    home.import(&visit(&home, &id, "later"));
    let before = away.clinic.export(&id, true).unwrap();
    sync(&home, &away).unwrap();
    assert_eq!(state(&away, &id, &emergency), EmergencyState::Over);
    assert_eq!(away.clinic.export(&id, true).unwrap(), before);
    let found = &away.clinic.emergencies(None).unwrap()[0];
    assert_eq!(found.reviewed.as_ref().unwrap().note, "nobody knows of it");
    // Longer takes another reason.
    let same = away.clinic.ask_in_emergency(&order(&id)).unwrap_err();
    assert_eq!(same.exit(), Exit::Usage, "{same}");
    let again = EmergencyOrder {
        reason: "still in intensive care".to_owned(),
        ..order(&id)
    };
    let again = away.clinic.ask_in_emergency(&again).unwrap();
    sync(&home, &away).unwrap();
    sync(&home, &away).unwrap();
    assert_eq!(state(&away, &id, &again), EmergencyState::Open);
}

#[test]
fn what_the_patient_has_forbidden_is_not_released_and_who_asked_hears_it() {
    let ([home, away], id) = two();
    home.clinic.rule_emergencies(&id, false, None).unwrap();
    let emergency = ask(&away, &id);
    sync(&home, &away).unwrap();
    sync(&home, &away).unwrap();
    assert_eq!(state(&away, &id, &emergency), EmergencyState::Forbidden);
    // It has no such patient: not even a name.
    assert_eq!(away.clinic.all_charts().unwrap().len(), 0);
    assert_eq!(ask(&away, &id), emergency, "the same is not asked again");
    home.wait_hours(1);
    home.clinic.rule_emergencies(&id, true, None).unwrap();
    sync(&home, &away).unwrap();
    sync(&home, &away).unwrap();
    let now = state(&away, &id, &emergency);
    assert_eq!(now, EmergencyState::Forbidden, "it stays refused");
    away.wait_hours(2);
    let later = EmergencyOrder {
        reason: "in a coma".to_owned(),
        ..order(&id)
    };
    let later = away.clinic.ask_in_emergency(&later).unwrap();
    sync(&home, &away).unwrap();
    sync(&home, &away).unwrap();
    assert_eq!(state(&away, &id, &later), EmergencyState::Open);
    let by_other = away.clinic.rule_emergencies(&id, true, None).unwrap_err();
    assert_eq!(by_other.exit(), Exit::Refused, "{by_other}");
}

#[test]
fn what_was_open_before_it_was_forbidden_was_open_and_the_store_is_sound() {
    let ([home, away], id) = two();
    let emergency = ask(&away, &id);
    sync(&home, &away).unwrap();
    sync(&home, &away).unwrap();
    for allowed in [false, true] {
        home.clinic.rule_emergencies(&id, allowed, None).unwrap();
        sync(&home, &away).unwrap();
        for house in [&home, &away] {
            assert_eq!(state(house, &id, &emergency), EmergencyState::Ended);
            let check = house.clinic.verify_ledgers(None, &|_| ()).unwrap();
            assert!(check.ok, "{check:?}");
        }
    }
}

#[test]
fn who_looks_too_answers_too() {
    let ([home, away], id) = two();
    let first = ask(&away, &id);
    sync(&home, &away).unwrap();
    sync(&home, &away).unwrap();
    let other = EmergencyOrder {
        clinician: "Dr Other".to_owned(),
        ..order(&id)
    };
    let second = away.clinic.ask_in_emergency(&other).unwrap();
    assert_ne!(first, second);
    assert_eq!(state(&away, &id, &second), EmergencyState::Open);
    sync(&home, &away).unwrap();
    let lines = home.clinic.emergencies(None).unwrap();
    let names: Vec<_> = lines.iter().map(|line| line.clinician.as_str()).collect();
    assert_eq!(names, ["Dr Okello", "Dr Other"]);
    let wrong = EmergencyOrder {
        code: Some("1234".to_owned()),
        ..order(&id)
    };
    let wrong = away.clinic.ask_in_emergency(&wrong).unwrap_err();
    assert_eq!(wrong.exit(), Exit::Usage, "also while it is open");
}

#[test]
fn whoever_may_read_the_summary_releases_it_where_home_is_not_reached() {
    let ([home, second], id) = two();
    let away = House::new("Third");
    introduce(&second, &away);
    home.grant(&id, &second, "all", "read");
    sync(&home, &second).unwrap();
    let emergency = ask(&away, &id);
    sync(&second, &away).unwrap();
    sync(&second, &away).unwrap();
    assert_eq!(state(&away, &id, &emergency), EmergencyState::Open);
    assert_eq!(away.compartments(&id), ["summary"]);
    // Home hears of it from who has released it.
    sync(&home, &second).unwrap();
    assert_eq!(home.clinic.emergencies(None).unwrap().len(), 1);
    let grants = home.clinic.grants(Some(&id)).unwrap();
    let mut releases = grants.iter().filter(|line| line.basis == "emergency");
    assert!(releases.any(|line| line.through == Some(second.clinic.clinic_id())));
}

#[test]
fn who_does_not_have_the_chart_gets_no_patient_by_being_asked() {
    let ([home, away], id) = two();
    let stranger = House::new("Stranger");
    introduce(&away, &stranger);
    let emergency = ask(&away, &id);
    for _ in 0..2 {
        sync(&away, &stranger).unwrap();
    }
    assert_eq!(stranger.clinic.all_charts().unwrap().len(), 0);
    assert_eq!(stranger.clinic.find_patients(&[]).unwrap().0.len(), 0);
    let owed = |from: &House, to: &House| {
        let replica = Replica::open(Arc::clone(&from.clinic), to.clinic.node_id()).unwrap();
        replica.owed_out()
    };
    for _ in 0..2 {
        sync(&home, &away).unwrap();
        sync(&away, &stranger).unwrap();
    }
    assert_eq!(state(&away, &id, &emergency), EmergencyState::Open);
    assert_eq!((owed(&away, &stranger), owed(&stranger, &away)), (0, 0));
    assert_eq!(stranger.clinic.emergencies(None).unwrap().len(), 0);
    assert_eq!(
        stranger
            .clinic
            .status(false, Vec::new())
            .unwrap()
            .emergencies,
        0
    );
    assert_eq!(stranger.clinic.all_charts().unwrap().len(), 0);
}

#[test]
fn the_code_on_the_card_vouches_for_who_asks() {
    let ([home, away], id) = two();
    let code = home.clinic.emergency_code(&id).unwrap();
    assert_eq!(code.patient.to_string(), id);
    let with = |code: &str| EmergencyOrder {
        code: Some(code.to_owned()),
        ..order(&id)
    };
    let nonsense = away.clinic.ask_in_emergency(&with("1234")).unwrap_err();
    assert_eq!(nonsense.exit(), Exit::Usage);
    away.clinic
        .ask_in_emergency(&with(&code.code.to_lowercase()))
        .unwrap();
    sync(&home, &away).unwrap();
    let line = &home.clinic.emergencies(None).unwrap()[0];
    assert_eq!(line.code, CodeGiven::Right);
    let other = away.clinic.emergency_code(&id).unwrap_err();
    assert!(
        matches!(other.exit(), Exit::Refused | Exit::NotFound),
        "{other}"
    );
}

#[test]
fn nobody_reads_through_a_town() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let names: Vec<String> = (0..21).map(|number| format!("Amina{number}")).collect();
    let charts: Vec<String> = names.iter().map(|name| home.register(name)).collect();
    for chart in &charts[..20] {
        ask(&away, chart);
    }
    sync(&home, &away).unwrap();
    sync(&home, &away).unwrap();
    for spelling in ["Dr Okello", "dr.  okello"] {
        let another = EmergencyOrder {
            clinician: spelling.to_owned(),
            ..order(&charts[20])
        };
        let refused = away.clinic.ask_in_emergency(&another).unwrap_err();
        assert_eq!(refused.exit(), Exit::Refused, "{refused}");
    }
    let colleague = EmergencyOrder {
        clinician: "Sister Akello".to_owned(),
        ..order(&charts[20])
    };
    away.clinic.ask_in_emergency(&colleague).unwrap();
    away.wait_hours(HOURS + 1);
    ask(&away, &charts[20]);
}

#[test]
fn ids_that_were_mistyped_count_less_and_not_for_nothing() {
    let away = House::new("Away");
    let chart = |number: u8| format!("{number:032x}");
    for number in 1..=100 {
        ask(&away, &chart(number));
    }
    let refused = away.clinic.ask_in_emergency(&order(&chart(101)));
    assert_eq!(refused.unwrap_err().exit(), Exit::Refused);
}

#[test]
fn an_emergency_that_makes_no_sense_is_not_filed() {
    let ([home, away], id) = two();
    let refused = |house: &House, change: &dyn Fn(&mut EmergencyOrder)| {
        let mut order = order(&id);
        change(&mut order);
        house.clinic.ask_in_emergency(&order).unwrap_err().exit()
    };
    assert_eq!(
        refused(&home, &|_| ()),
        Exit::Conflicting,
        "it has the chart"
    );
    assert_eq!(
        refused(&away, &|order| order.patient = "amina".to_owned()),
        Exit::NotFound
    );
    assert_eq!(
        refused(&away, &|order| order.reason = "  ".to_owned()),
        Exit::Usage
    );
    assert_eq!(
        refused(&away, &|order| order.clinician = String::new()),
        Exit::Usage
    );
    assert_eq!(
        refused(&away, &|order| order.reason = "x".repeat(513)),
        Exit::Usage
    );
    assert_eq!(away.clinic.emergencies(None).unwrap().len(), 0);
}
