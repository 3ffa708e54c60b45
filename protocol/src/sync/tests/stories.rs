//! What two nodes do, told one story at a time.

use super::pair::{A, B, Pair};
use super::store::{Identity, grant, id_of, item, record, statement};
use crate::reconcile::{Cursor, FeedNumber, StoreIncarnation};
use crate::sync::limits::MAX_HELLO_BYTES;
use crate::sync::{
    CloseCode, CloseReason, Event, Holdings, ItemKind, Lane, Refusal, SyncError, Tier,
};

#[test]
fn nothing_new_takes_one_round_trip_and_256_bytes_each_way() {
    let mut pair = Pair::in_sync(500);
    pair.connect();
    pair.drive();
    pair.assert_in_sync();
    for end in [A, B] {
        let report = pair.report(end);
        assert_eq!((report.tier, report.round_trips), (Tier::Cursor, 1));
        assert!(
            pair.ends[end].sent.len() <= MAX_HELLO_BYTES,
            "{}",
            pair.ends[end].sent.len()
        );
        assert_eq!(
            usize::try_from(report.traffic.bytes_sent).unwrap(),
            pair.ends[end].sent.len()
        );
        assert_eq!(
            usize::try_from(report.traffic.bytes_received).unwrap(),
            pair.ends[1 - end].sent.len()
        );
    }
    assert!(pair.now >= pair.latency_ms);
}

#[test]
fn a_hello_with_the_largest_numbers_fits_its_limit() {
    let mut pair = Pair::in_sync(1);
    for end in [A, B] {
        pair.ends[end].store.incarnation = u64::MAX;
        pair.ends[end].store.cursor = Some(Cursor {
            incarnation: StoreIncarnation::new(u64::MAX),
            number: FeedNumber::new(u64::MAX),
        });
        pair.now = u64::MAX >> 17;
    }
    pair.connect();
    assert!(
        pair.ends[A].sent.len() <= MAX_HELLO_BYTES - 24,
        "{}",
        pair.ends[A].sent.len()
    );
}

#[test]
fn two_empty_stores_are_in_sync_once_both_have_let_the_other_in() {
    let mut pair = Pair::new();
    // The first time, the certificate goes after the greeting, and the answer to it is waited for.
    for trips in [2, 1] {
        pair.connect();
        pair.drive();
        pair.assert_in_sync();
        assert_eq!([A, B].map(|end| pair.report(end).round_trips), [trips; 2]);
        pair.cut();
    }
}

#[test]
fn a_first_sync_brings_everything_both_ways() {
    let mut pair = Pair::new();
    for at in 0..300 {
        pair.ends[A].store.accept(record(1, &format!("a{at}"), 700));
        pair.ends[B].store.accept(record(2, &format!("b{at}"), 200));
    }
    for at in 0..20 {
        pair.ends[A].store.accept(statement(1, &format!("s{at}")));
    }
    pair.connect();
    pair.drive();
    pair.assert_in_sync();
    assert_eq!(pair.tiers(), [Tier::Cursor; 2]);
    assert_eq!(pair.ends[B].store.len(), 620);
    let traffic = pair.report(A).traffic;
    assert_eq!((traffic.records_sent, traffic.records_received), (300, 300));
    assert_eq!(
        (traffic.statements_sent, traffic.statements_received),
        (20, 0)
    );
}

#[test]
fn a_second_sync_sends_only_what_is_new() {
    let mut pair = Pair::in_sync(200);
    pair.ends[A].store.accept(record(1, "new", 400));
    pair.connect();
    pair.drive();
    pair.assert_in_sync();
    assert_eq!(pair.tiers(), [Tier::Cursor; 2]);
    assert_eq!(pair.report(A).traffic.records_sent, 1);
    assert_eq!(pair.report(B).traffic.records_sent, 0);
    assert!(pair.ends[A].sent.len() < 900, "{}", pair.ends[A].sent.len());
}

