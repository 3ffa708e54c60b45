//! A chart, opened: its ledger, what follows from it, and its compartments as documents.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::{iter, thread};

use chartmesh_crdt::{ActorId, Readable, Resource, ResourceKey, possible};
use chartmesh_protocol::ledger::{ChartSecret, CompartmentName, Decision, Ledger};
use chartmesh_protocol::seal::actor_id;
use chartmesh_protocol::{ChartId, CompartmentTag, NodeId};

use super::compact::{Compartment, Found};
use super::judged::Judged;
use super::open_compartment::OpenCompartment;
use super::records::{HeldRecord, Listed, of_compartment};
use super::{Clinic, ClinicError};

/// How much of a chart is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Every compartment, to be changed or told the history of.
    Whole,
    /// Every compartment, for what stands there now.
    Reading,
    /// Every compartment as it would be if records that are held counted.
    WithHeld,
    /// `summary` only, for lists.
    Summary,
    /// Keys and frontiers of every compartment, and no document: enough for consent.
    Keys,
}

/// A chart, opened as far as this clinic's keys go.
pub(crate) struct OpenChart {
    id: ChartId,
    pub(super) ledger: Ledger,
    pub(super) decision: Decision,
    pub(super) secret: Option<ChartSecret>,
    pub(super) compartments: BTreeMap<CompartmentName, OpenCompartment>,
    authors: BTreeMap<ActorId, NodeId>,
    /// Records of compartments whose names this clinic does not know.
    unknown: usize,
    /// Records of all compartments that were judged not to count, also of those left unopened.
    judged_held: usize,
}

/// A compartment that is about to be opened.
pub(super) struct Part {
    pub(super) name: CompartmentName,
    pub(super) tag: CompartmentTag,
    /// Its records in the order of the feed.
    pub(super) records: Vec<Listed>,
    /// The compactions among them.
    pub(super) found: Vec<Found>,
}

impl OpenChart {
    /// A chart that was begun just now.
    pub(crate) fn begun(
        id: ChartId,
        ledger: Ledger,
        decision: Decision,
        secret: ChartSecret,
    ) -> Self {
        Self {
            id,
            ledger,
            decision,
            secret: Some(secret),
            compartments: BTreeMap::new(),
            authors: BTreeMap::new(),
            unknown: 0,
            judged_held: 0,
        }
    }

    pub(crate) fn id(&self) -> ChartId {
        self.id
    }

    pub(crate) fn decision(&self) -> &Decision {
        &self.decision
    }

    pub(crate) fn compartments(
        &self,
    ) -> impl Iterator<Item = (&CompartmentName, &OpenCompartment)> {
        self.compartments.iter()
    }

    /// What `summary` says, where this clinic has it.
    fn summary(&self) -> Option<&dyn Readable> {
        let summary = self.compartments.get(&CompartmentName::Summary);
        summary.map(OpenCompartment::content)
    }

    /// Whether it was opened with its history, and can be changed.
    pub(super) fn is_whole(&self) -> bool {
        self.compartments.values().all(OpenCompartment::is_whole)
    }

    /// The chart's Patient.
    pub(crate) fn patient(&self) -> Option<Resource> {
        let summary = self.summary()?;
        let (key, _) = summary.of_type("Patient").next()?;
        summary.resource(&key)
    }

    /// The chart's Patient in every way in which it may be read, the way it is read first.
    pub(super) fn patient_as_it_may_be(&self) -> Vec<Resource> {
        let key = self.patient().and_then(|patient| patient.key().ok());
        let both = self.summary().zip(key);
        both.map_or_else(Vec::new, |(summary, key)| possible(summary, &key))
    }

    /// What all compartments say, `summary` first.
    pub(crate) fn contents(&self) -> Vec<&dyn Readable> {
        let all = self.compartments.values();
        all.map(OpenCompartment::content).collect()
    }

    /// Every resource, each once, by compartment and key. A resource whose sensitivity label was
    /// added later stands in two compartments: the restricted one's version is the newer.
    pub(crate) fn resources(&self) -> Vec<Resource> {
        let placed = self.placed_resources().into_iter();
        placed.map(|(_, resource)| resource).collect()
    }

    /// As [`resources`](Self::resources), each with its compartment.
    pub(crate) fn placed_resources(&self) -> Vec<(CompartmentName, Resource)> {
        let mut by_key: BTreeMap<ResourceKey, (CompartmentName, Resource)> = BTreeMap::new();
        for (name, one) in &self.compartments {
            for resource in one.content().resources() {
                if let Ok(key) = resource.key() {
                    by_key.insert(key, (name.clone(), resource));
                }
            }
        }
        let mut all: Vec<(CompartmentName, Resource)> = by_key.into_values().collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// The nodes that wrote here.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.authors.values().copied()
    }

