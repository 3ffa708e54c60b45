//! Checking compactions that are here, against their manifests and the records that are here too.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use chartmesh_crdt::{ActorId, Document, SavedChanges, SavedError};
use chartmesh_protocol::ledger::{ChartSecret, CompartmentName, CoveredRecord, Ledger};
use chartmesh_protocol::seal::{
    Compaction, Keyring, Manifest, OpenError, ProvenanceError, SavedChange, actor_id, prove,
    record_claim,
};
use chartmesh_protocol::{ChartId, CompartmentTag, Incarnation, NodeId, RecordId, UserId};
use thiserror::Error;

use super::finding::{self, Finding, Key, Proof, State};
use super::known::Found;
use crate::clinic::items::Marked;
use crate::clinic::records::{Listed, hashes, of_compartment};
use crate::clinic::share::tags;
use crate::clinic::{Clinic, ClinicError};

/// What is wrong with a compaction. Its author is at fault.
#[derive(Debug, Error)]
pub(super) enum Fault {
    #[error("it is marked as a compaction, and is none: {0}")]
    Unreadable(OpenError),
    #[error(transparent)]
    Save(#[from] SavedError),
    #[error("it holds changes of a node that it does not cover")]
    Stranger,
    #[error("it holds changes that contradict each other")]
    Contradiction,
    #[error("it lacks changes that it builds on")]
    Incomplete,
    #[error("its manifest does not read: {0}")]
    Manifest(OpenError),
    #[error(transparent)]
    Provenance(#[from] ProvenanceError),
}

/// A compartment of a chart, and what of its records is here.
pub(crate) struct Compartment<'a> {
    pub(crate) chart: ChartId,
    pub(crate) name: &'a CompartmentName,
    pub(crate) tag: CompartmentTag,
    pub(crate) secret: &'a ChartSecret,
    pub(crate) ledger: &'a Ledger,
    pub(crate) records: &'a [Listed],
}

/// Keys that are unwrapped when the first is needed.
struct Keys<'a> {
    clinic: &'a Clinic,
    compartment: &'a Compartment<'a>,
    ring: OnceCell<Keyring>,
}

impl Keys<'_> {
    fn ring(&self) -> &Keyring {
        let Compartment { ledger, name, .. } = *self.compartment;
        self.ring.get_or_init(|| self.clinic.keys_of(ledger, name))
    }
}

impl Clinic {
    /// The compactions of a compartment that this clinic can open, with what was found of each.
    pub(crate) fn compactions(
        &self,
        compartment: &Compartment<'_>,
    ) -> Result<Vec<Found>, ClinicError> {
        let marked = |one: &&Listed| one.header.marked == Some(Marked::Compaction);
        let keys = Keys {
            clinic: self,
            compartment,
            ring: OnceCell::new(),
        };
        let mut found = Vec::new();
        for one in compartment.records.iter().filter(marked) {
            let key = Key(compartment.chart, compartment.tag, one.id);
            let before = finding::read(&self.store, key)?;
            let now = self.find(compartment, one, before.clone(), &keys)?;
            let Some(now) = now else { continue };
            if before.as_ref() != Some(&now) {
                finding::write(&self.store, key, &now)?;
            }
            found.push(Found {
                record: one.id,
                author: one.header.author,
                finding: now,
            });
        }
        Ok(found)
    }