#[test]
fn a_grant_that_arrives_brings_its_chart_in_the_same_sync() {
    let mut pair = Pair::in_sync(3);
    for at in 0..10 {
        pair.ends[A]
            .store
            .accept(record(150, &format!("secret {at}"), 500));
    }
    pair.ends[A].store.accept(statement(150, "genesis"));
    pair.connect();
    pair.drive();
    pair.assert_in_sync();
    assert!(!pair.ends[B].store.has(&record(150, "secret 0", 500)));
    pair.cut();
    // The grant is written at B, so A learns of it only by sync.
    pair.ends[B].store.accept(grant(150));
    pair.connect();
    pair.drive();
    pair.assert_in_sync();
    assert_eq!(pair.tiers(), [Tier::Cursor; 2]);
    assert!(pair.ends[B].store.has(&record(150, "secret 0", 500)));
    assert!(pair.ends[B].store.has(&statement(150, "genesis")));
}

#[test]
fn statements_come_first_then_lanes_in_order() {
    let mut pair = Pair::new();
    let items: Vec<Vec<u8>> = Lane::ALL
        .into_iter()
        .rev()
        .map(|lane| item(ItemKind::Record, lane, 1, "x", 9000))
        .chain([statement(1, "s")])
        .collect();
    for bytes in &items {
        pair.ends[A].store.accept(bytes.clone());
    }
    pair.connect();
    pair.drive();
    pair.assert_in_sync();
    let order: Vec<_> = pair.ends[B].delivered.iter().map(|(_, id)| *id).collect();
    let wanted: Vec<_> = items.iter().rev().map(|bytes| id_of(bytes)).collect();
    assert_eq!(order, wanted);
}

#[test]
fn writes_during_a_sync_are_no_mismatch() {
    for step in 1..14 {
        let mut pair = Pair::new();
        for at in 0..50 {
            pair.ends[A].store.accept(record(1, &format!("{at}"), 400));
            pair.ends[B].store.accept(statement(1, &format!("{at}")));
        }
        pair.connect();
        for at in 0..30 {
            let until = pair.now + step * 9;
            pair.run_until(until);
            pair.write(A, record(1, &format!("late a{at}"), 300));
            pair.write(B, record(1, &format!("late b{at}"), 300));
        }
        pair.drive();
        pair.assert_in_sync();
        assert_eq!(pair.tiers(), [Tier::Cursor; 2], "step {step}");
        assert_eq!(pair.ends[A].store.len(), 160);
    }
}

#[test]
fn a_new_record_is_pushed_while_connected() {
    let mut pair = Pair::in_sync(10);
    pair.connect();
    pair.drive();
    let new = record(1, "written now", 5000);
    pair.write(B, new.clone());
    pair.drive();
    assert!(pair.ends[A].store.has(&new));
    pair.assert_in_sync();
    assert_eq!(
        pair.ends[A].store.cursor().map(|c| c.number),
        Some(pair.ends[B].store.newest())
    );
    pair.cut();
    pair.connect();
    pair.drive();
    assert_eq!(pair.report(A).round_trips, 1);
}

#[test]
fn what_is_new_reaches_the_peer_and_is_confirmed_in_two_round_trips() {
    for writers in [[true, false], [false, true], [true, true]] {
        let mut pair = Pair::in_sync(10);
        pair.latency_ms = 300;
        for (end, writes) in writers.into_iter().enumerate() {
            if writes {
                let words = format!("while apart {end}");
                pair.ends[end].store.accept(record(1, &words, 2_000));
            }
        }
        pair.connect();
        pair.drive();
        pair.assert_equal();
        // The one that opens the stream waits for a HELLO and for digests.
        let report = pair.report(A);
        assert_eq!((report.tier, report.round_trips), (Tier::Cursor, 2));
        assert!(report.duration_ms < 3 * 600, "{report:?} {writers:?}");
    }
}

#[test]
fn a_grant_that_is_pushed_brings_the_chart_of_the_other_side() {
    let mut pair = Pair::in_sync(2);
    pair.ends[A].store.accept(record(130, "kept back", 300));
    pair.connect();
    pair.drive();
    pair.write(B, grant(130));
    pair.drive();
    pair.assert_in_sync();
    assert!(pair.ends[B].store.has(&record(130, "kept back", 300)));
}

#[test]
fn a_requested_sync_compares_again_in_one_round_trip() {
    let mut pair = Pair::in_sync(10);
    pair.connect();
    pair.drive();
    for ends in [vec![A], vec![B], vec![A, B]] {
        pair.ends[A].reports.clear();
        pair.ends[B].reports.clear();
        for end in ends {
            pair.event(end, Event::SyncRequested);
        }
        pair.drive();
        pair.assert_in_sync();
        for end in [A, B] {
            assert_eq!(pair.ends[end].reports.len(), 1);
            assert_eq!(pair.report(end).round_trips, 1);
            assert!(pair.report(end).traffic.bytes_sent <= 256);
        }
    }
}

