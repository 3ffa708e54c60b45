//! The first sync of a clinic that was granted everything, on loopback.

use super::pair::{Pair, most_resident, number};
use super::table::{Table, count};
use super::{invented, progress};

/// Whole charts from one daemon to the other. Both hold the same afterwards.
pub(crate) fn measure(table: &mut Table, charts: usize) -> Pair {
    // A quarter first: four times the charts must take four times as long.
    let quarter = charts / 4;
    let (_, part_ms, _) = first_sync(quarter);
    let (pair, whole_ms, resident) = first_sync(charts);
    let rate = charts as u64 * 1000 / whole_ms.max(1);
    let part_rate = quarter as u64 * 1000 / part_ms.max(1);
    table.row(
        "first",
        format!("first sync of {} charts, loopback", count(charts)),
        "at least 1,000 charts a second, both sides under 300 MB resident, time linear",
        format!(
            "{} charts a second ({} of a quarter of them), {} and {} MB resident",
            count(rate),
            count(part_rate),
            resident[0] / 1_000_000,
            resident[1] / 1_000_000,
        ),
    );
    pair
}

/// The pair after its first sync, how long that took in milliseconds from the start of the second
/// daemon, and the most memory that each had. Both begin by themselves, so that a report may be
/// that of a later sync, in which nothing is left to send.
fn first_sync(charts: usize) -> (Pair, u64, [u64; 2]) {
    let mut pair = Pair::with_charts(charts, invented::whole(charts));
    progress(&format!("first sync of {charts} charts"));
    let begun = pair.start();
    pair.sync();
    let took = begun.elapsed();
    let arrived = number(&pair.river.json(&["status"]), "charts");
    assert_eq!(arrived, charts as u64);
    let resident = [&mut pair.hill, &mut pair.river].map(most_resident);
    pair.stop();
    (pair, u64::try_from(took.as_millis()).unwrap(), resident)
}
