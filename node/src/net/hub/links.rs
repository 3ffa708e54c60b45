//! Connections that come and go below the sessions.

use libp2p::PeerId;
use libp2p::core::ConnectedPoint;
use libp2p::swarm::{ConnectionError, ConnectionId};

use super::{Hub, Peer};
use crate::net::driver::SessionHandle;
use crate::net::path::{Link, Way, is_opener};

impl Hub {
    /// A connection is there: the worse ones are closed, and the side that dialled opens the
    /// stream. A session on one that is closed is given up, for streams do not always notice; once
    /// it is closed, both sides go on where the better one is.
    pub(super) fn connected(
        &mut self,
        id: PeerId,
        connection: ConnectionId,
        endpoint: &ConnectedPoint,
    ) {
        let link = Link::new(connection, endpoint);
        let is_direct = link.is_direct();
        let closed = self.links.add(id, link);
        let is_refused = closed.contains(&connection);
        for one in &closed {
            self.swarm.close_connection(*one);
        }
        let is_moving = is_direct && !self.links.circuits(&id).is_empty();
        if let Some(peer) = self.peers.get_mut(&id) {
            // A dial of ours goes on beside a connection that came in.
            drop(peer.dial.take_if(|dial| dial.connection == connection));
            if is_moving {
                peer.is_outdone |= peer.opening;
                let session = peer.session.take_if(|_| peer.by_circuit);
                session.into_iter().for_each(SessionHandle::give_up);
            }
            let is_ready = peer.session.is_none() && !peer.opening;
            if !is_refused {
                self.show_path(id);
            }
            if is_opener(endpoint) && is_ready && !is_moving && !is_refused {
                self.open(id);
            }
        }
        if is_direct {
            self.reserve(id);
        }
    }

    /// A connection is gone.
    pub(super) fn disconnected(
        &mut self,
        id: PeerId,
        connection: ConnectionId,
        remaining: u32,
        cause: Option<&ConnectionError>,
    ) {
        let link = self.links.remove(&id, connection);
        // A session that runs ends by itself when its stream breaks, and a dial of ours tells what
        // became of it.
        let idle = |peer: &Peer| peer.session.is_none() && !peer.opening && peer.dial.is_none();
        let is_idle = self.peers.get(&id).is_some_and(idle);
        if remaining == 0 {
            if is_idle {
                self.lost(id, closed_because(cause));
            }
            return;
        }
        self.show_path(id);
        let was_circuit = link.is_some_and(|link| !link.is_direct());
        if is_idle && was_circuit && self.links.direct(&id).is_some() {
            // The session that was on it goes on.
            self.dial(id);
        }
    }

    /// Shows people which way a peer is reached.
    fn show_path(&self, id: PeerId) {
        let (Some(peer), Some(link)) = (self.peers.get(&id), self.links.newest(&id)) else {
            return;
        };
        let relay = match link.way {
            Way::Direct => None,
            Way::Circuit { relay, .. } => Some(relay.or_else(|| self.links.peer_at(&link.at))),
        };
        let through = relay.map(|relay| {
            let relay = relay.and_then(|id| self.peers.get(&id));
            relay.map_or_else(|| "a relay".to_owned(), |relay| relay.name.clone())
        });
        self.board.path(peer.node, &link.at, through);
    }
}

fn closed_because(cause: Option<&ConnectionError>) -> String {
    let Some(cause) = cause else {
        return "the connection was closed".to_owned();
    };
    let text = cause.to_string();
    // So QUIC says that the other side ended it as one does that is done (RFC 9000 §10.2).
    if text.ends_with("closed by peer: 0") {
        return "the other node ended the connection".to_owned();
    }
    text
}
