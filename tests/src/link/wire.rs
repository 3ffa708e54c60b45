//! The packets on their way, without IO: time and packets in, packets out.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::Ipv4Addr;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Conditions;
use super::guard::Guard;

/// What went from one host to another, whole packets with their IP headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Packets that the sender put on the link.
    pub sent_packets: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Packets that arrived.
    pub arrived_packets: u64,
    /// Their bytes.
    pub arrived_bytes: u64,
    /// Packets that found the queue full.
    pub dropped_packets: u64,
}

/// A packet on its way.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct InFlight {
    arrives: Duration,
    /// Packets that arrive at the same moment keep their order.
    order: u64,
    from: usize,
    to: usize,
    packet: Vec<u8>,
}

/// All packets between the hosts of one network. Times count from one beginning.
#[derive(Debug)]
pub(super) struct Wire {
    conditions: Conditions,
    /// When the conditions began.
    since: Duration,
    dice: ChaCha8Rng,
    /// When each host has sent what it was given.
    free_at: Vec<Duration>,
    in_flight: BinaryHeap<Reverse<InFlight>>,
    order: u64,
    counts: BTreeMap<(usize, usize), Count>,
    /// Pairs of hosts between which nothing arrives.
    parted: BTreeSet<(usize, usize)>,
    guards: BTreeMap<usize, (Ipv4Addr, Guard)>,
}

impl Wire {
    pub(super) fn new(hosts: usize, seed: u64) -> Self {
        Self {
            conditions: Conditions::GOOD,
            since: Duration::ZERO,
            dice: ChaCha8Rng::seed_from_u64(seed),
            free_at: vec![Duration::ZERO; hosts],
            in_flight: BinaryHeap::new(),
            order: 0,
            counts: BTreeMap::new(),
            parted: BTreeSet::new(),
            guards: BTreeMap::new(),
        }
    }

    /// From now on a host is behind a router. Of one that translates, this is the host's address.
    pub(super) fn guard(&mut self, host: usize, address: Ipv4Addr, guard: Guard) {
        self.guards.insert(host, (address, guard));
    }

    /// From now on nothing of one host arrives at the other, either way.
    pub(super) fn part(&mut self, one: usize, other: usize) {
        self.parted.extend([(one, other), (other, one)]);
    }

    /// From now on what one host sends the other arrives again, either way.
    pub(super) fn join(&mut self, one: usize, other: usize) {
        for pair in [(one, other), (other, one)] {
            self.parted.remove(&pair);
        }
    }

    /// From now on the link is like this. What waits at a host is still sent at the old pace.
    pub(super) fn set(&mut self, now: Duration, conditions: Conditions) {
        self.conditions = conditions;
        self.since = now;
    }

    /// A host sends a packet.
    pub(super) fn offer(&mut self, now: Duration, from: usize, to: usize, packet: Vec<u8>) {
        let bytes = packet.len() as u64;
        let begins = self.free_at[from].max(now);
        let mut sent = begins;
        if let Some(rate) = self.conditions.rate {
            let waiting = (begins - now).as_nanos() * u128::from(rate) / 8_000_000_000;
            if waiting > u128::from(self.conditions.queue) {
                self.count(from, to).dropped_packets += 1;
                return;
            }
            sent += Duration::from_nanos(bytes * 8_000_000_000 / u64::from(rate));
        }
        self.free_at[from] = sent;
        let packet = match self.guards.get_mut(&from) {
            None => Some(packet),
            Some((_, guard)) => guard.let_out(packet),
        };
        let count = self.count(from, to);
        count.sent_packets += 1;
        count.sent_bytes += bytes;
        if self.dice.random_range(0..1000) < self.conditions.loss {
            return;
        }
        let Some(packet) = packet else { return };
        self.order += 1;
        self.in_flight.push(Reverse(InFlight {
            arrives: sent + self.conditions.delay,
            order: self.order,
            from,
            to,
            packet,
        }));
    }

    /// When the next packet arrives.
    pub(super) fn next_arrival(&self) -> Option<Duration> {
        let next = self.in_flight.peek();
        next.map(|Reverse(next)| next.arrives)
    }

    /// A packet that has arrived, and at which host.
    pub(super) fn arrived(&mut self, now: Duration) -> Option<(usize, Vec<u8>)> {
        while self.next_arrival()? <= now {
            let Reverse(one) = self.in_flight.pop()?;
            let cuts = self.conditions.cuts;
            let since = one.arrives.saturating_sub(self.since);
            if cuts.is_some_and(|cuts| cuts.cut_at(since))
                || self.parted.contains(&(one.from, one.to))
            {
                continue;
            }
            let packet = match self.guards.get(&one.to) {
                None => Some(one.packet),
                Some((address, guard)) => guard.let_in(*address, one.packet),
            };
            let Some(packet) = packet else { continue };
            let count = self.count(one.from, one.to);
            count.arrived_packets += 1;
            count.arrived_bytes += packet.len() as u64;
            return Some((one.to, packet));
        }
        None
    }

