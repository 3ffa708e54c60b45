//! Nodes that exchange by sticks alone, and one of them is put back from an old copy.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::sharing::visit;
use super::told::line;
use super::*;
use crate::clinic::{AttachmentState, BundlesRead, items};
use crate::control::BundleOrder;

const HAS: &str = "has everything that you saved; confirmed just now; not connected";
/// The smallest parts that there are.
const PART_BYTES: u64 = 256 * 1024;

/// A stick that was written and not yet read.
struct Stick(tempfile::TempDir);

impl Stick {
    fn write(from: &House, to: &House, everything: bool) -> (Self, u64) {
        let folder = tempfile::tempdir().unwrap();
        let order = BundleOrder {
            peer: to.clinic.node_id().to_string(),
            out: folder.path().join("stick"),
            max_size: PART_BYTES,
            everything,
        };
        let written = from.clinic.export_bundle(&order, &|_| {}).unwrap();
        (Self(folder), written.items)
    }

    fn read(&self, at: &House) -> BundlesRead {
        let folder = self.0.path().to_owned();
        let read = at.clinic.import_bundles(&[folder], &|_| {}).unwrap();
        assert!(read.missing.is_empty(), "{read:?}");
        read
    }
}

/// Carries a stick. What its reader says of its writer from then on is true.
pub(super) fn carry(from: &House, to: &House) -> BundlesRead {
    let (stick, _) = Stick::write(from, to, false);
    let read = stick.read(to);
    assert!(
        read.files.iter().all(|file| file.error.is_none()),
        "{read:?}"
    );
    check_line(to, from);
    read
}

/// What one node may have of another, and lacks.
fn lacking(at: &House, of: &House) -> usize {
    let replica = Replica::open(Arc::clone(&of.clinic), at.clinic.node_id()).unwrap();
    let all = replica.everything();
    let is_here = |id| items::stored(&at.clinic.store, id).unwrap().is_some();
    all.iter().filter(|entry| !is_here(&entry.id)).count()
}

/// Where it is said that the other has everything, it has.
fn check_line(at: &House, of: &House) {
    let line = line(at, of);
    if line.owed_out == 0 && line.confirmed.is_some() {
        let lacks = lacking(of, at);
        assert_eq!(lacks, 0, "{}: {}", at.clinic.name(), line.summary);
    }
}

/// Both have everything, and each says so of the other.
fn check_whole(one: &House, other: &House) {
    for (at, of) in [(one, other), (other, one)] {
        assert_eq!(lacking(at, of), 0, "at {}", at.clinic.name());
        let said = line(at, of).summary;
        assert!(said.starts_with("has everything"), "{said}");
        assert!(said.contains("confirmed just now"), "{said}");
    }
    // And nothing goes again and again.
    for (from, to) in [(one, other), (other, one)] {
        assert_eq!(Stick::write(from, to, false).1, 0, "{}", from.clinic.name());
    }
}

fn round_trip(one: &House, other: &House) {
    carry(one, other);
    carry(other, one);
}

/// How a data folder came back.
const WAYS: [fn(&House) -> House; 2] = [House::copy, House::rolled_back];

/// Two clinics that have met by sticks, and a patient of each that the other has.
fn valley() -> [House; 2] {
    let (hill, river) = (House::new("Hill"), House::new("River"));
    introduce(&hill, &river);
    for (home, away) in [(&hill, &river), (&river, &hill)] {
        shared(home, away, "Amina");
    }
    round_trip(&hill, &river);
    round_trip(&hill, &river);
    check_whole(&hill, &river);
    [hill, river]
}

/// A new patient whom the other clinic may have.
fn shared(home: &House, away: &House, name: &str) -> String {
    let id = home.register(name);
    home.grant(&id, away, "all", "read,write");
    home.import(&visit(home, &id, &format!("v-{name}")));
    id
}

/// Makes both whole by two round trips, whoever writes first.
fn heals(one: &House, other: &House, first: usize) {
    let ends = if first == 0 {
        [one, other]
    } else {
        [other, one]
    };
    for _ in 0..2 {
        round_trip(ends[0], ends[1]);
    }
    check_whole(one, other);
}

#[test]
fn who_lost_what_came_on_a_stick_gets_it_again() {
    for way in WAYS {
        for first in [0, 1] {
            for answered in [true, false] {
                let [hill, river] = valley();
                let old = way(&river);
                let grace = shared(&hill, &river, "Grace");
                carry(&hill, &river);
                if answered {
                    carry(&river, &hill);
                    assert_eq!(line(&hill, &river).summary, HAS);
                }
                drop(river);
                let own = shared(&old, &hill, "Ruth");
                heals(&hill, &old, first);
                assert!(old.clinic.export(&grace, true).unwrap().contains("v-Grace"));
                assert!(hill.clinic.export(&own, true).unwrap().contains("v-Ruth"));
            }
        }
    }
}

