//! Nothing acknowledged is lost: not by a write that waits in memory, not by `kill -9`, not by
//! damage to the database.

mod acknowledged;
mod damaged;
mod killed_in_import;
mod killed_in_sync;
mod moment;
mod trace;
mod visits;

use chartmesh_tests::Clinic;

/// The store, the ledgers and the audit log are whole.
fn assert_healthy(clinic: &Clinic) {
    let report = clinic.json(&["doctor"]);
    assert_eq!(report["healthy"], true, "{}: {report}", clinic.name());
}
