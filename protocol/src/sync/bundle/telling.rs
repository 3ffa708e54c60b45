//! What a bundle tells of what its sender holds, and lacks of that which it was sent.

use super::super::frame::Frame;
use super::super::item::ItemKind;
use super::super::limits::{ASKED_NAMES_A_FRAME, WANTED_MOST_PIECES, WANTED_SPANS_A_FRAME};
use super::super::payload::{AskFrame, HeldFrame, InDoubt, LackFrame, RangesFrame, Span};
use super::{BundleError, PartWriter, Piece};
use crate::attachment::{AttachmentName, Shape};
use crate::reconcile::limits::MAX_KEYS_A_RANGE;
use crate::reconcile::{Claim, ComparisonKey, ItemKey, KeyPrefix, PairKey, Range};

/// What sets the keys of items that were taken apart from those of any session, whose salts are
/// random.
const TAKEN_SALT: [u8; 32] = *b"items taken of parts of bundles.";

/// The key under which both nodes name the items that one of them took out of a bundle of the
/// other's which it has not read to its end.
pub fn taken_key(pair: &PairKey) -> ComparisonKey {
    ComparisonKey::derive(pair, &TAKEN_SALT)
}

impl PartWriter {
    /// What telling of so many attachments adds at most.
    pub fn held_cost(names: usize) -> u64 {
        /// A name with its length and its place.
        const NAME_COST: usize = 80;
        let frames = names.div_ceil(ASKED_NAMES_A_FRAME).max(1);
        let cost = names.saturating_mul(NAME_COST);
        let cost = cost.saturating_add(frames.saturating_mul(32));
        u64::try_from(cost).unwrap_or(u64::MAX)
    }

    /// Adds that the sender holds these attachments whole; returns the bytes that are ready.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub fn held(&mut self, held: &[(AttachmentName, Shape)]) -> Result<Vec<u8>, BundleError> {
        let mut out = Vec::new();
        for some in held.chunks(ASKED_NAMES_A_FRAME) {
            self.frame(&ask(some), &mut out)?;
            let places = (0_u32..).zip(some).map(|(place, _)| place);
            let held = HeldFrame {
                number: 0,
                held: places.collect(),
            };
            self.frame(&Frame::Held(held), &mut out)?;
        }
        Ok(out)
    }

    /// What telling of so many pieces that are lacking adds at most.
    pub fn lacking_cost(pieces: usize) -> u64 {
        /// A span, where no two pieces are in a row.
        const SPAN_COST: usize = 12;
        /// The question before the spans, and what a block adds.
        const QUESTION_COST: usize = 160;
        let frames = pieces.div_ceil(WANTED_SPANS_A_FRAME).max(1);
        let cost = pieces.saturating_mul(SPAN_COST);
        let cost = cost.saturating_add(frames.saturating_mul(QUESTION_COST));
        u64::try_from(cost).unwrap_or(u64::MAX)
    }

    /// Adds that the sender lacks these pieces of an attachment, which ascend, and holds the
    /// others; returns the bytes that are ready.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub fn lacking(
        &mut self,
        name: &AttachmentName,
        shape: Shape,
        pieces: &[u32],
    ) -> Result<Vec<u8>, BundleError> {
        let mut out = Vec::new();
        for pieces in spans(pieces) {
            self.frame(&ask(&[(*name, shape)]), &mut out)?;
            let lack = LackFrame { number: 0, pieces };
            self.frame(&Frame::Lack(lack), &mut out)?;
        }
        Ok(out)
    }

    /// What telling of so many items that were taken adds at most.
    pub fn taken_cost(items: usize) -> u64 {
        let frames = items.div_ceil(MAX_KEYS_A_RANGE).max(1);
        let cost = items.saturating_mul(8);
        let cost = cost.saturating_add(frames.saturating_mul(48));
        u64::try_from(cost).unwrap_or(u64::MAX)
    }

    /// Adds that the sender took the items with these keys, under the [`taken_key`] of the pair,
    /// out of bundles of the recipient's that it has not read to their end: they count as held.
    /// Returns the bytes that are ready.
    ///
    /// # Errors
    /// As [`end`](Self::end).
    pub fn taken(&mut self, kind: ItemKind, keys: &[ItemKey]) -> Result<Vec<u8>, BundleError> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        let mut out = Vec::new();
        for some in keys.chunks(MAX_KEYS_A_RANGE) {
            let have = Range {
                prefix: KeyPrefix::ALL,
                claim: Claim::Have(some.to_vec()),
            };
            let ranges = RangesFrame {
                kind,
                last: true,
                ranges: vec![have],
            };
            self.frame(&Frame::Ranges(ranges), &mut out)?;
        }
        Ok(out)
    }
}

