//! Making a compaction: manifests first, then the record that names them, in one commit.

use std::collections::BTreeSet;

use chartmesh_protocol::ledger::{CompartmentName, FrontierTip};
use chartmesh_protocol::limits::MAX_MANIFEST_RECORDS;
use chartmesh_protocol::seal::{
    Compaction, EpochKey, Manifest, RecordForm, RecordPlace, SealError, VerifiedRecord,
    seal_compaction, seal_manifest,
};
use chartmesh_protocol::{ChartId, RecordId};

use super::check::{Compartment, proven};
use super::due::Occasion;
use super::finding::{self, Finding, Key, State};
use super::plan::Plan;
use crate::clinic::draft::Draft;
use crate::clinic::open_chart::OpenChart;
use crate::clinic::records::Listed;
use crate::clinic::{Clinic, ClinicError, items};

/// A compaction is not worth its sending unless it is smaller than this part of what it stands
/// for, in hundredths.
const WORTH_PERCENT: usize = 90;

impl Clinic {
    /// Compacts those of the wanted compartments of a chart where that is due, and says how many.
    ///
    /// # Errors
    /// [`ClinicError`] when the chart cannot be read or the store cannot be written.
    pub(crate) fn compact(
        &self,
        chart: &ChartId,
        wanted: impl Fn(&CompartmentName) -> bool,
        occasion: Occasion,
    ) -> Result<usize, ClinicError> {
        let Some(total) = self.long_enough(chart, occasion)? else {
            return Ok(0);
        };
        let _writing = self.writing();
        self.change_chart(chart, |open| {
            let records = self.records(chart)?;
            let names = open.compartments.keys().filter(|name| wanted(name));
            let names: Vec<CompartmentName> = names.cloned().collect();
            let mut made = 0;
            for name in names {
                if self.compact_one(open, &name, &records, (total, occasion))? {
                    made += 1;
                }
            }
            Ok(made)
        })
    }

