//! Peers that break the rules of the set tier: each ends with a typed error, or in ranges.

use super::pair::{A, B};
use super::victim::Victim;
use crate::reconcile::limits::{FLIGHT_LEAST, FLIGHT_MOST, MAX_ITEMS, MAX_SYMBOLS};
use crate::reconcile::sketch::first_flight;
use crate::reconcile::{Digest, FeedNumber, ItemKey, SharedDigests, SketchError};
use crate::sync::frame::Frame;
use crate::sync::hello::Check;
use crate::sync::payload::{FurtherFrame, RangesFrame, SymbolsFrame, WantedFrame, WantedKeys};
use crate::sync::{CloseCode, FrameType, Holdings, ItemKind, SyncError};

const RECORDS: usize = 200;

fn symbols(items: u64, first: u32, count: usize) -> Frame {
    Frame::Symbols(SymbolsFrame {
        kind: ItemKind::Record,
        items,
        first,
        bytes: vec![0; 13 * count],
    })
}

fn further(upto: Option<u32>) -> Frame {
    let kind = ItemKind::Record;
    Frame::Further(FurtherFrame { kind, upto })
}

fn wanted(keys: &[u64], last: bool) -> Frame {
    Frame::Wanted(WantedFrame {
        kind: ItemKind::Record,
        last,
        keys: WantedKeys(keys.iter().map(|key| ItemKey::new(*key)).collect()),
    })
}

fn no_ranges() -> Frame {
    Frame::Ranges(RangesFrame {
        kind: ItemKind::Record,
        last: true,
        ranges: Vec::new(),
    })
}

fn assert_unexpected(error: Option<SyncError>, frame_type: FrameType) {
    match error {
        Some(SyncError::Unexpected { frame, .. }) => assert_eq!(frame, frame_type),
        other => panic!("{frame_type}: {other:?}"),
    }
}

fn assert_sketch(victim: &Victim, error: Option<SyncError>, expected: SketchError) {
    assert_eq!(error, Some(SyncError::Sketch(expected)));
    assert_eq!(victim.code(), CloseCode::Malformed);
}

/// The first index that the first flight does not have.
fn first() -> u32 {
    let records = RECORDS as u64;
    number(first_flight(records, records).unwrap())
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap()
}

#[test]
fn frames_of_the_other_side_and_of_the_other_kind_are_refused() {
    let error = Victim::sketching(B, RECORDS).say(symbols(200, 0, 1));
    assert_unexpected(error, FrameType::Symbols);
    let error = Victim::sketching(A, RECORDS).say(further(Some(300)));
    assert_unexpected(error, FrameType::Further);
    let error = Victim::sketching(A, RECORDS).say(wanted(&[], true));
    assert_unexpected(error, FrameType::Wanted);
    let of_statements = Frame::Further(FurtherFrame {
        kind: ItemKind::Statement,
        upto: None,
    });
    let error = Victim::sketching(B, RECORDS).say(of_statements);
    assert_unexpected(error, FrameType::Further);
}

#[test]
fn frames_of_a_comparison_are_refused_when_nothing_is_compared() {
    for frame in [symbols(1, 0, 1), further(None), wanted(&[], true)] {
        let frame_type = frame.frame_type();
        assert_unexpected(Victim::live().say(frame.clone()), frame_type);
        assert_unexpected(Victim::exchanging(3).say(frame.clone()), frame_type);
        assert_unexpected(Victim::comparing(3).say(frame.clone()), frame_type);
        assert_unexpected(Victim::new(3).say(frame), frame_type);
    }
}

#[test]
fn symbols_with_impossible_counts_or_no_symbols_at_all_are_refused() {
    let cases = [
        (symbols(MAX_ITEMS + 1, 0, 1), SketchError::Count),
        (symbols(u64::MAX, 0, 1), SketchError::Count),
        (symbols(200, 1, 1), SketchError::Order),
        (symbols(200, u32::MAX, 1), SketchError::Order),
        (symbols(200, 0, 0), SketchError::Order),
        (symbols(200, 0, 101), SketchError::Order),
    ];
    for (frame, expected) in cases {
        let mut victim = Victim::sketching(A, RECORDS);
        let error = victim.say(frame);
        assert_sketch(&victim, error, expected);
    }
    let mut victim = Victim::sketching(A, RECORDS);
    let error = victim.say(Frame::Symbols(SymbolsFrame {
        kind: ItemKind::Record,
        items: 200,
        first: 0,
        bytes: vec![0; 12],
    }));
    assert_sketch(&victim, error, SketchError::Malformed);
}

