//! Links that are not kept, for they are paid for by the byte: the stores are compared, the link is
//! given up, and taken up again when something waits or after a while.

use std::sync::Arc;
use std::time::Duration;

use libp2p::PeerId;
use tokio::time::Instant;

use super::{FromTask, Hub};
use crate::clinic::PeerStore;
use crate::net::driver::Reply;
use crate::net::status::LinkState;

/// After how long a peer is visited again where nothing waits for it: what others have written may
/// wait there, and they cannot call a node behind an address translator.
const VISIT_INTERVAL: Duration = Duration::from_secs(30 * 60);
/// How long what is written is left to gather before somebody is called for it.
const NEWS_DELAY: Duration = Duration::from_secs(1);

impl Hub {
    /// A visit is over: the next one follows at once for whoever asked meanwhile.
    pub(super) fn visit_over(&mut self, id: PeerId, waiting: Vec<Reply>) {
        // One that may become a direct one is kept by libp2p for as long as it can.
        for circuit in self.links.circuits(&id) {
            self.swarm.close_connection(circuit);
        }
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.backoff.reset();
        peer.lost = 0;
        peer.resting = true;
        peer.waiting.extend(waiting);
        if !peer.addresses.is_empty() {
            let is_wanted = !peer.waiting.is_empty();
            let wait = if is_wanted {
                Duration::ZERO
            } else {
                VISIT_INTERVAL
            };
            peer.next_dial = Some(Instant::now() + wait);
        }
        self.board.set(peer.node, LinkState::Disconnected, None);
        // Something may have been written when the visit was as good as over.
        self.news_came();
    }

    /// Something was written or came.
    pub(super) fn news_came(&mut self) {
        if self.clinic.peer_list() != self.peer_list {
            self.read_peers();
        }
        if self.peers.values().any(|peer| peer.resting) {
            let soon = || Instant::now() + NEWS_DELAY;
            self.look_at = Some(self.look_at.unwrap_or_else(soon));
        }
    }

    /// Looks which of the peers at rest something waits for.
    pub(super) fn look_for_owed(&mut self) {
        if self.look_at.is_none_or(|at| at > Instant::now()) {
            return;
        }
        self.look_at = None;
        let resting = self.peers.iter().filter(|(_, peer)| peer.resting);
        let resting: Vec<_> = resting.map(|(id, peer)| (*id, peer.node)).collect();
        let (clinic, to_hub) = (Arc::clone(&self.clinic), self.to_hub.clone());
        let alive = self.alive.clone();
        tokio::task::spawn_blocking(move || {
            let _alive = alive;
            for (id, node) in resting {
                let store = clinic.peer_store(node);
                if store.is_ok_and(|store| store.owed_out() > 0) {
                    // A hub that has ended calls nobody.
                    let _ = to_hub.blocking_send(FromTask::Owed { peer: id });
                }
            }
        });
    }

    /// Something waits for a peer at rest.
    pub(super) fn owed(&mut self, id: PeerId) {
        if self.peers.get(&id).is_some_and(|peer| peer.resting) {
            self.dial(id);
        }
    }
}
