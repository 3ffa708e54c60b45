//! How often a patient's PIN may be tried at this node, in custody and from a card alike.
//!
//! ```text
//! Settings  "pin tries/" tag 16 -> wrong tries 4 | time of the last one 8
//! ```
//!
//! The tag is a keyed hash of the chart's id: who has the store without its keys learns of no
//! patient that somebody tried a PIN. A try is written down as a wrong one before it is made: who
//! pulls the plug while it is made has not gained one.
//!
//! It stops who has a card or a name, and this node. Who has the card and another computer guesses
//! there, at the cost that the card asks for.

use chartmesh_protocol::ChartId;

use super::audit::Action;
use super::{Clinic, ClinicError, date, items};
use crate::store::{Batch, Space};

/// Wrong tries that cost nothing: a person who is nervous needs three.
const FREE_TRIES: u32 = 10;
/// What the tenth wrong try in a row costs, in milliseconds; each further one twice the one before.
const FIRST_DELAY_MS: u64 = 60_000;
/// No delay is longer, in milliseconds: who is locked out comes back the next day. At one guess a
/// day nobody finds six digits.
const LONGEST_DELAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What the keys of the tallies begin with.
const TRIES: &[u8] = b"pin tries/";
const TAG_CONTEXT: &str = "chartmesh 2026-11 pin tries";
const TAG_LEN: usize = 16;

/// Wrong tries in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    wrong: u32,
    /// When the last one was made, in milliseconds since 1970.
    last_ms: u64,
}

/// What a tally says to one more try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// It may be made; the tally as it is then.
    Try(Tally),
    /// Not before this time, in milliseconds since 1970; the tally, where the clock was set back
    /// since the last try.
    Wait(u64, Tally),
}

impl Tally {
    fn read(bytes: Option<&[u8]>) -> Self {
        let parts = bytes.and_then(<[u8]>::split_first_chunk::<4>);
        let read = parts.and_then(|(wrong, last)| {
            Some(Self {
                wrong: u32::from_be_bytes(*wrong),
                last_ms: items::number(last)?,
            })
        });
        read.unwrap_or_default()
    }

    fn encode(self) -> Vec<u8> {
        [
            self.wrong.to_be_bytes().as_slice(),
            &self.last_ms.to_be_bytes(),
        ]
        .concat()
    }

    /// How long nothing may be tried after the last wrong try, in milliseconds.
    fn delay_ms(self) -> u64 {
        match self.wrong.checked_sub(FREE_TRIES) {
            None => 0,
            Some(doublings) => {
                let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
                FIRST_DELAY_MS.saturating_mul(factor).min(LONGEST_DELAY_MS)
            }
        }
    }

    /// Whether one more may be tried at `now_ms`.
    fn turn(self, now_ms: u64) -> Turn {
        // A clock that was set back makes nobody wait longer than the delay itself.
        let last_ms = self.last_ms.min(now_ms);
        let until = last_ms.saturating_add(self.delay_ms());
        if now_ms < until {
            return Turn::Wait(until, Self { last_ms, ..self });
        }
        Turn::Try(Self {
            wrong: self.wrong.saturating_add(1),
            last_ms: now_ms,
        })
    }

    /// How many more may be wrong before one has to wait.
    fn left(self) -> u32 {
        FREE_TRIES.saturating_sub(self.wrong)
    }
}