#[test]
fn a_set_that_changes_its_size_within_a_comparison_is_refused() {
    let mut victim = Victim::sketching(A, RECORDS);
    victim.ok(symbols(200, 0, 2));
    let error = victim.say(symbols(201, 2, 2));
    assert_sketch(&victim, error, SketchError::Order);
}

#[test]
fn symbols_that_never_decode_end_in_ranges_and_these_end_too() {
    let mut victim = Victim::sketching(A, RECORDS);
    let mut sent = 0;
    loop {
        let upto = match victim.frames().last() {
            Some(Frame::Further(further)) => further.upto,
            Some(Frame::Ranges(_)) => None,
            _ => Some(first()),
        };
        let Some(upto) = upto else { break };
        while sent < upto {
            let count = (upto - sent).min(200);
            victim.ok(symbols(200, sent, count as usize));
            sent += count;
        }
        assert!(sent <= number(MAX_SYMBOLS));
    }
    let given_up = victim
        .frames()
        .into_iter()
        .any(|frame| frame == further(None));
    assert!(given_up);
    assert_unexpected(victim.say(symbols(200, sent, 1)), FrameType::Symbols);
}

#[test]
fn endless_wishes_for_more_symbols_are_ended() {
    let mut victim = Victim::sketching(B, RECORDS);
    let mut upto = first();
    let error = loop {
        upto += number(FLIGHT_LEAST);
        if let Some(error) = victim.say(further(Some(upto))) {
            break error;
        }
        victim.all.clear();
    };
    assert!(
        matches!(error, SyncError::Sketch(SketchError::Flight { .. })),
        "{error:?}"
    );
    assert!(upto as usize > MAX_SYMBOLS);
}

#[test]
fn wishes_for_too_few_or_too_many_symbols_are_refused() {
    for upto in [
        0,
        1,
        first(),
        first() + 1,
        first() + number(FLIGHT_MOST) + 1,
        u32::MAX,
    ] {
        let mut victim = Victim::sketching(B, RECORDS);
        let error = victim.say(further(Some(upto)));
        let refused = matches!(error, Some(SyncError::Sketch(SketchError::Flight { .. })));
        assert!(refused, "{error:?}");
        assert_eq!(victim.code(), CloseCode::Malformed);
    }
}

#[test]
fn wanting_what_was_not_offered_is_refused() {
    for keys in [&[5][..], &[0, u64::MAX]] {
        let mut victim = Victim::sketching(B, RECORDS);
        let error = victim.say(wanted(keys, false));
        assert_sketch(&victim, error, SketchError::NotOffered);
    }
}

#[test]
fn a_list_of_wishes_that_is_out_of_order_or_too_long_is_no_frame() {
    for keys in [vec![3, 2], vec![3, 3], (0..501).collect()] {
        let error = Victim::sketching(B, RECORDS).say(wanted(&keys, true));
        assert!(matches!(error, Some(SyncError::Frame(_))), "{error:?}");
    }
}

#[test]
fn a_peer_that_wants_nothing_and_differs_after_every_tier_ends_in_a_mismatch() {
    let mut victim = Victim::sketching(B, RECORDS);
    let sent = Frame::Sent(FeedNumber::new(5));
    let theirs = SharedDigests {
        statements: victim.pair.ends[B].store.digests().statements,
        records: Digest::from_parts([9; 16], 7),
    };
    let digest = Frame::Digest(Check {
        newest: FeedNumber::new(5),
        items: 0,
        more: false,
        digests: theirs,
    });
    victim.ok(wanted(&[], true));
    victim.ok(sent.clone());
    victim.ok(digest.clone());
    assert_eq!(victim.session.standpoint().phase, "comparing records");
    victim.ok(no_ranges());
    victim.ok(sent);
    let ours = victim.pair.ends[B].store.digests();
    let error = victim.say(digest);
    assert_eq!(error, Some(SyncError::DigestMismatch { ours, theirs }));
    assert_eq!(victim.code(), CloseCode::Mismatch);
}

#[test]
fn a_peer_that_gives_up_at_once_gets_ranges() {
    let mut victim = Victim::sketching(B, RECORDS);
    victim.ok(further(None));
    assert_unexpected(victim.say(further(None)), FrameType::Further);
    let mut victim = Victim::sketching(B, RECORDS);
    victim.ok(further(None));
    victim.ok(no_ranges());
    assert_unexpected(victim.say(no_ranges()), FrameType::Ranges);
}

#[test]
fn items_are_only_sent_to_who_wants_them() {
    let mut victim = Victim::sketching(B, RECORDS);
    victim.ok(wanted(&[], true));
    let mut frames = victim.frames().into_iter();
    assert!(!frames.any(|frame| frame.frame_type() == FrameType::Item));
}
