//! The post: what this clinic puts at a relay and fetches from it.
//!
//! Records and statements of charts whose patients let a relay carry them are put there as mail;
//! see [`chartmesh_protocol::mail`] for boxes and their keys. What came as mail is checked by our
//! own ledgers, as if its author had brought it.
//!
//! | file | what it is for |
//! |---|---|
//! | `log` | what lies at a relay, as far as we put or fetched it |
//! | `mailbox` | one box and its key |
//! | `table` | where all of it stands in the store |
//! | `choose` | what of a chart is put, and which boxes are fetched from |
//! | `carrier` | the post as a session with the relay sees it |
//! | `beacons` | telling others how far our records at the relay go, and hearing it of theirs |
//! | `fetch` | what is fetched, opened and taken in |

mod beacons;
mod carrier;
mod choose;
mod fetch;
mod log;
mod mailbox;
mod table;

use std::sync::{Arc, Mutex, PoisonError};

use chartmesh_protocol::reconcile::{ItemId, PairKey};
use chartmesh_protocol::{ClinicId, NodeId};

pub(crate) use carrier::Carrier;
pub(crate) use log::Post;

use super::{Clinic, ClinicError, KnownPeer, PeerStore};

/// A relay: its node, and the clinic (the legal entity) that runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Relay {
    pub(crate) node: NodeId,
    pub(crate) clinic: ClinicId,
}

impl Clinic {
    /// How much of what a clinic lacks a relay holds, and which relay: that at which most lies. The
    /// clinic may have fetched it.
    pub(super) fn carried(
        self: &Arc<Self>,
        clinic: &dyn PeerStore,
    ) -> Result<Option<(String, u64)>, ClinicError> {
        let mut relays = self.peers()?;
        relays.retain(KnownPeer::is_relay);
        if relays.is_empty() {
            return Ok(None);
        }
        let owed: Vec<ItemId> = clinic.owed_items().iter().map(|one| one.id).collect();
        let mut most: Option<(String, u64)> = None;
        for relay in relays {
            let carrier = Carrier::open(Arc::clone(self), relay.node)?;
            let count = carrier.holds_of(&owed);
            if count > most.as_ref().map_or(0, |(_, before)| *before) {
                most = Some((relay.name, count));
            }
        }
        Ok(most)
    }

    /// The post of a relay, one for everyone who asks.
    fn post_at(&self, relay: Relay, key: &PairKey) -> Result<Arc<Mutex<Post>>, ClinicError> {
        let mut posts = self.posts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = posts.get(&relay.node) {
            return Ok(Arc::clone(known));
        }
        let post = Arc::new(Mutex::new(Post::open(self, relay, key.clone())?));
        posts.insert(relay.node, Arc::clone(&post));
        Ok(post)
    }
}
