//! Grants, their end, and the patient's PIN.

use chartmesh_crdt::views::AllergyStatus;
use chartmesh_protocol::StatementId;
use chartmesh_protocol::ledger::openable;

use super::sharing::visit;
use super::*;
use crate::clinic::{AccessState, Custody};
use crate::control::{Exit, Pin};

#[test]
fn after_a_revocation_the_other_clinic_keeps_what_it_had_and_gets_nothing_new() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    let grant = home
        .grant(&id, &away, "all", "read,write")
        .grant
        .unwrap()
        .to_string();
    sync(&home, &away).unwrap();
    let before = away.clinic.export(&id, false).unwrap();
    home.clinic.revoke(&grant, "moved away", None).unwrap();
    home.import(&visit(&home, &id, "later"));
    sync(&home, &away).unwrap();
    let view = away.clinic.chart_view(&id).unwrap();
    assert_eq!(view.access.state, AccessState::Ended);
    assert_eq!(away.clinic.export(&id, false).unwrap(), before);
    assert!(!before.contains("later"));
    let again = away.clinic.chart_view(&id).unwrap();
    assert_eq!(again.sealed, 0, "not even the sealed record came");
}

#[test]
fn what_a_clinic_wrote_before_it_knew_of_its_revocation_is_held_and_not_lost() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    let grant = home
        .grant(&id, &away, "all", "read,write")
        .grant
        .unwrap()
        .to_string();
    sync(&home, &away).unwrap();
    home.clinic.revoke(&grant, "moved away", None).unwrap();
    away.import(&visit(&away, &id, "unaware"));
    sync(&away, &home).unwrap();
    let view = home.clinic.chart_view(&id).unwrap();
    assert_eq!(view.held.len(), 1, "{:?}", view.held);
    assert_eq!(view.held[0].clinics, [away.clinic.clinic_id()]);
    assert!(!home.clinic.export(&id, false).unwrap().contains("unaware"));
    std::fs::write(
        away.dir.path().join("input.json"),
        visit(&away, &id, "more"),
    )
    .unwrap();
    let refused = away
        .clinic
        .import(&[away.dir.path().join("input.json")], &|_| {})
        .unwrap();
    let refused = refused.files[0].error.as_ref().unwrap();
    let said = "this clinic may not write the compartment clinical of this chart any more: the \
                consent to it was revoked; this node heard of it at ";
    let (_, when) = refused
        .split_once(said)
        .unwrap_or_else(|| panic!("{refused}"));
    assert!(when.starts_with(&century()), "{refused}");
    let look = format!(" (`chartmesh consent show {}` tells more)", &grant[..8]);
    assert!(when.contains(&look), "{refused}");
}

/// The century of now: what a moment that was noted begins with.
fn century() -> String {
    crate::clinic::date::moment(clock::now_ms())[..2].to_owned()
}

#[test]
fn a_refusal_names_the_compartments_that_are_closed_and_no_other() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    home.import(&visit(&home, &id, "v0"));
    home.grant(&id, &away, "all", "read");
    sync(&home, &away).unwrap();
    let input = away.dir.path().join("input.json");
    let refused = |json: &str| {
        std::fs::write(&input, json).unwrap();
        let read = away.clinic.import(std::slice::from_ref(&input), &|_| {});
        read.unwrap().files[0].error.clone().unwrap()
    };
    // The patient comes along as he stands.
    let note = refused(&visit(&away, &id, "v1"));
    let said = "may not write the compartment clinical of this chart: the patient has to grant it";
    assert!(note.contains(said), "{note}");
    let both = visit(&away, &id, "v1").replace("Okello", "Okell");
    let both = refused(&both);
    assert!(
        both.contains("the compartments summary and clinical"),
        "{both}"
    );
    // With the right to the part that changes, the rest is no hindrance.
    home.grant(&id, &away, "clinical", "read,write");
    sync(&home, &away).unwrap();
    away.import(&visit(&away, &id, "v1"));
}

