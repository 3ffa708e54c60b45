//! Clinics on hosts of their own, and what happens on the link between them.

mod backlog;
mod circuit;
mod cut;
mod moved;
mod nothing;
mod reached;
mod relay;
mod stick;
mod stranger;

use std::collections::BTreeSet;
use std::time::Duration;

use chartmesh_tests::bundle::resources;
use chartmesh_tests::link::Network;
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, introduce};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::PROGRAM;
use crate::stories::{NakatoShared, shared_with};

/// How long a link of 64 kbit/s may take that is cut half of the time: what was lost in a cut is
/// sent again only after a while, and that may fall into the next cut.
const PATIENCE: Duration = Duration::from_secs(300);

/// Two clinics in sync over a good link, one patient's chart shared between them.
struct Valley {
    hill: Clinic,
    river: Clinic,
    nakato: NakatoShared,
    /// Last, so that the daemons end before their hosts do.
    network: Network,
}

impl Valley {
    /// None where the machine has no namespaces.
    fn new() -> Option<Self> {
        let network = Network::required(2)?;
        let [hill, river] = [(0, "Hill Clinic"), (1, "River Hospital")].map(|(host, name)| {
            let mut clinic = Clinic::create_at(PROGRAM, name, network.place(host));
            clinic.start();
            clinic
        });
        introduce(&hill, &river);
        let nakato = shared_with(&hill, &river);
        hill.sync();
        let patient = nakato.patient_key();
        nakato.wait_for(&river, &patient);
        Some(Self {
            hill,
            river,
            nakato,
            network,
        })
    }

    /// Whether both hold the same chart. Until they do, none may be readable at one.
    fn agree(&self) -> bool {
        let charts = [&self.hill, &self.river].map(|clinic| {
            let chart = clinic.cli(&["export", "--patient", &self.nakato.chart]);
            (chart.code == Some(0)).then(|| resources(&chart.stdout))
        });
        charts[0].is_some() && charts[0] == charts[1]
    }

    /// Waits until both hold the same, resource by resource, and these notes among them.
    fn wait_until_they_agree(&self, notes: &[String]) {
        wait_until("both to hold the same", PATIENCE, || self.agree());
        let held: BTreeSet<String> = resources(&self.river.export(&self.nakato.chart))
            .into_keys()
            .collect();
        for note in notes {
            let key = format!("Observation/{note}");
            assert!(held.contains(&key), "{key} is missing: {held:?}");
        }
    }
}

/// Clinics on hosts that are parted from each other, and a relay that both reach.
const HILL: usize = 0;
const RIVER: usize = 1;
const RELAY: usize = 2;
const RELAY_NAME: &str = "Coast Relay";

/// Starts a relay and two clinics that know each other, on the first hosts of a network. One line
/// of each configuration is written anew.
fn around_a_relay(network: &Network, line: &str, instead: &str) -> [Clinic; 3] {
    network.part(HILL, RIVER);
    let create = |host: usize, name: &str, role: &str| {
        let mut clinic = Clinic::create_as(PROGRAM, name, network.place(host), role);
        clinic.configure(line, instead);
        clinic.start();
        clinic
    };
    let relay = create(RELAY, RELAY_NAME, "relay");
    let hill = create(HILL, "Hill Clinic", "clinic");
    let river = create(RIVER, "River Hospital", "clinic");
    introduce(&hill, &river);
    introduce(&hill, &relay);
    introduce(&river, &relay);
    [hill, river, relay]
}

/// Hexadecimal digits by chance: sealed, they take half their length.
fn digits(seed: u64, length: usize) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let digit = |_| char::from_digit(rng.random_range(0..16), 16).unwrap();
    (0..length).map(digit).collect()
}
