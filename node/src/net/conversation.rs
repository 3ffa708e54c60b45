//! One session with a peer and the store that it works on: what a driver does for any stream,
//! without the stream, a clock or a thread.
//!
//! It carries out what the session wants of the store by itself and hands the rest to whoever
//! drives it, as [`Act`]s.

use chartmesh_protocol::sync::{CloseCode, CloseReason, Effect, Event, Report, Session, SyncError};
use thiserror::Error;

use crate::clinic::{ClinicError, Delivery, PeerStore, PieceDelivery, Refused};

/// What a conversation wants done outside of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Write these bytes to the stream.
    Send(Vec<u8>),
    /// The peer has said who it is: the stream is in use.
    Identified,
    /// Both stores were found equal.
    InSync(Report),
    /// Send [`Event::Tick`] at this time, on the clock of [`Conversation::handle`], in
    /// milliseconds; it replaces the one before.
    WakeAt(u64),
}

/// Why a conversation is over.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Ending {
    /// The session ended.
    #[error("{}", close_text(.0))]
    Closed(CloseReason),
    /// What the peer sent was refused, or could not be stored.
    #[error(transparent)]
    Refused(Refused),
    /// Our store had lost what the peer once got of it, as one does that comes out of a backup. It
    /// has a new incarnation now, by which the next session goes.
    #[error("this node was put back from a backup: both stores are compared anew")]
    BeginsAnew,
    /// The store failed: going on would promise what is not kept.
    #[error(transparent)]
    Store(#[from] ClinicError),
}

impl Ending {
    /// Whether nothing was left to do on a link that is not kept.
    pub(super) fn is_visit_over(&self) -> bool {
        let over = |reason: &CloseReason| {
            let by_peer = CloseReason::ByPeer(CloseCode::VisitOver);
            matches!(reason, CloseReason::VisitOver) || *reason == by_peer
        };
        matches!(self, Self::Closed(reason) if over(reason))
    }

    /// Whether the peer was silent for too long.
    pub(super) fn is_stall(&self) -> bool {
        let stalled = |error: &SyncError| matches!(error, SyncError::Stalled { .. });
        matches!(self, Self::Closed(CloseReason::Failed(error)) if stalled(error))
    }
}

/// One session with a peer and the store that it works on.
pub struct Conversation<S> {
    session: Session,
    store: S,
    deliveries: Vec<Delivery>,
    pieces: Vec<PieceDelivery>,
    acts: Vec<Act>,
    over: Option<Ending>,
}

