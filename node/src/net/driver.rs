//! Moves bytes between one stream and one session.
//!
//! A session has a thread of its own, because storing waits for the disk. Two tasks feed it: one
//! reads the stream, one writes it. The session's own window bounds what may wait to be written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chartmesh_protocol::NodeId;
use chartmesh_protocol::sync::{self, Event, Session, Traffic};
use futures::{AsyncReadExt, AsyncWriteExt};
use libp2p::{PeerId, Stream};
use tokio::sync::{mpsc, oneshot};

use super::conversation::{Act, Conversation, Ending};
use super::hub::FromTask;
use super::status::{LinkState, StatusBoard, SyncReport};
use crate::clinic::{Clinic, PeerStore};

/// How much is read at once; several frames, so that they are stored together.
const READ_BYTES: usize = 64 * 1024;
/// How many reads may wait while the session stores.
const READ_QUEUE: usize = 16;
/// How long the last bytes of a session may take to be written.
const LAST_WRITE: Duration = Duration::from_secs(5);

/// What a session may be told from outside.
pub(super) enum DriverCommand {
    /// Compare the stores now and report.
    SyncNow(Reply),
    /// End without a word: the peer is to go on with the next session.
    GiveUp,
    /// End, and say when nothing is held any more.
    Stop(oneshot::Sender<()>),
}

/// Where the report of a sync is waited for.
pub(super) type Reply = oneshot::Sender<SyncReport>;

/// How a session ended.
pub(super) struct SessionEnd {
    /// Whether the stores had been found equal before.
    pub(super) was_in_sync: bool,
    /// Whether the next session has to follow at once.
    pub(super) begins_anew: bool,
    /// Whether nothing was left to do on a link that is not kept.
    pub(super) visit_over: bool,
    /// Whether the peer was silent for too long: the connection below may be dead.
    pub(super) stalled: bool,
    /// Whether nobody ended it: the connection below is gone.
    pub(super) is_cut: bool,
    /// Why it ended, for people.
    pub(super) reason: String,
    /// Who waits for a report that did not come.
    pub(super) waiting: Vec<Reply>,
}

/// What a session starts with.
pub(super) struct Start {
    pub(super) node: NodeId,
    pub(super) peer: PeerId,
    pub(super) number: u64,
    pub(super) ours: bool,
    pub(super) heartbeat: Duration,
    /// Who waits for the first comparison.
    pub(super) waiting: Vec<Reply>,
    /// Let go of when the session has ended, to the last byte.
    pub(super) alive: mpsc::Sender<()>,
}

/// The hub's hold on a running session. Dropping it ends the session.
pub(super) struct SessionHandle {
    pub(super) number: u64,
    /// Whether we opened the stream.
    pub(super) ours: bool,
    identified: Arc<AtomicBool>,
    commands: mpsc::UnboundedSender<DriverCommand>,
}

impl SessionHandle {
    /// Whether the peer has said who it is.
    pub(super) fn identified(&self) -> bool {
        self.identified.load(Ordering::Relaxed)
    }

    /// Asks for a comparison now. A session that is ending gives the reply back.
    pub(super) fn sync_now(&self, reply: Reply) -> Result<(), Reply> {
        match self.commands.send(DriverCommand::SyncNow(reply)) {
            Err(mpsc::error::SendError(DriverCommand::SyncNow(reply))) => Err(reply),
            _ => Ok(()),
        }
    }

    /// Ends the session, for the next one to go on over a better connection.
    pub(super) fn give_up(self) {
        // An error means that it has ended already.
        let _ = self.commands.send(DriverCommand::GiveUp);
    }

    /// Ends the session and waits until it has let go of the store.
    pub(super) async fn stop(self) {
        let (done, ended) = oneshot::channel();
        // An error means that it has ended already.
        let _ = self.commands.send(DriverCommand::Stop(done));
        let _ = ended.await;
    }
}

