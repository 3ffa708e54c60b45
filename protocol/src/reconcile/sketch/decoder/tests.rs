//! Honest peers of every kind, the paper's overhead, and hostile peers.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::reconcile::limits::DIFFERENCE_MOST;
use crate::reconcile::sketch::encoder::{Encoder, Flight};
use crate::reconcile::sketch::tests::{item, secret};
use crate::reconcile::sketch::{first_flight, most_differences};

fn items(numbers: &BTreeSet<u32>) -> Vec<ItemId> {
    numbers.iter().map(|number| item(*number)).collect()
}

fn bytes(flight: &Flight) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, symbol) in flight.symbols.iter().enumerate() {
        symbol.write(flight.first + at, flight.items, &mut bytes);
    }
    bytes
}

/// Runs both sides to the end, in pieces of `piece` symbols; returns the verdict, the number of
/// symbols, and the number of flights.
fn run(theirs: &[ItemId], ours: &[ItemId], salt: u32, piece: usize) -> (Verdict, usize, usize) {
    let secret = secret(salt);
    let sizes = [theirs.len() as u64, ours.len() as u64];
    let first = first_flight(sizes[0], sizes[1]).unwrap_or(64);
    let most = most_differences(sizes[0], sizes[1]);
    let mut encoder = Encoder::new(theirs, &secret);
    let mut decoder = Decoder::new(ours, &secret, most, first);
    let mut flight = encoder.open(first);
    for flights in 1.. {
        let mut verdict = Verdict::Waiting;
        for (at, symbols) in flight.symbols.chunks(piece).enumerate() {
            assert_eq!(verdict, Verdict::Waiting);
            let part = Flight {
                first: flight.first + at * piece,
                items: flight.items,
                symbols: symbols.to_vec(),
            };
            verdict = decoder
                .receive(part.items, part.first, &bytes(&part))
                .unwrap();
        }
        match verdict {
            Verdict::Further(upto) => flight = encoder.further(upto).unwrap(),
            Verdict::Waiting | Verdict::Found(_) | Verdict::TooMany => {
                return (verdict, decoder.symbols.len(), flights);
            }
        }
    }
    unreachable!()
}

fn check(theirs: &BTreeSet<u32>, ours: &BTreeSet<u32>, salt: u32, piece: usize) {
    let secret = secret(salt);
    let own = items(ours);
    let (verdict, ..) = run(&items(theirs), &own, salt, piece);
    let Verdict::Found(difference) = verdict else {
        panic!("{verdict:?}");
    };
    let only_theirs = theirs.difference(ours).map(|n| secret.item_key(&item(*n)));
    let found: BTreeSet<ItemKey> = difference.theirs.iter().copied().collect();
    assert_eq!(found, only_theirs.collect());
    assert!(difference.theirs.is_sorted_by(|a, b| a < b));
    let only_ours: BTreeSet<ItemId> = ours.difference(theirs).map(|n| item(*n)).collect();
    let found: BTreeSet<ItemId> = difference.ours.iter().map(|place| own[*place]).collect();
    assert_eq!(found, only_ours);
    assert_eq!(difference.ours.len(), only_ours.len());
}

#[test]
fn a_hundred_differences_of_ten_thousand_are_in_the_first_flight() {
    let mut missed = 0;
    for salt in 0..200 {
        let ours: Vec<ItemId> = (0..2_000).map(item).collect();
        let theirs: Vec<ItemId> = (50..2_050).map(item).collect();
        let (verdict, _, flights) = run(&theirs, &ours, salt, 300);
        assert!(matches!(verdict, Verdict::Found(_)));
        missed += usize::from(flights > 1);
    }
    assert!(missed <= 4, "{missed} of 200 took a second flight");
}

#[test]
fn large_differences_take_three_flights_and_few_symbols() {
    let theirs: Vec<ItemId> = (0..20_000).map(item).collect();
    let ours: Vec<ItemId> = (250..20_250).map(item).collect();
    let (verdict, symbols, flights) = run(&theirs, &ours, 1, 300);
    assert!(matches!(verdict, Verdict::Found(_)));
    assert!(flights <= 3, "{flights}");
    assert!(symbols < 1_100, "{symbols}");
}