impl<S: PeerStore> Conversation<S> {
    /// A conversation that waits for [`Event::Opened`].
    #[must_use]
    pub fn new(session: Session, store: S) -> Self {
        Self {
            session,
            store,
            deliveries: Vec::new(),
            pieces: Vec::new(),
            acts: Vec::new(),
            over: None,
        }
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The store as the peer sees it.
    #[must_use]
    pub fn peer_store(&self) -> &S {
        &self.store
    }

    /// Why it is over, if it is. Write what was to be sent before, then close the stream.
    #[must_use]
    pub fn over(&self) -> Option<&Ending> {
        self.over.as_ref()
    }

    /// Takes one event at `now_ms` (milliseconds on any clock that never goes back) and returns
    /// what is to be done. After bytes were received, call [`settle`](Self::settle): what is
    /// received in between is stored in one commit.
    pub fn handle(&mut self, now_ms: u64, event: Event<'_>) -> Vec<Act> {
        self.take(now_ms, event);
        std::mem::take(&mut self.acts)
    }

    /// Stores what was delivered, in one commit, and tells the session.
    pub fn settle(&mut self, now_ms: u64) -> Vec<Act> {
        while !self.deliveries.is_empty() && self.over.is_none() {
            let deliveries = std::mem::take(&mut self.deliveries);
            let Err(refused) = self.store.store(&deliveries) else {
                let items = deliveries.len();
                self.take(now_ms, Event::Stored { items });
                continue;
            };
            if refused.stored > 0 {
                let items = refused.stored;
                self.take(now_ms, Event::Stored { items });
            }
            self.take(now_ms, Event::Refused(refused.refusal()));
            // What it builds on may have been missed: everything is compared next time.
            self.note(PeerStore::forget_cursor);
            // A fault of ours is none that the session knows of.
            self.over = Some(Ending::Refused(refused));
        }
        self.settle_pieces(now_ms);
        std::mem::take(&mut self.acts)
    }

    /// Keeps pieces of attachments, after all items.
    fn settle_pieces(&mut self, now_ms: u64) {
        if self.pieces.is_empty() || self.over.is_some() {
            return;
        }
        let pieces = std::mem::take(&mut self.pieces);
        match self.store.store_pieces(&pieces) {
            Ok(()) => {
                let pieces = pieces.len();
                self.take(now_ms, Event::PiecesStored { pieces });
            }
            Err(refused) => {
                self.take(now_ms, Event::Refused(refused.refusal()));
                self.over = Some(Ending::Refused(refused));
            }
        }
    }

    fn take(&mut self, now_ms: u64, event: Event<'_>) {
        let knew_peer = self.store.knows_peer();
        let effects = self.session.handle(now_ms, event, &self.store);
        let is_behind = |effect: &Effect| matches!(effect, Effect::StoreIsBehind { .. });
        let begins_anew = effects.iter().any(is_behind);
        let is_in_sync = |effect: &Effect| matches!(effect, Effect::InSync(_));
        let in_sync = effects.iter().any(is_in_sync);
        self.carry_out_all(effects);
        if in_sync && self.over.is_none() {
            // What was put down with it may be news to the peer.
            let effects = self.session.handle(now_ms, Event::NewItems, &self.store);
            self.carry_out_all(effects);
        }
        if !knew_peer && self.store.knows_peer() && self.over.is_none() {
            // Our HELLO was of a store that shares nothing: two such stores are equal.
            let event = Event::SyncRequested;
            let effects = self.session.handle(now_ms, event, &self.store);
            self.carry_out_all(effects);
        }
        if begins_anew && self.over.is_none() {
            let effects = self.session.handle(now_ms, Event::Shutdown, &self.store);
            self.carry_out_all(effects);
            self.over = Some(Ending::BeginsAnew);
        }
    }

    fn carry_out_all(&mut self, effects: Vec<Effect>) {
        effects
            .into_iter()
            .for_each(|effect| self.carry_out(effect));
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send(bytes) => self.acts.push(Act::Send(bytes)),
            Effect::Deliver { kind, bytes } => self.deliveries.push(Delivery { kind, bytes }),
            Effect::Piece {
                name,
                number,
                bytes,
            } => self.pieces.push(PieceDelivery {
                name,
                number,
                bytes,
            }),
            Effect::PiecesLacking { name, pieces } => self.store.pieces_lacking(name, &pieces),
            Effect::AttachmentsTold { held, lacking } => {
                self.note(|store| store.attachments_told(&held, &lacking));
            }
            Effect::PeerIdentified(peer) => {
                self.acts.push(Act::Identified);
                self.note(|store| store.identified(&peer));
            }
            Effect::Certificate(bytes) => {
                if let Err(error) = self.store.certificate_came(&bytes) {
                    tracing::warn!(%error, "a certificate was not kept");
                }
            }
            Effect::Revocation(bytes) => self.note(|store| store.revocation_came(&bytes)),
            Effect::CursorAdvanced(cursor) => self.note(|store| store.advance(cursor)),
            Effect::PeerAcknowledged(feeds) => self.note(|store| store.acknowledged(&feeds)),
            Effect::PeerHolds(upto) => self.note(|store| store.peer_holds(upto)),
            Effect::StoreIsBehind { seen } => self.note(|store| store.store_is_behind(seen)),
            Effect::InSync(report) => {
                self.note(PeerStore::confirmed);
                self.acts.push(Act::InSync(report));
            }
            Effect::WakeAt { at_ms } => self.acts.push(Act::WakeAt(at_ms)),
            Effect::Close(reason) => {
                if reason == CloseReason::ByPeer(CloseCode::QuotaUsed) {
                    self.store.is_full();
                }
                self.over = Some(Ending::Closed(reason));
            }
        }
    }

    /// Writes down what the session noted. A store that fails ends the session: going on would
    /// promise what is not kept.
    fn note(&mut self, write: impl FnOnce(&S) -> Result<(), ClinicError>) {
        if let Err(error) = write(&self.store) {
            self.over = Some(error.into());
        }
    }
}

/// What to do about a clinic to which only one side has added the other.
const NOT_KNOWN_THERE: &str = "it does not know this clinic yet: send it the line that \
    `chartmesh id --card-only` prints, for its own `chartmesh peer add`";

fn close_text(reason: &CloseReason) -> String {
    match reason {
        CloseReason::Finished => "the session ended".to_owned(),
        CloseReason::VisitOver => CloseCode::VisitOver.to_string(),
        CloseReason::ByPeer(CloseCode::NotKnown) => NOT_KNOWN_THERE.to_owned(),
        CloseReason::ByPeer(code) => code.to_string(),
        CloseReason::Failed(error) => error.to_string(),
    }
}
