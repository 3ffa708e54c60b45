//! Comparing sets: what happens when cursors are of no use.

use std::collections::BTreeMap;

use super::pair::{A, B, Pair};
use super::store::{FIRST_GRANTED, grant, id_of, record, statement};
use crate::reconcile::{Cursor, FeedNumber, StoreIncarnation};
use crate::sync::frame::FrameReader;
use crate::sync::{Event, Holdings, SyncError, Tier};

/// Two stores with the same `common` records, and each with some of its own, which have lost
/// their cursors.
fn apart(common: usize, only: [usize; 2]) -> Pair {
    let mut pair = Pair::new();
    for end in [A, B] {
        // Each wrote them in another order.
        for at in 0..common {
            let at = if end == A { at } else { common - 1 - at };
            pair.ends[end]
                .store
                .accept(record(1, &format!("common {at}"), 100));
        }
        for at in 0..only[end] {
            pair.ends[end]
                .store
                .accept(record(1, &format!("{end}/{at}"), 100));
        }
    }
    lose_cursors(&mut pair);
    know_each_other(&mut pair);
    pair
}

fn lose_cursors(pair: &mut Pair) {
    for end in &mut pair.ends {
        end.store.cursor = Some(Cursor {
            incarnation: StoreIncarnation::new(404),
            number: FeedNumber::new(7),
        });
    }
}

/// Certificates survive in a backup.
fn know_each_other(pair: &mut Pair) {
    for end in [A, B] {
        let peer = pair.ends[1 - end].identity.certificate.clone();
        let store = &mut pair.ends[end].store;
        store.certificates.insert(peer.hash(), peer.to_bytes());
        store.peer_certificate = Some(peer.hash());
    }
}

/// Bytes that an end has sent, by the type of frame.
fn sent_by_type(pair: &Pair, end: usize) -> BTreeMap<String, usize> {
    let mut reader = FrameReader::default();
    reader.push(&pair.ends[end].sent);
    let mut sent = BTreeMap::new();
    while let Some(frame) = reader.next_frame().unwrap() {
        let mut bytes = Vec::new();
        frame.write(&mut bytes);
        *sent.entry(frame.frame_type().to_string()).or_default() += bytes.len();
    }
    sent
}

/// Bytes of both sides that served to find the difference.
fn discovery(pair: &Pair) -> usize {
    let all = [A, B].map(|end| sent_by_type(pair, end));
    let finds = [
        "HELLO",
        "CERTIFICATE",
        "SYMBOLS",
        "FURTHER",
        "WANTED",
        "RANGES",
    ];
    let of = |sent: &BTreeMap<String, usize>| -> usize {
        finds.iter().filter_map(|name| sent.get(*name)).sum()
    };
    all.iter().map(of).sum()
}

#[test]
fn after_a_restore_100_changes_of_10_000_are_found_in_two_round_trips_and_6_kb() {
    for only in [[50, 50], [100, 0], [0, 100], [10, 90]] {
        let mut pair = apart(10_000 - only[A] - only[B], only);
        pair.latency_ms = 300;
        let start = pair.now;
        pair.connect();
        pair.drive();
        pair.assert_in_sync();
        assert_eq!(pair.tiers(), [Tier::Set; 2]);
        let bytes = discovery(&pair);
        assert!(bytes <= 6_000, "{bytes} bytes for {only:?}");
        let first = |end: usize| pair.ends[end].delivered.first().map(|(at, _)| at - start);
        assert!(
            first(A).is_none_or(|after| after <= 1_250),
            "{:?}",
            first(A)
        );
        assert!(first(B).is_none_or(|after| after <= 950), "{:?}", first(B));
        let traffic = pair.report(A).traffic;
        let sent = [traffic.records_sent, traffic.records_received];
        assert_eq!(sent, only.map(|count| count as u64));
    }
}

#[test]
fn differences_of_any_size_up_to_15_percent_are_found_by_symbols() {
    for (common, only) in [
        (40, [1, 0]),
        (100, [0, 40]),
        (1_000, [70, 70]),
        (3_000, [0, 300]),
        (3_000, [220, 200]),
    ] {
        let mut pair = apart(common, only);
        pair.connect();
        pair.drive();
        pair.assert_in_sync();
        assert_eq!(pair.tiers(), [Tier::Set; 2], "{common} {only:?}");
        assert_eq!(pair.report(B).traffic.records_sent, only[B] as u64);
        pair.cut();
        pair.connect();
        pair.drive();
        assert_eq!(pair.report(A).round_trips, 1);
    }
}

