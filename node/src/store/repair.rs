//! Making a damaged store whole.
//!
//! Whatever is damaged, the journal is made good first and the database is rebuilt from it:
//! - a sound journal stays as it is;
//! - a damaged one is replaced by a new one, with all that the database holds, if that is
//!   sound, and behind it what still reads of the old journal and is newer.
//!
//! Damaged parts are renamed, not removed. The new journal gets its place only when it is
//! whole, so a repair that is cut short is begun again.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::batch::SealedWrite;
use super::disk::make_folder;
use super::engine::{Engine, State};
use super::error::{Damage, OpenError};
use super::folder::Folder;
use super::journal::{AppendError, Journal};
use super::limits::GROUP_BYTES;
use super::open::{Options, compare, journal_error, new_store_id, open, open_engine, verify};
use super::salvage::{newer_entries, salvage};
use super::seal::Sealer;
use super::segment::{Entry, Header, Write, encode_entry};
use super::shrink;
use super::space::{Durability, Space};
use super::survey::{Entries, Survey, list, survey};

/// What a repair found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What was wrong with the database.
    pub database: Option<Damage>,
    /// What was wrong with the journal. If it was damaged, commits are numbered anew.
    pub journal: Option<Damage>,
    /// Commits, by their old numbers, that neither had: to be had from a peer or a backup.
    pub lost: Vec<RangeInclusive<u64>>,
    /// Where the damaged parts are now.
    pub aside: Vec<PathBuf>,
    /// Commits from which the database was rebuilt; 0 if it was not.
    pub replayed: u64,
}

/// Repairs the store of `options`; does nothing to one that is sound.
pub(super) fn repair(options: &Options) -> Result<Report, OpenError> {
    let folder = Folder::hold(&options.dir)?;
    shrink::finish(&folder)?;
    let sealer = Sealer::new(&options.key, options.chance.clone());
    let mut report = Report::default();
    if folder.journal_ready().exists() {
        report.journal = Some(Damage::Interrupted);
        put_in_place(&folder, &mut report)?;
    }
    let journal = sort(read_journal(&folder.journal(), &sealer))?;
    let database = sort(read_database(&folder.database(), options))?;
    let (mut journal, mut database) = (journal, database);
    if let (Ok(survey), Ok(Some((_, state)))) = (&journal, &database)
        && let Err(damage) = sort(compare(Some(*state), survey.as_ref(), &options.chance))?
    {
        if damage == Damage::Stranger {
            database = Err(damage);
        } else {
            journal = Err(damage);
        }
    }
    let sound = database.is_ok();
    if let Err(damage) = journal {
        report.journal = Some(damage);
        let source = database.as_ref().ok().and_then(Option::as_ref);
        let ready = folder.journal_ready();
        write_anew(options, &folder, &sealer, (source, &ready), &mut report)?;
        report.database = database.err();
        put_in_place(&folder, &mut report)?;
    } else if let Err(damage) = database {
        report.database = Some(damage);
        report.aside.push(folder.move_aside(&folder.database())?);
    } else {
        drop(database);
    }
    drop(folder);
    let opened = open(options)?;
    report.replayed = if sound && report.journal.is_none() {
        0
    } else {
        opened.caught_up
    };
    Ok(report)
}

/// Damage is what a repair works on; any other error ends it.
fn sort<T>(found: Result<T, OpenError>) -> Result<Result<T, Damage>, OpenError> {
    match found {
        Ok(found) => Ok(Ok(found)),
        Err(OpenError::Damaged(damage)) => Ok(Err(damage)),
        Err(error) => Err(error),
    }
}

/// Reads every entry of the journal.
fn read_journal(folder: &Path, sealer: &Sealer) -> Result<Option<Survey>, OpenError> {
    make_folder(folder).map_err(OpenError::io("making", folder))?;
    let survey = survey(list(folder, sealer.check())?.segments)?;
    let segments = survey.iter().flat_map(|survey| &survey.segments);
    let mut first = 1;
    for segment in segments {
        let mut entries = Entries::of(segment)?;
        if segment.header.first != first {
            return Err(entries.damaged("follows a segment that ends early").into());
        }
        while let Some(entry) = entries.next_entry()? {
            entry.writes().ok_or_else(|| entries.damaged("body"))?;
            first = entry.commit.saturating_add(1);
        }
    }
    Ok(survey)
}

