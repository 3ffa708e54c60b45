//! Checking all of a store.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use super::commit::CommitNumber;
use super::engine::Engine;
use super::error::{Damage, OpenError, StoreError};
use super::fingerprint::{Fingerprint, digest};
use super::limits::MAX_PROBLEMS;
use super::seal::{Sealer, first_16};
use super::segment::Write;
use super::space::{Durability, Space};
use super::survey::{Entries, ReadError, Segment, list, survey};
use super::writer::Shared;

/// How far a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// Entries of the journal that were read.
    Journal {
        /// How many.
        entries: u64,
    },
    /// Values of the database that were opened.
    Values {
        /// How many.
        done: u64,
        /// Of how many.
        of: u64,
    },
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// The last commit of the database.
    pub commit: u64,
    /// The last commit of the journal.
    pub journal_commit: u64,
    /// Entries of the journal.
    pub entries: u64,
    /// Segments of the journal.
    pub segments: u64,
    /// Bytes of the journal.
    pub journal_bytes: u64,
    /// Values by space.
    pub values: BTreeMap<Space, u64>,
    /// Bytes of the sealed values and their keys.
    pub value_bytes: u64,
    /// What is not as it should be; the first thousand.
    pub problems: Vec<Problem>,
    /// Problems beyond these.
    pub more_problems: u64,
}

impl Health {
    /// Whether there is nothing to repair.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    fn report(&mut self, problem: Problem) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.more_problems = self.more_problems.saturating_add(1);
        }
    }
}

/// One thing that is not as it should be. Keys are shown: they hold no patient data.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// A value does not open under the store's key.
    Sealed {
        /// Its space.
        space: Space,
        /// Its key.
        key: Vec<u8>,
    },
    /// A value is not the one that the journal has.
    Differs {
        /// Its space.
        space: Space,
        /// Its key.
        key: Vec<u8>,
    },
    /// A value is not in the journal.
    NotInJournal {
        /// Its space.
        space: Space,
        /// Its key.
        key: Vec<u8>,
    },
    /// So many values of the journal are not in the database.
    Missing {
        /// How many.
        values: u64,
    },
    /// The database does not read to its end.
    Unreadable(StoreError),
    /// Something larger is damaged.
    Damaged(Damage),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (space, key, what) = match self {
            Self::Sealed { space, key } => (space, key, "does not open"),
            Self::Differs { space, key } => (space, key, "is not what the journal has"),
            Self::NotInJournal { space, key } => (space, key, "is not in the journal"),
            Self::Missing { values } => {
                return write!(f, "{values} values of the journal are not in the database");
            }
            Self::Unreadable(error) => return error.fmt(f),
            Self::Damaged(damage) => return damage.fmt(f),
        };
        write!(f, "value {space}/")?;
        for byte in key {
            write!(f, "{byte:02x}")?;
        }
        write!(f, " {what}")
    }
}

/// The last write of each key in the journal: a hash of the key, and the digest of the value or
/// `None` for a deletion. A million keys take some 50 MB.
type LastWrites = HashMap<[u8; 16], Option<u128>>;

/// Checks all of the store. Nothing may write meanwhile.
pub(super) fn check(
    shared: &Shared,
    commit: CommitNumber,
    progress: &mut dyn FnMut(Progress),
) -> Result<Health, OpenError> {
    let mut health = Health {
        commit: commit.number(),
        ..Health::default()
    };
    let journal = read_journal(shared, &mut health, progress)?;
    let state = match shared.engine.state() {
        Ok(Some(state)) => state,
        // A store without a commit has no state yet.
        Ok(None) if commit.number() == 0 => return Ok(health),
        Ok(None) => {
            health.report(Problem::Damaged(Damage::Fingerprint));
            return Ok(health);
        }
        Err(OpenError::Damaged(damage)) => {
            health.report(Problem::Damaged(damage));
            return Ok(health);
        }
        Err(error) => return Err(error),
    };
    if state.commit != health.journal_commit {
        let (journal, database) = (health.journal_commit, state.commit);
        health.report(Problem::Damaged(Damage::Short { journal, database }));
    }
    let of = state.fingerprint.count;
    let values = Values {
        of,
        expected: journal,
        progress,
    };
    let found = values.check(&shared.engine, &shared.sealer, &mut health);
    if found.is_some_and(|found| found != state.fingerprint) {
        health.report(Problem::Damaged(Damage::Fingerprint));
    }
    Ok(health)
}

