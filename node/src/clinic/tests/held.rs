//! What people see of records that do not count.

use super::sharing::visit;
use super::*;
use crate::clinic::HeldResource;

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
