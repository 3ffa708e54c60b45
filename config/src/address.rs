//! A network address in the multiaddr notation, such as `/ip4/192.0.2.7/udp/7878/quic-v1`.
//!
//! The check is light: the parts are known, in a sensible order and well formed. Whether the
//! address can be bound or reached shows when it is used.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::limits::MAX_ADDRESS_BYTES;

/// An address: host, transport, and for another node's address perhaps its peer id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address(String);

/// Why a text is no usable address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Longer than [`MAX_ADDRESS_BYTES`].
    #[error("has {0} bytes, more than {MAX_ADDRESS_BYTES}")]
    TooLong(usize),
    /// Does not begin with a host part.
    #[error("does not begin with /ip4, /ip6, /dns, /dns4 or /dns6")]
    NoHost,
    /// The host after its part name is not one.
    #[error("has a wrong host {0:?}")]
    BadHost(String),
    /// Does not go on with a transport that this program speaks.
    #[error("does not go on with /udp/PORT/quic-v1 or /tcp/PORT")]
    NoTransport,
    /// The port is not a number from 0 to 65535.
    #[error("has a wrong port {0:?}")]
    BadPort(String),
    /// There are unknown parts behind the transport.
    #[error("has an unknown part {0:?} at its end")]
    UnknownPart(String),
    /// One listens on own addresses, not on names.
    #[error("names a host, but one listens on an IP address of this machine")]
    ListenOnName,
    /// One listens without saying one's own peer id.
    #[error("ends in /p2p, which an address to listen on does not have")]
    ListenOnPeer,
    /// Others cannot dial it: no host or no port in it.
    #[error("has the unspecified host or port 0, where nobody can reach it")]
    Unreachable,
}

/// The parts of a well-formed address that the rules for its use look at.
struct Parts {
    is_name: bool,
    is_unspecified: bool,
    port: u16,
    has_peer: bool,
}

impl Address {
    /// An address to listen on: an IP address of this machine and a transport; port 0 takes
    /// a free one.
    ///
    /// # Errors
    /// [`AddressError`] when the text is malformed, names a host, or ends in a peer id.
    pub fn listen(text: &str) -> Result<Self, AddressError> {
        let parts = parts(text)?;
        if parts.is_name {
            return Err(AddressError::ListenOnName);
        }
        if parts.has_peer {
            return Err(AddressError::ListenOnPeer);
        }
        Ok(Self(text.to_owned()))
    }

