//! The epoch to seal under: one that every reader of now can open, and nobody else.

use std::collections::BTreeSet;

use chartmesh_crdt::{ActorId, Document};
use chartmesh_protocol::ClinicId;
use chartmesh_protocol::ledger::{CompartmentName, Ledger};
use chartmesh_protocol::seal::actor_id;
use chartmesh_protocol::seal::{EpochKey, EpochPlan, Keyring, Reader, make_epoch};

use super::draft::Draft;
use super::open_chart::OpenChart;
use super::open_compartment::OpenCompartment;
use super::{Clinic, ClinicError};

impl Clinic {
    /// The key to seal under in a compartment. Where the readers of now have none in common that
    /// is theirs alone, a new epoch is made first: that is how a rotation that is owed is paid.
    pub(crate) fn sealing_key(
        &self,
        open: &mut OpenChart,
        name: &CompartmentName,
        draft: &mut Draft,
    ) -> Result<EpochKey, ClinicError> {
        let fit = open
            .decision
            .sealing_epoch(name)
            .filter(|fit| fit.missing().is_empty());
        let known =
            fit.and_then(|fit| open.compartments.get(name)?.keys.get(&fit.epoch()).cloned());
        match known {
            Some(key) => Ok(key),
            None => self.rotate(open, name, draft),
        }
    }

    /// Makes an epoch for the readers of now, after every epoch that was not followed yet.
    pub(crate) fn rotate(
        &self,
        open: &mut OpenChart,
        name: &CompartmentName,
        draft: &mut Draft,
    ) -> Result<EpochKey, ClinicError> {
        let ids = open.decision.readers(name);
        let mut readers = Vec::with_capacity(ids.len());
        for clinic in &ids {
            readers.push(self.reader(clinic, &open.ledger, name)?);
        }
        let heads = heads(open, name);
        let parents: Vec<_> = heads.iter().map(EpochKey::id).collect();
        let all_history = |clinic: &ClinicId| open.decision.may_read_history(clinic, name);
        let everyone = ids.iter().all(all_history);
        let plan = EpochPlan {
            chart: open.id(),
            compartment: name,
            readers: &readers,
            parents: &parents,
            history: if everyone { &heads } else { &[] },
            created: self.tick(),
        };
        let (epoch, key) = make_epoch(&mut self.chance(), &plan).map_err(ClinicError::fault)?;
        let statement = self.sign_epoch(epoch)?;
        draft.statement(&statement);
        open.ledger.insert(statement);
        open.decision = self.decide(&open.ledger);
        let tag = open.tag(name).ok_or_else(|| no_secret(open))?;
        let own = ActorId(actor_id(&self.node_id(), self.author_incarnation(), &tag));
        let one = open
            .compartments
            .entry(name.clone())
            .or_insert_with(|| OpenCompartment::empty(tag, Document::new(own), Keyring::default()));
        one.keys.insert(key.clone());
        // An epoch that one reader may see only from now on carries no history: those who may see
        // all of it get the earlier keys by themselves.
        self.hand_over(open, name, draft)?;
        Ok(key)
    }

    /// A clinic with the key that epoch keys of a compartment are wrapped to.
    pub(super) fn reader(
        &self,
        clinic: &ClinicId,
        ledger: &Ledger,
        name: &CompartmentName,
    ) -> Result<Reader, ClinicError> {
        let sealing = self.sealing_key_of(clinic)?.ok_or_else(|| {
            ClinicError::refused(format!(
                "the sealing key of clinic {clinic}, which may read this chart, is not known \
                 here: sync with the clinic that granted it, or add its card with `peer add`"
            ))
        })?;
        let mut ends = ledger.node_ends();
        let told = ends.any(|(_, end)| end.clinic == *clinic && end.compartment == *name);
        Ok(Reader {
            clinic: *clinic,
            sealing,
            told,
        })
    }
}

/// The keys of the epochs that no other epoch follows.
fn heads(open: &OpenChart, name: &CompartmentName) -> Vec<EpochKey> {
    let epochs = || {
        open.ledger
            .epochs()
            .map(|(_, one)| one)
            .filter(|one| one.compartment == *name)
    };
    let followed: BTreeSet<_> = epochs()
        .flat_map(|one| one.parents.iter().copied())
        .collect();
    let ids: BTreeSet<_> = epochs()
        .map(|one| one.id)
        .filter(|id| !followed.contains(id))
        .collect();
    let keys = open.compartments.get(name).map(|one| &one.keys);
    ids.iter().filter_map(|id| keys?.get(id).cloned()).collect()
}

/// A chart whose secret this clinic does not have cannot be written.
pub(crate) fn no_secret(open: &OpenChart) -> ClinicError {
    ClinicError::refused(format!("this clinic has no grant for chart {}", open.id()))
}
