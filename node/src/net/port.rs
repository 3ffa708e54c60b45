//! Ports belong to one node: the TCP transport shares them with whoever asks (`SO_REUSEPORT`), and
//! two nodes on one machine would each get some of the other's callers. And they belong to it for
//! good: its card names them, and other clinics dial by the card.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::Range;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use rand::{Rng, RngExt};

/// Ports that no system gives to outgoing connections (Linux begins at 32,768, RFC 6335 names
/// 49,152), so that a port is not taken while the node does not run; above those of well-known
/// services.
const DRAWN: Range<u16> = 20_000..32_000;
/// How many ports are tried: on a machine where so many are taken something else is wrong.
const TRIES: usize = 100;

/// Draws a port on which a new node can listen by QUIC and by TCP from now on; none where no
/// free one is found.
pub(crate) fn draw(rng: &mut impl Rng) -> Option<u16> {
    let free = |port: &u16| {
        let every = (Ipv4Addr::UNSPECIFIED, *port);
        TcpListener::bind(every).is_ok() && UdpSocket::bind(every).is_ok()
    };
    (0..TRIES).map(|_| rng.random_range(DRAWN)).find(free)
}

/// Fails when another program listens on the TCP port of an address. Other addresses are for their
/// transport to judge.
pub(super) fn check_free(address: &Multiaddr) -> io::Result<()> {
    match tcp_address(address) {
        Some(address) if address.port() != 0 => TcpListener::bind(address).map(drop),
        _ => Ok(()),
    }
}

/// Whether an address that a node is told to listen on is one that others can call: it names one
/// interface and one port.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other part names no interface and no port"
)]
pub(crate) fn is_callable(address: &str) -> bool {
    let Ok(address) = address.parse::<Multiaddr>() else {
        return false;
    };
    !address.iter().any(|part| match part {
        Protocol::Ip4(ip) => ip.is_unspecified(),
        Protocol::Ip6(ip) => ip.is_unspecified(),
        Protocol::Tcp(port) | Protocol::Udp(port) => port == 0,
        _ => false,
    })
}

fn tcp_address(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let (host, transport) = (parts.next()?, parts.next()?);
    let ip = if let Protocol::Ip4(ip) = host {
        IpAddr::V4(ip)
    } else if let Protocol::Ip6(ip) = host {
        IpAddr::V6(ip)
    } else {
        return None;
    };
    let Protocol::Tcp(port) = transport else {
        return None;
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_port_that_somebody_listens_on_is_not_free() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let address: Multiaddr = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
        let error = check_free(&address).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        drop(taken);
        check_free(&address).unwrap();
    }

    #[test]
    fn a_drawn_port_is_free_and_not_one_that_is_taken() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        let port = draw(&mut rng).unwrap();
        assert!(DRAWN.contains(&port));
        let _taken = TcpListener::bind(("0.0.0.0", port)).unwrap();
        let mut again = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        assert_ne!(draw(&mut again).unwrap(), port);
    }

    #[test]
    fn every_interface_and_any_port_cannot_be_called() {
        for text in [
            "/ip4/0.0.0.0/udp/4001/quic-v1",
            "/ip6/::/tcp/4001",
            "/ip4/192.0.2.7/tcp/0",
            "no address",
        ] {
            assert!(!is_callable(text), "{text}");
        }
        assert!(is_callable("/ip4/192.0.2.7/udp/4001/quic-v1"));
    }

    #[test]
    fn any_port_and_other_transports_are_not_looked_at() {
        for text in [
            "/ip4/127.0.0.1/tcp/0",
            "/ip4/127.0.0.1/udp/1/quic-v1",
            "/memory/1",
        ] {
            check_free(&text.parse().unwrap()).unwrap();
        }
    }
}
