//! A third clinic in the same network, known to both and granted nothing.

use chartmesh_tests::link::Network;
use chartmesh_tests::vault::Vault;
use chartmesh_tests::{Clinic, introduce};

use super::digits;
use crate::PROGRAM;
use crate::stories::shared_with;

/// What is shared, as it is sealed, in one note.
const NOTE_BYTES: usize = 200_000;
/// What connections, certificates and comparisons of nothing may take on the third one's link.
const MAX_BYTES: u64 = 100_000;

#[test]
fn a_clinic_that_was_granted_nothing_is_sent_nothing() {
    let Some(network) = Network::required(3) else {
        return;
    };
    let names = ["Hill Clinic", "River Hospital", "Coast Pharmacy"];
    let [hill, river, mut coast] = [0, 1, 2].map(|host| {
        let mut clinic = Clinic::create_at(PROGRAM, names[host], network.place(host));
        clinic.start();
        clinic
    });
    introduce(&hill, &river);
    introduce(&hill, &coast);
    introduce(&river, &coast);
    let nakato = shared_with(&hill, &river);
    nakato.note(&hill, "n1", &digits(1, 2 * NOTE_BYTES));
    nakato.wait_for(&river, "Observation/n1");
    for clinic in [&hill, &river, &coast] {
        assert_eq!(clinic.sync().len(), 2, "{} knows both", clinic.name());
    }

    assert!(network.count(0, 1).arrived_bytes > NOTE_BYTES as u64);
    let bytes = network.bytes_at(2);
    assert!(bytes > 0, "the third clinic was never met");
    assert!(bytes < MAX_BYTES, "{bytes} bytes on its link");
    coast.stop();
    let vault = Vault::open(&coast);
    assert!(vault.records().is_empty());
    assert!(vault.ledgers().is_empty());
}
