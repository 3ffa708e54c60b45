//! One synchronisation: stages, and what each still waits for.

use super::comparison::{Comparison, Sizes};
use super::effect::{Report, Tier, Traffic};
use super::error::SyncError;
use super::frame::FrameType;
use super::hello::Check;
use super::item::ItemKind;
use super::limits::{MAX_COMPARISONS, MAX_IDLE_ROUNDS};
use crate::reconcile::{FeedNumber, SharedDigests};

/// What becomes of two digests at the end of an exchange. Both sides find the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// They are equal.
    Equal,
    /// One side has something new: exchange again.
    Again,
    /// They differ and nothing explains it: compare the sets, by this tier.
    Compare(Tier),
    /// They differ even after that, by the last tier.
    Mismatch,
}

/// The stage of an exchange.
pub(super) enum Stage {
    /// Statements, which decide what is shared.
    Statements(Sending),
    /// Everything else.
    Records(Sending),
    /// The digests: ours has been sent.
    Check(Check),
}

/// How far the sending of a stage has come.
pub(super) enum Sending {
    /// Nothing has been looked up.
    Begin,
    /// The sets are being compared.
    Comparing(Box<Comparison>),
    /// Everything owed has been queued, with the mark behind it.
    Queued,
}

/// One synchronisation, from the HELLO or the request to equal digests.
pub(super) struct Round {
    /// By what means this exchange finds what the other side lacks.
    pub(super) tier: Tier,
    /// How often the sets have been compared.
    comparisons: u32,
    /// By what means the last comparison found the difference.
    found_by: Tier,
    /// Both digests, ours first, from which the present comparison sets out.
    digests: (SharedDigests, SharedDigests),
    pub(super) stage: Stage,
    /// The peer's cursor in our feed, or what we have queued since.
    pub(super) after: FeedNumber,
    /// Our newest number when what the peer may have was last compared as a whole.
    pub(super) compared: FeedNumber,
    /// The peer has sent all its statements.
    pub(super) settled: bool,
    /// The peer has sent everything.
    pub(super) sent: bool,
    /// The peer's digests, which may come while its items are still being stored here.
    pub(super) theirs: Option<Check>,
    /// Items of both sides at the last comparison of digests.
    moved: u64,
    idle_rounds: u32,
    trips: u32,
    started_ms: u64,
    before: Traffic,
}

impl core::fmt::Debug for Round {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Round")
            .field("tier", &self.tier)
            .field("stage", &self.name())
            .finish()
    }
}

impl Round {
    /// A round that begins now, with the traffic counted so far.
    pub(super) fn new(now_ms: u64, before: Traffic) -> Self {
        Self {
            tier: Tier::Cursor,
            comparisons: 0,
            found_by: Tier::Cursor,
            digests: Default::default(),
            stage: Stage::Statements(Sending::Begin),
            after: FeedNumber::START,
            compared: FeedNumber::START,
            settled: false,
            sent: false,
            theirs: None,
            moved: 0,
            idle_rounds: 0,
            trips: 0,
            started_ms: now_ms,
            before,
        }
    }

