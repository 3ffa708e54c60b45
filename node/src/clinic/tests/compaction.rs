//! Compactions: what a clinic gets that comes late, and what it knows of who wrote it.

use std::cell::Cell;

use chartmesh_crdt::{Bundle, Resource};

use super::sharing::visit;
use super::*;
use crate::clinic::audit::Action;
use crate::clinic::compact::Occasion;
use crate::clinic::items::Marked;
use crate::clinic::open_chart::Scope;
use crate::clinic::save::Edit;
use crate::clinic::{HistoryLine, Provenance};
use crate::control::BundleOrder;

/// So many visits at a clinic, one record each.
fn visits(house: &House, id: &str, from: usize, to: usize) {
    for number in from..to {
        house.import(&visit(house, id, &format!("o{number}")));
    }
}

/// Records of a chart by what they are: of changes, compactions, manifests.
fn counts(house: &House, id: &str) -> [usize; 3] {
    let chart = id.parse().unwrap();
    let records = house.clinic.records(&chart).unwrap();
    [None, Some(Marked::Compaction), Some(Marked::Manifest)].map(|wanted| {
        let same = records.iter().filter(|one| one.header.marked == wanted);
        same.count()
    })
}

fn export(house: &House, id: &str) -> String {
    house.clinic.export(id, false).unwrap()
}

/// How many entries of a chart's history are only attested.
fn attested(house: &House, id: &str) -> usize {
    let history = house.clinic.history(id).unwrap();
    let attested = |one: &&HistoryLine| one.provenance == Provenance::Attested;
    history.iter().filter(attested).count()
}

/// Two clinics that know each other, and a patient of the first with so many visits.
fn chart(visited: usize) -> (House, House, String) {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    visits(&home, &id, 0, visited);
    (home, away, id)
}

#[test]
fn a_clinic_that_gets_a_long_chart_late_gets_it_in_one_record_with_its_authors() {
    let (home, away, id) = chart(40);
    home.grant(&id, &away, "all", "read,write");
    assert_eq!(counts(&home, &id), [41, 1, 1], "the summary has one record");
    sync(&home, &away).unwrap();
    assert_eq!(counts(&away, &id), [1, 1, 1]);
    assert_eq!(export(&home, &id), export(&away, &id));
    let history = home.clinic.history(&id).unwrap();
    assert_eq!(history, away.clinic.history(&id).unwrap());
    assert!(
        history
            .iter()
            .all(|one| one.clinic == Some(home.clinic.clinic_id()))
    );
    assert_eq!(attested(&away, &id), 0);
    let check = away.clinic.verify_ledgers(None, &|_| {}).unwrap();
    assert!(check.ok && check.held == 0, "{check:?}");
    let view = away.clinic.chart_view(&id).unwrap();
    assert_eq!((view.sealed, view.held.len()), (0, 0));
    // And both go on.
    visits(&away, &id, 40, 43);
    visits(&home, &id, 43, 45);
    sync(&away, &home).unwrap();
    assert_eq!(export(&home, &id), export(&away, &id));
    assert!(export(&home, &id).contains("o42"));
}

#[test]
fn until_the_manifest_comes_the_chart_is_attested_by_who_compacted_it() {
    let (home, away, id) = chart(40);
    home.grant(&id, &away, "all", "read,write");
    let mut pair = Joined::new(&home, &away);
    pair.piece = 64;
    let is_manifest = |end: &End| counts_of(end, &id)[2] > 0;
    pair.run_until(|ends| counts_of(&ends[1], &id)[1] > 0);
    assert!(!is_manifest(&pair.ends[1]), "it comes last");
    assert_eq!(export(&home, &id), export(&away, &id));
    assert_eq!(attested(&away, &id), 40);
    let view = away.clinic.chart_view(&id).unwrap();
    assert_eq!(view.attested, 40);
    let history = away.clinic.history(&id).unwrap();
    let by = history.iter().filter_map(|one| one.attested_by);
    assert!(
        by.into_iter()
            .all(|clinic| clinic == home.clinic.clinic_id())
    );
    // The link is cut, and the rest comes another day.
    drop(pair);
    let away = away.reopen();
    assert_eq!(attested(&away, &id), 40);
    sync(&away, &home).unwrap();
    assert_eq!((attested(&away, &id), counts(&away, &id)), (0, [1, 1, 1]));
    assert_eq!(away.clinic.chart_view(&id).unwrap().attested, 0);
}

