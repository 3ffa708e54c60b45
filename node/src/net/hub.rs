//! The one task that owns the swarm.
//!
//! Either side may dial. The side that dialled opens the sync stream; when both dialled at once,
//! the node with the smaller id keeps its own stream and the other gives way, so that exactly
//! one session a pair remains.

mod circuits;
mod dial;
mod ended;
mod known;
mod links;
mod swarm_event;
mod visits;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chartmesh_protocol::{ClinicId, NodeId};
use futures::StreamExt;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol, Swarm, identity};
use libp2p_stream::{Control, IncomingStreams};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::driver::{self, Reply, SessionEnd, SessionHandle};
use super::known::Known;
use super::path::Links;
use super::status::{StatusBoard, SyncReport};
use super::transport::{self, Behaviour};
use super::{NetworkError, NetworkOptions, backoff::Backoff, node_id, port};
use crate::clinic::Clinic;
use circuits::Reservation;
use dial::Dial;

/// The protocol of the sync stream.
const SYNC_PROTOCOL: StreamProtocol = StreamProtocol::new("/chartmesh/sync/1");
/// How long the system may take to bind an address.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the other side may take to answer the opening of a stream.
const OPEN_TIMEOUT: Duration = Duration::from_secs(60);
/// How many session events may wait; each session sends few.
const SESSION_QUEUE: usize = 256;
/// How many addresses are kept of one peer, so that discovery cannot fill memory.
const MAX_ADDRESSES: usize = 16;

/// What the rest of the node asks of the hub.
pub(super) enum Command {
    /// Sync with one clinic or all; answers with one receiver a peer.
    SyncNow {
        clinic: Option<ClinicId>,
        reply: oneshot::Sender<Vec<oneshot::Receiver<SyncReport>>>,
    },
    /// The known clinics have changed.
    PeersChanged,
    /// End.
    Stop,
}

/// What comes back from tasks that the hub started.
pub(super) enum FromTask {
    /// A stream that we asked for is open, or could not be opened.
    Opened {
        peer: PeerId,
        stream: Result<Stream, String>,
    },
    /// Something waits for a peer whose link is not kept.
    Owed { peer: PeerId },
    /// A session has ended.
    Ended {
        peer: PeerId,
        session: u64,
        end: SessionEnd,
    },
}

/// One peer that we know or that has opened a stream to us.
struct Peer {
    node: NodeId,
    clinic: Option<ClinicId>,
    /// Its name, from its card.
    name: String,
    /// Whether it is a relay.
    is_relay: bool,
    addresses: Vec<Multiaddr>,
    backoff: Backoff,
    next_dial: Option<Instant>,
    /// The dial of ours that is under way.
    dial: Option<Dial>,
    opening: bool,
    /// The link is not kept, and both stores were equal.
    resting: bool,
    /// Connections lost since the last one that the peer was heard on.
    lost: u32,
    session: Option<SessionHandle>,
    /// The session began on a connection through a relay.
    by_circuit: bool,
    /// The stream that is being opened may be on a connection that is closed for a better one.
    is_outdone: bool,
    /// The delays between attempts to find a direct way while the link goes through a relay.
    seeking: Backoff,
    /// When the next of them is due.
    next_seek: Option<Instant>,
    waiting: Vec<Reply>,
}

/// The task's state.
pub(super) struct Hub {
    swarm: Swarm<Behaviour>,
    control: Control,
    incoming: IncomingStreams,
    clinic: Arc<Clinic>,
    options: NetworkOptions,
    board: Arc<StatusBoard>,
    commands: mpsc::Receiver<Command>,
    tasks: mpsc::Receiver<FromTask>,
    /// Held by everything that works on the store for the network; its end tells that all of it
    /// has ended.
    alive: mpsc::Sender<()>,
    all_ended: mpsc::Receiver<()>,
    to_hub: mpsc::Sender<FromTask>,
    peers: BTreeMap<PeerId, Peer>,
    /// The nodes of known clinics, for those that pass circuits on.
    known: Known,
    /// All connections.
    links: Links,
    /// What was agreed with relays, or is to be.
    reservations: BTreeMap<PeerId, Reservation>,
    own: NodeId,
    next_session: u64,
    /// Signals what is written or comes.
    news: watch::Receiver<u64>,
    /// When to look for what waits for peers at rest.
    look_at: Option<Instant>,
    /// The number of the list of peers that was taken over last.
    peer_list: u64,
}

