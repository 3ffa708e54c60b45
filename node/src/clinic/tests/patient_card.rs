//! A patient's card is made at home, and brings the chart to a clinic that has never heard of it.

use super::sharing::visit;
use super::sticks::carry;
use super::*;
use crate::clinic::{Action, CardGranted, CardMade};
use crate::control::{CardOrder, Exit, Pin};

const PIN: &str = "246810";

fn pin(digits: &str) -> Pin {
    Pin::new(digits.to_owned())
}

fn order(text: &str, digits: &str) -> CardOrder {
    let words = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
    CardOrder {
        text: text.to_owned(),
        terms: GrantRequest {
            compartments: words(&["summary", "clinical"]),
            rights: words(&["read", "write"]),
            days: Some(30),
            pin: Some(pin(digits)),
            ..GrantRequest::of_everything(String::new())
        },
    }
}

fn granted(house: &House, text: &str) -> CardGranted {
    house.clinic.grant_by_card(&order(text, PIN)).unwrap()
}

fn actions(house: &House) -> Vec<Action> {
    let lines = house.clinic.audit_lines(None, 1000).unwrap();
    lines.into_iter().map(|line| line.action).collect()
}

/// A home with a patient who has a visit, an allergy, and something that is nobody's business.
fn home() -> (House, String) {
    let home = House::new("Hill Clinic");
    let id = home.register("Amina");
    let fhir_id = home.clinic.patient(&id).unwrap().fhir_id;
    let subject = format!(r#"{{"reference":"Patient/{fhir_id}"}}"#);
    home.import(&visit(&home, &id, "the-visit"));
    home.import(&format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[
        {{"resource":{{"resourceType":"Patient","id":"{fhir_id}",
            "name":[{{"given":["Amina"],"family":"Okello"}}],"birthDate":"1987-04",
            "contact":[{{"relationship":[{{"text":"brother"}}],
                "name":{{"given":["Peter"],"family":"Okello"}},
                "telecom":[{{"system":"email","value":"p@example.org"}},
                    {{"system":"phone","value":"+256 700 000001"}}]}}]}}}},
        {{"resource":{{"resourceType":"AllergyIntolerance","id":"a1","criticality":"high",
            "code":{{"text":"Penicillin"}},"patient":{subject},
            "reaction":[{{"manifestation":[{{"text":"anaphylaxis"}}]}}]}}}},
        {{"resource":{{"resourceType":"MedicationStatement","id":"m1","status":"active",
            "medicationCodeableConcept":{{"text":"Metformin 500 mg"}},"subject":{subject}}}}},
        {{"resource":{{"resourceType":"Condition","id":"c1","code":{{"text":"Diabetes"}},
            "subject":{subject}}}}},
        {{"resource":{{"resourceType":"Condition","id":"c2","code":{{"text":"secret-condition"}},
            "meta":{{"security":[{{"code":"HIV",
                "system":"http://terminology.hl7.org/CodeSystem/v3-ActCode"}}]}},
            "subject":{subject}}}}},
        {{"resource":{{"resourceType":"Observation","id":"b0","status":"entered-in-error",
            "code":{{"coding":[{{"system":"http://loinc.org","code":"882-1"}}]}},
            "effectiveDateTime":"2026-01-01","valueString":"AB","subject":{subject}}}}},
        {{"resource":{{"resourceType":"Observation","id":"b1","status":"final",
            "code":{{"coding":[{{"system":"http://loinc.org","code":"882-1"}}]}},
            "effectiveDateTime":"2020-01-01",
            "valueCodeableConcept":{{"text":"O Rh positive"}},"subject":{subject}}}}}]}}"#
    ));
    (home, id)
}

fn card(home: &House, id: &str) -> CardMade {
    home.clinic.make_card(id, &pin(PIN)).unwrap()
}

