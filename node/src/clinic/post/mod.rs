//! The post: what this clinic puts at a relay and fetches from it.
//!
//! Records and statements of charts whose patients let a relay carry them are put there as mail;
//! see [`chartmesh_protocol::mail`] for boxes and their keys. What came as mail is checked by our
//! own ledgers, as if its author had brought it.
//!
//! | file | what it is for |
//! |---|---|
//! | `log` | what lies at a relay, as far as we put or fetched it |
//! | `doors` | from which boxes we fetch |
//! | `offer` | what a session with the relay compares and puts |
//! | `mailbox` | one box and its key |
//! | `table` | where all of it stands in the store |
//! | `choose` | what of a chart is put, and which boxes are fetched from |
//! | `ends` | word that a consent has ended, once the relay may carry a chart no more |
//! | `carrier` | the post as a session with the relay sees it |
//! | `beacons` | telling others how far our records at the relay go, and hearing it of theirs |
//! | `fetch` | what is fetched, opened and taken in |
//! | `receipts` | telling others what of theirs is here, and hearing it of what is ours |
//! | `parcels` | attachments: their boxes |
//! | `asking` | asking others for attachments |
//! | `giving` | giving those that others ask for |
//! | `keys` | the boxes of attachments by their names |
//! | `pieces` | what lies in the boxes of attachments |
//! | `rights` | whose attachments may lie at the relay, for whom |
//! | `passed_on` | whether relays do for a clinic that is not reached |
//! | `claims` | what another clinic holds by its own word |

mod asking;
mod beacons;
mod carrier;
mod choose;
mod claims;
mod doors;
mod ends;
mod fetch;
mod giving;
mod keys;
mod log;
mod mailbox;
mod offer;
mod parcels;
mod passed_on;
mod pieces;
mod receipts;
mod rights;
mod table;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use chartmesh_protocol::reconcile::{ItemId, PairKey};
use chartmesh_protocol::{ClinicId, NodeId};

pub(crate) use carrier::Carrier;
pub(super) use claims::Word;
pub(crate) use log::Post;
pub use passed_on::{PassedOn, Served};

use super::{Clinic, ClinicError, KnownPeer};

/// A relay: its node, and the clinic (the legal entity) that runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Relay {
    pub(crate) node: NodeId,
    pub(crate) clinic: ClinicId,
}

/// What relays hold of that which a clinic lacks.
pub(super) struct Carried {
    /// How much the relay holds at which most lies.
    pub(super) most: u64,
    /// Its name.
    pub(super) relay: String,
    /// What lies at any relay.
    pub(super) items: BTreeSet<ItemId>,
}

impl Clinic {
    /// What relays hold of that which a clinic lacks; none when they hold nothing of it. The clinic
    /// may have fetched it.
    pub(super) fn carried(
        self: &Arc<Self>,
        peers: &[KnownPeer],
        lacking: &[ItemId],
    ) -> Result<Option<Carried>, ClinicError> {
        let mut carried: Option<Carried> = None;
        for relay in peers.iter().filter(|peer| peer.is_relay()) {
            let held = Carrier::open(Arc::clone(self), relay.node)?.holds_of(lacking);
            let count = u64::try_from(held.len()).unwrap_or(u64::MAX);
            match &mut carried {
                _ if count == 0 => {}
                Some(known) => {
                    known.items.extend(held);
                    if count > known.most {
                        (known.most, known.relay) = (count, relay.name.clone());
                    }
                }
                None => {
                    carried = Some(Carried {
                        most: count,
                        relay: relay.name.clone(),
                        items: held,
                    });
                }
            }
        }
        Ok(carried)
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
