//! Calls to peers: directly, and where nobody answers, through the relays that both may know.

use libp2p::PeerId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError};
use tokio::time::Instant;

use super::Hub;
use crate::net::spoken;
use crate::net::status::LinkState;

/// A dial of ours that is under way. libp2p dials too, to get through address translators, and what
/// becomes of that says nothing of ours.
pub(super) struct Dial {
    pub(super) connection: ConnectionId,
    pub(super) stage: Stage,
    /// It goes to addresses that are no longer those of the peer's card.
    pub(super) outdated: bool,
}

/// How far a call has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// To the peer's own addresses.
    Direct,
    /// The same while a link through a relay works.
    Seeking,
    /// Through relays.
    Circuits {
        /// Why there was no direct way.
        direct: String,
    },
}

impl Hub {
    /// When something is to be done next.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let peers = self.peers.values();
        let dials = peers.flat_map(|peer| [peer.next_dial, peer.next_seek]);
        let reservations = self.reservations.values().map(|one| one.next);
        let all = dials.chain(reservations).chain([self.look_at]);
        all.flatten().min()
    }

    /// Makes the calls that are due.
    pub(super) fn dial_due(&mut self) {
        let now = Instant::now();
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let peers = self.peers.iter();
        let dials = peers.filter(|(_, peer)| due(peer.next_dial) || due(peer.next_seek));
        let ids: Vec<_> = dials.map(|(id, peer)| (*id, due(peer.next_dial))).collect();
        for (id, is_dial) in ids {
            if is_dial {
                self.dial(id);
            } else {
                self.seek(id);
            }
        }
    }

    /// Dials a peer by all its addresses, or opens the stream when it is connected already.
    pub(super) fn dial(&mut self, id: PeerId) {
        let connected = self.swarm.is_connected(&id);
        let is_changing = self.links.direct(&id).is_some() && !self.links.circuits(&id).is_empty();
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.next_dial = None;
        if peer.session.is_some() || peer.dial.is_some() || peer.opening {
            return;
        }
        if connected {
            // A stream may begin on any connection: the worse one is closed first.
            if !is_changing {
                self.open(id);
            }
            return;
        }
        if peer.addresses.is_empty() {
            let reason = "no address of this clinic is known".to_owned();
            match self.circuits_to(&id).is_empty() {
                true => self.failed(id, reason),
                false => self.call(id, Stage::Circuits { direct: reason }),
            }
            return;
        }
        self.board.set(peer.node, LinkState::Connecting, None);
        self.call(id, Stage::Direct);
    }

    /// Looks for a direct way to a peer that is reached through a relay.
    fn seek(&mut self, id: PeerId) {
        let is_wanted = self.links.direct(&id).is_none() && self.swarm.is_connected(&id);
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.next_seek = None;
        if is_wanted && peer.dial.is_none() && !peer.addresses.is_empty() {
            self.call(id, Stage::Seeking);
        }
    }

    fn call(&mut self, id: PeerId, stage: Stage) {
        let circuits = self.circuits_to(&id);
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let (condition, addresses) = match stage {
            Stage::Direct => {
                let condition = PeerCondition::DisconnectedAndNotDialing;
                (condition, peer.addresses.clone())
            }
            Stage::Seeking => (PeerCondition::NotDialing, peer.addresses.clone()),
            Stage::Circuits { .. } => (PeerCondition::DisconnectedAndNotDialing, circuits),
        };
        let options = DialOpts::peer_id(id)
            .condition(condition)
            .addresses(addresses)
            .build();
        peer.dial = Some(Dial {
            connection: options.connection_id(),
            stage,
            outdated: false,
        });
        if let Err(error) = self.swarm.dial(options)
            && let Some(dial) = self.peers.get_mut(&id).and_then(|peer| peer.dial.take())
        {
            self.unanswered(id, dial, error.to_string());
        }
    }

    /// A dial has failed: ours, or one of libp2p's own.
    pub(super) fn dial_failed(&mut self, id: PeerId, connection: ConnectionId, error: &DialError) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let ours = peer.dial.take_if(|dial| dial.connection == connection);
        if let Some(dial) = ours {
            self.unanswered(id, dial, failed_because(error));
        }
    }

    /// Nobody answered a call of ours: goes on to the next way there may be.
    fn unanswered(&mut self, id: PeerId, dial: Dial, reason: String) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if dial.outdated {
            let now = Some(Instant::now());
            match peer.session.is_some() {
                true => peer.next_seek = now,
                false => peer.next_dial = now,
            }
            return;
        }
        let standing = Standing {
            has_session: peer.session.is_some(),
            is_connected: self.swarm.is_connected(&id),
            has_circuits: !self.circuits_to(&id).is_empty(),
        };
        match dial.stage.next(standing) {
            Next::SeekLater => self.plan_seeking(id),
            Next::Connected => self.lost(id, reason),
            Next::Circuits => self.call(id, Stage::Circuits { direct: reason }),
            Next::Failed => {
                let reason = match dial.stage {
                    Stage::Direct | Stage::Seeking => reason,
                    Stage::Circuits { direct } => {
                        format!("{direct}; nor through {}", self.relays_to(&id))
                    }
                };
                self.failed(id, reason);
            }
        }
    }
}