fn counts_of(end: &End, id: &str) -> [usize; 3] {
    let chart = id.parse().unwrap();
    let records = end.clinic.records(&chart).unwrap();
    [None, Some(Marked::Compaction), Some(Marked::Manifest)].map(|wanted| {
        let same = records.iter().filter(|one| one.header.marked == wanted);
        same.count()
    })
}

#[test]
fn a_clinic_with_the_records_and_one_with_the_compaction_are_in_sync() {
    let (home, away, id) = chart(5);
    let late = House::new("Late");
    introduce(&home, &late);
    introduce(&away, &late);
    home.grant(&id, &away, "all", "read,write");
    sync(&home, &away).unwrap();
    visits(&home, &id, 5, 50);
    sync(&home, &away).unwrap();
    assert_eq!(home.clinic.compact_saved().unwrap(), 1);
    home.grant(&id, &late, "all", "read,write");
    sync(&home, &late).unwrap();
    // Before the other one has the compaction, and after.
    sync(&late, &away).unwrap();
    sync(&home, &away).unwrap();
    sync(&late, &away).unwrap();
    assert_eq!(counts(&away, &id)[0], 51);
    for house in [&away, &late] {
        assert_eq!(export(&home, &id), export(house, &id));
    }
}

#[test]
fn compactions_made_apart_are_read_together_and_the_next_one_takes_their_place() {
    let (home, away, id) = chart(8);
    home.grant(&id, &away, "all", "read,write");
    sync(&home, &away).unwrap();
    visits(&home, &id, 100, 140);
    visits(&away, &id, 200, 240);
    assert_eq!(home.clinic.compact_saved().unwrap(), 1);
    assert_eq!(away.clinic.compact_saved().unwrap(), 1);
    sync(&home, &away).unwrap();
    assert_eq!(export(&home, &id), export(&away, &id));
    let late = House::new("Late");
    introduce(&home, &late);
    introduce(&away, &late);
    home.grant(&id, &late, "all", "read,write");
    sync(&home, &late).unwrap();
    assert_eq!(export(&home, &id), export(&late, &id));
    assert_eq!(attested(&late, &id), 0);
    assert!(counts(&late, &id)[0] < 5, "{:?}", counts(&late, &id));
    let check = late.clinic.verify_ledgers(None, &|_| {}).unwrap();
    assert!(check.ok && check.held == 0, "{check:?}");
    sync(&home, &late).unwrap();
    sync(&home, &away).unwrap();
}

#[test]
fn a_compaction_of_a_clinic_that_only_has_a_compaction_holds_as_well() {
    let (home, away, id) = chart(40);
    home.grant(&id, &away, "all", "read,write,share");
    sync(&home, &away).unwrap();
    visits(&away, &id, 40, 60);
    let late = House::new("Late");
    introduce(&away, &late);
    introduce(&home, &late);
    away.grant(&id, &late, "all", "read,write");
    assert_eq!(counts(&away, &id), [21, 2, 2]);
    sync(&away, &late).unwrap();
    assert_eq!(export(&away, &id), export(&late, &id));
    assert_eq!(
        counts(&late, &id),
        [1, 1, 2],
        "the first manifest is used again"
    );
    let history = late.clinic.history(&id).unwrap();
    let by = |clinic| {
        history
            .iter()
            .filter(|one| one.clinic == Some(clinic))
            .count()
    };
    assert_eq!(by(home.clinic.clinic_id()), 41);
    assert_eq!(by(away.clinic.clinic_id()), 20);
    assert_eq!(attested(&late, &id), 0);
    sync(&away, &home).unwrap();
    sync(&late, &home).unwrap();
    assert_eq!(export(&home, &id), export(&late, &id));
}

#[test]
fn nothing_is_compacted_while_somebody_may_read_from_now_on_only() {
    let (home, away, id) = chart(40);
    let terms = request(&id, &away, "clinical", "read");
    grant_from_now_on(&home, terms);
    visits(&home, &id, 40, 45);
    assert_eq!(home.clinic.compact_saved().unwrap(), 0);
    sync(&home, &away).unwrap();
    assert_eq!(counts(&away, &id), [5, 0, 0]);
}

