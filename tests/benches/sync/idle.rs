//! A link on which nothing happens.

use std::time::{Duration, Instant};

use chartmesh_tests::wait::wait_until;

use super::pair::Pair;
use super::progress;
use super::table::{Table, count};

const DAY: u64 = 86_400;
/// A link without a packet for so long has nothing left to do: less than from one heartbeat to
/// the next.
const QUIET: Duration = Duration::from_secs(10);
const DEADLINE: Duration = Duration::from_secs(120);

/// What goes over the link in so many seconds, with the settings of a new clinic.
pub(crate) fn measure(table: &mut Table, seconds: u64) {
    let Some(mut pair) = Pair::on_hosts() else {
        return;
    };
    pair.start();
    pair.sync();
    let mut last = (pair.counts(), Instant::now());
    wait_until("the link to be quiet", DEADLINE, || {
        let now = pair.counts();
        if now != last.0 {
            last = (now, Instant::now());
        }
        last.1.elapsed() >= QUIET
    });
    progress(&format!("an idle link for {seconds} s"));
    let span = Duration::from_secs(seconds);
    let before = pair.counts();
    let begun = Instant::now();
    wait_until("the time to pass", 2 * span, || begun.elapsed() >= span);
    let after = pair.counts();
    pair.stop();
    let [there, back] =
        [0, 1].map(|way| (after[way].sent_bytes - before[way].sent_bytes) * DAY / seconds);
    table.row(
        "idle",
        "idle link, default settings".to_owned(),
        "at most 1 MB a day",
        format!(
            "{} + {} B a day, from {seconds} s",
            count(there),
            count(back)
        ),
    );
}