    /// The node that writes as this actor.
    pub(crate) fn node_of(&self, actor: &ActorId) -> Option<NodeId> {
        self.authors.get(actor).copied()
    }

    /// Records that are kept but do not count, with their compartments.
    pub(crate) fn held(&self) -> impl Iterator<Item = (&CompartmentName, &HeldRecord)> {
        self.compartments
            .iter()
            .flat_map(|(name, one)| one.held().map(move |held| (name, held)))
    }

    /// How many records do not count, of all compartments however little was opened.
    pub(super) fn judged_held(&self) -> usize {
        self.judged_held
    }

    /// Records that this clinic has and cannot place or open.
    pub(crate) fn sealed(&self) -> usize {
        self.unknown
            + self
                .compartments
                .values()
                .map(OpenCompartment::sealed)
                .sum::<usize>()
    }

    /// The tag of a compartment: known to whoever has the chart secret.
    pub(crate) fn tag(&self, name: &CompartmentName) -> Option<CompartmentTag> {
        self.secret
            .as_ref()
            .map(|secret| secret.compartment_tag(name))
    }
}

impl Clinic {
    /// Opens a chart from the store.
    pub(crate) fn open_chart(
        &self,
        chart: &ChartId,
        scope: Scope,
    ) -> Result<OpenChart, ClinicError> {
        let ledger = Arc::unwrap_or_clone(self.ledger(chart)?);
        let decision = self.decide(&ledger);
        let secret = self.chart_secret(&ledger);
        let mut open = OpenChart {
            id: *chart,
            decision,
            secret,
            compartments: BTreeMap::new(),
            authors: BTreeMap::new(),
            unknown: 0,
            judged_held: 0,
            ledger,
        };
        let records = self.records(chart)?;
        let mut parts = self.parts(&open, &records)?;
        let placed: usize = parts.iter().map(|part| part.records.len()).sum();
        open.unknown = records.len().saturating_sub(placed);
        let mut judged = Judged::of(self, &open, &parts)?;
        open.judged_held = judged.held();
        if scope == Scope::WithHeld {
            judged = judged.with_nothing_held();
        }
        if scope == Scope::Summary {
            parts.retain(|part| part.name == CompartmentName::Summary);
        }
        for part in &parts {
            open.authors.extend(part.authors());
        }
        open.compartments = self.open_compartments(&open, parts, scope, &judged)?;
        Ok(open)
    }

    /// The records of each compartment whose name is known here.
    fn parts(&self, open: &OpenChart, records: &[Listed]) -> Result<Vec<Part>, ClinicError> {
        let Some(secret) = &open.secret else {
            return Ok(Vec::new());
        };
        let names: BTreeSet<&CompartmentName> = open
            .ledger
            .epochs()
            .map(|(_, epoch)| &epoch.compartment)
            .collect();
        let mut parts = Vec::with_capacity(names.len());
        for name in names {
            let tag = secret.compartment_tag(name);
            let mut part = Part {
                name: name.clone(),
                tag,
                records: of_compartment(records, &tag),
                found: Vec::new(),
            };
            part.found = self.compactions(&Compartment {
                chart: open.id,
                name,
                tag,
                secret,
                ledger: &open.ledger,
                records: &part.records,
            })?;
            parts.push(part);
        }
        Ok(parts)
    }

    /// Opens compartments side by side: reading documents takes by far most of the time.
    fn open_compartments(
        &self,
        open: &OpenChart,
        parts: Vec<Part>,
        scope: Scope,
        judged: &Judged,
    ) -> Result<BTreeMap<CompartmentName, OpenCompartment>, ClinicError> {
        let read = |part: &Part| self.open_compartment(open, part, scope, judged);
        let (Some(first), others) = (parts.first(), parts.get(1..).unwrap_or_default()) else {
            return Ok(BTreeMap::new());
        };
        let opened: Vec<OpenCompartment> = thread::scope(|threads| {
            let spawn = |part| threads.spawn(move || read(part));
            let reading: Vec<_> = others.iter().map(spawn).collect();
            let first = read(first);
            let others = reading
                .into_iter()
                .map(|one| one.join().unwrap_or_else(|panic| resume_unwind(panic)));
            iter::once(first).chain(others).collect::<Result<_, _>>()
        })?;
        let names = parts.into_iter().map(|part| part.name);
        Ok(names.zip(opened).collect())
    }
}

impl Part {
    /// The nodes that wrote here, by the actors as which they made changes.
    fn authors(&self) -> impl Iterator<Item = (ActorId, NodeId)> + '_ {
        let records = self.records.iter();
        let here = records.map(|one| (one.header.author, one.header.incarnation));
        let tips = self.found.iter().flat_map(|one| &one.finding.coverage);
        let covered = tips.map(|tip| (tip.author, tip.incarnation));
        here.chain(covered).map(|(author, incarnation)| {
            (ActorId(actor_id(&author, incarnation, &self.tag)), author)
        })
    }
}
