//! A chart, opened: its ledger, what follows from it, and its compartments as documents.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::{iter, thread};

use chartmesh_crdt::{ActorId, ChangeFacts, Document, Resource, ResourceKey};
use chartmesh_protocol::ledger::{ChartSecret, CompartmentName, Decision, FrontierTip, Ledger};
use chartmesh_protocol::reconcile::ItemId;
use chartmesh_protocol::seal::{Keyring, RecordContent, VerifiedRecord, actor_id};
use chartmesh_protocol::sync::ItemKind;
use chartmesh_protocol::{
    ChartId, CompartmentTag, Incarnation, NodeId, RecordId, RecordLink, Sequence,
};

use super::items::{self, Header, What};
use super::judged::Judged;
use super::snapshot::{self, Snapshot};
use super::{Clinic, ClinicError};

/// How many records beyond the snapshot, or how many bytes of changes in them, make a new one
/// worth its writing: applying them takes as long as writing it.
const RECORDS_PER_SNAPSHOT: usize = 8;
const BYTES_PER_SNAPSHOT: usize = 32 * 1024;

/// How much of a chart is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Every compartment.
    Whole,
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
}

/// A compartment, opened.
pub(crate) struct OpenCompartment {
    pub(super) tag: CompartmentTag,
    pub(super) document: Document,
    pub(super) keys: Keyring,
    /// The newest record of each author.
    pub(super) tips: Vec<FrontierTip>,
    held: Vec<HeldRecord>,
    sealed: usize,
}

/// A record that is kept but does not count.
pub(crate) struct HeldRecord {
    pub(super) record: RecordId,
    pub(super) author: NodeId,
    /// Why, for people.
    pub(super) reason: String,
}

/// A compartment that is about to be opened, with its records in the order of the feed.
struct Part {
    name: CompartmentName,
    tag: CompartmentTag,
    records: Vec<Listed>,
}

/// A record of the chart as the store lists it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listed {
    pub(super) id: RecordId,
    pub(super) header: Header,
}

/// A record whose content could be opened.
pub(super) struct Opened {
    pub(super) id: RecordId,
    actor: ActorId,
    pub(super) content: RecordContent,
}

impl OpenCompartment {
    /// A compartment without records.
    pub(crate) fn empty(tag: CompartmentTag, document: Document, keys: Keyring) -> Self {
        Self {
            tag,
            document,
            keys,
            tips: Vec::new(),
            held: Vec::new(),
            sealed: 0,
        }
    }

    /// The merged document.
    pub(crate) fn document(&self) -> &Document {
        &self.document
    }

    /// Where this author's next record stands: its number and the link to the one before.
    pub(crate) fn next(
        &self,
        author: &NodeId,
        incarnation: Incarnation,
    ) -> Option<(Sequence, RecordLink)> {
        let own = |tip: &&FrontierTip| tip.author == *author && tip.incarnation == incarnation;
        match self.tips.iter().find(own) {
            Some(tip) => Some((tip.sequence.next()?, tip.record.link())),
            None => Some((Sequence::new(0), RecordLink::FIRST)),
        }
    }

    /// Notes a record that was just sealed.
    pub(crate) fn sealed_now(&mut self, tip: FrontierTip) {
        let same =
            |old: &FrontierTip| old.author == tip.author && old.incarnation == tip.incarnation;
        self.tips.retain(|old| !same(old));
        self.tips.push(tip);
        self.tips.sort_unstable();
    }
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

    /// The `summary` document, where this clinic has one.
    pub(crate) fn summary(&self) -> Option<&Document> {
        self.compartments
            .get(&CompartmentName::Summary)
            .map(|one| &one.document)
    }

    /// The chart's Patient.
    pub(crate) fn patient(&self) -> Option<Resource> {
        let summary = self.summary()?;
        let key = summary
            .keys()
            .find(|key| key.resource_type() == "Patient")?;
        summary.resource(&key)
    }

    /// The documents of all compartments, `summary` first.
    pub(crate) fn documents(&self) -> Vec<&Document> {
        self.compartments
            .values()
            .map(|one| &one.document)
            .collect()
    }

