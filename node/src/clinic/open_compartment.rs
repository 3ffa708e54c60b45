//! A compartment, opened: its document out of records and compactions.
//!
//! Records come first, compactions after them: those that are proven before those that are only
//! attested, the one that covers most before the others. Where a compaction and a record of the
//! same author disagree, the record is what is read, at every node that has it. What is only
//! attested says nothing about what else need not be read.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chartmesh_crdt::{ActorId, Applied, ApplyError, ChangeHash, Document, SavedChanges};
use chartmesh_protocol::ledger::{Extent, FrontierTip};
use chartmesh_protocol::seal::{Keyring, RecordHeader, RecordPlace, VerifiedRecord, actor_id};
use chartmesh_protocol::{
    ChartId, CompartmentTag, Incarnation, NodeId, RecordId, RecordLink, Sequence,
};

use super::compact::{Found, tips_of};
use super::items::Marked;
use super::judged::Judged;
use super::open_chart::{OpenChart, Part, Scope};
use super::records::{Content, HeldRecord, Listed, hashes};
use super::snapshot::{self, Snapshot};
use super::{Clinic, ClinicError};

/// How many records beyond the snapshot, or how many bytes of changes in them, make a new one
/// worth its writing: applying them takes as long as writing it.
const RECORDS_PER_SNAPSHOT: usize = 8;
const BYTES_PER_SNAPSHOT: usize = 32 * 1024;

/// A compartment, opened.
pub(crate) struct OpenCompartment {
    pub(super) tag: CompartmentTag,
    pub(super) document: Document,
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
            document,
            keys,
            tips: Vec::new(),
            seen: Vec::new(),
            held: Vec::new(),
            sealed: 0,
            attested: BTreeMap::new(),
        }
    }

    /// The merged document.
    pub(crate) fn document(&self) -> &Document {
        &self.document
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
        let mut reading = Reading::begin(self, open, part, &counted, own)?;
        reading.held = held;
        for one in counted.iter().filter(|one| one.header.marked.is_none()) {
            reading.take_record(one, &keys)?;
        }
        reading.take_compactions(&counted, compactions, &keys)?;
        if scope != Scope::WithHeld {
            reading.keep_snapshot(&counted)?;
        }
        Ok(OpenCompartment {
            tag: part.tag,
            document: reading.document,
            keys,
            tips,
            seen,
            held: reading.held,
            sealed: reading.sealed,
            attested: reading.attested,
        })
    }
}

/// A document that is about to be put together.
struct Reading<'a> {
    clinic: &'a Clinic,
    open: &'a OpenChart,
    part: &'a Part,
    document: Document,
    /// The records that the snapshot holds.
    covered: BTreeSet<RecordId>,
    held: Vec<HeldRecord>,
    sealed: usize,
    /// Changes that wait for others, with the records that they are of.
    waiting: BTreeMap<ChangeHash, Listed>,
    attested: BTreeMap<ChangeHash, NodeId>,
    applied: usize,
    applied_bytes: usize,
}

impl<'a> Reading<'a> {
    /// Begins with the snapshot, if everything in it still counts.
    fn begin(
        clinic: &'a Clinic,
        open: &'a OpenChart,
        part: &'a Part,
        counted: &[&Listed],
        own: ActorId,
    ) -> Result<Self, ClinicError> {
        let ids: BTreeSet<RecordId> = counted.iter().map(|one| one.id).collect();
        let snapshot = snapshot::read(&clinic.store, &open.id(), &part.tag)?
            .filter(|snapshot| snapshot.covered.is_subset(&ids))
            .and_then(|found| Some((Document::load(&found.save, own).ok()?, found.covered)));
        let (document, covered) = snapshot.unwrap_or_else(|| (Document::new(own), BTreeSet::new()));
        Ok(Self {
            clinic,
            open,
            part,
            document,
            covered,
            held: Vec::new(),
            sealed: 0,
            waiting: BTreeMap::new(),
            attested: BTreeMap::new(),
            applied: 0,
            applied_bytes: 0,
        })
    }

    fn take_record(&mut self, one: &Listed, keys: &Keyring) -> Result<(), ClinicError> {
        let (clinic, chart) = (self.clinic, self.open.id());
        if self.covered.contains(&one.id) {
            return Ok(());
        }
        let content = match clinic.open_record(&chart, one, keys)? {
            Content::Open(content) => content,
            Content::Sealed => {
                self.sealed += 1;
                return Ok(());
            }
            Content::Faulty(error) => {
                self.held.push(one.held_because(error.to_string()));
                return Ok(());
            }
        };
        if let Some(reason) = clinic.user_fault(&chart, one, &content) {
            self.held.push(one.held_because(reason));
            return Ok(());
        }
        let outcome = self.document.apply(&content.changes, one.actor());
        if let Ok(report) = &outcome
            && report.applied.len() + report.known < content.changes.len()
        {
            let mine = hashes(&content.changes).unwrap_or_default();
            self.waiting
                .extend(mine.into_iter().map(|hash| (hash, *one)));
        }
        if self.note(one, outcome) {
            self.applied += 1;
            self.applied_bytes += content.changes.iter().map(Vec::len).sum::<usize>();
        }
        Ok(())
    }

