//! Invariants 3 and 4: who has the same shows the same, to the byte, whatever the order in which
//! it came, and also when it is read anew.

use std::collections::{BTreeMap, BTreeSet};

use crate::broken::{Broken, Invariant, conduct};
use crate::fhir;
use crate::world::World;

/// Clinics that may read all of a chart show what its home shows; those that may read a part of
/// it show that part alike.
pub(crate) fn all_show_the_same(world: &World) -> Result<(), Broken> {
    for chart in 0..world.expected.charts.len() {
        let home = world.expected.charts[chart].home;
        if world.expected.wounded.contains(&chart) {
            continue;
        }
        let wanted = shows(world, home, chart)?;
        for at in readers(world, chart) {
            let seen = shows(world, at, chart)?;
            let what = || {
                let differ = differences(&wanted, &seen);
                format!("{at} shows chart {chart} otherwise than its home {home}: {differ:?}")
            };
            Invariant::Convergence.holds(seen == wanted, what)?;
        }
    }
    Ok(())
}

/// What a clinic shows of a chart: its resources, what is held, and its conflicts.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shows {
    resources: BTreeMap<String, String>,
    held: BTreeSet<String>,
    conflicts: usize,
    sealed: usize,
    waiting: usize,
}

fn shows(world: &World, at: usize, chart: usize) -> Result<Shows, Broken> {
    let facts = &world.expected.charts[chart];
    let site = &world.sites[at];
    let Some(resources) = fhir::shown(site, facts)? else {
        return Ok(Shows::default());
    };
    let view = conduct("a chart", site.clinic().chart_view(&facts.text))?;
    Ok(Shows {
        resources,
        held: view.held.into_iter().map(|line| line.record).collect(),
        conflicts: view.conflicts,
        sealed: view.sealed,
        waiting: view.waiting,
    })
}

fn differences(wanted: &Shows, seen: &Shows) -> Vec<String> {
    let keys = wanted.resources.keys().chain(seen.resources.keys());
    let keys: BTreeSet<&String> = keys.collect();
    let mut differ: Vec<String> = keys
        .into_iter()
        .filter(|key| wanted.resources.get(*key) != seen.resources.get(*key))
        .map(|key| {
            let (wanted, seen) = (wanted.resources.get(key), seen.resources.get(key));
            format!("{key}: {wanted:?} and {seen:?}")
        })
        .collect();
    let counts = |shows: &Shows| {
        let Shows {
            held,
            conflicts,
            sealed,
            waiting,
            ..
        } = shows;
        format!("held {held:?}, conflicts {conflicts}, sealed {sealed}, waiting {waiting}")
    };
    if counts(wanted) != counts(seen) {
        differ.push(format!("{} and {}", counts(wanted), counts(seen)));
    }
    differ
}

/// The clinics with a grant of everything by the chart's home that neither ends nor was revoked.
fn readers(world: &World, chart: usize) -> BTreeSet<usize> {
    let home = world.expected.charts[chart].home;
    let grants = world.expected.grants.iter();
    grants
        .filter(|grant| {
            grant.chart == chart
                && grant.by == home
                && grant.compartments.is_none()
                && !grant.from_now_on
                && grant.expires_ms.is_none()
                && grant.revoked.is_none()
        })
        .map(|grant| grant.to)
        .collect()
}

/// A clinic whose database is made anew from its journal shows what it showed before; and so does
/// one that is told everything once more.
pub(crate) fn order_does_not_matter(world: &mut World) -> Result<(), Broken> {
    let at = world.expected.saves.len() % world.sites.len();
    let charts = 0..world.expected.charts.len();
    let all = |world: &World| -> Result<Vec<Shows>, Broken> {
        charts
            .clone()
            .map(|chart| shows(world, at, chart))
            .collect()
    };
    let before = all(world)?;
    world.sites[at].kill()?;
    let after = all(world)?;
    let what = || format!("{at} shows otherwise after it was read anew");
    Invariant::Convergence.holds(before == after, what)
}
