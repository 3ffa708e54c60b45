//! What people see of records that do not count.

use super::sharing::visit;
use super::*;
use crate::clinic::{HeldItem, HeldResource};

fn allergy(house: &House, id: &str, criticality: &str) -> String {
    let fhir_id = house.clinic.patient(id).unwrap().fhir_id;
    let allergy = format!(
        r#"{{"resourceType":"AllergyIntolerance","id":"a1","criticality":"{criticality}",
        "code":{{"text":"Penicillin"}},"patient":{{"reference":"Patient/{fhir_id}"}}}}"#
    );
    visit(house, id, "o1").replace(
        r#"{"resource":{"resourceType":"Observation""#,
        &format!(r#"{{"resource":{allergy}}},{{"resource":{{"resourceType":"Observation""#),
    )
}

fn said(house: &House, id: &str) -> Vec<(String, Option<String>)> {
    let view = house.clinic.chart_view(id).unwrap();
    let line = |one: HeldResource| (one.resource, one.headline);
    view.held_resources.into_iter().map(line).collect()
}

/// How many records do not count by what `status` tells, of how many charts.
pub(super) fn told(house: &House) -> (u64, u64) {
    let held = house.clinic.status(false, Vec::new()).unwrap().held;
    (held.records, held.charts)
}

/// A clinic writes while it cannot know that its right has ended.
#[test]
fn what_a_held_record_says_of_an_allergy_is_shown_at_both_clinics() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    let grant = home.grant(&id, &away, "all", "read,write").grant.unwrap();
    home.import(&allergy(&home, &id, "low"));
    sync(&home, &away).unwrap();
    assert_eq!(said(&away, &id), []);
    away.import(&allergy(&away, &id, "high"));
    let grant = grant.to_string();
    home.clinic.revoke(&grant, "moved away", None).unwrap();
    sync(&home, &away).unwrap();
    let high = Some("Penicillin, criticality high".to_owned());
    let expected = [("AllergyIntolerance/a1".to_owned(), high)];
    for house in [&home, &away] {
        assert_eq!(said(house, &id), expected, "{}", house.clinic.name());
        let view = house.clinic.chart_view(&id).unwrap();
        let listed = view.allergies.list[0].criticality.as_deref();
        assert_eq!(listed, Some("low"), "what counts is not changed by it");
        assert_eq!(told(house), (1, 1));
        assert_eq!(house.clinic.export_chart(&id, false).unwrap().held, 1);
    }
    let away = away.reopen();
    assert_eq!(said(&away, &id), expected, "also when it is read anew");
    home.grant(&id, &away, "all", "read,write");
    sync(&home, &away).unwrap();
    for house in [&home, &away] {
        assert_eq!(said(house, &id), [], "a new grant lets it count");
        assert_eq!(told(house), (0, 0));
        assert_eq!(house.clinic.export_chart(&id, false).unwrap().held, 0);
    }
}

