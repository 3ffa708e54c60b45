//! A clinic that moves to another address.

use chartmesh_tests::link::Network;
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, introduce};

use super::PATIENCE;
use crate::PROGRAM;

#[test]
fn a_new_card_leaves_the_connection_alone_that_came_from_the_new_address() {
    let Some(network) = Network::required(3) else {
        return;
    };
    let [mut hill, mut river] = [("Hill Clinic", 0), ("River Hospital", 1)]
        .map(|(name, host)| Clinic::create_at(PROGRAM, name, network.place(host)));
    hill.start();
    river.start();
    introduce(&hill, &river);
    hill.sync();
    let stands = |clinic: &Clinic, state: &str| {
        let status = clinic.json(&["sync", "status"]);
        status["peers"][0]["state"] == state
    };

    river.stop();
    river.move_to(network.place(2));
    // Nobody answers at the old address, and the dial goes on for half a minute.
    wait_until("the hill to dial", PATIENCE, || stands(&hill, "connecting"));
    river.start();
    wait_until("the river to call", PATIENCE, || stands(&hill, "in-sync"));
    hill.ok(&["peer", "add", &river.card()]);
    hill.sync();
}
