//! What people are told of another clinic: that it has what was saved is said of no more than what
//! it may have.

use std::collections::BTreeSet;

use super::attachments::{grant, scan, valley};
use super::relay::Coast;
use super::relay_attachments::document;
use super::sharing::visit;
use super::*;
use crate::clinic::PeerLine;

/// What one clinic is told of another.
pub(super) fn line(at: &House, of: &House) -> PeerLine {
    let lines = at.clinic.sync_status(Vec::new()).unwrap();
    let node = of.clinic.node_id();
    lines.into_iter().find(|line| line.node == node).unwrap()
}

fn said(at: &House, of: &House) -> String {
    line(at, of).summary
}

#[test]
fn a_patient_who_was_not_granted_is_not_among_what_a_clinic_has() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let amina = home.register("Amina");
    assert_eq!(
        said(&home, &away),
        "not connected; no patient is shared with it"
    );
    home.grant(&amina, &away, "all", "read,write");
    assert!(said(&home, &away).starts_with("not connected, 1 record waits;"));
    sync(&home, &away).unwrap();
    let has = "has everything that you saved; confirmed just now; not connected";
    assert_eq!(said(&home, &away), has);
    // Who comes later is shared with nobody.
    let peter = home.register("Peter");
    assert_eq!(
        said(&home, &away),
        "has everything that you saved of 1 of 2 patients; confirmed just now; not connected"
    );
    home.grant(&peter, &away, "summary", "read");
    home.import(&visit(&home, &peter, "v0"));
    sync(&home, &away).unwrap();
    assert_eq!(
        said(&home, &away),
        "has everything that you saved of 1 of 2 patients, and of 1 what is shared with it; \
         confirmed just now; not connected"
    );
    home.grant(&peter, &away, "all", "read");
    sync(&home, &away).unwrap();
    assert_eq!(said(&home, &away), has);
}

#[test]
fn a_clinic_whose_consent_has_ended_is_not_said_to_have_everything() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let amina = home.register("Amina");
    let grant = home.grant(&amina, &away, "all", "read,write");
    let grant = grant.grant.unwrap();
    sync(&home, &away).unwrap();
    home.clinic
        .revoke(&grant.to_string(), "moved away", None)
        .unwrap();
    home.import(&visit(&home, &amina, "v0"));
    assert_eq!(
        said(&home, &away),
        "not connected, 1 change of consent waits; last in sync just now; it has NOT HEARD yet \
         that a consent has ended (1 patient)"
    );
    sync(&home, &away).unwrap();
    assert_eq!(
        said(&home, &away),
        "not connected; no patient is shared with it"
    );
    // What home may have of away's is nothing.
    assert_eq!(line(&away, &home).patients.in_part, 0);
}

#[test]
fn through_a_relay_a_clinic_is_said_to_have_no_more_than_it_may_have() {
    let (coast, amina) = Coast::carrying(64);
    let [home, away] = coast.both();
    home.import(&visit(home, &amina, "v0"));
    for place in [0, 1, 0] {
        coast.visit(place).unwrap();
    }
    let has = "has everything that you saved; confirmed just now, through Relay";
    assert_eq!(said(home, away), has);
    let peter = home.register("Peter");
    assert_eq!(
        said(home, away),
        "has everything that you saved of 1 of 2 patients; confirmed just now, through Relay"
    );
    home.grant(&peter, away, "all", "read,write");
    assert!(!said(home, away).starts_with("has "));
    coast.carry(&peter);
    for place in [0, 1, 0] {
        coast.visit(place).unwrap();
    }
    let grants = home.clinic.grants(Some(&amina)).unwrap();
    for one in grants
        .iter()
        .filter(|one| one.to == away.clinic.clinic_id())
    {
        home.clinic
            .revoke(&one.grant.to_string(), "moved away", None)
            .unwrap();
    }
    let not_heard = "it has NOT HEARD yet that a consent has ended (1 patient)";
    assert!(
        said(home, away).ends_with(not_heard),
        "{}",
        said(home, away)
    );
    for place in [0, 1, 0] {
        coast.visit(place).unwrap();
    }
    assert!(
        !said(home, away).contains("NOT HEARD"),
        "{}",
        said(home, away)
    );
}

#[test]
fn a_scan_that_was_not_fetched_is_not_among_what_a_clinic_has() {
    for bytes in [200_000, 300_000] {
        let (hill, river) = valley(&scan(bytes, 8));
        grant(&hill, &river, "all");
        sync(&hill, &river).unwrap();
        let has = "has everything that you saved; confirmed just now; not connected";
        if bytes > 256 * 1024 {
            assert_eq!(
                said(&hill, &river),
                "has everything that you saved, but for 1 attachment that it is not known to have; \
                 confirmed just now; not connected"
            );
            assert_eq!(said(&river, &hill), has, "it saved none");
            // What was known is known after a restart.
            let hill = hill.reopen();
            assert_eq!(line(&hill, &river).attachments, 1);
            river.clinic.request_attachments("p1", None).unwrap();
            sync(&hill, &river).unwrap();
            assert_eq!(said(&hill, &river), has);
            let hill = hill.reopen();
            assert_eq!(said(&hill, &river), has);
        } else {
            assert_eq!(said(&hill, &river), has);
        }
    }
}

#[test]
fn a_scan_that_came_through_a_relay_is_known_to_be_there() {
    let (coast, amina) = Coast::carrying(64);
    let [home, away] = coast.both();
    home.import(&document(home, &amina, "d1", &scan(100_000, 1)));
    for place in [0, 1, 0] {
        coast.visit(place).unwrap();
    }
    let without = "has everything that you saved, but for 1 attachment that it is not known to \
                   have; confirmed just now, through Relay";
    assert_eq!(said(home, away), without);
    // It fetches the scan, and has said so.
    coast.visit(1).unwrap();
    assert_eq!(said(home, away), without);
    coast.visit(0).unwrap();
    let has = "has everything that you saved; confirmed just now, through Relay";
    assert_eq!(said(home, away), has);
}

#[test]
fn a_scan_of_a_compartment_that_is_not_shared_is_not_missed() {
    let (hill, river) = valley(&scan(300_000, 9));
    grant(&hill, &river, "summary");
    sync(&hill, &river).unwrap();
    assert_eq!(line(&hill, &river).attachments, 0);
    assert!(said(&hill, &river).starts_with("has what is shared with it of 1 of 1 patient;"));
}

#[test]
fn who_may_not_read_a_scan_is_not_said_to_bring_it() {
    let (hill, river) = valley(&scan(300_000, 10));
    let desk = House::new("Desk");
    for one in [&hill, &river] {
        introduce(one, &desk);
    }
    grant(&hill, &river, "all");
    grant(&hill, &desk, "summary");
    sync(&hill, &river).unwrap();
    river.clinic.request_attachments("p1", None).unwrap();
    let line = river.clinic.attachments("p1", &[]).unwrap().remove(0);
    let waits_for = line.absent.unwrap().waits_for;
    assert_eq!(waits_for, BTreeSet::from(["Hill Clinic".to_owned()]));
}