/// Reads every entry of the journal; `None` if it is damaged, so that its last writes are
/// unknown.
fn read_journal(
    shared: &Shared,
    health: &mut Health,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<LastWrites>, OpenError> {
    let listing = list(&shared.folder.journal(), shared.sealer.check());
    let surveyed = listing.and_then(|listing| survey(listing.segments));
    let survey = match surveyed {
        Ok(Some(survey)) => survey,
        Ok(None) => {
            health.report(Problem::Damaged(Damage::Missing { segment: 1 }));
            return Ok(None);
        }
        Err(OpenError::Damaged(damage)) => {
            health.report(Problem::Damaged(damage));
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    health.journal_commit = survey.last;
    let mut last_writes = LastWrites::new();
    let mut sound = true;
    if let Some(damage) = survey.torn {
        // An open store has no torn tail: it was cut off at the start.
        health.report(Problem::Damaged(damage));
        sound = false;
    }
    for segment in &survey.segments {
        health.segments = health.segments.saturating_add(1);
        health.journal_bytes = health.journal_bytes.saturating_add(segment.len);
        match read_segment(segment, &mut last_writes, health, progress) {
            Ok(()) => {}
            Err(ReadError::Damaged(damage)) => {
                health.report(Problem::Damaged(damage));
                sound = false;
            }
            Err(ReadError::Open(error)) => return Err(error),
        }
    }
    Ok(sound.then_some(last_writes))
}

fn read_segment(
    segment: &Segment,
    last_writes: &mut LastWrites,
    health: &mut Health,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), ReadError> {
    let mut entries = Entries::of(segment).map_err(ReadError::Open)?;
    while let Some(entry) = entries.next_entry()? {
        for write in entry.writes().ok_or_else(|| entries.damaged("body"))? {
            match write {
                Write::Put { key, sealed } => {
                    last_writes.insert(key_hash(key), Some(digest(key, sealed)))
                }
                Write::Delete { key } => last_writes.insert(key_hash(key), None),
                Write::Note { .. } => None,
            };
        }
        health.entries = health.entries.saturating_add(1);
        if health.entries.is_multiple_of(PROGRESS_STEP) {
            progress(Progress::Journal {
                entries: health.entries,
            });
        }
    }
    Ok(())
}

/// Values or entries between two reports of progress.
const PROGRESS_STEP: u64 = 1024;

fn key_hash(full_key: &[u8]) -> [u8; 16] {
    first_16(blake3::hash(full_key).as_bytes())
}

struct Values<'p> {
    of: u64,
    expected: Option<LastWrites>,
    progress: &'p mut dyn FnMut(Progress),
}

impl Values<'_> {
    /// Opens every value and holds it against the journal. Returns the fingerprint of all, or
    /// `None` if the database did not read to its end.
    fn check(
        mut self,
        engine: &Engine,
        sealer: &Sealer,
        health: &mut Health,
    ) -> Option<Fingerprint> {
        let mut found = Fingerprint::default();
        for pair in engine.pairs() {
            let (key, sealed) = match pair {
                Ok(pair) => pair,
                Err(error) => {
                    health.report(Problem::Unreadable(error));
                    return None;
                }
            };
            found.add(&key, &sealed);
            let bytes = (key.len() + sealed.len()) as u64;
            health.value_bytes = health.value_bytes.saturating_add(bytes);
            let values = health.values.entry(Space::of(&key)).or_default();
            *values = values.saturating_add(1);
            if sealer.open(&key, &sealed).is_err() {
                let (space, key) = split(&key);
                health.report(Problem::Sealed { space, key });
            }
            self.compare(&key, &sealed, health);
            if found.count.is_multiple_of(PROGRESS_STEP) {
                (self.progress)(Progress::Values {
                    done: found.count,
                    of: self.of,
                });
            }
        }
        (self.progress)(Progress::Values {
            done: found.count,
            of: self.of,
        });
        let expected = self.expected.unwrap_or_default();
        let missing = expected.values().filter(|digest| digest.is_some()).count() as u64;
        if missing > 0 {
            health.report(Problem::Missing { values: missing });
        }
        Some(found)
    }

    fn compare(&mut self, key: &[u8], sealed: &[u8], health: &mut Health) {
        let Some(expected) = &mut self.expected else {
            return;
        };
        if Space::of(key).durability() == Durability::Derived {
            return;
        }
        let last = expected.remove(&key_hash(key)).flatten();
        if last == Some(digest(key, sealed)) {
            return;
        }
        let (space, key) = split(key);
        health.report(match last {
            Some(_) => Problem::Differs { space, key },
            None => Problem::NotInJournal { space, key },
        });
    }
}

fn split(full_key: &[u8]) -> (Space, Vec<u8>) {
    (Space::of(full_key), super::read::short_key(full_key))
}
