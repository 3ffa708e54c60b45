//! Pieces of attachments in a part: each run of them behind the WANT that names them.

use super::super::frame::Frame;
use super::super::payload::{PieceFrame, Span, WantFrame};
use super::Piece;
use crate::attachment::{AttachmentName, Shape};

/// What became of a frame.
pub(super) enum Taken {
    /// It is a part of a piece, or names pieces.
    Nothing,
    /// It was the last part of a piece.
    Piece(Piece),
    /// It has nothing to do with pieces.
    Other(Frame),
}

/// The pieces that are to come next.
struct Run {
    name: AttachmentName,
    shape: Shape,
    next: u32,
    end: u32,
}

/// A piece that has come in part.
struct Partial {
    size: usize,
    bytes: Vec<u8>,
}

/// Reads pieces.
#[derive(Default)]
pub(super) struct PieceReader {
    run: Option<Run>,
    partial: Option<Partial>,
}

impl PieceReader {
    /// Whether no piece has come in part, and none that was named is missing.
    pub(super) fn is_between(&self) -> bool {
        self.run.is_none() && self.partial.is_none()
    }

    /// Takes a frame. An error is one that has no place here.
    pub(super) fn take(&mut self, frame: Frame) -> Result<Taken, ()> {
        if let Frame::Want(want) = frame {
            return self.begin(&want);
        }
        if let Frame::Piece(piece) = frame {
            return self.piece(piece);
        }
        if let Frame::Rest(bytes) = frame {
            let mut partial = self.partial.take().ok_or(())?;
            let room = partial.size.saturating_sub(partial.bytes.len());
            if bytes.is_empty() || bytes.len() > room {
                return Err(());
            }
            partial.bytes.extend_from_slice(&bytes);
            return self.grow(partial);
        }
        if self.is_between() {
            Ok(Taken::Other(frame))
        } else {
            Err(())
        }
    }

    fn begin(&mut self, want: &WantFrame) -> Result<Taken, ()> {
        let [Span { first, count }] = want.pieces.as_slice() else {
            return Err(());
        };
        let shape = Shape::new(want.length).map_err(|_| ())?;
        let end = first.checked_add(*count).ok_or(())?;
        if !self.is_between() || end > shape.pieces() {
            return Err(());
        }
        self.run = Some(Run {
            name: want.name,
            shape,
            next: *first,
            end,
        });
        Ok(Taken::Nothing)
    }

    fn piece(&mut self, frame: PieceFrame) -> Result<Taken, ()> {
        let run = self.run.as_ref().ok_or(())?;
        let size = usize::try_from(frame.size).map_err(|_| ())?;
        let right = run.next == frame.piece && run.shape.size_of(frame.piece) == Some(size);
        let fits = !frame.bytes.is_empty() && frame.bytes.len() <= size;
        if self.partial.is_some() || !right || !fits {
            return Err(());
        }
        self.grow(Partial {
            size,
            bytes: frame.bytes,
        })
    }

    fn grow(&mut self, partial: Partial) -> Result<Taken, ()> {
        if partial.bytes.len() < partial.size {
            self.partial = Some(partial);
            return Ok(Taken::Nothing);
        }
        let mut run = self.run.take().ok_or(())?;
        let number = run.next;
        run.next = run.next.saturating_add(1);
        let (name, shape) = (run.name, run.shape);
        self.run = (run.next < run.end).then_some(run);
        Ok(Taken::Piece(Piece::Attachment {
            name,
            shape,
            number,
            bytes: partial.bytes,
        }))
    }
}