#[test]
fn a_clinic_that_may_read_from_now_on_gets_no_compaction_of_before() {
    let (home, away, id) = chart(40);
    assert_eq!(home.clinic.compact_saved().unwrap(), 1);
    let terms = request(&id, &away, "clinical", "read");
    grant_from_now_on(&home, terms);
    visits(&home, &id, 40, 42);
    sync(&home, &away).unwrap();
    assert_eq!(counts(&away, &id), [2, 0, 0]);
    assert!(!export(&away, &id).contains("o39"));
}

#[test]
fn after_a_revocation_of_who_compacted_the_chart_is_shared_as_it_was_written() {
    let (home, away, id) = chart(4);
    let grant = home.grant(&id, &away, "all", "read,write").grant.unwrap();
    sync(&home, &away).unwrap();
    visits(&home, &id, 4, 44);
    sync(&home, &away).unwrap();
    // The other clinic compacts, and is revoked by one who has not seen that.
    visits(&away, &id, 50, 51);
    assert_eq!(away.clinic.compact_saved().unwrap(), 1);
    home.clinic
        .revoke(&grant.to_string(), "moved away", None)
        .unwrap();
    sync(&away, &home).unwrap();
    let view = home.clinic.chart_view(&id).unwrap();
    assert!(view.held.len() >= 2, "{:?}", view.held);
    assert!(!export(&home, &id).contains("o50"));
    let late = House::new("Late");
    introduce(&home, &late);
    home.grant(&id, &late, "all", "read,write");
    sync(&home, &late).unwrap();
    assert_eq!(export(&home, &id), export(&late, &id));
    let held = late.clinic.chart_view(&id).unwrap().held.len();
    assert_eq!(held, view.held.len());
}

#[test]
fn a_compaction_that_was_seen_before_the_revocation_goes_on_being_read() {
    let (home, away, id) = chart(4);
    let grant = home.grant(&id, &away, "all", "read,write").grant.unwrap();
    sync(&home, &away).unwrap();
    visits(&away, &id, 50, 90);
    assert_eq!(away.clinic.compact_saved().unwrap(), 1);
    sync(&away, &home).unwrap();
    home.clinic
        .revoke(&grant.to_string(), "moved away", None)
        .unwrap();
    let late = House::new("Late");
    introduce(&home, &late);
    home.grant(&id, &late, "all", "read,write");
    sync(&home, &late).unwrap();
    assert_eq!(export(&home, &id), export(&late, &id));
    assert!(export(&late, &id).contains("o89"));
    assert!(late.clinic.chart_view(&id).unwrap().held.is_empty());
}

#[test]
fn a_store_that_lost_its_findings_finds_the_same_again() {
    let (home, away, id) = chart(40);
    home.grant(&id, &away, "all", "read,write");
    sync(&home, &away).unwrap();
    let before = (export(&away, &id), away.clinic.history(&id).unwrap());
    let mut batch = crate::store::Batch::new();
    for space in [
        crate::store::Space::Compactions,
        crate::store::Space::Snapshots,
    ] {
        for key in away.clinic.store.keys(space, &[]) {
            batch.delete(space, key.unwrap());
        }
    }
    away.clinic.store.commit(batch).unwrap();
    let away = away.reopen();
    assert_eq!(
        (export(&away, &id), away.clinic.history(&id).unwrap()),
        before
    );
    sync(&away, &home).unwrap();
}

#[test]
fn a_node_that_lost_its_records_does_not_use_their_numbers_again() {
    let (home, away, id) = chart(4);
    home.grant(&id, &away, "all", "read,write");
    sync(&home, &away).unwrap();
    let old = away.rolled_back();
    visits(&away, &id, 50, 90);
    sync(&away, &home).unwrap();
    let chart = id.parse().unwrap();
    let made = home
        .clinic
        .compact(&chart, |_| true, Occasion::Saved)
        .unwrap();
    assert_eq!(made, 1);
    let before = old.clinic.author_incarnation();
    assert_eq!(before, away.clinic.author_incarnation());
    drop(away);
    sync(&home, &old).unwrap();
    assert_ne!(old.clinic.author_incarnation(), before);
    visits(&old, &id, 90, 92);
    sync(&home, &old).unwrap();
    assert_eq!(export(&home, &id), export(&old, &id));
    assert!(home.clinic.chart_view(&id).unwrap().held.is_empty());
}