/// Opens the database, if there is one, and reads all of it.
fn read_database(folder: &Path, options: &Options) -> Result<Option<(Engine, State)>, OpenError> {
    if !folder.exists() {
        return Ok(None);
    }
    let engine = open_engine(options, folder)?;
    match engine.state()? {
        None => Ok(None),
        Some(state) => {
            verify(&engine, &state)?;
            Ok(Some((engine, state)))
        }
    }
}

/// Writes a journal from what is left, and marks it ready by its name.
pub(super) fn write_anew(
    options: &Options,
    folder: &Folder,
    sealer: &Sealer,
    (source, ready): (Option<&(Engine, State)>, &Path),
    report: &mut Report,
) -> Result<(), OpenError> {
    let making = folder.journal_in_making();
    if making.exists() {
        fs::remove_dir_all(&making).map_err(OpenError::io("removing", &*making))?;
    }
    make_folder(&making).map_err(OpenError::io("making", &*making))?;
    let header = Header {
        store: new_store_id(&options.chance),
        segment: 1,
        first: 1,
        key_check: sealer.check(),
    };
    let journal = Journal::start(options.disk.clone(), &making, header, options.segment_bytes);
    let journal = journal.map_err(|error| journal_error(error, &making))?;
    let mut copy = Copy {
        journal,
        folder: &making,
        next: 1,
        writes: Vec::new(),
        bytes: 0,
    };
    let mut known = 0;
    if let Some((engine, state)) = source {
        known = state.commit;
        copy.database(engine)?;
    }
    let found = salvage(&folder.journal(), sealer.check())?;
    report.lost = newer_entries(&found, known, &mut |entry| copy.entry(entry))?;
    folder.rename(&making, ready)
}

/// Puts a journal that is ready in its place; the database is rebuilt from it.
fn put_in_place(folder: &Folder, report: &mut Report) -> Result<(), OpenError> {
    if folder.database().exists() {
        report.aside.push(folder.move_aside(&folder.database())?);
    }
    if folder.journal().exists() {
        report.aside.push(folder.move_aside(&folder.journal())?);
    }
    folder.rename(&folder.journal_ready(), &folder.journal())
}

/// Writes sealed values to a new journal.
struct Copy<'f> {
    journal: Journal,
    folder: &'f Path,
    next: u64,
    writes: Vec<SealedWrite>,
    bytes: usize,
}

impl Copy<'_> {
    /// All that a sound database holds.
    fn database(&mut self, engine: &Engine) -> Result<(), OpenError> {
        for pair in engine.pairs() {
            let (key, sealed) = pair.map_err(|error| Damage::Database(error.to_string()))?;
            if Space::of(&key).durability() == Durability::Journaled {
                self.add(&key, Some(sealed.to_vec()));
            }
            if self.bytes > GROUP_BYTES {
                self.finish()?;
            }
        }
        self.finish()
    }

    /// One commit of the old journal.
    fn entry(&mut self, entry: &Entry) -> Result<(), OpenError> {
        for write in entry.writes().unwrap_or_default() {
            match write {
                Write::Put { key, sealed } => self.add(key, Some(sealed.to_vec())),
                Write::Delete { key } => self.add(key, None),
                // The rebuilt database lacks all derived values.
                Write::Note { .. } => {}
            }
        }
        self.finish()
    }

    fn add(&mut self, full_key: &[u8], sealed: Option<Vec<u8>>) {
        let value_bytes = sealed.as_ref().map_or(0, Vec::len);
        self.bytes = self
            .bytes
            .saturating_add(full_key.len())
            .saturating_add(value_bytes);
        let (space, full_key) = (Space::of(full_key), full_key.to_vec());
        self.writes.push(SealedWrite {
            space,
            full_key,
            sealed,
        });
    }

    /// Makes one commit of what was added.
    fn finish(&mut self) -> Result<(), OpenError> {
        if self.writes.is_empty() {
            return Ok(());
        }
        let mut entries = Vec::with_capacity(self.bytes);
        let durable = self.next.saturating_sub(1);
        let done = self.journal.place(self.next).and_then(|place| {
            let encoded = encode_entry(&mut entries, place, self.next, durable, &self.writes);
            let too_large = AppendError::Failed("copying", std::io::ErrorKind::FileTooLarge);
            encoded.ok_or(too_large)?;
            self.journal.append(&entries)
        });
        done.map_err(|error| journal_error(error, self.folder))?;
        self.next = self.next.saturating_add(1);
        self.writes.clear();
        self.bytes = 0;
        Ok(())
    }
}
