//! Writes a configuration as a commented file, for `init` and as the shipped example.

use std::fmt::Write as _;

use crate::address::Address;
use crate::settings::{Config, Nat};

/// The configuration as a commented TOML file: every key with its value and what it means.
/// Parsing the result gives an equal configuration.
pub fn render_commented(config: &Config) -> String {
    let network = &config.network;
    format!(
        r#"# The configuration of a Chartmesh node. Every key but `name` may be left out; unknown
# keys are refused. The node reads this file when it starts.

# The clinic's name, as other clinics see it.
name = {name}

# What this node is. "clinic": it keeps charts and the keys to them. "relay": it stores and
# forwards sealed records that it cannot read. It is set once, by `init`.
role = {role}

[network]
# Where the node listens for other nodes; port 0 takes a free one, which other clinics cannot
# know in advance: choose fixed ports if they are to dial this node. [] only dials.
listen = {listen}

# Addresses under which other clinics reach this node from outside, put on its card: a public
# IP address or a DNS name, such as "/dns4/clinic.example.org/udp/7878/quic-v1".
external-addresses = {external}

# Whether to look for other nodes on the local network by multicast DNS.
mdns = {mdns}

# Seconds between heartbeats on a silent link (0 to 900); the longer wait of both ends counts.
# Where a link is paid for by the byte, 240 costs about 0.1 MB a day instead of 1 MB, but a peer
# behind an address translator may then be heard late. With 0 no link is kept: the node calls
# when something waits and every half an hour, syncs, and hangs up.
heartbeat-seconds = {heartbeat}

[network.reconnect]
# Seconds before a broken link is tried again: first the minimum, then ever longer waits up to
# the maximum (1 to 3600).
min-seconds = {min}
max-seconds = {max}

[network.limits]
# Open connections of all peers together (1 to 512), and of one peer (1 to 8).
connections = {connections}
connections-per-peer = {per_peer}

{nat}
[http]
# The web server. It is not encrypted, so it listens on this machine only; port 0 takes a free
# one.
enabled = {http_enabled}
listen = {http_listen}

[store]
# The database's page cache in mebibytes (4 to 4096).
cache-mebibytes = {cache}

{contents}
[log]
# "error", "warn", "info", "debug" or "trace".
level = {level}

# "text" for people, "json" for programs (one object a line).
format = {format}
"#,
        name = quoted(config.name.as_str()),
        role = quoted(config.role.as_str()),
        listen = list(&network.listen),
        external = list(&network.external_addresses),
        mdns = network.mdns,
        heartbeat = network.heartbeat.as_secs(),
        min = network.reconnect.min.as_secs(),
        max = network.reconnect.max.as_secs(),
        connections = network.limits.total,
        per_peer = network.limits.per_peer,
        nat = nat(network.nat),
        http_enabled = config.http.enabled,
        http_listen = quoted(&config.http.listen.to_string()),
        cache = config.store.cache_mebibytes,
        contents = contents(config),
        level = quoted(config.log.level.as_str()),
        format = quoted(config.log.format.as_str()),
    )
}

/// The section about address translators.
fn nat(nat: Nat) -> String {
    format!(
        r#"[network.nat]
# Whether to reach other clinics, and be reached by them, through known relays where there is no
# direct way (circuit relay v2). The link stays encrypted from end to end. A relay passes links
# on between clinics that it knows.
circuits = {circuits}

# Whether to seek a direct way through address translators while a link goes through a relay.
hole-punching = {hole_punching}

# Whether to have known relays test where others reach this node, and to put what holds on its
# card. A test costs up to 100 KB; from one start to the next there are at most 8.
reachability-tests = {reachability_tests}
"#,
        circuits = nat.circuits,
        hole_punching = nat.hole_punching,
        reachability_tests = nat.reachability_tests,
    )
}

/// The sections about what is fetched, and what lies here for others.
fn contents(config: &Config) -> String {
    format!(
        r#"[attachments]
# Which scans and other large content of documents to fetch from other clinics without being
# asked: "all", "up-to" the size below, or none ("on-demand"). `chartmesh attachment fetch` gets
# the others. They travel when nothing else does. Size in kibibytes (16 to 65536): 256 take half
# a minute at 64 kbit/s.
fetch = {fetch}
up-to-kibibytes = {up_to}

# Whether the nodes of this clinic also fetch from each other all that one of them holds, of
# whatever size, so that the loss of one loses nothing. With false, what is above goes for them,
# too: for a laptop with a small disk, or on a link that is paid for by the byte.
all-between-own-nodes = {all_between_own_nodes}

[relay]
# How much of one clinic's mail lies here at most, in mebibytes (16 to 1048576). Only a relay
# reads this.
mebibytes-per-clinic = {relay_mebibytes}
"#,
        fetch = quoted(config.attachments.fetch.as_str()),
        up_to = config.attachments.up_to_kibibytes,
        all_between_own_nodes = config.attachments.all_between_own_nodes,
        relay_mebibytes = config.relay.mebibytes_per_clinic,
    )
}

