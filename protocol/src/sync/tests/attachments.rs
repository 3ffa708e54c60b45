//! Attachments in sessions: last of all, piece by piece, and only what was asked for.

use super::pair::{A, B, Pair};
use super::shelf::attachment;
use super::store::{id_of, record, statement};
use super::victim::Victim;
use crate::attachment::{AttachmentName, Shape};
use crate::sync::frame::Frame;
use crate::sync::hello::KNOWS_ATTACHMENTS;
use crate::sync::limits::WANTED_MOST_PIECES;
use crate::sync::payload::{LackFrame, PieceFrame, Span, WantFrame};
use crate::sync::{CloseCode, Effect, Event, Patience, Refusal, SyncError};

const MEGABYTE: usize = 1_000_000;

/// A has an attachment that B wants.
fn offered(pair: &mut Pair, length: usize) -> AttachmentName {
    let (name, shape) = pair.ends[A].store.shelf.keep(length);
    pair.ends[B].store.shelf.want(name, shape);
    name
}

/// When an item was delivered at an end.
fn arrival(pair: &Pair, end: usize, bytes: &[u8]) -> u64 {
    let mut delivered = pair.ends[end].delivered.iter();
    let found = delivered.find(|(_, id)| *id == id_of(bytes));
    found.expect("delivered").0
}

/// The bytes of pieces that came to B and were kept.
fn here(pair: &Pair, name: &AttachmentName) -> usize {
    pair.ends[B].store.shelf.here(name)
}

#[test]
fn what_is_wanted_comes_once_the_records_are_there() {
    for length in [1, 20_000, 10 * MEGABYTE] {
        let mut pair = Pair::in_sync(3);
        let name = offered(&mut pair, length);
        pair.connect();
        pair.drive();
        pair.assert_in_sync();
        assert!(pair.ends[B].store.shelf.is_whole(&name));
        let sent = pair.ends[A].sent.len();
        assert!(sent < length * 102 / 100 + 2_000, "{sent} for {length}");
        let status = pair.ends[B].session.as_ref().unwrap().standpoint();
        let pieces = u64::from(Shape::new(length as u64).unwrap().pieces());
        assert_eq!(status.traffic.pieces_received, pieces);
    }
}

#[test]
fn a_visit_note_and_a_revocation_pass_an_attachment_of_50_mb() {
    for after in [700, 3_000, 20_000, 61_003] {
        let mut pair = Pair::in_sync(1);
        (pair.rate, pair.latency_ms) = (8, 300);
        let name = offered(&mut pair, 50 * MEGABYTE);
        pair.connect();
        let until = pair.now + 3_000 + after;
        pair.run_until(until);
        assert!(!pair.ends[B].store.shelf.is_whole(&name));
        for bytes in [statement(1, "revoked"), record(1, "a visit note", 900)] {
            pair.write(A, bytes.clone());
            let written = pair.now;
            pair.run_until(written + 10_000);
            let took = arrival(&pair, B, &bytes) - written;
            assert!(took <= 2_000 + 600, "{took} ms after {after}");
        }
        // And the other way, beside the acknowledgements.
        let back = statement(1, "an answer");
        pair.write(B, back.clone());
        let written = pair.now;
        pair.run_until(written + 10_000);
        let took = arrival(&pair, A, &back) - written;
        assert!(took <= 1_000, "{took} ms");
        assert!(here(&pair, &name) > 0 && !pair.ends[B].store.shelf.is_whole(&name));
    }
}

#[test]
fn an_attachment_keeps_a_slow_link_busy() {
    let mut pair = Pair::in_sync(1);
    (pair.rate, pair.latency_ms) = (8, 300);
    let name = offered(&mut pair, MEGABYTE);
    pair.connect();
    let start = pair.now;
    pair.drive();
    assert!(pair.ends[B].store.shelf.is_whole(&name));
    let took = pair.now - start;
    assert!(took < MEGABYTE as u64 / 8 * 110 / 100 + 5_000, "{took} ms");
    assert!(pair.ends[B].most_under_way <= 16 * 1024);
}

#[test]
fn stores_are_compared_while_an_attachment_is_on_its_way() {
    let mut pair = Pair::in_sync(1);
    (pair.rate, pair.latency_ms) = (8, 300);
    let name = offered(&mut pair, 10 * MEGABYTE);
    pair.connect();
    let until = pair.now + 30_000;
    pair.run_until(until);
    let before = pair.ends[A].reports.len();
    pair.event(A, Event::SyncRequested);
    let until = pair.now + 4_000;
    pair.run_until(until);
    assert_eq!(pair.ends[A].reports.len(), before + 1);
    let so_far = here(&pair, &name);
    let until = pair.now + 10_000;
    pair.run_until(until);
    assert!(here(&pair, &name) > so_far);
}

