//! Whether relays do for a clinic that is not reached.

use std::collections::BTreeSet;
use std::sync::Arc;

use chartmesh_protocol::reconcile::ItemId;
use chartmesh_protocol::{ClinicId, NodeId};
use serde::{Deserialize, Serialize};

use super::Carrier;
use crate::clinic::{Clinic, ClinicError, KnownPeer};

/// By what a clinic that was not reached is served all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedOn {
    /// The relay's name.
    pub relay: String,
    /// How.
    pub served: Served,
}

/// How a relay serves a clinic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Served {
    /// All that the clinic is not known to have lies there.
    Lies,
    /// The clinic has told through the relay that it has everything.
    Arrived,
    /// Nothing is owed to the clinic, and the relay carries charts that are shared with it.
    NothingWaits,
}

impl Clinic {
    /// By what a clinic that is not reached is served all the same; none where something is owed to
    /// it that lies at no relay, as word that its own consent has ended.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be read.
    pub fn passed_on(self: &Arc<Self>, node: &NodeId) -> Result<Option<PassedOn>, ClinicError> {
        let peers = self.peers()?;
        let Some(peer) = peers.iter().find(|peer| peer.node == *node) else {
            return Ok(None);
        };
        if peer.is_relay() || self.is_relay() {
            return Ok(None);
        }
        let store = self.peer_store(*node)?;
        let mut owed = store.owed_items();
        owed.extend(store.untold());
        if owed.is_empty() {
            let relay = self.relay_to(&peers, &peer.clinic)?;
            let served = Served::NothingWaits;
            return Ok(relay.map(|relay| PassedOn { relay, served }));
        }
        let left = self.left_by_claims(&peers, peer, owed)?;
        if left.items.is_empty() {
            let served = Served::Arrived;
            let told = left.word.map(|word| word.relay);
            return Ok(told.map(|relay| PassedOn { relay, served }));
        }
        let left: BTreeSet<ItemId> = left.items.iter().map(|one| one.id).collect();
        let lacking: Vec<ItemId> = left.iter().copied().collect();
        let carried = self.carried(&peers, &lacking)?;
        let whole = carried.filter(|carried| carried.items == left);
        Ok(whole.map(|carried| PassedOn {
            relay: carried.relay,
            served: Served::Lies,
        }))
    }

    /// A relay that carries charts which are shared with a clinic.
    fn relay_to(
        self: &Arc<Self>,
        peers: &[KnownPeer],
        clinic: &ClinicId,
    ) -> Result<Option<String>, ClinicError> {
        for relay in peers.iter().filter(|peer| peer.is_relay()) {
            if Carrier::open(Arc::clone(self), relay.node)?.carries_to(clinic)? {
                return Ok(Some(relay.name.clone()));
            }
        }
        Ok(None)
    }
}
