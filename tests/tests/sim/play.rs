//! The steps of a plan, done with the real clinics, and noted in what is expected.

use std::collections::BTreeSet;

use chartmesh::clinic::GrantsMade;
use chartmesh::control::{GrantRequest, Registration, Resolution};
use chartmesh_protocol::ledger::CompartmentName;

use crate::broken::{Broken, Invariant, conduct};
use crate::expected::{Chart, Grant, Written};
use crate::faults::Fault;
use crate::fhir;
use crate::invariants;
use crate::meeting::MeetingId;
use crate::mishap;
use crate::plan::{Step, Terms};
use crate::stick;
use crate::world::{BEGINNING_MS, World};
use crate::write;

/// Does one step; says in a word what came of it.
pub(crate) fn step(world: &mut World, step: &Step) -> Result<String, Broken> {
    let done = match step {
        Step::Register { at } => register(world, *at),
        Step::Write { at, chart, kind } => of_chart(world, *chart, |world, chart| {
            write::entry(world, *at, chart, *kind)
        }),
        Step::Edit { at, chart, allergy } => of_chart(world, *chart, |world, chart| {
            let thing = Written {
                chart,
                allergy: *allergy,
            };
            write::edit(world, *at, thing)
        }),
        Step::Resolve { at, chart } => {
            of_chart(world, *chart, |world, chart| resolve(world, *at, chart))
        }
        Step::Grant(terms) => of_chart(world, terms.chart, |world, chart| {
            grant(world, chart, terms)
        }),
        Step::Revoke { grant } => revoke(world, *grant),
        Step::Compact { at } => {
            let made = world.sites[*at].clinic().compact_saved();
            Ok(conduct("a compaction", made)?.to_string())
        }
        Step::Join {
            one,
            other,
            weather,
            for_ms,
        } => {
            if !world.know_each_other(*one, *other) {
                return Ok("strangers".to_owned());
            }
            let until = world.now_ms + for_ms;
            world.join(*one, *other, *weather, until)?;
            Ok("joined".to_owned())
        }
        Step::Cut { link, silent } => cut(world, *link, *silent),
        Step::Stick {
            from,
            to,
            mishap,
            everything,
        } => stick::carry(world, (*from, *to), *mishap, *everything),
        Step::Machine { at, trouble } => mishap::befalls(world, *at, *trouble),
        Step::Clock { at, by_ms } => {
            let now = world.now_ms;
            let skew = world.sites[*at].skew_ms().midpoint(*by_ms);
            world.sites[*at].set_skew(now, skew);
            Ok(format!("{skew} ms"))
        }
    };
    let done = done?;
    world.look()?;
    Ok(done)
}

fn of_chart(
    world: &mut World,
    chart: usize,
    step: impl FnOnce(&mut World, usize) -> Result<String, Broken>,
) -> Result<String, Broken> {
    let charts = world.expected.charts.len();
    if charts == 0 {
        return Ok("no chart".to_owned());
    }
    step(world, chart % charts)
}

fn register(world: &mut World, at: usize) -> Result<String, Broken> {
    let number = world.expected.charts.len();
    let registration = Registration {
        given: vec![format!("Patient{number}")],
        family: Some("Okello".to_owned()),
        birth_date: Some("1987-04".to_owned()),
        sex: "female".to_owned(),
        identifiers: vec![],
        even_if_alike: true,
    };
    let made = world.sites[at].clinic().register(&registration);
    let made = conduct("a registration", made)?;
    world.expected.charts.push(Chart {
        id: made.id,
        text: made.id.to_string(),
        patient: made.fhir_id,
        home: at,
    });
    write::note_saved(world, at, number, None, &BTreeSet::new())?;
    Ok(format!("chart {number}"))
}

fn resolve(world: &mut World, at: usize, chart: usize) -> Result<String, Broken> {
    let clinic = world.sites[at].clinic();
    let Ok(conflicts) = clinic.conflicts(&world.expected.charts[chart].text) else {
        return Ok("unknown here".to_owned());
    };
    let Some(conflict) = conflicts.first() else {
        return Ok("no conflict".to_owned());
    };
    let resolution = Resolution {
        id: world.expected.charts[chart].text.clone(),
        resource: conflict.resource.clone(),
        element: conflict.element.clone(),
        version: conflict.versions.len(),
    };
    match clinic.resolve(&resolution) {
        Ok(resolved) => {
            let fewer = || format!("{at} decided a conflict of chart {chart} and has as many");
            Invariant::Shown.holds(resolved.left < conflicts.len(), fewer)?;
            if world.fault_at(at) != Some(Fault::DecidesConflicts) {
                let allergy = conflict.element.is_none();
                let thing = Written { chart, allergy };
                world.expected.values.entry(thing).or_default().decided = true;
            }
            Ok("decided".to_owned())
        }
        Err(error) => Ok(format!("not decided: {error}")),
    }
}