/// A list of addresses, one a line.
fn list(addresses: &[Address]) -> String {
    if addresses.is_empty() {
        return "[]".to_owned();
    }
    let lines = addresses
        .iter()
        .map(|address| format!("    {},\n", quoted(address.as_str())));
    format!("[\n{}]", lines.collect::<String>())
}

/// A text as a TOML basic string (TOML 1.0, "String"): quotes, backslashes and control
/// characters are escaped, and nothing else.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The committed example.
    const EXAMPLE: &str = include_str!("../example.toml");

    #[test]
    fn the_shipped_example_is_the_commented_defaults() {
        let defaults = Config::default_for("Hilltop Clinic").unwrap();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/example.toml");
            std::fs::write(path, render_commented(&defaults)).unwrap();
        }
        assert_eq!(EXAMPLE, render_commented(&defaults));
        assert_eq!(Config::parse(EXAMPLE).unwrap(), defaults);
    }

    fn config() -> impl Strategy<Value = Config> {
        let number = (1u32..=25, 1u64..=60, 60u64..=3600, 8u32..=512, 1u32..=8);
        let switches = (
            any::<bool>(),
            any::<bool>(),
            0usize..5,
            0usize..2,
            any::<u16>(),
            0usize..3,
            any::<[bool; 3]>(),
        );
        let lists = (0usize..=16, 0usize..=16);
        ("\\PC{1,40}", number, switches, lists).prop_filter_map(
            "a name of white space",
            |(name, (heartbeat, min, max, total, per_peer), switches, (listen, external))| {
                let mut config = Config::default_for(&name).ok()?;
                let (mdns, enabled, level, format, port, fetch, nat) = switches;
                let address = |n: usize| format!("/ip4/192.0.2.{n}/tcp/{}", n + 1);
                let addresses = |n| (0..n).map(|n| Address::external(&address(n)).unwrap());
                config.network.listen = addresses(listen).collect();
                config.network.external_addresses = addresses(external).collect();
                config.network.heartbeat = std::time::Duration::from_secs(heartbeat.into());
                config.network.reconnect.min = std::time::Duration::from_secs(min);
                config.network.reconnect.max = std::time::Duration::from_secs(max);
                config.network.limits.total = total;
                config.network.limits.per_peer = per_peer;
                config.network.mdns = mdns;
                let [circuits, hole_punching, reachability_tests] = nat;
                config.network.nat = Nat {
                    circuits,
                    hole_punching,
                    reachability_tests,
                };
                config.http.enabled = enabled;
                config.http.listen.set_port(port);
                config.log.level = crate::LogLevel::ALL[level];
                config.log.format = crate::LogFormat::ALL[format];
                config.attachments.fetch = crate::Fetch::ALL[fetch];
                config.attachments.up_to_kibibytes = 16 * total;
                config.attachments.all_between_own_nodes = mdns != enabled;
                Some(config)
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_rendered_is_parsed_as_the_same(config in config()) {
            prop_assert_eq!(Config::parse(&render_commented(&config)).unwrap(), config);
        }

        #[test]
        fn any_name_is_either_refused_or_kept(name in "[\"'\\\\#\\[\\]={}\n\r\t\\PC]{0,130}") {
            if let Ok(config) = Config::default_for(&name) {
                prop_assert_eq!(config.name.as_str(), name.trim());
                prop_assert_eq!(Config::parse(&render_commented(&config)).unwrap(), config);
            }
        }

        #[test]
        fn any_text_survives_being_quoted(text in any::<String>()) {
            let document = format!("key = {}", quoted(&text));
            let (table, errors) = toml::de::DeTable::parse_recoverable(&document);
            prop_assert!(errors.is_empty());
            let value = table.get_ref().get("key").unwrap().get_ref();
            prop_assert_eq!(value.as_str(), Some(text.as_str()));
        }
    }
}
