//! Whether others reach a clinic, as a relay finds out for it.

use chartmesh_tests::link::Network;
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, introduce};

use super::PATIENCE;
use crate::PROGRAM;

/// Where each clinic is at first, and later.
const GUARDED: [usize; 2] = [0, 1];
const OPEN: [usize; 2] = [2, 3];
const RELAY: usize = 4;
const HOSTS: u8 = 5;

#[test]
fn a_relay_tells_a_clinic_whether_others_reach_it() {
    let Some(network) = Network::required(HOSTS) else {
        return;
    };
    network.guard(GUARDED[1]);
    let mut relay = Clinic::create_as(PROGRAM, "Coast Relay", network.place(RELAY), "relay");
    relay.start();
    let clinics = [GUARDED, OPEN].map(|[host, later]| {
        let mut clinic = Clinic::create_at(PROGRAM, "Clinic", network.place(host));
        clinic.configure("reachability-tests = false", "reachability-tests = true");
        clinic.start();
        introduce(&clinic, &relay);
        // Who has called may ask, and the relay knows of no place where to call first.
        clinic.stop();
        clinic.move_to(network.place(later));
        clinic.start();
        clinic
    });
    let is_told = |clinic: &Clinic| {
        let log = std::fs::read_to_string(clinic.log_file()).unwrap();
        log.contains("others reach this node here")
    };
    let [guarded, open] = &clinics;
    wait_until("the relay to call back", PATIENCE, || is_told(open));
    assert!(!is_told(guarded), "it has asked before the other one did");
}
