//! A reconnect after some charts have changed on one side.

use rand::SeedableRng;
use rand::seq::IteratorRandom;
use rand_chacha::ChaCha8Rng;

use super::invented;
use super::pair::{Pair, number};
use super::table::{Table, count};

/// Which charts change.
const SEED: u64 = 1;

/// Some charts get an observation each; both have cursors. Returns the bytes of what was sealed.
pub(crate) fn measure(table: &mut Table, pair: &mut Pair, changed: usize) -> u64 {
    let before = pair.records();
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let charts = pair.patients.iter().enumerate();
    let bundles: Vec<(usize, String)> = charts
        .sample(&mut rng, changed)
        .into_iter()
        .map(|(number, patient)| {
            let words = "seen today: better, to come again in a week";
            (number, invented::visit(patient, "changed", words))
        })
        .collect();
    pair.add(&bundles);
    let after = pair.records();
    let new = after.iter().filter(|(id, _)| !before.contains_key(*id));
    let sealed = new.map(|(_, bytes)| *bytes as u64).sum();
    pair.start();
    let report = pair.sync();
    pair.stop();
    assert_eq!(number(&report, "records_sent"), changed as u64, "{report}");
    let sent = number(&report, "bytes_sent");
    table.row(
        "changed",
        format!(
            "{} charts, {changed} changed at random, cursors valid",
            count(pair.patients.len())
        ),
        "at most 1.1 × the sealed records + 1 KB; 1 round trip",
        format!(
            "{} B of {} B sealed, {} B back, round trips: {}",
            count(sent),
            count(sealed),
            count(number(&report, "bytes_received")),
            number(&report, "round_trips"),
        ),
    );
    sealed
}
