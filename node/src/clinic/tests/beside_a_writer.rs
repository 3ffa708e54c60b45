//! What happens to a chart while somebody writes into it.

use std::thread;

use super::compaction_forged::{export, held, two_writers};
use super::sharing::visit;
use super::*;

/// Saves of one who writes while the store keeps beginning a new life.
const SAVES: usize = 30;

#[test]
fn a_store_that_begins_a_new_life_under_a_writer_loses_nothing_of_what_is_saved() {
    let home = House::new("Home");
    let id = home.register("Amina");
    let visits: Vec<String> = (0..SAVES)
        .map(|number| visit(&home, &id, &format!("o{number}")))
        .collect();
    thread::scope(|scope| {
        let writer = scope.spawn(|| visits.iter().for_each(|one| home.import(one)));
        while !writer.is_finished() {
            home.clinic.draw_incarnations().unwrap();
        }
    });
    assert_eq!(held(&home, &id), Vec::<String>::new());
    let shown = export(&home, &id);
    for number in 0..SAVES {
        assert!(shown.contains(&format!(r#""id":"o{number}""#)), "o{number}");
    }
}

#[test]
fn what_comes_while_a_chart_is_being_changed_is_shown_afterwards() {
    let (home, away, id) = two_writers();
    away.import(&visit(&away, &id, "meanwhile"));
    let chart = id.parse().unwrap();
    home.clinic
        .change_chart(&chart, |_| {
            sync(&home, &away).unwrap();
            Ok(())
        })
        .unwrap();
    assert!(export(&home, &id).contains("meanwhile"));
}
