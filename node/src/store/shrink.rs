//! Giving back the space of what is gone.
//!
//! The journal keeps every value that ever was, and sled never makes its files smaller. Where
//! values come and go, as mail does at a relay, both grow without end. So, before such a store is
//! opened, a journal that is mostly of what is gone is replaced by one of what the database holds,
//! and the database is made anew from it:
//!
//! ```text
//! journal.new                      is written
//! journal.new    -> journal.shrunk it is whole, and durable
//! db, journal    -> db.old, journal.old
//! journal.shrunk -> journal        from here on `open` makes the database anew
//! *.old                            are removed
//! ```
//!
//! Whatever cuts this short, the next start goes on from there: one of both journals is always
//! whole and in sight.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::{Damage, OpenError};
use super::folder::Folder;
use super::limits::LOW_WATER_BYTES;
use super::open::{Options, compare, open_engine, verify};
use super::repair::{Report, write_anew};
use super::seal::Sealer;
use super::space::{Durability, Space};
use super::survey::{list, survey};

/// The journal is replaced when it has so many times what is kept.
const TIMES: u64 = 2;

/// Replaces the journal where that gives back enough. What is not sound is left to `open`, which
/// says so.
///
/// # Errors
/// Those of `open`, but for damage.
pub(super) fn shrink(folder: &Folder, options: &Options) -> Result<(), OpenError> {
    finish(folder)?;
    let Some(above) = options.shrink_above_bytes else {
        return Ok(());
    };
    match shrink_sound(folder, options, above) {
        Err(OpenError::Damaged(_) | OpenError::Full) => Ok(()),
        outcome => outcome,
    }
}

fn shrink_sound(folder: &Folder, options: &Options, above: u64) -> Result<(), OpenError> {
    if folder.journal_ready().exists() || !folder.database().exists() {
        return Ok(());
    }
    let sealer = Sealer::new(&options.key, options.chance.clone());
    let segments = list(&folder.journal(), sealer.check())?.segments;
    let bytes = segments.iter().map(|one| one.len).sum::<u64>();
    if bytes < above {
        return Ok(());
    }
    let survey = survey(segments)?;
    let engine = open_engine(options, &folder.database())?;
    let Some(state) = engine.state()? else {
        return Ok(());
    };
    verify(&engine, &state)?;
    compare(Some(state), survey.as_ref(), &options.chance)?;
    let mut kept = 0_u64;
    for pair in engine.pairs() {
        let (key, sealed) = pair.map_err(|error| Damage::Database(error.to_string()))?;
        if Space::of(&key).durability() == Durability::Journaled {
            let pair = u64::try_from(key.len() + sealed.len()).unwrap_or(u64::MAX);
            kept = kept.saturating_add(pair);
        }
    }
    let free = options.disk.free_bytes(&folder.journal());
    let needed = kept
        .saturating_mul(2 * TIMES)
        .saturating_add(LOW_WATER_BYTES);
    if bytes < kept.saturating_mul(TIMES) || free.is_ok_and(|free| free < needed) {
        return Ok(());
    }
    let source = (engine, state);
    let mut report = Report::default();
    let ready = folder.journal_shrunk();
    write_anew(
        options,
        folder,
        &sealer,
        (Some(&source), &ready),
        &mut report,
    )?;
    drop(source);
    tracing::info!(
        journal_bytes = bytes,
        kept_bytes = kept,
        "the journal is made smaller"
    );
    finish(folder)
}

/// Puts a journal that is ready in its place, and removes what it replaces.
pub(super) fn finish(folder: &Folder) -> Result<(), OpenError> {
    let shrunk = folder.journal_shrunk();
    if shrunk.exists() {
        for part in [folder.database(), folder.journal()] {
            if part.exists() {
                let old = old(&part);
                remove(&old)?;
                folder.rename(&part, &old)?;
            }
        }
        folder.rename(&shrunk, &folder.journal())?;
    }
    if folder.journal().exists() {
        remove(&old(&folder.database()))?;
        remove(&old(&folder.journal()))?;
    }
    Ok(())
}

fn old(part: &Path) -> PathBuf {
    part.with_extension("old")
}

fn remove(folder: &Path) -> Result<(), OpenError> {
    match folder.exists() {
        true => fs::remove_dir_all(folder).map_err(OpenError::io("removing", folder)),
        false => Ok(()),
    }
}
