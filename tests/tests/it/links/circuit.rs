//! Two clinics that have no way to each other, and a relay that passes their link on.

use chartmesh_tests::Clinic;
use chartmesh_tests::link::{Conditions, Network};
use chartmesh_tests::wait::wait_until;
use serde_json::Value;

use super::{HILL, PATIENCE, RELAY, RELAY_NAME, RIVER, around_a_relay, digits};
use crate::stories::{NakatoShared, shared_with};

/// Where the clinics are later.
const HILL_MOVED: usize = 3;
const RIVER_MOVED: usize = 4;
const HOSTS: u8 = 5;
/// What is on its way when a link is cut, as it is sealed.
const LONG_NOTE: usize = 60_000;

/// Two clinics, parted from each other, and a relay that nobody has granted anything: what the one
/// saves gets to the other over a link or not at all.
struct Coast {
    hill: Clinic,
    river: Clinic,
    relay: Clinic,
    /// Last, so that the daemons end before their hosts do.
    network: Network,
}

impl Coast {
    /// None where the machine has no namespaces.
    fn new() -> Option<Self> {
        let network = Network::required(HOSTS)?;
        let clinics = around_a_relay(&network, "max-seconds = 300", "max-seconds = 2");
        let [hill, river, relay] = clinics;
        Some(Self {
            hill,
            river,
            relay,
            network,
        })
    }

    /// Waits until both say that the link between them is up and goes this way.
    fn wait_for_link(&self, through: Option<&str>) {
        let what = format!("a link through {through:?}");
        wait_until(&what, PATIENCE, || self.is_linked(through));
    }

    fn is_linked(&self, through: Option<&str>) -> bool {
        let pairs = [(&self.hill, &self.river), (&self.river, &self.hill)];
        pairs.iter().all(|(one, other)| {
            let link = link(one, other);
            link["state"] == "in-sync" && link["through"].as_str() == through
        })
    }
}

/// What a clinic says of its link with another one.
fn link(clinic: &Clinic, other: &Clinic) -> Value {
    let status = clinic.json(&["sync", "status"]);
    let id = other.id();
    let peers = status["peers"].as_array().unwrap();
    let found = peers.iter().find(|peer| peer["clinic"] == id.as_str());
    found.unwrap().clone()
}

/// Saves on each side, and waits until the other one reads it.
fn both_read(coast: &Coast, nakato: &NakatoShared, name: &str) {
    let (hill, river) = (&coast.hill, &coast.river);
    let names = ["hill", "river"].map(|place| format!("{name}-{place}"));
    nakato.note(hill, &names[0], "written at the hill");
    nakato.wait_for(river, &format!("Observation/{}", names[0]));
    nakato.note(river, &names[1], "written at the river");
    nakato.wait_for(hill, &format!("Observation/{}", names[1]));
}

#[test]
fn a_link_takes_the_way_that_there_is_and_the_direct_one_where_there_are_both() {
    let Some(coast) = Coast::new() else {
        return;
    };
    let nakato = shared_with(&coast.hill, &coast.river);
    coast.wait_for_link(Some(RELAY_NAME));
    both_read(&coast, &nakato, "parted");
    let said = coast.hill.ok(&["sync", "status"]);
    assert!(said.contains("; through Coast Relay"), "{said}");
    let link = link(&coast.hill, &coast.river);
    let relay = coast.network.place(RELAY).address().to_string();
    assert!(link["path"].as_str().unwrap().contains(&relay), "{link}");
    for (from, to) in [(HILL, RIVER), (RIVER, HILL)] {
        assert_eq!(coast.network.count(from, to).arrived_packets, 0);
    }

    coast.network.join(HILL, RIVER);
    wait_until("a direct link", PATIENCE, || {
        // Who asks for a sync while the link moves gets one.
        coast.hill.sync();
        coast.river.sync();
        coast.is_linked(None)
    });
    let passed_on = coast.network.bytes_at(RELAY);
    both_read(&coast, &nakato, "joined");
    eprintln!(
        "{} bytes at the relay",
        coast.network.bytes_at(RELAY) - passed_on
    );

    coast.network.part(HILL, RIVER);
    coast.wait_for_link(Some(RELAY_NAME));
    both_read(&coast, &nakato, "parted-again");
}