    /// Every resource, each once, by compartment and key. A resource whose sensitivity label was
    /// added later stands in two compartments: the restricted one's version is the newer.
    pub(crate) fn resources(&self) -> Vec<Resource> {
        let mut by_key: BTreeMap<ResourceKey, (CompartmentName, Resource)> = BTreeMap::new();
        for (name, one) in &self.compartments {
            for resource in one.document.resources() {
                if let Ok(key) = resource.key() {
                    by_key.insert(key, (name.clone(), resource));
                }
            }
        }
        let mut all: Vec<(CompartmentName, Resource)> = by_key.into_values().collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all.into_iter().map(|(_, resource)| resource).collect()
    }

    /// The node that writes as this actor.
    pub(crate) fn node_of(&self, actor: &ActorId) -> Option<NodeId> {
        self.authors.get(actor).copied()
    }

    /// Records that are kept but do not count, with their compartments.
    pub(crate) fn held(&self) -> impl Iterator<Item = (&CompartmentName, &HeldRecord)> {
        self.compartments
            .iter()
            .flat_map(|(name, one)| one.held.iter().map(move |held| (name, held)))
    }

    /// Records that this clinic has and cannot place or open.
    pub(crate) fn sealed(&self) -> usize {
        self.unknown
            + self
                .compartments
                .values()
                .map(|one| one.sealed)
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
            ledger,
        };
        let records = self.records(chart)?;
        let judged = Judged::of(self, &open, &records)?;
        let names: BTreeSet<CompartmentName> = open
            .ledger
            .epochs()
            .map(|(_, epoch)| epoch.compartment.clone())
            .collect();
        let (mut parts, mut placed) = (Vec::new(), 0);
        for name in names {
            let Some(tag) = open.tag(&name) else { continue };
            let mine: Vec<Listed> = records
                .iter()
                .filter(|one| one.header.tag == tag)
                .copied()
                .collect();
            placed += mine.len();
            if scope == Scope::Summary && name != CompartmentName::Summary {
                continue;
            }
            for one in &mine {
                let header = &one.header;
                let actor = ActorId(actor_id(&header.author, header.incarnation, &tag));
                open.authors.insert(actor, header.author);
            }
            parts.push(Part {
                name,
                tag,
                records: mine,
            });
        }
        open.unknown = records.len().saturating_sub(placed);
        open.compartments = self.open_compartments(&open, parts, scope, &judged)?;
        Ok(open)
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

    fn records(&self, chart: &ChartId) -> Result<Vec<Listed>, ClinicError> {
        let listed = items::of_chart(&self.store, chart, ItemKind::Record)?;
        Ok(listed
            .into_iter()
            .filter_map(|item| match item.entry.what {
                What::Record(header) => Some(Listed {
                    id: RecordId::new(*item.id.as_bytes()),
                    header,
                }),
                What::Statement => None,
            })
            .collect())
    }