#[test]
fn a_grant_that_expires_ends_what_is_served_without_any_statement() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    let soon = crate::clinic::date::moment(clock::now_ms() + 3_600_000);
    let request = GrantRequest {
        until: Some(soon),
        ..request(&id, &away, "all", "read")
    };
    home.try_grant(request).unwrap();
    sync(&home, &away).unwrap();
    let replica = Replica::open(Arc::clone(&home.clinic), away.clinic.node_id()).unwrap();
    home.wait_hours(2);
    home.import(&visit(&home, &id, "later"));
    assert_eq!(
        replica.owed_out(),
        0,
        "an open session serves nothing more either"
    );
    sync(&home, &away).unwrap();
    let view = away.clinic.chart_view(&id).unwrap();
    assert_eq!(view.access.state, AccessState::Ended);
    assert_eq!(view.access.note.as_deref(), Some("its time is over"));
    assert!(!away.clinic.export(&id, false).unwrap().contains("later"));
}

#[test]
fn a_grant_from_now_on_is_of_what_holds_nothing_yet_and_then_shows_all_of_it() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    let terms = |compartments| GrantRequest {
        from_now_on: true,
        ..request(&id, &away, compartments, "read")
    };
    for begun in ["all", "summary", "summary,clinical"] {
        let error = home.try_grant(terms(begun)).unwrap_err();
        assert_eq!(error.exit(), Exit::Refused);
        assert!(error.to_string().contains("already in summary"), "{error}");
    }
    let every = GrantRequest {
        patient: "all".to_owned(),
        ..terms("all")
    };
    assert!(home.clinic.grant(&every, &|_| {}).unwrap().passed_over());
    home.try_grant(terms("clinical")).unwrap();
    home.import(&visit(&home, &id, "one"));
    home.import(&visit(&home, &id, "two"));
    sync(&home, &away).unwrap();
    let view = away.clinic.chart_view(&id).unwrap();
    assert_eq!((view.waiting, view.sealed), (0, 0));
    let whole = home.clinic.chart_view(&id).unwrap();
    assert_eq!(
        view.compartments["clinical"],
        whole.compartments["clinical"]
    );
}

#[test]
fn a_grant_from_now_on_opens_what_is_written_later_and_nothing_before() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    home.import(&visit(&home, &id, "early"));
    let terms = request(&id, &away, "clinical", "read");
    grant_from_now_on(&home, terms);
    home.import(&visit(&home, &id, "late"));
    sync(&home, &away).unwrap();
    let seen = away.clinic.export(&id, true).unwrap();
    assert!(!seen.contains("early"), "{seen}");
    let records = away.clinic.verify_ledgers(None, &|_| {}).unwrap().records;
    assert_eq!(records, 1, "only the later record came");
}

#[test]
fn what_builds_on_a_past_that_may_not_be_seen_is_not_taken_for_the_whole() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    let terms = request(&id, &away, "all", "read");
    grant_from_now_on(&home, terms);
    home.import(&visit(&home, &id, "late"));
    home.import(&visit(&home, &id, "later").replace(r#""Amina""#, r#""Amina Joy""#));
    sync(&home, &away).unwrap();
    let view = away.clinic.chart_view(&id).unwrap();
    assert!(view.since_grant_only && !view.summary_visible);
    assert_eq!(view.waiting, 1, "the name builds on the registration");
    assert_eq!(view.allergies.status, AllergyStatus::NotVisible);
    let whole = home.clinic.chart_view(&id).unwrap();
    assert!(!whole.since_grant_only && whole.summary_visible);
    assert_eq!(whole.waiting, 0);
}

#[test]
fn a_pin_keeps_the_patients_key_from_the_clinic() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    let pin = |digits: &str| Pin::new(digits.to_owned());
    assert!(home.clinic.set_pin(&id, &pin("12345"), None).is_err());
    home.clinic.set_pin(&id, &pin("123456"), None).unwrap();
    assert_eq!(home.clinic.patient(&id).unwrap().custody, Custody::Pin);
    let with = |digits: Option<&str>| GrantRequest {
        pin: digits.map(pin),
        ..request(&id, &away, "all", "read")
    };
    for wrong in [None, Some("654321")] {
        let error = home.try_grant(with(wrong)).unwrap_err();
        assert_eq!(error.exit(), Exit::Refused, "{error}");
    }
    assert!(home.clinic.grants(Some(&id)).unwrap().is_empty());
    let made = home.try_grant(with(Some("123456"))).unwrap();
    assert_eq!(made.basis.as_deref(), Some("patient-pin"));
}

