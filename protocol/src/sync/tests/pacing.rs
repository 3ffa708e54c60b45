//! Pacing: what a slow link, a fast one and one that is cut make of a backlog.

use super::pair::{A, B, Pair};
use super::store::{id_of, item, record, statement};
use crate::sync::limits::{WINDOW_LEAST_BYTES, WINDOW_MOST_BYTES};
use crate::sync::{ItemKind, Lane};

/// Bytes that may be under way on a slow link, and so what a cut may cost.
const SLOW_MOST: usize = 16 * 1024;

/// 64 kbit/s and 300 ms each way.
fn slow(pair: &mut Pair) {
    (pair.rate, pair.latency_ms) = (8, 300);
}

/// When an item was delivered at B.
fn arrival(pair: &Pair, bytes: &[u8]) -> u64 {
    let mut delivered = pair.ends[B].delivered.iter();
    let found = delivered.find(|(_, id)| *id == id_of(bytes));
    found.expect("delivered").0
}

#[test]
fn an_urgent_statement_overtakes_a_large_item_within_two_seconds_and_a_round_trip() {
    for lane in [Lane::Older, Lane::Attachment] {
        for after in [0, 100, 900, 2_000, 5_003, 20_000, 31_007] {
            let mut pair = Pair::in_sync(1);
            slow(&mut pair);
            pair.connect();
            pair.drive();
            let big = item(ItemKind::Record, lane, 1, "big", 1_000_000);
            pair.write(A, big.clone());
            let until = pair.now + after;
            pair.run_until(until);
            let urgent = statement(1, "break-glass");
            pair.write(A, urgent.clone());
            let written = pair.now;
            pair.run_until(written + 300_000);
            pair.assert_in_sync();
            let took = arrival(&pair, &urgent) - written;
            assert!(took <= 2_000 + 600, "{took} ms in {lane:?} after {after}");
            assert!(arrival(&pair, &big) > written + 60_000);
        }
    }
}

#[test]
fn an_urgent_statement_overtakes_a_backlog_of_records_as_well() {
    for after in [500, 3_000, 9_999] {
        let mut pair = Pair::in_sync(1);
        slow(&mut pair);
        for at in 0..400 {
            pair.ends[A].store.accept(record(1, &format!("r{at}"), 900));
        }
        pair.connect();
        let until = pair.now + after;
        pair.run_until(until);
        let urgent = statement(1, "revoked");
        pair.write(A, urgent.clone());
        let written = pair.now;
        pair.drive();
        pair.assert_in_sync();
        // The records' lane goes on until their comparison; a statement is queued behind nothing.
        let took = arrival(&pair, &urgent) - written;
        assert!(took <= 2_000 + 600, "{took} ms after {after}");
    }
}

#[test]
fn a_slow_link_is_kept_busy_and_holds_at_most_16_kib() {
    for size in [900, 9_000, 300_000] {
        let mut pair = Pair::new();
        slow(&mut pair);
        let count = 600_000 / size;
        for at in 0..count {
            pair.ends[A]
                .store
                .accept(record(1, &format!("r{at}"), size));
        }
        pair.connect();
        let start = pair.now;
        pair.drive();
        pair.assert_in_sync();
        let most = pair.ends[B].most_under_way;
        assert!(most <= SLOW_MOST, "{most} bytes with records of {size}");
        let took = pair.now - start;
        assert!(
            took < 600_000 / 8 * 110 / 100 + 4_000,
            "{took} ms with records of {size}"
        );
    }
}

#[test]
fn cuts_of_ten_seconds_in_twenty_repeat_at_most_16_kib_each_and_a_quarter_in_all() {
    let mut pair = Pair::new();
    slow(&mut pair);
    let (count, size) = (1_000, 1_000);
    for at in 0..count {
        pair.ends[A]
            .store
            .accept(record(1, &format!("r{at}"), size));
    }
    let (mut total, mut cuts, mut repeated) = (0, 0, 0);
    loop {
        let before = pair.ends[B].store.len();
        pair.connect();
        let until = pair.now + 10_000;
        pair.run_until(until);
        let sent = pair.ends[A].sent.len();
        total += sent + pair.ends[B].sent.len();
        let stored = pair.ends[B].store.len() - before;
        if pair.ends[B].store.len() == count && !pair.ends[A].reports.is_empty() {
            break;
        }
        // What went out and was not stored goes out again.
        let lost = sent.saturating_sub(stored * size);
        repeated = repeated.max(lost);
        pair.cut();
        cuts += 1;
        assert!(cuts < 30);
        pair.now += 10_000;
    }
    pair.assert_in_sync();
    assert!(cuts >= 12, "{cuts}");
    assert!(repeated <= SLOW_MOST, "{repeated} bytes in one cut");
    assert!(total <= count * size * 125 / 100, "{total} bytes");
}

#[test]
fn after_a_cut_what_was_acknowledged_is_not_sent_again() {
    for cut_after in [1_500_u64, 4_000, 7_000, 11_000] {
        let mut pair = Pair::new();
        pair.rate = 8;
        pair.latency_ms = 300;
        for at in 0..200 {
            pair.ends[A]
                .store
                .accept(record(1, &format!("r{at}"), 1000));
        }
        pair.connect();
        let start = pair.now;
        pair.run_until(start + cut_after);
        pair.cut();
        let acknowledged = pair.ends[A].store.peer_has.len();
        assert!(acknowledged > 0, "nothing after {cut_after} ms");
        pair.connect();
        pair.drive();
        pair.assert_in_sync();
        assert_eq!(
            usize::try_from(pair.report(A).traffic.records_sent).unwrap(),
            200 - acknowledged
        );
        pair.cut();
        pair.connect();
        pair.drive();
        assert_eq!(pair.report(A).round_trips, 1);
    }
}

#[test]
fn a_fast_link_is_filled_by_a_growing_window() {
    let mut pair = Pair::new();
    pair.latency_ms = 300;
    for at in 0..4000 {
        pair.ends[A].store.accept(record(1, &format!("{at}"), 1000));
    }
    let start = pair.now;
    pair.connect();
    pair.drive();
    pair.assert_in_sync();
    assert!(
        pair.now - start < 12_000,
        "{} ms for 4 MB",
        pair.now - start
    );
}

#[test]
fn what_is_not_durable_is_bounded_by_the_window() {
    let mut pair = Pair::new();
    pair.store_ms = 100_000;
    for at in 0..3000 {
        pair.ends[A].store.accept(record(1, &format!("{at}"), 1000));
    }
    pair.connect();
    let start = pair.now;
    pair.run_until(start + 90_000);
    let delivered = pair.ends[B].delivered.len() * 1000;
    assert!(delivered > WINDOW_LEAST_BYTES / 2, "{delivered}");
    assert!(delivered <= WINDOW_MOST_BYTES, "{delivered}");
}

#[test]
fn a_record_larger_than_the_window_arrives() {
    let mut pair = Pair::new();
    let big = record(1, "largest", 4 * 1024 * 1024);
    pair.ends[A].store.accept(big.clone());
    pair.ends[A].store.accept(record(1, "small", 10));
    pair.connect();
    pair.drive();
    pair.assert_in_sync();
    assert!(pair.ends[B].store.has(&big));
}
