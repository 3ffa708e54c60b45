//! A backlog over a radio link in bad weather.

use std::time::{Duration, Instant};

use chartmesh_tests::link::Conditions;
use chartmesh_tests::wait::wait_until;

use super::pair::Pair;
use super::table::{Table, count};
use super::{invented, progress};

/// One record of the backlog, sealed.
const RECORD: usize = 20_000;
/// From one cut to the next.
const CUTS_EVERY: u64 = 20;
const DEADLINE: Duration = Duration::from_secs(7200);

/// What is sent until a backlog of so many bytes has arrived.
pub(crate) fn measure(table: &mut Table, backlog: usize) {
    let Some(mut pair) = Pair::on_hosts() else {
        return;
    };
    let before = pair.records();
    let bundles: Vec<(usize, String)> = (0..backlog.div_ceil(RECORD))
        .map(|number| {
            let words = invented::digits(number, 2 * RECORD);
            let id = format!("backlog-{number}");
            (number, invented::visit(&pair.patients[0], &id, &words))
        })
        .collect();
    pair.add(&bundles);
    let after = pair.records();
    let new = after.iter().filter(|(id, _)| !before.contains_key(*id));
    let payload: u64 = new.map(|(_, bytes)| *bytes as u64).sum();

    progress("a backlog over a bad link");
    pair.link(Conditions::BAD);
    let [before, back_before] = pair.counts();
    let begun = Instant::now();
    pair.start();
    wait_until("the backlog to arrive", DEADLINE, || {
        pair.sync_now().code == Some(0)
    });
    let seconds = begun.elapsed().as_secs();
    let cuts = seconds / CUTS_EVERY;
    let [after, back_after] = pair.counts();
    let id = &pair.patients[0].id;
    let (wanted, arrived) = (pair.hill.export(id), pair.river.export(id));
    assert!(wanted == arrived, "the exports differ after a sync");
    pair.stop();

    let sent = after.sent_bytes - before.sent_bytes;
    let arrived = after.arrived_bytes - before.arrived_bytes;
    let back = back_after.sent_bytes - back_before.sent_bytes;
    table.row(
        "bad",
        "64 kbit/s, 300 ms each way, 2 % loss, cut for 10 s every 20 s".to_owned(),
        "a 1 MB backlog completes; at most 16 KiB repeated per cut; \
         at most 1.25 × the payload in all",
        format!(
            "{} B in {seconds} s with {cuts} cuts; sent {} B, {:.2} ×: repeated with all headers \
             {} B a cut; {} B of it never arrived; {} B back",
            count(payload),
            count(sent),
            sent as f64 / payload as f64,
            count(sent.saturating_sub(payload) / cuts.max(1)),
            count(sent.saturating_sub(arrived)),
            count(back),
        ),
    );
}