#[test]
fn what_was_sent_on_a_stick_comes_back_to_who_lost_it() {
    for way in WAYS {
        for first in [0, 1] {
            for answered in [true, false] {
                let [hill, river] = valley();
                let old = way(&river);
                let grace = shared(&river, &hill, "Grace");
                carry(&river, &hill);
                if answered {
                    carry(&hill, &river);
                }
                drop(river);
                // Enough that its feed is as long again, or not.
                let new: Vec<String> = (0..3 * first)
                    .map(|number| shared(&old, &hill, &format!("Ruth{number}")))
                    .collect();
                heals(&hill, &old, first);
                assert!(old.clinic.export(&grace, true).unwrap().contains("v-Grace"));
                assert!(new.iter().all(|id| hill.clinic.export(id, true).is_ok()));
            }
        }
    }
}

#[test]
fn of_two_nodes_of_a_clinic_one_is_put_back_and_both_are_whole_again() {
    for way in WAYS {
        for first in [0, 1] {
            let desk = House::new("Hill");
            let before = desk.register("Amina");
            let ward = desk.twin("Ward laptop");
            round_trip(&ward, &desk);
            round_trip(&ward, &desk);
            check_whole(&desk, &ward);
            let old = way(&ward);
            let grace = desk.register("Grace");
            let ruth = ward.register("Ruth");
            round_trip(&desk, &ward);
            drop(ward);
            let late = old.register("Peter");
            heals(&desk, &old, first);
            for house in [&desk, &old] {
                for id in [&before, &grace, &ruth, &late] {
                    assert!(house.clinic.export(id, true).is_ok());
                }
            }
        }
    }
}

#[test]
fn who_was_put_back_is_told_what_is_missing_and_what_to_do() {
    let [hill, river] = valley();
    let old = river.copy();
    shared(&hill, &river, "Grace");
    round_trip(&hill, &river);
    drop(river);
    let read = carry(&hill, &old);
    let told = read.out_of_step;
    assert_eq!(told.len(), 1);
    assert!(told[0].lacking_here && !told[0].lacking_there);
    assert_eq!(told[0].node, hill.clinic.node_id());
    let told = carry(&old, &hill).out_of_step;
    assert!(!told[0].lacking_here && told[0].lacking_there);
    let said = line(&hill, &old).summary;
    assert!(said.contains("wait"), "{said}");
    assert_eq!(carry(&hill, &old).out_of_step, []);
    assert_eq!(carry(&old, &hill).out_of_step, []);
    check_whole(&hill, &old);
}

/// It was written before the folder was put back, and is read behind what was written since.
#[test]
fn a_stick_of_a_store_that_is_no_more_is_read_and_changes_nothing_that_is_known() {
    let [hill, river] = valley();
    let old = river.copy();
    let lost = shared(&river, &hill, "Grace");
    let (stick, _) = Stick::write(&river, &hill, false);
    drop(river);
    let (later, _) = Stick::write(&old, &hill, false);
    later.read(&hill);
    let before = hill.clinic.peer_note(&old.clinic.node_id()).unwrap();
    stick.read(&hill);
    let after = hill.clinic.peer_note(&old.clinic.node_id()).unwrap();
    assert_eq!(before.incarnation, after.incarnation);
    assert_eq!(before.holds, after.holds);
    check_line(&hill, &old);
    // What was on it, and was lost, comes back.
    round_trip(&hill, &old);
    assert!(old.clinic.export(&lost, true).unwrap().contains("v-Grace"));
    round_trip(&hill, &old);
    check_whole(&hill, &old);
}

#[test]
fn sticks_one_way_bring_only_what_is_new_and_the_same_one_twice_changes_nothing() {
    let [hill, river] = valley();
    let mut sizes = Vec::new();
    for name in ["Grace", "Ruth", "Peter"] {
        shared(&hill, &river, name);
        let (stick, items) = Stick::write(&hill, &river, false);
        for _ in 0..2 {
            assert_eq!(stick.read(&river).out_of_step, []);
            assert_eq!(line(&river, &hill).owed_out, 0);
            assert_eq!(Stick::write(&river, &hill, false).1, 0);
        }
        sizes.push(items);
    }
    // Each has what the last one had, too, for nothing tells that it arrived.
    assert_eq!(sizes[1], 2 * sizes[0]);
    carry(&river, &hill);
    check_whole(&hill, &river);
}

