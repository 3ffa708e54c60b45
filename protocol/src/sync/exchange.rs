//! The exchange: stage by stage, each side sends what the other lacks.

use super::comparison::{Comparison, Keys};
use super::effect::{Effect, Tier};
use super::error::SyncError;
use super::frame::Frame;
use super::hello::Check;
use super::holdings::Holdings;
use super::item::ItemKind;
use super::round::{Round, Sending, Stage, Verdict};
use super::sender::Mark;
use super::session::{Phase, Role, Session};
use crate::reconcile::{ComparisonKey, FeedNumber};

/// Whether a step changed anything that the next step depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Done,
    Waiting,
}

impl Session {
    /// Goes on as far as possible without a further event.
    pub(super) fn advance(
        &mut self,
        now_ms: u64,
        holdings: &dyn Holdings,
    ) -> Result<(), SyncError> {
        loop {
            let step = match core::mem::replace(&mut self.phase, Phase::Closed) {
                Phase::Exchange(round) => self.step(now_ms, round, holdings)?,
                Phase::Live => {
                    self.phase = Phase::Live;
                    self.push_news(holdings);
                    self.tell_of_attachments(holdings);
                    self.ask_for_pieces(now_ms, holdings);
                    Step::Waiting
                }
                phase @ (Phase::New
                | Phase::Greeting(_)
                | Phase::Certifying(_)
                | Phase::Presenting(..)
                | Phase::Refreshing(..)
                | Phase::Closed) => {
                    self.phase = phase;
                    Step::Waiting
                }
            };
            let given_before = self.traffic.pieces_sent;
            self.sender.pump(
                now_ms,
                holdings,
                &mut self.serving,
                &mut self.traffic,
                &mut self.out,
            )?;
            if self.traffic.pieces_sent != given_before && self.has_given() {
                continue;
            }
            if step == Step::Waiting && !self.may_step() {
                return Ok(());
            }
        }
    }

    /// Whether the present stage has nothing left to wait for.
    fn may_step(&self) -> bool {
        match &self.phase {
            Phase::Exchange(round) => self.is_complete(round),
            Phase::New
            | Phase::Greeting(_)
            | Phase::Certifying(_)
            | Phase::Presenting(..)
            | Phase::Live
            | Phase::Refreshing(..)
            | Phase::Closed => false,
        }
    }

    /// Whether a stage is over: all is sent, come and stored, as far as the next stage needs it.
    fn is_complete(&self, round: &Round) -> bool {
        let idle = self.sender.is_sent() && self.receiver.is_stored();
        match (&round.stage, round.tier) {
            (Stage::Statements(Sending::Queued), Tier::Cursor) => idle && round.settled,
            (Stage::Statements(Sending::Queued), Tier::Set | Tier::Range) => {
                idle && round.settled && self.sender.is_acknowledged()
            }
            // Our digests cover what we have sent; only what comes in must be stored.
            (Stage::Records(Sending::Queued), _) => idle && round.sent,
            (Stage::Check(_), _) => round.theirs.is_some() && self.sender.is_acknowledged(),
            (Stage::Statements(_) | Stage::Records(_), _) => false,
        }
    }

    /// Takes one step of the exchange, if there is nothing to wait for.
    fn step(
        &mut self,
        now_ms: u64,
        mut round: Box<Round>,
        holdings: &dyn Holdings,
    ) -> Result<Step, SyncError> {
        let complete = self.is_complete(&round);
        match (&round.stage, complete) {
            (Stage::Statements(Sending::Begin), _) => self.begin_statements(&mut round, holdings),
            (Stage::Records(Sending::Begin), _) => self.begin_records(&mut round, holdings),
            (Stage::Statements(_), true) => {
                round.waited();
                round.stage = Stage::Records(Sending::Begin);
            }
            (Stage::Records(_), true) => self.send_digests(&mut round, holdings),
            (Stage::Check(ours), true) => {
                let ours = *ours;
                return self.conclude(now_ms, round, ours, holdings);
            }
            (Stage::Statements(_) | Stage::Records(_) | Stage::Check(_), _) => {
                self.phase = Phase::Exchange(round);
                return Ok(Step::Waiting);
            }
        }
        self.phase = Phase::Exchange(round);
        Ok(Step::Done)
    }

    fn begin_statements(&mut self, round: &mut Round, holdings: &dyn Holdings) {
        match round.tier {
            Tier::Cursor => {
                let owed = holdings.owed(round.after).into_iter();
                self.sender
                    .queue(owed.filter(|entry| entry.kind == ItemKind::Statement));
                // Before records: who does not know that a grant has ended would send some, or
                // refuse them.
                self.sender.queue(holdings.untold());
                self.sender.mark(Some(Mark::Settled));
                round.stage = Stage::Statements(Sending::Queued);
            }
            Tier::Set | Tier::Range => {
                // What is new and in common did not make the stores equal.
                self.sender.queue(holdings.untold());
                round.compared = holdings.newest();
                let sending = self.begin_comparison(round, ItemKind::Statement, holdings);
                round.stage = Stage::Statements(sending);
            }
        }
    }

    fn begin_records(&mut self, round: &mut Round, holdings: &dyn Holdings) {
        let newest = holdings.newest();
        self.pushed = newest;
        match round.tier {
            Tier::Cursor => {
                self.sender.queue(holdings.owed(round.after));
                self.sender.mark(Some(Mark::Sent(newest)));
                round.stage = Stage::Records(Sending::Queued);
            }
            Tier::Set | Tier::Range => {
                // Statements that are newer than the comparison of statements are in neither.
                let owed = holdings.owed(round.compared).into_iter();
                self.sender
                    .queue(owed.filter(|entry| entry.kind == ItemKind::Statement));
                let sending = self.begin_comparison(round, ItemKind::Record, holdings);
                round.stage = Stage::Records(sending);
            }
        }
        round.after = newest;
    }