#[test]
fn after_a_cut_it_goes_on_at_the_piece() {
    let mut pair = Pair::in_sync(1);
    pair.rate = 8;
    let name = offered(&mut pair, MEGABYTE);
    let (mut total, mut cuts) = (0, 0);
    while !pair.ends[B].store.shelf.is_whole(&name) {
        pair.connect();
        let until = pair.now + 20_000;
        pair.run_until(until);
        total += pair.ends[A].sent.len();
        pair.cut();
        cuts += 1;
        assert!(cuts < 20);
    }
    assert!(cuts > 5, "{cuts}");
    // A piece that was cut through is sent again, and what was on its way.
    assert!(
        total < MEGABYTE + cuts * 40_000,
        "{total} bytes, {cuts} cuts"
    );
}

#[test]
fn what_is_not_to_be_had_is_said_so_and_asked_for_once() {
    let mut pair = Pair::in_sync(1);
    let (name, shape, _) = attachment(100_000);
    pair.ends[B].store.shelf.want(name, shape);
    pair.connect();
    pair.drive();
    pair.assert_in_sync();
    assert_eq!(here(&pair, &name), 0);
    let said = pair.ends[B].sent.len();
    pair.write(A, record(1, "news", 100));
    pair.drive();
    assert!(pair.ends[B].sent.len() < said + 100, "it asks again");
    // The next session asks anew, and now it is there.
    pair.ends[A].store.shelf.keep(100_000);
    pair.cut();
    pair.connect();
    pair.drive();
    assert!(pair.ends[B].store.shelf.is_whole(&name));
}

#[test]
fn after_a_revocation_no_further_piece_is_sent() {
    let mut pair = Pair::in_sync(1);
    (pair.rate, pair.latency_ms) = (8, 300);
    let name = offered(&mut pair, MEGABYTE);
    pair.connect();
    let until = pair.now + 30_000;
    pair.run_until(until);
    pair.ends[A].store.shelf.withdrawn.insert(name);
    pair.write(A, statement(1, "revoked"));
    let sent = pair.ends[A].sent.len();
    pair.drive();
    pair.assert_in_sync();
    let more = pair.ends[A].sent.len() - sent;
    assert!(more < 2_000, "{more} bytes were sent");
    assert!(!pair.ends[B].store.shelf.is_whole(&name));
}

#[test]
fn a_visit_ends_when_nothing_more_is_wanted_by_either() {
    for wants in [A, B] {
        let mut pair = Pair::in_sync(1);
        let visits = Patience {
            heartbeat_ms: 0,
            ..Patience::default()
        };
        pair.patience = [visits; 2];
        let (name, shape) = pair.ends[1 - wants].store.shelf.keep(3 * MEGABYTE);
        pair.ends[wants].store.shelf.want(name, shape);
        pair.connect();
        pair.drive();
        assert!(pair.ends[wants].store.shelf.is_whole(&name));
        assert!(pair.ends.iter().all(|end| end.closed.is_some()));
        // With nothing wanted it costs half a round trip at most.
        pair.cut();
        pair.connect();
        let start = pair.now;
        pair.drive();
        assert!(pair.now - start <= 4 * pair.latency_ms);
        assert!(pair.ends.iter().all(|end| end.closed.is_some()));
    }
}

#[test]
fn an_older_peer_is_asked_for_nothing() {
    let mut victim = Victim::live();
    assert!(
        !victim
            .frames()
            .iter()
            .any(|it| matches!(it, Frame::Want(_)))
    );
    victim.pair.ends[B].store.shelf.keep(10);
    assert_eq!(victim.event(Event::NewItems), None);
    assert!(
        !victim
            .frames()
            .iter()
            .any(|it| matches!(it, Frame::Want(_)))
    );
}

/// A victim that has asked for the root of an attachment, with the number of its want.
fn asking() -> (Victim, u32, Vec<u8>) {
    let mut victim = Victim::new(2);
    let (name, shape, pieces) = attachment(100_000);
    victim.pair.ends[B].store.shelf.want(name, shape);
    let mut hello = victim.hello();
    hello.standing.digests = victim.digests();
    hello.knows = Some(KNOWS_ATTACHMENTS);
    victim.greet(hello);
    let frames = victim.frames().into_iter();
    let mut wants = frames.filter_map(|frame| {
        if let Frame::Want(want) = frame {
            Some(want)
        } else {
            None
        }
    });
    let want = wants.next().expect("it asks");
    assert_eq!(want.name, name);
    assert_eq!(want.pieces, [Span { first: 0, count: 1 }]);
    (victim, want.number, pieces[&0].clone())
}

fn piece(number: u32, piece: u32, size: u32, bytes: &[u8]) -> Frame {
    Frame::Piece(PieceFrame {
        number,
        piece,
        size,
        bytes: bytes.to_vec(),
    })
}

fn lack(number: u32, first: u32) -> Frame {
    let pieces = vec![Span { first, count: 1 }];
    Frame::Lack(LackFrame { number, pieces })
}

