//! Which records of a chart count, and which are held.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_crdt::{ChangeFacts, ChangeHash};
use chartmesh_protocol::RecordId;
use chartmesh_protocol::ledger::{Judgement, RecordFacts, Verdict, judge};

use super::compact::known_of;
use super::open_chart::{OpenChart, Part};
use super::records::{Content, HeldRecord, Listed};
use super::{Clinic, ClinicError};

/// Which records count.
pub(super) struct Judged(Judgement);

impl Judged {
    /// Judges by the clear headers, and by what compactions tell of; only where a record is in
    /// question are the records opened to see which of them build on it.
    pub(super) fn of(
        clinic: &Clinic,
        open: &OpenChart,
        parts: &[Part],
    ) -> Result<Self, ClinicError> {
        let known = |part: &Part| known_of(&open.decision, &part.name, &part.records, &part.found);
        let mut facts: Vec<RecordFacts> = parts.iter().flat_map(known).collect();
        let book = clinic.certificates_read().book().clone();
        let quick = judge(&open.ledger, &book, &facts);
        if quick
            .verdicts
            .values()
            .all(|verdict| *verdict == Verdict::Counts)
        {
            return Ok(Self(quick));
        }
        let depends = clinic.dependencies(open, parts)?;
        for fact in &mut facts {
            fact.depends_on = depends.get(&fact.id).cloned().unwrap_or_default();
        }
        Ok(Self(judge(&open.ledger, &book, &facts)))
    }

    /// The same with nothing held.
    pub(super) fn with_nothing_held(mut self) -> Self {
        for verdict in self.0.verdicts.values_mut() {
            *verdict = Verdict::Counts;
        }
        self
    }

    pub(super) fn counts(&self, id: &RecordId) -> bool {
        self.0.verdicts.get(id) == Some(&Verdict::Counts)
    }

    /// How many records do not count.
    pub(super) fn held(&self) -> usize {
        let verdicts = self.0.verdicts.values();
        verdicts
            .filter(|verdict| **verdict != Verdict::Counts)
            .count()
    }

    pub(super) fn held_among(&self, records: &[Listed]) -> Vec<HeldRecord> {
        let held = |one: &Listed| match self.0.verdicts.get(&one.id)? {
            Verdict::Held(reason) => Some(one.judged(*reason)),
            Verdict::Counts => None,
        };
        records.iter().filter_map(held).collect()
    }
}

impl Clinic {
    /// For each record that can be opened, the records whose changes it builds on.
    fn dependencies(
        &self,
        open: &OpenChart,
        parts: &[Part],
    ) -> Result<BTreeMap<RecordId, Vec<RecordId>>, ClinicError> {
        let mut made_by: BTreeMap<ChangeHash, RecordId> = BTreeMap::new();
        let mut needs: BTreeMap<RecordId, Vec<ChangeHash>> = BTreeMap::new();
        for part in parts {
            let keys = self.keys_of(&open.ledger, &part.name);
            let changes = part
                .records
                .iter()
                .filter(|one| one.header.marked.is_none());
            for one in changes {
                let Content::Open(content) = self.open_record(&open.id(), one, &keys)? else {
                    continue;
                };
                for change in &content.changes {
                    // What does not read is refused when it is applied.
                    let Ok(facts) = ChangeFacts::read(change) else {
                        continue;
                    };
                    made_by.insert(facts.hash, one.id);
                    needs.entry(one.id).or_default().extend(facts.deps);
                }
            }
        }
        Ok(needs
            .into_iter()
            .map(|(id, hashes)| {
                let on: BTreeSet<RecordId> = hashes
                    .iter()
                    .filter_map(|hash| made_by.get(hash))
                    .copied()
                    .collect();
                (id, on.into_iter().filter(|on| *on != id).collect())
            })
            .collect())
    }
}