    /// What went from one host to another.
    pub(super) fn counted(&self, from: usize, to: usize) -> Count {
        self.counts.get(&(from, to)).copied().unwrap_or_default()
    }

    fn count(&mut self, from: usize, to: usize) -> &mut Count {
        self.counts.entry((from, to)).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Cuts;

    const SECOND: Duration = Duration::from_secs(1);

    fn wire(conditions: Conditions) -> Wire {
        let mut wire = Wire::new(2, 7);
        wire.set(Duration::ZERO, conditions);
        wire
    }

    /// Arrival times of everything on the wire.
    fn arrivals(wire: &mut Wire) -> Vec<Duration> {
        let mut times = Vec::new();
        while let Some(next) = wire.next_arrival() {
            if wire.arrived(next).is_some() {
                times.push(next);
            }
        }
        times
    }

    #[test]
    fn packets_wait_for_each_other_and_then_travel() {
        let mut wire = wire(Conditions {
            rate: Some(8_000),
            delay: SECOND,
            queue: 10_000,
            ..Conditions::GOOD
        });
        wire.offer(Duration::ZERO, 0, 1, vec![1; 1000]);
        wire.offer(Duration::ZERO, 0, 1, vec![2; 500]);
        // The other way is free.
        wire.offer(Duration::ZERO, 1, 0, vec![3; 500]);
        assert_eq!(wire.arrived(SECOND), None);
        let times = arrivals(&mut wire);
        let expected = [1500, 2000, 2500].map(Duration::from_millis);
        assert_eq!(times, expected);
    }

    #[test]
    fn nothing_arrives_between_parted_hosts() {
        let mut wire = Wire::new(3, 7);
        wire.part(0, 1);
        for (from, to) in [(0, 1), (1, 0), (0, 2), (2, 1)] {
            wire.offer(Duration::ZERO, from, to, vec![0; 10]);
        }
        let mut arrived = Vec::new();
        while let Some((to, _)) = wire.arrived(SECOND) {
            arrived.push(to);
        }
        assert_eq!(arrived, [2, 1]);
        assert_eq!(wire.counted(0, 1).arrived_packets, 0);
        wire.join(1, 0);
        wire.offer(SECOND, 0, 1, vec![0; 10]);
        assert_eq!(wire.arrived(SECOND), Some((1, vec![0; 10])));
    }

    #[test]
    fn a_full_queue_drops_and_what_is_dropped_takes_no_time() {
        let mut wire = wire(Conditions {
            rate: Some(8_000),
            queue: 1500,
            ..Conditions::GOOD
        });
        for _ in 0..5 {
            wire.offer(Duration::ZERO, 0, 1, vec![0; 1000]);
        }
        assert_eq!(arrivals(&mut wire).last(), Some(&(2 * SECOND)));
        let count = wire.counted(0, 1);
        assert_eq!((count.sent_packets, count.dropped_packets), (2, 3));
        assert_eq!((count.sent_bytes, count.arrived_bytes), (2000, 2000));
    }

    #[test]
    fn about_as_many_packets_are_lost_as_it_is_said() {
        let mut wire = wire(Conditions {
            loss: 20,
            ..Conditions::GOOD
        });
        for _ in 0..10_000 {
            wire.offer(Duration::ZERO, 0, 1, vec![0]);
        }
        let lost = 10_000 - arrivals(&mut wire).len();
        assert!((150..250).contains(&lost), "{lost}");
        assert_eq!(wire.counted(0, 1).sent_packets, 10_000);
    }

    #[test]
    fn nothing_arrives_in_a_cut_and_cuts_come_again() {
        let mut wire = wire(Conditions::GOOD);
        let cuts = Cuts {
            every: 20 * SECOND,
            length: 10 * SECOND,
        };
        let conditions = Conditions {
            cuts: Some(cuts),
            ..Conditions::GOOD
        };
        wire.set(5 * SECOND, conditions);
        for second in 5..50 {
            wire.offer(second * SECOND, 0, 1, vec![0]);
        }
        let up = (5..15).chain(25..35).chain(45..50);
        let expected: Vec<Duration> = up.map(|second| second * SECOND).collect();
        assert_eq!(arrivals(&mut wire), expected);
        assert_eq!(wire.counted(0, 1).arrived_packets, expected.len() as u64);
    }

    #[test]
    fn nothing_arrives_over_a_link_that_is_cut() {
        let mut wire = wire(Conditions::CUT);
        for _ in 0..1000 {
            wire.offer(Duration::ZERO, 0, 1, vec![0; 100]);
        }
        assert_eq!(arrivals(&mut wire).len(), 0);
        assert_eq!(wire.counted(0, 1).sent_bytes, 100_000);
    }
}
