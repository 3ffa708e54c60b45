//! A stream of the sync protocol to a daemon, over real libp2p, with any node key.

use std::time::Duration;

use chartmesh_protocol::identity::NodeKey;
use chartmesh_protocol::sync::{CloseCode, CloseReason, Effect, Event, Holdings, Session};
use chartmesh_tests::Clinic;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::{Multiaddr, PeerId, Stream, StreamProtocol, SwarmBuilder};
use libp2p::{identity, noise, tcp, yamux};
use tokio::runtime::Runtime;

pub(super) const PROTOCOL: StreamProtocol = StreamProtocol::new("/chartmesh/sync/1");
/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a stream is opened: the daemon may be dialling at the same time, and gives ours up.
const ATTEMPTS: usize = 20;
/// A frame that ends a session.
const CLOSE: u8 = 14;

/// An open stream.
pub(super) struct Line {
    runtime: Runtime,
    stream: Stream,
    /// What came on opening and is not read yet.
    first: Vec<u8>,
    /// Everything that came.
    pub(super) received: Vec<u8>,
}

impl Line {
    /// Connects to a running clinic's daemon as this node, and waits for its HELLO.
    pub(super) fn open(clinic: &Clinic, key: &NodeKey) -> Self {
        for _ in 0..ATTEMPTS {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            let mut stream = runtime.block_on(connect(clinic, key));
            let first = runtime.block_on(read(&mut stream));
            if !first.is_empty() {
                return Self {
                    runtime,
                    stream,
                    received: first.clone(),
                    first,
                };
            }
        }
        panic!("{} never said HELLO", clinic.name());
    }

    /// Sends bytes. A daemon that has hung up need not take them.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.runtime.block_on(async {
            if self.stream.write_all(bytes).await.is_ok() {
                let _ = self.stream.flush().await;
            }
        });
    }

    /// What comes next; nothing at the end of the stream.
    pub(super) fn read(&mut self) -> Vec<u8> {
        if !self.first.is_empty() {
            return std::mem::take(&mut self.first);
        }
        let bytes = self.runtime.block_on(read(&mut self.stream));
        self.received.extend_from_slice(&bytes);
        bytes
    }

    /// Reads to the end of the stream, and returns the code that the daemon closed with.
    pub(super) fn read_close(&mut self) -> CloseCode {
        while !self.read().is_empty() {}
        let last = self.frames().pop().unwrap();
        assert_eq!(last.0, CLOSE, "the stream ended without CLOSE");
        // A list of one small number (RFC 8949 §3).
        let [0x81, code] = last.1[..] else {
            panic!("{last:?}");
        };
        CloseCode::from_byte(code)
    }

    /// The frames that came: type and payload.
    pub(super) fn frames(&self) -> Vec<(u8, Vec<u8>)> {
        let (mut frames, mut rest) = (Vec::new(), self.received.as_slice());
        while let [high, low, kind, more @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let (payload, behind) = more.split_at(length);
            frames.push((*kind, payload.to_vec()));
            rest = behind;
        }
        frames
    }
}

/// A node's key as libp2p has it.
pub(super) fn keypair(key: &NodeKey) -> identity::Keypair {
    let mut secret = key.to_bytes();
    identity::Keypair::ed25519_from_bytes(secret.as_mut_slice()).unwrap()
}

async fn connect(clinic: &Clinic, key: &NodeKey) -> Stream {
    let mut swarm = SwarmBuilder::with_existing_identity(keypair(key))
        .with_tokio()
        .with_tcp(
            tcp::Config::default().nodelay(true),
            noise::Config::new,
            yamux::Config::default,
        )
        .unwrap()
        .with_behaviour(|_| libp2p_stream::Behaviour::new())
        .unwrap()
        .build();
    let (peer, address) = target(clinic);
    let dial = DialOpts::peer_id(peer).addresses(vec![address]).build();
    swarm.dial(dial).unwrap();
    let mut control = swarm.behaviour().new_control();
    // Ends with the runtime.
    tokio::spawn(async move { while swarm.next().await.is_some() {} });
    let opening = control.open_stream(peer, PROTOCOL);
    let opened = tokio::time::timeout(PATIENCE, opening).await;
    opened.expect("a stream in time").unwrap()
}

/// The daemon's name and its TCP address.
fn target(clinic: &Clinic) -> (PeerId, Multiaddr) {
    let run = clinic.run_file().expect("a running daemon");
    let node = run["node_id"].as_str().unwrap().parse().unwrap();
    let addresses = run["listen"].as_array().unwrap().iter();
    let mut addresses = addresses.map(|address| address.as_str().unwrap());
    let tcp = addresses.find(|address| address.contains("/tcp/")).unwrap();
    (
        chartmesh::net::peer_id(&node).unwrap(),
        tcp.parse().unwrap(),
    )
}

async fn read(stream: &mut Stream) -> Vec<u8> {
    let mut buffer = vec![0; 64 * 1024];
    let reading = tokio::time::timeout(PATIENCE, stream.read(&mut buffer));
    // A stream that is reset has ended, too.
    let count = reading.await.expect("bytes in time").unwrap_or(0);
    buffer.truncate(count);
    buffer
}

/// A frame of the sync protocol: `length u16 | type | payload`.
pub(super) fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&length, &[kind][..], payload].concat()
}

/// Runs an honest session over a line, but for what `change` makes of the bytes on their way out
/// and for what is sent once both sides are in sync. Returns the code that one side closed with.
pub(super) fn converse(
    line: &mut Line,
    session: &mut Session,
    holdings: &dyn Holdings,
    mut change: impl FnMut(Vec<u8>) -> Vec<u8>,
    in_sync: &[u8],
) -> CloseCode {
    let mut effects = session.handle(0, Event::Opened, holdings);
    loop {
        let mut delivered = 0;
        for effect in effects {
            match effect {
                Effect::Send(bytes) => line.send(&change(bytes)),
                Effect::Deliver { .. } => delivered += 1,
                Effect::InSync(_) => line.send(in_sync),
                Effect::Close(CloseReason::ByPeer(code)) => return code,
                Effect::Close(CloseReason::Failed(error)) => return error.code(),
                Effect::Close(CloseReason::Finished | CloseReason::VisitOver) => {
                    panic!("nobody asked us to end")
                }
                Effect::PeerIdentified(_)
                | Effect::Certificate(_)
                | Effect::Revocation(_)
                | Effect::CursorAdvanced(_)
                | Effect::PeerAcknowledged(_)
                | Effect::PeerHolds(_)
                | Effect::StoreIsBehind { .. }
                | Effect::Piece { .. }
                | Effect::PiecesLacking { .. }
                | Effect::AttachmentsTold { .. }
                | Effect::WakeAt { .. } => {}
            }
        }
        effects = if delivered > 0 {
            session.handle(0, Event::Stored { items: delivered }, holdings)
        } else {
            let bytes = line.read();
            assert!(!bytes.is_empty(), "the stream ended without CLOSE");
            session.handle(0, Event::Received(&bytes), holdings)
        };
    }
}