/// The smallest number of symbols that decodes `count` differences.
fn needed(count: u32, salt: u32) -> usize {
    let all: Vec<ItemId> = (0..count).map(|at| item(at + 10_000 * salt)).collect();
    let decodes = |symbols: usize| {
        let flight = Encoder::new(&all, &secret(salt)).open(symbols);
        let mut decoder = Decoder::new(&[], &secret(salt), u64::MAX, symbols);
        let verdict = decoder.receive(flight.items, 0, &bytes(&flight)).unwrap();
        matches!(verdict, Verdict::Found(_))
    };
    let (mut low, mut high) = (1, 8 * count as usize + 64);
    while low < high {
        let middle = (low + high) / 2;
        if decodes(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[test]
fn the_overhead_is_that_of_the_paper() {
    for (count, seeds) in [(32, 60), (100, 40), (320, 20), (1_000, 10)] {
        let total: usize = (0..seeds).map(|salt| needed(count, salt)).sum();
        let mean = total as f64 / f64::from(seeds) / f64::from(count);
        assert!(
            (1.3..1.9).contains(&mean),
            "{mean} symbols a difference of {count}"
        );
    }
}

#[test]
fn the_size_of_the_rest_is_estimated_well_enough_to_ask_for_it() {
    for (only_theirs, only_ours) in [(400_u32, 0), (0, 400), (200, 200), (2_000, 500)] {
        let common = 10_000;
        let theirs: Vec<ItemId> = (0..common + only_theirs).map(item).collect();
        let ours = (0..common).chain(50_000..50_000 + only_ours).map(item);
        let ours: Vec<ItemId> = ours.collect();
        let count = (only_theirs + only_ours) as usize;
        for salt in 0..10 {
            let flight = Encoder::new(&theirs, &secret(salt)).open(192);
            let mut decoder = Decoder::new(&ours, &secret(salt), DIFFERENCE_MOST, 192);
            decoder.receive(flight.items, 0, &bytes(&flight)).unwrap();
            let estimate = decoder.found.len() + decoder.remaining();
            assert!(
                (count * 6 / 10..count * 15 / 10).contains(&estimate),
                "{estimate} of {count}"
            );
        }
    }
}

#[test]
fn a_difference_above_the_limit_is_left_to_ranges_at_once() {
    let theirs: Vec<ItemId> = (0..3_000).map(item).collect();
    let ours: Vec<ItemId> = (600..3_600).map(item).collect();
    let (verdict, symbols, flights) = run(&theirs, &ours, 1, 300);
    assert_eq!((verdict, flights), (Verdict::TooMany, 1));
    assert_eq!(symbols, FIRST_FLIGHT);
}

#[test]
fn symbols_of_another_secret_never_decode_and_end() {
    let all: Vec<ItemId> = (0..1_000).map(item).collect();
    let mut encoder = Encoder::new(&all, &secret(1));
    let mut decoder = Decoder::new(&all, &secret(2), 150, 192);
    let mut flight = encoder.open(192);
    loop {
        let verdict = decoder
            .receive(flight.items, flight.first, &bytes(&flight))
            .unwrap();
        match verdict {
            Verdict::Further(upto) => flight = encoder.further(upto).unwrap(),
            Verdict::TooMany => return,
            Verdict::Waiting | Verdict::Found(_) => panic!("{verdict:?}"),
        }
    }
}

/// A flight in which every symbol is made by hand.
fn forged(items: u64, first: usize, symbols: Vec<Symbol>) -> Vec<u8> {
    bytes(&Flight {
        first,
        items,
        symbols,
    })
}

fn only(key: u64) -> Symbol {
    let mut symbol = Symbol::default();
    symbol.add(&Coded::new(ItemKey::new(key), &secret(1)));
    symbol
}

#[test]
fn the_same_key_in_every_symbol_ends() {
    let mut decoder = Decoder::new(&[], &secret(1), 1_000, 64);
    let mut upto = 64;
    let mut first = 0;
    loop {
        let symbols = (first..upto).map(|_| only(5)).collect();
        let verdict = decoder
            .receive(1, first, &forged(1, first, symbols))
            .unwrap();
        match verdict {
            Verdict::Further(further) => (first, upto) = (upto, further),
            Verdict::TooMany => return,
            Verdict::Waiting | Verdict::Found(_) => panic!("{verdict:?}"),
        }
        assert!(decoder.found.len() <= 1);
    }
}

#[test]
fn another_key_in_every_symbol_is_taken_no_more_often_than_allowed() {
    let mut decoder = Decoder::new(&[], &secret(1), 50, 1_024);
    let mut symbols: Vec<Symbol> = (0..1_024).map(|at| only(at * 7)).collect();
    let mut first = Symbol::default();
    for at in 0..1_000 {
        first.add(&Coded::new(ItemKey::new(at), &secret(1)));
    }
    symbols[0] = first;
    let verdict = decoder
        .receive(1_000, 0, &forged(1_000, 0, symbols))
        .unwrap();
    assert_eq!(verdict, Verdict::TooMany);
    assert!(decoder.found.len() <= 50);
}

#[test]
fn a_key_of_ours_that_the_peer_says_to_have_twice_is_not_taken() {
    let ours: Vec<ItemId> = (0..50).map(item).collect();
    let mut twice = ours.clone();
    twice.push(item(3));
    let flight = Encoder::new(&twice, &secret(1)).open(64);
    let mut decoder = Decoder::new(&ours, &secret(1), 100, 64);
    let verdict = decoder.receive(flight.items, 0, &bytes(&flight)).unwrap();
    assert_eq!(verdict, Verdict::Further(128));
    assert!(decoder.found.is_empty());
}

#[test]
fn symbols_out_of_order_or_beyond_the_flight_are_refused() {
    let all: Vec<ItemId> = (0..100).map(item).collect();
    let flight = Encoder::new(&all, &secret(1)).open(128);
    let part = |first: usize, to: usize| {
        let symbols = flight.symbols[first..to].to_vec();
        (first, forged(100, first, symbols))
    };
    let scripts = [
        vec![part(1, 5)],
        vec![part(0, 5), part(0, 5)],
        vec![part(0, 5), part(6, 9)],
        vec![part(0, 65)],
        vec![part(0, 0)],
        vec![part(0, 64), part(64, 128)],
    ];
    for mut script in scripts {
        let mut decoder = Decoder::new(&all[..99], &secret(1), 40, 64);
        let (first, last) = script.pop().unwrap();
        for (first, bytes) in script {
            decoder.receive(100, first, &bytes).unwrap();
        }
        assert_eq!(decoder.receive(100, first, &last), Err(SketchError::Order));
    }
    let mut decoder = Decoder::new(&all[..99], &secret(1), 40, 64);
    decoder.receive(100, 0, &part(0, 5).1).unwrap();
    assert_eq!(decoder.receive(101, 5, &[0; 13]), Err(SketchError::Order));
}

fn numbers(most: usize) -> impl Strategy<Value = BTreeSet<u32>> {
    proptest::collection::btree_set(any::<u32>(), 0..most)
}

proptest! {
    #[test]
    fn the_difference_of_any_two_sets_is_found(
        common in numbers(400),
        theirs in numbers(20),
        ours in numbers(20),
        salt in 0_u32..1_000,
        piece in 1_usize..100,
    ) {
        check(&(&common | &theirs), &(&common | &ours), salt, piece);
    }

    #[test]
    fn any_symbols_end_in_an_error_or_a_verdict(
        flights in proptest::collection::vec(
            proptest::collection::vec((any::<u64>(), any::<u64>(), 0_i64..4), 64), 1..6),
        honest in 0_usize..64,
        own in 0_u32..60,
    ) {
        let ours: Vec<ItemId> = (0..own).map(item).collect();
        let real = Encoder::new(&ours, &secret(1)).open(64);
        let mut decoder = Decoder::new(&ours, &secret(1), 60, 64);
        for (at, flight) in flights.into_iter().enumerate() {
            let forged: Vec<Symbol> = flight
                .into_iter()
                .map(|(sum, check, count)| {
                    let mut symbol = only(sum);
                    for key in 1..count {
                        symbol.add(&Coded::new(ItemKey::new(check ^ key as u64), &secret(1)));
                    }
                    symbol
                })
                .collect();
            let mut symbols = forged;
            if at == 0 {
                symbols.splice(..=honest, real.symbols[..=honest].iter().copied());
            }
            let bytes = self::forged(own.into(), at * 64, symbols);
            match decoder.receive(own.into(), at * 64, &bytes) {
                Ok(Verdict::Further(upto)) => decoder.upto = upto.min(at * 64 + 128),
                Ok(Verdict::Waiting) => prop_assert!(false, "the flight was whole"),
                Ok(Verdict::Found(_) | Verdict::TooMany) | Err(_) => break,
            }
            prop_assert!(decoder.found.len() <= 60);
        }
    }
}
