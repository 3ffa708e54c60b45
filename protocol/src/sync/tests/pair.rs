//! Two sessions on a simulated link: latency, rate, pieces of any size, cuts. Time is stepped.

use std::collections::VecDeque;

use super::store::{Identity, Store, id_of, is_genuine};
use crate::attachment::AttachmentName;
use crate::reconcile::{Cursor, ItemId};
use crate::sync::{
    CloseReason, Effect, Event, Holdings, Patience, Refusal, Report, Role, Session, Setup,
    SyncError, Tier,
};

/// More steps than any test needs: a livelock ends here.
const MOST_STEPS: usize = 200_000;

pub(super) const A: usize = 0;
pub(super) const B: usize = 1;

/// One end: a node with its store, a session while connected, and what is under way to it.
pub(super) struct End {
    pub(super) identity: Identity,
    pub(super) store: Store,
    pub(super) session: Option<Session>,
    /// Pieces of the stream with the time of their arrival.
    inbox: VecDeque<(u64, Vec<u8>)>,
    /// The most bytes that were ever under way to this end.
    pub(super) most_under_way: usize,
    /// When the link towards this end is free again.
    busy_until: u64,
    /// Delivered items with the time at which they are durable.
    unstored: VecDeque<(u64, Vec<u8>)>,
    /// Delivered pieces of attachments with the time at which they are durable.
    unstored_pieces: VecDeque<(u64, AttachmentName, u32, Vec<u8>)>,
    wake_at: u64,
    /// Ids of items in the order of their delivery, with the time.
    pub(super) delivered: Vec<(u64, ItemId)>,
    pub(super) reports: Vec<Report>,
    pub(super) closed: Option<CloseReason>,
    pub(super) behind: bool,
    /// All bytes that this end sent over the present connection.
    pub(super) sent: Vec<u8>,
    pub(super) refuse: Option<Refusal>,
    /// What is written once both stores are equal, because they are.
    pub(super) word: Option<Vec<u8>>,
}

pub(super) struct Pair {
    pub(super) now: u64,
    pub(super) latency_ms: u64,
    /// Bytes a millisecond each way; 0 is no limit.
    pub(super) rate: u64,
    /// Bytes of a piece at most.
    pub(super) piece: usize,
    /// How long storing takes.
    pub(super) store_ms: u64,
    /// A bit to flip: on the way to which end, at which byte of the stream, which bit.
    pub(super) flip: Option<(usize, usize, u8)>,
    /// How long each end waits for what.
    pub(super) patience: [Patience; 2],
    /// Whether no store has lost anything: then a cursor covers only what is durable.
    pub(super) sound: bool,
    pub(super) ends: [End; 2],
}

impl Pair {
    /// Two nodes that know each other and have exchanged nothing.
    pub(super) fn new() -> Self {
        let identities = [Identity::new(1), Identity::new(2)];
        let [a, b] = &identities;
        let mut stores = [
            Store::new(a.pair_key(&b.node.id()), 11),
            Store::new(b.pair_key(&a.node.id()), 22),
        ];
        stores[A].known_clinics.insert(b.clinic());
        stores[B].known_clinics.insert(a.clinic());
        let mut stores = stores.into_iter();
        let ends = identities.map(|identity| End {
            identity,
            store: stores.next().unwrap(),
            session: None,
            inbox: VecDeque::new(),
            most_under_way: 0,
            busy_until: 0,
            unstored: VecDeque::new(),
            unstored_pieces: VecDeque::new(),
            wake_at: u64::MAX,
            delivered: Vec::new(),
            reports: Vec::new(),
            closed: None,
            behind: false,
            sent: Vec::new(),
            refuse: None,
            word: None,
        });
        Self {
            now: 1_000,
            latency_ms: 50,
            rate: 0,
            piece: 1400,
            store_ms: 3,
            flip: None,
            patience: [Patience::default(); 2],
            sound: false,
            ends,
        }
    }

    /// Two nodes that are in sync already, with `count` records each, and not connected.
    pub(super) fn in_sync(count: usize) -> Self {
        let mut pair = Self::new();
        for at in 0..count {
            for end in [A, B] {
                pair.ends[end]
                    .store
                    .accept(super::store::record(1, &format!("{end}/{at}"), 300));
            }
        }
        pair.connect();
        pair.drive();
        pair.assert_in_sync();
        pair.cut();
        pair
    }