#[test]
fn a_sync_requested_in_the_middle_of_a_push_finds_no_mismatch() {
    for wait in [0, 20, 60, 90, 130] {
        let mut pair = Pair::in_sync(10);
        pair.connect();
        pair.drive();
        pair.rate = 20;
        for at in 0..40 {
            pair.write(A, record(1, &format!("push {at}"), 2000));
            pair.write(B, record(1, &format!("pull {at}"), 2000));
        }
        let until = pair.now + wait;
        pair.run_until(until);
        pair.event(A, Event::SyncRequested);
        pair.write(A, record(1, "after", 10));
        pair.drive();
        pair.assert_in_sync();
        assert_eq!(pair.tiers(), [Tier::Cursor; 2]);
    }
}

#[test]
fn a_push_that_ends_after_the_request_does_not_end_the_comparison() {
    for count in 4..16 {
        let mut pair = Pair::in_sync(10);
        pair.connect();
        pair.drive();
        pair.rate = 20;
        for at in 0..count {
            pair.write(A, record(1, &format!("push {at}"), 2000));
        }
        pair.event(A, Event::SyncRequested);
        pair.drive();
        pair.assert_in_sync();
        assert_eq!(pair.tiers(), [Tier::Cursor; 2], "{count}");
    }
}

#[test]
fn an_item_that_is_withdrawn_half_way_is_dropped() {
    let mut pair = Pair::in_sync(1);
    pair.rate = 8;
    pair.connect();
    pair.drive();
    let big = record(1, "big", 400_000);
    pair.write(A, big.clone());
    let until = pair.now + 5_000;
    pair.run_until(until);
    pair.ends[A].store.withdrawn.insert(id_of(&big));
    pair.write(A, record(1, "next", 900));
    pair.drive();
    assert!(!pair.ends[B].store.has(&big));
    assert!(pair.ends[B].store.has(&record(1, "next", 900)));
    pair.assert_in_sync();
}

#[test]
fn the_certificate_of_an_author_comes_before_the_item_and_once() {
    let mut pair = Pair::in_sync(1);
    let author = Identity::new(77).certificate;
    pair.ends[A]
        .store
        .certificates
        .insert(author.hash(), author.to_bytes());
    pair.ends[A].store.author = Some(author.hash());
    for at in 0..10 {
        pair.ends[A]
            .store
            .accept(record(1, &format!("of another {at}"), 100));
    }
    pair.connect();
    pair.drive();
    pair.assert_in_sync();
    assert_eq!(
        pair.ends[B].store.certificates.get(&author.hash()),
        Some(&author.to_bytes())
    );
    let bytes = author.to_bytes();
    let times = pair.ends[A]
        .sent
        .windows(bytes.len())
        .filter(|w| *w == bytes)
        .count();
    assert_eq!(times, 1);
}

#[test]
fn an_unknown_clinic_is_told_so_and_learns_nothing_more() {
    let mut pair = Pair::in_sync(5);
    let clinic = pair.ends[A].identity.clinic();
    pair.ends[B].store.known_clinics.clear();
    pair.ends[A]
        .store
        .accept(record(1, "not for strangers", 100));
    pair.connect();
    pair.drive();
    assert_eq!(pair.error(B), SyncError::UnknownClinic { clinic });
    assert_eq!(
        pair.ends[A].closed,
        Some(CloseReason::ByPeer(CloseCode::NotKnown))
    );
}

#[test]
fn whoever_is_not_let_in_is_not_in_sync_with_stores_that_share_nothing() {
    // Never met; and met once, before the clinic was removed.
    let mut met = Pair::new();
    met.connect();
    met.drive();
    met.cut();
    for mut pair in [Pair::new(), met] {
        let clinic = pair.ends[A].identity.clinic();
        pair.ends[B].store.known_clinics.clear();
        pair.connect();
        pair.drive();
        assert_eq!(pair.error(B), SyncError::UnknownClinic { clinic });
        let told = CloseReason::ByPeer(CloseCode::NotKnown);
        assert_eq!(pair.ends[A].closed, Some(told));
        for end in [A, B] {
            assert_eq!(pair.ends[end].reports, [], "{end} says that it is in sync");
        }
    }
}