/// Starts a session on an open stream.
pub(super) fn spawn(
    start: Start,
    stream: Stream,
    clinic: Arc<Clinic>,
    board: Arc<StatusBoard>,
    to_hub: mpsc::Sender<FromTask>,
) -> SessionHandle {
    let (commands, received) = mpsc::unbounded_channel();
    let identified = Arc::new(AtomicBool::new(false));
    let handle = SessionHandle {
        number: start.number,
        ours: start.ours,
        identified: Arc::clone(&identified),
        commands,
    };
    let (reader, writer) = stream.split();
    let (bytes_in, incoming) = mpsc::channel(READ_QUEUE);
    let (outgoing, bytes_out) = mpsc::unbounded_channel();
    let reading = tokio::spawn(read(reader, bytes_in));
    let writing = tokio::spawn(write(writer, bytes_out));
    let runtime = tokio::runtime::Handle::current();
    board.heard(start.node, crate::clock::now_ms(), &Traffic::default());
    board.set(start.node, LinkState::Syncing, None);
    tokio::task::spawn_blocking(move || {
        let (peer, number) = (start.peer, start.number);
        let _alive = start.alive.clone();
        let (end, stopper) = runtime.block_on(async {
            let driver = Driver::new(start, clinic, board, identified, outgoing);
            let (end, stopper) = match driver {
                Ok(driver) => driver.run(incoming, received).await,
                Err((reason, waiting)) => (
                    SessionEnd {
                        was_in_sync: false,
                        begins_anew: false,
                        visit_over: false,
                        stalled: false,
                        is_cut: false,
                        reason,
                        waiting,
                    },
                    None,
                ),
            };
            // The writer ends once everything queued is written; a dead link is not waited for.
            let _ = tokio::time::timeout(LAST_WRITE, writing).await;
            reading.abort();
            (end, stopper)
        });
        drop(stopper);
        let _ = to_hub.blocking_send(FromTask::Ended {
            peer,
            session: number,
            end,
        });
    });
    handle
}

/// Reads the stream until it ends; the last message says why, where it broke.
async fn read(mut stream: impl futures::AsyncRead + Unpin, to: mpsc::Sender<Vec<u8>>) {
    let mut buffer = vec![0_u8; READ_BYTES];
    while let Ok(count) = stream.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..count) else {
            break;
        };
        if bytes.is_empty() || to.send(bytes.to_vec()).await.is_err() {
            break;
        }
    }
}

async fn write(
    mut stream: impl futures::AsyncWrite + Unpin,
    mut from: mpsc::UnboundedReceiver<Vec<u8>>,
) {
    while let Some(bytes) = from.recv().await {
        let mut failed = stream.write_all(&bytes).await.is_err();
        while let Ok(more) = from.try_recv() {
            failed |= stream.write_all(&more).await.is_err();
        }
        if failed || stream.flush().await.is_err() {
            return;
        }
    }
    // The session is over: the peer need not learn that the closing failed.
    let _ = stream.close().await;
}

/// A conversation on a stream, and who is told of it.
struct Driver {
    conversation: Conversation<Box<dyn PeerStore>>,
    node: NodeId,
    board: Arc<StatusBoard>,
    identified: Arc<AtomicBool>,
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
    epoch: Instant,
    wake_at: Option<u64>,
    /// Who waits for the comparison that is under way.
    waiting: Vec<Reply>,
    /// Who asked after it had begun: what was saved before the asking may not be in it.
    next: Vec<Reply>,
    was_in_sync: bool,
    is_cut: bool,
    over: Option<String>,
}

impl Driver {
    fn new(
        start: Start,
        clinic: Arc<Clinic>,
        board: Arc<StatusBoard>,
        identified: Arc<AtomicBool>,
        outgoing: mpsc::UnboundedSender<Vec<u8>>,
    ) -> Result<Self, (String, Vec<Reply>)> {
        let store = match clinic.peer_store(start.node) {
            Ok(store) => store,
            Err(error) => return Err((error.to_string(), start.waiting)),
        };
        let role = if start.ours {
            sync::Role::Dialer
        } else {
            sync::Role::Listener
        };
        let session = Session::new(sync::Setup {
            role,
            peer: start.node,
            pair_key: store.pair_key(),
            certificate: store.own_certificate(),
            patience: sync::Patience {
                heartbeat_ms: millis(start.heartbeat),
                ..sync::Patience::default()
            },
        });
        Ok(Self {
            conversation: Conversation::new(session, store),
            node: start.node,
            board,
            identified,
            outgoing,
            epoch: Instant::now(),
            wake_at: None,
            waiting: start.waiting,
            next: Vec::new(),
            was_in_sync: false,
            is_cut: false,
            over: None,
        })
    }