#[test]
fn a_stick_for_another_node_of_the_clinic_says_nothing_of_this_one() {
    let [hill, river] = valley();
    let ward = river.twin("Ward laptop");
    introduce(&ward, &hill);
    round_trip(&ward, &river);
    round_trip(&ward, &hill);
    round_trip(&ward, &hill);
    check_whole(&ward, &hill);
    let grace = shared(&hill, &river, "Grace");
    let (stick, _) = Stick::write(&hill, &river, false);
    let read = stick.read(&ward);
    assert_eq!(read.out_of_step, []);
    assert!(
        ward.clinic
            .export(&grace, true)
            .unwrap()
            .contains("v-Grace")
    );
    assert_eq!(Stick::write(&ward, &hill, false).1, 0);
    carry(&hill, &ward);
    carry(&ward, &hill);
    check_whole(&ward, &hill);
}

#[test]
fn a_stick_with_everything_heals_what_is_believed_too() {
    let [hill, river] = valley();
    let old = river.copy();
    shared(&hill, &river, "Grace");
    round_trip(&hill, &river);
    drop(river);
    let (stick, _) = Stick::write(&hill, &old, true);
    assert_eq!(stick.read(&old).out_of_step, []);
    assert_eq!(lacking(&old, &hill), 0);
    round_trip(&old, &hill);
    check_whole(&hill, &old);
}

#[test]
fn a_scan_that_was_lost_comes_with_the_stick_that_brings_its_record_again() {
    for way in WAYS {
        for first in [0, 1] {
            let (hill, river) = attachments::valley(b"nothing that is large");
            attachments::grant(&hill, &river, "all");
            for _ in 0..2 {
                round_trip(&hill, &river);
            }
            let old = way(&river);
            let scan = attachments::scan(300_000, 7);
            hill.import(&relay_attachments::document(&hill, "p1", "d2", &scan));
            let states = |house: &House| {
                let lines = house.clinic.attachments("p1", &[]).unwrap();
                lines.iter().map(|one| one.state).collect::<Vec<_>>()
            };
            round_trip(&hill, &river);
            assert!(states(&river).contains(&AttachmentState::Here));
            assert_eq!(line(&hill, &river).attachments, 0);
            assert_eq!(states(&old).len(), states(&river).len() - 1);
            let here = states(&river);
            drop(river);
            heals(&hill, &old, first);
            assert_eq!(states(&old), here);
            assert_eq!(line(&hill, &old).attachments, 0);
        }
    }
}

/// How many pairs of clinics are played, each from its number.
const SEEDS: u64 = 6;
/// How many things happen to two clinics.
const DEEDS: usize = 14;

/// Plays what happens to two clinics that have sticks and rarely a link: patients, sticks that lie
/// about and are read late, twice or never, and data folders that are put back.
fn play(seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut ends = valley();
    let mut sticks: Vec<(Stick, usize)> = Vec::new();
    let mut copies: Vec<(House, usize)> = Vec::new();
    for deed in 0..DEEDS {
        let at = rng.random_range(0..2);
        let (here, there) = (&ends[at], &ends[1 - at]);
        match rng.random_range(0..11) {
            0..3 => drop(shared(here, there, &format!("P{deed}"))),
            3..5 => sticks.push((Stick::write(here, there, rng.random()).0, 1 - at)),
            5..7 if !sticks.is_empty() => {
                let (stick, to) = &sticks[rng.random_range(0..sticks.len())];
                stick.read(&ends[*to]);
            }
            7 if !copies.is_empty() => {
                let (copy, of) = copies.swap_remove(rng.random_range(0..copies.len()));
                ends[of] = WAYS[rng.random_range(0..2)](&copy);
            }
            7 | 8 => copies.push((here.rolled_back(), at)),
            // It may end at once, where one finds out that it was put back.
            9 => drop(sync(here, there)),
            _ => drop(carry_unchecked(here, there)),
        }
    }
    let [one, other] = &ends;
    let trip = || {
        carry_unchecked(one, other);
        carry_unchecked(other, one);
    };
    trip();
    trip();
    assert_eq!((lacking(one, other), lacking(other, one)), (0, 0));
    // That nothing waits any more may be known a little later.
    trip();
    check_whole(one, other);
}

/// Carries a stick from one to the other, who may be told of what was put back since.
fn carry_unchecked(from: &House, to: &House) -> BundlesRead {
    Stick::write(from, to, false).0.read(to)
}

#[test]
fn whatever_happened_two_round_trips_of_sticks_make_both_whole() {
    for seed in 0..SEEDS {
        play(seed);
    }
}