#[test]
fn a_card_taken_to_another_clinic_brings_the_chart() {
    let (home, id) = home();
    let away = House::new("River Hospital");
    // Home knows the hospital; the hospital learns of home by the card.
    home.clinic
        .add_peer(&away.clinic.own_card().unwrap().card)
        .unwrap();
    let made = card(&home, &id);
    let given = granted(&away, &made.key);
    assert!(given.home_added);
    assert_eq!(given.home_name, "Hill Clinic");
    assert_eq!(given.grant.basis.as_deref(), Some("card"));
    assert_eq!(given.grant.patient.to_string(), id);
    let chart = home.clinic.find_chart(&id).unwrap();
    assert!(!away.clinic.has_come(&chart).unwrap());
    for _ in 0..2 {
        sync(&away, &home).unwrap();
    }
    assert!(away.clinic.has_come(&chart).unwrap());
    assert_eq!(away.compartments(&id), ["clinical", "summary"]);
    assert!(away.clinic.export(&id, true).unwrap().contains("the-visit"));

    let line = &home.clinic.grants(Some(&id)).unwrap()[0];
    assert_eq!(
        (line.basis.as_str(), line.state.as_str()),
        ("card", "valid")
    );
    assert_eq!(line.to, away.clinic.clinic_id());
    for house in [&home, &away] {
        let check = house.clinic.verify_ledgers(None, &|_| ()).unwrap();
        assert!(check.ok, "{check:?}");
    }
    // It is granted once, and what is written there comes home.
    let again = granted(&away, &made.key);
    assert_eq!(again.grant.grant, given.grant.grant);
    assert!(!again.home_added);
    away.import(&visit(&away, &id, "written-there"));
    sync(&away, &home).unwrap();
    assert!(
        home.clinic
            .export(&id, true)
            .unwrap()
            .contains("written-there")
    );
    // The patient ends it at home.
    let grant = line.grant.to_string();
    home.clinic.revoke(&grant, "stolen card", None).unwrap();
    sync(&home, &away).unwrap();
    home.import(&visit(&home, &id, "later"));
    sync(&home, &away).unwrap();
    assert!(!away.clinic.export(&id, true).unwrap().contains("later"));
}

#[test]
fn a_card_without_its_pin_grants_nothing_and_leaves_an_entry() {
    let (home, id) = home();
    let away = House::new("River Hospital");
    let made = card(&home, &id);
    let wrong = away.clinic.grant_by_card(&order(&made.key, "246811"));
    let wrong = wrong.unwrap_err();
    assert!(matches!(wrong, ClinicError::Pin { .. }), "{wrong}");
    assert_eq!(wrong.exit(), Exit::Refused);
    let mut none = order(&made.key, PIN);
    none.terms.pin = None;
    let missing = away.clinic.grant_by_card(&none).unwrap_err();
    assert!(matches!(missing, ClinicError::Pin { .. }), "{missing}");
    let short = away.clinic.grant_by_card(&order(&made.key, "12345"));
    assert_eq!(short.unwrap_err().exit(), Exit::Usage);
    assert_eq!(away.clinic.all_charts().unwrap().len(), 0);
    assert_eq!(away.clinic.peers().unwrap(), []);
    assert_eq!(actions(&away), [Action::WrongPin]);
}

#[test]
fn a_card_that_was_damaged_or_altered_is_refused_with_an_entry_and_costs_no_try() {
    let (home, id) = home();
    let away = House::new("River Hospital");
    let made = card(&home, &id);
    let (last, rest) = (made.key.chars().last().unwrap(), made.key.len() - 1);
    let other = if last == 'A' { 'B' } else { 'A' };
    let damaged = format!("{}{other}", &made.key[..rest]);
    let texts = [
        damaged.as_str(),
        "hello",
        &made.key[..200],
        &made.summary,
        &made.key.replace("CARD:", "SUMMARY:"),
    ];
    for text in texts {
        let refused = away.clinic.grant_by_card(&order(text, PIN)).unwrap_err();
        assert!(matches!(refused, ClinicError::Card { .. }), "{refused}");
    }
    for text in [damaged.as_str(), "hello"] {
        let refused = away.clinic.show_card(text).unwrap_err();
        assert_eq!(refused.exit(), Exit::Refused, "{refused}");
    }
    assert_eq!(actions(&away), [Action::RefuseCard; 7]);
    assert_eq!(away.clinic.all_charts().unwrap().len(), 0);
}

