//! A link on which nothing happens until somebody saves something.

use chartmesh_tests::link::Conditions;

use super::Valley;

#[test]
fn a_save_shows_at_the_other_clinic_by_itself_over_a_slow_link_that_was_idle() {
    let Some(valley) = Valley::new() else { return };
    valley.network.set(Conditions::SLOW);
    let before = valley.network.count(0, 1);
    for note in ["n1", "n2"] {
        valley.nakato.note(&valley.hill, note, "a short note");
        let key = format!("Observation/{note}");
        valley.nakato.wait_for(&valley.river, &key);
    }
    assert!(valley.network.count(0, 1).sent_bytes > before.sent_bytes);
}
