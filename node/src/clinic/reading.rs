//! Putting a compartment's document together out of records and compactions.
//!
//! Records come first, compactions after them: those that are proven before those that are only
//! attested, the one that covers most before the others. Where a compaction and a record of the
//! same author disagree, the record is what is read, at every node that has it. What is only
//! attested says nothing about what else need not be read.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chartmesh_crdt::{ActorId, Applied, ApplyError, ChangeHash, Document, SavedChanges, Settled};
use chartmesh_protocol::ledger::{Extent, FrontierTip};
use chartmesh_protocol::seal::Keyring;
use chartmesh_protocol::{NodeId, RecordId};

use super::compact::Found;
use super::items::Marked;
use super::open_chart::{OpenChart, Part};
use super::records::{Content, HeldRecord, Listed, hashes};
use super::snapshot::{self, Snapshot};
use super::{Clinic, ClinicError};

/// How many records beyond the snapshot, or how many bytes of changes in them, make a new one
/// worth its writing: applying them takes as long as writing it.
const RECORDS_PER_SNAPSHOT: usize = 8;
const BYTES_PER_SNAPSHOT: usize = 32 * 1024;

/// A document that is about to be put together.
pub(super) struct Reading<'a> {
    clinic: &'a Clinic,
    open: &'a OpenChart,
    part: &'a Part,
    pub(super) document: Document,
    /// The records that the snapshot holds.
    covered: BTreeSet<RecordId>,
    pub(super) held: Vec<HeldRecord>,
    pub(super) sealed: usize,
    /// Changes that wait for others, with the records that they are of.
    waiting: BTreeMap<ChangeHash, Listed>,
    pub(super) attested: BTreeMap<ChangeHash, NodeId>,
    applied: usize,
    applied_bytes: usize,
}

impl<'a> Reading<'a> {
    /// Begins with the snapshot, if everything in it still counts.
    pub(super) fn begin(
        clinic: &'a Clinic,
        open: &'a OpenChart,
        part: &'a Part,
        counted: &BTreeSet<RecordId>,
        own: ActorId,
    ) -> Result<Self, ClinicError> {
        let snapshot = snapshot::read(&clinic.store, &open.id(), &part.tag)?
            .filter(|snapshot| snapshot.covered.is_subset(counted))
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

    pub(super) fn take_record(&mut self, one: &Listed, keys: &Keyring) -> Result<(), ClinicError> {
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
    pub(super) fn take_compactions(
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
    pub(super) fn keep_snapshot(&self, covered: BTreeSet<RecordId>) -> Result<(), ClinicError> {
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
            covered,
            save: self.document.save(),
            settled: Settled::of(&self.document),
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
