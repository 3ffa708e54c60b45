//! A stick that is carried from one clinic to another: bundle files, and what happens to them.

use std::path::PathBuf;

use chartmesh::control::BundleOrder;
use rand::RngExt;
use tempfile::TempDir;

use crate::broken::{Broken, Invariant, conduct};
use crate::invariants::durable;
use crate::plan::Mishap;
use crate::site;
use crate::world::World;

/// The smallest parts that there are, in bytes: as many files as possible.
const PART_BYTES: u64 = 256 * 1024;

/// Files that were carried once, and may come again.
pub(crate) struct Stick {
    to: usize,
    files: Vec<PathBuf>,
    _folder: TempDir,
}

/// Exports at one clinic, and imports at the other.
pub(crate) fn carry(
    world: &mut World,
    (from, to): (usize, usize),
    mishap: Mishap,
    everything: bool,
) -> Result<String, Broken> {
    if !world.know_each_other(from, to) {
        return Ok("strangers".to_owned());
    }
    let folder = site::folder()?;
    let order = BundleOrder {
        peer: world.sites[to].clinic().clinic_id().to_string(),
        out: folder.path().join("stick"),
        max_size: PART_BYTES,
        everything,
    };
    conduct("flushing", world.sites[from].clinic().flush())?;
    let written = world.sites[from].clinic().export_bundle(&order, &|_| {});
    let mut files = conduct("an export", written)?.files;
    let kept = files.clone();
    match mishap {
        Mishap::None => {}
        Mishap::Lost => files.clear(),
        Mishap::Cut => damage(world, files.last(), |bytes, at| bytes.truncate(at))?,
        Mishap::Damaged => damage(world, files.last(), |bytes, at| bytes[at] ^= 1)?,
        Mishap::Shuffled => {
            let before = world.sticks.iter().filter(|stick| stick.to == to);
            files.extend(before.flat_map(|stick| stick.files.iter().cloned()));
            files.extend(files.clone());
            files.reverse();
        }
    }
    let read = world.sites[to].clinic().import_bundles(&files, &|_| {});
    let read = conduct("reading a stick", read)?;
    durable::note_everything(world, to)?;
    if mishap == Mishap::None {
        let fault = read.files.iter().find(|file| !file.whole);
        let unread = || format!("a whole file from {from} to {to} is not read: {fault:?}");
        Invariant::Conduct.holds(fault.is_none(), unread)?;
    }
    world.sticks.push(Stick {
        to,
        files: kept,
        _folder: folder,
    });
    let count =
        |of: fn(&chartmesh::clinic::PartRead) -> u64| read.files.iter().map(of).sum::<u64>();
    Ok(format!(
        "{} files, {} items, {} new, {} refused",
        read.files.len(),
        count(|file| file.items),
        count(|file| file.new_items),
        count(|file| file.refused)
    ))
}

fn damage(
    world: &mut World,
    file: Option<&PathBuf>,
    how: impl FnOnce(&mut Vec<u8>, usize),
) -> Result<(), Broken> {
    let Some(file) = file else {
        return Ok(());
    };
    let mut bytes = conduct("a stick", std::fs::read(file))?;
    let at = world.chance.random_range(0..bytes.len().max(1));
    how(&mut bytes, at);
    conduct("a stick", std::fs::write(file, bytes))
}