#[test]
fn differences_above_15_percent_and_small_sets_are_found_by_ranges() {
    for (common, only) in [
        (20, [1, 3]),
        (1_000, [300, 300]),
        (300, [0, 200]),
        (0, [50, 50]),
    ] {
        let mut pair = apart(common, only);
        pair.connect();
        pair.drive();
        pair.assert_in_sync();
        assert_eq!(pair.tiers(), [Tier::Range; 2], "{common} {only:?}");
        assert_eq!(pair.report(A).traffic.records_sent, only[A] as u64);
    }
}

#[test]
fn statements_are_settled_by_symbols_before_records() {
    let mut pair = apart(100, [0, 0]);
    for at in 0..60 {
        for end in [A, B] {
            pair.ends[end].store.accept(statement(1, &format!("{at}")));
        }
    }
    pair.ends[A].store.accept(grant(FIRST_GRANTED));
    for at in 0..20 {
        pair.ends[A]
            .store
            .accept(record(FIRST_GRANTED, &format!("{at}"), 100));
    }
    pair.connect();
    pair.drive();
    pair.assert_in_sync();
    assert_eq!(pair.tiers(), [Tier::Set; 2]);
    assert_eq!(pair.ends[B].delivered[0].1, id_of(&grant(FIRST_GRANTED)));
    assert_eq!(pair.report(A).traffic.records_sent, 20);
}

#[test]
fn writes_during_a_comparison_are_no_mismatch() {
    for step in 1..12 {
        let mut pair = apart(200, [10, 10]);
        pair.connect();
        for at in 0..20 {
            let until = pair.now + step * 7;
            pair.run_until(until);
            pair.write(A, record(1, &format!("late a{at}"), 200));
            pair.write(B, statement(1, &format!("late b{at}")));
        }
        pair.drive();
        pair.assert_in_sync();
        assert_eq!(pair.ends[A].store.len(), 260, "step {step}");
    }
}

#[test]
fn a_claimed_number_above_ours_leads_to_the_set_tier() {
    let mut pair = apart(200, [3, 0]);
    for end in [A, B] {
        pair.ends[end].store.cursor = Some(Cursor {
            incarnation: StoreIncarnation::new([22, 11][end]),
            number: FeedNumber::new(5_000),
        });
    }
    pair.connect();
    pair.drive();
    assert!(pair.ends[A].behind && pair.ends[B].behind);
    pair.assert_in_sync();
    assert_eq!(pair.tiers(), [Tier::Set; 2]);
}

#[test]
fn a_comparison_that_is_cut_begins_again_and_ends() {
    let mut pair = apart(2_000, [100, 100]);
    (pair.rate, pair.latency_ms) = (8, 300);
    for ms in [350, 700, 1_000, 1_600, 2_500] {
        pair.connect();
        let until = pair.now + ms;
        pair.run_until(until);
        pair.cut();
    }
    pair.connect();
    pair.drive();
    pair.assert_in_sync();
}

#[test]
fn a_lost_store_is_filled_again_by_ranges() {
    let mut pair = Pair::in_sync(400);
    pair.ends[B].store.lose(23);
    pair.ends[B].store.accept(record(1, "after the loss", 100));
    pair.connect();
    pair.drive();
    pair.assert_in_sync();
    assert_eq!(pair.tiers(), [Tier::Range; 2]);
    assert_eq!(pair.ends[B].store.len(), 801);
    pair.cut();
    pair.connect();
    pair.drive();
    assert_eq!(pair.report(B).round_trips, 1);
}

#[test]
fn a_restored_backup_is_noticed_and_completed_by_ranges() {
    let mut pair = Pair::in_sync(100);
    pair.ends[A].store.roll_back(50);
    pair.connect();
    pair.drive();
    assert!(pair.ends[A].behind);
    pair.assert_in_sync();
    assert_eq!(pair.tiers(), [Tier::Range; 2]);
    assert_eq!(pair.ends[A].store.len(), 200);
    assert_eq!(pair.report(B).traffic.records_sent, 50);
}

