//! The patient lets a relay carry a chart no more, and clinics meet nowhere else: each hears of it
//! there, and is told what is so until then.

use super::relay::{Coast, meet};
use super::sharing::visit;
use super::told::line;
use super::*;

const NOT_HEARD: &str = "it has NOT HEARD yet that a consent has ended (1 patient)";

/// Home and away, which share a chart through a relay and have everything; and the relay's grant.
fn settled() -> (Coast, String, String) {
    let coast = Coast::new(2);
    let [home, away] = coast.both();
    let amina = home.register("Amina");
    home.grant(&amina, away, "all", "read,write");
    let carried = coast.carry(&amina).grant.unwrap().to_string();
    home.import(&visit(home, &amina, "v0"));
    visits(&coast, &[0, 1, 0, 1]);
    let has = line(home, away);
    assert!(has.summary.starts_with("has everything"), "{has:?}");
    (coast, amina, carried)
}

fn visits(coast: &Coast, places: &[usize]) {
    for place in places {
        let met = (0..4).any(|_| coast.visit(*place).is_ok());
        assert!(met, "clinic {place}");
    }
}

fn revoke(house: &House, grant: &str) {
    house.clinic.revoke(grant, "she asked", None).unwrap();
}

/// The states of the grants of the only chart that a clinic holds.
fn ended(house: &House) -> usize {
    let grants = house.clinic.grants(None).unwrap();
    grants.iter().filter(|one| one.state == "revoked").count()
}

fn has_not_heard(at: &House, of: &House) -> bool {
    let line = line(at, of);
    assert_eq!(
        line.untold > 0,
        line.summary.contains(NOT_HEARD),
        "{line:?}"
    );
    line.untold > 0
}