    /// The stage, in words that follow "while".
    pub(super) fn name(&self) -> &'static str {
        match &self.stage {
            Stage::Statements(Sending::Comparing(_)) => "comparing statements",
            Stage::Statements(_) => "exchanging statements",
            Stage::Records(Sending::Comparing(_)) => "comparing records",
            Stage::Records(_) => "exchanging records",
            Stage::Check(_) => "comparing digests",
        }
    }

    /// An answer of the peer was waited for.
    pub(super) fn waited(&mut self) {
        self.trips = self.trips.saturating_add(1);
    }

    /// Everything of our feed up to here has reached the peer or is on its way.
    pub(super) fn after(&mut self, upto: FeedNumber) {
        self.after = upto;
    }

    /// Begins an exchange of what is newer than the cursors, or than the exchange before;
    /// `settled` when the statements are equal already.
    pub(super) fn begin_cursors(&mut self, settled: bool) {
        self.tier = Tier::Cursor;
        self.begin(settled);
    }

    /// Begins an exchange of what the sets differ in, by this tier. `newest` is the newest number
    /// of our feed when the statements were last compared.
    pub(super) fn begin_comparison(
        &mut self,
        tier: Tier,
        newest: FeedNumber,
        ours: SharedDigests,
        theirs: SharedDigests,
    ) {
        self.tier = tier;
        self.comparisons = self.comparisons.saturating_add(1);
        self.digests = (ours, theirs);
        self.compared = newest;
        self.begin(ours.statements == theirs.statements);
    }

    /// The sizes of both sets of a kind, if they are to be compared by symbols. Sets that are
    /// equal so far are described by ranges, which costs less than symbols in which nothing is.
    pub(super) fn sizes(&self, kind: ItemKind) -> Option<Sizes> {
        let of = |digests: &SharedDigests| match kind {
            ItemKind::Statement => digests.statements,
            ItemKind::Record => digests.records,
        };
        let (ours, theirs) = (of(&self.digests.0), of(&self.digests.1));
        (self.tier == Tier::Set && ours != theirs).then(|| Sizes {
            ours: ours.count(),
            theirs: theirs.count(),
        })
    }

    /// Takes note of the means by which the difference is sought.
    pub(super) fn found_by(&mut self, tier: Tier) {
        self.found_by = tier;
    }

    fn begin(&mut self, settled: bool) {
        self.settled = settled;
        self.sent = false;
        self.theirs = None;
        self.stage = if settled {
            Stage::Records(Sending::Begin)
        } else {
            Stage::Statements(Sending::Begin)
        };
    }

    /// The peer has sent all its statements.
    pub(super) fn take_settled(&mut self) -> Result<(), SyncError> {
        if self.settled || !matches!(self.stage, Stage::Statements(_)) {
            return Err(self.unexpected(FrameType::Settled));
        }
        self.settled = true;
        Ok(())
    }

    /// The peer has sent everything.
    pub(super) fn take_sent(&mut self) -> Result<(), SyncError> {
        if !self.settled || self.sent {
            return Err(self.unexpected(FrameType::Sent));
        }
        self.sent = true;
        Ok(())
    }

    /// The peer's digests, which follow everything that it sends; `delivered` items have come from
    /// it.
    pub(super) fn take_check(&mut self, check: Check, delivered: u64) -> Result<(), SyncError> {
        if !self.sent || self.theirs.is_some() {
            return Err(self.unexpected(FrameType::Digest));
        }
        if check.items != delivered {
            return Err(SyncError::Miscounted {
                claimed: check.items,
                arrived: delivered,
            });
        }
        self.theirs = Some(check);
        Ok(())
    }

    /// Judges both digests.
    pub(super) fn judge(&mut self, ours: &Check, theirs: &Check) -> Verdict {
        if ours.digests == theirs.digests {
            return Verdict::Equal;
        }
        let moved = ours.items.saturating_add(theirs.items);
        self.idle_rounds = if moved > self.moved {
            0
        } else {
            self.idle_rounds.saturating_add(1)
        };
        self.moved = moved;
        if (ours.more || theirs.more) && self.idle_rounds < MAX_IDLE_ROUNDS {
            return Verdict::Again;
        }
        match self.comparisons {
            0 => Verdict::Compare(Tier::Set),
            1..MAX_COMPARISONS => Verdict::Compare(Tier::Range),
            _ => Verdict::Mismatch,
        }
    }

    /// The report at the end.
    pub(super) fn report(&self, now_ms: u64, traffic: &Traffic) -> Report {
        Report {
            tier: self.found_by,
            round_trips: self.trips,
            duration_ms: now_ms.saturating_sub(self.started_ms),
            traffic: traffic.since(&self.before),
        }
    }

    /// A frame that has no place in this stage.
    pub(super) fn unexpected(&self, frame: FrameType) -> SyncError {
        SyncError::Unexpected {
            frame,
            phase: self.name(),
        }
    }
}
