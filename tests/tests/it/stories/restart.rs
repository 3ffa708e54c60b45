//! Daemons end and come back.

use chartmesh_tests::introduce;

use super::running;

#[test]
fn an_unchanged_reconnect_costs_one_round_trip_and_256_bytes() {
    let [mut a, mut b] = running(["Hill Clinic", "River Hospital"]);
    introduce(&a, &b);
    a.ok(&[
        "patient", "register", "--given", "Amina", "--family", "Nakato",
    ]);
    let to = b.id();
    a.ok(&[
        "consent",
        "grant",
        "--patient",
        "all",
        "--to",
        &to,
        "--compartments",
        "all",
    ]);
    a.sync();
    b.stop();
    b.start();
    a.stop();
    a.start();
    a.sync();
    for clinic in [&a, &b] {
        let reports = clinic.sync();
        let [report] = reports.as_slice() else {
            panic!("one peer is expected: {reports:?}")
        };
        assert_eq!(report["tier"], "cursor", "{report}");
        assert_eq!(report["round_trips"], 1, "{report}");
        for direction in ["bytes_sent", "bytes_received"] {
            assert!(report[direction].as_u64().unwrap() <= 256, "{report}");
        }
        assert_eq!(report["records_sent"], 0, "{report}");
    }
}
