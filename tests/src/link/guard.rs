//! A router before a host: it lets a packet in only from where the host has sent one to before,
//! from the same port. It may be an address translator as well (RFC 4787: its mapping is
//! endpoint-independent, its filtering address and port-dependent).

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// The protocol numbers that have ports.
const TCP: u8 = 6;
const UDP: u8 = 17;
/// By which bits a translated port differs.
const OTHER_PORT: u16 = 0x1000;

/// A way that is open: the protocol, the host's own port, and the other end.
type Open = (u8, u16, Ipv4Addr, u16);

/// What a router has seen.
#[derive(Debug, Default)]
pub(super) struct Guard {
    open: BTreeSet<Open>,
    /// The address that the others see, at other ports than the host's own.
    public: Option<Ipv4Addr>,
}

impl Guard {
    /// One that translates. Of what has ports it passes UDP alone.
    pub(super) fn translating(public: Ipv4Addr) -> Self {
        Self {
            public: Some(public),
            ..Self::default()
        }
    }

    /// The host sends a packet: answers may come in. Returns what the others see of it.
    pub(super) fn let_out(&mut self, mut packet: Vec<u8>) -> Option<Vec<u8>> {
        let ends = Ends::of(&packet);
        if let Some(ends) = &ends {
            let way = (ends.protocol, ends.from.1, ends.to.0, ends.to.1);
            self.open.insert(way);
        }
        if let Some(public) = self.public {
            let ends = ends.filter(|ends| ends.protocol == UDP)?;
            ends.rewrite(&mut packet, 0, (public, ends.from.1 ^ OTHER_PORT));
        }
        Some(packet)
    }

    /// What a host at this address gets of a packet, if it is let in.
    pub(super) fn let_in(&self, host: Ipv4Addr, mut packet: Vec<u8>) -> Option<Vec<u8>> {
        let ends = Ends::of(&packet)?;
        let port = match self.public {
            None => ends.to.1,
            Some(public) if public == ends.to.0 => ends.to.1 ^ OTHER_PORT,
            Some(_) => return None,
        };
        let way = (ends.protocol, port, ends.from.0, ends.from.1);
        if !self.open.contains(&way) {
            return None;
        }
        if self.public.is_some() {
            ends.rewrite(&mut packet, 1, (host, port));
        }
        Some(packet)
    }
}

struct Ends {
    /// Bytes of the IP header.
    header: usize,
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
            header,
            protocol,
            from: (address(12)?, port(header)?),
            to: (address(16)?, port(header + 2)?),
        })
    }

    /// Puts another source (0) or destination (1) into a UDP packet.
    fn rewrite(&self, packet: &mut [u8], end: usize, with: (Ipv4Addr, u16)) {
        let (address, port) = (12 + 4 * end, self.header + 2 * end);
        packet[address..address + 4].copy_from_slice(&with.0.octets());
        packet[port..port + 2].copy_from_slice(&with.1.to_be_bytes());
        // None: UDP over IPv4 goes without (RFC 768).
        packet[self.header + 6..self.header + 8].fill(0);
        packet[10..12].fill(0);
        let sum = checksum(&packet[..self.header]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    }
}

/// The checksum of an IP header (RFC 1071).
fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks_exact(2);
    let sum: u32 = words
        .map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
    const PUBLIC: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 101);

    fn packet(protocol: u8, from: (u8, u16), to: (u8, u16)) -> Vec<u8> {
        let mut packet = vec![0; 28];
        packet[0] = 0x45;
        packet[9] = protocol;
        packet[12..16].copy_from_slice(&[10, 0, 0, from.0]);
        packet[16..20].copy_from_slice(&[10, 0, 0, to.0]);
        packet[20..22].copy_from_slice(&from.1.to_be_bytes());
        packet[22..24].copy_from_slice(&to.1.to_be_bytes());
        let sum = checksum(&packet[..20]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet
    }

    #[test]
    fn an_answer_comes_in_and_nothing_else_does() {
        let mut guard = Guard::default();
        let answer = packet(UDP, (2, 53), (1, 4000));
        assert_eq!(guard.let_in(HOST, answer.clone()), None);
        let question = packet(UDP, (1, 4000), (2, 53));
        assert_eq!(guard.let_out(question.clone()), Some(question));
        assert_eq!(guard.let_in(HOST, answer.clone()), Some(answer));
        for other in [
            packet(TCP, (2, 53), (1, 4000)),
            packet(UDP, (2, 54), (1, 4000)),
            packet(UDP, (3, 53), (1, 4000)),
            packet(UDP, (2, 53), (1, 4001)),
            packet(1, (2, 53), (1, 4000)),
            Vec::new(),
        ] {
            assert_eq!(guard.let_in(HOST, other), None);
        }
    }

    #[test]
    fn others_see_another_address_and_answer_there() {
        let mut router = Guard::translating(PUBLIC);
        let seen = router.let_out(packet(UDP, (1, 4000), (2, 53)));
        let port = 4000 ^ OTHER_PORT;
        assert_eq!(seen, Some(packet(UDP, (101, port), (2, 53))));
        let answer = packet(UDP, (2, 53), (101, port));
        let inside = packet(UDP, (2, 53), (1, 4000));
        assert_eq!(router.let_in(HOST, answer), Some(inside.clone()));
        assert_eq!(
            router.let_in(HOST, inside),
            None,
            "nobody sees that address"
        );
        assert_eq!(router.let_out(packet(TCP, (1, 4000), (2, 53))), None);
    }
}