/// An error with what caused it, where it says nothing by itself.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause
        && words.trim().is_empty()
    {
        words = error.to_string();
        cause = error.source();
    }
    if words.trim().is_empty() {
        words = "another program may use this port".to_owned();
    }
    words
}

impl Hub {
    pub(super) fn new(
        clinic: Arc<Clinic>,
        options: NetworkOptions,
        board: Arc<StatusBoard>,
        commands: mpsc::Receiver<Command>,
    ) -> Result<Self, NetworkError> {
        let mut secret = clinic.node_secret();
        let keypair = identity::Keypair::ed25519_from_bytes(secret.as_mut_slice())
            .map_err(|_| NetworkError::Identity)?;
        let known = Known::default();
        let swarm = transport::swarm(keypair, &options, clinic.is_relay(), &known)?;
        let mut control = swarm.behaviour().stream.new_control();
        let incoming = control
            .accept(SYNC_PROTOCOL)
            .map_err(|_| NetworkError::Transport {
                reason: "the sync protocol is registered already".to_owned(),
            })?;
        let (to_hub, tasks) = mpsc::channel(SESSION_QUEUE);
        let (alive, all_ended) = mpsc::channel(1);
        let own = clinic.node_id();
        let news = clinic.subscribe();
        let mut hub = Self {
            swarm,
            control,
            incoming,
            clinic,
            options,
            board,
            commands,
            tasks,
            alive,
            all_ended,
            to_hub,
            peers: BTreeMap::new(),
            known,
            links: Links::default(),
            reservations: BTreeMap::new(),
            own,
            next_session: 0,
            news,
            look_at: None,
            peer_list: 0,
        };
        hub.read_peers();
        Ok(hub)
    }

