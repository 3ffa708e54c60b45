//! The asking half: what is on its way to us, and what was said not to be had.

use std::collections::{BTreeMap, BTreeSet};

use super::super::effect::Effect;
use super::super::error::SyncError;
use super::super::limits::WANTED_SPANS_A_FRAME;
use super::super::payload::{LackFrame, PieceFrame, Span, WantFrame};
use crate::attachment::{AttachmentName, Shape};

/// What is wanted of attachments.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Pieces, by attachment.
    pub pieces: Vec<WantedPieces>,
    /// There may be more that was not looked at yet: ask again soon.
    pub more: bool,
}

/// What is wanted of one attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedPieces {
    /// The attachment.
    pub name: AttachmentName,
    /// Its content's shape.
    pub shape: Shape,
    /// The pieces, ascending.
    pub numbers: Vec<u32>,
}

/// Pieces of one attachment that were asked for and have not come.
#[derive(Debug)]
struct Asked {
    name: AttachmentName,
    shape: Shape,
    open: BTreeSet<u32>,
}

/// A piece of which a part has come.
#[derive(Debug)]
struct Partial {
    number: u32,
    piece: u32,
    size: usize,
    bytes: Vec<u8>,
}

/// The asking half of a session.
#[derive(Debug, Default)]
pub(in super::super) struct Asking {
    asked: BTreeMap<u32, Asked>,
    next: u32,
    outstanding: usize,
    partial: Option<Partial>,
    /// Pieces delivered and not stored.
    unstored: usize,
    /// Something may be wanted.
    due: bool,
    /// When to look again for what is wanted.
    again_ms: Option<u64>,
}

impl Asking {
    /// Pieces that were asked for and have not come.
    pub(in super::super) fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Whether to look for what is wanted.
    pub(super) fn is_due(&self) -> bool {
        self.due
    }

    /// Whether nothing is wanted, as far as is known, and all that came is kept.
    pub(super) fn is_over(&self) -> bool {
        !self.due && self.again_ms.is_none() && self.outstanding == 0 && self.unstored == 0
    }

    /// When to look again.
    pub(in super::super) fn again_ms(&self) -> Option<u64> {
        self.again_ms
    }

    /// The clock has come this far.
    pub(in super::super) fn tick(&mut self, now_ms: u64) {
        if self.again_ms.is_some_and(|at| at <= now_ms) {
            self.look();
        }
    }

    /// Something may be wanted.
    pub(super) fn look(&mut self) {
        self.due = true;
        self.again_ms = None;
    }

    /// What is wanted was looked for: anything, and when to look again.
    pub(super) fn looked(&mut self, again_ms: Option<u64>, found: bool) {
        self.due = found;
        self.again_ms = again_ms;
    }

    /// Asks for pieces; returns the frames.
    pub(super) fn ask(&mut self, wanted: WantedPieces) -> Vec<WantFrame> {
        let WantedPieces {
            name,
            shape,
            numbers,
        } = wanted;
        let mut frames = Vec::new();
        for spans in spans(&numbers).chunks(WANTED_SPANS_A_FRAME) {
            let open: BTreeSet<u32> = spans.iter().flat_map(Span::numbers).collect();
            let number = self.next;
            self.next = self.next.wrapping_add(1);
            self.outstanding = self.outstanding.saturating_add(open.len());
            self.asked.insert(number, Asked { name, shape, open });
            frames.push(WantFrame {
                number,
                name,
                length: shape.length(),
                pieces: spans.to_vec(),
            });
        }
        frames
    }

    /// Takes the first fragment of a piece; returns the piece when it is whole.
    pub(super) fn piece(&mut self, frame: PieceFrame) -> Result<Option<Effect>, SyncError> {
        let unasked = SyncError::UnaskedPiece { piece: frame.piece };
        let asked = self
            .asked
            .get(&frame.number)
            .ok_or_else(|| unasked.clone())?;
        if !asked.open.contains(&frame.piece) {
            return Err(unasked);
        }
        let size = usize::try_from(frame.size).unwrap_or(usize::MAX);
        let right = asked.shape.size_of(frame.piece) == Some(size);
        let fits = !frame.bytes.is_empty() && frame.bytes.len() <= size;
        if self.partial.is_some() || !right || !fits {
            return Err(SyncError::Fragments);
        }
        self.keep(Partial {
            number: frame.number,
            piece: frame.piece,
            size,
            bytes: frame.bytes,
        })
    }

    /// Takes a further fragment; returns the piece when it is whole.
    pub(super) fn rest(&mut self, bytes: &[u8]) -> Result<Option<Effect>, SyncError> {
        let mut partial = self.partial.take().ok_or(SyncError::Fragments)?;
        let room = partial.size.saturating_sub(partial.bytes.len());
        if bytes.is_empty() || bytes.len() > room {
            return Err(SyncError::Fragments);
        }
        partial.bytes.extend_from_slice(bytes);
        self.keep(partial)
    }

    fn keep(&mut self, partial: Partial) -> Result<Option<Effect>, SyncError> {
        if partial.bytes.len() < partial.size {
            self.partial = Some(partial);
            return Ok(None);
        }
        let name = self.close(partial.number, partial.piece)?;
        self.unstored = self.unstored.saturating_add(1);
        Ok(Some(Effect::Piece {
            name,
            number: partial.piece,
            bytes: partial.bytes,
        }))
    }

    /// A piece is not waited for any more.
    fn close(&mut self, number: u32, piece: u32) -> Result<AttachmentName, SyncError> {
        let unasked = SyncError::UnaskedPiece { piece };
        let asked = self.asked.get_mut(&number).ok_or_else(|| unasked.clone())?;
        if !asked.open.remove(&piece) {
            return Err(unasked);
        }
        let name = asked.name;
        if asked.open.is_empty() {
            self.asked.remove(&number);
        }
        self.outstanding = self.outstanding.saturating_sub(1);
        Ok(name)
    }

    /// The peer does not have these pieces for us. A piece that was on its way is forgotten.
    pub(super) fn lack(&mut self, frame: &LackFrame) -> Result<Effect, SyncError> {
        let mut pieces = Vec::new();
        let mut name = None;
        for piece in frame.pieces.iter().flat_map(Span::numbers) {
            name = Some(self.close(frame.number, piece)?);
            pieces.push(piece);
        }
        let name = name.ok_or(SyncError::Fragments)?;
        let is_lacking =
            |partial: &Partial| partial.number == frame.number && pieces.contains(&partial.piece);
        if self.partial.as_ref().is_some_and(is_lacking) {
            self.partial = None;
        }
        self.look();
        Ok(Effect::PiecesLacking { name, pieces })
    }

    /// The next `pieces` delivered pieces are kept.
    pub(super) fn stored(&mut self, pieces: usize) -> Result<(), SyncError> {
        let rest = self.unstored.checked_sub(pieces);
        self.unstored = rest.ok_or_else(|| SyncError::StoredTooMany {
            stored: u64::try_from(pieces).unwrap_or(u64::MAX),
            delivered: u64::try_from(self.unstored).unwrap_or(u64::MAX),
        })?;
        self.look();
        Ok(())
    }
}

/// Ascending numbers as spans.
pub(super) fn spans(numbers: &[u32]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for number in numbers {
        match spans.last_mut() {
            Some(last) if last.first.checked_add(last.count) == Some(*number) => {
                last.count = last.count.saturating_add(1);
            }
            _ => spans.push(Span {
                first: *number,
                count: 1,
            }),
        }
    }
    spans
}
