//! The clinic's sealing keys: the one that it began with, and those that took its place when a node
//! that knew the one before was cut off. What was wrapped to an earlier key still opens.
//!
//! ```text
//! Meta "sealing key/" | public key 32  -> secret key 32
//! ```

use std::sync::{Arc, PoisonError, RwLock};

use chartmesh_protocol::SealingPublic;
use chartmesh_protocol::identity::SealingKey;
use zeroize::Zeroizing;

use super::ClinicError;
use crate::keys::Secret;
use crate::store::{Batch, Space, Store};

/// What the keys of further sealing keys begin with.
const SEALING_KEY: &[u8] = b"sealing key/";

/// Every sealing key of the clinic that this node knows.
pub(crate) struct SealingKeys(RwLock<Vec<Arc<SealingKey>>>);

impl SealingKeys {
    /// The first key, and what the store has of later ones.
    pub(crate) fn read(first: Secret, store: &Store) -> Result<Self, ClinicError> {
        let keys = Self(RwLock::new(vec![Arc::new(SealingKey::from_bytes(first))]));
        for pair in store.scan_prefix(Space::Meta, SEALING_KEY) {
            let (_, secret) = pair?;
            let secret = Zeroizing::new(secret);
            if let Ok(secret) = <[u8; 32]>::try_from(secret.as_slice()) {
                keys.add(&Zeroizing::new(secret));
            }
        }
        Ok(keys)
    }

    /// Knows a key from now on.
    pub(crate) fn add(&self, secret: &Secret) {
        let key = SealingKey::from_bytes(secret.clone());
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if keys.iter().all(|known| known.public() != key.public()) {
            keys.push(Arc::new(key));
        }
    }

    /// Every key.
    pub(crate) fn all(&self) -> Vec<Arc<SealingKey>> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The key with this public half.
    pub(crate) fn find(&self, public: &SealingPublic) -> Option<Arc<SealingKey>> {
        self.all().into_iter().find(|key| key.public() == *public)
    }

    /// What the first of the keys opens that opens it.
    pub(crate) fn open<T>(&self, open: impl Fn(&SealingKey) -> Option<T>) -> Option<T> {
        self.all().iter().find_map(|key| open(key))
    }
}

/// Adds a key to a batch, for the next start.
pub(crate) fn remember(batch: &mut Batch, secret: &Secret) {
    let public = SealingKey::from_bytes(secret.clone()).public();
    let key = [SEALING_KEY, public.as_bytes()].concat();
    batch.put(Space::Meta, key, secret.to_vec());
}