impl Clinic {
    /// Opens something of a chart with a PIN, if one may be tried now. `open` gives nothing for a
    /// wrong PIN; every error of its own counts as one.
    ///
    /// # Errors
    /// [`ClinicError::PinLimit`] where nothing may be tried yet, [`ClinicError::Pin`] for a wrong
    /// one, and what `open` returns. Both are in the audit log.
    pub(super) fn try_pin<T>(
        &self,
        chart: &ChartId,
        open: impl FnOnce() -> Result<Option<T>, ClinicError>,
    ) -> Result<T, ClinicError> {
        let key = self.tries_key(chart);
        let (now, place) = (self.time_ms(), key.clone());
        let (_, turn) = self.store.commit_with(move |view| {
            let known = Tally::read(view.get(Space::Settings, &place)?.as_deref());
            let turn = known.turn(now);
            let (Turn::Try(tally) | Turn::Wait(_, tally)) = turn;
            let mut batch = Batch::new();
            if tally != known {
                batch.put(Space::Settings, place, tally.encode());
            }
            Ok::<_, ClinicError>((batch, turn))
        })?;
        let tally = match turn {
            Turn::Try(tally) => tally,
            Turn::Wait(until, _) => {
                self.note(Action::DenyPin, Some(*chart))?;
                return Err(ClinicError::PinLimit {
                    next: date::moment(until),
                });
            }
        };
        if let Some(opened) = open()? {
            let mut batch = Batch::new();
            batch.delete(Space::Settings, key);
            self.store.commit(batch)?;
            return Ok(opened);
        }
        self.note(Action::WrongPin, Some(*chart))?;
        let reason = match tally.left() {
            0 => format!(
                "the patient's PIN is wrong; the next one may be tried after {}",
                date::moment(tally.last_ms.saturating_add(tally.delay_ms()))
            ),
            left => format!(
                "the patient's PIN is wrong; after {left} more, this node makes everybody wait"
            ),
        };
        Err(ClinicError::Pin { reason })
    }

    /// Where the tally of a chart stands.
    fn tries_key(&self, chart: &ChartId) -> Vec<u8> {
        let key = blake3::derive_key(TAG_CONTEXT, self.identity.custody.as_ref());
        let tag = blake3::keyed_hash(&key, chart.as_bytes());
        let tag = tag.as_bytes().iter().take(TAG_LEN);
        TRIES.iter().chain(tag).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    /// Tries one wrong PIN after another, each as soon as it may be, and returns how long each
    /// waited.
    fn waits(tries: usize) -> Vec<u64> {
        let (mut tally, mut now) = (Tally::default(), 1_000);
        let mut waits = Vec::new();
        for _ in 0..tries {
            let begun = now;
            if let Turn::Wait(until, _) = tally.turn(now) {
                now = until;
            }
            let Turn::Try(next) = tally.turn(now) else {
                panic!("it may be tried then")
            };
            assert_eq!(Tally::read(Some(&next.encode())), next);
            waits.push(now - begun);
            tally = next;
        }
        waits
    }

    #[test]
    fn ten_wrong_tries_cost_nothing_and_then_each_delay_is_twice_the_one_before() {
        let waits = waits(30);
        assert_eq!(waits[..10], [0; 10]);
        let minutes: Vec<u64> = waits[10..16].iter().map(|wait| wait / MINUTE).collect();
        assert_eq!(minutes, [1, 2, 4, 8, 16, 32]);
        assert!(waits.is_sorted());
        assert_eq!(waits.last(), Some(&LONGEST_DELAY_MS));
    }

    #[test]
    fn who_comes_too_soon_is_told_when() {
        let tally = Tally {
            wrong: 11,
            last_ms: 5 * MINUTE,
        };
        assert_eq!(tally.turn(6 * MINUTE), Turn::Wait(7 * MINUTE, tally));
        let next = Tally {
            wrong: 12,
            last_ms: 7 * MINUTE,
        };
        assert_eq!(tally.turn(7 * MINUTE), Turn::Try(next));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nobody_wait_longer_than_the_delay() {
        let tally = Tally {
            wrong: 10,
            last_ms: 900 * MINUTE,
        };
        let turn = tally.turn(5 * MINUTE);
        let noted = Tally {
            last_ms: 5 * MINUTE,
            ..tally
        };
        assert_eq!(turn, Turn::Wait(6 * MINUTE, noted));
        assert!(matches!(noted.turn(6 * MINUTE), Turn::Try(_)));
    }

    #[test]
    fn a_tally_that_is_none_is_that_of_no_try() {
        for bytes in [None, Some(&[1, 2, 3][..]), Some(&[0; 5])] {
            assert_eq!(Tally::read(bytes), Tally::default());
        }
    }
}
