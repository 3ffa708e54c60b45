//! A link between two clinics, one direction: bytes take their time, and come in order or not at
//! all, as on any reliable stream.
//!
//! What is lost on the way is sent again by the transport and so comes late, with everything that
//! is behind it. A link that dies in silence swallows everything; the ends find out by themselves.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Bytes that arrive at once at most.
const PIECE_BYTES: usize = 6_000;
/// What a transport waits at least before it sends again, in milliseconds (RFC 6298 §2.4).
const RESEND_MS: u64 = 1_000;
/// How often a piece is lost in a row at most: links that lose everything are cut links.
const MAX_LOSSES: usize = 6;

/// How good a link is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Weather {
    /// Bytes a second.
    pub(crate) rate: u64,
    /// Time from end to end, in milliseconds.
    pub(crate) delay_ms: u64,
    /// How many of a thousand pieces are lost.
    pub(crate) lost_per_mille: u32,
}

impl Weather {
    /// A local network.
    pub(crate) const CALM: Self = Self {
        rate: 10_000_000,
        delay_ms: 1,
        lost_per_mille: 0,
    };

    /// Any link that clinics have: from a satellite's to a local one.
    pub(crate) fn random(chance: &mut ChaCha8Rng) -> Self {
        let rates = [1_000, 8_000, 32_000, 1_000_000];
        Self {
            rate: rates[chance.random_range(0..rates.len())],
            delay_ms: chance.random_range(1..900),
            lost_per_mille: chance.random_range(0..120),
        }
    }
}

/// One direction of a link.
pub(crate) struct Link {
    weather: Weather,
    chance: ChaCha8Rng,
    /// When the line is free for the next piece.
    free_at: u64,
    /// When the last piece arrives: none overtakes another.
    last_arrival: u64,
    dead: bool,
}

impl Link {
    /// A link that is free.
    pub(crate) fn new(weather: Weather, chance: ChaCha8Rng) -> Self {
        Self {
            weather,
            chance,
            free_at: 0,
            last_arrival: 0,
            dead: false,
        }
    }

    /// From now on everything vanishes.
    pub(crate) fn die(&mut self) {
        self.dead = true;
    }

    /// Sends bytes; returns what arrives when.
    pub(crate) fn send(&mut self, now_ms: u64, bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
        if self.dead {
            return Vec::new();
        }
        let mut arrivals = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            // Where a read of the other end stops is nobody's choice.
            let largest = rest.len().min(PIECE_BYTES);
            let (piece, behind) =
                rest.split_at(self.chance.random_range(1..=largest).max(200.min(largest)));
            rest = behind;
            arrivals.push((self.arrival(now_ms, piece.len()), piece.to_vec()));
        }
        arrivals
    }

    /// When the end of the stream arrives; never on a dead link.
    pub(crate) fn end(&mut self, now_ms: u64) -> Option<u64> {
        (!self.dead).then(|| self.arrival(now_ms, 1))
    }

    fn arrival(&mut self, now_ms: u64, bytes: usize) -> u64 {
        let Weather {
            rate,
            delay_ms,
            lost_per_mille,
        } = self.weather;
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.free_at = self.free_at.max(now_ms) + bytes * 1_000 / rate;
        let mut at = self.free_at + delay_ms;
        let mut pause = RESEND_MS.max(2 * delay_ms);
        for _ in 0..MAX_LOSSES {
            if self.chance.random_range(0..1_000) >= lost_per_mille {
                break;
            }
            at += pause;
            pause *= 2;
        }
        self.last_arrival = self.last_arrival.max(at);
        self.last_arrival
    }
}
