//! One end of a session, and a peer that says what it likes.

use super::pair::{B, Pair};
use super::store::{Store, record};
use crate::reconcile::{Cursor, Digest, FeedNumber, SharedDigests, StoreIncarnation};
use crate::sync::frame::{Frame, FrameReader};
use crate::sync::hello::{Hello, Standing};
use crate::sync::{CloseCode, CloseReason, Effect, Event, Holdings, Session, SyncError};

/// An end that a hostile peer talks to, frame by frame.
pub(super) struct Victim {
    pub(super) pair: Pair,
    end: usize,
    pub(super) session: Session,
    pub(super) now: u64,
    pub(super) all: Vec<Effect>,
}

impl Victim {
    /// A listener, opened, and nothing said yet. It holds `records` records of its own.
    pub(super) fn new(records: usize) -> Self {
        Self::at(B, records)
    }

    /// One end, opened, and nothing said yet. It holds `records` records of its own.
    pub(super) fn at(end: usize, records: usize) -> Self {
        let mut pair = Pair::new();
        for at in 0..records {
            pair.ends[end]
                .store
                .accept(record(1, &format!("{at}"), 500));
        }
        let session = Session::new(pair.setup(end));
        let mut victim = Self {
            pair,
            end,
            session,
            now: 1_000,
            all: Vec::new(),
        };
        victim.event(Event::Opened);
        victim
    }

    pub(super) fn event(&mut self, event: Event<'_>) -> Option<SyncError> {
        let effects = self
            .session
            .handle(self.now, event, &self.pair.ends[self.end].store);
        let failed = effects.iter().find_map(|effect| {
            if let Effect::Close(CloseReason::Failed(error)) = effect {
                Some(error.clone())
            } else {
                None
            }
        });
        for effect in &effects {
            self.pair.ends[self.end].store.apply(effect);
        }
        self.all.extend(effects);
        failed
    }

    /// Over what it shares with its peer.
    pub(super) fn digests(&self) -> SharedDigests {
        self.store().digests()
    }

    fn store(&self) -> &Store {
        &self.pair.ends[self.end].store
    }

    /// All frames that it has sent.
    pub(super) fn frames(&self) -> Vec<Frame> {
        let mut reader = FrameReader::default();
        reader.push(&self.sent());
        core::iter::from_fn(|| reader.next_frame().unwrap()).collect()
    }

    fn sent(&self) -> Vec<u8> {
        let sends = self.all.iter().filter_map(|effect| {
            if let Effect::Send(bytes) = effect {
                Some(bytes.clone())
            } else {
                None
            }
        });
        sends.flatten().collect()
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Option<SyncError> {
        self.event(Event::Received(bytes))
    }

    pub(super) fn say(&mut self, frame: Frame) -> Option<SyncError> {
        let mut bytes = Vec::new();
        frame.write(&mut bytes);
        self.bytes(&bytes)
    }

    pub(super) fn ok(&mut self, frame: Frame) {
        assert_eq!(self.say(frame), None);
    }

    /// A HELLO of a peer with other records, whose certificate follows.
    pub(super) fn hello(&self) -> Hello {
        Hello {
            certificate: self.pair.ends[1 - self.end].identity.certificate.hash(),
            known: Some(self.pair.ends[self.end].identity.certificate.hash()),
            standing: Standing {
                incarnation: StoreIncarnation::new(11),
                newest: FeedNumber::new(5),
                cursor: None,
                digests: SharedDigests {
                    statements: self.pair.ends[self.end].store.digests().statements,
                    records: Digest::from_parts([1; 16], 5),
                },
            },
            time: self.pair.ends[1 - self.end].store.time(),
            quiet_s: None,
            knows: None,
        }
    }

    pub(super) fn greet(&mut self, hello: Hello) {
        self.ok(Frame::Hello(hello));
        let certificate = self.pair.ends[1 - self.end].identity.certificate.to_bytes();
        self.ok(Frame::Certificate(certificate));
    }

    /// In the middle of an exchange of records.
    pub(super) fn exchanging(records: usize) -> Self {
        let mut victim = Self::new(records);
        let hello = victim.hello();
        victim.greet(hello);
        victim
    }

    /// In an exchange that begins with statements.
    pub(super) fn settling() -> Self {
        let mut victim = Self::new(2);
        let mut hello = victim.hello();
        hello.standing.digests.statements = Digest::from_parts([7; 16], 1);
        victim.greet(hello);
        victim
    }

    /// In a comparison of records by range.
    pub(super) fn comparing(records: usize) -> Self {
        let mut victim = Self::new(records);
        let mut hello = victim.hello();
        hello.standing.cursor = Some(Cursor {
            incarnation: StoreIncarnation::new(999),
            number: FeedNumber::new(1),
        });
        victim.greet(hello);
        victim
    }

    /// In a comparison of records by symbols, with a peer that has as many.
    pub(super) fn sketching(end: usize, records: usize) -> Self {
        let mut victim = Self::at(end, records);
        let mut hello = victim.hello();
        hello.standing.cursor = Some(Cursor {
            incarnation: StoreIncarnation::new(999),
            number: FeedNumber::new(1),
        });
        hello.standing.digests.records = Digest::from_parts([1; 16], records as u64);
        victim.greet(hello);
        victim
    }

    /// In sync, waiting for pushes.
    pub(super) fn live() -> Self {
        let mut victim = Self::new(2);
        let mut hello = victim.hello();
        hello.standing.digests = victim.store().digests();
        victim.greet(hello);
        victim
    }

    /// The last code that the peer was told.
    pub(super) fn code(&self) -> CloseCode {
        let sent = self.sent();
        let last = *sent.last().unwrap();
        let mut close = Vec::new();
        Frame::Close(CloseCode::from_byte(last)).write(&mut close);
        assert!(sent.ends_with(&close), "the last frame is no CLOSE");
        CloseCode::from_byte(last)
    }
}
