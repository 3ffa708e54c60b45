//! From what was written to what is meant: defaults filled in, every value checked.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::address::{Address, AddressError};
use crate::error::{ConfigError, ConfigErrors};
use crate::limits::*;
use crate::name::Name;
use crate::raw::{RawConfig, RawHttp, RawNetwork};
use crate::reader::Written;
use crate::settings::{
    Attachments, Config, ConnectionLimits, Fetch, Http, Log, LogFormat, LogLevel, Nat, Network,
    Reconnect, Relay, Role, Store,
};

/// What to write for a name.
const NAME_EXAMPLE: &str = "the clinic's name on one line, such as name = \"Hilltop Clinic\"";

/// Where a node listens unless told: a free port on every IPv4 interface, over both transports.
const LISTEN: [&str; 2] = ["/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/0.0.0.0/tcp/0"];

/// The faults that were found so far.
type Faults = Vec<ConfigError>;

/// Reads and checks a text; see [`Config::parse`].
pub(crate) fn parse(text: &str) -> Result<Config, ConfigErrors> {
    if text.len() > MAX_CONFIG_BYTES {
        return Err(ConfigError::TooLong {
            bytes: text.len(),
            max: MAX_CONFIG_BYTES,
        }
        .into());
    }
    let mut faults = Faults::new();
    let raw = RawConfig::read(text, &mut faults);
    if faults
        .iter()
        .any(|fault| matches!(fault, ConfigError::Syntax { .. }))
    {
        // Nothing was read: that the name is missing would be one fault too many.
        return Err(ConfigErrors::of(faults));
    }
    resolve(&raw, faults)
}

/// The defaults under a name; see [`Config::default_for`].
pub(crate) fn default_for(name: &str) -> Result<Config, ConfigErrors> {
    let name = Some(Written {
        value: name.to_owned(),
        line: 1,
    });
    resolve(
        &RawConfig {
            name,
            ..RawConfig::default()
        },
        Faults::new(),
    )
}

/// Checks every value; one that is wrong stands as its default until the faults are reported.
fn resolve(raw: &RawConfig, mut faults: Faults) -> Result<Config, ConfigErrors> {
    let name = name(raw.name.as_ref(), &mut faults);
    let roles = [Role::Clinic, Role::Relay].map(|role| (role.as_str(), role));
    let role = one_of("role", raw.role.as_ref(), &roles, Role::Clinic, &mut faults);
    let network = network(&raw.network, &mut faults);
    let http = http(&raw.http, &mut faults);
    let store = Store {
        cache_mebibytes: number(
            "store.cache-mebibytes",
            raw.cache_mebibytes.as_ref(),
            CACHE_MEBIBYTES,
            DEFAULT_CACHE_MEBIBYTES,
            &mut faults,
        ),
    };
    let relay = Relay {
        mebibytes_per_clinic: number(
            "relay.mebibytes-per-clinic",
            raw.relay_mebibytes.as_ref(),
            RELAY_MEBIBYTES,
            DEFAULT_RELAY_MEBIBYTES,
            &mut faults,
        ),
    };
    let attachments = attachments(raw, &mut faults);
    let levels = LogLevel::ALL.map(|level| (level.as_str(), level));
    let formats = LogFormat::ALL.map(|format| (format.as_str(), format));
    let log = Log {
        level: one_of(
            "log.level",
            raw.log_level.as_ref(),
            &levels,
            LogLevel::Info,
            &mut faults,
        ),
        format: one_of(
            "log.format",
            raw.log_format.as_ref(),
            &formats,
            LogFormat::Text,
            &mut faults,
        ),
    };
    match name {
        Some(name) if faults.is_empty() => Ok(Config {
            name,
            role,
            network,
            http,
            store,
            relay,
            attachments,
            log,
        }),
        _ => Err(ConfigErrors::of(faults)),
    }
}

fn name(written: Option<&Written<String>>, faults: &mut Faults) -> Option<Name> {
    let Some(written) = written else {
        // One of the wrong type was written, and has been reported.
        if !faults.iter().any(|fault| fault.is_about("name")) {
            faults.push(ConfigError::Missing {
                key: "name".to_owned(),
                instead: NAME_EXAMPLE.to_owned(),
            });
        }
        return None;
    };
    match Name::new(&written.value) {
        Ok(name) => Some(name),
        Err(error) => {
            faults.push(bad("name", written.line, error.to_string(), NAME_EXAMPLE));
            None
        }
    }
}

