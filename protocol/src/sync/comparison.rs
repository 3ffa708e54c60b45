//! The comparison of everything that both sides share of one kind: by symbols, or by ranges.
//!
//! ```text
//!   dialer                                     listener
//!     HELLO ------------------------------------>
//!           <------------------------------------ HELLO SYMBOLS..      the first flight
//!     FURTHER upto ----------------------------->                      if it did not suffice
//!           <------------------------------------ SYMBOLS..
//!     WANTED.. ITEM.. -------------------------->                      the difference is known
//!           <------------------------------------ ITEM..
//!
//!     FURTHER null, RANGES.. ------------------->                      there are too many
//!           <------------------------------------ RANGES..
//! ```

use super::effect::Tier;
use super::error::SyncError;
use super::frame::Frame;
use super::item::{FeedEntry, ItemKind};
use super::limits::{RANGES_FILL_BYTES, SYMBOLS_FILL_BYTES, WANTED_KEYS_A_FRAME};
use super::payload::{FurtherFrame, RangesFrame, SymbolsFrame, WantedFrame, WantedKeys};
use super::session::Role;
use crate::codec;
use crate::reconcile::sketch::{first_flight, most_differences};
use crate::reconcile::{
    ComparisonKey, Decoder, Encoder, Flight, ItemId, ItemKey, PairKey, Range, Reconciliation,
    Verdict,
};

/// How many items of a kind either side has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) ours: u64,
    pub(super) theirs: u64,
}

/// The secrets of one comparison.
pub(super) struct Keys {
    pub(super) pair: PairKey,
    pub(super) comparison: ComparisonKey,
}

/// What a frame of the peer led to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Items that the peer lacks.
    pub(super) lacking: Vec<FeedEntry>,
    /// Whether the peer's answer was waited for and is complete.
    pub(super) answered: bool,
    /// Whether the difference is known.
    pub(super) done: bool,
}

/// By what means the difference is sought.
enum Means {
    /// Our symbols go out, and the peer says what it wants.
    Encoding(Encoder),
    /// The peer's symbols come in; the first flight comes with its HELLO.
    Decoding { decoder: Decoder, further: bool },
    /// Both describe ranges.
    Ranges(Reconciliation),
}

/// One side of the comparison of a kind.
pub(super) struct Comparison {
    kind: ItemKind,
    /// Everything that we share; places refer to it.
    entries: Vec<FeedEntry>,
    keys: Keys,
    means: Means,
    /// Statements that the peer lacks, until all of them are known.
    lacking: Vec<FeedEntry>,
}

impl Comparison {
    /// Begins a comparison: by symbols when sizes are given that suit it, else by ranges. Both
    /// sides come to the same choice; the listener sends symbols, the dialer opens ranges.
    pub(super) fn begin(
        kind: ItemKind,
        entries: Vec<FeedEntry>,
        keys: Keys,
        role: Role,
        sizes: Option<Sizes>,
        out: &mut Vec<u8>,
    ) -> Self {
        let ids = ids(&entries);
        let suited = sizes.and_then(|sizes| {
            let first = first_flight(sizes.ours, sizes.theirs)?;
            Some((first, most_differences(sizes.ours, sizes.theirs)))
        });
        let means = match (suited, role) {
            (Some((first, _)), Role::Listener) => {
                let mut encoder = Encoder::new(&ids, &keys.comparison);
                write_flight(kind, &encoder.open(first), out);
                Means::Encoding(encoder)
            }
            (Some((first, most)), Role::Dialer) => Means::Decoding {
                decoder: Decoder::new(&ids, &keys.comparison, most, first),
                further: false,
            },
            (None, _) => Means::Ranges(begin_ranges(kind, &ids, &keys, role, out)),
        };
        Self {
            kind,
            entries,
            keys,
            means,
            lacking: Vec::new(),
        }
    }

    /// By what means the difference is sought.
    pub(super) fn tier(&self) -> Tier {
        match self.means {
            Means::Encoding(_) | Means::Decoding { .. } => Tier::Set,
            Means::Ranges(_) => Tier::Range,
        }
    }

    /// Takes a frame of the peer and answers it. `None` when it has no place here.
    ///
    /// Statements that the peer lacks are told all at once, in the order of our feed, and not as
    /// they are found: they build on each other. A key that was made after a revocation must not
    /// come ahead of it, or a custodian who does not know of it yet hands that key over.
    pub(super) fn take(
        &mut self,
        frame: &Frame,
        out: &mut Vec<u8>,
    ) -> Result<Option<Outcome>, SyncError> {
        let Some(mut outcome) = self.answer(frame, out)? else {
            return Ok(None);
        };
        if self.kind == ItemKind::Statement {
            self.lacking.append(&mut outcome.lacking);
            if outcome.done {
                outcome.lacking = core::mem::take(&mut self.lacking);
                outcome.lacking.sort_unstable_by_key(|entry| entry.feed);
            }
        }
        Ok(Some(outcome))
    }

