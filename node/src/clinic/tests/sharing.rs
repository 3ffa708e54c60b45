//! What reaches whom.

use std::sync::atomic::Ordering;

use super::*;

#[test]
fn a_granted_clinic_gets_the_compartments_that_were_granted_and_no_other() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let amina = home.register("Amina");
    let other = home.register("Beatrice");
    home.import(&visit(&home, &amina, "v1"));
    home.grant(&amina, &away, "summary", "read");
    sync(&home, &away).unwrap();
    assert_eq!(away.compartments(&amina), ["summary"]);
    assert!(away.clinic.find_chart(&other).is_err());
    let found = away.clinic.search(&["okel".to_owned()]).unwrap();
    assert_eq!(found.len(), 1);
}

#[test]
fn a_clinic_that_nothing_was_granted_to_gets_nothing() {
    let (home, far) = (House::new("Home"), House::new("Far"));
    introduce(&home, &far);
    home.register("Amina");
    sync(&home, &far).unwrap();
    assert!(far.clinic.all_charts().unwrap().is_empty());
}

#[test]
fn a_clinic_that_is_not_on_the_list_is_turned_away() {
    let (home, far) = (House::new("Home"), House::new("Far"));
    far.clinic
        .add_peer(&home.clinic.own_card().unwrap().card)
        .unwrap();
    assert!(sync(&far, &home).is_err());
}

#[test]
fn edits_of_both_clinics_while_apart_merge_and_a_conflict_is_decided_for_both() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    home.grant(&id, &away, "all", "read,write");
    sync(&home, &away).unwrap();
    let patient = home.clinic.patient(&id).unwrap().fhir_id;
    home.import(&patient_json(&patient, "+256 1", "never"));
    away.import(&patient_json(&patient, "+256 2", "never"));
    sync(&away, &home).unwrap();
    assert_eq!(
        home.clinic.export(&id, false).unwrap(),
        away.clinic.export(&id, false).unwrap()
    );
    let seen = home.clinic.conflicts(&id).unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].versions.len(), 2);
    let clinics: Vec<_> = seen[0]
        .versions
        .iter()
        .filter_map(|version| version.clinic)
        .collect();
    assert!(clinics.contains(&home.clinic.clinic_id()));
    assert!(clinics.contains(&away.clinic.clinic_id()));
    let resolution = crate::control::Resolution {
        id: id.clone(),
        resource: seen[0].resource.clone(),
        element: seen[0].element.clone(),
        version: 2,
    };
    assert_eq!(home.clinic.resolve(&resolution).unwrap().left, 0);
    sync(&home, &away).unwrap();
    assert!(away.clinic.conflicts(&id).unwrap().is_empty());
    assert_eq!(
        home.clinic.export(&id, false).unwrap(),
        away.clinic.export(&id, false).unwrap()
    );
}

#[test]
fn a_third_clinic_gets_records_through_a_second_one_and_can_write_for_all() {
    let houses = [
        House::new("Home"),
        House::new("Second"),
        House::new("Third"),
    ];
    let [home, second, third] = &houses;
    introduce(home, second);
    introduce(home, third);
    introduce(second, third);
    let id = home.register("Amina");
    home.grant(&id, second, "all", "read,write");
    home.grant(&id, third, "all", "read,write");
    sync(home, second).unwrap();
    sync(second, third).unwrap();
    assert_eq!(third.compartments(&id), ["summary"]);
    third.import(&visit(third, &id, "v3"));
    sync(third, second).unwrap();
    sync(second, home).unwrap();
    assert_eq!(home.compartments(&id), ["clinical", "summary"]);
    assert_eq!(
        home.clinic.export(&id, false).unwrap(),
        third.clinic.export(&id, false).unwrap()
    );
}

