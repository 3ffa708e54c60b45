//! Invariant 2: what a clinic has said to hold, it holds.

use chartmesh_protocol::reconcile::ItemId;

use crate::broken::{Broken, Invariant, conduct};
use crate::mishap;
use crate::world::World;

/// A clinic that has just said to hold an item does.
pub(crate) fn is_held(world: &World, at: usize, id: &ItemId) -> Result<(), Broken> {
    let held = conduct("a look", world.sites[at].clinic().holds(id))?;
    let what = || format!("{at} has acknowledged {id} and does not hold it");
    Invariant::Durable.holds(held, what)
}

/// A clinic holds everything that it has ever said to hold.
pub(crate) fn everything_is_held(world: &World, at: usize) -> Result<(), Broken> {
    let items = mishap::items(world, at)?;
    let lost = world.expected.held[at].difference(&items).count();
    let what = || format!("{at} has lost {lost} items that it had acknowledged");
    Invariant::Durable.holds(lost == 0, what)
}

/// A clinic has signed statements of a chart: they are to stay.
pub(crate) fn note_statements(world: &mut World, at: usize, chart: usize) -> Result<(), Broken> {
    let id = world.expected.charts[chart].id;
    let inventory = world.sites[at].clinic().chart_inventory(&id);
    let statements = conduct("an inventory", inventory)?.statements;
    let ids = statements.into_iter().map(|id| *id.as_bytes());
    world.expected.held[at].extend(ids);
    Ok(())
}

/// A clinic has taken files in: what they brought is to stay.
pub(crate) fn note_everything(world: &mut World, at: usize) -> Result<(), Broken> {
    let mut items = mishap::items(world, at)?;
    world.expected.held[at].append(&mut items);
    Ok(())
}
