//! Whoever saved an attachment comes to know that the peer holds it, by whatever way it came there.

use super::pair::{A, B, Pair};
use super::shelf::attachment;
use super::victim::Victim;
use crate::attachment::AttachmentName;
use crate::sync::frame::Frame;
use crate::sync::hello::{KNOWS_ATTACHMENTS, KNOWS_QUESTIONS};
use crate::sync::limits::{ASKED_NAMES_A_FRAME, QUESTIONED_MOST_NAMES};
use crate::sync::payload::{AskFrame, HeldFrame, InDoubt};
use crate::sync::{CloseCode, Event, Patience, SyncError};

/// A has saved an attachment.
fn saved(pair: &mut Pair, length: usize) -> AttachmentName {
    pair.ends[A].store.shelf.save(length).0
}

fn doubts(pair: &Pair, name: &AttachmentName) -> bool {
    pair.ends[A].store.shelf.doubts(name)
}

#[test]
fn who_saved_it_knows_when_it_has_come_and_not_before() {
    let mut pair = Pair::in_sync(1);
    (pair.rate, pair.latency_ms) = (8, 300);
    let name = saved(&mut pair, 200_000);
    pair.connect();
    let until = pair.now + 10_000;
    pair.run_until(until);
    assert!(doubts(&pair, &name), "nobody has fetched it");
    let (_, shape, _) = attachment(200_000);
    pair.ends[B].store.shelf.want(name, shape);
    pair.event(B, Event::NewItems);
    let until = pair.now + 10_000;
    pair.run_until(until);
    assert!(doubts(&pair, &name), "only a part of it is there");
    pair.drive();
    assert!(pair.ends[B].store.shelf.is_whole(&name));
    assert!(!doubts(&pair, &name));
}

#[test]
fn what_came_by_another_way_is_known_too() {
    let mut pair = Pair::in_sync(1);
    let name = saved(&mut pair, 200_000);
    pair.connect();
    pair.drive();
    assert!(doubts(&pair, &name));
    pair.ends[B].store.shelf.keep(200_000);
    pair.event(B, Event::NewItems);
    pair.drive();
    assert!(!doubts(&pair, &name));
}

#[test]
fn an_answer_that_was_cut_off_is_asked_for_again_and_then_never_more() {
    let mut pair = Pair::in_sync(1);
    pair.latency_ms = 300;
    let name = saved(&mut pair, 20_000);
    pair.ends[B].store.shelf.keep(20_000);
    pair.connect();
    // The question is on its way.
    let until = pair.now + 700;
    pair.run_until(until);
    assert!(doubts(&pair, &name));
    pair.cut();
    pair.connect();
    pair.drive();
    assert!(!doubts(&pair, &name));
    pair.cut();
    pair.connect();
    pair.drive();
    let sent = pair.ends[A].sent.len();
    assert!(sent <= 256, "{sent} bytes with nothing new");
}

#[test]
fn a_visit_waits_for_the_answer_and_no_longer() {
    for (saves, held) in [(A, true), (A, false), (B, true), (B, false)] {
        let mut pair = Pair::in_sync(1);
        let visits = Patience {
            heartbeat_ms: 0,
            ..Patience::default()
        };
        pair.patience = [visits; 2];
        let (name, shape) = pair.ends[saves].store.shelf.save(3_000_000);
        if held {
            pair.ends[1 - saves].store.shelf.want(name, shape);
        }
        pair.connect();
        pair.drive();
        assert_eq!(pair.ends[saves].store.shelf.doubts(&name), !held);
        assert!(pair.ends.iter().all(|end| end.closed.is_some()));
    }
}

#[test]
fn nobody_is_told_of_what_it_may_not_have() {
    let mut pair = Pair::in_sync(1);
    let name = saved(&mut pair, 20_000);
    pair.ends[B].store.shelf.keep(20_000);
    pair.ends[B].store.shelf.withdrawn.insert(name);
    pair.connect();
    pair.drive();
    assert!(doubts(&pair, &name));
}

/// A victim that is in sync and has asked nothing.
fn knowing() -> Victim {
    let mut victim = Victim::new(2);
    let mut hello = victim.hello();
    hello.standing.digests = victim.digests();
    hello.knows = Some(KNOWS_ATTACHMENTS | KNOWS_QUESTIONS);
    victim.greet(hello);
    victim
}

fn question(number: u32, names: usize) -> Frame {
    let (name, shape, _) = attachment(20_000);
    let length = shape.length();
    let of = vec![InDoubt { name, length }; names];
    Frame::Ask(AskFrame { number, of })
}

#[test]
fn questions_without_end_and_answers_to_none_end_the_session() {
    let held = |held: Vec<u32>| Frame::Held(HeldFrame { number: 0, held });
    let mut victim = knowing();
    assert_eq!(
        victim.say(held(vec![0])),
        Some(SyncError::UnaskedAnswer),
        "it asked nothing"
    );
    assert_eq!(victim.code(), CloseCode::Unexpected);

    let mut victim = Victim::new(2);
    victim.pair.ends[B].store.shelf.save(20_000);
    let mut hello = victim.hello();
    hello.standing.digests = victim.digests();
    hello.knows = Some(KNOWS_ATTACHMENTS | KNOWS_QUESTIONS);
    victim.greet(hello);
    victim.ok(held(Vec::new()));
    assert_eq!(
        victim.say(held(vec![1])),
        Some(SyncError::UnaskedAnswer),
        "it asked about one"
    );

    let mut victim = knowing();
    victim.ok(question(5, 1));
    let again = Some(SyncError::ImpossibleWant);
    assert_eq!(victim.say(question(5, 1)), again, "the same number");

    let mut victim = knowing();
    let mut asked = 0;
    for number in 0.. {
        asked += ASKED_NAMES_A_FRAME;
        let said = victim.say(question(number, ASKED_NAMES_A_FRAME));
        if asked > QUESTIONED_MOST_NAMES {
            assert_eq!(said, Some(SyncError::ImpossibleWant));
            break;
        }
        assert_eq!(said, None);
    }
}