#[test]
fn a_store_that_is_opened_again_goes_on_where_it_was() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    home.grant(&id, &away, "all", "read,write");
    sync(&home, &away).unwrap();
    let (home, away) = (home.reopen(), away.reopen());
    home.import(&visit(&home, &id, "v2"));
    sync(&away, &home).unwrap();
    assert_eq!(away.compartments(&id), ["clinical", "summary"]);
    let check = away.clinic.verify_ledgers(None, &|_| {}).unwrap();
    assert_eq!((check.ok, check.held, check.records), (true, 0, 2));
}

#[test]
fn a_grant_made_while_connected_holds_where_the_clock_is_hours_slow() {
    let hour = 3_600_000;
    let clocks = [50 * hour, 45 * hour].map(|ms| Arc::new(AtomicU64::new(ms)));
    let home = House::with_clock("Home", &clocks[0]);
    let away = House::with_clock("Away", &clocks[1]);
    introduce(&home, &away);
    let mut joined = Joined::new(&home, &away);
    joined.run().unwrap();
    // Time goes on, and nobody says HELLO again.
    for clock in &clocks {
        clock.fetch_add(hour, Ordering::Relaxed);
    }
    let id = home.register("Amina");
    home.grant(&id, &away, "all", "read,share");
    joined.tell(0, Event::NewItems);
    joined.run().unwrap();
    assert_eq!(away.compartments(&id), ["summary"]);
}

#[test]
fn a_clinic_whose_clock_is_slow_can_pass_on_what_it_was_granted() {
    let hour = 3_600_000;
    let slow = Arc::new(AtomicU64::new(45 * hour));
    let home = House::with_clock("Home", &Arc::new(AtomicU64::new(50 * hour)));
    let (away, third) = (House::with_clock("Away", &slow), House::new("Third"));
    introduce(&home, &away);
    introduce(&away, &third);
    let id = home.register("Amina");
    home.grant(&id, &away, "all", "read,share");
    sync(&home, &away).unwrap();
    away.grant(&id, &third, "summary", "read");
}

#[test]
fn a_clinic_that_is_opened_again_has_not_forgotten_what_peers_told_of_the_time() {
    let hour = 3_600_000;
    let slow = Arc::new(AtomicU64::new(45 * hour));
    let fast = House::with_clock("Fast", &Arc::new(AtomicU64::new(50 * hour)));
    let (home, away) = (House::with_clock("Home", &slow), House::new("Away"));
    introduce(&home, &fast);
    introduce(&home, &away);
    let id = home.register("Amina");
    sync(&home, &fast).unwrap();
    home.grant(&id, &away, "all", "read");
    let home = home.reopen();
    home.import(&visit(&home, &id, "later"));
    sync(&home, &away).unwrap();
    assert_eq!(away.clinic.chart_view(&id).unwrap().sealed, 0);
    assert_eq!(away.compartments(&id), ["clinical", "summary"]);
}

/// A bundle with the chart's patient, as it is, and one new observation.
pub(super) fn visit(house: &House, id: &str, observation: &str) -> String {
    let chart = house.clinic.export(id, true).unwrap();
    let patient = chart
        .lines()
        .find(|line| line.contains("\"Patient\""))
        .unwrap()
        .to_owned();
    let fhir_id = house.clinic.patient(id).unwrap().fhir_id;
    format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[{{"resource":{patient}}},
        {{"resource":{{"resourceType":"Observation","id":"{observation}","status":"final",
        "code":{{"text":"weight"}},"valueQuantity":{{"value":61.50,"unit":"kg"}},
        "subject":{{"reference":"Patient/{fhir_id}"}}}}}}]}}"#
    )
}

fn patient_json(id: &str, phone: &str, smoker: &str) -> String {
    format!(
        r#"{{"resourceType":"Patient","id":"{id}","name":[{{"given":["Amina"],"family":"Okello",
        "use":"official"}}],"gender":"female","birthDate":"1987-04",
        "telecom":[{{"value":"{phone}"}}],
        "extension":[{{"url":"http://example.org/smoker","valueString":"{smoker}"}}]}}"#
    )
}
