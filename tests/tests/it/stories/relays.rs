//! A relay between clinics that are never online together.

use std::process::Stdio;

use chartmesh_tests::bundle::resources;
use chartmesh_tests::clinic::text;
use chartmesh_tests::scan::Scan;
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, introduce};
use serde_json::Value;

use super::{NakatoShared, SOON, shared_with};
use crate::PROGRAM;

/// Words that must not be seen at a relay.
const SECRETS: [&str; 4] = ["Nakato", "Amina", "the first note", "the answer"];

/// Two clinics that know each other's cards, and a relay that runs all the time.
pub(super) struct Coast {
    pub(super) hill: Clinic,
    pub(super) river: Clinic,
    pub(super) relay: Clinic,
}

impl Coast {
    pub(super) fn new() -> Self {
        let [hill, river] =
            ["Hill Clinic", "River Hospital"].map(|name| Clinic::create(PROGRAM, name));
        let mut relay = Clinic::create_relay(PROGRAM, "Coast Relay");
        relay.start();
        introduce(&hill, &river);
        for clinic in [&hill, &river] {
            introduce(clinic, &relay);
        }
        Self { hill, river, relay }
    }

    /// The chart of one patient whom the relay may carry.
    pub(super) fn carried(&self) -> NakatoShared {
        let nakato = shared_with(&self.hill, &self.river);
        self.let_relay(&nakato);
        nakato
    }

    fn let_relay(&self, nakato: &NakatoShared) -> String {
        let relay = self.relay.id();
        let mut arguments = vec!["consent", "grant", "--rights", "relay", "--to", &relay];
        arguments.extend(["--patient", &nakato.chart, "--compartments", "all"]);
        text(&self.hill.json(&arguments)["grant"])
    }

    /// A clinic goes online alone, and offline again.
    pub(super) fn visit(&self, clinic: &Clinic) -> Value {
        let relay = self.relay.id();
        let report = clinic.json(&["sync", "now", "--peer", &relay]);
        let peer = report["peers"][0].clone();
        assert!(peer["error"].is_null(), "{peer}");
        peer
    }
}

#[test]
fn clinics_that_are_never_online_together_share_a_chart_through_a_relay() {
    let mut coast = Coast::new();
    let nakato = coast.carried();
    nakato.note(&coast.hill, "n1", "the first note");
    coast.visit(&coast.hill);
    coast.visit(&coast.river);
    let charts = [&coast.hill, &coast.river].map(|clinic| clinic.export(&nakato.chart));
    assert_eq!(resources(&charts[0]), resources(&charts[1]));

    nakato.note(&coast.river, "n2", "the answer");
    coast.visit(&coast.river);
    coast.visit(&coast.hill);
    let charts = [&coast.hill, &coast.river].map(|clinic| clinic.export(&nakato.chart));
    assert_eq!(resources(&charts[0]), resources(&charts[1]));
    assert!(nakato.has(&coast.hill, "Observation/n2"));

    // Nothing new: one round trip, however much lies there.
    let again = coast.visit(&coast.hill);
    assert_eq!(again["round_trips"], 1, "{again}");

    let status = coast.relay.json(&["status"]);
    assert_eq!(status["charts"], 0, "{status}");
    assert!(status["relay"]["mail"].as_u64().unwrap() > 4, "{status}");
    let words = coast.relay.ok(&["status"]);
    let boxes = format!("{} pieces in 4 boxes\n", status["relay"]["mail"]);
    assert!(words.contains(&boxes), "{words}");
    assert!(
        words.contains("    Hill Clinic: 1 of 2048 MiB\n"),
        "{words}"
    );
    coast.relay.stop();
    assert_eq!(Scan::for_texts(SECRETS).folder(&coast.relay.dir()), []);
}

/// The line that a clinic's status has of another one.
fn told(at: &Clinic, of: &Clinic) -> String {
    let status = at.ok(&["status"]);
    let name = format!("  {}: ", of.name());
    let line = status.lines().find_map(|line| line.split_once(&name));
    line.unwrap_or_else(|| panic!("{status}")).1.to_owned()
}

