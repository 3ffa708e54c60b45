//! Inputs like those of a corpus, and not quite: for runs without a fuzzer.

use rand::{Rng, RngExt};

/// Bytes at the edges of what a length, a count or a type may be.
const EDGES: [u8; 12] = [
    0, 1, 0x17, 0x18, 0x1b, 0x3f, 0x7f, 0x80, 0x9f, 0xbf, 0xfe, 0xff,
];
/// How many changes are made to one input at most.
const MOST_CHANGES: usize = 8;
/// The longest run that is removed, repeated or taken from another input.
const LONGEST_RUN: usize = 64;

/// One of the inputs, changed in some places.
pub fn mutated(corpus: &[Vec<u8>], rng: &mut impl Rng) -> Vec<u8> {
    let mut bytes = pick(corpus, rng).to_vec();
    for _ in 0..rng.random_range(1..=MOST_CHANGES) {
        change(&mut bytes, corpus, rng);
    }
    bytes
}

fn pick<'a>(corpus: &'a [Vec<u8>], rng: &mut impl Rng) -> &'a [u8] {
    if corpus.is_empty() {
        return &[];
    }
    &corpus[rng.random_range(0..corpus.len())]
}

fn change(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], rng: &mut impl Rng) {
    if bytes.is_empty() {
        bytes.push(rng.random());
        return;
    }
    let at = rng.random_range(0..bytes.len());
    let until = (at + rng.random_range(1..=LONGEST_RUN)).min(bytes.len());
    match rng.random_range(0..7) {
        0 => bytes[at] ^= 1 << rng.random_range(0..8),
        1 => bytes[at] = EDGES[rng.random_range(0..EDGES.len())],
        2 => bytes[at] = rng.random(),
        3 => bytes.truncate(at),
        4 => drop(bytes.drain(at..until)),
        5 => {
            let run = bytes[at..until].to_vec();
            bytes.splice(at..at, run);
        }
        _ => {
            let other = pick(corpus, rng);
            if !other.is_empty() {
                let from = rng.random_range(0..other.len());
                let run = &other[from..(from + LONGEST_RUN).min(other.len())];
                bytes.splice(at..until, run.iter().copied());
            }
        }
    }
}
