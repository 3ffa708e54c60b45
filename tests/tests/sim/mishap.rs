//! What befalls a clinic's machine: it is restarted, loses its power, or is put back to a backup.

use std::collections::BTreeSet;

use crate::broken::{Broken, conduct};
use crate::faults::Fault;
use crate::invariants::consent::surely_reads;
use crate::invariants::durable;
use crate::plan::Trouble;
use crate::world::World;

/// Lets one of these happen to a clinic.
pub(crate) fn befalls(world: &mut World, at: usize, trouble: Trouble) -> Result<String, Broken> {
    match trouble {
        Trouble::Restart => {
            world.isolate(at)?;
            world.sites[at].restart()?;
            durable::everything_is_held(world, at)?;
            Ok("is back".to_owned())
        }
        Trouble::Kill => {
            world.isolate(at)?;
            let loses = world.fault_at(at) == Some(Fault::LosesLastWrites);
            if loses && world.sites[at].has_backup() {
                world.sites[at].restore()?;
            } else {
                world.sites[at].kill()?;
            }
            if loses {
                world.sites[at].back_up()?;
            }
            durable::everything_is_held(world, at)?;
            Ok("is back".to_owned())
        }
        Trouble::BackUp => {
            world.sites[at].back_up()?;
            Ok("kept".to_owned())
        }
        Trouble::Restore if world.sites[at].has_backup() => restore(world, at),
        Trouble::Restore => Ok("no backup".to_owned()),
    }
}

/// The clinic goes on from its backup. Where it cannot notice that by itself, it catches up before
/// anybody writes there: what it wrote would stand where others have something else of it.
fn restore(world: &mut World, at: usize) -> Result<String, Broken> {
    world.isolate(at)?;
    let notices = world.sites[at].restore()?;
    world.restored.insert(at);
    let kept = items(world, at)?;
    let mut elsewhere = BTreeSet::new();
    for other in (0..world.sites.len()).filter(|other| *other != at) {
        elsewhere.append(&mut given_back(world, other, at)?);
    }
    let before = std::mem::replace(&mut world.expected.held[at], kept.clone());
    let lost: BTreeSet<[u8; 32]> = before
        .into_iter()
        .filter(|id| !kept.contains(id) && !elsewhere.contains(id))
        .collect();
    note_lost(world, &lost);
    for other in 0..world.sites.len() {
        if !notices && world.know_each_other(at, other) {
            world.isolate(other)?;
            world.meet(at, other)?;
        }
    }
    Ok(format!("restored, {} lost", lost.len()))
}

/// What a clinic holds that another one gets of it: nothing of what it may not read itself any
/// more.
fn given_back(world: &World, from: usize, to: usize) -> Result<BTreeSet<[u8; 32]>, Broken> {
    let mut items = BTreeSet::new();
    if !world.know_each_other(from, to) {
        return Ok(items);
    }
    let inventory = conduct("an inventory", world.sites[from].clinic().inventory())?;
    for (id, held) in inventory {
        let Some(chart) = world.expected.chart_of(&id) else {
            continue;
        };
        let mut any = false;
        for (record, place) in held.records {
            let name = world.expected.names.get(&(id, place.tag));
            let may = match name {
                Some(name) => surely_reads(world, from, chart, name)?,
                None => false,
            };
            if may {
                items.insert(*record.as_bytes());
            }
            any |= may;
        }
        if any {
            items.extend(held.statements.into_iter().map(|id| *id.as_bytes()));
        }
    }
    Ok(items)
}

/// Everything that a clinic holds.
pub(crate) fn items(world: &World, at: usize) -> Result<BTreeSet<[u8; 32]>, Broken> {
    let mut items = BTreeSet::new();
    let inventory = conduct("an inventory", world.sites[at].clinic().inventory())?;
    for chart in inventory.into_values() {
        items.extend(chart.records.into_keys().map(|id| *id.as_bytes()));
        items.extend(chart.statements.into_iter().map(|id| *id.as_bytes()));
    }
    Ok(items)
}

/// What only the clinic had that was put back is gone: nobody can be asked for it.
fn note_lost(world: &mut World, lost: &BTreeSet<[u8; 32]>) {
    let expected = &mut world.expected;
    for grant in &mut expected.grants {
        if grant.revoked.is_some_and(|id| lost.contains(id.as_bytes())) {
            grant.revoked = None;
            grant.reopened = true;
            expected.wounded.insert(grant.chart);
        }
        if lost.contains(grant.id.as_bytes()) {
            expected.wounded.insert(grant.chart);
        }
    }
    for save in &expected.saves {
        if save.records.iter().any(|id| lost.contains(id.as_bytes())) {
            expected.wounded.insert(save.chart);
        }
    }
}