fn network(raw: &RawNetwork, faults: &mut Faults) -> Network {
    let listen_example = format!("{:?}", LISTEN[0]);
    let listen = match &raw.listen {
        Some(list) => addresses(
            "network.listen",
            list,
            Address::listen,
            &listen_example,
            faults,
        ),
        None => LISTEN
            .iter()
            .filter_map(|text| Address::listen(text).ok())
            .collect(),
    };
    let external_addresses = raw.external_addresses.as_ref().map(|list| {
        let example = "\"/dns4/clinic.example.org/udp/7878/quic-v1\"";
        addresses(
            "network.external-addresses",
            list,
            Address::external,
            example,
            faults,
        )
    });
    let heartbeat: u32 = number(
        "network.heartbeat-seconds",
        raw.heartbeat_seconds.as_ref(),
        HEARTBEAT_SECONDS,
        DEFAULT_HEARTBEAT_SECONDS,
        faults,
    );
    Network {
        listen,
        external_addresses: external_addresses.unwrap_or_default(),
        mdns: raw.mdns.as_ref().is_some_and(|written| written.value),
        heartbeat: Duration::from_secs(heartbeat.into()),
        reconnect: reconnect(raw, faults),
        limits: connection_limits(raw, faults),
        nat: nat(raw),
    }
}

/// One test of where a node is reached costs up to 100 KB: on a metered link, somebody decides.
fn nat(raw: &RawNetwork) -> Nat {
    let flag = |written: &Option<Written<bool>>, default| {
        written.as_ref().map_or(default, |written| written.value)
    };
    Nat {
        circuits: flag(&raw.circuits, true),
        hole_punching: flag(&raw.hole_punching, true),
        reachability_tests: flag(&raw.reachability_tests, false),
    }
}

fn attachments(raw: &RawConfig, faults: &mut Faults) -> Attachments {
    let choices = Fetch::ALL.map(|choice| (choice.as_str(), choice));
    Attachments {
        fetch: one_of(
            "attachments.fetch",
            raw.fetch.as_ref(),
            &choices,
            Fetch::UpTo,
            faults,
        ),
        up_to_kibibytes: number(
            "attachments.up-to-kibibytes",
            raw.up_to_kibibytes.as_ref(),
            UP_TO_KIBIBYTES,
            DEFAULT_UP_TO_KIBIBYTES,
            faults,
        ),
        all_between_own_nodes: raw
            .all_between_own_nodes
            .as_ref()
            .is_none_or(|written| written.value),
    }
}

fn reconnect(raw: &RawNetwork, faults: &mut Faults) -> Reconnect {
    let (min_key, max_key) = (
        "network.reconnect.min-seconds",
        "network.reconnect.max-seconds",
    );
    let (min, max) = (
        raw.reconnect_min_seconds.as_ref(),
        raw.reconnect_max_seconds.as_ref(),
    );
    let first = number(
        min_key,
        min,
        RECONNECT_SECONDS,
        DEFAULT_RECONNECT_MIN_SECONDS,
        faults,
    );
    let last = number(
        max_key,
        max,
        RECONNECT_SECONDS,
        DEFAULT_RECONNECT_MAX_SECONDS,
        faults,
    );
    if let Some(line) = max
        .or(min)
        .map(|written| written.line)
        .filter(|_| last < first)
    {
        let problem = format!("{last} is less than min-seconds, which is {first}");
        faults.push(bad(max_key, line, problem, &format!("{first} or more")));
    }
    Reconnect {
        min: Duration::from_secs(u64::from(first)),
        max: Duration::from_secs(u64::from(last)),
    }
}

fn connection_limits(raw: &RawNetwork, faults: &mut Faults) -> ConnectionLimits {
    let key = "network.limits.connections";
    let total = number(
        key,
        raw.connections.as_ref(),
        CONNECTIONS,
        DEFAULT_CONNECTIONS,
        faults,
    );
    let key = "network.limits.connections-per-peer";
    let written = raw.connections_per_peer.as_ref();
    // Whoever lowers only the total means that it bounds each peer too.
    let default = DEFAULT_CONNECTIONS_PER_PEER.min(total.into());
    let per_peer = number(key, written, CONNECTIONS_PER_PEER, default, faults);
    if let Some(line) = written
        .map(|written| written.line)
        .filter(|_| per_peer > total)
    {
        let problem = format!("{per_peer} is more than connections, which is {total}");
        faults.push(bad(key, line, problem, &format!("{total} or less")));
    }
    ConnectionLimits { total, per_peer }
}

fn http(raw: &RawHttp, faults: &mut Faults) -> Http {
    let mut listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    if let Some(written) = &raw.listen {
        let example = "\"127.0.0.1:8080\", or port 0 for a free one";
        let problem = match written.value.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => {
                listen = address;
                None
            }
            Ok(address) => Some(format!(
                "{address} can be reached from outside this machine, and HTTP is not encrypted"
            )),
            Err(_) => Some(format!("{:?} is not IP:PORT", written.value)),
        };
        faults.extend(problem.map(|problem| bad("http.listen", written.line, problem, example)));
    }
    let enabled = raw.enabled.as_ref().is_none_or(|written| written.value);
    Http { enabled, listen }
}

