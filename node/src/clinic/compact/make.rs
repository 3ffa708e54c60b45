//! Making a compaction: manifests first, then the record that names them, in one commit.
//!
//! Everything that takes long is prepared while others may write; what was prepared stays true,
//! for records that come meanwhile follow those that are covered.

use std::collections::BTreeSet;

use chartmesh_protocol::ledger::{ChartSecret, CompartmentName};
use chartmesh_protocol::limits::MAX_MANIFEST_RECORDS;
use chartmesh_protocol::seal::{
    Compaction, EpochKey, Manifest, RecordForm, RecordPlace, SealError, VerifiedRecord,
    seal_compaction, seal_manifest,
};
use chartmesh_protocol::{ChartId, RecordId};

use super::check::{Compartment, proven};
use super::due::Occasion;
use super::finding::{self, Finding, Key, Proof, State};
use crate::clinic::draft::Draft;
use crate::clinic::open_chart::{OpenChart, Scope};
use crate::clinic::records::{Listed, of_compartment};
use crate::clinic::{Clinic, ClinicError};

/// A compaction is not worth its sending unless it is smaller than this part of what it stands
/// for, in hundredths.
const WORTH_PERCENT: usize = 90;

/// A compaction that only has to be sealed.
struct Prepared {
    name: CompartmentName,
    /// Its manifest is empty until its parts are sealed.
    compaction: Compaction,
    /// Manifests that are here and tell of some of the records.
    parts: BTreeSet<RecordId>,
    /// Those that tell of the others.
    manifests: Vec<Manifest>,
    proof: Proof,
    /// How many bytes it may have at most.
    worth: usize,
}

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
        // In this order every one of the records is judged by what is open.
        let records = self.records(chart)?;
        let open = self.open_chart(chart, Scope::Whole)?;
        let mut ready = Vec::new();
        for name in open.compartments.keys().filter(|name| wanted(name)) {
            if self.may_compact(&open, name) {
                ready.extend(self.prepare(&open, name, &records, (total, occasion))?);
            }
        }
        if ready.is_empty() {
            return Ok(0);
        }
        let prepared_by = open.ledger.frontier();
        let _writing = self.writing();
        self.change_chart(chart, |open| {
            let mut made = 0;
            for one in ready {
                // By another ledger, other records may count and others may read.
                let same = open.ledger.frontier() == prepared_by || made > 0;
                if same && self.may_compact(open, &one.name) {
                    made += usize::from(self.file_compaction(open, one)?);
                }
            }
            Ok(made)
        })
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

    /// Prepares the compaction of a compartment, and checks it as everybody else will; none when
    /// it is not due, or cannot be.
    fn prepare(
        &self,
        open: &OpenChart,
        name: &CompartmentName,
        records: &[Listed],
        (total, occasion): (usize, Occasion),
    ) -> Result<Option<Prepared>, ClinicError> {
        let (Some(secret), Some(one)) = (&open.secret, open.compartments.get(name)) else {
            return Ok(None);
        };
        let mine = of_compartment(records, &one.tag);
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
        let Some(save) = one.document()?.save_plain(&plan.changes) else {
            return Ok(None);
        };
        let worth = plan.loose_bytes.saturating_add(before);
        let mut certificates = plan.certificates;
        let mut manifests = Vec::new();
        for records in plan.untold.chunks(MAX_MANIFEST_RECORDS) {
            let manifest = Manifest::of(records, std::mem::take(&mut certificates));
            manifests.push(manifest.map_err(ClinicError::fault)?);
        }
        let compaction = Compaction {
            coverage: plan.coverage,
            manifest: Vec::new(),
            time: self.tick(),
            save,
        };
        let all: Vec<Manifest> = plan.parts.values().chain(&manifests).cloned().collect();
        let mut proof = match proven(&compartment, &compaction, &all) {
            Ok(proof) => proof,
            Err(fault) => {
                tracing::error!(%fault, "a compaction was not made: it would not hold");
                return Ok(None);
            }
        };
        // It is made of the records that are here, so it agrees with them.
        let newest = mine.iter().map(|one| one.feed).max();
        proof.compared = newest.unwrap_or_default();
        Ok(Some(Prepared {
            name: name.clone(),
            compaction,
            parts: plan.parts.into_keys().collect(),
            manifests,
            proof,
            worth: worth.saturating_mul(WORTH_PERCENT) / 100,
        }))
    }

    fn file_compaction(
        &self,
        open: &mut OpenChart,
        prepared: Prepared,
    ) -> Result<bool, ClinicError> {
        let name = prepared.name.clone();
        let mut draft = Draft::default();
        let key = match self.sealing_key(open, &name, &mut draft) {
            Ok(key) => key,
            Err(ClinicError::Refused { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let chart = open.id();
        let (Some(secret), Some(one)) = (&open.secret, open.compartments.get(&name)) else {
            return Ok(false);
        };
        let tag = one.tag;
        let mut seals = Seals {
            clinic: self,
            secret,
            key,
            place: self.next_place(chart, one)?,
            made: Vec::new(),
        };
        let sealed = seals.seal(prepared)?;
        let mut made = Vec::new();
        if let Some((record, finding)) = &sealed {
            finding::put(&mut draft.batch, Key(chart, tag, record.id()), finding)?;
            made = seals.made;
        }
        for (record, form) in &made {
            draft.marked_record(record, *form);
        }
        // A key that was owed is paid with it, or alone.
        self.file(draft)?;
        if let Some(one) = open.compartments.get_mut(&name) {
            for (record, _) in &made {
                one.sealed_now(record);
            }
        }
        Ok(sealed.is_some())
    }
}

/// The records of one compaction as they are sealed, each in the place after the one before.
struct Seals<'a> {
    clinic: &'a Clinic,
    secret: &'a ChartSecret,
    key: EpochKey,
    place: RecordPlace,
    made: Vec<(VerifiedRecord, RecordForm)>,
}

impl Seals<'_> {
    /// Seals the manifests and the compaction. None when it is too large for a record, or not
    /// worth its sending.
    fn seal(
        &mut self,
        prepared: Prepared,
    ) -> Result<Option<(VerifiedRecord, Finding)>, ClinicError> {
        let Prepared {
            mut compaction,
            mut parts,
            manifests,
            proof,
            worth,
            ..
        } = prepared;
        let (node, secret) = (&self.clinic.identity.node, self.secret);
        let rng = &mut self.clinic.chance();
        for manifest in &manifests {
            let sealed = seal_manifest(rng, &self.place, &self.key, node, secret, manifest);
            let Some(record) = self.placed(sealed, RecordForm::Manifest)? else {
                return Ok(None);
            };
            parts.insert(record.id());
        }
        compaction.manifest = parts.into_iter().collect();
        let sealed = seal_compaction(rng, &self.place, &self.key, node, secret, &compaction);
        let Some(record) = self.placed(sealed, RecordForm::Compaction)? else {
            return Ok(None);
        };
        let finding = Finding {
            coverage: compaction.coverage,
            manifest: compaction.manifest,
            state: State::Proven(proof),
        };
        Ok((record.as_bytes().len() <= worth).then_some((record, finding)))
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
