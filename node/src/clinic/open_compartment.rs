//! A compartment, opened: what it says, who wrote there, and under which keys.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_crdt::{ActorId, ChangeHash, Document, Readable, Settled};
use chartmesh_protocol::ledger::FrontierTip;
use chartmesh_protocol::seal::{Keyring, RecordHeader, RecordPlace, VerifiedRecord, actor_id};
use chartmesh_protocol::{
    ChartId, CompartmentTag, Incarnation, NodeId, RecordId, RecordLink, Sequence,
};

use super::compact::{Found, tips_of};
use super::judged::Judged;
use super::open_chart::{OpenChart, Part, Scope};
use super::reading::Reading;
use super::records::HeldRecord;
use super::{Clinic, ClinicError, snapshot};

/// What a compartment says.
enum Body {
    /// All of it, with its history.
    Document(Box<Document>),
    /// What there is to read, and no more.
    Settled(Settled),
}

/// A compartment, opened.
pub(crate) struct OpenCompartment {
    pub(super) tag: CompartmentTag,
    body: Body,
    pub(super) keys: Keyring,
    /// The newest record of each author, here or said to be covered.
    tips: Vec<FrontierTip>,
    /// The newest record of each author, here or proven to be covered.
    seen: Vec<FrontierTip>,
    held: Vec<HeldRecord>,
    sealed: usize,
    attested: BTreeMap<ChangeHash, NodeId>,
}

impl OpenCompartment {
    /// A compartment without records.
    pub(crate) fn empty(tag: CompartmentTag, document: Document, keys: Keyring) -> Self {
        Self {
            tag,
            body: Body::Document(Box::new(document)),
            keys,
            tips: Vec::new(),
            seen: Vec::new(),
            held: Vec::new(),
            sealed: 0,
            attested: BTreeMap::new(),
        }
    }

    /// Its tag.
    pub(crate) fn tag(&self) -> CompartmentTag {
        self.tag
    }

    /// What there is to read.
    pub(crate) fn content(&self) -> &dyn Readable {
        match &self.body {
            Body::Document(document) => &**document,
            Body::Settled(settled) => settled,
        }
    }

    /// The merged document, where the compartment was opened [whole](Scope::Whole).
    pub(crate) fn document(&self) -> Result<&Document, ClinicError> {
        match &self.body {
            Body::Document(document) => Ok(document),
            Body::Settled(_) => Err(not_whole()),
        }
    }

    /// The merged document, to be changed.
    pub(super) fn document_mut(&mut self) -> Result<&mut Document, ClinicError> {
        match &mut self.body {
            Body::Document(document) => Ok(document),
            Body::Settled(_) => Err(not_whole()),
        }
    }

    /// Whether its history was opened, too.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.body, Body::Document(_))
    }

    /// How many changes wait for others that they build on.
    pub(crate) fn waiting(&self) -> usize {
        match &self.body {
            Body::Document(document) => document.pending().count(),
            Body::Settled(_) => 0,
        }
    }

    /// Records that are kept but do not count.
    pub(crate) fn held(&self) -> impl Iterator<Item = &HeldRecord> {
        self.held.iter()
    }

    /// How many records cannot be opened.
    pub(crate) fn sealed(&self) -> usize {
        self.sealed
    }

    /// Changes that only the author of a compaction attests, with that node: the manifest that
    /// proves who made them has not come yet.
    pub(crate) fn attested(&self) -> &BTreeMap<ChangeHash, NodeId> {
        &self.attested
    }

    /// The newest record of each author that this clinic has seen. What a compaction only says to
    /// cover is left out: it may name records that nobody wrote.
    pub(crate) fn seen(&self) -> &[FrontierTip] {
        &self.seen
    }

    /// Where this author's next record stands: its number and the link to the one before.
    fn next(&self, author: &NodeId, incarnation: Incarnation) -> Option<(Sequence, RecordLink)> {
        let own = |tip: &&FrontierTip| tip.author == *author && tip.incarnation == incarnation;
        match self.tips.iter().find(own) {
            Some(tip) => Some((tip.sequence.next()?, tip.record.link())),
            None => Some((Sequence::new(0), RecordLink::FIRST)),
        }
    }

    /// Notes a record that was just sealed.
    pub(crate) fn sealed_now(&mut self, record: &VerifiedRecord) {
        let RecordHeader { author, place, .. } = *record.header();
        let tip = FrontierTip {
            author,
            incarnation: place.incarnation,
            sequence: place.sequence,
            record: record.id(),
        };
        let same =
            |old: &FrontierTip| old.author == tip.author && old.incarnation == tip.incarnation;
        for tips in [&mut self.tips, &mut self.seen] {
            tips.retain(|old| !same(old));
            tips.push(tip);
            tips.sort_unstable();
        }
    }
}