#[test]
fn clinics_that_are_never_online_together_see_that_the_other_has_what_was_saved() {
    let coast = Coast::new();
    let fresh = told(&coast.hill, &coast.relay);
    assert_eq!(fresh, "not connected, nothing waits; never compared yet");
    let nakato = coast.carried();
    nakato.note(&coast.hill, "n1", "the first note");
    assert_eq!(
        told(&coast.hill, &coast.river),
        "not connected, 2 records wait; never compared yet"
    );
    coast.visit(&coast.hill);
    assert_eq!(
        told(&coast.hill, &coast.river),
        "not connected, 2 records wait; never compared yet; all of them lie at Coast Relay"
    );
    coast.visit(&coast.river);
    coast.visit(&coast.hill);
    let all = "has everything that you saved; confirmed just now, through Coast Relay";
    assert_eq!(told(&coast.hill, &coast.river), all);
    let status = coast.hill.json(&["sync", "status"]);
    let lines = status["peers"].as_array().unwrap();
    let river = lines.iter().find(|line| line["name"] == "River Hospital");
    let river = river.unwrap();
    assert_eq!(
        (&river["owed_out"], &river["records"]),
        (&0.into(), &0.into())
    );
    assert_eq!(river["confirmed_through"], "Coast Relay");
    assert!(river["confirmed"].is_string(), "{river}");

    nakato.note(&coast.river, "n2", "the answer");
    assert!(told(&coast.river, &coast.hill).starts_with("not connected, 1 record waits;"));
    for clinic in [&coast.river, &coast.hill, &coast.river] {
        coast.visit(clinic);
    }
    assert_eq!(told(&coast.river, &coast.hill), all);
    assert_eq!(told(&coast.hill, &coast.river), all);
    // No word is put of a word: with nothing new a visit is one round trip.
    coast.visit(&coast.hill);
    for clinic in [&coast.river, &coast.hill] {
        let visit = coast.visit(clinic);
        assert_eq!(
            (&visit["round_trips"], &visit["records_sent"]),
            (&1.into(), &0.into())
        );
    }
}

#[test]
fn a_sync_is_no_failure_when_a_relay_holds_what_an_absent_clinic_lacks() {
    let coast = Coast::new();
    let nakato = shared_with(&coast.hill, &coast.river);
    let river = coast.river.id();
    coast.let_relay(&nakato);
    let lies = "River Hospital: was not reached; what you saved lies at Coast Relay for it\n";
    for arguments in [&["sync", "now"][..], &["sync", "now", "--peer", &river]] {
        let output = coast.hill.ok(arguments);
        assert!(output.contains(lies), "{output}");
    }
    coast.visit(&coast.river);
    coast.visit(&coast.hill);
    let output = coast.hill.ok(&["sync", "now", "--peer", &river]);
    let has = "River Hospital: was not reached; it has all that is shared with it, as it told \
               through Coast Relay\n";
    assert!(output.contains(has), "{output}");
}

#[test]
fn clinics_that_meet_nowhere_else_hear_at_the_relay_that_it_may_carry_no_more() {
    let coast = Coast::new();
    let nakato = shared_with(&coast.hill, &coast.river);
    let carried = coast.let_relay(&nakato);
    for clinic in [&coast.hill, &coast.river, &coast.hill] {
        coast.visit(clinic);
    }
    nakato.note(&coast.river, "n1", "the answer");
    coast.visit(&coast.river);
    coast
        .hill
        .ok(&["consent", "revoke", &carried, "--reason", "she asked"]);
    let not_heard = "; it has NOT HEARD yet that a consent has ended (1 patient)";
    assert!(told(&coast.hill, &coast.river).contains(not_heard));
    coast.visit(&coast.hill);
    // River does not know yet, and hill says so.
    assert!(told(&coast.hill, &coast.river).contains(not_heard));
    assert!(told(&coast.river, &coast.hill).ends_with("; it lies at Coast Relay"));
    coast.visit(&coast.river);
    let waits = told(&coast.river, &coast.hill);
    assert!(
        waits.starts_with("not connected, 1 record waits; last in sync "),
        "{waits}"
    );
    assert!(!waits.contains("at Coast Relay"), "{waits}");
    // Nothing does for hill, which is not reached: that is a failure again.
    let hill = coast.hill.id();
    let output = coast.river.cli(&["sync", "now", "--peer", &hill]);
    assert_eq!(output.code, Some(7), "{output:?}");
    coast.visit(&coast.hill);
    let heard = told(&coast.hill, &coast.river);
    assert!(!heard.contains("NOT HEARD"), "{heard}");
    let has = "has everything that you saved; confirmed just now, through Coast Relay";
    assert_eq!(heard, has);
}

