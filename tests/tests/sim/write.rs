//! Saves, and what is noted of them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use chartmesh::clinic::{Clinic, Delivery, Replica};
use chartmesh_protocol::RecordId;
use chartmesh_protocol::reconcile::ItemId;
use chartmesh_protocol::sync::{Holdings, ItemKind};

use crate::broken::{Broken, Invariant, conduct};
use crate::expected::{Chart, Save, Written};
use crate::faults::Fault;
use crate::fhir;
use crate::invariants::{consent, durable};
use crate::world::World;

/// A clinic writes something new into a chart.
pub(crate) fn entry(
    world: &mut World,
    at: usize,
    chart: usize,
    kind: usize,
) -> Result<String, Broken> {
    let facts = world.expected.charts[chart].clone();
    let Some(shown) = fhir::shown(&world.sites[at], &facts)? else {
        return Ok("no patient here".to_owned());
    };
    let entry = fhir::entry(kind, world.expected.next_order(), &facts);
    let patient = patient_of(&shown, &facts);
    let text = fhir::bundle(&[patient, entry.json]);
    let before = records_of(world, at, chart)?;
    if world.fault_at(at) == Some(Fault::KeepsOldKeys) && world.sites[at].has_backup() {
        with_old_keys(world, at, &facts, &text)?;
    }
    if records_of(world, at, chart)? == before
        && let Some(refused) = import(world, at, &facts, &text)?
    {
        return Ok(refused);
    }
    note_saved(
        world,
        at,
        chart,
        Some((entry.key.clone(), entry.compartment)),
        &before,
    )?;
    Ok(entry.key)
}

/// A clinic writes something over.
pub(crate) fn edit(world: &mut World, at: usize, thing: Written) -> Result<String, Broken> {
    let facts = world.expected.charts[thing.chart].clone();
    let Some(shown) = fhir::shown(&world.sites[at], &facts)? else {
        return Ok("no patient here".to_owned());
    };
    let conflicts = conduct("conflicts", world.sites[at].clinic().conflicts(&facts.text))?;
    let replaced = fhir::marks_shown(&conflicts, &shown, &facts, thing.allergy);
    let mark = world.expected.next_order();
    let patient = patient_of(&shown, &facts);
    let text = if thing.allergy {
        fhir::bundle(&[patient, fhir::allergy(&facts, mark)])
    } else {
        fhir::bundle(&[fhir::with_phone(&patient, mark)?])
    };
    let before = records_of(world, at, thing.chart)?;
    if let Some(refused) = import(world, at, &facts, &text)? {
        return Ok(refused);
    }
    let values = world.expected.values.entry(thing).or_default();
    values.replaced.insert(mark, replaced);
    note_saved(world, at, thing.chart, None, &before)?;
    Ok(format!("mark {mark}"))
}

fn patient_of(shown: &std::collections::BTreeMap<String, String>, chart: &Chart) -> String {
    let key = format!("Patient/{}", chart.patient);
    shown.get(&key).cloned().unwrap_or_default()
}

/// The records that a clinic has of a chart.
pub(crate) fn records_of(
    world: &World,
    at: usize,
    chart: usize,
) -> Result<BTreeSet<RecordId>, Broken> {
    let id = world.expected.charts[chart].id;
    let inventory = world.sites[at].clinic().chart_inventory(&id);
    let records = conduct("an inventory", inventory)?.records;
    Ok(records.into_keys().collect())
}

/// Takes a file in; says why, where the clinic may not write that.
fn import(world: &World, at: usize, chart: &Chart, text: &str) -> Result<Option<String>, Broken> {
    let site = &world.sites[at];
    let error = import_at(site.clinic(), &site.file("input.json"), chart, text)?;
    if let Some(error) = &error {
        let refused = || format!("the home of {} may not write it: {error}", chart.text);
        Invariant::Conduct.holds(chart.home != at, refused)?;
    }
    Ok(error.map(|_| "refused".to_owned()))
}

fn import_at(
    clinic: &Clinic,
    path: &Path,
    chart: &Chart,
    text: &str,
) -> Result<Option<String>, Broken> {
    conduct("writing a file", std::fs::write(path, text))?;
    let imported = conduct("an import", clinic.import(&[path.to_owned()], &|_| {}))?;
    let Some(report) = imported.files.into_iter().next() else {
        return Err(Invariant::Conduct.broken("an import without a report"));
    };
    if report.error.is_none() {
        let astray = || format!("what was written for {} went elsewhere", chart.text);
        Invariant::Consent.holds(report.patient == Some(chart.id), astray)?;
    }
    Ok(report.error)
}

/// Writes as the clinic would that has not taken notice of a revocation.
fn with_old_keys(world: &mut World, at: usize, chart: &Chart, text: &str) -> Result<(), Broken> {
    let (twin, dir) = world.sites[at].twin()?;
    if import_at(&twin, &dir.path().join("input.json"), chart, text)?.is_some() {
        return Ok(());
    }
    let own = world.sites[at].clinic();
    for peer in (0..world.sites.len()).filter(|peer| *peer != at) {
        let node = world.sites[peer].clinic().node_id();
        let from = conduct("a replica", Replica::open(Arc::clone(&twin), node))?;
        let mut deliveries = Vec::new();
        for entry in from.everything() {
            let bytes = from.item(&entry.id).unwrap_or_default();
            let known = conduct("a look", own.holds(&entry.id))?;
            if entry.kind == ItemKind::Statement || !known {
                let kind = entry.kind;
                deliveries.push(Delivery { kind, bytes });
            }
        }
        let to = conduct("a replica", Replica::open(Arc::clone(own), node))?;
        conduct("old records", to.store(&deliveries))?;
    }
    Ok(())
}

/// Notes a save that a clinic has acknowledged.
pub(crate) fn note_saved(
    world: &mut World,
    at: usize,
    chart: usize,
    made: Option<(String, &str)>,
    before: &BTreeSet<RecordId>,
) -> Result<(), Broken> {
    let id = world.expected.charts[chart].id;
    let inventory = world.sites[at].clinic().chart_inventory(&id);
    let inventory = conduct("an inventory", inventory)?;
    let new: Vec<_> = inventory
        .records
        .iter()
        .filter(|(record, _)| !before.contains(record))
        .collect();
    for (tag, name) in &inventory.names {
        world.expected.names.insert((id, *tag), name.clone());
    }
    let order = world.expected.next_order();
    for (record, place) in &new {
        let Some(name) = inventory.names.get(&place.tag) else {
            return Err(Invariant::Conduct.broken("a save in a compartment without a name"));
        };
        if let Some((_, wanted)) = &made {
            let elsewhere = || format!("{wanted} was written to {name}");
            Invariant::Conduct.holds(name.to_string() == *wanted, elsewhere)?;
        }
        let barred = consent::barred(world, at, chart, name)?;
        world.expected.saves.push(Save {
            at,
            chart,
            compartment: name.clone(),
            resource: made.as_ref().map(|(key, _)| key.clone()),
            records: BTreeSet::from([**record]),
            barred,
            order,
        });
        let item = ItemId::from(**record);
        world.expected.held[at].insert(*item.as_bytes());
    }
    let wrote = made.is_none() || !new.is_empty();
    Invariant::Durable.holds(wrote, || format!("{at} saved {made:?} and has no record"))?;
    durable::note_statements(world, at, chart)
}
