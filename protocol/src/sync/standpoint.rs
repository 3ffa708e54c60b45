//! How far a session has come, for people.

use super::effect::Traffic;
use super::session::{Phase, Session};

/// How far a session has come, for `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standpoint {
    /// What the session is doing, in words that follow "while".
    pub phase: &'static str,
    /// Whether both sides were found equal, and only new items travel.
    pub in_sync: bool,
    /// Whether, besides, no comparison is under way.
    pub is_resting: bool,
    /// Items queued, on their way or unacknowledged.
    pub owed_out: usize,
    /// Whole items received and not stored yet.
    pub owed_in: u64,
    /// What has gone over the stream since the session began.
    pub traffic: Traffic,
}

impl Session {
    /// How far the session has come.
    pub fn standpoint(&self) -> Standpoint {
        Standpoint {
            phase: self.phase.name(),
            in_sync: matches!(self.phase, Phase::Live | Phase::Refreshing(..)),
            is_resting: matches!(self.phase, Phase::Live),
            owed_out: self.sender.owed(),
            owed_in: self.receiver.unstored(),
            traffic: self.traffic,
        }
    }
}
