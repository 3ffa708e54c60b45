//! A session, fed by a peer that says anything.
//!
//! ```text
//! input   first | step...
//! first   bit 0: the session is the listener's; bit 1: the peer's true HELLO and certificate
//!         come first; bit 2: neither side has items, only attachments
//! step    0 to 0xef: that many bytes follow, which come from the peer
//!         0xf0 tick, 0xf1 items stored, 0xf2 news, 0xf3 compare again, 0xf4 end,
//!         0xf5 pieces stored
//! ```

use chartmesh_protocol::sync::{Effect, Event, Patience, Role, Session, Setup};

use super::stand_in::{StandIn, pair_key};

/// What a session may say without being asked for more: its greeting, its certificate, its few
/// items and a first flight of symbols.
const UNASKED_BYTES: usize = 16 * 1024;
/// What one byte of the peer may bring forth, at most: a request of some 10 bytes asks for a flight
/// of symbols, of which there are not many for few items.
const BYTES_A_BYTE: usize = 512;
/// The most bytes that come at a time.
const MOST_AT_A_TIME: usize = 0xef;
/// How far the clock goes in a tick.
const TICK_MS: u64 = 30_000;

fn begin(own: StandIn, other: &StandIn) -> (StandIn, Session) {
    let role = if own.number() == 1 {
        Role::Dialer
    } else {
        Role::Listener
    };
    let session = Session::new(Setup {
        role,
        peer: other.certificate.payload().node,
        pair_key: pair_key(),
        certificate: own.certificate.clone(),
        patience: Patience::default(),
    });
    (own, session)
}

pub(super) fn session(bytes: &[u8]) {
    let Some((first, mut rest)) = bytes.split_first() else {
        return;
    };
    let number = 1 + (first & 1);
    let stand_in = |number| match first & 4 {
        0 => StandIn::new(number),
        _ => StandIn::without_items(number),
    };
    let peer = stand_in(3 - number);
    let (own, session) = begin(stand_in(number), &peer);
    let mut victim = Victim {
        session,
        own,
        now_ms: 0,
        delivered: 0,
        pieces: 0,
        heard: 0,
        said: 0,
    };
    victim.event(Event::Opened);
    if first & 2 == 2 {
        let (peer, mut other) = begin(stand_in(3 - number), &victim.own);
        let mut greeting = sent(other.handle(0, Event::Opened, &peer));
        greeting.extend(certificate_frame(&peer, number));
        victim.event(Event::Received(&greeting));
    }
    while let Some((step, behind)) = rest.split_first() {
        rest = behind;
        match step {
            0xf0 => {
                victim.now_ms += TICK_MS;
                victim.event(Event::Tick);
            }
            0xf1 => {
                let items = std::mem::take(&mut victim.delivered);
                victim.event(Event::Stored { items });
            }
            0xf2 => victim.event(Event::NewItems),
            0xf3 => victim.event(Event::SyncRequested),
            0xf5 => {
                let pieces = std::mem::take(&mut victim.pieces);
                victim.event(Event::PiecesStored { pieces });
            }
            0xf4.. => victim.event(Event::Shutdown),
            count => {
                let (come, behind) = rest.split_at(usize::from(*count).min(rest.len()));
                rest = behind;
                victim.event(Event::Received(come));
            }
        }
    }
}

struct Victim {
    session: Session,
    own: StandIn,
    now_ms: u64,
    delivered: usize,
    pieces: usize,
    heard: usize,
    said: usize,
}

impl Victim {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Received(bytes) = event {
            self.heard += bytes.len();
        }
        self.now_ms += 1;
        let effects = self.session.handle(self.now_ms, event, &self.own);
        let delivered = effects
            .iter()
            .filter(|effect| matches!(effect, Effect::Deliver { .. }));
        self.delivered += delivered.count();
        for effect in &effects {
            self.pieces += usize::from(self.own.take(effect));
        }
        self.said += sent(effects).len();
        let most = UNASKED_BYTES + BYTES_A_BYTE * self.heard;
        assert!(self.said <= most, "{} bytes for {}", self.said, self.heard);
    }
}

fn sent(effects: Vec<Effect>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for effect in effects {
        if let Effect::Send(more) = effect {
            bytes.extend(more);
        }
    }
    bytes
}

/// The frame in which a node shows its certificate, out of the mouth of a session.
fn certificate_frame(of: &StandIn, to: u8) -> Vec<u8> {
    let number = 3 - to;
    let stranger = StandIn::new(to);
    let (own, mut session) = begin(StandIn::new(number), &stranger);
    let (_, mut other) = begin(StandIn::new(to), of);
    let hello = sent(other.handle(0, Event::Opened, &stranger));
    let mut all = sent(session.handle(0, Event::Opened, &own));
    let greeted = all.len();
    all.extend(sent(session.handle(1, Event::Received(&hello), &own)));
    all.split_off(greeted)
}

/// What each of two nodes says to the other from beginning to end, as inputs of this target: the
/// dialer fed with the listener's words, and the listener with the dialer's.
#[must_use]
pub fn recorded() -> [Vec<u8>; 2] {
    record([vec![0], vec![1]], StandIn::new)
}

/// As [`recorded`], of two nodes that have only attachments for each other.
#[must_use]
pub fn recorded_attachments() -> [Vec<u8>; 2] {
    record([vec![4], vec![5]], StandIn::without_items)
}

fn record(mut inputs: [Vec<u8>; 2], stand_in: fn(u8) -> StandIn) -> [Vec<u8>; 2] {
    let (a, b) = (stand_in(1), stand_in(2));
    let mut sides = [begin(stand_in(1), &b), begin(stand_in(2), &a)];
    let mut towards: [Vec<u8>; 2] = [Vec::new(), Vec::new()];
    for (at, (own, session)) in sides.iter_mut().enumerate() {
        towards[1 - at] = sent(session.handle(0, Event::Opened, own));
    }
    for now_ms in 1..100 {
        for (at, (own, session)) in sides.iter_mut().enumerate() {
            let come = std::mem::take(&mut towards[at]);
            let mut effects = Vec::new();
            for chunk in come.chunks(MOST_AT_A_TIME) {
                inputs[at].push(u8::try_from(chunk.len()).unwrap_or(u8::MAX));
                inputs[at].extend(chunk);
                effects.extend(session.handle(now_ms, Event::Received(chunk), own));
            }
            let delivered = |effect: &&Effect| matches!(effect, Effect::Deliver { .. });
            let items = effects.iter().filter(delivered).count();
            if items > 0 {
                inputs[at].push(0xf1);
                effects.extend(session.handle(now_ms, Event::Stored { items }, own));
            }
            let pieces = effects.iter().filter(|effect| own.take(effect)).count();
            if pieces > 0 {
                inputs[at].push(0xf5);
                effects.extend(session.handle(now_ms, Event::PiecesStored { pieces }, own));
            }
            towards[1 - at].extend(sent(effects));
        }
    }
    inputs
}