    async fn run(
        mut self,
        mut incoming: mpsc::Receiver<Vec<u8>>,
        mut commands: mpsc::UnboundedReceiver<DriverCommand>,
    ) -> (SessionEnd, Option<oneshot::Sender<()>>) {
        let mut news = self.conversation.peer_store().subscribe();
        let mut stopper = None;
        self.handle(Event::Opened);
        while self.over.is_none() {
            let wake = async {
                match self.wake_at {
                    Some(at) => {
                        let wait = at.saturating_sub(self.now_ms());
                        tokio::time::sleep(Duration::from_millis(wait)).await;
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                bytes = incoming.recv() => match bytes {
                    Some(bytes) => {
                        self.handle(Event::Received(&bytes));
                        // What has come meanwhile is stored in the same commit.
                        while let Ok(more) = incoming.try_recv() {
                            self.handle(Event::Received(&more));
                        }
                        self.store();
                        let traffic = self.conversation.session().standpoint().traffic;
                        self.board.heard(self.node, crate::clock::now_ms(), &traffic);
                    }
                    None => {
                        self.is_cut = true;
                        self.over = Some("the connection was lost".to_owned());
                    }
                },
                command = commands.recv() => match command {
                    Some(DriverCommand::SyncNow(reply)) => {
                        self.next.push(reply);
                        self.compare_again();
                    }
                    Some(DriverCommand::GiveUp) => {
                        self.over = Some("there is a better way to the peer".to_owned());
                    }
                    Some(DriverCommand::Stop(done)) => {
                        stopper = Some(done);
                        self.handle(Event::Shutdown);
                        self.over.get_or_insert_with(|| "this node is stopping".to_owned());
                    }
                    None => {
                        self.handle(Event::Shutdown);
                        self.over.get_or_insert_with(|| "the session was replaced".to_owned());
                    }
                },
                changed = news.changed() => if changed.is_ok() {
                    self.handle(Event::NewItems);
                },
                () = wake => {
                    self.wake_at = None;
                    self.handle(Event::Tick);
                }
            }
        }
        // Nothing is taken from here on, so that no reply is lost on the way.
        commands.close();
        while let Some(command) = commands.recv().await {
            match command {
                DriverCommand::SyncNow(reply) => self.waiting.push(reply),
                DriverCommand::GiveUp => {}
                DriverCommand::Stop(done) => stopper = Some(done),
            }
        }
        (self.end(), stopper)
    }

    /// Begins the comparison that somebody waits for, once none is under way.
    fn compare_again(&mut self) {
        let is_free = self.conversation.session().standpoint().is_resting;
        if is_free && !self.next.is_empty() {
            self.waiting.append(&mut self.next);
            self.handle(Event::SyncRequested);
        }
    }

    fn end(mut self) -> SessionEnd {
        self.waiting.append(&mut self.next);
        SessionEnd {
            was_in_sync: self.was_in_sync,
            begins_anew: matches!(self.conversation.over(), Some(Ending::BeginsAnew)),
            visit_over: self.conversation.over().is_some_and(Ending::is_visit_over),
            stalled: self.conversation.over().is_some_and(Ending::is_stall),
            is_cut: self.is_cut,
            reason: self.over.unwrap_or_default(),
            waiting: self.waiting,
        }
    }

    fn now_ms(&self) -> u64 {
        millis(self.epoch.elapsed())
    }

    fn handle(&mut self, event: Event<'_>) {
        let acts = self.conversation.handle(self.now_ms(), event);
        self.carry_out(acts);
    }

    /// Stores what was delivered, in one commit.
    fn store(&mut self) {
        let acts = self.conversation.settle(self.now_ms());
        self.carry_out(acts);
        if let Some(Ending::Refused(refused)) = self.conversation.over() {
            tracing::warn!(peer = %self.node, error = %refused, "refused what a peer sent");
        }
    }

    fn carry_out(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Send(bytes) => {
                    // A writer that has gone is noticed by the reader.
                    let _ = self.outgoing.send(bytes);
                }
                Act::Identified => self.identified.store(true, Ordering::Relaxed),
                Act::InSync(report) => {
                    self.was_in_sync = true;
                    self.board.confirmed(self.node, crate::clock::now_ms());
                    let store = self.conversation.peer_store();
                    let (clinic, owed) = (store.clinic_of_peer(), store.owed_out());
                    for reply in self.waiting.drain(..) {
                        let report = SyncReport::in_sync(self.node, clinic, &report, owed);
                        let _ = reply.send(report);
                    }
                }
                Act::WakeAt(at_ms) => self.wake_at = Some(at_ms),
            }
        }
        if let Some(ending) = self.conversation.over() {
            self.over = Some(ending.to_string());
        }
        self.compare_again();
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
