//! Which parts of which bundles have been read.

use std::collections::BTreeSet;

use chartmesh_protocol::sync::bundle::{BundleId, Opening, PartHead};
use chartmesh_protocol::{ClinicId, NodeId};
use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::clinic::{Clinic, ClinicError, items};
use crate::store::{Batch, Space};

/// What is missing of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingParts {
    /// Who made it.
    pub clinic: ClinicId,
    /// The clinic's name.
    pub name: String,
    /// The bundle.
    pub bundle: String,
    /// The parts that were read.
    pub read: Vec<u32>,
    /// The parts that are known to exist and were not read.
    pub missing: Vec<u32>,
    /// Whether there may be more: the part that ends the bundle was not read.
    pub end_unknown: bool,
}

/// What was read of a bundle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Received {
    /// The parts that were read whole.
    #[n(0)]
    parts: BTreeSet<u32>,
    /// The number of the last part, once it was read.
    #[n(1)]
    last: Option<u32>,
    /// The newest number of the sender's feed that it reaches.
    #[n(2)]
    newest: u64,
}

impl Received {
    /// Whether every part was read.
    pub(super) fn is_whole(&self) -> bool {
        self.last.is_some() && self.missing().is_empty()
    }

    fn missing(&self) -> Vec<u32> {
        let highest = self.last.or_else(|| self.parts.last().copied());
        let all = 1..=highest.unwrap_or(0);
        all.filter(|part| !self.parts.contains(part)).collect()
    }
}

fn prefix(node: &NodeId) -> Vec<u8> {
    [b"bundle".as_slice(), node.as_bytes()].concat()
}

fn key(node: &NodeId, bundle: &BundleId) -> Vec<u8> {
    [prefix(node).as_slice(), bundle.as_bytes()].concat()
}

fn made_key(bundle: &BundleId) -> Vec<u8> {
    [b"made".as_slice(), bundle.as_bytes()].concat()
}

impl Clinic {
    /// Notes that a bundle is written here, for whoever finds it among those to be read.
    pub(super) fn note_made(
        &self,
        bundle: &BundleId,
        clinic: &ClinicId,
    ) -> Result<(), ClinicError> {
        let mut batch = Batch::new();
        let clinic = clinic.as_bytes().to_vec();
        batch.put(Space::Settings, made_key(bundle), clinic);
        self.store.commit(batch)?;
        Ok(())
    }

    /// Whether a bundle was written here.
    pub(super) fn has_made(&self, bundle: &BundleId) -> Result<bool, ClinicError> {
        Ok(self
            .store
            .get(Space::Settings, &made_key(bundle))?
            .is_some())
    }

    /// What was read of a bundle.
    pub(super) fn received(
        &self,
        node: &NodeId,
        bundle: &BundleId,
    ) -> Result<Received, ClinicError> {
        let bytes = self.store.get(Space::Settings, &key(node, bundle))?;
        Ok(bytes
            .and_then(|bytes| minicbor::decode(&bytes).ok())
            .unwrap_or_default())
    }

    /// Notes that a part was read whole. What is known of older bundles that are whole is of no
    /// use any more.
    pub(super) fn part_received(
        &self,
        head: &PartHead,
        opening: &Opening,
        last: bool,
    ) -> Result<Received, ClinicError> {
        let node = opening.certificate.payload().node;
        let mut received = self.received(&node, &head.bundle)?;
        received.parts.insert(head.part);
        received.newest = opening.newest.value();
        if last {
            received.last = Some(head.part);
        }
        let own = key(&node, &head.bundle);
        let mut batch = Batch::new();
        for pair in self.store.scan_prefix(Space::Settings, &prefix(&node)) {
            let (key, value) = pair?;
            let other: Option<Received> = minicbor::decode(&value).ok();
            let done = other.is_none_or(|one| one.is_whole() && one.newest <= received.newest);
            if done && key != own {
                batch.delete(Space::Settings, key);
            }
        }
        batch.put(Space::Settings, own, items::encode(&received)?);
        self.store.commit(batch)?;
        Ok(received)
    }

    /// What is missing of a bundle, if anything is.
    pub(super) fn missing_parts(
        &self,
        node: &NodeId,
        clinic: ClinicId,
        name: &str,
        bundle: &BundleId,
    ) -> Result<Option<MissingParts>, ClinicError> {
        let received = self.received(node, bundle)?;
        Ok((!received.is_whole()).then(|| MissingParts {
            clinic,
            name: name.to_owned(),
            bundle: bundle.to_string(),
            missing: received.missing(),
            end_unknown: received.last.is_none(),
            read: received.parts.into_iter().collect(),
        }))
    }
}