    /// Binds every configured address and waits until each is bound.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "libp2p tells of much that the node need not act on"
    )]
    pub(super) async fn listen(&mut self) -> Result<Vec<Multiaddr>, NetworkError> {
        let mut bound = Vec::new();
        for text in self.options.listen.clone() {
            let failed = |reason: String| NetworkError::Listen {
                address: text.clone(),
                reason,
            };
            let address: Multiaddr = text
                .parse()
                .map_err(|error| failed(format!("not a multiaddr: {error}")))?;
            port::check_free(&address).map_err(|error| failed(error.to_string()))?;
            let wanted = self
                .swarm
                .listen_on(address)
                .map_err(|error| failed(in_words(&error)))?;
            let deadline = tokio::time::sleep(LISTEN_TIMEOUT);
            tokio::pin!(deadline);
            loop {
                let event = tokio::select! {
                    event = self.swarm.select_next_some() => event,
                    () = &mut deadline => return Err(failed("no answer in time".to_owned())),
                };
                match event {
                    SwarmEvent::NewListenAddr {
                        listener_id,
                        address,
                    } if listener_id == wanted => {
                        self.listens_at(address.clone());
                        bound.push(address);
                        break;
                    }
                    SwarmEvent::ListenerClosed {
                        listener_id,
                        reason,
                        ..
                    } if listener_id == wanted => {
                        let reason = reason
                            .err()
                            .map_or_else(|| "closed".into(), |error| in_words(&error));
                        return Err(failed(reason));
                    }
                    other => self.swarm_event(other),
                }
            }
        }
        self.announce(&bound);
        Ok(bound)
    }

    /// Runs until told to stop or until nobody can command it any more.
    pub(super) async fn run(mut self) {
        loop {
            let next = self.next_due();
            let timer = async {
                match next {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = self.swarm.select_next_some() => self.swarm_event(event),
                Some((peer, stream)) = self.incoming.next() => self.accept(peer, stream),
                Some(message) = self.tasks.recv() => self.task_reported(message),
                command = self.commands.recv() => match command {
                    Some(Command::SyncNow { clinic, reply }) => {
                        let _ = reply.send(self.sync_now(clinic));
                    }
                    Some(Command::PeersChanged) => self.read_peers(),
                    Some(Command::Stop) | None => break,
                },
                changed = self.news.changed() => if changed.is_ok() {
                    self.news_came();
                },
                () = timer => {
                    self.dial_due();
                    self.reserve_due();
                    self.look_for_owed();
                }
            }
        }
        self.stop().await;
    }

    /// Tells every session to end, and waits until each has let go of the clinic.
    async fn stop(mut self) {
        let sessions: Vec<_> = self
            .peers
            .values_mut()
            .filter_map(|peer| peer.session.take())
            .collect();
        for session in sessions {
            session.stop().await;
        }
        // Those whose place another one took may still be ending.
        self.tasks.close();
        drop(self.alive);
        while self.all_ended.recv().await.is_some() {}
    }

    /// Opens the sync stream to a connected peer.
    fn open(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.opening = true;
        let mut control = self.control.clone();
        let to_hub = self.to_hub.clone();
        tokio::spawn(async move {
            let opening = control.open_stream(id, SYNC_PROTOCOL);
            let stream = match tokio::time::timeout(OPEN_TIMEOUT, opening).await {
                Ok(Ok(stream)) => Ok(stream),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("the other node did not answer in time".to_owned()),
            };
            // A hub that has ended needs no stream.
            let _ = to_hub.send(FromTask::Opened { peer: id, stream }).await;
        });
    }

    /// A stream that a peer opened.
    fn accept(&mut self, id: PeerId, stream: Stream) {
        let Some(node) = node_id(&id) else { return };
        let own = self.own;
        let peer = self.peer(id, node);
        let race = peer.opening
            || peer
                .session
                .as_ref()
                .is_some_and(|session| session.ours && !session.identified());
        if race && own < node {
            tracing::debug!(peer = %node, "both sides opened a stream: keeping ours");
            return;
        }
        let former = peer.session.take();
        if former.is_some_and(|session| session.identified()) {
            // A node opens no second stream: this one was started again, or moves to a better way.
            // What it left looks alive for a while, and a stream of ours there would take a minute
            // to fail and be kept meanwhile in place of the peer's.
            for one in self.links.older(&id) {
                self.swarm.close_connection(one);
            }
        }
        self.start_session(id, stream, false);
    }

    fn start_session(&mut self, id: PeerId, stream: Stream, ours: bool) {
        self.next_session += 1;
        let number = self.next_session;
        let heartbeat = self.options.heartbeat;
        let newest = self.links.newest(&id);
        let by_circuit = newest.is_some_and(|link| !link.is_direct());
        let (clinic, board) = (Arc::clone(&self.clinic), Arc::clone(&self.board));
        let to_hub = self.to_hub.clone();
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.opening = false;
        peer.resting = false;
        peer.is_outdone = false;
        peer.by_circuit = by_circuit;
        peer.next_dial = None;
        let start = driver::Start {
            node: peer.node,
            number,
            ours,
            heartbeat,
            peer: id,
            waiting: std::mem::take(&mut peer.waiting),
            alive: self.alive.clone(),
        };
        peer.session = Some(driver::spawn(start, stream, clinic, board, to_hub));
        self.plan_seeking(id);
    }

    fn task_reported(&mut self, message: FromTask) {
        match message {
            FromTask::Opened { peer: id, stream } => {
                let Some(peer) = self.peers.get_mut(&id) else {
                    return;
                };
                peer.opening = false;
                let is_outdone = std::mem::take(&mut peer.is_outdone);
                match stream {
                    _ if is_outdone && peer.session.is_none() => self.dial(id),
                    Ok(_) if peer.session.is_some() => {
                        tracing::debug!(peer = %peer.node, "the peer's stream came first");
                    }
                    Ok(stream) => self.start_session(id, stream, true),
                    Err(reason) => {
                        // One that brings no stream in time may be dead.
                        let _ = self.swarm.disconnect_peer_id(id);
                        self.lost(id, reason);
                    }
                }
            }
            FromTask::Owed { peer: id } => self.owed(id),
            FromTask::Ended {
                peer: id,
                session,
                end,
            } => self.ended(id, session, end),
        }
    }

    fn sync_now(&mut self, clinic: Option<ClinicId>) -> Vec<oneshot::Receiver<SyncReport>> {
        let wanted: Vec<PeerId> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.clinic.is_some_and(|id| clinic.is_none_or(|c| c == id)))
            .map(|(id, _)| *id)
            .collect();
        let mut answers = Vec::with_capacity(wanted.len());
        for id in wanted {
            let (reply, answer) = oneshot::channel();
            answers.push(answer);
            self.compare(id, reply);
        }
        answers
    }

    /// Compares the stores with a peer now: over the session that runs, or the next one.
    fn compare(&mut self, id: PeerId, reply: Reply) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let refused = match &peer.session {
            Some(session) => session.sync_now(reply).err(),
            None => Some(reply),
        };
        if let Some(reply) = refused {
            peer.waiting.push(reply);
            self.dial(id);
        }
    }
}