#[test]
fn pieces_that_were_not_asked_for_or_do_not_fit_end_the_session() {
    let unasked = |piece| Some(SyncError::UnaskedPiece { piece });
    let (mut victim, number, root) = asking();
    let size = u32::try_from(root.len()).unwrap();
    assert_eq!(victim.say(piece(number, 1, size, &root)), unasked(1));
    assert_eq!(victim.code(), CloseCode::Unexpected);
    let (mut victim, number, _) = asking();
    assert_eq!(victim.say(piece(number + 1, 0, size, &root)), unasked(0));
    let (mut victim, number, _) = asking();
    assert_eq!(victim.say(lack(number, 7)), unasked(7));
    let (mut victim, ..) = asking();
    assert_eq!(victim.say(Frame::Rest(vec![1])), Some(SyncError::Fragments));
    for (size, bytes) in [
        (size + 1, root.clone()),
        (size - 1, root[1..].to_vec()),
        (size, Vec::new()),
        (size, [root.as_slice(), &[0]].concat()),
    ] {
        let (mut victim, number, _) = asking();
        let said = victim.say(piece(number, 0, size, &bytes));
        assert_eq!(said, Some(SyncError::Fragments));
    }
    // Twice, and more of it than there is.
    let (mut victim, number, _) = asking();
    victim.ok(piece(number, 0, size, &root));
    assert_eq!(victim.say(piece(number, 0, size, &root)), unasked(0));
    let (mut victim, number, _) = asking();
    victim.ok(piece(number, 0, size, &root[..10]));
    assert_eq!(
        victim.say(piece(number, 0, size, &root)),
        Some(SyncError::Fragments)
    );
    let (mut victim, number, _) = asking();
    victim.ok(piece(number, 0, size, &root[..10]));
    assert_eq!(victim.say(Frame::Rest(root)), Some(SyncError::Fragments));
}

#[test]
fn a_piece_that_is_altered_is_refused_by_the_node() {
    let (mut victim, number, mut root) = asking();
    root[3] ^= 1;
    let size = u32::try_from(root.len()).unwrap();
    victim.ok(piece(number, 0, size, &root));
    let given = victim
        .all
        .iter()
        .any(|it| matches!(it, Effect::Piece { .. }));
    assert!(given);
    let said = victim.event(Event::Refused(Refusal::BadPiece));
    assert_eq!(said, Some(SyncError::Refused(Refusal::BadPiece)));
    assert_eq!(victim.code(), CloseCode::ItemRefused);
}

#[test]
fn a_piece_that_is_withdrawn_on_its_way_is_forgotten() {
    let (mut victim, number, root) = asking();
    let size = u32::try_from(root.len()).unwrap();
    victim.ok(piece(number, 0, size, &root[..10]));
    victim.ok(lack(number, 0));
    assert_eq!(victim.say(Frame::Rest(root)), Some(SyncError::Fragments));
}

#[test]
fn wants_that_no_honest_peer_has_end_the_session() {
    let (name, shape, _) = attachment(100_000);
    let want = |length, first, count| {
        Frame::Want(WantFrame {
            number: 1,
            name,
            length,
            pieces: vec![Span { first, count }],
        })
    };
    let impossible = Some(SyncError::ImpossibleWant);
    for frame in [
        want(0, 0, 1),
        want(u64::MAX, 0, 1),
        want(shape.length(), shape.pieces(), 1),
    ] {
        assert_eq!(Victim::live().say(frame), impossible);
    }
    // Many at a time are answered one by one; they do not pile up.
    let mut victim = Victim::live();
    let most = u32::try_from(WANTED_MOST_PIECES).unwrap();
    for _ in 0..3 {
        victim.ok(want(64 * 1024 * 1024, 0, most));
    }
    let lacks = victim.frames().into_iter();
    let lacks = lacks
        .filter(|frame| matches!(frame, Frame::Lack(_)))
        .count();
    assert_eq!(lacks, 3 * WANTED_MOST_PIECES);
    // While the window is full they wait, and no more than so many.
    let mut victim = Victim::live();
    let (_, shape) = victim.pair.ends[B].store.shelf.keep(30 * 1024 * 1024);
    let (name, ..) = attachment(30 * 1024 * 1024);
    let want = |count| {
        let pieces = vec![Span { first: 0, count }];
        let length = shape.length();
        Frame::Want(WantFrame {
            number: 1,
            name,
            length,
            pieces,
        })
    };
    victim.ok(want(most));
    assert_eq!(victim.say(want(most)), impossible);
}

#[test]
fn spans_that_are_empty_overlap_or_overflow_do_not_read() {
    let spans = |spans: &[(u32, u32)]| {
        let (name, shape, _) = attachment(100_000);
        let pieces = spans.iter();
        let pieces = pieces.map(|(first, count)| Span {
            first: *first,
            count: *count,
        });
        Frame::Want(WantFrame {
            number: 1,
            name,
            length: shape.length(),
            pieces: pieces.collect(),
        })
    };
    for bad in [
        &[][..],
        &[(0, 0)],
        &[(0, 2), (1, 1)],
        &[(3, 1), (0, 1)],
        &[(u32::MAX, 2)],
        &[(0, 100_000)],
        &[(0, 200), (300, 200)],
    ] {
        let said = Victim::live().say(spans(bad));
        assert!(
            matches!(said, Some(SyncError::Frame(_))),
            "{bad:?}: {said:?}"
        );
    }
}
