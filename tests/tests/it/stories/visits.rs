//! A clinic that pays for its link by the byte keeps none: it calls, syncs and hangs up.

use std::fs;

use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, introduce};

use super::{SOON, running, shared_with};
use crate::PROGRAM;

#[test]
fn where_no_link_is_kept_what_is_written_at_either_side_still_arrives() {
    let mut a = Clinic::create(PROGRAM, "Hill Clinic");
    let config = a.dir().join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let without = text.replace("heartbeat-seconds = 25", "heartbeat-seconds = 0");
    assert_ne!(text, without);
    fs::write(&config, without).unwrap();
    a.start();
    let [b] = running(["River Hospital"]);
    introduce(&a, &b);
    let shared = shared_with(&a, &b);
    a.sync();
    let is_over = |clinic: &Clinic, other: &Clinic| {
        let lines = clinic.json(&["sync", "status"]);
        let lines = lines["peers"].as_array().unwrap().clone();
        let of_other = |line: &&serde_json::Value| line["clinic"] == other.id();
        let line = lines.iter().find(of_other).unwrap().clone();
        line["state"] == "disconnected" && line["owed_out"] == 0 && line["error"].is_null()
    };
    wait_until("both sides to hang up", SOON, || {
        is_over(&a, &b) && is_over(&b, &a)
    });
    shared.note(&a, "from-a", "written where the link is paid for");
    shared.wait_for(&b, "Observation/from-a");
    wait_until("both sides to hang up", SOON, || {
        is_over(&a, &b) && is_over(&b, &a)
    });
    shared.note(&b, "from-b", "written at the other side");
    shared.wait_for(&a, "Observation/from-b");
    // A sync that somebody asks for is a visit, too.
    a.sync();
    b.sync();
}
