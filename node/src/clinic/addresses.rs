//! Where other clinics call this node, for its card.

use std::sync::PoisonError;

use super::{Clinic, ClinicError};
use crate::net::{Addresses, port};
use crate::store::{Batch, Space};

/// Where the addresses of the last run stand.
const ADDRESSES: &[u8] = b"addresses";

impl Clinic {
    /// Takes over the addresses of a running network, for the card.
    pub fn set_addresses(&self, addresses: Addresses) {
        let mut batch = Batch::new();
        if let Ok(json) = serde_json::to_vec(&addresses.all()) {
            batch.put(Space::Settings, ADDRESSES.to_vec(), json);
            // Only for cards made while no node runs.
            drop(self.store.commit_later(batch));
        }
        *self
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(addresses);
    }

    /// The configured addresses that say where the node will be once it runs.
    fn callable_addresses(&self) -> Vec<String> {
        let listen = self.config.network.listen.iter();
        listen
            .map(ToString::to_string)
            .filter(|address| port::is_callable(address))
            .collect()
    }

    /// The addresses for the card: the configured ones, and those that the node listens on, or
    /// listened on when it last ran. Loopback addresses only when there are no others.
    pub(super) fn addresses(&self) -> Result<Vec<String>, ClinicError> {
        let running = self
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let listening: Vec<String> = match running {
            Some(addresses) => addresses.all(),
            None => {
                let json = self.store.get(Space::Settings, ADDRESSES)?;
                json.and_then(|json| serde_json::from_slice(&json).ok())
                    .unwrap_or_else(|| self.callable_addresses())
            }
        };
        let external = self
            .config
            .network
            .external_addresses
            .iter()
            .map(ToString::to_string);
        let mut all: Vec<String> = external.collect();
        let local = |address: &&String| {
            address.starts_with("/ip4/127.") || address.starts_with("/ip6/::1/")
        };
        let outside: Vec<String> = listening
            .iter()
            .filter(|one| !local(one))
            .cloned()
            .collect();
        all.extend(if outside.is_empty() && all.is_empty() {
            listening
        } else {
            outside
        });
        all.truncate(chartmesh_protocol::limits::MAX_CARD_ADDRESSES);
        Ok(all)
    }
}
