//! Nodes that want a link through a relay and are not known: to the relay, or to who is called.

use std::time::Duration;

use chartmesh::net::peer_id;
use chartmesh_protocol::identity::{
    Card, ClinicKey, NodeCertificate, NodeKey, NodeRole, SealingKey,
};
use chartmesh_tests::clinic::text;
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, introduce};
use futures::{AsyncReadExt, StreamExt};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder};
use libp2p::{noise, relay, tcp, yamux};
use zeroize::Zeroizing;

use super::dialer::{PROTOCOL, keypair};
use crate::PROGRAM;

/// How long a daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(NetworkBehaviour)]
struct Behaviour {
    circuits: relay::client::Behaviour,
    stream: libp2p_stream::Behaviour,
}

/// Somebody with a clinic of one node.
struct Caller {
    seed: u8,
    node: NodeKey,
}

impl Caller {
    fn new(seed: u8) -> Self {
        let node = NodeKey::from_bytes(Zeroizing::new([seed; 32]));
        Self { seed, node }
    }

    fn card(&self) -> String {
        self.card_at(&[])
    }

    fn card_at(&self, addresses: &[String]) -> String {
        let key = |add: u8| Zeroizing::new([self.seed.wrapping_add(add); 32]);
        let clinic = ClinicKey::from_bytes(key(1));
        let certificate = NodeCertificate {
            clinic: clinic.id(),
            node: self.node.id(),
            sealing: SealingKey::from_bytes(key(2)).public(),
            role: NodeRole::Clinic,
            issued_ms: 1,
            serial: 1,
        };
        let certificate = certificate.issue(&clinic).unwrap();
        let card = Card::issue(&clinic, "Caller", &certificate, addresses).unwrap();
        card.to_line()
    }

    fn swarm(&self) -> Swarm<Behaviour> {
        SwarmBuilder::with_existing_identity(keypair(&self.node))
            .with_tokio()
            .with_tcp(
                tcp::Config::default().nodelay(true),
                noise::Config::new,
                yamux::Config::default,
            )
            .unwrap()
            .with_relay_client(noise::Config::new, yamux::Config::default)
            .unwrap()
            .with_behaviour(|_, circuits| Behaviour {
                circuits,
                stream: libp2p_stream::Behaviour::new(),
            })
            .unwrap()
            .build()
    }

    /// Asks a relay to let others call this node through it; says why it does not.
    fn reserve(&self, relay: &Clinic) -> Result<(), String> {
        in_time(async {
            let mut swarm = self.swarm();
            swarm.listen_on(through(relay)).unwrap();
            loop {
                let event = swarm.select_next_some().await;
                if let SwarmEvent::NewListenAddr { .. } = event {
                    return Ok(());
                }
                if let SwarmEvent::ListenerClosed { reason, .. } = event {
                    return Err(format!("{:?}", reason.unwrap_err()));
                }
            }
        })
    }

    /// Calls a clinic through a relay, and returns what the clinic says first, or why it says
    /// nothing.
    fn call(&self, clinic: &Clinic, relay: &Clinic) -> Result<Vec<u8>, String> {
        in_time(async {
            let mut swarm = self.swarm();
            let to = node_of(clinic);
            let address = through(relay).with(Protocol::P2p(to));
            let dial = DialOpts::peer_id(to).addresses(vec![address]).build();
            swarm.dial(dial).unwrap();
            loop {
                let event = swarm.select_next_some().await;
                if let SwarmEvent::ConnectionEstablished { peer_id, .. } = &event
                    && *peer_id == to
                {
                    break;
                }
                if let SwarmEvent::OutgoingConnectionError { error, .. } = event {
                    return Err(format!("{error:?}"));
                }
            }
            let mut control = swarm.behaviour().stream.new_control();
            let talking = tokio::spawn(async move { while swarm.next().await.is_some() {} });
            let opened = control.open_stream(to, PROTOCOL).await;
            let mut stream = opened.map_err(|error| error.to_string())?;
            let mut said = vec![0; 1024];
            let count = stream.read(&mut said).await;
            talking.abort();
            said.truncate(count.map_err(|error| error.to_string())?);
            Ok(said)
        })
    }
}

