//! A relay between clinics that are never online together.

use chartmesh_tests::bundle::resources;
use chartmesh_tests::clinic::text;
use chartmesh_tests::scan::Scan;
use chartmesh_tests::{Clinic, introduce};
use serde_json::Value;

use super::{NakatoShared, shared_with};
use crate::PROGRAM;

/// Words that must not be seen at a relay.
const SECRETS: [&str; 4] = ["Nakato", "Amina", "the first note", "the answer"];

/// Two clinics that know each other's cards, and a relay that runs all the time.
struct Coast {
    hill: Clinic,
    river: Clinic,
    relay: Clinic,
}

impl Coast {
    fn new() -> Self {
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
    fn carried(&self) -> NakatoShared {
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
    fn visit(&self, clinic: &Clinic) -> Value {
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
