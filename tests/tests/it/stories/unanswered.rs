//! A sync with who does not let this clinic in, or does not answer.

use chartmesh_tests::run::{Killed, spawn};
use chartmesh_tests::wait::{wait_for, wait_until};
use chartmesh_tests::{Clinic, introduce};
use rustix::process::{Pid, Signal, kill_process};

use super::{SOON, running, shared_with};
use crate::PROGRAM;

/// What a clinic is told that only one side has added.
const NOT_KNOWN: &str = "failed: it does not know this clinic yet: send it the line that \
                         `chartmesh id --card-only` prints, for its own `chartmesh peer add`";

#[test]
fn a_clinic_that_the_other_does_not_know_is_not_in_sync_with_it() {
    let [mut a, b] = running(["Hill Clinic", "River Hospital"]);
    let mut relay = Clinic::create_relay(PROGRAM, "Coast Relay");
    relay.start();
    for other in [&b, &relay] {
        a.ok(&["peer", "add", &other.card()]);
    }
    a.stop();
    // The whole truth also where a command opens the store for itself.
    for other in [&b, &relay] {
        let output = a.cli(&["sync", "now", "--peer", &other.id()]);
        assert_eq!(output.code, Some(7), "{output:?}");
        assert!(output.stdout.contains(NOT_KNOWN), "{output:?}");
        assert!(!output.stdout.contains("in sync after"), "{output:?}");
    }
    a.start();
    for other in [&b, &relay] {
        let output = a.cli(&["sync", "now", "--peer", &other.id()]);
        assert_eq!(output.code, Some(7), "{output:?}");
        assert!(output.stdout.contains(NOT_KNOWN), "{output:?}");
    }
    let status = a.ok(&["status"]);
    assert_eq!(status.matches("never compared yet").count(), 1, "{status}");
    assert!(!status.contains("exchanged"), "{status}");
    assert_eq!(
        status
            .matches("last link: it does not know this clinic")
            .count(),
        2,
        "{status}"
    );
    for other in [&b, &relay] {
        other.ok(&["peer", "add", &a.card()]);
        let text = a.ok(&["sync", "now", "--peer", &other.id()]);
        assert!(text.contains("in sync after"), "{text}");
    }
}

#[test]
fn while_a_command_waits_for_another_clinic_others_are_carried_out() {
    let [mut a, mut b] = running(["Hill Clinic", "River Hospital"]);
    introduce(&a, &b);
    let nakato = shared_with(&a, &b);
    a.sync();
    a.stop();
    nakato.note(&a, "n1", "written before the sync");
    let id = i32::try_from(b.daemon().unwrap().id()).ok();
    let frozen = id.and_then(Pid::from_raw).unwrap();
    kill_process(frozen, Signal::STOP).unwrap();
    let scratch = a.scratch();
    let (out, err) = (scratch.join("sync.out"), scratch.join("sync.err"));
    let mut sync = Killed(spawn(a.command().args(["sync", "now"]), &out, &err));
    let socket = a.dir().join("control.sock");
    wait_until("the command to take the store", SOON, || socket.exists());
    for command in [
        ["patient", "search", "nakato"],
        ["chart", "show", &nakato.chart],
    ] {
        let text = a.ok(&command);
        assert!(text.contains("Nakato"), "{text}");
    }
    nakato.note(&a, "n2", "written while the sync waits");
    assert_eq!(
        sync.0.try_wait().unwrap(),
        None,
        "it waits for the frozen clinic"
    );
    kill_process(frozen, Signal::CONT).unwrap();
    let ended = wait_for("the sync to end", SOON, || sync.0.try_wait().unwrap());
    assert!(
        ended.success(),
        "{}",
        std::fs::read_to_string(&out).unwrap()
    );
    assert!(!socket.exists(), "nobody answers there");
    a.sync();
    nakato.wait_for(&b, "Observation/n2");
}
