//! More than a link can carry at once.

use chartmesh_tests::link::Conditions;

use super::{Valley, digits};

/// What waits to be sent, as it is sealed: more than passes before the first cut.
const NOTES: u64 = 4;
const NOTE_BYTES: usize = 22_000;

#[test]
fn a_backlog_arrives_over_a_radio_link_that_is_cut_half_of_the_time() {
    let Some(valley) = Valley::new() else { return };
    valley.network.set(Conditions::CUT);
    let notes: Vec<String> = (0..NOTES).map(|number| format!("n{number}")).collect();
    for (note, seed) in notes.iter().zip(0..) {
        let words = digits(seed, 2 * NOTE_BYTES);
        valley.nakato.note(&valley.hill, note, &words);
    }
    assert!(!valley.agree(), "a link that is cut carries nothing");

    let before = valley.network.count(0, 1);
    valley.network.set(Conditions::BAD);
    valley.wait_until_they_agree(&notes);
    let after = valley.network.count(0, 1);
    let sent = after.sent_bytes - before.sent_bytes;
    let lost = (after.sent_packets - before.sent_packets)
        - (after.arrived_packets - before.arrived_packets);
    eprintln!("{sent} bytes sent, {lost} packets lost");
    assert!(sent > NOTES * NOTE_BYTES as u64, "it went another way");
    assert!(lost > 0, "the link was not bad");
}