#[test]
fn a_damaged_item_is_found_by_the_digest_and_healed_by_symbols() {
    let mut pair = Pair::in_sync(1000);
    let lost = id_of(&record(1, "0/77", 300));
    pair.ends[B].store.damage(&lost);
    pair.connect();
    pair.drive();
    pair.assert_in_sync();
    assert_eq!(pair.tiers(), [Tier::Set; 2]);
    assert_eq!(pair.report(A).traffic.records_sent, 1);
    assert_eq!(pair.report(B).traffic.records_sent, 0);
}

#[test]
fn what_a_lost_store_had_acknowledged_is_sent_again() {
    let mut pair = Pair::in_sync(3);
    pair.ends[B].store.accept(statement(1, "acknowledged"));
    pair.connect();
    pair.drive();
    pair.assert_in_sync();
    pair.cut();
    pair.ends[A].store.lose(100);
    pair.ends[B]
        .store
        .damage(&id_of(&statement(1, "acknowledged")));
    pair.connect();
    // Written again after both HELLOs, when B has yet to learn that A's store is another one.
    pair.write(B, statement(1, "acknowledged"));
    pair.drive();
    pair.assert_in_sync();
}

#[test]
fn few_statements_are_settled_by_ranges_before_records() {
    let mut pair = Pair::in_sync(50);
    pair.ends[A].store.accept(grant(120));
    for at in 0..40 {
        pair.ends[A]
            .store
            .accept(record(120, &format!("{at}"), 100));
    }
    pair.ends[B].store.incarnation = 99;
    pair.connect();
    pair.drive();
    pair.assert_in_sync();
    assert_eq!(pair.tiers(), [Tier::Set; 2]);
    assert_eq!(pair.ends[B].delivered[0].1, id_of(&grant(120)));
    assert_eq!(pair.ends[B].store.len(), 141);
}

#[test]
fn stores_that_differ_after_everything_end_with_both_digests_named() {
    let mut pair = Pair::in_sync(5);
    pair.ends[B].store.digest_error = Some(id_of(b"nowhere"));
    pair.connect();
    pair.drive();
    let [ours, theirs] = [A, B].map(|end| pair.ends[end].store.digests());
    assert_eq!(pair.error(A), SyncError::DigestMismatch { ours, theirs });
    assert_eq!(
        pair.error(B),
        SyncError::DigestMismatch {
            ours: theirs,
            theirs: ours
        }
    );
}

#[test]
fn damage_while_connected_is_healed_by_a_requested_sync() {
    let mut pair = Pair::in_sync(60);
    pair.connect();
    pair.drive();
    pair.ends[B].store.damage(&id_of(&record(1, "0/7", 300)));
    pair.event(B, Event::SyncRequested);
    pair.drive();
    pair.assert_in_sync();
    assert_eq!(pair.tiers(), [Tier::Set; 2]);
}

#[test]
fn statements_that_a_comparison_finds_travel_in_the_order_in_which_they_were_accepted() {
    // A few among many are found by symbols, all of them by ranges.
    for (common, lost) in [(3_000, 40), (0, 300)] {
        for lacks in [A, B] {
            let mut pair = Pair::new();
            let both = (0..common).map(|at| statement(1, &format!("common {at}")));
            for one in both {
                pair.ends[A].store.accept(one.clone());
                pair.ends[B].store.accept(one);
            }
            let written: Vec<_> = (0..lost)
                .map(|at| statement(1, &format!("lost {at}")))
                .collect();
            for one in &written {
                pair.ends[1 - lacks].store.accept(one.clone());
            }
            lose_cursors(&mut pair);
            know_each_other(&mut pair);
            pair.connect();
            pair.drive();
            pair.assert_in_sync();
            let delivered = pair.ends[lacks].delivered.iter().map(|(_, id)| *id);
            let wanted: Vec<_> = written.iter().map(|one| id_of(one)).collect();
            assert_eq!(delivered.collect::<Vec<_>>(), wanted, "{lost} {lacks}");
        }
    }
}