    pub(super) fn setup(&self, end: usize) -> Setup {
        let us = &self.ends[end].identity;
        let peer = self.ends[1 - end].identity.node.id();
        Setup {
            role: if end == A {
                Role::Dialer
            } else {
                Role::Listener
            },
            peer,
            pair_key: us.pair_key(&peer),
            certificate: us.certificate.clone(),
            patience: self.patience[end],
        }
    }

    /// Opens a connection.
    pub(super) fn connect(&mut self) {
        for end in [A, B] {
            let setup = self.setup(end);
            let now = self.now;
            let it = &mut self.ends[end];
            it.session = Some(Session::new(setup));
            it.reports.clear();
            it.closed = None;
            it.sent.clear();
            it.delivered.clear();
            it.store.shelf.begin_session();
            it.busy_until = now;
        }
        self.event(A, Event::Opened);
        self.event(B, Event::Opened);
    }

    /// Cuts the connection: what is under way or not durable is lost.
    pub(super) fn cut(&mut self) {
        for end in &mut self.ends {
            end.session = None;
            end.inbox.clear();
            end.unstored.clear();
            end.unstored_pieces.clear();
            end.wake_at = u64::MAX;
        }
    }

    /// Gives an event to one end and carries out the effects.
    pub(super) fn event(&mut self, end: usize, event: Event<'_>) {
        let now = self.now;
        let it = &mut self.ends[end];
        let Some(mut session) = it.session.take() else {
            return;
        };
        it.store.time = now;
        let effects = session.handle(now, event, &it.store);
        it.session = Some(session);
        let in_sync = effects
            .iter()
            .any(|effect| matches!(effect, Effect::InSync(_)));
        for effect in effects {
            self.apply(end, effect);
        }
        if in_sync {
            if let Some(bytes) = self.ends[end].word.take() {
                self.ends[end].store.accept(bytes);
            }
            self.event(end, Event::NewItems);
        }
    }

    fn apply(&mut self, end: usize, effect: Effect) {
        self.ends[end].store.apply(&effect);
        match effect {
            Effect::Send(bytes) => self.send(end, &bytes),
            Effect::Deliver { bytes, .. } => {
                let durable = self.now + self.store_ms;
                let it = &mut self.ends[end];
                it.delivered.push((self.now, id_of(&bytes)));
                it.unstored.push_back((durable, bytes));
            }
            Effect::Piece {
                name,
                number,
                bytes,
            } => {
                let durable = self.now + self.store_ms;
                let waiting = &mut self.ends[end].unstored_pieces;
                waiting.push_back((durable, name, number, bytes));
            }
            Effect::InSync(report) => self.ends[end].reports.push(report),
            Effect::WakeAt { at_ms } => self.ends[end].wake_at = at_ms,
            Effect::Close(reason) => self.ends[end].closed = Some(reason),
            Effect::StoreIsBehind { .. } => self.ends[end].behind = true,
            Effect::CursorAdvanced(cursor) if self.sound => self.assert_covered(end, cursor),
            Effect::PeerIdentified(_)
            | Effect::Certificate(_)
            | Effect::Revocation(_)
            | Effect::CursorAdvanced(_)
            | Effect::PiecesLacking { .. }
            | Effect::AttachmentsTold { .. }
            | Effect::PeerAcknowledged(_)
            | Effect::PeerHolds(_) => {}
        }
    }

    /// Everything of the peer's feed that a cursor covers is durable.
    fn assert_covered(&self, end: usize, cursor: Cursor) {
        let [us, peer] = [end, 1 - end].map(|end| &self.ends[end].store);
        assert_eq!(cursor.incarnation, peer.incarnation());
        for id in peer.shared_upto(cursor.number.value()) {
            assert!(
                us.has_id(&id),
                "{id} is covered by {cursor:?} and not stored"
            );
        }
    }

    fn send(&mut self, end: usize, bytes: &[u8]) {
        let start = self.ends[end].sent.len();
        self.ends[end].sent.extend_from_slice(bytes);
        let mut bytes = bytes.to_vec();
        if let Some((towards, at, bit)) = self.flip
            && towards == 1 - end
            && let Some(byte) = at.checked_sub(start).and_then(|at| bytes.get_mut(at))
        {
            *byte ^= 1 << bit;
        }
        let to = &mut self.ends[1 - end];
        for piece in bytes.chunks(self.piece) {
            let takes = (piece.len() as u64).checked_div(self.rate).unwrap_or(0);
            to.busy_until = to.busy_until.max(self.now) + takes;
            to.inbox
                .push_back((to.busy_until + self.latency_ms, piece.to_vec()));
        }
        let under_way = to.inbox.iter().map(|(_, piece)| piece.len()).sum();
        to.most_under_way = to.most_under_way.max(under_way);
    }

