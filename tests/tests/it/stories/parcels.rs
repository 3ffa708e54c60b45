//! Scans through a relay, between clinics that are never online together.

use chartmesh_tests::Clinic;
use chartmesh_tests::bundle::resources;
use chartmesh_tests::scan::Scan;
use chartmesh_tests::wait::wait_until;
use serde_json::Value;

use super::attachments::{document, fetch, list, on_disk, saved, scan};
use super::relays::Coast;
use super::{NakatoShared, SOON};

/// Bytes of a scan that comes by itself, of one that somebody has to ask for, and of one that takes
/// its time.
const SMALL: usize = 250_000;
const LARGE: usize = 300_000;
const LONG: usize = 12_000_000;

/// Bytes of mail that clinics have put at the relay.
fn used(relay: &Clinic) -> u64 {
    let status = relay.json(&["status"]);
    let clinics = status["relay"]["clinics"].as_array().unwrap();
    clinics
        .iter()
        .map(|one| one["bytes"].as_u64().unwrap())
        .sum()
}

fn state(clinic: &Clinic, nakato: &NakatoShared, resource: &str) -> Value {
    let lines = list(clinic, nakato);
    let line = lines.into_iter().find(|line| line["resource"] == resource);
    line.unwrap()["state"].clone()
}

/// Nothing of patient or scan lies in the relay's folder.
fn nothing_shows(coast: &Coast, nakato: &NakatoShared, contents: &[&[u8]]) {
    let patient = nakato.patient_key();
    let words = ["Nakato", "Amina", "Chest", &nakato.chart, &patient];
    assert_eq!(Scan::for_texts(words).folder(&coast.relay.dir()), []);
    let parts = contents.iter().flat_map(|content| content.chunks(100_000));
    let needles = parts.map(|part| (part[..48].to_vec(), "a part of a scan".to_owned()));
    assert_eq!(Scan::for_bytes(needles).folder(&coast.relay.dir()), []);
}

#[test]
fn scans_reach_a_clinic_that_is_never_online_together_with_the_one_that_made_them() {
    let coast = Coast::new();
    let nakato = coast.carried();
    let (small, large) = (scan(SMALL, 7), scan(LARGE, 8));
    nakato.put(&coast.hill, &document(&nakato, "d1", &small));
    nakato.put(&coast.hill, &document(&nakato, "d2", &large));
    // The small one is wanted as soon as the other clinic hears of it.
    for clinic in [&coast.hill, &coast.river, &coast.hill, &coast.river] {
        coast.visit(clinic);
    }
    assert_eq!(state(&coast.river, &nakato, "DocumentReference/d1"), "here");
    assert!(saved(&coast.river, &nakato, "DocumentReference/d1") == small);
    assert_eq!(
        state(&coast.river, &nakato, "DocumentReference/d2"),
        "not-here"
    );

    // The large one comes once somebody asks.
    let asked = coast
        .river
        .cli(&["attachment", "fetch", "--patient", &nakato.chart]);
    assert_eq!(asked.code, Some(7), "{asked:?}");
    let comes = "comes through Coast Relay once Hill Clinic has been online and then this clinic";
    assert!(asked.stdout.contains(comes), "{asked:?}");
    let said = "it is asked for through Coast Relay, and comes when one has been online";
    assert!(asked.stdout.contains(said), "{asked:?}");
    let before = used(&coast.relay);
    coast.visit(&coast.hill);
    let with_it = used(&coast.relay);
    assert!(with_it > before, "{before} and {with_it}");
    nothing_shows(&coast, &nakato, &[&small, &large]);
    let done = fetch(&coast.river, &nakato, 0);
    assert_eq!(done["fetched"], true, "{done}");
    let charts = [&coast.hill, &coast.river].map(|clinic| clinic.export(&nakato.chart));
    assert!(resources(&charts[0]) == resources(&charts[1]));
    assert!(saved(&coast.river, &nakato, "DocumentReference/d2") == large);

    // Nobody wants it any more: the room is free again.
    coast.visit(&coast.river);
    coast.visit(&coast.hill);
    let after = used(&coast.relay);
    assert!(
        after + LARGE as u64 <= with_it,
        "{before}, {with_it}, {after}"
    );
    coast.visit(&coast.river);
    let again = coast.visit(&coast.hill);
    assert_eq!(again["round_trips"], 1, "{again}");
}

#[test]
fn a_clinic_that_is_killed_while_it_fetches_from_a_relay_goes_on_where_it_was() {
    let mut coast = Coast::new();
    let nakato = coast.carried();
    let long = scan(LONG, 9);
    nakato.put(&coast.hill, &document(&nakato, "d1", &long));
    coast.visit(&coast.hill);
    coast.visit(&coast.river);
    let done = fetch(&coast.river, &nakato, 7);
    assert_eq!(done["attachments"][0]["state"], "wanted", "{done}");
    coast.visit(&coast.hill);
    coast.river.start();
    wait_until("a part of the scan", SOON, || {
        on_disk(&coast.river) > 300_000
    });
    coast.river.kill9();
    let line = &list(&coast.river, &nakato)[0];
    let percent = line["percent_here"].as_u64().unwrap();
    assert!((1..100).contains(&percent), "{line}");
    coast.river.start();
    wait_until("all of the scan", SOON, || {
        state(&coast.river, &nakato, "DocumentReference/d1") == "here"
    });
    assert!(saved(&coast.river, &nakato, "DocumentReference/d1") == long);
}

#[test]
fn a_clinic_whose_consent_was_revoked_is_given_no_scan_through_a_relay() {
    let coast = Coast::new();
    let nakato = coast.carried();
    nakato.put(&coast.hill, &document(&nakato, "d1", &scan(LARGE, 10)));
    coast.visit(&coast.hill);
    coast.visit(&coast.river);
    fetch(&coast.river, &nakato, 7);
    let grant = &nakato.grant;
    coast
        .hill
        .ok(&["consent", "revoke", grant, "--reason", "moved away"]);
    let before = used(&coast.relay);
    for clinic in [&coast.hill, &coast.river, &coast.hill, &coast.river] {
        coast.visit(clinic);
    }
    assert_eq!(on_disk(&coast.river), 0);
    let after = used(&coast.relay);
    assert!(after < before + LARGE as u64, "{before} and {after}");
}
