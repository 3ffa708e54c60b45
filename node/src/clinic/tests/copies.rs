//! Data folders that were copied, or put back from a backup.

use super::sharing::visit;
use super::*;

/// A copy writes before anybody could tell it that it is one.
#[test]
fn a_copy_of_a_store_that_is_written_to_at_once_takes_no_place_of_the_original() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let id = home.register("Amina");
    home.grant(&id, &away, "all", "read,write");
    let old = home.copy();
    home.import(&visit(&home, &id, "lost"));
    sync(&home, &away).unwrap();
    old.import(&visit(&old, &id, "after"));
    sync(&old, &away).unwrap();
    sync(&old, &away).unwrap();
    // The original runs on, and meets the copy only through the other clinic.
    home.import(&visit(&home, &id, "at-both"));
    sync(&home, &away).unwrap();
    sync(&old, &away).unwrap();
    for house in [&home, &old, &away] {
        let view = house.clinic.chart_view(&id).unwrap();
        assert_eq!(view.held.len(), 0);
        let shown = house.clinic.export(&id, true).unwrap();
        for visit in ["lost", "after", "at-both"] {
            assert!(shown.contains(visit), "{visit}");
        }
        assert!(house.clinic.verify_ledgers(None, &|_| ()).unwrap().ok);
    }
    assert_ne!(
        home.clinic.author_incarnation(),
        old.clinic.author_incarnation()
    );
}

#[test]
fn a_store_that_is_opened_again_where_it_was_keeps_its_incarnation() {
    let home = House::new("Home");
    let before = (
        home.clinic.author_incarnation(),
        home.clinic.store_incarnation(),
    );
    let home = home.reopen();
    let after = (
        home.clinic.author_incarnation(),
        home.clinic.store_incarnation(),
    );
    assert_eq!(before, after);
}

/// It cannot open it any more, nor say to which compartment it belongs.
#[test]
fn what_a_clinic_wrote_comes_back_to_it_from_home_after_its_grant_has_ended() {
    let (home, away) = (House::new("Home"), House::new("Away"));
    introduce(&home, &away);
    let old = away.rolled_back();
    let id = home.register("Amina");
    // Home has begun the compartment: the clinic that writes there makes no key of its own.
    home.import(&visit(&home, &id, "first"));
    let grant = home.grant(&id, &away, "all", "read,write").grant.unwrap();
    sync(&home, &away).unwrap();
    away.import(&visit(&away, &id, "by-away"));
    sync(&home, &away).unwrap();
    let grant = grant.to_string();
    home.clinic.revoke(&grant, "moved away", None).unwrap();
    home.import(&visit(&home, &id, "later"));
    drop(away);
    for _ in 0..2 {
        // The first one tells it that it is behind.
        sync(&home, &old).unwrap();
    }
    let chart = home.clinic.find_chart(&id).unwrap();
    let records = old.clinic.records(&chart).unwrap();
    let own = old.clinic.node_id();
    assert!(!records.is_empty() && records.iter().all(|one| one.header.author == own));
    assert!(
        !old.clinic
            .verify_ledgers(None, &|_| ())
            .unwrap()
            .problems
            .iter()
            .any(|_| true)
    );
}