/// What else there is when nobody answers a call.
#[derive(Debug, Clone, Copy)]
struct Standing {
    has_session: bool,
    is_connected: bool,
    has_circuits: bool,
}

/// What follows on a call that nobody answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The link works as it is.
    SeekLater,
    /// A connection came in meanwhile: the stream goes over that one.
    Connected,
    /// The call goes through relays.
    Circuits,
    /// The peer is not reached.
    Failed,
}

impl Stage {
    fn next(&self, standing: Standing) -> Next {
        match self {
            Self::Seeking if standing.has_session => Next::SeekLater,
            _ if standing.is_connected => Next::Connected,
            Self::Direct | Self::Seeking if standing.has_circuits => Next::Circuits,
            Self::Direct | Self::Seeking | Self::Circuits { .. } => Next::Failed,
        }
    }
}

/// One line a person can act on: libp2p's own text runs over several.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other reasons have a text of one line"
)]
fn failed_because(error: &DialError) -> String {
    match error {
        DialError::WrongPeerId { .. } => {
            "another node answers at this address: ask the clinic for its new card".to_owned()
        }
        DialError::Transport(attempts) => {
            let tried = attempts.iter().map(|(address, _)| address);
            format!("no answer at {}", spoken::places(tried))
        }
        DialError::NoAddresses => "no address of this clinic is known".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const APART: Standing = Standing {
        has_session: false,
        is_connected: false,
        has_circuits: false,
    };

    fn through_relays() -> Stage {
        let direct = "no answer".to_owned();
        Stage::Circuits { direct }
    }

    #[test]
    fn a_call_goes_directly_then_through_relays_and_only_then_has_it_failed() {
        let relay_is_there = Standing {
            has_circuits: true,
            ..APART
        };
        assert_eq!(Stage::Direct.next(relay_is_there), Next::Circuits);
        assert_eq!(through_relays().next(relay_is_there), Next::Failed);
        assert_eq!(Stage::Direct.next(APART), Next::Failed);
    }

    #[test]
    fn a_connection_that_came_in_meanwhile_is_used() {
        for stage in [Stage::Direct, Stage::Seeking, through_relays()] {
            let connected = Standing {
                is_connected: true,
                has_circuits: true,
                ..APART
            };
            assert_eq!(stage.next(connected), Next::Connected);
        }
    }

    #[test]
    fn a_direct_way_that_is_not_found_leaves_the_link_alone() {
        let linked = Standing {
            has_session: true,
            is_connected: true,
            has_circuits: true,
        };
        assert_eq!(Stage::Seeking.next(linked), Next::SeekLater);
        // The link has gone meanwhile.
        let relay_is_there = Standing {
            has_circuits: true,
            ..APART
        };
        assert_eq!(Stage::Seeking.next(relay_is_there), Next::Circuits);
    }
}
