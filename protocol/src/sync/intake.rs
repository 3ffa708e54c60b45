//! What comes in after the greeting: items, acknowledgements, heartbeats.

use super::effect::Effect;
use super::error::SyncError;
use super::frame::Frame;
use super::holdings::Holdings;
use super::item::ItemKind;
use super::session::{Phase, Session};
use crate::reconcile::{Cursor, FeedNumber};

impl Session {
    /// Takes a frame that has its place at any time after the greeting.
    pub(super) fn take_open_frame(&mut self, now_ms: u64, frame: Frame) -> Result<(), SyncError> {
        let frame_type = frame.frame_type();
        match frame {
            Frame::Ping => {
                Frame::Pong.write(&mut self.out);
                Ok(())
            }
            Frame::Pong if self.pulse.answered() => Ok(()),
            Frame::Certificate(bytes) => {
                self.effects.push(Effect::Certificate(bytes));
                Ok(())
            }
            Frame::Item(item) => {
                let whole = self.receiver.item(item)?;
                self.deliver(whole);
                Ok(())
            }
            Frame::More(more) => {
                let whole = self.receiver.more(more)?;
                self.deliver(whole);
                Ok(())
            }
            Frame::Drop(lane) => self.receiver.forget(lane),
            Frame::Ack(ack) => {
                let feeds = self.sender.acknowledge(ack, now_ms)?;
                if !feeds.is_empty() {
                    self.effects.push(Effect::PeerAcknowledged(feeds));
                }
                Ok(())
            }
            Frame::Sent(upto) => self.take_sent(upto),
            Frame::Want(want) => self.serving.want(&want),
            Frame::Piece(piece) => self.take_piece(piece),
            Frame::Rest(bytes) => self.take_rest(&bytes),
            Frame::Lack(lack) => self.take_lack(&lack),
            Frame::Ask(ask) => self.telling.take_question(&ask),
            Frame::Held(held) => self.take_held(&held),
            Frame::Enough => {
                self.enough_heard = true;
                Ok(())
            }
            Frame::Hello(_)
            | Frame::Revocation(_)
            | Frame::Settled
            | Frame::Digest(_)
            | Frame::Refresh(_)
            | Frame::Ranges(_)
            | Frame::Symbols(_)
            | Frame::Further(_)
            | Frame::Wanted(_)
            | Frame::Pong
            | Frame::Close(_) => Err(SyncError::Unexpected {
                frame: frame_type,
                phase: self.phase.name(),
            }),
        }
    }

    /// Hands a whole item to the node.
    fn deliver(&mut self, whole: Option<(ItemKind, Vec<u8>)>) {
        if let Some((kind, bytes)) = whole {
            self.traffic.count_received(kind);
            self.effects.push(Effect::Deliver { kind, bytes });
        }
    }

    /// The peer has sent everything up to `upto` of its feed.
    fn take_sent(&mut self, upto: FeedNumber) -> Result<(), SyncError> {
        if let Phase::Exchange(round) = &mut self.phase {
            round.take_sent()?;
        }
        if let Some(upto) = self.receiver.mark(upto) {
            self.advance_cursor(upto);
        }
        Ok(())
    }

    /// The next delivered items are durable: acknowledges them and moves the cursor.
    pub(super) fn stored(
        &mut self,
        now_ms: u64,
        items: usize,
        holdings: &dyn Holdings,
    ) -> Result<(), SyncError> {
        self.pulse.useful(now_ms);
        let progress = self.receiver.store(items)?;
        if let Some(ack) = self.receiver.acknowledgement() {
            Frame::Ack(ack).write(&mut self.out);
        }
        if let Some(upto) = progress.upto {
            self.advance_cursor(upto);
        }
        if progress.statements {
            self.check_standing(holdings)?;
            self.news = true;
            self.recheck(holdings);
        }
        Ok(())
    }

    /// Stops sending what the peer may not have any more.
    pub(super) fn recheck(&mut self, holdings: &dyn Holdings) {
        self.sender.recheck(holdings, &mut self.out);
        self.serving.recheck(holdings, &mut self.out);
    }

    /// Everything of the peer's feed up to `upto` is durable here.
    pub(super) fn advance_cursor(&mut self, upto: FeedNumber) {
        let Some(hellos) = &self.hellos else {
            return;
        };
        let incarnation = hellos.theirs.standing.incarnation;
        let cursor = Some(Cursor {
            incarnation,
            number: upto,
        });
        if self.cursor != cursor {
            self.cursor = cursor;
            self.effects.extend(cursor.map(Effect::CursorAdvanced));
        }
    }
}