#[test]
fn a_compaction_is_made_when_it_is_worth_it_and_not_again_until_it_is_again() {
    let (home, _away, id) = chart(31);
    assert_eq!(home.clinic.compact_saved().unwrap(), 0);
    visits(&home, &id, 31, 32);
    assert_eq!(home.clinic.compact_saved().unwrap(), 1);
    visits(&home, &id, 32, 63);
    assert_eq!(home.clinic.compact_saved().unwrap(), 0);
    visits(&home, &id, 63, 64);
    assert_eq!(home.clinic.compact_saved().unwrap(), 1);
    assert_eq!(counts(&home, &id), [65, 2, 2]);
    let home = home.reopen();
    assert!(export(&home, &id).contains("o63"));
    assert_eq!(home.clinic.history(&id).unwrap().len(), 65);
}

#[test]
fn a_stick_carries_the_compaction_and_its_manifest() {
    let (home, late, id) = chart(40);
    home.grant(&id, &late, "all", "read,write");
    let stick = tempfile::tempdir().unwrap();
    let order = BundleOrder {
        peer: late.clinic.clinic_id().to_string(),
        out: stick.path().join("for-late"),
        max_size: 1024 * 1024,
        everything: true,
    };
    let written = home.clinic.export_bundle(&order, &|_| {}).unwrap();
    let read = late.clinic.import_bundles(&written.files, &|_| {}).unwrap();
    assert_eq!((&read.files[0].error, read.files[0].whole), (&None, true));
    assert_eq!(counts(&late, &id), [1, 1, 1]);
    assert_eq!(export(&late, &id), export(&home, &id));
    assert_eq!(attested(&late, &id), 0);
}

/// A chart of 200 saves of invented resources, three each.
fn long_chart(home: &House) -> String {
    let id = home.register("Amina");
    let patient = home.clinic.patient(&id).unwrap().fhir_id;
    let mut resources = Vec::new();
    for invented in crate::generate::generate(60, 7) {
        let mut no_id = || panic!("every resource has an id");
        let parsed = Bundle::parse(&invented.json, &mut no_id).unwrap();
        let theirs = parsed.patient.id().unwrap().to_owned();
        let others = parsed.resources.iter();
        let others = others.filter(|one| one.resource_type() != "Patient");
        let json = others.map(|one| one.to_json().replace(&theirs, &patient));
        resources.extend(json.map(|json| Edit::Put(Resource::parse(&json).unwrap())));
    }
    assert!(resources.len() >= 600, "{}", resources.len());
    let chart = id.parse().unwrap();
    for edits in resources.chunks(3).take(200) {
        let edits = edits.to_vec();
        home.clinic.save(&chart, edits, Action::Write).unwrap();
    }
    id
}

#[test]
fn everything_needed_to_read_a_chart_of_200_saves_is_a_tenth_more_than_its_save_at_most() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = long_chart(&home);
    let chart = id.parse().unwrap();
    let open = home.clinic.open_chart(&chart, Scope::Whole).unwrap();
    let parts = open.compartments.values();
    let save: usize = parts.map(|one| one.document().unwrap().save().len()).sum();
    let records = home.clinic.sealed_records(&chart).unwrap();
    let one_by_one: usize = records.iter().map(|one| one.as_bytes().len()).sum();
    home.grant(&id, &away, "all", "read,write");

    let wanted = export(&home, &id);
    let mut pair = Joined::new(&home, &away);
    pair.piece = 256;
    let seen = Cell::new(0);
    pair.run_until(|_| {
        let newest = crate::clinic::items::newest(&away.clinic.store).unwrap();
        // Looking costs more than a record.
        seen.replace(newest.value()) != newest.value()
            && away.clinic.find_chart(&id).is_ok()
            && export(&away, &id) == wanted
    });
    let bytes = pair.received[1];
    println!("{bytes} bytes until it is read; as one save {save}, as records {one_by_one}");
    assert!(bytes * 10 <= save * 11, "{bytes} bytes for {save}");
    assert!(
        one_by_one > save * 5,
        "{one_by_one} bytes in records for {save}"
    );
}
