//! Invariant 6: the history of a chart names, for everything that was written, the clinic that
//! wrote it, by its own signature.

use std::collections::BTreeMap;

use chartmesh::clinic::Provenance;

use crate::broken::{Broken, Invariant, conduct};
use crate::world::World;

/// At home, every entry of the history is of the clinic that wrote it.
pub(crate) fn everything_has_its_author(world: &World) -> Result<(), Broken> {
    for (chart, facts) in world.expected.charts.iter().enumerate() {
        if world.expected.wounded.contains(&chart) {
            continue;
        }
        let site = &world.sites[facts.home];
        let history = conduct("a history", site.clinic().history(&facts.text))?;
        let mut authors = BTreeMap::new();
        for line in &history {
            let signed = line.provenance == Provenance::Signed;
            let what = || format!("chart {chart}: {:?} is only attested", line.resources);
            Invariant::Attribution.holds(signed, what)?;
            for resource in &line.resources {
                authors.entry(resource.clone()).or_insert(line.clinic);
            }
        }
        for save in world.expected.saves.iter().filter(|one| one.chart == chart) {
            let named = save.resource.as_ref().and_then(|key| authors.get(key));
            // One that is held is no part of the history.
            let Some(named) = named else {
                continue;
            };
            let wanted = world.sites[save.at].clinic().clinic_id();
            let what = || {
                format!(
                    "{:?} of chart {chart} is not said to be of its author",
                    save.resource
                )
            };
            Invariant::Attribution.holds(*named == Some(wanted), what)?;
        }
    }
    Ok(())
}
