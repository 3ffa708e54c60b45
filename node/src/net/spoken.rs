//! Addresses as people say them.

use std::collections::BTreeSet;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// Where somebody was called: hosts and ports, each once. QUIC and TCP on one port are one place.
pub(super) fn places<'a>(addresses: impl IntoIterator<Item = &'a Multiaddr>) -> String {
    let places: BTreeSet<String> = addresses.into_iter().map(place).collect();
    let places: Vec<String> = places.into_iter().collect();
    places.join(" or ")
}

/// `192.0.2.7, port 7878`.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "no other part says where a node is"
)]
fn place(address: &Multiaddr) -> String {
    let (mut host, mut port, mut is_circuit) = (None, None, false);
    for part in address.iter() {
        match part {
            Protocol::Ip4(ip) => host = Some(ip.to_string()),
            Protocol::Ip6(ip) => host = Some(ip.to_string()),
            Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) => {
                host = Some(name.into_owned());
            }
            Protocol::Tcp(number) | Protocol::Udp(number) => port = Some(number),
            // What is before it is where the relay is.
            Protocol::P2pCircuit => is_circuit = true,
            _ => {}
        }
    }
    let said = match (host, port) {
        (Some(host), Some(port)) => format!("{host}, port {port}"),
        (Some(host), None) => host,
        (None, _) => "an address that has no host".to_owned(),
    };
    match is_circuit {
        true => format!("the relay at {said}"),
        false => said,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_said_as_host_and_port_and_each_place_once() {
        let said = |texts: &[&str]| {
            let parsed: Vec<Multiaddr> = texts.iter().map(|text| text.parse().unwrap()).collect();
            places(&parsed)
        };
        let node = "/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
        let direct = ["/ip4/192.0.2.7/udp/7878/quic-v1", "/ip4/192.0.2.7/tcp/7878"];
        assert_eq!(said(&direct), "192.0.2.7, port 7878");
        let named = [
            format!("/dns4/clinic.example.org/tcp/1{node}"),
            format!("/ip6/2001:db8::1/udp/2/quic-v1{node}/p2p-circuit{node}"),
        ];
        assert_eq!(
            said(&[&named[0], &named[1]]),
            "clinic.example.org, port 1 or the relay at 2001:db8::1, port 2"
        );
    }
}
