//! Invariant 1: a node holds and sends records only of compartments that the other side was let
//! read, and keys go to nobody else.

use chartmesh_protocol::attachment::AttachmentPlace;
use chartmesh_protocol::ledger::CompartmentName;
use chartmesh_protocol::reconcile::ItemId;

use crate::broken::{Broken, Invariant, conduct};
use crate::expected::Grant;
use crate::watched::{PieceSent, Sent};
use crate::world::World;

/// Whether a clinic may get what is in a compartment from another, by what that one knows of
/// grants and revocations and by its own clock. Where that is not quite clear, it may.
fn may_read(
    world: &World,
    knower: usize,
    chart: usize,
    to: usize,
    name: &CompartmentName,
) -> Result<bool, Broken> {
    may(world, knower, chart, to, name, world.sites.len())
}

fn may(
    world: &World,
    knower: usize,
    chart: usize,
    to: usize,
    name: &CompartmentName,
    depth: usize,
) -> Result<bool, Broken> {
    let home = world.expected.charts[chart].home;
    if to == home {
        return Ok(true);
    }
    let site = &world.sites[knower];
    for grant in &world.expected.grants {
        if grant.chart != chart || grant.to != to || !grant.covers(name) {
            continue;
        }
        let ended = grant.expires_ms.is_some_and(|end| site.clock_ms() >= end);
        if ended || is_known_revoked(world, knower, grant)? {
            continue;
        }
        let by = grant.by;
        if by == home || (depth > 0 && may(world, knower, chart, by, name, depth - 1)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_known_revoked(world: &World, knower: usize, grant: &Grant) -> Result<bool, Broken> {
    let Some(revocation) = grant.revoked else {
        return Ok(false);
    };
    let held = world.sites[knower]
        .clinic()
        .holds(&ItemId::from(revocation));
    conduct("a look", held)
}

/// Whether a clinic may read a compartment by all that it knows itself: where that is not quite
/// clear, it may not.
pub(crate) fn surely_reads(
    world: &World,
    at: usize,
    chart: usize,
    name: &CompartmentName,
) -> Result<bool, Broken> {
    let home = world.expected.charts[chart].home;
    if at == home {
        return Ok(true);
    }
    let site = &world.sites[at];
    for grant in &world.expected.grants {
        let mine = grant.chart == chart && grant.to == at && grant.covers(name);
        if !mine || grant.by != home || grant.expires_ms.is_some() {
            continue;
        }
        let heard = conduct("a look", site.clinic().holds(&ItemId::from(grant.id)))?;
        if heard && !is_known_revoked(world, at, grant)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The clinics that were let read a compartment once and, as a clinic knows, no more are. Those of
/// whose grants it has not heard are none of them: they may have keys without its knowing.
pub(crate) fn barred(
    world: &World,
    knower: usize,
    chart: usize,
    name: &CompartmentName,
) -> Result<Vec<usize>, Broken> {
    let mut barred = Vec::new();
    for site in 0..world.sites.len() {
        if site != knower
            && is_known(world, knower, chart, site, name)?
            && !may_read(world, knower, chart, site, name)?
        {
            barred.push(site);
        }
    }
    Ok(barred)
}

/// Whether a clinic has heard of every grant of a compartment to another, and there is one.
fn is_known(
    world: &World,
    knower: usize,
    chart: usize,
    to: usize,
    name: &CompartmentName,
) -> Result<bool, Broken> {
    let grants = world.expected.grants.iter();
    for grant in grants.filter(|one| one.chart == chart && one.to == to && one.covers(name)) {
        let held = world.sites[knower].clinic().holds(&ItemId::from(grant.id));
        if !conduct("a look", held)? {
            return Ok(false);
        }
    }
    Ok(world.expected.ever_granted(chart, to, name))
}

/// A record that leaves a clinic goes to one that may have it.
pub(crate) fn may_leave(world: &World, sent: &Sent) -> Result<(), Broken> {
    let Some(header) = &sent.record else {
        return Ok(());
    };
    let place = &header.place;
    let Some(chart) = world.expected.chart_of(&place.chart) else {
        return Err(Invariant::Consent.broken("a record of a chart that nobody made"));
    };
    if header.author == world.sites[sent.to].clinic().node_id() {
        return Ok(());
    }
    let Some(name) = world.expected.names.get(&(place.chart, place.compartment)) else {
        return Err(Invariant::Consent.broken("a record of a compartment that nobody made"));
    };
    let (from, to) = (sent.from, sent.to);
    let may = may_read(world, from, chart, to, name)?;
    let what = || format!("{from} sends {name} of chart {chart} to {to}, who may not have it");
    Invariant::Consent.holds(may, what)
}

/// A piece of an attachment that leaves a clinic goes to one that may read its compartment.
pub(crate) fn piece_may_leave(world: &World, sent: &PieceSent) -> Result<(), Broken> {
    let AttachmentPlace {
        chart: id,
        compartment,
    } = sent.place;
    let chart = world.expected.chart_of(&id);
    let name = world.expected.names.get(&(id, compartment));
    let (Some(chart), Some(name)) = (chart, name) else {
        return Err(Invariant::Consent.broken("a piece of what nobody wrote"));
    };
    let (from, to) = (sent.from, sent.to);
    let may = may_read(world, from, chart, to, name)?;
    let what = || {
        format!(
            "{from} sends an attachment of {name} of chart {chart} to {to}, who may not read it"
        )
    };
    Invariant::Consent.holds(may, what)
}

/// What lies at each clinic is what it was let read, or wrote itself; and keys went to nobody
/// else.
pub(crate) fn nobody_holds_more(world: &World) -> Result<(), Broken> {
    for at in 0..world.sites.len() {
        let site = &world.sites[at];
        for (id, inventory) in conduct("an inventory", site.clinic().inventory())? {
            let Some(chart) = world.expected.chart_of(&id) else {
                return Err(Invariant::Consent.broken(format!("{at} has a chart of nobody")));
            };
            for (record, place) in &inventory.records {
                let Some(name) = world.expected.names.get(&(id, place.tag)) else {
                    return Err(Invariant::Consent.broken("a compartment that nobody made"));
                };
                if place.author == site.clinic().node_id() {
                    continue;
                }
                let home = world.expected.charts[chart].home == at;
                let may = home || world.expected.ever_granted(chart, at, name);
                let what = || format!("{at} has a record of {name} of chart {chart}");
                Invariant::Consent.holds(may, what)?;
                if !home && is_of_the_past(world, chart, at, name, record) {
                    let what = format!(
                        "{at} has a record of {name} of chart {chart} from before its grant"
                    );
                    return Err(Invariant::Consent.broken(what));
                }
            }
            keys_of(world, chart, &inventory.ledger)?;
        }
    }
    Ok(())
}

/// Whether a record was written before the first grant of a clinic that has grants only from then
/// on.
fn is_of_the_past(
    world: &World,
    chart: usize,
    at: usize,
    name: &CompartmentName,
    record: &chartmesh_protocol::RecordId,
) -> bool {
    let grants = world.expected.grants.iter();
    let grants: Vec<&Grant> = grants
        .filter(|grant| grant.chart == chart && grant.to == at && grant.covers(name))
        .collect();
    let from_now_on = grants.iter().all(|grant| grant.from_now_on);
    let first = grants.iter().map(|grant| grant.order).min();
    let mut saves = world.expected.saves.iter();
    let written = saves.find(|save| save.records.contains(record));
    let before = written
        .zip(first)
        .is_some_and(|(save, first)| save.order < first);
    from_now_on && before
}

fn keys_of(
    world: &World,
    chart: usize,
    ledger: &chartmesh_protocol::ledger::Ledger,
) -> Result<(), Broken> {
    for (_, epoch) in ledger.epochs() {
        for reader in &epoch.readers {
            let mut sites = 0..world.sites.len();
            let to = sites.find(|at| world.sites[*at].clinic().clinic_id() == reader.clinic);
            let Some(to) = to else {
                return Err(Invariant::Consent.broken("a key for nobody"));
            };
            let home = world.expected.charts[chart].home == to;
            let name = &epoch.compartment;
            let may = home || world.expected.ever_granted(chart, to, name);
            let what = || format!("a key of {name} of chart {chart} for {to}");
            Invariant::Consent.holds(may, what)?;
        }
    }
    Ok(())
}
