//! Ports belong to one node: the TCP transport shares them with whoever asks (`SO_REUSEPORT`), and
//! two nodes on one machine would each get some of the other's callers.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// Fails when another program listens on the TCP port of an address. Other addresses are for their
/// transport to judge.
pub(super) fn check_free(address: &Multiaddr) -> io::Result<()> {
    match tcp_address(address) {
        Some(address) if address.port() != 0 => TcpListener::bind(address).map(drop),
        _ => Ok(()),
    }
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
