//! Invariant 5: what was written is shown, where it was written and at the chart's home, as a part
//! of the chart or as what is held; and two values of one thing stay two until somebody decides.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::broken::{Broken, Invariant, conduct};
use crate::fhir;
use crate::world::World;

/// Everything that was written is shown, and every conflict.
pub(crate) fn nothing_vanished(world: &World) -> Result<(), Broken> {
    for (chart, facts) in world.expected.charts.iter().enumerate() {
        if world.expected.wounded.contains(&chart) {
            continue;
        }
        let mut shown = BTreeMap::new();
        for save in world.expected.saves.iter().filter(|one| one.chart == chart) {
            let Some(resource) = &save.resource else {
                continue;
            };
            for at in [save.at, facts.home] {
                if at != facts.home && world.restored.contains(&at) {
                    // Where its right has ended, it does not get back what it wrote.
                    continue;
                }
                let here = match shown.entry(at) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => new.insert(everything_shown(world, at, chart)?),
                };
                let here = here.contains(resource);
                let by = save.at;
                let what = || format!("{resource}, which {by} wrote, is not shown at {at}");
                Invariant::Shown.holds(here, what)?;
            }
        }
        conflicts(world, chart)?;
    }
    Ok(())
}

/// The resources that a clinic shows of a chart, also those that are held.
fn everything_shown(world: &World, at: usize, chart: usize) -> Result<Vec<String>, Broken> {
    let facts = &world.expected.charts[chart];
    let site = &world.sites[at];
    let mut keys: Vec<String> = fhir::shown(site, facts)?
        .unwrap_or_default()
        .into_keys()
        .collect();
    let view = conduct("a chart", site.clinic().chart_view(&facts.text))?;
    let held = view.held_resources.into_iter().map(|one| one.resource);
    keys.extend(held);
    Ok(keys)
}

/// Home shows all current values of what was written over, and no other.
fn conflicts(world: &World, chart: usize) -> Result<(), Broken> {
    let facts = &world.expected.charts[chart];
    let site = &world.sites[facts.home];
    let Some(shown) = fhir::shown(site, facts)? else {
        return Ok(());
    };
    let view = conduct("a chart", site.clinic().chart_view(&facts.text))?;
    if !view.held.is_empty() || view.waiting > 0 || view.sealed > 0 {
        return Ok(());
    }
    let conflicts = conduct("conflicts", site.clinic().conflicts(&facts.text))?;
    for (thing, values) in &world.expected.values {
        if thing.chart != chart || values.decided {
            continue;
        }
        let seen = fhir::marks_shown(&conflicts, &shown, facts, thing.allergy);
        let wanted = values.current();
        let what = || format!("{thing:?} has the values {seen:?}, and {wanted:?} were written");
        Invariant::Shown.holds(seen == wanted, what)?;
    }
    Ok(())
}