    fn compact_one(
        &self,
        open: &mut OpenChart,
        name: &CompartmentName,
        records: &[Listed],
        why: (usize, Occasion),
    ) -> Result<bool, ClinicError> {
        if !self.may_compact(open, name) {
            return Ok(false);
        }
        let Some((plan, save, before)) = self.prepare(open, name, records, why)? else {
            return Ok(false);
        };
        let mut draft = Draft::default();
        let key = match self.sealing_key(open, name, &mut draft) {
            Ok(key) => key,
            Err(ClinicError::Refused { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let chart = open.id();
        let (Some(secret), Some(one)) = (&open.secret, open.compartments.get(name)) else {
            return Ok(false);
        };
        let compartment = Compartment {
            chart,
            name,
            tag: one.tag,
            secret,
            ledger: &open.ledger,
            records: &[],
        };
        let incarnation = self.author_incarnation();
        let (sequence, previous) = one
            .next(&self.node_id(), incarnation)
            .ok_or_else(|| ClinicError::fault("a compartment has no more record numbers"))?;
        let mut seals = Seals {
            clinic: self,
            key,
            place: RecordPlace {
                chart,
                compartment: one.tag,
                incarnation,
                sequence,
                previous,
            },
            made: Vec::new(),
        };
        let worth = (plan.loose_bytes.saturating_add(before)).saturating_mul(WORTH_PERCENT) / 100;
        let sealed = seals.seal(&compartment, plan, save)?;
        let worthy = |(record, _): &(VerifiedRecord, _)| record.as_bytes().len() <= worth;
        let sealed = sealed.filter(worthy);
        let mut made = Vec::new();
        if let Some((record, finding)) = &sealed {
            finding::put(&mut draft.batch, Key(chart, one.tag, record.id()), finding)?;
            made = seals.made;
        }
        for (record, form) in &made {
            draft.marked_record(record, *form);
        }
        // A key that was owed is paid with it, or alone.
        self.file(draft)?;
        if let Some(one) = open.compartments.get_mut(name) {
            for (record, _) in &made {
                one.sealed_now(tip(record));
            }
        }
        Ok(sealed.is_some())
    }

    /// What a compaction of a compartment would cover, its save, and the bytes of the compactions
    /// before; none when it is not due, or cannot be.
    fn prepare(
        &self,
        open: &OpenChart,
        name: &CompartmentName,
        records: &[Listed],
        (total, occasion): (usize, Occasion),
    ) -> Result<Option<(Plan, Vec<u8>, usize)>, ClinicError> {
        let (Some(secret), Some(one)) = (&open.secret, open.compartments.get(name)) else {
            return Ok(None);
        };
        let mine = records.iter().filter(|listed| listed.header.tag == one.tag);
        let mine: Vec<Listed> = mine.copied().collect();
        let compartment = Compartment {
            chart: open.id(),
            name,
            tag: one.tag,
            secret,
            ledger: &open.ledger,
            records: &mine,
        };
        let found = self.compactions(&compartment)?;
        let before = self.base_bytes(&compartment, &found)?;
        if !self.is_due(&compartment, &found, total, before, occasion)? {
            return Ok(None);
        }
        let Some(plan) = self.plan(&compartment, &found, one)? else {
            return Ok(None);
        };
        let save = one.document.save_plain(&plan.changes);
        Ok(save.map(|save| (plan, save, before)))
    }

    /// Whether this clinic may compact a compartment: it writes there and knows all of it, and
    /// everybody who reads there may read all of it. A save would hand over the history.
    fn may_compact(&self, open: &OpenChart, name: &CompartmentName) -> bool {
        let (own, decision) = (self.clinic_id(), open.decision());
        let all = |clinic: &_| decision.may_read_history(clinic, name);
        let sealed = open
            .compartments
            .get(name)
            .is_none_or(|one| one.sealed() > 0);
        !sealed
            && decision.may_write(&own, name)
            && decision.may_read(&own, name)
            && decision.readers(name).iter().all(all)
    }
}

/// The records of one compaction as they are sealed, each in the place after the one before.
struct Seals<'a> {
    clinic: &'a Clinic,
    key: EpochKey,
    place: RecordPlace,
    made: Vec<(VerifiedRecord, RecordForm)>,
}

impl Seals<'_> {
    /// Seals the manifests and the compaction, and checks them as everybody else will. None when
    /// it is too large for a record, or would not hold.
    fn seal(
        &mut self,
        compartment: &Compartment<'_>,
        plan: Plan,
        save: Vec<u8>,
    ) -> Result<Option<(VerifiedRecord, Finding)>, ClinicError> {
        let (clinic, secret) = (self.clinic, compartment.secret);
        let node = &clinic.identity.node;
        let mut manifests: Vec<Manifest> = plan.parts.values().cloned().collect();
        let mut parts: BTreeSet<RecordId> = plan.parts.into_keys().collect();
        let mut certificates = plan.certificates;
        for records in plan.untold.chunks(MAX_MANIFEST_RECORDS) {
            let manifest = Manifest::of(records, std::mem::take(&mut certificates));
            let manifest = manifest.map_err(ClinicError::fault)?;
            let rng = &mut clinic.chance();
            let sealed = seal_manifest(rng, &self.place, &self.key, node, secret, &manifest);
            manifests.push(manifest);
            let Some(record) = self.placed(sealed, RecordForm::Manifest)? else {
                return Ok(None);
            };
            parts.insert(record.id());
        }
        let compaction = Compaction {
            coverage: plan.coverage,
            manifest: parts.into_iter().collect(),
            time: clinic.tick(),
            save,
        };
        let mut proof = match proven(compartment, &compaction, &manifests) {
            Ok(proof) => proof,
            Err(fault) => {
                tracing::error!(%fault, "a compaction was not made: it would not hold");
                return Ok(None);
            }
        };
        // It was made of the records that are here, so it agrees with them.
        proof.compared = items::newest(&clinic.store)?.value();
        let rng = &mut clinic.chance();
        let sealed = seal_compaction(rng, &self.place, &self.key, node, secret, &compaction);
        let Some(record) = self.placed(sealed, RecordForm::Compaction)? else {
            return Ok(None);
        };
        let finding = Finding {
            coverage: compaction.coverage,
            manifest: compaction.manifest,
            state: State::Proven(proof),
        };
        Ok(Some((record, finding)))
    }

    /// Takes a sealed record, and moves on to the next place.
    fn placed(
        &mut self,
        sealed: Result<VerifiedRecord, SealError>,
        form: RecordForm,
    ) -> Result<Option<VerifiedRecord>, ClinicError> {
        let record = match sealed {
            Ok(record) => record,
            Err(SealError::TooLarge { .. }) => return Ok(None),
            Err(error) => return Err(ClinicError::fault(error)),
        };
        let Some(sequence) = self.place.sequence.next() else {
            return Ok(None);
        };
        self.place.sequence = sequence;
        self.place.previous = record.id().link();
        self.made.push((record.clone(), form));
        Ok(Some(record))
    }
}

fn tip(record: &VerifiedRecord) -> FrontierTip {
    let header = record.header();
    FrontierTip {
        author: header.author,
        incarnation: header.place.incarnation,
        sequence: header.place.sequence,
        record: record.id(),
    }
}
