//! Random histories: whatever happened before, two nodes end up equal.

use proptest::prelude::*;

use super::pair::{A, B, Pair};
use super::store::{grant, item, record, statement};
use crate::reconcile::{Cursor, FeedNumber, StoreIncarnation};
use crate::sync::{Event, ItemKind, Lane, Role, Session, Tier};

#[derive(Debug, Clone)]
enum Deed {
    Write(usize, Vec<u8>),
    WriteBoth(Vec<u8>),
    Connect,
    Run(u64),
    Cut,
    Request(usize),
    Lose(usize, u64),
    RollBack(usize, usize),
    Cursor(usize, u64, u64),
    Forget(usize),
}

fn any_item() -> impl Strategy<Value = Vec<u8>> {
    let chart = prop_oneof![0_u8..3, 100_u8..104];
    let text = (0_u32..60).prop_map(|n| n.to_string());
    prop_oneof![
        6 => (chart.clone(), text.clone(), 10_usize..3000)
            .prop_map(|(chart, text, size)| record(chart, &text, size)),
        1 => (chart.clone(), text.clone(), 0_usize..5, 3000_usize..60_000).prop_map(
            |(chart, text, lane, size)| item(ItemKind::Record, Lane::ALL[lane], chart, &text, size)
        ),
        2 => (chart, text).prop_map(|(chart, text)| statement(chart, &text)),
        1 => (100_u8..104).prop_map(grant),
    ]
}

/// What happens in a sound store on a bad link.
fn plain_deed() -> impl Strategy<Value = Deed> {
    let end = 0_usize..2;
    prop_oneof![
        12 => (end.clone(), any_item()).prop_map(|(end, item)| Deed::Write(end, item)),
        4 => any_item().prop_map(Deed::WriteBoth),
        4 => Just(Deed::Connect),
        6 => (1_u64..900).prop_map(Deed::Run),
        3 => Just(Deed::Cut),
        2 => end.prop_map(Deed::Request),
    ]
}

/// That, and what befalls a store.
fn any_deed() -> impl Strategy<Value = Deed> {
    let end = 0_usize..2;
    prop_oneof![
        16 => plain_deed(),
        1 => (end.clone(), 100_u64..200).prop_map(|(end, inc)| Deed::Lose(end, inc)),
        1 => (end.clone(), 1_usize..20).prop_map(|(end, count)| Deed::RollBack(end, count)),
        1 => (end.clone(), 10_u64..13, 0_u64..40)
            .prop_map(|(end, inc, number)| Deed::Cursor(end, inc, number)),
        1 => end.prop_map(Deed::Forget),
    ]
}

fn perform(pair: &mut Pair, deed: Deed) {
    match deed {
        Deed::Write(end, bytes) => pair.write(end, bytes),
        Deed::WriteBoth(bytes) => {
            pair.write(A, bytes.clone());
            pair.write(B, bytes);
        }
        Deed::Connect => {
            pair.cut();
            pair.connect();
        }
        Deed::Run(ms) => {
            let until = pair.now + ms;
            pair.run_until(until);
        }
        Deed::Cut => pair.cut(),
        Deed::Request(end) => pair.event(end, Event::SyncRequested),
        Deed::Lose(end, incarnation) => {
            pair.cut();
            pair.ends[end].store.lose(incarnation);
        }
        Deed::RollBack(end, count) => {
            pair.cut();
            pair.ends[end].store.roll_back(count);
            pair.ends[end].store.incarnation += 1;
        }
        Deed::Cursor(end, incarnation, number) => {
            pair.cut();
            let incarnation = StoreIncarnation::new(incarnation);
            let number = FeedNumber::new(number);
            pair.ends[end].store.cursor = Some(Cursor {
                incarnation,
                number,
            });
        }
        Deed::Forget(end) => {
            pair.cut();
            pair.ends[end].store.cursor = None;
            pair.ends[end].store.peer_has.clear();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_happened_two_nodes_become_equal(
        common in prop_oneof![Just(0_usize), 0_usize..150],
        deeds in proptest::collection::vec(any_deed(), 0..60),
        piece in 1_usize..3000,
        rate in prop_oneof![Just(0_u64), 5_u64..200],
        latency in 0_u64..300,
        store_ms in 0_u64..100,
    ) {
        let mut pair = Pair::in_sync(common);
        (pair.piece, pair.rate, pair.latency_ms, pair.store_ms) = (piece, rate, latency, store_ms);
        for deed in deeds {
            perform(&mut pair, deed);
            for end in &pair.ends {
                prop_assert_eq!(&end.closed, &None);
            }
        }
        pair.piece = pair.piece.max(50);
        pair.cut();
        pair.connect();
        pair.drive();
        pair.assert_in_sync();
        pair.cut();
        pair.connect();
        pair.drive();
        pair.assert_in_sync();
        prop_assert_eq!(pair.report(A).round_trips, 1);
    }

    #[test]
    fn on_a_bad_link_sound_stores_compare_nothing_and_cursors_cover_only_what_is_durable(
        deeds in proptest::collection::vec(plain_deed(), 0..60),
        piece in 50_usize..3000,
        rate in prop_oneof![Just(0_u64), 5_u64..200],
        latency in 0_u64..300,
        store_ms in 0_u64..100,
    ) {
        let mut pair = Pair::new();
        pair.sound = true;
        (pair.piece, pair.rate, pair.latency_ms, pair.store_ms) = (piece, rate, latency, store_ms);
        for deed in deeds.into_iter().chain([Deed::Connect]) {
            perform(&mut pair, deed);
            for report in pair.ends.iter().flat_map(|end| &end.reports) {
                prop_assert_eq!(report.tier, Tier::Cursor);
            }
        }
        pair.drive();
        pair.assert_in_sync();
        prop_assert_eq!(pair.tiers(), [Tier::Cursor; 2]);
    }

    #[test]
    fn any_bytes_end_in_a_typed_error_or_in_waiting(
        chunks in proptest::collection::vec(
            proptest::collection::vec(any::<u8>(), 0..200), 0..20),
        after_hello: bool,
    ) {
        let mut pair = Pair::in_sync(2);
        if after_hello {
            pair.connect();
            pair.drive();
        }
        let mut session = match pair.ends[B].session.take() {
            Some(session) => session,
            None => {
                let mut setup = pair.setup(B);
                setup.role = Role::Listener;
                let mut session = Session::new(setup);
                session.handle(pair.now, Event::Opened, &pair.ends[B].store);
                session
            }
        };
        for chunk in chunks {
            session.handle(pair.now, Event::Received(&chunk), &pair.ends[B].store);
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_ends_in_an_error_or_harms_nothing(
        at in 0_usize..8000,
        bit in 0_u8..8,
        towards in 0_usize..2,
    ) {
        flip(at, bit, towards);
    }
}

/// Flips one bit of what goes one way, and lets the two come together afterwards.
fn flip(at: usize, bit: u8, towards: usize) {
    let mut pair = Pair::new();
    for n in 0..8 {
        pair.ends[A].store.accept(record(1, &format!("a{n}"), 400));
        pair.ends[B].store.accept(statement(1, &format!("b{n}")));
    }
    pair.flip = Some((towards, at, bit));
    pair.connect();
    let until = pair.now + 1_000_000;
    pair.run_until(until);
    if pair.ends.iter().all(|end| end.closed.is_none()) {
        pair.assert_in_sync();
    }
    pair.flip = None;
    pair.cut();
    pair.connect();
    pair.drive();
    pair.assert_in_sync();
}

#[test]
fn a_flipped_bit_in_an_authors_certificate_harms_nothing() {
    flip(3585, 2, 1);
}
