//! Timers: heartbeats, silence and patience.

use super::limits::{
    HEARTBEAT_MS, MAX_HEARTBEAT_MS, ORDINARY_HEARTBEAT_MS, PATIENCE_MS, PROGRESS_TIMEOUT_MS,
};
use super::session::Role;

/// How long a session waits. All times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Silence after which the peer is asked for a sign of life, at most [`MAX_HEARTBEAT_MS`]. More
    /// than [`ORDINARY_HEARTBEAT_MS`] is asked of the peer, too: the link is paid for by the byte.
    /// 0 where no link is to be kept: the stores are compared, and the session ends.
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

impl Patience {
    /// The seconds between heartbeats that the peer is asked for, if any.
    pub(super) fn wish(&self) -> Option<u16> {
        let is_ordinary = (1..=ORDINARY_HEARTBEAT_MS).contains(&self.heartbeat_ms);
        let seconds = self.heartbeat_ms.min(MAX_HEARTBEAT_MS).div_ceil(1000);
        (!is_ordinary).then(|| u16::try_from(seconds).unwrap_or(u16::MAX))
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
    role: Role,
    heard_ms: u64,
    useful_ms: u64,
    /// When the ping was sent that is not answered yet.
    pinged_ms: Option<u64>,
    /// Since when something is expected.
    expecting_ms: Option<u64>,
}

impl Pulse {
    pub(super) fn new(patience: Patience, role: Role) -> Self {
        Self {
            patience,
            role,
            heard_ms: 0,
            useful_ms: 0,
            pinged_ms: None,
            expecting_ms: None,
        }
    }

    /// Takes the peer's wish: of two the longer wait, and no link is kept that one side does not
    /// want to keep.
    pub(super) fn agree(&mut self, wish: Option<u16>) {
        let Some(seconds) = wish else { return };
        let asked_ms = u64::from(seconds)
            .saturating_mul(1000)
            .min(MAX_HEARTBEAT_MS);
        let own_ms = &mut self.patience.heartbeat_ms;
        *own_ms = if asked_ms == 0 || *own_ms == 0 {
            0
        } else {
            asked_ms.max(*own_ms)
        };
    }

    /// Whether the session ends once the stores are equal.
    pub(super) fn is_visit(&self) -> bool {
        self.patience.heartbeat_ms == 0
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
        if self.is_visit() {
            return u64::MAX;
        }
        let beat_ms = self.patience.heartbeat_ms;
        // One who asks is enough: the listener does when the dialer has not.
        let wait_ms = match self.role {
            Role::Dialer => beat_ms,
            Role::Listener => beat_ms.saturating_add(beat_ms / 4),
        };
        self.heard_ms.saturating_add(wait_ms)
    }

    /// The earliest end of patience; never, while nothing is expected of a peer that is kept.
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
        // Nothing else tells whether a visitor is still there.
        let gone = if self.is_visit() {
            self.heard_ms.saturating_add(self.patience.patience_ms)
        } else {
            u64::MAX
        };
        silence.min(useless).min(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulse() -> Pulse {
        let mut pulse = Pulse::new(Patience::default(), Role::Dialer);
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
    fn a_listener_leaves_asking_to_the_dialer_for_a_while() {
        let mut pulse = Pulse::new(Patience::default(), Role::Listener);
        pulse.heard(0);
        assert_eq!(pulse.due(18_749, true), Due::Nothing);
        assert_eq!(pulse.due(18_750, true), Due::Ping);
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
    fn the_longer_wait_of_two_is_kept_and_a_visit_needs_one_who_wants_it() {
        let agreed = |own_ms, wish| {
            let patience = Patience {
                heartbeat_ms: own_ms,
                ..Patience::default()
            };
            let mut pulse = Pulse::new(patience, Role::Dialer);
            pulse.agree(wish);
            pulse.patience.heartbeat_ms
        };
        assert_eq!(agreed(20_000, None), 20_000);
        assert_eq!(agreed(20_000, Some(240)), 240_000);
        assert_eq!(agreed(400_000, Some(240)), 400_000);
        assert_eq!(agreed(20_000, Some(u16::MAX)), MAX_HEARTBEAT_MS);
        assert_eq!(agreed(20_000, Some(0)), 0);
        assert_eq!(agreed(0, Some(240)), 0);
        let wish = |heartbeat_ms| {
            let patience = Patience {
                heartbeat_ms,
                ..Patience::default()
            };
            patience.wish()
        };
        assert_eq!([20_000, 240_000, 0].map(wish), [None, Some(240), Some(0)]);
    }

    #[test]
    fn a_visitor_who_has_gone_silent_is_not_waited_for_without_end() {
        let mut pulse = pulse();
        pulse.agree(Some(0));
        assert_eq!(pulse.due(PATIENCE_MS - 1, true), Due::Nothing);
        assert!(matches!(pulse.due(PATIENCE_MS, true), Due::Stalled { .. }));
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