#[test]
fn a_card_of_another_network_brings_nothing_until_the_two_clinics_know_each_other() {
    let (home, id) = home();
    let away = House::new("River Hospital");
    let made = card(&home, &id);
    let shown = away.clinic.show_card(&made.key).unwrap();
    assert!(!shown.home_known && !shown.here, "{shown:?}");
    assert_eq!(shown.patient.to_string(), id);
    granted(&away, &made.key);
    assert!(sync(&away, &home).is_err(), "home lets no stranger in");
    assert_eq!(home.clinic.grants(Some(&id)).unwrap(), []);
    home.clinic
        .add_peer(&away.clinic.own_card().unwrap().card)
        .unwrap();
    for _ in 0..2 {
        sync(&away, &home).unwrap();
    }
    assert_eq!(away.compartments(&id), ["clinical", "summary"]);
    assert!(away.clinic.show_card(&made.key).unwrap().home_known);
}

#[test]
fn a_card_is_made_at_home_and_of_no_use_there() {
    let (home, id) = home();
    let away = House::new("River Hospital");
    introduce(&home, &away);
    let made = card(&home, &id);
    let own = home.clinic.grant_by_card(&order(&made.key, PIN));
    assert_eq!(own.unwrap_err().exit(), Exit::Usage);
    granted(&away, &made.key);
    sync(&away, &home).unwrap();
    sync(&away, &home).unwrap();
    let elsewhere = away.clinic.make_card(&id, &pin(PIN)).unwrap_err();
    assert_eq!(elsewhere.exit(), Exit::Refused, "{elsewhere}");
    for short in ["12345", "12345a", ""] {
        let refused = home.clinic.make_card(&id, &pin(short)).unwrap_err();
        assert_eq!(refused.exit(), Exit::Usage, "{short}");
    }
    // Once a PIN is set, it is the card's.
    home.clinic.set_pin(&id, &pin("135791"), None).unwrap();
    let other = home.clinic.make_card(&id, &pin(PIN)).unwrap_err();
    assert!(matches!(other, ClinicError::Pin { .. }), "{other}");
    home.clinic.make_card(&id, &pin("135791")).unwrap();
}

#[test]
fn the_summary_on_a_card_opens_without_a_link_and_shows_nothing_restricted() {
    let (home, id) = home();
    let away = House::new("River Hospital");
    let made = card(&home, &id);
    let open = |code: &str| away.clinic.open_card_summary(&made.summary, code);
    let summary = open(&made.emergency_code).unwrap();
    assert_eq!(summary.patient.to_string(), id);
    assert_eq!(summary.name, "Amina Okello");
    assert_eq!(summary.allergies, ["Penicillin (high risk, anaphylaxis)"]);
    assert_eq!(summary.allergies_known, "listed");
    assert_eq!(summary.medications, ["Metformin 500 mg"]);
    assert_eq!(summary.problems, ["Diabetes"]);
    assert_eq!(summary.blood_group.as_deref(), Some("O Rh positive"));
    let contact = "+256 700 000001 Peter Okello (brother)";
    assert_eq!(summary.contact.as_deref(), Some(contact));
    assert_eq!(summary.problems_left_out, 0);
    assert!(!summary.clinic_known);
    let wrong = open("AAAA-AAAA-AAAA-AAAA").unwrap_err();
    assert!(matches!(wrong, ClinicError::Card { .. }), "{wrong}");
    assert_eq!(open("AAAA").unwrap_err().exit(), Exit::Usage);
    assert_eq!(actions(&away), [Action::OpenCard, Action::RefuseCard]);
    introduce(&home, &away);
    assert!(open(&made.emergency_code).unwrap().clinic_known);
}