/// The addresses of a list; each that is wrong, or there twice, is a fault of its own line.
fn addresses(
    key: &str,
    list: &Written<Vec<Written<String>>>,
    parse: impl Fn(&str) -> Result<Address, AddressError>,
    example: &str,
    faults: &mut Faults,
) -> Vec<Address> {
    if list.value.len() > MAX_ADDRESSES {
        let problem = format!("has {} addresses", list.value.len());
        faults.push(bad(
            key,
            list.line,
            problem,
            &format!("at most {MAX_ADDRESSES}"),
        ));
        return Vec::new();
    }
    let mut addresses = Vec::new();
    for Written { value, line } in &list.value {
        match parse(value) {
            Ok(address) if addresses.contains(&address) => {
                let problem = format!("{value:?} is there twice");
                faults.push(bad(key, *line, problem, "it once"));
            }
            Ok(address) => addresses.push(address),
            Err(error) => {
                faults.push(bad(key, *line, format!("{value:?} {error}"), example));
            }
        }
    }
    addresses
}

/// The number, or the default when there is none or it is out of range. All ranges lie within
/// 32 bits.
fn number(
    key: &str,
    written: Option<&Written<i64>>,
    range: RangeInclusive<u64>,
    default: u64,
    faults: &mut Faults,
) -> u32 {
    let fallback = u32::try_from(default).unwrap_or(u32::MAX);
    let Some(&Written { value, line }) = written else {
        return fallback;
    };
    let usable = u64::try_from(value)
        .ok()
        .filter(|value| range.contains(value));
    match usable.and_then(|value| u32::try_from(value).ok()) {
        Some(value) => value,
        None => {
            let (low, high) = range.into_inner();
            let problem = format!("{value} is out of range");
            let instead = format!("a whole number from {low} to {high}, such as {default}");
            faults.push(bad(key, line, problem, &instead));
            fallback
        }
    }
}

/// The choice with that word, or the default when there is none.
fn one_of<T: Copy>(
    key: &str,
    written: Option<&Written<String>>,
    choices: &[(&str, T)],
    default: T,
    faults: &mut Faults,
) -> T {
    let Some(Written { value, line }) = written else {
        return default;
    };
    let choice = choices.iter().find(|(word, _)| word == value);
    if choice.is_none() {
        let words: Vec<String> = choices
            .iter()
            .map(|(word, _)| format!("{word:?}"))
            .collect();
        faults.push(bad(
            key,
            *line,
            format!("{value:?} is not known"),
            &words.join(" or "),
        ));
    }
    choice.map_or(default, |&(_, choice)| choice)
}

