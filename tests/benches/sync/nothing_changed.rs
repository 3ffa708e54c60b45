//! A reconnect of two clinics that hold the same.

use super::invented;
use super::pair::{Pair, number};
use super::table::{Table, count};

/// A pair with many small charts, in sync after it has moved to hosts.
pub(crate) fn many(charts: usize) -> Pair {
    Pair::with_charts(charts, invented::small(charts))
}

/// Both start, and nothing has changed. The row has this name.
pub(crate) fn measure(table: &mut Table, name: &'static str, pair: &mut Pair, charts: usize) {
    let before = pair.counts();
    pair.start();
    let report = pair.sync();
    let after = pair.counts();
    pair.stop();
    let link: u64 = (0..2)
        .map(|way| after[way].sent_bytes - before[way].sent_bytes)
        .sum();
    assert_eq!(number(&report, "records_sent"), 0, "{report}");
    table.row(
        name,
        format!("{} charts, nothing changed, reconnect", count(charts)),
        "at most 256 B of ours each way, 1 round trip",
        format!(
            "{} and {} B, round trips: {}; {} B on the link with handshakes, both ways",
            number(&report, "bytes_sent"),
            number(&report, "bytes_received"),
            number(&report, "round_trips"),
            count(link),
        ),
    );
}