    /// Whether a compaction covers records that this node wrote in its present incarnation, and
    /// does not remember: the store has lost them.
    pub(crate) fn is_told_of_more(&self, chart: &ChartId) -> Result<bool, ClinicError> {
        let ledger = self.ledger(chart)?;
        let Some(secret) = self.chart_secret(&ledger) else {
            return Ok(false);
        };
        let all = self.records(chart)?;
        let own = (self.node_id(), self.author_incarnation());
        for (tag, name) in tags(self, &ledger) {
            let records = of_compartment(&all, &tag);
            let found = self.compactions(&Compartment {
                chart: *chart,
                name: &name,
                tag,
                secret: &secret,
                ledger: &ledger,
                records: &records,
            })?;
            let mine = records
                .iter()
                .filter(|one| (one.header.author, one.header.incarnation) == own);
            let newest = mine.map(|one| one.header.sequence).max();
            let mut tips = found.iter().flat_map(|one| &one.finding.coverage);
            if tips.any(|tip| (tip.author, tip.incarnation) == own && Some(tip.sequence) > newest) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is found of a compaction now; none where its key is not here.
    fn find(
        &self,
        compartment: &Compartment<'_>,
        one: &Listed,
        before: Option<Finding>,
        keys: &Keys<'_>,
    ) -> Result<Option<Finding>, ClinicError> {
        let mut finding = match before {
            Some(before) => before,
            None => match self.read_compaction(compartment, one, keys.ring())? {
                Some(finding) => finding,
                None => return Ok(None),
            },
        };
        if finding.state == State::Attested
            && let Some(state) = self.state_by_manifest(compartment, one, &finding, keys)?
        {
            finding.state = state;
        }
        if let State::Proven(proof) = &mut finding.state {
            self.compare(compartment, proof, keys)?;
        }
        Ok(Some(finding))
    }

    /// Reads a compaction by itself.
    fn read_compaction(
        &self,
        compartment: &Compartment<'_>,
        one: &Listed,
        keys: &Keyring,
    ) -> Result<Option<Finding>, ClinicError> {
        let Some(key) = keys.get(&one.header.epoch) else {
            return Ok(None);
        };
        let opened = self
            .record(&compartment.chart, &one.id)?
            .open_compaction(key);
        Ok(Some(match opened {
            Err(error) => Finding {
                coverage: Vec::new(),
                manifest: Vec::new(),
                state: State::Faulty(Fault::Unreadable(error).to_string()),
            },
            Ok(compaction) => Finding {
                state: match saved_changes(&compaction, &compartment.tag) {
                    Ok(_) => State::Attested,
                    Err(fault) => State::Faulty(fault.to_string()),
                },
                coverage: compaction.coverage,
                manifest: compaction.manifest,
            },
        }))
    }

    /// What the manifest shows, once all of it is here and can be opened.
    fn state_by_manifest(
        &self,
        compartment: &Compartment<'_>,
        one: &Listed,
        finding: &Finding,
        keys: &Keys<'_>,
    ) -> Result<Option<State>, ClinicError> {
        let here: BTreeMap<RecordId, &Listed> = compartment
            .records
            .iter()
            .filter(|one| one.header.marked == Some(Marked::Manifest))
            .map(|one| (one.id, one))
            .collect();
        if !finding.manifest.iter().all(|part| here.contains_key(part)) {
            return Ok(None);
        }
        let mut manifests = Vec::with_capacity(finding.manifest.len());
        for part in finding.manifest.iter().filter_map(|part| here.get(part)) {
            let Some(key) = keys.ring().get(&part.header.epoch) else {
                return Ok(None);
            };
            match self
                .record(&compartment.chart, &part.id)?
                .open_manifest(key)
            {
                Ok(manifest) => manifests.push(manifest),
                Err(error) => {
                    return Ok(Some(State::Faulty(Fault::Manifest(error).to_string())));
                }
            }
        }
        let Some(key) = keys.ring().get(&one.header.epoch) else {
            return Ok(None);
        };
        let opened = self
            .record(&compartment.chart, &one.id)?
            .open_compaction(key);
        let proven = opened
            .map_err(Fault::Unreadable)
            .and_then(|compaction| proven(compartment, &compaction, &manifests));
        Ok(Some(match proven {
            Err(fault) => State::Faulty(fault.to_string()),
            Ok(proof) => {
                for manifest in &manifests {
                    self.keep_certificates(manifest)?;
                }
                State::Proven(proof)
            }
        }))
    }

    /// The certificates of a manifest are those of authors whose records never came here.
    fn keep_certificates(&self, manifest: &Manifest) -> Result<(), ClinicError> {
        for certificate in manifest.certificates() {
            self.keep_certificate(certificate)?;
        }
        Ok(())
    }

    /// Compares what a manifest says with the records that have come since the last time.
    fn compare(
        &self,
        compartment: &Compartment<'_>,
        proof: &mut Proof,
        keys: &Keys<'_>,
    ) -> Result<(), ClinicError> {
        let new = compartment
            .records
            .iter()
            .filter(|one| one.feed > proof.compared);
        let (mut compared, mut closed) = (proof.compared, false);
        for one in new {
            // What is not covered costs nothing, and is passed over again next time.
            let Some(told) = covered_at(&proof.covered, one) else {
                continue;
            };
            match self.contradicts(compartment, one, told, keys)? {
                Some(true) if !proof.against.contains(&one.id) => proof.against.push(one.id),
                Some(_) => {}
                // Its key may still come: it is compared then, with all that came after it.
                None => closed = true,
            }
            if !closed {
                compared = compared.max(one.feed);
            }
        }
        proof.compared = compared;
        Ok(())
    }

    /// Whether a record shows that a manifest tells something else of it; none where its key is not
    /// here.
    fn contradicts(
        &self,
        compartment: &Compartment<'_>,
        one: &Listed,
        told: &CoveredRecord,
        keys: &Keys<'_>,
    ) -> Result<Option<bool>, ClinicError> {
        let record = self.record(&compartment.chart, &one.id)?;
        let witness = record.witness();
        if told.id != one.id {
            // Another record in the same place is a fork, and no fault of the compaction.
            return Ok(Some(told.signed == witness.signed_hash()));
        }
        let changes = match (one.header.marked, keys.ring().get(&one.header.epoch)) {
            (Some(_), _) => Some(Vec::new()),
            (None, None) => return Ok(None),
            (None, Some(key)) => record.open(key).ok().and_then(|one| hashes(&one.changes)),
        };
        let changes = changes.map(|all| all.into_iter().map(|one| one.0).collect::<Vec<_>>());
        let differs = changes.is_none_or(|changes| record_claim(&witness, &changes) != told.claim);
        Ok(Some(differs))
    }
}

/// What a manifest says of the record in this one's place.
fn covered_at<'a>(covered: &'a [CoveredRecord], one: &Listed) -> Option<&'a CoveredRecord> {
    let place = |one: &CoveredRecord| (one.author, one.incarnation, one.sequence);
    let at = covered.binary_search_by_key(&one.place(), place).ok()?;
    covered.get(at)
}

