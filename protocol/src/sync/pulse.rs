//! Timers: heartbeats, silence and patience.

use super::limits::{HEARTBEAT_MS, PATIENCE_MS, PROGRESS_TIMEOUT_MS};

/// How long a session waits. All times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Silence after which the peer is asked for a sign of life.
    pub heartbeat_ms: u64,
    /// Silence that ends the session while something is expected.
    pub progress_timeout_ms: u64,
    /// How long nothing useful may come, heartbeats or not, while something is expected.
    pub patience_ms: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            heartbeat_ms: HEARTBEAT_MS,
            progress_timeout_ms: PROGRESS_TIMEOUT_MS,
            patience_ms: PATIENCE_MS,
        }
    }
}

/// What the clock demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Ping,
    Stalled { silent_ms: u64 },
}

/// When something was last heard.
#[derive(Debug)]
pub(super) struct Pulse {
    patience: Patience,
    heard_ms: u64,
    useful_ms: u64,
    /// When the ping was sent that is not answered yet.
    pinged_ms: Option<u64>,
    /// Since when something is expected.
    expecting_ms: Option<u64>,
}

impl Pulse {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            heard_ms: 0,
            useful_ms: 0,
            pinged_ms: None,
            expecting_ms: None,
        }
    }

    /// Bytes came, or the session began.
    pub(super) fn heard(&mut self, now_ms: u64) {
        self.heard_ms = now_ms;
    }

    /// Something other than a heartbeat came, or our own store got on.
    pub(super) fn useful(&mut self, now_ms: u64) {
        self.useful_ms = now_ms;
    }

    /// A ping goes out.
    pub(super) fn pinged(&mut self, now_ms: u64) {
        self.pinged_ms = Some(now_ms);
    }

    /// The answer to a ping came; says whether there was one to answer.
    pub(super) fn answered(&mut self) -> bool {
        self.pinged_ms.take().is_some()
    }

    /// Takes note of whether the peer has something to do.
    pub(super) fn expect(&mut self, expecting: bool, now_ms: u64) {
        self.expecting_ms = expecting.then(|| self.expecting_ms.unwrap_or(now_ms));
    }

    /// What is to be done now.
    pub(super) fn due(&self, now_ms: u64, may_ping: bool) -> Due {
        if now_ms >= self.stalled_at() {
            return Due::Stalled {
                silent_ms: now_ms.saturating_sub(self.heard_ms),
            };
        }
        if may_ping && self.pinged_ms.is_none() && now_ms >= self.ping_at() {
            return Due::Ping;
        }
        Due::Nothing
    }

    /// When to look again.
    pub(super) fn wake_at(&self, may_ping: bool) -> u64 {
        let stalled = self.stalled_at();
        if may_ping && self.pinged_ms.is_none() {
            stalled.min(self.ping_at())
        } else {
            stalled
        }
    }

    fn ping_at(&self) -> u64 {
        self.heard_ms.saturating_add(self.patience.heartbeat_ms)
    }

    /// The earliest end of patience; never, while nothing is expected.
    fn stalled_at(&self) -> u64 {
        let after = |since: u64, last: u64, ms: u64| since.max(last).saturating_add(ms);
        let silence = self.expecting_ms.into_iter().chain(self.pinged_ms).min();
        let silence = silence
            .map(|since| after(since, self.heard_ms, self.patience.progress_timeout_ms))
            .unwrap_or(u64::MAX);
        let useless = self
            .expecting_ms
            .map(|since| after(since, self.useful_ms, self.patience.patience_ms))
            .unwrap_or(u64::MAX);
        silence.min(useless)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulse() -> Pulse {
        let mut pulse = Pulse::new(Patience::default());
        pulse.heard(0);
        pulse
    }

    #[test]
    fn an_idle_peer_is_pinged_and_never_stalled() {
        let pulse = pulse();
        assert_eq!(pulse.due(14_999, true), Due::Nothing);
        assert_eq!(pulse.due(15_000, true), Due::Ping);
        assert_eq!(pulse.due(90_000, false), Due::Nothing);
    }

    #[test]
    fn a_ping_without_an_answer_ends_in_a_stall() {
        let mut pulse = pulse();
        pulse.pinged(15_000);
        assert_eq!(pulse.wake_at(true), 75_000);
        assert_eq!(pulse.due(74_999, true), Due::Nothing);
        assert_eq!(pulse.due(75_000, true), Due::Stalled { silent_ms: 75_000 });
    }

    #[test]
    fn any_byte_defers_the_stall() {
        let mut pulse = pulse();
        pulse.expect(true, 0);
        pulse.heard(50_000);
        assert_eq!(pulse.due(60_000, false), Due::Nothing);
        assert_eq!(
            pulse.due(110_000, false),
            Due::Stalled { silent_ms: 60_000 }
        );
    }

    #[test]
    fn heartbeats_alone_do_not_keep_a_peer_forever() {
        let mut pulse = pulse();
        pulse.expect(true, 0);
        for at in 1..600 {
            pulse.heard(at * 1000);
            assert_eq!(pulse.due(at * 1000, false), Due::Nothing);
        }
        assert!(matches!(pulse.due(600_000, false), Due::Stalled { .. }));
    }
}