#[test]
fn a_grant_to_an_unknown_clinic_and_bad_terms_are_refused() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    let id = home.register("Amina");
    let unknown = home
        .try_grant(request(&id, &away, "all", "read"))
        .unwrap_err();
    assert_eq!(unknown.exit(), Exit::NotFound);
    introduce(&home, &away);
    for (compartments, rights) in [("everything", "read"), ("summary", "erase")] {
        let error = home
            .try_grant(request(&id, &away, compartments, rights))
            .unwrap_err();
        assert_eq!(error.exit(), Exit::Usage, "{error}");
    }
    let past = GrantRequest {
        until: Some("2001-01-01".to_owned()),
        ..request(&id, &away, "all", "read")
    };
    assert_eq!(home.try_grant(past).unwrap_err().exit(), Exit::Usage);
}

#[test]
fn a_clinic_that_may_share_passes_on_no_more_than_it_has() {
    let houses = [
        House::new("Home"),
        House::new("Hospital"),
        House::new("Specialist"),
    ];
    let [home, hospital, specialist] = &houses;
    introduce(home, hospital);
    introduce(hospital, specialist);
    let id = home.register("Amina");
    home.grant(&id, hospital, "summary", "read,share");
    sync(home, hospital).unwrap();
    let wider = hospital
        .try_grant(request(&id, specialist, "all", "read"))
        .unwrap_err();
    assert_eq!(wider.exit(), Exit::Refused, "{wider}");
    hospital.grant(&id, specialist, "summary", "read");
    sync(hospital, specialist).unwrap();
    assert_eq!(specialist.compartments(&id), ["summary"]);
    sync(hospital, home).unwrap();
    assert_eq!(home.clinic.grants(Some(&id)).unwrap().len(), 2);
}

#[test]
fn a_grant_of_all_history_opens_what_a_grant_from_now_on_left_closed() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    home.import(&visit(&home, &id, "before"));
    grant_from_now_on(&home, request(&id, &away, "all", "read"));
    sync(&home, &away).unwrap();
    home.grant(&id, &away, "all", "read");
    sync(&home, &away).unwrap();
    let exported = away.clinic.export(&id, false).unwrap();
    assert_eq!(exported, home.clinic.export(&id, false).unwrap());
    assert_eq!(away.clinic.chart_view(&id).unwrap().sealed, 0);
}

#[test]
fn what_is_sealed_without_knowing_of_a_reader_opens_to_it_once_home_has_heard_of_both() {
    let houses = ["Home", "Second", "Third"].map(House::new);
    let [home, second, third] = &houses;
    introduce(home, second);
    introduce(home, third);
    let id = home.register("Amina");
    home.grant(&id, second, "all", "read,write");
    sync(home, second).unwrap();
    home.grant(&id, third, "all", "read");
    sync(home, third).unwrap();
    // A key that the second one makes by itself: it does not know of the third.
    second.import(&visit(second, &id, "unaware"));
    sync(second, home).unwrap();
    sync(home, third).unwrap();
    assert_eq!(third.clinic.chart_view(&id).unwrap().sealed, 0);
    assert_eq!(
        home.clinic.export(&id, false).unwrap(),
        third.clinic.export(&id, false).unwrap()
    );
}

