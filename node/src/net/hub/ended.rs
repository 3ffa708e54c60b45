//! What ends a link, and when it is tried again.

use libp2p::PeerId;
use tokio::time::Instant;

use super::Hub;
use crate::net::driver::{Reply, SessionEnd};
use crate::net::node_id;
use crate::net::status::{LinkState, SyncReport};

/// How often a connection may be lost unheard while somebody waits for a sync: when both sides
/// dial, the connections that are not needed are given up.
const MAX_LOST: u32 = 3;

impl Hub {
    /// A session has ended: dial again, soon after a working one and later after a failed one.
    pub(super) fn ended(&mut self, id: PeerId, session: u64, end: SessionEnd) {
        let Some(peer) = self.peers.get_mut(&id) else {
            // A clinic that was removed meanwhile.
            if let Some(node) = node_id(&id) {
                let report = SyncReport::unreachable(node, None, end.reason);
                answer(end.waiting, &report);
            }
            return;
        };
        let Some(current) = peer.session.take_if(|current| current.number == session) else {
            // Another stream took its place: who waited, waits for that one.
            for reply in end.waiting {
                self.compare(id, reply);
            }
            return;
        };
        tracing::info!(peer = %peer.node, reason = %end.reason, "a sync session ended");
        if end.stalled {
            // A connection to a node that was killed looks alive for as long as it may be idle.
            let _ = self.swarm.disconnect_peer_id(id);
        }
        if peer.clinic.is_none() {
            self.board.forget(peer.node);
            self.peers.remove(&id);
            return;
        }
        if end.visit_over {
            self.visit_over(id, end.waiting);
            return;
        }
        if end.was_in_sync {
            peer.backoff.reset();
        }
        // That a relay let go of the link is no news of the peer.
        let by_circuit = peer.by_circuit && end.is_cut;
        if current.identified() && !end.begins_anew && !by_circuit {
            // One that has fallen silent is not reached any more.
            let connected = end.was_in_sync && !end.stalled;
            let report = SyncReport::unreachable(peer.node, peer.clinic, end.reason.clone());
            answer(
                end.waiting,
                &SyncReport {
                    connected,
                    ..report
                },
            );
            self.failed(id, end.reason);
        } else {
            peer.waiting.extend(end.waiting);
            self.lost(id, end.reason);
        }
    }

    /// A connection or a stream went before the peer was heard on it. Where both sides dialled,
    /// that is no news of the peer: who waits for a sync waits for the next attempt.
    pub(super) fn lost(&mut self, id: PeerId, reason: String) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.opening = false;
        let is_urgent = !peer.waiting.is_empty() || std::mem::take(&mut peer.by_circuit);
        if !is_urgent || peer.lost >= MAX_LOST {
            self.failed(id, reason);
            return;
        }
        peer.lost += 1;
        tracing::debug!(peer = %peer.node, reason, "a connection was lost: trying again");
        peer.next_dial = Some(Instant::now());
    }

    /// Notes why a peer is not reached, answers who waits for it, and plans the next attempt. While
    /// a session or a dial of ours is under way, its outcome is what counts.
    pub(super) fn failed(&mut self, id: PeerId, reason: String) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.opening = false;
        if peer.session.is_some() || peer.dial.is_some() {
            return;
        }
        peer.lost = 0;
        if peer.clinic.is_some() && !peer.addresses.is_empty() {
            peer.next_dial = Some(Instant::now() + peer.backoff.next(&mut rand::rng()));
        }
        self.board
            .set(peer.node, LinkState::Disconnected, Some(reason.clone()));
        let waiting = std::mem::take(&mut peer.waiting);
        let report = SyncReport::unreachable(peer.node, peer.clinic, reason);
        answer(waiting, &report);
    }
}

/// Gives a report to everyone who waits for it.
fn answer(waiting: Vec<Reply>, report: &SyncReport) {
    for reply in waiting {
        // Whoever asked may have gone.
        let _ = reply.send(report.clone());
    }
}