    /// Takes in the compactions that hold what no record here does: the proven ones first, and
    /// whichever covers most. Two that tell different things of one record are both taken in, for
    /// their contradiction to be seen.
    fn take_compactions(
        &mut self,
        counted: &[&Listed],
        mut compactions: Vec<&Found>,
        keys: &Keyring,
    ) -> Result<(), ClinicError> {
        let marked = |one: &&&Listed| one.header.marked == Some(Marked::Compaction);
        let known = |one: &&&Listed| compactions.iter().any(|found| found.record == one.id);
        let closed = counted.iter().filter(marked).filter(|one| !known(one));
        self.sealed += closed.count();
        let readable =
            |one: &&&Listed| one.header.marked.is_some() || keys.get(&one.header.epoch).is_some();
        let here: Vec<&Listed> = counted.iter().filter(readable).copied().collect();
        let in_snapshot = |one: &&&Found| self.covered.contains(&one.record);
        let mut taken: Vec<&Found> = compactions.iter().filter(in_snapshot).copied().collect();
        let mut extent = Extent::default();
        for one in taken.iter().filter(|one| !one.is_attested()) {
            extent.cover(&one.finding.coverage);
        }
        extent.follow(here.iter().map(|one| one.place()));
        compactions.retain(|one| !self.covered.contains(&one.record));
        compactions.sort_by_key(|one| {
            let size = Reverse(size(&one.finding.coverage));
            (one.is_attested(), size, one.record)
        });
        for found in compactions {
            let coverage = &found.finding.coverage;
            let is_at_odds = taken.iter().any(|one| one.is_at_odds_with(found));
            if extent.includes(coverage) && !is_at_odds {
                continue;
            }
            self.take_compaction(&here, found, keys)?;
            taken.push(found);
            if !found.is_attested() {
                extent.cover(coverage);
                extent.follow(here.iter().map(|one| one.place()));
            }
        }
        Ok(())
    }

    fn take_compaction(
        &mut self,
        here: &[&Listed],
        found: &Found,
        keys: &Keyring,
    ) -> Result<(), ClinicError> {
        let Some(one) = here.iter().find(|one| one.id == found.record) else {
            return Ok(());
        };
        let Some(key) = keys.get(&one.header.epoch) else {
            self.sealed += 1;
            return Ok(());
        };
        let record = self.clinic.record(&self.open.id(), &one.id)?;
        let opened = record.open_compaction(key);
        let compaction = match opened {
            Ok(compaction) => compaction,
            Err(error) => {
                self.held.push(one.held_because(error.to_string()));
                return Ok(());
            }
        };
        let saved = match SavedChanges::read(&compaction.save) {
            Ok(saved) => saved,
            Err(error) => {
                self.held.push(one.held_because(error.to_string()));
                return Ok(());
            }
        };
        if found.is_attested() {
            let new = saved.facts().iter().map(|facts| facts.hash);
            let new = new.filter(|hash| !self.document.knows_change(*hash));
            let new: Vec<ChangeHash> = new.collect();
            self.attested
                .extend(new.into_iter().map(|hash| (hash, found.author)));
        }
        let changes = saved.facts().len();
        let outcome = self.document.apply_saved(saved);
        if self.note(one, outcome) {
            self.applied += changes;
            self.applied_bytes += compaction.save.len();
        }
        Ok(())
    }

    /// Notes what became of a record's changes, and of those that had waited for them. Says
    /// whether the record itself was taken.
    fn note(&mut self, one: &Listed, outcome: Result<Applied, ApplyError>) -> bool {
        let report = match outcome {
            Ok(report) => report,
            Err(error) => {
                self.held.push(one.held_because(error.to_string()));
                return false;
            }
        };
        let mut taken = true;
        for refused in report.refused {
            let of = self.waiting.get(&refused.hash).copied().unwrap_or(*one);
            taken &= of.id != one.id;
            if !self.held.iter().any(|held| held.record == of.id) {
                self.held.push(of.held_because(refused.reason.to_string()));
            }
        }
        taken
    }

    /// Keeps the document for the next time, when it took long enough to put it together and
    /// nothing in it is in doubt.
    fn keep_snapshot(&self, counted: &[&Listed]) -> Result<(), ClinicError> {
        let whole = self.sealed == 0
            && self.held.is_empty()
            && self.attested.is_empty()
            && self.document.pending().next().is_none();
        let worth =
            self.applied >= RECORDS_PER_SNAPSHOT || self.applied_bytes >= BYTES_PER_SNAPSHOT;
        if !worth || !whole {
            return Ok(());
        }
        let snapshot = Snapshot {
            covered: counted.iter().map(|one| one.id).collect(),
            save: self.document.save(),
        };
        snapshot::write(
            &self.clinic.store,
            &self.open.id(),
            &self.part.tag,
            &snapshot,
        )
    }
}

/// How many records a compaction covers.
fn size(coverage: &[FrontierTip]) -> u64 {
    let sizes = coverage.iter().map(|tip| tip.sequence.value());
    sizes.fold(0, |sum, size| sum.saturating_add(size).saturating_add(1))
}
