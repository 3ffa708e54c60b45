//! Attachments in a session: asked for piece by piece, sent when nothing else is to be sent.
//!
//! ```text
//!   in sync:  WANT [number, name, length, spans] -->
//!                                   <-- PIECE [number, piece, size, bytes] REST [bytes] ..
//!                                   <-- LACK [number, spans]     not here, or not for this clinic
//! ```
//!
//! Nothing here is part of the feed, the digests or the cursors: each side works out what it lacks
//! of the records that it has, and asks. The asked side looks at consent when a piece is about to
//! be sent, and again while it is on its way. A piece that was asked for and is not to be had is
//! said not to be, and is not asked for again in this session. What came before a cut is kept: the
//! next session asks for the rest.
//!
//! Fragments of pieces share the window of the items, and wait while any lane has anything to
//! send: a visit note waits behind no more of a scan than is on its way already.
//!
//! Who has saved an attachment wants to know whether it has arrived, which may be by another way:
//!
//! ```text
//!   in sync:  ASK [number, names with lengths] -->
//!                                   <-- HELD [number, places of what is held whole], at once
//!                                   <-- HELD [number, places]   when more has become whole
//! ```
//!
//! A session that ends once the stores are equal (a visit) waits for ENOUGH of the peer, which says
//! that it asks for nothing more.

mod asking;
mod serving;
mod telling;

pub(super) use asking::Asking;
pub use asking::{Wanted, WantedPieces};
pub(super) use serving::Serving;
pub(super) use telling::Telling;

use super::effect::Effect;
use super::error::SyncError;
use super::frame::Frame;
use super::hello::{KNOWS_ATTACHMENTS, KNOWS_QUESTIONS};
use super::holdings::Holdings;
use super::limits::{ASK_BELOW_PIECES, ASKED_MOST_PIECES, LOOK_AGAIN_MS};
use super::payload::{HeldFrame, LackFrame, PieceFrame};
use super::session::{Phase, Role, Session};

impl Session {
    /// Whether the peer reads the frames of attachments.
    fn peer_knows_attachments(&self) -> bool {
        self.peer_knows(KNOWS_ATTACHMENTS)
    }

    fn peer_knows(&self, what: u8) -> bool {
        let knows = self.hellos.and_then(|hellos| hellos.theirs.knows);
        knows.is_some_and(|knows| knows & what != 0)
    }

    /// Asks whether the peer holds what was saved here, and tells it what it asked.
    pub(super) fn tell_of_attachments(&mut self, holdings: &dyn Holdings) {
        for held in self.telling.tell(holdings) {
            Frame::Held(held).write(&mut self.out);
        }
        if self.peer_knows(KNOWS_QUESTIONS) {
            for ask in self.telling.ask(holdings) {
                Frame::Ask(ask).write(&mut self.out);
            }
        } else {
            self.telling.give_up();
        }
    }

    /// The peer holds some of what it was asked about.
    pub(super) fn take_held(&mut self, frame: &HeldFrame) -> Result<(), SyncError> {
        let (held, lacking) = self.telling.take_answer(frame)?;
        self.effects.push(Effect::AttachmentsTold { held, lacking });
        Ok(())
    }

    /// Asks for what is wanted, as long as little enough is on its way.
    pub(super) fn ask_for_pieces(&mut self, now_ms: u64, holdings: &dyn Holdings) {
        if !self.peer_knows_attachments() {
            self.asking.looked(None, false);
            return;
        }
        if self.asking.is_due() && self.asking.outstanding() <= ASK_BELOW_PIECES {
            let room = ASKED_MOST_PIECES.saturating_sub(self.asking.outstanding());
            let Wanted { pieces, more } = holdings.wanted(room);
            let again_ms = more.then(|| now_ms.saturating_add(LOOK_AGAIN_MS));
            self.asking.looked(again_ms, !pieces.is_empty());
            for wanted in pieces {
                for want in self.asking.ask(wanted) {
                    Frame::Want(want).write(&mut self.out);
                    self.enough_said = false;
                }
            }
        }
        let listens = self.setup.role == Role::Listener;
        if listens && self.pulse.is_visit() && !self.enough_said && self.asking.is_over() {
            Frame::Enough.write(&mut self.out);
            self.enough_said = true;
        }
    }

    /// Pieces were sent to the peer: once it has all that it asked for, it may hold what it was not
    /// asked about since it lacked it. Says whether that is to be asked now.
    pub(super) fn has_given(&mut self) -> bool {
        let is_live = matches!(self.phase, Phase::Live);
        if !is_live || !self.serving.is_over() {
            return false;
        }
        self.telling.look();
        true
    }

    /// Whether the peer, whom we visit, may still ask for something.
    pub(super) fn may_be_asked(&self) -> bool {
        self.pulse.is_visit()
            && self.setup.role == Role::Dialer
            && self.peer_knows_attachments()
            && !self.enough_heard
    }

    /// Whether nothing of attachments is under way, either way.
    pub(super) fn is_done_with_attachments(&self) -> bool {
        self.asking.is_over()
            && self.serving.is_over()
            && self.telling.is_over()
            && !self.may_be_asked()
    }

    /// Takes the first fragment of a piece.
    pub(super) fn take_piece(&mut self, frame: PieceFrame) -> Result<(), SyncError> {
        self.receiver.count(frame.bytes.len());
        let whole = self.asking.piece(frame)?;
        self.deliver_piece(whole);
        Ok(())
    }

    /// Takes a further fragment of a piece.
    pub(super) fn take_rest(&mut self, bytes: &[u8]) -> Result<(), SyncError> {
        self.receiver.count(bytes.len());
        let whole = self.asking.rest(bytes)?;
        self.deliver_piece(whole);
        Ok(())
    }

    fn deliver_piece(&mut self, whole: Option<Effect>) {
        if let Some(effect) = whole {
            self.traffic.pieces_received = self.traffic.pieces_received.saturating_add(1);
            self.effects.push(effect);
        }
    }

    /// The peer does not have these pieces, or not for us.
    pub(super) fn take_lack(&mut self, frame: &LackFrame) -> Result<(), SyncError> {
        let lacking = self.asking.lack(frame)?;
        self.effects.push(lacking);
        Ok(())
    }

    /// The next `pieces` delivered pieces are kept.
    pub(super) fn pieces_stored(&mut self, now_ms: u64, pieces: usize) -> Result<(), SyncError> {
        self.pulse.useful(now_ms);
        self.telling.look();
        self.asking.stored(pieces)
    }

    /// Something may be wanted that was not before, such as that of a record that came.
    pub(super) fn look_for_pieces(&mut self) {
        self.asking.look();
        self.telling.look();
    }
}