fn in_time<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let limited = async { tokio::time::timeout(PATIENCE, future).await };
    runtime.block_on(limited).expect("an answer in time")
}

fn node_of(clinic: &Clinic) -> PeerId {
    let node = text(&clinic.json(&["id"])["node_id"]);
    peer_id(&node.parse().unwrap()).unwrap()
}

/// The address at which a node is called through a relay, but for the node itself.
fn through(relay: &Clinic) -> Multiaddr {
    let run = relay.run_file().expect("a running relay");
    let addresses = run["listen"].as_array().unwrap().iter();
    let mut addresses = addresses.map(|address| address.as_str().unwrap());
    let tcp = addresses.find(|address| address.contains("/tcp/")).unwrap();
    let tcp: Multiaddr = tcp.parse().unwrap();
    tcp.with(Protocol::P2p(node_of(relay)))
        .with(Protocol::P2pCircuit)
}

fn running_relay() -> Clinic {
    let mut relay = Clinic::create_relay(PROGRAM, "Coast Relay");
    relay.start();
    relay
}

#[test]
fn only_a_known_node_is_called_through_a_relay() {
    let relay = running_relay();
    let caller = Caller::new(0x51);
    let refused = caller.reserve(&relay).unwrap_err();
    assert!(refused.contains("ResourceLimitExceeded"), "{refused}");
    relay.ok(&["peer", "add", &caller.card()]);
    caller.reserve(&relay).unwrap();
    let id = Card::parse(&caller.card()).unwrap().clinic().to_string();
    relay.ok(&["peer", "remove", &id]);
    let refused = caller.reserve(&relay).unwrap_err();
    assert!(refused.contains("ResourceLimitExceeded"), "{refused}");
}

#[test]
fn a_relay_without_circuits_passes_none_on() {
    let mut relay = Clinic::create_relay(PROGRAM, "Coast Relay");
    relay.configure("circuits = true", "circuits = false");
    relay.start();
    let caller = Caller::new(0x51);
    relay.ok(&["peer", "add", &caller.card()]);
    let refused = caller.reserve(&relay).unwrap_err();
    assert!(refused.contains("Unsupported"), "{refused}");
}

#[test]
fn a_call_through_a_relay_has_to_come_from_who_is_known_at_both_ends() {
    let relay = running_relay();
    let mut home = Clinic::create(PROGRAM, "Hill Clinic");
    home.start();
    introduce(&home, &relay);
    let [stranger, half, known] = [0x51, 0x61, 0x71].map(Caller::new);
    relay.ok(&["peer", "add", &half.card()]);
    for clinic in [&relay, &home] {
        clinic.ok(&["peer", "add", &known.card()]);
    }
    // The first calls may come before the clinic has asked the relay.
    wait_until("a known clinic to come through", PATIENCE, || {
        known.call(&home, &relay).is_ok_and(|said| !said.is_empty())
    });
    let refused = stranger.call(&home, &relay).unwrap_err();
    assert!(refused.contains("ResourceLimitExceeded"), "{refused}");
    let said = half.call(&home, &relay);
    assert!(said.as_ref().is_err() || said == Ok(Vec::new()), "{said:?}");
    let said = known.call(&home, &relay).unwrap();
    assert!(!said.is_empty(), "a known clinic is still heard");
}

#[test]
fn a_card_does_not_say_through_whom_to_call() {
    let relay = running_relay();
    let mut home = Clinic::create(PROGRAM, "Hill Clinic");
    home.start();
    // The relay is nobody that this clinic knows.
    let card = Caller::new(0x51).card_at(&[through(&relay).to_string()]);
    home.ok(&["peer", "add", &card]);
    let output = home.cli(&["sync", "now"]);
    assert_eq!(output.code, Some(7), "{output:?}");
    let said = output.stdout;
    assert!(
        said.contains("no address of this clinic is known"),
        "{said}"
    );
}
