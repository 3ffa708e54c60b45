//! A reconnect after one side was put back to an older copy of its store.
//!
//! The first HELLO shows that the store is an older one, and the session begins anew: what is
//! measured is the session that follows.

use tempfile::TempDir;

use super::pair::{Pair, number};
use super::table::{Table, count};

/// The first clinic is put back to before its last changes, which the second gives back: so many
/// bytes of records.
pub(crate) fn measure(table: &mut Table, pair: &mut Pair, sealed: u64, copy: &TempDir) {
    pair.put_back(copy);
    pair.start();
    let report = pair.sync();
    pair.stop();
    let records = number(&report, "records_received");
    assert!(records > 0, "{report}");
    let both = number(&report, "bytes_sent") + number(&report, "bytes_received");
    table.row(
        "restored",
        "the same after a store restore".to_owned(),
        "discovery at most 6 KB and 2 round trips",
        format!(
            "{} B both ways beside {records} records, round trips: {}, by {}",
            count(both - sealed),
            number(&report, "round_trips"),
            report["tier"].as_str().unwrap_or("nothing"),
        ),
    );
}
