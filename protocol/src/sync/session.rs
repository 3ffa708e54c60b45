//! A session: one stream to one peer, from HELLO to the end.

use super::attachment::{Asking, Serving, Telling};
use super::close::CloseCode;
use super::effect::{CloseReason, Effect, Traffic};
use super::error::{Refusal, SyncError};
use super::event::Event;
use super::frame::{Frame, FrameReader};
use super::hello::{Hello, Standing};
use super::holdings::Holdings;
use super::pulse::{Due, Patience, Pulse};
use super::receiver::Receiver;
use super::round::Round;
use super::sender::Sender;
use crate::id::{ClinicId, NodeId};
use crate::identity::{NodeCertificate, Verified};
use crate::reconcile::{Cursor, FeedNumber, PairKey};

/// Which end of the stream we are. Both run the same machine; where one has to begin, the dialer
/// does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// We opened the stream.
    Dialer,
    /// The peer opened it.
    Listener,
}

/// What a session needs to know from the start.
pub struct Setup {
    /// Which end we are.
    pub role: Role,
    /// The peer, as the transport authenticated it.
    pub peer: NodeId,
    /// The key of this pair of nodes; the digests of the holdings are made with it.
    pub pair_key: PairKey,
    /// Our own certificate.
    pub certificate: Verified<NodeCertificate>,
    /// How long to wait for what.
    pub patience: Patience,
}

/// One stream to one peer. See the [module](super) for the flow and for how to drive it.
pub struct Session {
    pub(super) setup: Setup,
    pub(super) phase: Phase,
    pub(super) reader: FrameReader,
    pub(super) sender: Sender,
    pub(super) receiver: Receiver,
    pub(super) pulse: Pulse,
    pub(super) traffic: Traffic,
    /// Frames of this call.
    pub(super) out: Vec<u8>,
    /// Effects of this call.
    pub(super) effects: Vec<Effect>,
    /// Both HELLOs, once they have been exchanged.
    pub(super) hellos: Option<Hellos>,
    /// The peer's clinic, once it has shown its certificate.
    pub(super) peer_clinic: Option<ClinicId>,
    /// Our feed up to which everything owed has been queued.
    pub(super) pushed: FeedNumber,
    /// The last cursor that we gave out.
    pub(super) cursor: Option<Cursor>,
    /// Whether something may be owed that is not queued.
    pub(super) news: bool,
    /// Comparisons of sets so far: each gets keys of its own.
    pub(super) comparisons: u64,
    /// Pieces of attachments that we have asked for.
    pub(super) asking: Asking,
    /// Pieces of attachments that the peer has asked for.
    pub(super) serving: Serving,
    /// Which attachments each side holds.
    pub(super) telling: Telling,
    /// Whether the peer was told that we ask for nothing more, and whether it told us.
    pub(super) enough_said: bool,
    pub(super) enough_heard: bool,
    /// When the session was opened.
    pub(super) opened_ms: u64,
    /// The last wake-up asked for.
    wake_at_ms: Option<u64>,
}

/// What both sides said first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hellos {
    pub(super) ours: Hello,
    pub(super) theirs: Hello,
}

/// What a session is doing.
#[derive(Debug)]
pub(super) enum Phase {
    /// It has not been opened.
    New,
    /// Our HELLO is sent, the peer's is awaited.
    Greeting(Hello),
    /// The peer's HELLO is there; its certificate is on the way.
    Certifying(Hellos),
    /// Both stores are equal, up to these numbers of our feed and of the peer's; whether the peer
    /// lets us in is not told yet. And whether they are to be compared again then.
    Presenting(Box<Round>, [FeedNumber; 2], bool),
    /// Both sides send what the other lacks.
    Exchange(Box<Round>),
    /// Both are in sync; new items are pushed.
    Live,
    /// In sync so far; our REFRESH is sent, the peer's is awaited.
    Refreshing(Standing, Box<Round>),
    /// It is over.
    Closed,
}

impl Phase {
    /// What the session is doing, in words that follow "while".
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::New => "not yet opened",
            Self::Greeting(_) => "waiting for its HELLO",
            Self::Certifying(_) => "waiting for its certificate",
            Self::Presenting(..) => "waiting to be let in",
            Self::Exchange(round) => round.name(),
            Self::Live => "in sync",
            Self::Refreshing(..) => "comparing again",
            Self::Closed => "closed",
        }
    }
}

impl Session {
    /// A session that waits for [`Event::Opened`].
    pub fn new(setup: Setup) -> Self {
        let pulse = Pulse::new(setup.patience, setup.role);
        Self {
            setup,
            phase: Phase::New,
            reader: FrameReader::default(),
            sender: Sender::new(),
            receiver: Receiver::default(),
            pulse,
            traffic: Traffic::default(),
            out: Vec::new(),
            effects: Vec::new(),
            hellos: None,
            peer_clinic: None,
            pushed: FeedNumber::START,
            cursor: None,
            news: false,
            comparisons: 0,
            asking: Asking::default(),
            serving: Serving::default(),
            telling: Telling::default(),
            enough_said: false,
            enough_heard: false,
            opened_ms: 0,
            wake_at_ms: None,
        }
    }