#[test]
fn a_refused_item_ends_the_session_and_the_peer_gets_a_code() {
    let mut pair = Pair::in_sync(5);
    pair.ends[A].store.accept(record(1, "bad", 100));
    pair.ends[B].refuse = Some(Refusal::BadSignature);
    pair.connect();
    pair.drive();
    assert_eq!(pair.error(B), SyncError::Refused(Refusal::BadSignature));
    assert_eq!(
        pair.ends[A].closed,
        Some(CloseReason::ByPeer(CloseCode::ItemRefused))
    );
    assert!(!pair.ends[B].store.has(&record(1, "bad", 100)));
}

#[test]
fn an_idle_session_stays_alive_by_heartbeats() {
    let mut pair = Pair::in_sync(1);
    pair.connect();
    let until = pair.now + 3_600_000;
    pair.run_until(until);
    pair.assert_in_sync();
}

#[test]
fn what_is_written_because_the_stores_are_equal_goes_in_the_same_visit() {
    for writer in [A, B] {
        let mut pair = Pair::in_sync(3);
        pair.patience[A].heartbeat_ms = 0;
        pair.ends[A].store.accept(record(1, "from a", 5_000));
        pair.ends[writer].word = Some(record(2, "a word of it", 500));
        pair.connect();
        pair.drive();
        assert_eq!(pair.ends[A].closed, Some(CloseReason::VisitOver));
        if writer == A {
            pair.assert_equal();
        }
        assert_eq!(pair.ends[A].reports.len(), 1);
    }
}

#[test]
fn where_no_link_is_kept_the_session_ends_once_the_stores_are_equal() {
    for visitor in [A, B] {
        let mut pair = Pair::in_sync(3);
        pair.patience[visitor].heartbeat_ms = 0;
        pair.ends[A].store.accept(record(1, "from a", 5_000));
        pair.ends[B].store.accept(record(1, "from b", 5_000));
        for _ in 0..2 {
            pair.connect();
            pair.drive();
            pair.assert_equal();
            assert_eq!(pair.ends[A].closed, Some(CloseReason::VisitOver));
            let told = CloseReason::ByPeer(CloseCode::VisitOver);
            assert_eq!(pair.ends[B].closed, Some(told));
            assert!(pair.ends.iter().all(|end| end.reports.len() == 1));
            pair.cut();
        }
    }
}

#[test]
fn on_a_metered_link_a_day_of_silence_costs_few_heartbeats() {
    let mut pair = Pair::in_sync(3);
    pair.patience[B].heartbeat_ms = 240_000;
    pair.connect();
    let until = pair.now + 86_400_000;
    pair.run_until(until);
    pair.assert_in_sync();
    let sent: usize = pair.ends.iter().map(|end| end.sent.len()).sum();
    assert!(sent < 4_096, "{sent} bytes");
}

#[test]
fn a_silent_link_is_noticed_within_80_seconds() {
    let mut pair = Pair::in_sync(1);
    pair.connect();
    pair.drive();
    pair.latency_ms = 10_000_000;
    let start = pair.now;
    pair.run_until(start + 80_000);
    assert!(matches!(pair.error(A), SyncError::Stalled { .. }));
    assert!(matches!(pair.error(B), SyncError::Stalled { .. }));
}

#[test]
fn a_slow_store_does_not_stall_the_session() {
    let mut pair = Pair::new();
    pair.store_ms = 200_000;
    pair.ends[A].store.accept(record(1, "x", 100));
    pair.connect();
    let until = pair.now + 1_000_000;
    pair.run_until(until);
    pair.assert_in_sync();
}

#[test]
fn a_shutdown_ends_both_sides_without_an_error() {
    let mut pair = Pair::in_sync(1);
    pair.connect();
    pair.drive();
    pair.event(A, Event::Shutdown);
    pair.drive();
    assert_eq!(pair.ends[A].closed, Some(CloseReason::Finished));
    assert_eq!(
        pair.ends[B].closed,
        Some(CloseReason::ByPeer(CloseCode::Finished))
    );
}