    /// Begins the comparison of all shared items of a kind.
    fn begin_comparison(
        &mut self,
        round: &mut Round,
        kind: ItemKind,
        holdings: &dyn Holdings,
    ) -> Sending {
        self.comparisons = self.comparisons.saturating_add(1);
        let keys = Keys {
            pair: self.setup.pair_key.clone(),
            comparison: ComparisonKey::derive(&self.setup.pair_key, &self.salt()),
        };
        let (entries, sizes) = (holdings.shared(kind), round.sizes(kind));
        let role = self.setup.role;
        let comparison = Comparison::begin(kind, entries, keys, role, sizes, &mut self.out);
        round.found_by(comparison.tier());
        Sending::Comparing(Box::new(comparison))
    }

    /// A salt that both sides know and that no two comparisons have in common.
    fn salt(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        if let Some(hellos) = &self.hellos {
            let (ours, theirs) = (hellos.ours.time.value(), hellos.theirs.time.value());
            let (dialer, listener) = match self.setup.role {
                Role::Dialer => (ours, theirs),
                Role::Listener => (theirs, ours),
            };
            hasher.update(&dialer.to_be_bytes());
            hasher.update(&listener.to_be_bytes());
        }
        hasher.update(&self.comparisons.to_be_bytes());
        hasher.finalize().into()
    }

    /// Takes a frame of a comparison: answers it, and queues what the peer lacks.
    pub(super) fn take_comparison(&mut self, frame: &Frame) -> Result<(), SyncError> {
        let Phase::Exchange(round) = &mut self.phase else {
            return Ok(());
        };
        let unexpected = round.unexpected(frame.frame_type());
        let (mark, sending) = match &mut round.stage {
            Stage::Statements(sending) => (Mark::Settled, sending),
            Stage::Records(sending) => (Mark::Sent(round.after), sending),
            Stage::Check(_) => return Err(unexpected),
        };
        let Sending::Comparing(comparison) = sending else {
            return Err(unexpected);
        };
        let outcome = comparison.take(frame, &mut self.out)?.ok_or(unexpected)?;
        let tier = comparison.tier();
        self.sender.queue(outcome.lacking);
        if outcome.done {
            *sending = Sending::Queued;
            self.sender.mark(Some(mark));
        }
        if outcome.answered {
            round.waited();
        }
        round.found_by(tier);
        Ok(())
    }

    /// Says what we hold now that everything that the peer sent is stored.
    fn send_digests(&mut self, round: &mut Round, holdings: &dyn Holdings) {
        // What is newer than a cursor comes without being asked for.
        if round.tier != Tier::Cursor {
            round.waited();
        }
        // Digests that came with the items were not waited for.
        if round.theirs.is_none() {
            round.waited();
        }
        let check = self.check(holdings);
        Frame::Digest(check).write(&mut self.out);
        round.stage = Stage::Check(check);
    }

    /// Our digests at the end of an exchange.
    fn check(&self, holdings: &dyn Holdings) -> Check {
        let owed = holdings.owed(self.pushed);
        Check {
            newest: holdings.newest(),
            items: self.sender.sent(),
            more: owed.iter().any(|entry| !self.sender.is_pending(&entry.id)),
            digests: holdings.digests(),
        }
    }

    /// Both digests are known.
    fn conclude(
        &mut self,
        now_ms: u64,
        mut round: Box<Round>,
        ours: Check,
        holdings: &dyn Holdings,
    ) -> Result<Step, SyncError> {
        let Some(theirs) = round.theirs else {
            self.phase = Phase::Exchange(round);
            return Ok(Step::Waiting);
        };
        let settled = ours.digests.statements == theirs.digests.statements;
        match round.judge(&ours, &theirs) {
            Verdict::Equal => {
                self.in_sync(now_ms, &round, ours.newest, theirs.newest, holdings);
                return Ok(Step::Done);
            }
            Verdict::Again => round.begin_cursors(settled),
            Verdict::Compare(tier) => {
                round.begin_comparison(tier, ours.newest, ours.digests, theirs.digests);
            }
            Verdict::Mismatch => {
                return Err(SyncError::DigestMismatch {
                    ours: ours.digests,
                    theirs: theirs.digests,
                });
            }
        }
        self.phase = Phase::Exchange(round);
        Ok(Step::Done)
    }

    /// Both stores are equal in what they share, up to these numbers of their feeds.
    pub(super) fn in_sync(
        &mut self,
        now_ms: u64,
        round: &Round,
        ours: FeedNumber,
        theirs: FeedNumber,
        holdings: &dyn Holdings,
    ) {
        self.advance_cursor(theirs);
        self.effects.push(Effect::PeerHolds(ours));
        self.pushed = ours;
        self.news |= holdings.newest() > ours;
        let mut traffic = self.traffic;
        let unsent = u64::try_from(self.out.len()).unwrap_or(u64::MAX);
        traffic.bytes_sent = traffic.bytes_sent.saturating_add(unsent);
        self.effects
            .push(Effect::InSync(round.report(now_ms, &traffic)));
        self.phase = Phase::Live;
        self.look_for_pieces();
    }
}
