//! Invariant 7: what a clinic writes after it knows of a revocation is sealed under no key that
//! the other one can open, by all the keys that were ever handed over by anybody.
//!
//! That it serves nothing more is checked with each item that leaves it, in `consent`.

use std::collections::BTreeMap;

use chartmesh_protocol::ledger::{Ledger, openable};
use chartmesh_protocol::{EpochId, RecordId};

use crate::broken::{Broken, Invariant, conduct};
use crate::world::World;

/// Nothing that was written after a revocation opens to whom it was revoked.
pub(crate) fn nothing_new_opens(world: &World) -> Result<(), Broken> {
    for chart in 0..world.expected.charts.len() {
        let (ledger, epochs) = everything_of(world, chart)?;
        for save in world.expected.saves.iter().filter(|one| one.chart == chart) {
            for to in &save.barred {
                let mut grants = world.expected.grants.iter();
                // Who is let read everything later gets the keys of what came before.
                let again = grants.any(|grant| {
                    grant.chart == chart
                        && grant.to == *to
                        && grant.covers(&save.compartment)
                        && (grant.order > save.order || grant.reopened)
                });
                if again {
                    continue;
                }
                let clinic = world.sites[*to].clinic().clinic_id();
                let opens = openable(&ledger, &save.compartment, &clinic);
                let mut epoch = save.records.iter().filter_map(|id| epochs.get(id));
                let what = || {
                    let (at, name) = (save.at, &save.compartment);
                    format!("{at} wrote {name} of chart {chart}, which opens to {to}: revoked")
                };
                Invariant::Revocation.holds(!epoch.any(|epoch| opens.contains(epoch)), what)?;
            }
        }
    }
    Ok(())
}

/// All statements of a chart that any clinic has, and the epochs of all its records.
fn everything_of(
    world: &World,
    chart: usize,
) -> Result<(Ledger, BTreeMap<RecordId, EpochId>), Broken> {
    let id = world.expected.charts[chart].id;
    let mut ledger = Ledger::new(id);
    let mut epochs = BTreeMap::new();
    for site in &world.sites {
        let inventory = conduct("an inventory", site.clinic().chart_inventory(&id))?;
        for (_, statement) in inventory.ledger.iter() {
            ledger.insert(statement.clone());
        }
        let places = inventory.records.into_iter();
        epochs.extend(places.map(|(record, place)| (record, place.epoch)));
    }
    Ok((ledger, epochs))
}