    /// An address under which other nodes reach this one: an IP address or a DNS name, a
    /// transport, and perhaps `/p2p/PEER`.
    ///
    /// # Errors
    /// [`AddressError`] when the text is malformed or nobody could reach it.
    pub fn external(text: &str) -> Result<Self, AddressError> {
        let parts = parts(text)?;
        if parts.is_unspecified || parts.port == 0 {
            return Err(AddressError::Unreachable);
        }
        Ok(Self(text.to_owned()))
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Takes an address apart.
fn parts(text: &str) -> Result<Parts, AddressError> {
    if text.len() > MAX_ADDRESS_BYTES {
        return Err(AddressError::TooLong(text.len()));
    }
    let mut words = text.split('/');
    if words.next() != Some("") {
        return Err(AddressError::NoHost);
    }
    let (is_name, is_unspecified) = host(words.next(), words.next())?;
    let port = transport(&mut words)?;
    let mut has_peer = false;
    while let Some(word) = words.next() {
        match (word, has_peer, words.next()) {
            ("p2p", false, Some(id)) if is_peer_id(id) => has_peer = true,
            _ => return Err(AddressError::UnknownPart(word.to_owned())),
        }
    }
    Ok(Parts {
        is_name,
        is_unspecified,
        port,
        has_peer,
    })
}

/// Checks the host part: whether it is a name, and whether it is the unspecified address.
fn host(kind: Option<&str>, host: Option<&str>) -> Result<(bool, bool), AddressError> {
    let text = host.unwrap_or_default();
    let bad = || AddressError::BadHost(text.to_owned());
    match kind {
        Some("ip4") => {
            let ip: Ipv4Addr = text.parse().map_err(|_| bad())?;
            Ok((false, ip.is_unspecified()))
        }
        Some("ip6") => {
            let ip: Ipv6Addr = text.parse().map_err(|_| bad())?;
            Ok((false, ip.is_unspecified()))
        }
        Some("dns" | "dns4" | "dns6") if is_host_name(text) => Ok((true, false)),
        Some("dns" | "dns4" | "dns6") => Err(bad()),
        _ => Err(AddressError::NoHost),
    }
}

/// Checks the transport part and returns its port.
fn transport<'a>(words: &mut impl Iterator<Item = &'a str>) -> Result<u16, AddressError> {
    let kind = words.next();
    let port = words.next().unwrap_or_default();
    let port = || {
        let digits = port.bytes().all(|b| b.is_ascii_digit());
        let number = if digits { port.parse().ok() } else { None };
        number.ok_or_else(|| AddressError::BadPort(port.to_owned()))
    };
    match kind {
        Some("tcp") => port(),
        Some("udp") => match (port()?, words.next()) {
            (port, Some("quic-v1")) => Ok(port),
            _ => Err(AddressError::NoTransport),
        },
        _ => Err(AddressError::NoTransport),
    }
}

/// Whether a text is a DNS name (RFC 1123 §2.1): labels of letters, digits and inner hyphens.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// Whether a text could be a peer id: base58 of the length that ed25519 ids have (52 letters).
fn is_peer_id(text: &str) -> bool {
    let is_base58 = |b: u8| b.is_ascii_alphanumeric() && !matches!(b, b'0' | b'O' | b'I' | b'l');
    (46..=64).contains(&text.len()) && text.bytes().all(is_base58)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWGQpJ4VVMZcFE4AbDDgTSuFgiBNXaS1AScWk1FTeVpxqN";

    #[test]
    fn good_addresses_to_listen_on_are_taken_as_written() {
        for text in [
            "/ip4/0.0.0.0/udp/0/quic-v1",
            "/ip4/127.0.0.1/tcp/7878",
            "/ip6/::/tcp/0",
            "/ip6/fe80::1/udp/65535/quic-v1",
        ] {
            assert_eq!(Address::listen(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn good_external_addresses_are_taken_as_written() {
        let with_peer = format!("/dns4/clinic-1.example.org/tcp/7878/p2p/{PEER}");
        for text in [
            "/ip4/192.0.2.7/udp/7878/quic-v1",
            "/dns/localhost/tcp/1",
            &with_peer,
        ] {
            assert_eq!(Address::external(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn malformed_addresses_say_which_part_is_wrong() {
        use AddressError as E;
        let bad = |s: &str| s.to_owned();
        for (text, error) in [
            ("", E::NoHost),
            ("127.0.0.1:80", E::NoHost),
            ("ip4/127.0.0.1/tcp/80", E::NoHost),
            ("/unix/run.sock", E::NoHost),
            ("/ip4/", E::BadHost(bad(""))),
            ("/ip4/256.0.0.1/tcp/1", E::BadHost(bad("256.0.0.1"))),
            ("/ip6/127.0.0.1/tcp/1", E::BadHost(bad("127.0.0.1"))),
            ("/ip4/127.0.0.1", E::NoTransport),
            ("/ip4/127.0.0.1/sctp/1", E::NoTransport),
            ("/ip4/127.0.0.1/udp/1", E::NoTransport),
            ("/ip4/127.0.0.1/udp/1/quic", E::NoTransport),
            ("/ip4/127.0.0.1/tcp", E::BadPort(bad(""))),
            ("/ip4/127.0.0.1/tcp/+80", E::BadPort(bad("+80"))),
            ("/ip4/127.0.0.1/tcp/65536", E::BadPort(bad("65536"))),
            ("/ip4/127.0.0.1/tcp/1/", E::UnknownPart(bad(""))),
            ("/ip4/127.0.0.1/tcp/1/ws", E::UnknownPart(bad("ws"))),
            ("/ip4/127.0.0.1/tcp/1/p2p/short", E::UnknownPart(bad("p2p"))),
            ("/dns/example.org/tcp/1", E::ListenOnName),
        ] {
            assert_eq!(Address::listen(text), Err(error), "{text}");
        }
        let with_peer = format!("/ip4/127.0.0.1/tcp/1/p2p/{PEER}");
        assert_eq!(Address::listen(&with_peer), Err(E::ListenOnPeer));
        assert_eq!(Address::listen(&"/".repeat(385)), Err(E::TooLong(385)));
    }

    #[test]
    fn an_external_address_that_nobody_can_reach_is_refused() {
        for text in [
            "/ip4/0.0.0.0/tcp/7",
            "/ip6/::/tcp/7",
            "/ip4/192.0.2.7/tcp/0",
        ] {
            assert_eq!(
                Address::external(text),
                Err(AddressError::Unreachable),
                "{text}"
            );
        }
        let name = AddressError::BadHost("-a.org".to_owned());
        assert_eq!(Address::external("/dns/-a.org/tcp/7"), Err(name));
    }
}