impl Clinic {
    /// Where this node's next record of a compartment stands.
    pub(super) fn next_place(
        &self,
        chart: ChartId,
        one: &OpenCompartment,
    ) -> Result<RecordPlace, ClinicError> {
        let incarnation = self.author_incarnation();
        let (sequence, previous) = one
            .next(&self.node_id(), incarnation)
            .ok_or_else(|| ClinicError::fault("a compartment has no more record numbers"))?;
        Ok(RecordPlace {
            chart,
            compartment: one.tag,
            incarnation,
            sequence,
            previous,
        })
    }

    pub(super) fn open_compartment(
        &self,
        open: &OpenChart,
        part: &Part,
        scope: Scope,
        judged: &Judged,
    ) -> Result<OpenCompartment, ClinicError> {
        let own = actor_id(&self.node_id(), self.author_incarnation(), &part.tag);
        let own = ActorId(own);
        let keys = self.keys_of(&open.ledger, &part.name);
        let readable = |one: &&Found| {
            judged.counts(&one.record) && one.fault(&open.decision, &part.name).is_none()
        };
        let compactions: Vec<&Found> = part.found.iter().filter(readable).collect();
        let coverage = |one: &&Found| one.finding.coverage.clone();
        let proven = compactions.iter().filter(|one| !one.is_attested());
        let seen = tips_of(&part.records, proven.flat_map(coverage));
        let tips = tips_of(&part.records, compactions.iter().flat_map(coverage));
        if scope == Scope::Keys {
            return Ok(OpenCompartment {
                tips,
                seen,
                ..OpenCompartment::empty(part.tag, Document::new(own), keys)
            });
        }
        let (mut counted, mut held) = (Vec::new(), judged.held_among(&part.records));
        for one in part.records.iter().filter(|one| judged.counts(&one.id)) {
            let found = part.found.iter().find(|found| found.record == one.id);
            match found.and_then(|found| found.fault(&open.decision, &part.name)) {
                Some(reason) => held.push(one.held_because(reason)),
                None => counted.push(one),
            }
        }
        let may_be_kept = matches!(scope, Scope::Reading | Scope::Summary);
        let ids: BTreeSet<RecordId> = counted.iter().map(|one| one.id).collect();
        if may_be_kept
            && let Some(settled) = snapshot::settled(&self.store, &open.id(), &part.tag, &ids)?
        {
            return Ok(OpenCompartment {
                tips,
                seen,
                held,
                body: Body::Settled(settled),
                ..OpenCompartment::empty(part.tag, Document::new(own), keys)
            });
        }
        let mut reading = Reading::begin(self, open, part, &ids, own)?;
        reading.held = held;
        for one in counted.iter().filter(|one| one.header.marked.is_none()) {
            reading.take_record(one, &keys)?;
        }
        reading.take_compactions(&counted, compactions, &keys)?;
        if scope != Scope::WithHeld {
            reading.keep_snapshot(ids)?;
        }
        Ok(OpenCompartment {
            tag: part.tag,
            body: Body::Document(Box::new(reading.document)),
            keys,
            tips,
            seen,
            held: reading.held,
            sealed: reading.sealed,
            attested: reading.attested,
        })
    }
}

fn not_whole() -> ClinicError {
    ClinicError::fault("a chart that was opened for reading was to be changed")
}
