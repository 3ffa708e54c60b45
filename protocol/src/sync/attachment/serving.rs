//! The serving half: what the peer has asked for, and the piece that is on its way.

use std::collections::VecDeque;

use super::super::effect::Traffic;
use super::super::error::SyncError;
use super::super::frame::Frame;
use super::super::holdings::Holdings;
use super::super::limits::WANTED_MOST_PIECES;
use super::super::payload::{LackFrame, PieceFrame, Span, WantFrame};
use super::super::window::Window;
use crate::attachment::{AttachmentName, MAX_PIECE_BYTES, Shape};

/// A piece that the peer has asked for.
#[derive(Debug, Clone, Copy)]
struct Request {
    number: u32,
    name: AttachmentName,
    shape: Shape,
    piece: u32,
}

/// A piece on its way.
#[derive(Debug)]
struct Sending {
    request: Request,
    bytes: Vec<u8>,
    offset: usize,
}

/// The serving half of a session.
#[derive(Debug, Default)]
pub(in super::super) struct Serving {
    requests: VecDeque<Request>,
    sending: Option<Sending>,
}

impl Serving {
    /// Whether nothing is asked for.
    pub(in super::super) fn is_over(&self) -> bool {
        self.requests.is_empty() && self.sending.is_none()
    }

    /// Takes what the peer asks for.
    pub(in super::super) fn want(&mut self, frame: &WantFrame) -> Result<(), SyncError> {
        let shape = Shape::new(frame.length).map_err(|_| SyncError::ImpossibleWant)?;
        for piece in frame.pieces.iter().flat_map(Span::numbers) {
            if shape.piece(piece).is_none() || self.requests.len() >= WANTED_MOST_PIECES {
                return Err(SyncError::ImpossibleWant);
            }
            self.requests.push_back(Request {
                number: frame.number,
                name: frame.name,
                shape,
                piece,
            });
        }
        Ok(())
    }

    /// Stops sending what the peer may not have any more.
    pub(in super::super) fn recheck(&mut self, holdings: &dyn Holdings, out: &mut Vec<u8>) {
        let withdrawn = self.sending.take_if(|sending| {
            let Request {
                name, shape, piece, ..
            } = sending.request;
            holdings.piece(&name, shape, piece).is_none()
        });
        if let Some(sending) = withdrawn {
            lack(&sending.request, out);
        }
    }

    /// Sends what the window allows. Returns whether there was more than that.
    pub(in super::super) fn pump(
        &mut self,
        now_ms: u64,
        window: &mut Window,
        holdings: &dyn Holdings,
        traffic: &mut Traffic,
        out: &mut Vec<u8>,
    ) -> bool {
        loop {
            let Some(mut sending) = self.sending.take().or_else(|| self.begin(holdings, out))
            else {
                return false;
            };
            let rest = sending.bytes.get(sending.offset..).unwrap_or_default();
            let bytes = rest.get(..window.fragment()).unwrap_or(rest).to_vec();
            if !window.has_room(bytes.len()) {
                self.sending = Some(sending);
                return true;
            }
            window.send(bytes.len(), now_ms);
            let first = sending.offset == 0;
            sending.offset = sending.offset.saturating_add(bytes.len());
            if first {
                let Request { number, piece, .. } = sending.request;
                Frame::Piece(PieceFrame {
                    number,
                    piece,
                    size: u32::try_from(sending.bytes.len()).unwrap_or(u32::MAX),
                    bytes,
                })
                .write(out);
            } else {
                Frame::Rest(bytes).write(out);
            }
            if sending.offset < sending.bytes.len() {
                self.sending = Some(sending);
            } else {
                traffic.pieces_sent = traffic.pieces_sent.saturating_add(1);
            }
        }
    }

    /// The next piece that the peer may have; says so of those before it that it may not have.
    fn begin(&mut self, holdings: &dyn Holdings, out: &mut Vec<u8>) -> Option<Sending> {
        while let Some(request) = self.requests.pop_front() {
            let found = holdings.piece(&request.name, request.shape, request.piece);
            match found.filter(|bytes| !bytes.is_empty() && bytes.len() <= MAX_PIECE_BYTES) {
                Some(bytes) => {
                    return Some(Sending {
                        request,
                        bytes,
                        offset: 0,
                    });
                }
                None => lack(&request, out),
            }
        }
        None
    }
}

fn lack(request: &Request, out: &mut Vec<u8>) {
    let span = Span {
        first: request.piece,
        count: 1,
    };
    Frame::Lack(LackFrame {
        number: request.number,
        pieces: vec![span],
    })
    .write(out);
}