    /// Takes one event at `now_ms` (milliseconds on any clock that never goes back) and returns
    /// what is to be done, in this order, before the next call.
    ///
    /// After [`Effect::Close`] the session ignores everything.
    pub fn handle(
        &mut self,
        now_ms: u64,
        event: Event<'_>,
        holdings: &dyn Holdings,
    ) -> Vec<Effect> {
        if matches!(self.phase, Phase::Closed) {
            return Vec::new();
        }
        let outcome = self
            .take(now_ms, event, holdings)
            .and_then(|()| self.advance(now_ms, holdings));
        if let Err(error) = outcome {
            self.close(CloseReason::Failed(error));
        } else if self.is_visit_over() && !self.says_in_sync() {
            self.close(CloseReason::VisitOver);
        }
        self.finish_call(now_ms)
    }

    fn take(
        &mut self,
        now_ms: u64,
        event: Event<'_>,
        holdings: &dyn Holdings,
    ) -> Result<(), SyncError> {
        match event {
            Event::Opened => self.open(now_ms, holdings),
            Event::Received(bytes) => self.receive(now_ms, bytes, holdings),
            Event::Stored { items } => self.stored(now_ms, items, holdings),
            Event::PiecesStored { pieces } => self.pieces_stored(now_ms, pieces),
            Event::Refused(refusal) => Err(SyncError::Refused(refusal)),
            Event::NewItems => {
                self.check_standing(holdings)?;
                self.news = true;
                self.recheck(holdings);
                self.look_for_pieces();
                self.push_statements(holdings);
                Ok(())
            }
            Event::SyncRequested => {
                self.request_refresh(now_ms, holdings);
                Ok(())
            }
            Event::Tick => self.tick(now_ms),
            Event::Shutdown => {
                self.close(CloseReason::Finished);
                Ok(())
            }
        }
    }

    fn receive(
        &mut self,
        now_ms: u64,
        bytes: &[u8],
        holdings: &dyn Holdings,
    ) -> Result<(), SyncError> {
        if bytes.is_empty() {
            return Ok(());
        }
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.traffic.bytes_received = self.traffic.bytes_received.saturating_add(count);
        self.pulse.heard(now_ms);
        self.reader.push(bytes);
        while let Some(frame) = self.reader.next_frame()? {
            if !matches!(frame, Frame::Ping | Frame::Pong) {
                self.pulse.useful(now_ms);
            }
            self.take_frame(now_ms, frame, holdings)?;
            if matches!(self.phase, Phase::Closed) {
                return Ok(());
            }
            self.advance(now_ms, holdings)?;
        }
        if let Some(ack) = self.receiver.acknowledgement() {
            Frame::Ack(ack).write(&mut self.out);
        }
        Ok(())
    }

    fn take_frame(
        &mut self,
        now_ms: u64,
        frame: Frame,
        holdings: &dyn Holdings,
    ) -> Result<(), SyncError> {
        let frame_type = frame.frame_type();
        match (frame, &mut self.phase) {
            (Frame::Close(code), _) => {
                self.phase = Phase::Closed;
                self.effects.push(Effect::Close(CloseReason::ByPeer(code)));
                Ok(())
            }
            (Frame::Revocation(bytes), _) => {
                // It is the peer's last word: there is nothing to wait for.
                self.phase = Phase::Closed;
                let reason = CloseReason::ByPeer(CloseCode::BadCertificate);
                let shown = [Effect::Revocation(bytes), Effect::Close(reason)];
                self.effects.extend(shown);
                Ok(())
            }
            (Frame::Hello(theirs), Phase::Greeting(ours)) => {
                let hellos = Hellos {
                    ours: *ours,
                    theirs,
                };
                self.take_hello(now_ms, hellos, holdings)
            }
            (Frame::Certificate(bytes), Phase::Certifying(hellos)) => {
                let hellos = *hellos;
                self.take_own_certificate(now_ms, hellos, &bytes, holdings)
            }
            (Frame::Ping, Phase::Certifying(_) | Phase::Presenting(..)) => {
                Frame::Pong.write(&mut self.out);
                Ok(())
            }
            (frame, Phase::Presenting(..)) => {
                self.let_in(now_ms, holdings);
                self.take_frame(now_ms, frame, holdings)
            }
            (Frame::Settled, Phase::Exchange(round)) => round.take_settled(),
            (Frame::Digest(check), Phase::Exchange(round)) => {
                round.take_check(check, self.receiver.delivered())
            }
            (
                frame @ (Frame::Ranges(_)
                | Frame::Symbols(_)
                | Frame::Further(_)
                | Frame::Wanted(_)),
                Phase::Exchange(_),
            ) => self.take_comparison(&frame),
            (Frame::Refresh(theirs), Phase::Live | Phase::Refreshing(..)) => {
                self.take_refresh(now_ms, theirs, holdings)
            }
            (frame, Phase::Exchange(_) | Phase::Live | Phase::Refreshing(..)) => {
                self.take_open_frame(now_ms, frame)
            }
            (_, phase) => Err(SyncError::Unexpected {
                frame: frame_type,
                phase: phase.name(),
            }),
        }
    }