#[test]
fn the_end_of_a_relays_consent_is_heard_through_the_relay() {
    let (coast, amina, carried) = settled();
    let [home, away] = coast.both();
    revoke(home, &carried);
    assert!(has_not_heard(home, away), "{:?}", line(home, away));
    away.import(&visit(away, &amina, "v1"));
    visits(&coast, &[1]);
    // It does not know: what it has put lies there, for all that it can tell.
    assert!(line(away, home).summary.ends_with("; it lies at Relay"));
    visits(&coast, &[0]);
    let waits = line(home, away).summary;
    assert!(waits.contains("1 change of consent waits;"), "{waits}");
    assert!(waits.contains("; it lies at Relay"), "{waits}");
    assert!(has_not_heard(home, away), "{waits}");
    visits(&coast, &[1]);
    assert_eq!(ended(away), 1);
    // What nobody fetches there any more waits again, and home has it not.
    let waits = line(away, home);
    let said = "not connected, 1 record waits; last in sync just now, through Relay";
    assert_eq!((waits.records, waits.summary.as_str()), (1, said));
    assert!(!has_not_heard(away, home));
    let passed = home.clinic.passed_on(&away.clinic.node_id()).unwrap();
    assert!(passed.is_some());
    assert_eq!(away.clinic.passed_on(&home.clinic.node_id()).unwrap(), None);
    visits(&coast, &[0]);
    assert!(!has_not_heard(home, away), "{:?}", line(home, away));
    // Neither has anything more to put, whatever is written.
    let mail = coast.mail();
    for house in [home, away] {
        house.import(&visit(house, &amina, &format!("w{}", house.clinic.name())));
    }
    visits(&coast, &[0, 1, 0, 1]);
    assert_eq!(coast.mail(), mail);
    sync(home, away).unwrap();
    let export = |house: &House| house.clinic.export(&amina, false).unwrap();
    assert_eq!(export(home), export(away));
    assert!(export(home).contains(r#""v1""#));
}

#[test]
fn the_end_of_a_clinics_own_consent_arrives_though_the_relays_has_ended_too() {
    for relay_first in [true, false] {
        for heard_between in [true, false] {
            let (coast, amina, carried) = settled();
            let [home, away] = coast.both();
            let grants = home.clinic.grants(Some(&amina)).unwrap();
            let theirs = away.clinic.clinic_id();
            let theirs = grants.iter().find(|one| one.to == theirs).unwrap();
            let mut both = [carried, theirs.grant.to_string()];
            if !relay_first {
                both.reverse();
            }
            for grant in &both {
                revoke(home, grant);
                if heard_between {
                    visits(&coast, &[0, 1, 0]);
                }
            }
            home.import(&visit(home, &amina, "v1"));
            visits(&coast, &[0]);
            assert_eq!(has_not_heard(home, away), !heard_between);
            visits(&coast, &[1, 0]);
            // A clinic whose own consent has ended may not hear of the relay's.
            assert!(ended(away) >= 1);
            let view = away.clinic.grants(None).unwrap();
            let mine = view.iter().find(|one| one.to == away.clinic.clinic_id());
            assert_eq!(mine.unwrap().state, "revoked");
            assert!(!has_not_heard(home, away), "{:?}", line(home, away));
            let chart = away.clinic.find_chart(&amina).unwrap();
            let count = |house: &House| house.clinic.records(&chart).unwrap().len();
            assert!(count(away) < count(home));
        }
    }
}

#[test]
fn a_relay_put_back_from_an_old_copy_tells_all_the_same() {
    let (mut coast, amina, carried) = settled();
    let old = coast.relay.copy();
    revoke(&coast.houses[0], &carried);
    visits(&coast, &[0]);
    coast.relay = old;
    let [home, away] = coast.both();
    away.import(&visit(away, &amina, "v1"));
    visits(&coast, &[1, 0, 0, 1, 1, 0]);
    assert_eq!(ended(away), 1);
    assert!(!has_not_heard(home, away), "{:?}", line(home, away));
    let waits = line(away, home).summary;
    assert!(
        waits.contains("1 record waits;") && !waits.contains("at Relay"),
        "{waits}"
    );
}

#[test]
fn a_clinic_put_back_from_before_the_end_hears_of_it_again() {
    let (coast, amina, carried) = settled();
    let [home, away] = coast.both();
    let old = away.copy();
    revoke(home, &carried);
    visits(&coast, &[0, 1, 0]);
    old.import(&visit(&old, &amina, "v1"));
    // A store that was put back is found out, and begins anew.
    for _ in 0..5 {
        let _ = meet(&old, &coast.relay);
    }
    meet(&old, &coast.relay).unwrap();
    assert_eq!((ended(away), ended(&old)), (1, 1));
    let waits = line(&old, home).summary;
    assert!(
        waits.contains("1 record waits;") && !waits.contains("at Relay"),
        "{waits}"
    );
}

#[test]
fn a_third_clinic_hears_of_it_from_who_heard_of_it_otherwise() {
    let (coast, _, _) = Coast::with_two_readers();
    let [home, second, third] = &coast.houses[..] else {
        panic!()
    };
    visits(&coast, &[0, 1, 2, 0, 1, 2]);
    let relay = coast.relay.clinic.clinic_id();
    let grants = home.clinic.grants(None).unwrap();
    let carried = grants.iter().find(|one| one.to == relay).unwrap();
    revoke(home, &carried.grant.to_string());
    // Home comes to the relay no more; the second meets it.
    sync(home, second).unwrap();
    assert!(has_not_heard(second, third));
    visits(&coast, &[1, 2, 1]);
    assert_eq!(ended(third), 1);
    assert!(!has_not_heard(second, third), "{:?}", line(second, third));
}

#[test]
fn who_heard_of_the_grant_over_a_link_hears_of_its_end_through_the_relay() {
    let coast = Coast::new(2);
    let [home, away] = coast.both();
    let amina = home.register("Amina");
    home.grant(&amina, away, "all", "read,write");
    let carried = coast.carry(&amina).grant.unwrap().to_string();
    sync(home, away).unwrap();
    revoke(home, &carried);
    // Home has put nothing of the chart there, and does not begin to.
    visits(&coast, &[0]);
    assert_eq!(coast.mail(), 0);
    away.import(&visit(away, &amina, "v1"));
    visits(&coast, &[1, 0, 1, 0]);
    assert_eq!(ended(away), 1);
    assert!(!has_not_heard(home, away), "{:?}", line(home, away));
    let waits = line(away, home).summary;
    assert!(
        waits.contains("1 record waits;") && !waits.contains("at Relay"),
        "{waits}"
    );
}

#[test]
fn a_chart_that_was_never_put_at_a_relay_is_not_put_for_its_end() {
    let coast = Coast::new(2);
    let [home, away] = coast.both();
    let amina = home.register("Amina");
    home.grant(&amina, away, "all", "read,write");
    let carried = coast.carry(&amina).grant.unwrap().to_string();
    revoke(home, &carried);
    visits(&coast, &[0, 1, 0]);
    assert_eq!(coast.mail(), 0);
}

#[test]
fn a_relay_that_may_carry_a_chart_again_carries_what_waited() {
    let (coast, amina, carried) = settled();
    let [home, away] = coast.both();
    revoke(home, &carried);
    away.import(&visit(away, &amina, "v1"));
    visits(&coast, &[1, 0, 1, 0]);
    coast.carry(&amina);
    visits(&coast, &[0, 1, 0, 1]);
    assert!(line(away, home).summary.starts_with("has everything"));
    assert!(line(home, away).summary.starts_with("has everything"));
    let export = |house: &House| house.clinic.export(&amina, false).unwrap();
    assert_eq!(export(home), export(away));
}
