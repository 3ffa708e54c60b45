//! The network: one thread that moves packets between the devices of the hosts and the wire.

use std::fs::File;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::guard::Guard;
use super::host::{Host, remove_left_behind};
use super::wire::{Count, Wire};
use super::{Conditions, Place};
use crate::required::required;

/// The word in `CHARTMESH_REQUIRE` that demands such a network.
const NAME: &str = "netns";
/// The loss of packets is the same in every run.
const SEED: u64 = 7;
/// A packet is no longer than this, whatever the MTU.
const MAX_PACKET: usize = 65_536;
/// Packets that are read from one device before the others have their turn.
const BURST: usize = 64;
/// Behind an address translator, host 1 is seen at this number, and so on.
const FIRST_PUBLIC: u8 = 100;
/// How long the end of the network may go unnoticed.
const IDLE: Duration = Duration::from_millis(20);

/// Hosts joined by a link. When it is dropped, the hosts go; whatever runs there has no network
/// any more. There is one at a time on a machine: who asks for another waits.
pub struct Network {
    places: Vec<Place>,
    shared: Arc<Shared>,
    forwarding: Option<JoinHandle<()>>,
    _turn: File,
}

struct Shared {
    begun: Instant,
    wire: Mutex<Wire>,
    ended: AtomicBool,
}

impl Network {
    /// So many hosts, joined by a good link. On a machine that lacks what it takes there is none:
    /// the test is skipped, and says so.
    ///
    /// # Panics
    /// When it is lacking and `CHARTMESH_REQUIRE` holds `netns`.
    #[must_use]
    pub fn required(hosts: u8) -> Option<Self> {
        match Self::new(hosts) {
            Ok(network) => Some(network),
            Err(lacking) => {
                assert!(!required(NAME), "CHARTMESH_REQUIRE holds {NAME}: {lacking}");
                eprintln!("skipped: network namespaces cannot be used: {lacking}");
                None
            }
        }
    }

    /// So many hosts, joined by a good link.
    ///
    /// # Errors
    /// What the machine lacks or refuses.
    pub fn new(hosts: u8) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("this needs root".to_owned());
        }
        let turn = take_turn().map_err(|error| error.to_string())?;
        remove_left_behind();
        let hosts = (0..hosts).map(Host::new).collect::<Result<Vec<_>, _>>()?;
        let places = hosts.iter().map(|host| host.place.clone()).collect();
        let shared = Arc::new(Shared {
            begun: Instant::now(),
            wire: Mutex::new(Wire::new(hosts.len(), SEED)),
            ended: AtomicBool::new(false),
        });
        let forwarder = Arc::clone(&shared);
        Ok(Self {
            places,
            shared,
            forwarding: Some(std::thread::spawn(move || forwarder.forward(&hosts))),
            _turn: turn,
        })
    }

    /// Where a host is, by its number.
    ///
    /// # Panics
    /// When there are not so many.
    #[must_use]
    pub fn place(&self, number: usize) -> &Place {
        &self.places[number]
    }

    /// From now on the link is like this; what is on its way arrives.
    pub fn set(&self, conditions: Conditions) {
        self.shared
            .wire()
            .set(self.shared.begun.elapsed(), conditions);
    }

    /// From now on nothing of one host arrives at the other, either way.
    pub fn part(&self, one: usize, other: usize) {
        self.shared.wire().part(one, other);
    }

    /// From now on what one host sends the other arrives again, either way.
    pub fn join(&self, one: usize, other: usize) {
        self.shared.wire().join(one, other);
    }

    /// From now on a router before a host lets packets in only from where the host has sent some
    /// to, from the same port.
    pub fn guard(&self, host: usize) {
        let address = self.place(host).address();
        self.shared.wire().guard(host, address, Guard::default());
    }

    /// From now on the router before a host does so and is an address translator besides, for UDP
    /// alone. Returns the address that the others see.
    pub fn translate(&self, host: usize) -> Ipv4Addr {
        let address = self.place(host).address();
        let [a, b, c, number] = address.octets();
        let public = Ipv4Addr::new(a, b, c, number + FIRST_PUBLIC);
        let guard = Guard::translating(public);
        self.shared.wire().guard(host, address, guard);
        public
    }

    /// What went from one host to another so far.
    #[must_use]
    pub fn count(&self, from: usize, to: usize) -> Count {
        self.shared.wire().counted(from, to)
    }

    /// Bytes that a host has put on the link and that have arrived at it so far, to and from all
    /// others together.
    #[must_use]
    pub fn bytes_at(&self, host: usize) -> u64 {
        let others = (0..self.places.len()).filter(|other| *other != host);
        others
            .map(|other| self.count(host, other).sent_bytes + self.count(other, host).arrived_bytes)
            .sum()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        if let Some(forwarding) = self.forwarding.take() {
            // A forwarder that panicked has dropped the hosts as well.
            drop(forwarding.join());
        }
    }
}

impl Shared {
    fn forward(&self, hosts: &[Host]) {
        let mut buffer = vec![0; MAX_PACKET];
        while !self.ended.load(Ordering::Relaxed) {
            for (from, host) in hosts.iter().enumerate() {
                self.take_in(hosts, from, host, &mut buffer);
            }
            let next = self.hand_out(hosts);
            let now = self.begun.elapsed();
            let wait = next.map_or(IDLE, |next| next.saturating_sub(now).min(IDLE));
            let wait = Timespec::try_from(wait).unwrap();
            let mut devices: Vec<PollFd<'_>> = hosts
                .iter()
                .map(|host| PollFd::new(&host.device, PollFlags::IN))
                .collect();
            // An interrupted wait is only shorter.
            let _ = poll(&mut devices, Some(&wait));
        }
    }

    /// Takes packets from a host; what is addressed to no host goes nowhere.
    fn take_in(&self, hosts: &[Host], from: usize, host: &Host, buffer: &mut [u8]) {
        for _ in 0..BURST {
            let length = match host.device.recv(buffer) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("a TUN device cannot be read: {error}"),
            };
            let packet = &buffer[..length];
            let to = destination(packet).and_then(|address| {
                let [.., number] = address.octets();
                let is_there = |host: &Host| {
                    let [.., own] = host.place.address().octets();
                    number == own || number == own + FIRST_PUBLIC
                };
                hosts.iter().position(is_there)
            });
            if let Some(to) = to {
                let now = self.begun.elapsed();
                self.wire().offer(now, from, to, packet.to_vec());
            }
        }
    }

    /// Gives the hosts what has arrived. Returns when the next packet does.
    fn hand_out(&self, hosts: &[Host]) -> Option<Duration> {
        let mut wire = self.wire();
        while let Some((to, packet)) = wire.arrived(self.begun.elapsed()) {
            // A host that has no room for a packet drops it, as hosts do.
            drop(hosts[to].device.send(&packet));
        }
        wire.next_arrival()
    }

    /// A panic of a test leaves the wire whole: each change is one call.
    fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits until no other process and no other thread has such a network.
fn take_turn() -> std::io::Result<File> {
    let path = std::env::temp_dir().join("chartmesh-network.lock");
    let file = File::options().create(true).append(true).open(path)?;
    file.lock()?;
    Ok(file)
}

/// Where an IPv4 packet goes (RFC 791 §3.1).
fn destination(packet: &[u8]) -> Option<Ipv4Addr> {
    let address: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
    (packet[0] >> 4 == 4).then(|| address.into())
}