/// The key under which it writes is its own, and nobody else has it.
#[test]
fn what_was_written_in_a_new_compartment_before_a_grant_ended_comes_home_after_its_end() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    let soon = crate::clinic::date::moment(clock::now_ms() + 3_600_000);
    let terms = request(&id, &away, "all", "read,write");
    home.try_grant(GrantRequest {
        until: Some(soon),
        ..terms
    })
    .unwrap();
    sync(&home, &away).unwrap();
    away.import(&visit(&away, &id, "weighed"));
    for house in [&home, &away] {
        house.wait_hours(2);
    }
    sync(&home, &away).unwrap();
    let shown = home.clinic.export(&id, true).unwrap();
    assert!(shown.contains(r#""weighed""#), "{shown}");
    sync(&home, &away).unwrap();
}

/// Two clinics, of which one wrote twice without knowing that its right had ended; and a third one
/// that may read.
fn written_too_late() -> ([House; 3], String) {
    let (home, away) = (House::new("Home"), House::new("Away"));
    let third = House::new("Third");
    introduce(&home, &away);
    introduce(&home, &third);
    let id = home.register("Amina");
    home.grant(&id, &third, "all", "read");
    let grant = home.grant(&id, &away, "all", "read,write").grant.unwrap();
    sync(&home, &away).unwrap();
    away.import(&visit(&away, &id, "first"));
    away.import(&visit(&away, &id, "second"));
    let grant = grant.to_string();
    home.clinic.revoke(&grant, "moved away", None).unwrap();
    sync(&home, &away).unwrap();
    sync(&home, &third).unwrap();
    ([home, away, third], id)
}

/// The records that do not count, in the order in which they were written.
fn listed(house: &House) -> Vec<HeldItem> {
    let mut items = house.clinic.held_list(None).unwrap();
    items.sort_by(|one, other| one.at.cmp(&other.at));
    items
}

#[test]
fn what_the_home_clinic_admits_counts_at_every_clinic_that_may_read_it() {
    let ([home, away, third], id) = written_too_late();
    let items = listed(&home);
    assert_eq!(items.len(), 2, "{items:?}");
    for item in &items {
        assert_eq!(
            (item.patient.to_string(), item.admissible),
            (id.clone(), true)
        );
        assert_eq!(item.author, Some(away.clinic.clinic_id()));
        assert_eq!(item.author_name.as_deref(), Some("Away"));
        assert!(item.at.is_some(), "{item:?}");
    }
    assert_eq!(home.clinic.held_list(Some(&id)).unwrap().len(), 2);
    assert_eq!(listed(&third).len(), 2);
    let first = items[0].id.to_string()[..8].to_owned();
    home.clinic
        .admit(&[first], "confirmed by telephone")
        .unwrap();
    sync(&home, &third).unwrap();
    for house in [&home, &third] {
        let shown = house.clinic.export(&id, true).unwrap();
        assert!(shown.contains(r#""first""#), "{shown}");
        assert!(!shown.contains(r#""second""#), "{shown}");
        assert_eq!(listed(house).len(), 1, "{}", house.clinic.name());
        assert_eq!(told(house), (1, 1));
    }
    let all: Vec<String> = listed(&home)
        .iter()
        .map(|item| item.id.to_string())
        .collect();
    home.clinic.admit(&all, "").unwrap();
    assert_eq!((told(&home), listed(&home)), ((0, 0), Vec::new()));
    let verified = home.clinic.verify_ledgers(None, &|_| ()).unwrap();
    assert!(verified.ok && verified.held == 0, "{verified:?}");
    // It gives no right.
    sync(&home, &away).unwrap();
    assert_eq!(listed(&away).len(), 2, "it may not read, and is not told");
}

#[test]
fn who_is_not_at_home_admits_nothing_and_nothing_is_admitted_in_part() {
    let ([home, away, third], _) = written_too_late();
    let ids: Vec<String> = listed(&home)
        .iter()
        .map(|item| item.id.to_string())
        .collect();
    for house in [&away, &third] {
        let refused = house.clinic.admit(&ids, "").unwrap_err();
        assert!(matches!(refused, ClinicError::Refused { .. }), "{refused}");
    }
    let admit = |ids: &[&str], reason: &str| {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        home.clinic.admit(&ids, reason).unwrap_err()
    };
    let unknown = admit(&[&ids[0], "ffffffffffff"], "");
    assert!(matches!(unknown, ClinicError::NotFound { .. }), "{unknown}");
    let empty = admit(&[""], "");
    assert!(matches!(empty, ClinicError::NotFound { .. }), "{empty}");
    for reason in ["two\nlines".to_owned(), "x".repeat(513)] {
        let usage = admit(&[&ids[0]], &reason);
        assert!(matches!(usage, ClinicError::Usage { .. }), "{usage}");
    }
    assert_eq!(told(&home), (2, 1));
    home.clinic.admit(&ids, "").unwrap();
    let again = admit(&[&ids[0]], "");
    assert!(matches!(again, ClinicError::NotFound { .. }), "{again}");
}

#[test]
fn a_record_that_took_the_place_of_another_cannot_be_admitted() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    home.grant(&id, &away, "all", "read,write");
    sync(&home, &away).unwrap();
    let put_back = away.rolled_back();
    away.import(&visit(&away, &id, "one"));
    sync(&home, &away).unwrap();
    put_back.import(&visit(&put_back, &id, "other"));
    sync(&home, &put_back).unwrap();
    for item in listed(&home) {
        assert!(!item.admissible, "{item:?}");
        let refused = home.clinic.admit(&[item.id.to_string()], "").unwrap_err();
        assert!(
            refused.to_string().contains("write what it says anew"),
            "{refused}"
        );
    }
    assert_eq!(listed(&home).len(), 1);
}

#[test]
fn what_an_admitted_record_builds_on_counts_too_and_is_named() {
    let ([home, ..], _) = written_too_late();
    let items = listed(&home);
    let second = items[1].id.to_string();
    let admitted = home.clinic.admit(&[second], "").unwrap();
    assert_eq!(admitted.len(), 1);
    let left: Vec<_> = listed(&home).into_iter().map(|item| item.id).collect();
    let freed = &admitted[0].with_them;
    assert_eq!([freed.as_slice(), &left].concat(), [items[0].id]);
}