    /// A clinic may have cut a node of its own off while the session ran, the peer or this one.
    pub(super) fn check_standing(&mut self, holdings: &dyn Holdings) -> Result<(), SyncError> {
        self.check_own_standing(holdings)?;
        let peer = self.setup.peer;
        let is_cut_off = |clinic: &ClinicId| holdings.is_cut_off(clinic, &peer);
        let Some(clinic) = self.peer_clinic.filter(is_cut_off) else {
            return Ok(());
        };
        if let Some(hellos) = self.hellos {
            self.show_revocation(&hellos.theirs, &clinic, holdings);
        }
        Err(SyncError::Refused(Refusal::PeerRevoked))
    }

    fn tick(&mut self, now_ms: u64) -> Result<(), SyncError> {
        self.asking.tick(now_ms);
        match self.pulse.due(now_ms, self.may_ping()) {
            Due::Nothing => Ok(()),
            Due::Ping => {
                self.pulse.pinged(now_ms);
                Frame::Ping.write(&mut self.out);
                Ok(())
            }
            Due::Stalled { silent_ms } => Err(SyncError::Stalled {
                silent_ms,
                phase: self.phase.name(),
            }),
        }
    }

    fn may_ping(&self) -> bool {
        matches!(
            self.phase,
            Phase::Exchange(_) | Phase::Live | Phase::Refreshing(..)
        )
    }

    /// Whether the peer has something to do.
    fn is_expecting(&self) -> bool {
        match &self.phase {
            Phase::New | Phase::Closed => false,
            Phase::Live => {
                !self.sender.is_acknowledged()
                    || !self.sender.is_sent()
                    || self.asking.outstanding() > 0
                    || self.may_be_asked()
                    || self.telling.is_waiting()
            }
            Phase::Greeting(_)
            | Phase::Certifying(_)
            | Phase::Presenting(..)
            | Phase::Exchange(_)
            | Phase::Refreshing(..) => true,
        }
    }

    /// Whether nothing is left to do on a link that is not kept. The dialer ends it.
    fn is_visit_over(&self) -> bool {
        matches!(self.phase, Phase::Live)
            && self.pulse.is_visit()
            && self.setup.role == Role::Dialer
            && self.sender.is_acknowledged()
            && self.sender.is_sent()
            && self.receiver.unstored() == 0
            && self.is_done_with_attachments()
    }

    /// Whether this call says that both stores are equal: what follows from that is heard first.
    fn says_in_sync(&self) -> bool {
        let mut effects = self.effects.iter();
        effects.any(|effect| matches!(effect, Effect::InSync(_)))
    }

    /// Ends the session and tells the peer why.
    fn close(&mut self, reason: CloseReason) {
        let code = match &reason {
            CloseReason::Finished => Some(CloseCode::Finished),
            CloseReason::VisitOver => Some(CloseCode::VisitOver),
            CloseReason::Failed(error) => Some(error.code()),
            CloseReason::ByPeer(_) => None,
        };
        if let Some(code) = code {
            Frame::Close(code).write(&mut self.out);
        }
        self.phase = Phase::Closed;
        self.effects.push(Effect::Close(reason));
    }

    /// Puts together the effects of a call: what to send comes before the end of the session.
    fn finish_call(&mut self, now_ms: u64) -> Vec<Effect> {
        let mut effects = core::mem::take(&mut self.effects);
        if !self.out.is_empty() {
            let count = u64::try_from(self.out.len()).unwrap_or(u64::MAX);
            self.traffic.bytes_sent = self.traffic.bytes_sent.saturating_add(count);
            let send = Effect::Send(core::mem::take(&mut self.out));
            let ends = matches!(effects.last(), Some(Effect::Close(_)));
            effects.insert(effects.len().saturating_sub(usize::from(ends)), send);
        }
        if !matches!(self.phase, Phase::Closed | Phase::New) {
            self.pulse.expect(self.is_expecting(), now_ms);
            let at_ms = self.pulse.wake_at(self.may_ping());
            let at_ms = self
                .asking
                .again_ms()
                .map_or(at_ms, |again| again.min(at_ms));
            if self.wake_at_ms != Some(at_ms) {
                self.wake_at_ms = Some(at_ms);
                effects.push(Effect::WakeAt { at_ms });
            }
        }
        effects
    }
}