/// It hears of a key that was made after a revocation; then of the grant, and behind it of the
/// revocation.
#[test]
fn a_home_that_is_put_back_hands_no_key_to_a_clinic_whose_revocation_is_on_its_way() {
    let houses = ["Home", "Second", "Third", "Fourth"].map(House::new);
    let [home, second, third, fourth] = &houses;
    for other in [second, third, fourth] {
        introduce(home, other);
    }
    let id = home.register("Amina");
    home.grant(&id, second, "all", "read,write");
    let to_fourth = home.grant(&id, fourth, "all", "read,write").grant.unwrap();
    let restored = home.copy();
    let to_third = home.grant(&id, third, "all", "read").grant.unwrap();
    let end = |grant: &StatementId| home.clinic.revoke(&grant.to_string(), "moved", None);
    end(&to_third).unwrap();
    sync(home, second).unwrap();
    sync(home, fourth).unwrap();
    end(&to_fourth).unwrap();
    fourth.import(&visit(fourth, &id, "unaware"));
    sync(home, fourth).unwrap();
    for other in [fourth, fourth, second, second] {
        sync(&restored, other).unwrap();
    }
    let held = restored.clinic.chart_inventory(&id.parse().unwrap());
    let ledger = held.unwrap().ledger;
    let opens = |name: &str, house: &House| {
        let clinic = house.clinic.clinic_id();
        openable(&ledger, &name.parse().unwrap(), &clinic).len()
    };
    assert_eq!(
        (opens("clinical", fourth), opens("clinical", third)),
        (1, 0)
    );
}

/// Until the revoked one met home, its sessions with the others ended in a difference.
#[test]
fn a_clinic_hears_of_the_end_of_its_grant_from_another_clinic_that_was_granted_the_same() {
    let [home, one, other] = ["Home", "One", "Other"].map(House::new);
    introduce(&home, &one);
    introduce(&home, &other);
    introduce(&one, &other);
    let id = home.register("Amina");
    home.grant(&id, &one, "all", "read,write");
    let grant = home.grant(&id, &other, "all", "read,write").grant.unwrap();
    home.import(&visit(&home, &id, "before"));
    sync(&home, &one).unwrap();
    sync(&home, &other).unwrap();
    sync(&one, &other).unwrap();
    let grant = grant.to_string();
    home.clinic.revoke(&grant, "moved away", None).unwrap();
    home.import(&visit(&home, &id, "after"));
    sync(&home, &one).unwrap();
    sync(&one, &other).unwrap();
    let heard = other.clinic.grant_shown(&grant).unwrap();
    assert_eq!(heard.state, "revoked");
    assert!(!other.clinic.export(&id, true).unwrap().contains("after"));
    sync(&other, &one).unwrap();
    sync(&other, &home).unwrap();
}

/// The one that did not know would send what the revoked one may not have any more.
#[test]
fn a_clinic_whose_grant_has_ended_tells_others_who_go_on_sharing_with_it() {
    let [home, one, other] = ["Home", "One", "Other"].map(House::new);
    introduce(&home, &one);
    introduce(&home, &other);
    introduce(&one, &other);
    let id = home.register("Amina");
    home.grant(&id, &one, "all", "read,write");
    let grant = home.grant(&id, &other, "all", "read,write").grant.unwrap();
    sync(&home, &one).unwrap();
    sync(&home, &other).unwrap();
    let grant = grant.to_string();
    home.clinic.revoke(&grant, "moved away", None).unwrap();
    sync(&home, &other).unwrap();
    one.import(&visit(&one, &id, "after"));
    sync(&other, &one).unwrap();
    assert_eq!(one.clinic.grant_shown(&grant).unwrap().state, "revoked");
    assert!(!other.clinic.export(&id, true).unwrap().contains("after"));
    sync(&one, &other).unwrap();
}
