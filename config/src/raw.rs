//! The configuration as it was written: every key optional, nothing checked but its type.

use toml::de::DeTable;

use crate::error::ConfigError;
use crate::reader::{Lines, Section, Written};

/// The whole file.
#[derive(Debug, Default)]
pub(crate) struct RawConfig {
    pub(crate) name: Option<Written<String>>,
    pub(crate) role: Option<Written<String>>,
    pub(crate) network: RawNetwork,
    pub(crate) http: RawHttp,
    pub(crate) cache_mebibytes: Option<Written<i64>>,
    pub(crate) relay_mebibytes: Option<Written<i64>>,
    pub(crate) fetch: Option<Written<String>>,
    pub(crate) up_to_kibibytes: Option<Written<i64>>,
    pub(crate) all_between_own_nodes: Option<Written<bool>>,
    pub(crate) log_level: Option<Written<String>>,
    pub(crate) log_format: Option<Written<String>>,
}

/// `[network]` and the tables below it.
#[derive(Debug, Default)]
pub(crate) struct RawNetwork {
    pub(crate) listen: Option<Written<Vec<Written<String>>>>,
    pub(crate) external_addresses: Option<Written<Vec<Written<String>>>>,
    pub(crate) mdns: Option<Written<bool>>,
    pub(crate) heartbeat_seconds: Option<Written<i64>>,
    pub(crate) reconnect_min_seconds: Option<Written<i64>>,
    pub(crate) reconnect_max_seconds: Option<Written<i64>>,
    pub(crate) connections: Option<Written<i64>>,
    pub(crate) connections_per_peer: Option<Written<i64>>,
    pub(crate) circuits: Option<Written<bool>>,
    pub(crate) hole_punching: Option<Written<bool>>,
    pub(crate) reachability_tests: Option<Written<bool>>,
}

/// `[http]`.
#[derive(Debug, Default)]
pub(crate) struct RawHttp {
    pub(crate) enabled: Option<Written<bool>>,
    pub(crate) listen: Option<Written<String>>,
}

impl RawConfig {
    /// Reads a text. All faults are added to `errors`; what could be read is returned anyway,
    /// so that its values can be checked too.
    pub(crate) fn read(text: &str, errors: &mut Vec<ConfigError>) -> Self {
        let lines = Lines::new(text);
        let (document, syntax) = DeTable::parse_recoverable(text);
        if !syntax.is_empty() {
            // What a broken text seems to say would only raise faults that are none.
            errors.extend(syntax.iter().map(|error| ConfigError::Syntax {
                line: lines.line(error.span().map_or(0, |span| span.start)),
                problem: error.message().replace('\n', ", "),
            }));
            return Self::default();
        }
        Self::read_root(Section::root(document.get_ref(), &lines), errors)
    }

    fn read_root(mut root: Section<'_, '_>, errors: &mut Vec<ConfigError>) -> Self {
        let name = root.text(
            "name",
            "the clinic's name, such as \"Hilltop Clinic\"",
            errors,
        );
        let role = root.text("role", "\"clinic\" or \"relay\"", errors);
        let network = RawNetwork::read(root.section("network", errors), errors);

        let mut section = root.section("http", errors);
        let http = RawHttp {
            enabled: section.flag("enabled", errors),
            listen: section.text("listen", "\"127.0.0.1:8080\"", errors),
        };
        section.finish(errors);

        let mut section = root.section("store", errors);
        let cache_mebibytes = section.number("cache-mebibytes", "64", errors);
        section.finish(errors);

        let mut section = root.section("attachments", errors);
        let fetch = section.text("fetch", "\"up-to\"", errors);
        let up_to_kibibytes = section.number("up-to-kibibytes", "256", errors);
        let all_between_own_nodes = section.flag("all-between-own-nodes", errors);
        section.finish(errors);

        let mut section = root.section("relay", errors);
        let relay_mebibytes = section.number("mebibytes-per-clinic", "2048", errors);
        section.finish(errors);

        let mut section = root.section("log", errors);
        let log_level = section.text("level", "\"info\"", errors);
        let log_format = section.text("format", "\"text\" or \"json\"", errors);
        section.finish(errors);

        root.finish(errors);
        Self {
            name,
            role,
            network,
            http,
            cache_mebibytes,
            relay_mebibytes,
            fetch,
            up_to_kibibytes,
            all_between_own_nodes,
            log_level,
            log_format,
        }
    }
}

impl RawNetwork {
    fn read(mut section: Section<'_, '_>, errors: &mut Vec<ConfigError>) -> Self {
        let listen = section.texts("listen", "\"/ip4/0.0.0.0/udp/0/quic-v1\"", errors);
        let example = "\"/dns4/clinic.example.org/udp/7878/quic-v1\"";
        let external_addresses = section.texts("external-addresses", example, errors);
        let mdns = section.flag("mdns", errors);
        let heartbeat_seconds = section.number("heartbeat-seconds", "25", errors);

        let mut reconnect = section.section("reconnect", errors);
        let reconnect_min_seconds = reconnect.number("min-seconds", "1", errors);
        let reconnect_max_seconds = reconnect.number("max-seconds", "300", errors);
        reconnect.finish(errors);

        let mut limits = section.section("limits", errors);
        let connections = limits.number("connections", "64", errors);
        let connections_per_peer = limits.number("connections-per-peer", "4", errors);
        limits.finish(errors);

        let mut nat = section.section("nat", errors);
        let circuits = nat.flag("circuits", errors);
        let hole_punching = nat.flag("hole-punching", errors);
        let reachability_tests = nat.flag("reachability-tests", errors);
        nat.finish(errors);

        section.finish(errors);
        Self {
            listen,
            external_addresses,
            mdns,
            heartbeat_seconds,
            reconnect_min_seconds,
            reconnect_max_seconds,
            connections,
            connections_per_peer,
            circuits,
            hole_punching,
            reachability_tests,
        }
    }
}