#[test]
fn a_summary_that_is_too_long_for_the_card_says_what_it_lacks() {
    let home = House::new("Hill Clinic");
    let id = home.register("Amina");
    let fhir_id = home.clinic.patient(&id).unwrap().fhir_id;
    let problems: Vec<String> = (0..40)
        .map(|number| {
            format!(
                r#"{{"resource":{{"resourceType":"Condition","id":"c{number}",
                "code":{{"text":"A problem with quite a long name, number {number}"}},
                "subject":{{"reference":"Patient/{fhir_id}"}}}}}}"#
            )
        })
        .collect();
    home.import(&format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[
        {{"resource":{{"resourceType":"Patient","id":"{fhir_id}",
        "name":[{{"given":["Amina"],"family":"Okello"}}],"birthDate":"1987-04"}}}},{}]}}"#,
        problems.join(",")
    ));
    let made = card(&home, &id);
    let opened = home
        .clinic
        .open_card_summary(&made.summary, &made.emergency_code);
    let opened = opened.unwrap();
    assert!(opened.problems.len() > 5, "{opened:?}");
    let all = opened.problems.len() + usize::from(opened.problems_left_out);
    assert_eq!(all, 40);
    assert_eq!(made.problems_left_out, opened.problems_left_out);
    assert_eq!(opened.allergies_known, "not-recorded");
}

#[test]
fn a_clinic_that_has_the_chart_gives_it_by_the_card_while_home_is_not_reached() {
    let (home, id) = home();
    let (away, far, other) = (
        House::new("River Hospital"),
        House::new("Coast Clinic"),
        House::new("Lake Clinic"),
    );
    introduce(&home, &far);
    for house in [&far, &other] {
        introduce(&away, house);
    }
    home.grant(&id, &far, "summary,clinical", "read");
    sync(&home, &far).unwrap();
    let made = card(&home, &id);
    let given = granted(&away, &made.key);
    // Whoever has no such patient has none afterwards, and is not told the same again.
    sync(&away, &other).unwrap();
    assert_eq!(other.clinic.all_charts().unwrap().len(), 0);
    assert_eq!(other.clinic.search(&[]).unwrap().len(), 0);
    let mut again = Joined::new(&away, &other);
    again.run().unwrap();
    assert!(
        again.received.iter().all(|bytes| *bytes < 600),
        "{:?}",
        again.received
    );
    // Whoever has the chart gives it.
    for _ in 0..3 {
        sync(&away, &far).unwrap();
    }
    assert_eq!(away.compartments(&id), ["clinical", "summary"]);
    assert!(away.clinic.export(&id, true).unwrap().contains("the-visit"));
    // Home hears of it from the other one, and the patient ends it there.
    sync(&far, &home).unwrap();
    let grant = given.grant.grant.unwrap();
    let lines = home.clinic.grants(Some(&id)).unwrap();
    assert!(
        lines
            .iter()
            .any(|line| line.grant == grant && line.state == "valid")
    );
    home.clinic
        .revoke(&grant.to_string(), "left", None)
        .unwrap();
    home.import(&visit(&home, &id, "later"));
    sync(&home, &far).unwrap();
    for _ in 0..2 {
        sync(&far, &away).unwrap();
    }
    assert!(far.clinic.export(&id, true).unwrap().contains("later"));
    assert!(!away.clinic.export(&id, true).unwrap().contains("later"));
    let found = |house: &House| {
        let lines = house.clinic.grants(Some(&id)).unwrap();
        lines
            .into_iter()
            .find(|line| line.grant == grant)
            .unwrap()
            .state
    };
    assert_eq!([found(&far), found(&away)], ["revoked", "revoked"]);
    for house in [&home, &away, &far, &other] {
        let check = house.clinic.verify_ledgers(None, &|_| ()).unwrap();
        assert!(check.ok, "{check:?}");
    }
}

#[test]
fn sticks_bring_the_chart_where_there_is_no_link_at_all() {
    let (home, id) = home();
    let away = House::new("River Hospital");
    home.clinic
        .add_peer(&away.clinic.own_card().unwrap().card)
        .unwrap();
    let made = card(&home, &id);
    granted(&away, &made.key);
    let away = away.reopen();
    carry(&away, &home);
    carry(&home, &away);
    assert_eq!(away.compartments(&id), ["clinical", "summary"]);
    assert!(away.clinic.export(&id, true).unwrap().contains("the-visit"));
}