#[test]
fn a_relay_that_lets_go_of_a_link_in_the_middle_harms_nothing() {
    let Some(mut coast) = Coast::new() else {
        return;
    };
    let nakato = shared_with(&coast.hill, &coast.river);
    coast.wait_for_link(Some(RELAY_NAME));
    coast.network.set(Conditions::SLOW);
    let before = coast.network.count(HILL, RELAY).arrived_bytes;
    nakato.note(&coast.hill, "long", &digits(1, 2 * LONG_NOTE));
    wait_until("some of it to be on its way", PATIENCE, || {
        let so_far = coast.network.count(HILL, RELAY).arrived_bytes - before;
        so_far > LONG_NOTE as u64 / 4
    });
    assert!(!nakato.has(&coast.river, "Observation/long"));
    coast.relay.stop();
    for clinic in [&coast.hill, &coast.river] {
        wait_until("the link to be lost", PATIENCE, || {
            let status = clinic.json(&["sync", "status"]);
            let peers = status["peers"].as_array().unwrap();
            peers.iter().all(|peer| peer["state"] != "in-sync")
        });
    }

    coast.relay.start();
    wait_until("the note to arrive", PATIENCE, || {
        nakato.has(&coast.river, "Observation/long")
    });
    coast.wait_for_link(Some(RELAY_NAME));
    both_read(&coast, &nakato, "afterwards");
}

#[test]
fn a_visit_goes_through_a_relay_too() {
    let Some(mut coast) = Coast::new() else {
        return;
    };
    let nakato = shared_with(&coast.hill, &coast.river);
    coast.wait_for_link(Some(RELAY_NAME));
    // Without a daemon, a command syncs and hangs up.
    coast.hill.stop();
    nakato.note(&coast.hill, "visit", "written without a link");
    assert_eq!(coast.hill.sync().len(), 2);
    assert!(nakato.has(&coast.river, "Observation/visit"));
    assert_eq!(coast.network.count(HILL, RIVER).arrived_packets, 0);
}

/// What is between a clinic and the others.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Router {
    /// It lets answers in and nothing else.
    Guard,
    /// The same, and an address translator.
    Translator,
}

/// Puts routers before both clinics, and waits until the link through the relay has become a direct
/// one between them.
fn find_a_direct_way(router: Router) {
    let Some(mut coast) = Coast::new() else {
        return;
    };
    let nakato = shared_with(&coast.hill, &coast.river);
    // The cards name places where nobody is any more, so that no call goes the direct way.
    let places = [HILL_MOVED, RIVER_MOVED];
    let mut seen_at = Vec::new();
    for (clinic, to) in [&mut coast.hill, &mut coast.river].into_iter().zip(places) {
        clinic.stop();
        clinic.move_to(coast.network.place(to));
        seen_at.push(match router {
            Router::Guard => {
                coast.network.guard(to);
                coast.network.place(to).address()
            }
            Router::Translator => coast.network.translate(to),
        });
        clinic.configure("hole-punching = true", "hole-punching = false");
        clinic.start();
    }
    coast.wait_for_link(Some(RELAY_NAME));
    both_read(&coast, &nakato, "guarded");
    let [hill, river] = places;
    assert_eq!(coast.network.count(hill, river).sent_packets, 0);

    for clinic in [&mut coast.hill, &mut coast.river] {
        clinic.stop();
        clinic.configure("hole-punching = false", "hole-punching = true");
        clinic.start();
    }
    coast.wait_for_link(None);
    both_read(&coast, &nakato, "punched");
    let link = link(&coast.hill, &coast.river);
    let there = seen_at[1].to_string();
    assert!(link["path"].as_str().unwrap().contains(&there), "{link}");
    assert!(coast.network.count(hill, river).arrived_packets > 0);
}

#[test]
fn two_clinics_behind_guards_find_a_direct_way_once_a_relay_has_brought_them_together() {
    find_a_direct_way(Router::Guard);
}

#[test]
fn so_do_two_behind_address_translators_that_show_them_at_other_ports() {
    find_a_direct_way(Router::Translator);
}
