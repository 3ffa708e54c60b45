//! Peers that break the rules: each ends with a typed error and a code, none with a panic.

use super::pair::{A, B};
use super::store::Identity;
use super::victim::Victim;
use crate::codec::CodecError;
use crate::identity::{ClinicKey, NodeKey, SignedError};
use crate::reconcile::{
    Claim, Digest, FeedNumber, ItemKey, KeyPrefix, Range, RangeError, SharedDigests,
    StoreIncarnation,
};
use crate::sync::frame::Frame;
use crate::sync::hello::{Check, Hello};
use crate::sync::limits::{FRAGMENT_BYTES, MAX_PAYLOAD_BYTES, UNSTORED_MOST_BYTES};
use crate::sync::payload::{AckFrame, ItemFrame, MoreFrame, RangesFrame};
use crate::sync::{
    CloseCode, CloseReason, Effect, Event, FrameError, FrameType, Holdings, ItemKind, Lane,
    SyncError,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

fn fragment(size: u64, bytes: usize) -> Frame {
    Frame::Item(ItemFrame {
        lane: Lane::Recent,
        kind: ItemKind::Record,
        size,
        bytes: vec![1; bytes],
    })
}

fn check_frame() -> Frame {
    Frame::Digest(Check {
        newest: FeedNumber::new(1),
        items: 0,
        more: false,
        digests: SharedDigests::default(),
    })
}

fn ranges_frame(ranges: Vec<Range>) -> Frame {
    Frame::Ranges(RangesFrame {
        kind: ItemKind::Record,
        last: true,
        ranges,
    })
}

fn all_frames(victim: &Victim) -> Vec<Frame> {
    vec![
        Frame::Hello(victim.hello()),
        Frame::Certificate(vec![1, 2, 3]),
        Frame::Settled,
        Frame::Sent(FeedNumber::new(1)),
        Frame::Ack(AckFrame { items: 1, bytes: 1 }),
        check_frame(),
        Frame::Refresh(victim.hello().standing),
        ranges_frame(vec![]),
        fragment(3, 3),
        Frame::More(MoreFrame {
            lane: Lane::Recent,
            bytes: vec![1],
        }),
        Frame::Drop(Lane::Recent),
        Frame::Ping,
        Frame::Pong,
    ]
}

fn assert_unexpected(error: Option<SyncError>, frame_type: FrameType) {
    match error {
        Some(SyncError::Unexpected { frame, .. }) => assert_eq!(frame, frame_type),
        other => panic!("{frame_type}: {other:?}"),
    }
}

#[test]
fn before_hello_nothing_else_is_taken() {
    for frame in all_frames(&Victim::new(1)) {
        let frame_type = frame.frame_type();
        if frame_type == FrameType::Hello {
            continue;
        }
        let mut victim = Victim::new(1);
        assert_unexpected(victim.say(frame), frame_type);
        assert_eq!(victim.code(), CloseCode::Unexpected);
    }
}

#[test]
fn before_the_certificate_nothing_else_is_taken() {
    for frame in all_frames(&Victim::new(1)) {
        let frame_type = frame.frame_type();
        if matches!(frame_type, FrameType::Certificate | FrameType::Ping) {
            continue;
        }
        let mut victim = Victim::new(1);
        let hello = victim.hello();
        victim.ok(Frame::Hello(hello));
        assert_unexpected(victim.say(frame), frame_type);
    }
}

#[test]
fn a_second_hello_is_refused_in_every_phase() {
    for mut victim in [Victim::settling(), Victim::exchanging(1), Victim::live()] {
        let hello = victim.hello();
        assert_unexpected(victim.say(Frame::Hello(hello)), FrameType::Hello);
    }
}

#[test]
fn frames_of_an_exchange_are_refused_when_nothing_is_exchanged() {
    for frame in [
        Frame::Settled,
        check_frame(),
        ranges_frame(vec![]),
        Frame::Pong,
    ] {
        let frame_type = frame.frame_type();
        assert_unexpected(Victim::live().say(frame), frame_type);
    }
}

#[test]
fn marks_out_of_order_are_refused() {
    let mut victim = Victim::settling();
    assert_unexpected(victim.say(Frame::Sent(FeedNumber::new(1))), FrameType::Sent);
    let mut victim = Victim::settling();
    victim.ok(Frame::Settled);
    assert_unexpected(victim.say(Frame::Settled), FrameType::Settled);
    let mut victim = Victim::exchanging(1);
    assert_unexpected(victim.say(Frame::Settled), FrameType::Settled);
    let mut victim = Victim::exchanging(1);
    assert_unexpected(victim.say(check_frame()), FrameType::Digest);
    let mut victim = Victim::exchanging(1);
    victim.ok(Frame::Sent(FeedNumber::new(1)));
    assert_unexpected(victim.say(Frame::Sent(FeedNumber::new(1))), FrameType::Sent);
    let mut victim = Victim::exchanging(1);
    assert_unexpected(victim.say(ranges_frame(vec![])), FrameType::Ranges);
    let mut victim = Victim::exchanging(1);
    let standing = victim.hello().standing;
    assert_unexpected(victim.say(Frame::Refresh(standing)), FrameType::Refresh);
}

#[test]
fn a_frame_too_long_is_refused_before_its_payload_comes() {
    let mut victim = Victim::live();
    let bytes = MAX_PAYLOAD_BYTES + 1;
    let length = u16::try_from(bytes).unwrap().to_be_bytes();
    let error = victim.bytes(&[length[0], length[1], 9]);
    assert_eq!(error, Some(SyncError::Frame(FrameError::TooLong { bytes })));
    assert_eq!(victim.code(), CloseCode::TooLarge);
}

#[test]
fn an_unknown_type_is_refused() {
    let mut victim = Victim::live();
    let error = victim.bytes(&[0, 0, 99]);
    assert_eq!(
        error,
        Some(SyncError::Frame(FrameError::UnknownType { byte: 99 }))
    );
    assert_eq!(victim.code(), CloseCode::Unsupported);
}

#[test]
fn an_unknown_version_is_refused() {
    let mut victim = Victim::new(1);
    let mut bytes = Vec::new();
    Frame::Hello(victim.hello()).write(&mut bytes);
    bytes[3] = 2;
    let error = victim.bytes(&bytes);
    let expected = CodecError::UnknownVersion { found: 2, known: 1 };
    assert_eq!(
        error,
        Some(SyncError::Frame(FrameError::Payload {
            frame: FrameType::Hello,
            error: expected
        }))
    );
    assert_eq!(victim.code(), CloseCode::Unsupported);
}

#[test]
fn a_truncated_frame_is_waited_for_and_then_stalls() {
    let mut victim = Victim::new(1);
    let mut bytes = Vec::new();
    Frame::Hello(victim.hello()).write(&mut bytes);
    assert_eq!(victim.bytes(&bytes[..20]), None);
    victim.now += 59_999;
    assert_eq!(victim.event(Event::Tick), None);
    victim.now += 1;
    assert!(matches!(
        victim.event(Event::Tick),
        Some(SyncError::Stalled { .. })
    ));
    assert_eq!(victim.code(), CloseCode::Stalled);
}

#[test]
fn heartbeats_do_not_excuse_a_peer_that_never_goes_on() {
    let mut victim = Victim::exchanging(1);
    for _ in 0..700 {
        victim.now += 1_000;
        victim.say(Frame::Ping);
        if let Some(error) = victim.event(Event::Tick) {
            assert!(matches!(error, SyncError::Stalled { .. }));
            return;
        }
    }
    panic!("it waits forever");
}

#[test]
fn a_forged_certificate_is_refused() {
    let mut victim = Victim::new(1);
    let hello = victim.hello();
    victim.ok(Frame::Hello(hello));
    let mut bytes = victim.pair.ends[A].identity.certificate.to_bytes();
    *bytes.last_mut().unwrap() ^= 1;
    let error = victim.say(Frame::Certificate(bytes));
    assert!(
        matches!(
            error,
            Some(SyncError::Certificate(SignedError::Signature(_)))
        ),
        "{error:?}"
    );
    assert_eq!(victim.code(), CloseCode::BadCertificate);
}

#[test]
fn another_certificate_than_the_announced_one_is_refused() {
    let mut victim = Victim::new(1);
    let hello = victim.hello();
    victim.ok(Frame::Hello(hello));
    let other = Identity::new(50).certificate.to_bytes();
    assert_eq!(
        victim.say(Frame::Certificate(other)),
        Some(SyncError::OtherCertificate)
    );
}

#[test]
fn a_certificate_of_another_node_is_refused() {
    let mut rng = ChaCha20Rng::seed_from_u64(60);
    let (clinic, node) = (ClinicKey::generate(&mut rng), NodeKey::generate(&mut rng));
    let stolen = Identity::certified(node, &clinic, 60).certificate;
    let mut victim = Victim::new(1);
    victim.pair.ends[B].store.known_clinics.insert(clinic.id());
    let hello = Hello {
        certificate: stolen.hash(),
        ..victim.hello()
    };
    victim.ok(Frame::Hello(hello));
    let error = victim.say(Frame::Certificate(stolen.to_bytes()));
    assert!(
        matches!(error, Some(SyncError::OtherNode { .. })),
        "{error:?}"
    );
    assert_eq!(victim.code(), CloseCode::BadCertificate);
    assert!(
        !victim
            .all
            .iter()
            .any(|effect| matches!(effect, Effect::PeerIdentified(_)))
    );
}

#[test]
fn acknowledging_what_was_not_sent_is_refused() {
    for (items, bytes) in [(0, 0), (0, 10_000_000), (900, 0), (u64::MAX, u64::MAX)] {
        let mut victim = Victim::exchanging(3);
        let error = victim.say(Frame::Ack(AckFrame { items, bytes }));
        assert!(
            matches!(error, Some(SyncError::ImpossibleAck { .. })),
            "{items} {bytes}"
        );
        assert_eq!(victim.code(), CloseCode::Unexpected);
    }
}

#[test]
fn taking_an_acknowledgement_back_is_refused() {
    let mut victim = Victim::exchanging(3);
    victim.ok(Frame::Ack(AckFrame {
        items: 2,
        bytes: 1_500,
    }));
    let error = victim.say(Frame::Ack(AckFrame {
        items: 1,
        bytes: 1_500,
    }));
    assert!(matches!(error, Some(SyncError::ImpossibleAck { .. })));
}

#[test]
fn fragments_that_do_not_fit_are_refused() {
    let more = |bytes: usize| {
        Frame::More(MoreFrame {
            lane: Lane::Recent,
            bytes: vec![1; bytes],
        })
    };
    let scripts: [Vec<Frame>; 7] = [
        vec![more(3)],
        vec![fragment(0, 0)],
        vec![fragment(3, 4)],
        vec![fragment(9, 4), fragment(9, 4)],
        vec![fragment(9, 4), more(6)],
        vec![fragment(9, 4), more(0)],
        vec![Frame::Drop(Lane::Urgent)],
    ];
    for mut script in scripts {
        let mut victim = Victim::exchanging(1);
        let last = script.pop().unwrap();
        for frame in script {
            victim.ok(frame);
        }
        assert_eq!(victim.say(last), Some(SyncError::Fragments));
    }
}

#[test]
fn an_item_too_large_is_refused_when_it_is_announced() {
    for size in [5_000_000, u64::MAX] {
        let mut victim = Victim::live();
        let error = victim.say(fragment(size, 10));
        let kind = ItemKind::Record;
        assert_eq!(error, Some(SyncError::ItemTooLarge { kind, bytes: size }));
        assert_eq!(victim.code(), CloseCode::TooLarge);
    }
}

#[test]
fn a_flood_of_items_is_refused() {
    let mut victim = Victim::live();
    for _ in 0..(2 * UNSTORED_MOST_BYTES / FRAGMENT_BYTES) {
        let error = victim.say(fragment(FRAGMENT_BYTES as u64, FRAGMENT_BYTES));
        victim.all.clear();
        if let Some(error) = error {
            assert!(matches!(error, SyncError::Flooded { .. }), "{error:?}");
            return;
        }
    }
    panic!("everything was taken");
}

#[test]
fn a_wrong_count_of_items_is_refused() {
    let mut victim = Victim::exchanging(0);
    victim.ok(Frame::Sent(FeedNumber::new(5)));
    let error = victim.say(Frame::Digest(Check {
        newest: FeedNumber::new(5),
        items: 4,
        more: true,
        digests: SharedDigests::default(),
    }));
    assert_eq!(
        error,
        Some(SyncError::Miscounted {
            claimed: 4,
            arrived: 0
        })
    );
}

#[test]
fn a_peer_that_always_has_more_and_sends_nothing_is_ended() {
    let mut victim = Victim::exchanging(0);
    for _ in 0..100 {
        victim.ok(Frame::Sent(FeedNumber::new(5)));
        let mut digests = victim.pair.ends[B].store.digests();
        digests.records = Digest::from_parts([9; 16], 1);
        let check = Check {
            newest: FeedNumber::new(5),
            items: 0,
            more: true,
            digests,
        };
        victim.ok(Frame::Digest(check));
        let mut error = None;
        while error.is_none() && victim.session.standpoint().phase == "comparing records" {
            victim.ok(ranges_frame(vec![]));
            victim.ok(Frame::Sent(FeedNumber::new(5)));
            error = victim.say(Frame::Digest(check));
        }
        if let Some(error) = error {
            assert!(
                matches!(error, SyncError::DigestMismatch { .. }),
                "{error:?}"
            );
            assert_eq!(victim.code(), CloseCode::Mismatch);
            return;
        }
    }
    panic!("it does not end");
}

#[test]
fn ranges_that_never_end_are_ended() {
    let mut victim = Victim::comparing(100);
    let question = Range {
        prefix: KeyPrefix::ALL,
        claim: Claim::Sum(Digest::from_parts([9; 16], 50)),
    };
    let ends = (0..100).find_map(|_| victim.say(ranges_frame(vec![question.clone()])));
    assert_eq!(ends, Some(SyncError::Ranges(RangeError::Endless)));
    assert_eq!(victim.code(), CloseCode::Malformed);
}

#[test]
fn ranges_against_the_rules_are_refused() {
    let want = Range {
        prefix: KeyPrefix::ALL,
        claim: Claim::Want(vec![ItemKey::new(77)]),
    };
    let error = Victim::comparing(3).say(ranges_frame(vec![want]));
    assert_eq!(error, Some(SyncError::Ranges(RangeError::NotOffered)));
    let wrong = RangesFrame {
        kind: ItemKind::Statement,
        last: true,
        ranges: vec![],
    };
    let error = Victim::comparing(3).say(Frame::Ranges(wrong));
    assert_unexpected(error, FrameType::Ranges);
}

#[test]
fn a_store_that_changes_under_the_session_is_refused() {
    let mut victim = Victim::live();
    let mut standing = victim.hello().standing;
    standing.incarnation = StoreIncarnation::new(12);
    assert_eq!(
        victim.say(Frame::Refresh(standing)),
        Some(SyncError::FeedChanged)
    );
}

#[test]
fn the_drivers_own_mistakes_are_faults_and_not_the_peers() {
    let mut victim = Victim::live();
    let error = victim.event(Event::Stored { items: 1 });
    assert_eq!(
        error,
        Some(SyncError::StoredTooMany {
            stored: 1,
            delivered: 0
        })
    );
    assert_eq!(victim.code(), CloseCode::Fault);
    assert_eq!(
        Victim::live().event(Event::Opened),
        Some(SyncError::OpenedTwice)
    );
}

#[test]
fn a_closed_session_does_nothing_more() {
    let mut victim = Victim::live();
    assert_eq!(victim.say(Frame::Close(CloseCode::Finished)), None);
    victim.all.clear();
    for event in [
        Event::NewItems,
        Event::Tick,
        Event::Shutdown,
        Event::Stored { items: 9 },
    ] {
        assert_eq!(victim.event(event), None);
    }
    assert_eq!(victim.say(fragment(3, 3)), None);
    assert_eq!(victim.all, []);
}

#[test]
fn what_comes_behind_a_close_in_one_piece_is_ignored() {
    let mut victim = Victim::live();
    let mut bytes = Vec::new();
    Frame::Close(CloseCode::Finished).write(&mut bytes);
    fragment(3, 3).write(&mut bytes);
    bytes.extend_from_slice(&[0xff; 9]);
    victim.all.clear();
    assert_eq!(victim.bytes(&bytes), None);
    let reason = CloseReason::ByPeer(CloseCode::Finished);
    assert_eq!(victim.all, [Effect::Close(reason)]);
}

#[test]
fn an_item_after_hello_is_delivered_only_when_the_peer_is_known() {
    let mut victim = Victim::new(1);
    let mut bytes = Vec::new();
    Frame::Hello(victim.hello()).write(&mut bytes);
    fragment(3, 3).write(&mut bytes);
    assert_unexpected(victim.bytes(&bytes), FrameType::Item);
    assert!(
        !victim
            .all
            .iter()
            .any(|effect| matches!(effect, Effect::Deliver { .. }))
    );
}