/// What the manifests of a compaction prove. No record was compared with it yet.
pub(super) fn proven(
    compartment: &Compartment<'_>,
    compaction: &Compaction,
    manifests: &[Manifest],
) -> Result<Proof, Fault> {
    let Compartment {
        chart, tag, secret, ..
    } = *compartment;
    let changes = saved_changes(compaction, &tag)?;
    let provenance = prove(chart, tag, secret, compaction, manifests, &changes)?;
    Ok(Proof {
        vouchers: provenance.vouchers().iter().cloned().collect(),
        covered: provenance.into_records(),
        compared: 0,
        against: Vec::new(),
    })
}

/// The changes of a compaction's save, which has to hold those of covered authors alone, and all
/// that they build on.
fn saved_changes(compaction: &Compaction, tag: &CompartmentTag) -> Result<Vec<SavedChange>, Fault> {
    let authors: BTreeMap<ActorId, (NodeId, Incarnation)> = compaction
        .coverage
        .iter()
        .map(|tip| {
            let actor = actor_id(&tip.author, tip.incarnation, tag);
            (ActorId(actor), (tip.author, tip.incarnation))
        })
        .collect();
    let saved = SavedChanges::read(&compaction.save)?;
    let mut changes = Vec::with_capacity(saved.facts().len());
    for facts in saved.facts() {
        let author = authors.get(&facts.author.actor).ok_or(Fault::Stranger)?;
        let user: UserId = facts
            .author
            .user
            .parse()
            .map_err(|_| ProvenanceError::UnknownUser)?;
        changes.push(SavedChange {
            author: author.0,
            incarnation: author.1,
            hash: facts.hash.0,
            user,
            role: facts.author.role.clone(),
        });
    }
    // Made as nobody: nothing is written into it.
    let mut document = Document::new(ActorId([0; 16]));
    match document.apply_saved(saved) {
        Ok(applied) if applied.refused.is_empty() => {}
        Ok(_) => return Err(Fault::Contradiction),
        Err(_) => return Err(Fault::Incomplete),
    }
    if document.pending().next().is_some() {
        return Err(Fault::Incomplete);
    }
    Ok(changes)
}