fn ask(of: &[(AttachmentName, Shape)]) -> Frame {
    let of = of.iter().map(|(name, shape)| InDoubt {
        name: *name,
        length: shape.length(),
    });
    Frame::Ask(AskFrame {
        number: 0,
        of: of.collect(),
    })
}

/// Pieces in rows, as many as one LACK may name.
fn spans(pieces: &[u32]) -> Vec<Vec<Span>> {
    let mut frames: Vec<Vec<Span>> = Vec::new();
    let mut named = 0;
    for rows in pieces.chunk_by(|one, next| one.checked_add(1) == Some(*next)) {
        for row in rows.chunks(WANTED_MOST_PIECES) {
            let Some(first) = row.first() else { continue };
            let span = Span {
                first: *first,
                count: u32::try_from(row.len()).unwrap_or(u32::MAX),
            };
            named += row.len();
            match frames.last_mut() {
                Some(frame)
                    if frame.len() < WANTED_SPANS_A_FRAME && named <= WANTED_MOST_PIECES =>
                {
                    frame.push(span);
                }
                _ => {
                    frames.push(vec![span]);
                    named = row.len();
                }
            }
        }
    }
    frames
}

/// What became of a frame.
pub(super) enum Told {
    /// It is a question: the next frame answers it.
    Nothing,
    /// It tells something.
    Piece(Piece),
    /// It has nothing to do with what is held.
    Other(Frame),
}

/// Reads what is told.
#[derive(Default)]
pub(super) struct TellingReader {
    asked: Option<AskFrame>,
}

impl TellingReader {
    /// Whether no answer is to come.
    pub(super) fn is_between(&self) -> bool {
        self.asked.is_none()
    }

    /// Takes a frame. An error is one that has no place here.
    pub(super) fn take(&mut self, frame: Frame) -> Result<Told, ()> {
        if let Some(asked) = self.asked.take() {
            let answer = answered(&asked, &frame).or_else(|| lacked(&asked, &frame));
            return answer.map(Told::Piece).ok_or(());
        }
        if let Frame::Ask(asked) = frame {
            self.asked = Some(asked);
            return Ok(Told::Nothing);
        }
        if let Frame::Ranges(ranges) = frame {
            return taken(ranges).map(Told::Piece).ok_or(());
        }
        Ok(Told::Other(frame))
    }
}

/// What is held of that which was asked for, where the frame is the answer.
fn answered(asked: &AskFrame, frame: &Frame) -> Option<Piece> {
    let Frame::Held(answer) = frame else {
        return None;
    };
    let name = |place: &u32| {
        let of = asked.of.get(usize::try_from(*place).ok()?)?;
        Shape::new(of.length).is_ok().then_some(of.name)
    };
    let held = answer.held.iter().map(name).collect::<Option<_>>()?;
    (answer.number == asked.number).then_some(Piece::Held(held))
}

/// What is lacking of the one attachment that was asked for, where the frame is the answer.
fn lacked(asked: &AskFrame, frame: &Frame) -> Option<Piece> {
    let (Frame::Lack(answer), [of]) = (frame, asked.of.as_slice()) else {
        return None;
    };
    let shape = Shape::new(of.length).ok()?;
    let pieces: Vec<u32> = answer.pieces.iter().flat_map(Span::numbers).collect();
    let fits = pieces.iter().all(|piece| *piece < shape.pieces());
    (fits && answer.number == asked.number).then_some(Piece::Lacking {
        name: of.name,
        shape,
        pieces,
    })
}

/// The items that were taken, where a frame tells of nothing else.
fn taken(frame: RangesFrame) -> Option<Piece> {
    let kind = frame.kind;
    let [range] = <[Range; 1]>::try_from(frame.ranges).ok()?;
    match range.claim {
        Claim::Have(keys) => Some(Piece::Taken { kind, keys }),
        Claim::Sum(_) | Claim::Want(_) => None,
    }
}
