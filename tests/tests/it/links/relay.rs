//! Two clinics without a way to each other, and a relay that both reach.

use chartmesh_tests::bundle::resources;
use chartmesh_tests::link::{Conditions, Network};
use chartmesh_tests::wait::wait_until;

use super::{HILL, PATIENCE, RIVER, around_a_relay};
use crate::stories::shared_with;

#[test]
fn what_is_saved_reaches_a_clinic_that_only_the_relay_can_reach() {
    let Some(network) = Network::required(3) else {
        return;
    };
    // No link goes through the relay: it passes mail on.
    let clinics = around_a_relay(&network, "circuits = true", "circuits = false");
    let [hill, river, relay] = clinics;
    let nakato = shared_with(&hill, &river);
    let to = relay.id();
    let mut grant = vec!["consent", "grant", "--rights", "relay", "--to", &to];
    grant.extend(["--patient", &nakato.chart, "--compartments", "all"]);
    hill.json(&grant);
    nakato.wait_for(&river, &nakato.patient_key());

    // Both are online, and nobody asks: what is saved is passed on at once, over slow links too.
    network.set(Conditions::SLOW);
    nakato.note(&hill, "n1", "a short note");
    nakato.wait_for(&river, "Observation/n1");
    nakato.note(&river, "n2", "the answer");
    nakato.wait_for(&hill, "Observation/n2");
    wait_until("both to hold the same", PATIENCE, || {
        let charts = [&hill, &river].map(|clinic| resources(&clinic.export(&nakato.chart)));
        charts[0] == charts[1]
    });
    for (from, to) in [(HILL, RIVER), (RIVER, HILL)] {
        assert_eq!(network.count(from, to).arrived_packets, 0);
    }
}