    /// When the next thing happens, without timers.
    fn next_traffic(&self) -> Option<u64> {
        let of = |end: &End| {
            let arrival = end.inbox.front().map(|(at, _)| *at);
            let piece = end.unstored_pieces.front().map(|(at, ..)| *at);
            let stored = end.unstored.front().map(|(at, _)| *at);
            arrival.into_iter().chain(stored).chain(piece).min()
        };
        self.ends.iter().filter_map(of).min()
    }

    /// Lets happen what is due now.
    fn happen(&mut self) {
        for end in [A, B] {
            let now = self.now;
            while let Some((at, _)) = self.ends[end].inbox.front()
                && *at <= now
            {
                let (_, piece) = self.ends[end].inbox.pop_front().unwrap();
                self.event(end, Event::Received(&piece));
            }
            let mut items = 0;
            while let Some((at, _)) = self.ends[end].unstored.front()
                && *at <= now
            {
                let (_, bytes) = self.ends[end].unstored.pop_front().unwrap();
                let bad = (!is_genuine(&bytes)).then_some(Refusal::BadSignature);
                if let Some(refusal) = self.ends[end].refuse.take().or(bad) {
                    self.event(end, Event::Refused(refusal));
                    break;
                }
                let it = &mut self.ends[end];
                it.store.peer_has.insert(id_of(&bytes));
                it.store.accept(bytes);
                items += 1;
            }
            if items > 0 {
                self.event(end, Event::Stored { items });
            }
            self.keep_pieces(end);
        }
    }

    /// Keeps the pieces that are durable by now.
    fn keep_pieces(&mut self, end: usize) {
        let (now, mut pieces) = (self.now, 0);
        while let Some((at, ..)) = self.ends[end].unstored_pieces.front()
            && *at <= now
        {
            let it = &mut self.ends[end];
            let (_, name, number, bytes) = it.unstored_pieces.pop_front().unwrap();
            it.store.shelf.store(&name, number, &bytes).unwrap();
            pieces += 1;
        }
        if pieces > 0 {
            self.event(end, Event::PiecesStored { pieces });
        }
    }

    /// Lets time pass until nothing is under way. Timers do not fire.
    pub(super) fn drive(&mut self) {
        for _ in 0..MOST_STEPS {
            let Some(at) = self.next_traffic() else {
                return;
            };
            self.now = self.now.max(at);
            self.happen();
        }
        panic!("it does not end");
    }

    /// Lets time pass, timers included, until `until`.
    pub(super) fn run_until(&mut self, until: u64) {
        for _ in 0..MOST_STEPS {
            let wakes = self.ends.iter().map(|end| end.wake_at).min().unwrap();
            let at = self.next_traffic().unwrap_or(u64::MAX).min(wakes);
            if at > until {
                self.now = until;
                return;
            }
            self.now = self.now.max(at);
            self.happen();
            for end in [A, B] {
                if self.ends[end].wake_at <= self.now {
                    self.ends[end].wake_at = u64::MAX;
                    self.event(end, Event::Tick);
                }
            }
        }
        panic!("it does not end");
    }

    /// A write at one end, while connected or not.
    pub(super) fn write(&mut self, end: usize, bytes: Vec<u8>) {
        self.ends[end].store.accept(bytes);
        self.event(end, Event::NewItems);
    }

    pub(super) fn assert_in_sync(&self) {
        for end in &self.ends {
            assert_eq!(end.closed, None);
            assert!(end.session.as_ref().unwrap().standpoint().in_sync);
            assert_eq!(end.session.as_ref().unwrap().standpoint().owed_out, 0);
        }
        self.assert_equal();
    }

    pub(super) fn assert_equal(&self) {
        let [a, b] = &self.ends;
        assert_eq!(a.store.shared_ids(), b.store.shared_ids());
        assert_eq!(a.store.digests(), b.store.digests());
    }

    pub(super) fn report(&self, end: usize) -> Report {
        *self.ends[end].reports.last().expect("a report")
    }

    pub(super) fn tiers(&self) -> [Tier; 2] {
        [self.report(A).tier, self.report(B).tier]
    }

    pub(super) fn error(&self, end: usize) -> SyncError {
        match &self.ends[end].closed {
            Some(CloseReason::Failed(error)) => error.clone(),
            other => panic!("no error: {other:?}"),
        }
    }
}