    fn open_compartment(
        &self,
        open: &OpenChart,
        Part { name, tag, records }: &Part,
        scope: Scope,
        judged: &Judged,
    ) -> Result<OpenCompartment, ClinicError> {
        let tag = *tag;
        let own = ActorId(actor_id(&self.node_id(), self.author_incarnation(), &tag));
        let keys = self.keys_of(&open.ledger, name);
        if scope == Scope::Keys {
            let empty = OpenCompartment::empty(tag, Document::new(own), keys);
            return Ok(OpenCompartment {
                tips: tips(records),
                ..empty
            });
        }
        let counted: Vec<&Listed> = records
            .iter()
            .filter(|one| judged.counts(&one.id))
            .collect();
        let ids: BTreeSet<RecordId> = counted.iter().map(|one| one.id).collect();
        let snapshot = snapshot::read(&self.store, &open.id, &tag)?
            .filter(|snapshot| snapshot.covered.is_subset(&ids))
            .and_then(|found| Some((Document::load(&found.save, own).ok()?, found.covered)));
        let (mut document, covered) =
            snapshot.unwrap_or_else(|| (Document::new(own), BTreeSet::new()));
        let mut held = judged.held_among(records);
        let (mut sealed, mut applied, mut applied_bytes) = (0, 0, 0);
        for one in counted.iter().filter(|one| !covered.contains(&one.id)) {
            match self.open_record(&open.id, one, &keys)? {
                None => sealed += 1,
                Some(opened) => {
                    if let Some(reason) = self.user_fault(&open.id, one, &opened.content) {
                        held.push(one.held_because(reason));
                        continue;
                    }
                    let reason = match document.apply(&opened.content.changes, opened.actor) {
                        Ok(report) => report.refused.first().map(|one| one.reason.to_string()),
                        Err(error) => Some(error.to_string()),
                    };
                    match reason {
                        None => {
                            applied += 1;
                            let bytes = opened.content.changes.iter().map(Vec::len);
                            applied_bytes += bytes.sum::<usize>();
                        }
                        Some(reason) => held.push(one.held_because(reason)),
                    }
                }
            }
        }
        let whole = sealed == 0 && held.is_empty() && document.pending().next().is_none();
        let worth = applied >= RECORDS_PER_SNAPSHOT || applied_bytes >= BYTES_PER_SNAPSHOT;
        if worth && whole {
            let snapshot = Snapshot {
                covered: ids,
                save: document.save(),
            };
            snapshot::write(&self.store, &open.id, &tag, &snapshot)?;
        }
        Ok(OpenCompartment {
            tag,
            document,
            keys,
            tips: tips(records),
            held,
            sealed,
        })
    }

    /// Why a record is not by the user that it names. A user whose certificate has not arrived is
    /// vouched for by the node, which signed the record.
    fn user_fault(&self, chart: &ChartId, one: &Listed, content: &RecordContent) -> Option<String> {
        let certificates = self.certificates_read();
        let certificate = certificates.of_user(&content.user)?;
        if !certificates
            .book()
            .belongs(&one.header.author, &certificate.payload().clinic)
        {
            return Some("it names a user of another clinic".to_owned());
        }
        let read = |change: &Vec<u8>| ChangeFacts::read(change).map(|facts| facts.hash.0);
        let hashes: Result<Vec<[u8; 32]>, _> = content.changes.iter().map(read).collect();
        match hashes {
            Ok(hashes) => content
                .verify_user(certificate, chart, &hashes)
                .err()
                .map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// The content of a record, or `None` where its key is not here.
    pub(super) fn open_record(
        &self,
        chart: &ChartId,
        one: &Listed,
        keys: &Keyring,
    ) -> Result<Option<Opened>, ClinicError> {
        let damaged = |reason: String| ClinicError::Unreadable {
            chart: *chart,
            reason,
        };
        let bytes = items::bytes(&self.store, &ItemId::from(one.id))?
            .ok_or_else(|| damaged(format!("record {} is missing", one.id)))?;
        // Checked when it was filed, and the store authenticates it.
        let record = VerifiedRecord::recall(&bytes).map_err(|error| damaged(error.to_string()))?;
        let header = record.header();
        let Some(key) = keys.get(&header.epoch) else {
            return Ok(None);
        };
        let content = record
            .open(key)
            .map_err(|error| damaged(error.to_string()))?;
        let place = &header.place;
        let actor = ActorId(actor_id(
            &header.author,
            place.incarnation,
            &place.compartment,
        ));
        Ok(Some(Opened {
            id: one.id,
            actor,
            content,
        }))
    }
}

/// The newest record of each author, ascending.
fn tips(records: &[Listed]) -> Vec<FrontierTip> {
    let mut newest: BTreeMap<(NodeId, Incarnation), FrontierTip> = BTreeMap::new();
    for one in records {
        let header = &one.header;
        let tip = FrontierTip {
            author: header.author,
            incarnation: header.incarnation,
            sequence: header.sequence,
            record: one.id,
        };
        let known = newest
            .entry((header.author, header.incarnation))
            .or_insert(tip);
        *known = (*known).max(tip);
    }
    newest.into_values().collect()
}

impl Listed {
    pub(super) fn held_because(&self, reason: String) -> HeldRecord {
        HeldRecord {
            record: self.id,
            author: self.header.author,
            reason,
        }
    }
}
