//! What a chart is opened from.

use crate::clinic::items;
use crate::clinic::tests::House;
use crate::store::{Batch, Space};
use chartmesh_protocol::sync::ItemKind;

/// A bundle with one note of so many characters.
fn bundle(note: usize) -> String {
    let note = "x".repeat(note);
    format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[
        {{"resource":{{"resourceType":"Patient","id":"p1"}}}},
        {{"resource":{{"resourceType":"Observation","id":"o1","status":"final",
          "subject":{{"reference":"Patient/p1"}},"valueString":"{note}"}}}}]}}"#
    )
}

#[test]
fn a_chart_that_takes_long_to_open_is_kept_as_it_was_opened() {
    for (note, snapshots) in [(1_000, 0), (40_000, 1)] {
        let home = House::new("Home");
        home.import(&bundle(note));
        let shown = home.clinic.chart_view("p1").unwrap();
        home.clinic.flush().unwrap();
        let kept = home.clinic.store.keys(Space::Snapshots, &[]).count();
        assert_eq!(kept, snapshots);
        let home = home.reopen();
        let again = home.clinic.chart_view("p1").unwrap();
        assert_eq!(again.compartments, shown.compartments);
        let export = home.clinic.export("p1", false).unwrap();
        assert!(export.contains(&"x".repeat(note)));
    }
}

#[test]
fn a_chart_that_was_opened_for_reading_is_read_to_the_end_and_written() {
    let mut home = House::new("Home");
    home.import(&bundle(40_000));
    // The first time keeps what there is to read; the second reads no history for it.
    let shown = home.clinic.export("p1", false).unwrap();
    home.clinic.flush().unwrap();
    home = home.reopen();
    let chart = home.clinic.find_chart("p1").unwrap();
    assert_eq!(home.clinic.export("p1", false).unwrap(), shown);
    let whole = |home: &House| home.clinic.with_chart(&chart, |open| Ok(open.is_whole()));
    assert!(!whole(&home).unwrap());
    assert_eq!(home.clinic.history("p1").unwrap().len(), 2);
    assert!(whole(&home).unwrap());
    home = home.reopen();
    assert!(!whole(&home).unwrap());
    home.import(&bundle(39_999));
    let changed = home.clinic.export("p1", false).unwrap();
    assert_eq!(changed.len(), shown.len() - 1);
    home = home.reopen();
    assert_eq!(home.clinic.export("p1", false).unwrap(), changed);
}

#[test]
fn verifying_finds_a_stored_statement_whose_signature_does_not_hold() {
    let home = House::new("Home");
    let chart = home.register("Amina").parse().unwrap();
    let check = home.clinic.verify_ledgers(None, &|_| {}).unwrap();
    assert!(check.ok && check.statements > 0, "{check:?}");
    let store = &home.clinic.store;
    let statements = items::of_chart(store, &chart, ItemKind::Statement).unwrap();
    let key = statements[0].id.as_bytes().to_vec();
    let mut value = store.get(Space::Items, &key).unwrap().unwrap();
    *value.last_mut().unwrap() ^= 1;
    let mut batch = Batch::new();
    batch.put(Space::Items, key, value);
    store.commit(batch).unwrap();
    let check = home.clinic.verify_ledgers(None, &|_| {}).unwrap();
    assert!(!check.ok);
    assert!(
        check.problems.iter().any(|one| one.contains("signature")),
        "{check:?}"
    );
}