fn bad(key: &str, line: usize, problem: String, instead: &str) -> ConfigError {
    ConfigError::BadValue {
        key: key.to_owned(),
        line,
        problem,
        instead: instead.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        let errors = parse(text).unwrap_err();
        assert_eq!(errors.iter().count(), 1, "{errors}");
        errors.iter().next().unwrap().to_string()
    }

    #[test]
    fn a_name_alone_is_a_whole_configuration() {
        let config = parse("name = \"Hilltop\"").unwrap();
        assert_eq!(config, default_for("Hilltop").unwrap());
        assert_eq!(config.network.listen.len(), 2);
        assert_eq!(config.network.heartbeat, Duration::from_secs(25));
        assert_eq!(config.http.listen.to_string(), "127.0.0.1:0");
        assert!(config.http.enabled && !config.network.mdns);
        let nat = config.network.nat;
        assert!(nat.circuits && nat.hole_punching && !nat.reachability_tests);
        assert_eq!(config.store.cache_bytes(), 64 * 1024 * 1024);
    }

    #[test]
    fn every_key_takes_its_value() {
        let text = r#"
            name = "مستوصف النور"
            role = "clinic"
            [network]
            listen = ["/ip6/::/tcp/7878"]
            external-addresses = ["/dns4/clinic.example.org/tcp/7878"]
            mdns = true
            heartbeat-seconds = 5
            reconnect = { min-seconds = 2, max-seconds = 60 }
            limits = { connections = 8, connections-per-peer = 2 }
            nat = { circuits = false, hole-punching = false, reachability-tests = true }
            [http]
            enabled = false
            listen = "[::1]:8080"
            [store]
            cache-mebibytes = 0x20
            [log]
            level = "debug"
            format = "json"
        "#;
        let config = parse(text).unwrap();
        assert_eq!(config.name.as_str(), "مستوصف النور");
        assert_eq!(config.network.listen[0].as_str(), "/ip6/::/tcp/7878");
        assert_eq!(config.network.external_addresses.len(), 1);
        assert!(config.network.mdns && !config.http.enabled);
        let nat = config.network.nat;
        assert!(!nat.circuits && !nat.hole_punching && nat.reachability_tests);
        assert_eq!(config.network.reconnect.max, Duration::from_secs(60));
        assert_eq!(
            config.network.limits,
            ConnectionLimits {
                total: 8,
                per_peer: 2
            }
        );
        assert_eq!(config.http.listen.port(), 8080);
        assert_eq!(config.store.cache_mebibytes, 32);
        assert_eq!(
            (config.log.level, config.log.format),
            (LogLevel::Debug, LogFormat::Json)
        );
    }

    #[test]
    fn a_node_is_a_clinic_or_a_relay() {
        let config = parse("name = \"H\"\nrole = \"relay\"").unwrap();
        assert_eq!(config.role, Role::Relay);
        assert_eq!(config.relay.quota_bytes(), 2048 * 1024 * 1024);
        let text = fault("name = \"H\"\nrole = \"hospital\"");
        assert!(text.contains("\"clinic\" or \"relay\""), "{text}");
        for value in ["15", "1048577"] {
            let text = fault(&format!(
                "name = \"H\"\n[relay]\nmebibytes-per-clinic = {value}"
            ));
            assert!(text.contains("relay.mebibytes-per-clinic"), "{text}");
        }
    }

    #[test]
    fn an_empty_list_to_listen_on_is_kept_and_is_not_the_default() {
        assert_eq!(
            parse("name='H'\nnetwork.listen = []")
                .unwrap()
                .network
                .listen,
            []
        );
    }

    #[test]
    fn http_beyond_this_machine_is_refused_while_it_is_not_encrypted() {
        let text = fault("name = \"H\"\n[http]\nlisten = \"0.0.0.0:8080\"");
        assert!(text.contains("line 3: `http.listen`: 0.0.0.0:8080 can be reached from outside"));
    }

    #[test]
    fn numbers_out_of_range_and_beyond_64_bits_are_refused() {
        for value in [
            "0",
            "-1",
            "4097",
            "99999999999999999999999",
            "-99999999999999999999999",
        ] {
            let text = fault(&format!("name = \"H\"\n[store]\ncache-mebibytes = {value}"));
            assert!(
                text.contains("a whole number from 4 to 4096, such as 64"),
                "{text}"
            );
        }
    }

    #[test]
    fn limits_that_contradict_each_other_are_refused() {
        let text = "name='H'\nnetwork.reconnect = {min-seconds = 9, max-seconds = 3}";
        assert!(fault(text).contains("3 is less than min-seconds, which is 9"));
        let text = "name='H'\nnetwork.reconnect = {min-seconds = 301}";
        assert!(fault(text).contains("300 is less than min-seconds, which is 301"));
        let text = "name='H'\nnetwork.limits = {connections = 2, connections-per-peer = 3}";
        assert!(fault(text).contains("3 is more than connections, which is 2"));
        let text = "name='H'\nnetwork.limits = {connections = 2}";
        assert_eq!(parse(text).unwrap().network.limits.per_peer, 2);
    }

    #[test]
    fn too_many_and_repeated_addresses_are_refused() {
        let one = "\"/ip4/127.0.0.1/tcp/1\",";
        let text = fault(&format!("name='H'\nnetwork.listen = [{}]", one.repeat(17)));
        assert!(
            text.contains("has 17 addresses; write at most 16"),
            "{text}"
        );
        let text = fault(&format!("name='H'\nnetwork.listen = [{one}\n{one}]"));
        assert!(
            text.starts_with("line 3:") && text.contains("is there twice"),
            "{text}"
        );
    }

    #[test]
    fn a_text_too_long_is_not_parsed() {
        let text = format!("name = \"{}\"", "x".repeat(MAX_CONFIG_BYTES));
        assert!(fault(&text).contains("is this the right file?"));
    }

    #[test]
    fn a_broken_text_reports_its_syntax_and_nothing_that_follows_from_it() {
        let errors = parse("nmae = \"H\nrole = relay\nrole = 1").unwrap_err();
        assert!(
            errors
                .iter()
                .all(|error| matches!(error, ConfigError::Syntax { .. }))
        );
        assert!(fault("name = \"H\"\nname = \"H\"").starts_with("line 2: not TOML: duplicate"));
    }

    #[test]
    fn a_wrong_type_of_a_table_or_name_is_one_fault() {
        assert!(fault("name = 5").contains("`name`: is a whole number, not text in quotes"));
        let text = fault("name = 'H'\nhttp = false");
        assert!(
            text.contains("`http`: is a boolean, not a table; write [http]"),
            "{text}"
        );
    }
}
