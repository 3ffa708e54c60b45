//! Two clinics without any network between them, both running: sticks go both ways.

use chartmesh_tests::Clinic;
use chartmesh_tests::link::Conditions;
use serde_json::Value;

use super::Valley;

#[test]
fn a_pair_that_only_has_sticks_holds_the_same_after_each_way() {
    let Some(valley) = Valley::new() else { return };
    valley.network.set(Conditions::CUT);
    let before = arrived(&valley);
    valley.nakato.note(&valley.hill, "n1", "the first note");
    valley.nakato.note(&valley.river, "n2", "written meanwhile");
    assert!(!valley.agree());

    carry(&valley.hill, &valley.river);
    assert!(valley.nakato.has(&valley.river, "Observation/n1"));
    assert!(!valley.agree(), "n2 has not been carried yet");
    carry(&valley.river, &valley.hill);
    assert!(valley.agree());
    let notes = ["n1", "n2"].map(str::to_owned);
    valley.wait_until_they_agree(&notes);

    valley.nakato.note(&valley.river, "n3", "the answer");
    carry(&valley.river, &valley.hill);
    assert!(valley.nakato.has(&valley.hill, "Observation/n3"));
    assert!(valley.agree());
    assert_eq!(arrived(&valley), before, "something went over the network");
}

/// Bytes that have arrived over the network, both ways.
fn arrived(valley: &Valley) -> u64 {
    let ways = [(0, 1), (1, 0)];
    ways.map(|(from, to)| valley.network.count(from, to).arrived_bytes)
        .iter()
        .sum()
}

fn carry(from: &Clinic, to: &Clinic) {
    let stick = tempfile::tempdir().unwrap();
    let out = stick.path().join("stick.bundle");
    let (peer, out) = (to.id(), out.to_str().unwrap());
    from.ok(&["sync", "export", "--peer", &peer, "--out", out]);
    let read = to.json(&["sync", "import", stick.path().to_str().unwrap()]);
    assert_eq!(read["missing"], Value::Array(Vec::new()), "{read}");
}
