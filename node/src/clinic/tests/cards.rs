//! Index cards that change while they are made.

use super::*;
use crate::store::Space;

fn found(house: &House, word: &str) -> usize {
    let (found, left) = house.clinic.find_patients(&[word.to_owned()]).unwrap();
    assert_eq!(left, 0);
    found.len()
}

#[test]
fn a_patient_whose_record_comes_while_the_card_is_made_is_found() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    home.grant(&id, &away, "all", "read,write");
    sync(&home, &away).unwrap();
    let chart = home.clinic.find_chart(&id).unwrap();
    let early = away.clinic.draft_card(&chart).unwrap().unwrap();
    home.import(&renamed(&home, &id, "Zainab"));
    sync(&home, &away).unwrap();
    away.clinic.write_cards(vec![early]).unwrap();
    assert_eq!((found(&away, "zainab"), found(&away, "amina")), (1, 0));
}

#[test]
fn a_card_in_the_making_does_not_undo_what_is_saved_meanwhile() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    home.grant(&id, &away, "all", "read,write");
    sync(&home, &away).unwrap();
    let chart = home.clinic.find_chart(&id).unwrap();
    let early = away.clinic.draft_card(&chart).unwrap().unwrap();
    away.import(&renamed(&home, &id, "Zainab"));
    away.clinic.write_cards(vec![early]).unwrap();
    assert_eq!((found(&away, "zainab"), found(&away, "amina")), (1, 0));
}

fn renamed(house: &House, id: &str, given: &str) -> String {
    let patient = house.clinic.patient(id).unwrap().fhir_id;
    format!(
        r#"{{"resourceType":"Patient","id":"{patient}","birthDate":"1987-04",
        "name":[{{"given":["{given}"],"family":"Okello"}}]}}"#
    )
}

#[test]
fn a_daemon_that_ends_does_not_wait_for_cards() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let amina = home.register("Amina");
    home.grant(&amina, &away, "all", "read");
    sync(&home, &away).unwrap();
    let stale = || away.clinic.store.keys(Space::Stale, &[]).count();
    assert_eq!(stale(), 1);
    away.clinic.refresh_cards_until(&|| true).unwrap();
    assert_eq!(stale(), 1);
    away.clinic.refresh_cards().unwrap();
    assert_eq!(stale(), 0);
}

#[test]
fn nobody_waits_for_the_cards_of_all_who_have_just_come() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let amina = home.register("Amina");
    home.grant(&amina, &away, "all", "read");
    sync(&home, &away).unwrap();
    let fhir_id = home.clinic.patient(&amina).unwrap().fhir_id;
    // Whoever else has just come may have an id that begins so.
    for (typed, whole) in [
        (amina.as_str(), true),
        (&amina[..8], false),
        (&fhir_id, false),
    ] {
        let found = away.clinic.find_chart_within(typed, 0);
        match found {
            Ok(chart) => assert!(whole && chart.to_string() == amina, "{typed}"),
            Err(ClinicError::StillComing { count }) => assert!(!whole && count == 1, "{typed}"),
            Err(error) => panic!("{typed}: {error}"),
        }
    }
    assert_eq!(away.clinic.refresh_cards_within(0).unwrap(), 1);
    assert_eq!(found(&away, "amina"), 1);
    let chart = away.clinic.find_chart_within(&fhir_id, 0).unwrap();
    assert_eq!(chart.to_string(), amina);
}