    fn answer(&mut self, frame: &Frame, out: &mut Vec<u8>) -> Result<Option<Outcome>, SyncError> {
        let kind = self.kind;
        match (frame, &mut self.means) {
            (Frame::Symbols(symbols), Means::Decoding { .. }) if symbols.kind == kind => {
                self.take_symbols(symbols, out).map(Some)
            }
            (Frame::Further(further), Means::Encoding(encoder)) if further.kind == kind => {
                match further.upto {
                    Some(upto) => {
                        let upto = usize::try_from(upto).unwrap_or(usize::MAX);
                        write_flight(kind, &encoder.further(upto)?, out);
                    }
                    None => self.turn_to_ranges(Role::Listener, out),
                }
                Ok(Some(Outcome {
                    answered: true,
                    ..Outcome::default()
                }))
            }
            (Frame::Wanted(wanted), Means::Encoding(encoder)) if wanted.kind == kind => {
                let places = encoder.wanted(&wanted.keys.0)?;
                Ok(Some(Outcome {
                    lacking: self.entries_at(&places),
                    answered: wanted.last,
                    done: wanted.last,
                }))
            }
            (Frame::Ranges(ranges), Means::Ranges(comparison)) if ranges.kind == kind => {
                let answer = comparison.receive(&ranges.ranges, ranges.last)?;
                let done = comparison.is_done();
                if answer.ends_turn || !answer.ranges.is_empty() {
                    write_ranges(kind, answer.ranges, answer.ends_turn, out);
                }
                Ok(Some(Outcome {
                    lacking: self.entries_at(&answer.lacking),
                    answered: ranges.last,
                    done,
                }))
            }
            _ => Ok(None),
        }
    }

    fn take_symbols(
        &mut self,
        symbols: &SymbolsFrame,
        out: &mut Vec<u8>,
    ) -> Result<Outcome, SyncError> {
        let mut outcome = Outcome::default();
        let Means::Decoding { decoder, further } = &mut self.means else {
            return Ok(outcome);
        };
        let first = usize::try_from(symbols.first).unwrap_or(usize::MAX);
        let verdict = decoder.receive(symbols.items, first, &symbols.bytes)?;
        outcome.answered = *further && verdict != Verdict::Waiting;
        match verdict {
            Verdict::Waiting => {}
            Verdict::Further(upto) => {
                *further = true;
                let upto = Some(u32::try_from(upto).unwrap_or(u32::MAX));
                let kind = self.kind;
                Frame::Further(FurtherFrame { kind, upto }).write(out);
            }
            Verdict::Found(difference) => {
                write_wanted(self.kind, &difference.theirs, out);
                outcome.lacking = self.entries_at(&difference.ours);
                outcome.done = true;
            }
            Verdict::TooMany => {
                let further = FurtherFrame {
                    kind: self.kind,
                    upto: None,
                };
                Frame::Further(further).write(out);
                self.turn_to_ranges(Role::Dialer, out);
            }
        }
        Ok(outcome)
    }

    fn turn_to_ranges(&mut self, role: Role, out: &mut Vec<u8>) {
        let ids = ids(&self.entries);
        self.means = Means::Ranges(begin_ranges(self.kind, &ids, &self.keys, role, out));
    }

    fn entries_at(&self, places: &[usize]) -> Vec<FeedEntry> {
        let entries = places.iter().filter_map(|place| self.entries.get(*place));
        entries.copied().collect()
    }
}

fn ids(entries: &[FeedEntry]) -> Vec<ItemId> {
    entries.iter().map(|entry| entry.id).collect()
}

/// Prepares a comparison by ranges; the dialer opens it.
fn begin_ranges(
    kind: ItemKind,
    ids: &[ItemId],
    keys: &Keys,
    role: Role,
    out: &mut Vec<u8>,
) -> Reconciliation {
    let mut comparison = Reconciliation::new(ids, &keys.pair, &keys.comparison);
    if role == Role::Dialer {
        write_ranges(kind, comparison.open(), true, out);
    }
    comparison
}

/// Sends a flight in as many frames as it needs.
fn write_flight(kind: ItemKind, flight: &Flight, out: &mut Vec<u8>) {
    for (first, bytes) in flight.pieces(SYMBOLS_FILL_BYTES) {
        Frame::Symbols(SymbolsFrame {
            kind,
            items: flight.items,
            first: u32::try_from(first).unwrap_or(u32::MAX),
            bytes,
        })
        .write(out);
    }
}

/// Sends the keys that we want in as many frames as they need, at least in one.
fn write_wanted(kind: ItemKind, keys: &[ItemKey], out: &mut Vec<u8>) {
    let mut rest = keys;
    loop {
        let (now, later) = rest.split_at(rest.len().min(WANTED_KEYS_A_FRAME));
        let last = later.is_empty();
        let keys = WantedKeys(now.to_vec());
        Frame::Wanted(WantedFrame { kind, last, keys }).write(out);
        if last {
            return;
        }
        rest = later;
    }
}

/// Sends ranges in as many frames as they need; the last one may end our turn.
fn write_ranges(kind: ItemKind, ranges: Vec<Range>, ends_turn: bool, out: &mut Vec<u8>) {
    let mut frame = RangesFrame {
        kind,
        last: false,
        ranges: Vec::new(),
    };
    let mut filled = 0_usize;
    for range in ranges {
        filled = filled.saturating_add(codec::encode(&range).len());
        frame.ranges.push(range);
        if filled >= RANGES_FILL_BYTES {
            Frame::Ranges(frame).write(out);
            frame = RangesFrame {
                kind,
                last: false,
                ranges: Vec::new(),
            };
            filled = 0;
        }
    }
    if ends_turn || !frame.ranges.is_empty() {
        frame.last = ends_turn;
        Frame::Ranges(frame).write(out);
    }
}