#[test]
fn a_clinic_that_was_killed_is_let_in_while_the_relay_has_something_for_it() {
    // Of two streams that are opened at once, that of the node with the smaller id is kept.
    let node = |clinic: &Clinic| text(&clinic.json(&["id"])["node_id"]);
    let mut coasts = std::iter::repeat_with(Coast::new);
    let first = coasts.find(|coast| node(&coast.relay) < node(&coast.river));
    let coast = first.expect("one of many is so");
    let nakato = coast.carried();
    for clinic in [&coast.hill, &coast.river] {
        coast.visit(clinic);
    }
    for number in 0..6 {
        nakato.note(&coast.river, &format!("r{number}"), &noise(number, 600_000));
    }
    let mail = || coast.relay.json(&["status"])["relay"]["mail"].as_u64();
    let before = mail();
    let mut upload = coast.river.command();
    let upload = upload.args(["sync", "now"]).stdout(Stdio::null()).spawn();
    let mut upload = upload.unwrap();
    wait_until("something to arrive at the relay", SOON, || mail() > before);
    upload.kill().unwrap();
    upload.wait().unwrap();
    coast.visit(&coast.river);
    nakato.note(&coast.hill, "n1", "the note");
    // The second visit gives the relay time to call.
    for _ in 0..2 {
        coast.visit(&coast.hill);
    }
    coast.visit(&coast.river);
    assert!(nakato.has(&coast.river, "Observation/n1"));
    assert!(nakato.has(&coast.hill, "Observation/r5"));
}

/// Text that does not compress below half of its length.
fn noise(seed: u32, bytes: usize) -> String {
    let mut state = u64::from(seed).wrapping_add(1);
    let digits = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        format!("{:08x}", state >> 32)
    });
    digits.take(bytes / 8).collect()
}

#[test]
fn whoever_adds_a_relay_is_told_how_to_let_it_carry() {
    let hill = Clinic::create(PROGRAM, "Hill Clinic");
    let relay = Clinic::create_relay(PROGRAM, "Coast Relay");
    hill.json(&["patient", "register", "--given", "Amina"]);
    let said = hill.ok(&["peer", "add", &text(&relay.json(&["id"])["card"])]);
    let told = said
        .lines()
        .find_map(|line| line.strip_prefix("  chartmesh "));
    let words: Vec<&str> = told
        .unwrap_or_else(|| panic!("{said}"))
        .split(' ')
        .collect();
    // It is a whole command, and does what it is told for.
    assert_eq!(
        hill.ok(&words).lines().next(),
        Some("Granted for 1 patient.")
    );
    let grants = hill.json(&["consent", "list"]);
    assert_eq!(
        grants[0]["rights"],
        serde_json::json!(["relay"]),
        "{grants}"
    );
    let help = hill.ok(&["consent", "grant", "--help"]);
    assert!(help.contains("--rights relay"), "{help}");
    // Of a clinic nothing of the kind is said.
    let river = Clinic::create(PROGRAM, "River Hospital");
    let said = hill.ok(&["peer", "add", &text(&river.json(&["id"])["card"])]);
    assert!(!said.contains("relay"), "{said}");
}