fn grant(world: &mut World, chart: usize, terms: &Terms) -> Result<String, Broken> {
    let home = world.expected.charts[chart].home;
    let by = if terms.by_home { home } else { terms.by };
    let to = terms.to;
    if by == to || !world.know_each_other(by, to) {
        return Ok("strangers".to_owned());
    }
    let fault = world.fault_at(by);
    let expires_ms = terms
        .for_ms
        .map(|ms| (world.sites[by].clock_ms() + ms) / 1_000 * 1_000);
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let compartments = if fault == Some(Fault::GrantsTooMuch) {
        vec!["all".to_owned()]
    } else {
        words(terms.compartments)
    };
    let request = GrantRequest {
        patient: world.expected.charts[chart].text.clone(),
        compartments,
        rights: words(terms.rights),
        until: expires_ms.map(moment),
        from_now_on: terms.from_now_on && fault != Some(Fault::GrantsThePast),
        ..GrantRequest::of_everything(world.sites[to].clinic().clinic_id().to_string())
    };
    let made = match world.sites[by].clinic().grant(&request, &|_| {}) {
        Ok(GrantsMade::One(made)) => made,
        Ok(GrantsMade::All(_)) => return Ok("all".to_owned()),
        Err(error) => {
            let refused = || format!("the home of chart {chart} may not grant it: {error}");
            // By the clock of a peer the end may have passed; a backup knows no later patient; and
            // only what holds nothing yet is granted from now on.
            let excused = expires_ms.is_some() || terms.from_now_on || world.restored.contains(&by);
            Invariant::Conduct.holds(by != home || excused, refused)?;
            return Ok(format!("not granted: {error}"));
        }
    };
    let Some(id) = made.grant else {
        return Ok("nothing".to_owned());
    };
    if world.expected.grants.iter().any(|known| known.id == id) {
        return Ok("granted before".to_owned());
    }
    let named = terms
        .compartments
        .iter()
        .filter_map(|name| name.parse().ok());
    let named: BTreeSet<CompartmentName> = named.collect();
    let order = world.expected.next_order();
    world.expected.grants.push(Grant {
        id,
        chart,
        by,
        to,
        compartments: (!terms.compartments.contains(&"all")).then_some(named),
        from_now_on: terms.from_now_on,
        expires_ms,
        revoked: None,
        reopened: false,
        order,
    });
    invariants::durable::note_statements(world, by, chart)?;
    Ok(format!(
        "grant {} of chart {chart}",
        world.expected.grants.len() - 1
    ))
}

/// A moment of December 2026 or January 2027 as RFC 3339: a slow clock shows the year before.
fn moment(ms: u64) -> String {
    const DAYS: u64 = 31;
    let december = BEGINNING_MS / 1_000 - DAYS * 86_400;
    let seconds = (ms / 1_000).saturating_sub(december);
    let (day, rest) = (seconds / 86_400, seconds % 86_400);
    let month = if day < DAYS { "2026-12" } else { "2027-01" };
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!(
        "{month}-{:02}T{hour:02}:{minute:02}:{second:02}Z",
        day % DAYS + 1
    )
}

fn revoke(world: &mut World, grant: usize) -> Result<String, Broken> {
    let grants = world.expected.grants.len();
    if grants == 0 {
        return Ok("no grant".to_owned());
    }
    let index = grant % grants;
    let Grant {
        id, chart, revoked, ..
    } = world.expected.grants[index];
    let home = world.expected.charts[chart].home;
    if revoked.is_some() {
        return Ok("revoked before".to_owned());
    }
    if world.fault_at(home) == Some(Fault::KeepsOldKeys) {
        world.sites[home].back_up()?;
    }
    let ended = world.sites[home]
        .clinic()
        .revoke(&id.to_string(), "the patient moved", None);
    match ended {
        Ok(ended) => {
            world.expected.next_order();
            world.expected.grants[index].revoked = Some(ended.revocation);
            invariants::durable::note_statements(world, home, chart)?;
            Ok(format!("grant {index} revoked"))
        }
        // Home need not have heard of a grant that another clinic passed on.
        Err(error) => Ok(format!("not revoked: {error}")),
    }
}

fn cut(world: &mut World, link: usize, silent: bool) -> Result<String, Broken> {
    let ids: Vec<MeetingId> = world.meetings.keys().copied().collect();
    if ids.is_empty() {
        return Ok("no link".to_owned());
    }
    let id = ids[link % ids.len()];
    if silent {
        if let Some(meeting) = world.meetings.get_mut(&id) {
            meeting.die();
        }
        return Ok(format!("{id} dies"));
    }
    world.end_meeting(id)?;
    Ok(format!("{id} breaks"))
}

/// A clinic that decides conflicts by itself does so now.
pub(crate) fn decide_by_itself(world: &mut World, at: usize) -> Result<(), Broken> {
    for chart in 0..world.expected.charts.len() {
        if fhir::shown(&world.sites[at], &world.expected.charts[chart])?.is_none() {
            continue;
        }
        resolve(world, at, chart)?;
    }
    Ok(())
}
