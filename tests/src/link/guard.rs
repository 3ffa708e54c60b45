//! A guard before a host, as routers have one: it lets a packet in only from where the host has
//! sent one to before, from the same port.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// The protocol numbers that have ports.
const TCP: u8 = 6;
const UDP: u8 = 17;

/// A way that is open: the protocol, the host's own port, and the other end.
type Open = (u8, u16, Ipv4Addr, u16);

/// What a guard has seen.
#[derive(Debug, Default)]
pub(super) struct Guard {
    open: BTreeSet<Open>,
}

impl Guard {
    /// The host sends a packet: answers may come in.
    pub(super) fn note(&mut self, packet: &[u8]) {
        if let Some(ends) = Ends::of(packet) {
            let way = (ends.protocol, ends.from.1, ends.to.0, ends.to.1);
            self.open.insert(way);
        }
    }

    /// Whether a packet for the host is let in.
    pub(super) fn admits(&self, packet: &[u8]) -> bool {
        Ends::of(packet).is_some_and(|ends| {
            let way = (ends.protocol, ends.to.1, ends.from.0, ends.from.1);
            self.open.contains(&way)
        })
    }
}

struct Ends {
    protocol: u8,
    from: (Ipv4Addr, u16),
    to: (Ipv4Addr, u16),
}

impl Ends {
    /// Where an IPv4 packet comes from and goes (RFC 791 §3.1), and its ports, the first two fields
    /// of TCP and UDP alike. None of what has no ports.
    fn of(packet: &[u8]) -> Option<Self> {
        let first = *packet.first()?;
        let protocol = *packet.get(9)?;
        let address = |at: usize| -> Option<Ipv4Addr> {
            let bytes: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
            Some(bytes.into())
        };
        let header = usize::from(first & 0x0f) * 4;
        let port = |at: usize| -> Option<u16> {
            let bytes: [u8; 2] = packet.get(at..at + 2)?.try_into().ok()?;
            Some(u16::from_be_bytes(bytes))
        };
        let has_ports = first >> 4 == 4 && [TCP, UDP].contains(&protocol);
        has_ports.then_some(())?;
        Some(Self {
            protocol,
            from: (address(12)?, port(header)?),
            to: (address(16)?, port(header + 2)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(protocol: u8, from: (u8, u16), to: (u8, u16)) -> Vec<u8> {
        let mut packet = vec![0; 28];
        packet[0] = 0x45;
        packet[9] = protocol;
        packet[12..16].copy_from_slice(&[10, 0, 0, from.0]);
        packet[16..20].copy_from_slice(&[10, 0, 0, to.0]);
        packet[20..22].copy_from_slice(&from.1.to_be_bytes());
        packet[22..24].copy_from_slice(&to.1.to_be_bytes());
        packet
    }

    #[test]
    fn an_answer_comes_in_and_nothing_else_does() {
        let mut guard = Guard::default();
        assert!(!guard.admits(&packet(UDP, (2, 53), (1, 4000))));
        guard.note(&packet(UDP, (1, 4000), (2, 53)));
        assert!(guard.admits(&packet(UDP, (2, 53), (1, 4000))));
        for other in [
            packet(TCP, (2, 53), (1, 4000)),
            packet(UDP, (2, 54), (1, 4000)),
            packet(UDP, (3, 53), (1, 4000)),
            packet(UDP, (2, 53), (1, 4001)),
            packet(1, (2, 53), (1, 4000)),
            Vec::new(),
        ] {
            assert!(!guard.admits(&other), "{other:?}");
        }
    }
}
