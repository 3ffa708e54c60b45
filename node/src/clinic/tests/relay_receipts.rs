//! Receipts: a clinic comes to know through a relay that another one has what was saved, and a
//! receipt that is not worth anything harms nobody.

use chartmesh_protocol::identity::{NodeKey, Verified};
use chartmesh_protocol::mail::{Content, Mail, MailboxKey, Receipt, Stretch};
use chartmesh_protocol::sync::ItemKind;
use chartmesh_protocol::{RecordLink, Sequence};

use super::relay::{Coast, meet};
use super::sharing::visit;
use super::told::line;
use super::*;
use crate::clinic::compact::Occasion;

fn has_everything(at: &House, of: &House) -> bool {
    let line = line(at, of);
    let has = line.summary.starts_with("has ");
    let agrees = (line.owed_out, line.records) == (0, 0) && line.confirmed_through.is_some();
    let dated = line
        .summary
        .ends_with("; confirmed just now, through Relay");
    assert_eq!((has, has && dated), (agrees, agrees), "{line:?}");
    agrees
}

/// Home, away and a relay, where home has learnt that away has everything.
fn settled() -> (Coast, String) {
    let (coast, amina) = Coast::carrying(64);
    let [home, away] = coast.both();
    home.import(&visit(home, &amina, "v0"));
    for place in [0, 1, 0] {
        coast.visit(place).unwrap();
    }
    assert!(has_everything(home, away), "{:?}", line(home, away));
    (coast, amina)
}

#[test]
fn a_clinic_learns_through_the_relay_that_the_other_has_what_it_saved() {
    let (coast, amina) = Coast::carrying(64);
    let [home, away] = coast.both();
    home.import(&visit(home, &amina, "v0"));
    coast.visit(0).unwrap();
    let waits = line(home, away);
    let said = "not connected, 2 records wait; never compared yet; all of them lie at Relay";
    assert_eq!((waits.records, waits.summary.as_str()), (2, said));
    coast.visit(1).unwrap();
    assert!(!has_everything(home, away));
    coast.visit(0).unwrap();
    assert!(has_everything(home, away), "{:?}", line(home, away));
    // The other one has nothing that home lacks, and is told so as well.
    coast.visit(1).unwrap();
    assert!(has_everything(away, home), "{:?}", line(away, home));

    home.import(&visit(home, &amina, "v1"));
    let waits = line(home, away);
    let said = "not connected, 1 record waits; last in sync just now, through Relay";
    assert_eq!((waits.records, waits.summary.as_str()), (1, said));
    for place in [0, 1, 0] {
        coast.visit(place).unwrap();
    }
    assert!(has_everything(home, away), "{:?}", line(home, away));
}

#[test]
fn an_answer_and_its_receipts_come_to_an_end() {
    let (coast, amina) = settled();
    let [home, away] = coast.both();
    away.import(&visit(away, &amina, "v1"));
    for place in [1, 0, 1] {
        coast.visit(place).unwrap();
    }
    assert!(has_everything(away, home), "{:?}", line(away, home));
    assert!(has_everything(home, away), "{:?}", line(home, away));
    coast.visit(0).unwrap();
    let mail = coast.mail();
    for place in [0, 1, 0, 1, 1, 0] {
        coast.visit(place).unwrap();
        assert_eq!(coast.mail(), mail, "there was no news");
    }
}

#[test]
fn one_receipt_tells_of_many_records() {
    let (coast, amina) = settled();
    let [home, away] = coast.both();
    for number in 0..20 {
        home.import(&visit(home, &amina, &format!("w{number}")));
    }
    coast.visit(0).unwrap();
    let before = coast.mail();
    coast.visit(1).unwrap();
    assert_eq!(coast.mail(), before + 1);
    coast.visit(0).unwrap();
    assert!(has_everything(home, away), "{:?}", line(home, away));
}

#[test]
fn a_reader_for_whom_a_compaction_stands_in_for_the_first_records_has_everything() {
    let coast = Coast::new(2);
    let [home, away] = coast.both();
    let amina = home.register("Amina");
    for number in 0..6 {
        home.import(&visit(home, &amina, &format!("v{number}")));
    }
    home.grant(&amina, away, "all", "read,write");
    let chart = amina.parse().unwrap();
    let made = home.clinic.compact(&chart, |_| true, Occasion::NewReader);
    made.unwrap();
    coast.carry(&amina);
    home.import(&visit(home, &amina, "v6"));
    for place in [0, 1, 0] {
        coast.visit(place).unwrap();
    }
    assert!(has_everything(home, away), "{:?}", line(home, away));
}

#[test]
fn a_receipt_tells_only_of_what_may_be_carried_and_read() {
    let coast = Coast::new(3);
    let [home, ward, desk] = &coast.houses[..] else {
        panic!()
    };
    let amina = home.register("Amina");
    home.import(&visit(home, &amina, "v0"));
    home.grant(&amina, ward, "all", "read,write");
    home.grant(&amina, desk, "summary", "read");
    home.grant(&amina, &coast.relay, "summary", "relay");
    for place in [0, 1, 2, 0] {
        coast.visit(place).unwrap();
    }
    // The visit is in a compartment that the relay may not carry.
    let of_ward = line(home, ward);
    assert_eq!(of_ward.records, 1, "{of_ward:?}");
    assert!(has_everything(home, desk), "{:?}", line(home, desk));
    // What the ward holds of the rest it tells neither the desk nor, through the relay, anybody.
    sync(home, ward).unwrap();
    for place in [1, 2, 0] {
        coast.visit(place).unwrap();
    }
    let chart = home.clinic.find_chart(&amina).unwrap();
    let names = home.clinic.chart_inventory(&chart).unwrap().names;
    for place in [0, 2] {
        for stretch in claims(&coast, place) {
            assert_eq!(names[&stretch.compartment].to_string(), "summary");
        }
    }
}

/// The stretches that receipts in the store of a clinic tell of.
fn claims(coast: &Coast, place: usize) -> Vec<Stretch> {
    let store = &coast.houses[place].clinic.store;
    let relay = coast.relay.clinic.node_id();
    let prefix = [relay.as_bytes().as_slice(), b"g"].concat();
    let pairs = store.scan_prefix(crate::store::Space::Post, &prefix);
    let stretches = pairs.map(|pair| minicbor::decode(&pair.unwrap().1).unwrap());
    stretches.collect()
}

/// The key of the box of both clinics.
fn pair_key(one: &House, other: &House) -> MailboxKey {
    let [one, other] = [one, other].map(|house| &house.clinic.identity);
    let sealing = other.certificate().payload().sealing;
    let own = one.sealing.find(&one.certificate().payload().sealing);
    MailboxKey::of_pair(&own.unwrap().agree(&sealing).unwrap())
}

/// Gives home a receipt of whoever has the key, out of the box that home has with away.
fn deliver(coast: &Coast, receipt: Receipt, key: &NodeKey) {
    let [home, away] = coast.both();
    let bytes = receipt.issue(key).unwrap().to_bytes();
    let mail = Mail::seal(&pair_key(home, away), Content::Receipt(&bytes)).unwrap();
    let (kind, bytes) = (ItemKind::Record, mail.as_bytes().to_vec());
    let store = home.clinic.peer_store(coast.relay.clinic.node_id());
    store.unwrap().store(&[Delivery { kind, bytes }]).unwrap();
}

/// A receipt of a clinic's node for what home has written of a chart: all of it, and as much more.
fn boast(coast: &Coast, of: &House, amina: &str, more: u64) -> Receipt {
    let home = &coast.houses[0].clinic;
    let chart = home.find_chart(amina).unwrap();
    let ledger = home.ledger(&chart).unwrap();
    let mut stretches: Vec<Stretch> = Vec::new();
    for one in home.records(&chart).unwrap() {
        let header = one.header;
        stretches.retain(|known| known.compartment != header.tag);
        let last = header.sequence.value() + more;
        stretches.push(Stretch {
            chart,
            compartment: header.tag,
            author: header.author,
            incarnation: header.incarnation,
            first: Sequence::new(0),
            last: Sequence::new(last),
            link: match more {
                0 => one.id.link(),
                _ => RecordLink::new([9; 8]),
            },
        });
    }
    stretches.sort_unstable();
    let mut statements: Vec<_> = ledger.iter().map(|(id, _)| id.prefix()).collect();
    statements.sort_unstable();
    Receipt {
        holder: of.clinic.node_id(),
        store: of.clinic.store_incarnation(),
        at: of.clinic.tick(),
        stretches,
        statements,
    }
}

#[test]
fn a_receipt_that_comes_before_the_chart_is_known_is_kept() {
    let coast = Coast::new(3);
    let [home, second, third] = &coast.houses[..] else {
        panic!()
    };
    let amina = home.register("Amina");
    for reader in [second, third] {
        home.grant(&amina, reader, "all", "read,write");
    }
    coast.carry(&amina);
    home.import(&visit(home, &amina, "v0"));
    // The third fetches the chart and what the second has told of it at once.
    for place in [0, 1, 2] {
        coast.visit(place).unwrap();
    }
    assert!(has_everything(third, second), "{:?}", line(third, second));
}

#[test]
fn a_claim_of_more_than_was_written_counts_for_nothing() {
    let (coast, amina) = settled();
    let [home, away] = coast.both();
    home.import(&visit(home, &amina, "v1"));
    home.import(&visit(home, &amina, "v2"));
    deliver(
        &coast,
        boast(&coast, away, &amina, 5),
        &away.clinic.identity.node,
    );
    assert_eq!(line(home, away).records, 2, "{:?}", line(home, away));
    // Nor does a false claim of a record that is here, under the link of another one.
    let mut false_link = boast(&coast, away, &amina, 0);
    false_link.stretches.retain(|one| one.last.value() > 0);
    for stretch in &mut false_link.stretches {
        stretch.link = RecordLink::new([9; 8]);
    }
    deliver(&coast, false_link, &away.clinic.identity.node);
    assert!(line(home, away).records >= 2, "{:?}", line(home, away));
    for place in [0, 1, 0] {
        coast.visit(place).unwrap();
    }
    assert!(has_everything(home, away), "{:?}", line(home, away));
}

#[test]
fn a_receipt_of_a_third_clinics_node_counts_for_nothing() {
    let (coast, amina) = settled();
    let [home, away] = coast.both();
    let third = House::new("Third");
    introduce(home, &third);
    home.import(&visit(home, &amina, "v1"));
    deliver(
        &coast,
        boast(&coast, &third, &amina, 0),
        &third.clinic.identity.node,
    );
    // Nor does one of a node that nobody has certified.
    let key = NodeKey::from_bytes(Zeroizing::new([9; 32]));
    let unknown = Receipt {
        holder: key.id(),
        ..boast(&coast, &third, &amina, 0)
    };
    deliver(&coast, unknown, &key);
    assert_eq!(line(home, away).records, 1, "{:?}", line(home, away));
    assert_eq!(claims(&coast, 0).len(), 2);
}

#[test]
fn a_node_that_was_cut_off_has_no_word() {
    let (coast, _) = settled();
    let [home, away] = coast.both();
    let node = away.clinic.node_id();
    let peers = home.clinic.peers().unwrap();
    let peer = peers.iter().find(|peer| peer.node == node).unwrap();
    let left = || {
        let owed = home.clinic.peer_store(node).unwrap().owed_items();
        assert!(!owed.is_empty());
        home.clinic.left_by_claims(&peers, peer, owed).unwrap()
    };
    assert!(left().items.is_empty() && left().word.is_some());
    // What is owed is asked for before: to a node that was cut off nothing is.
    let owed = home.clinic.peer_store(node).unwrap().owed_items();
    let revocation = revocation_of(away);
    home.clinic.certificates_write().cut_off(&revocation);
    let left = home
        .clinic
        .left_by_claims(&peers, peer, owed.clone())
        .unwrap();
    assert_eq!(left.items, owed);
    assert_eq!(left.word, None);
}

/// The word of a clinic that its node is one no more.
fn revocation_of(house: &House) -> chartmesh_protocol::ledger::NodeRevocation {
    chartmesh_protocol::ledger::NodeRevocation {
        clinic: house.clinic.clinic_id(),
        node: house.clinic.node_id(),
        reason: "stolen".to_owned(),
        revoked_ms: clock::now_ms(),
        sealing: house.clinic.own_sealing(),
    }
}

#[test]
fn who_claims_too_much_is_sent_everything_over_a_link() {
    let (coast, amina) = settled();
    let [home, away] = coast.both();
    home.import(&visit(home, &amina, "v1"));
    deliver(
        &coast,
        boast(&coast, away, &amina, 0),
        &away.clinic.identity.node,
    );
    // It is believed by who looks, and by nobody else.
    assert!(has_everything(home, away), "{:?}", line(home, away));
    let store = home.clinic.peer_store(away.clinic.node_id()).unwrap();
    assert!(store.owed_out() > 0);
    sync(home, away).unwrap();
    let export = |house: &House| house.clinic.export(&amina, false).unwrap();
    assert_eq!(export(home), export(away));
    assert!(export(away).contains(r#""v1""#));
}

#[test]
fn what_a_store_held_before_it_was_put_back_is_held_no_more_until_it_says_so() {
    let (coast, amina) = Coast::carrying(64);
    let [home, away] = coast.both();
    for place in [0, 1, 0] {
        coast.visit(place).unwrap();
    }
    let old = away.copy();
    home.import(&visit(home, &amina, "v0"));
    for place in [0, 1, 0] {
        coast.visit(place).unwrap();
    }
    assert!(has_everything(home, away), "{:?}", line(home, away));
    // The copy begins anew, and tells of what it has: not yet of the visit.
    let empty = Receipt {
        stretches: Vec::new(),
        statements: Vec::new(),
        ..boast(&coast, &old, &amina, 0)
    };
    deliver(&coast, empty.clone(), &old.clinic.identity.node);
    assert_eq!(line(home, away).records, 2, "{:?}", line(home, away));
    // One that the old store had signed before comes late.
    let late = Receipt {
        store: away.clinic.store_incarnation(),
        at: HybridTime::from_ms(empty.at.ms() - 1000),
        ..boast(&coast, away, &amina, 0)
    };
    deliver(&coast, late, &away.clinic.identity.node);
    assert_eq!(line(home, away).records, 2, "{:?}", line(home, away));
    for _ in 0..4 {
        let _ = meet(&old, &coast.relay);
    }
    coast.visit(0).unwrap();
    assert!(has_everything(home, away), "{:?}", line(home, away));
}

#[test]
fn a_clock_that_is_far_ahead_moves_no_confirmation_into_the_future() {
    let (coast, amina) = settled();
    let [home, away] = coast.both();
    let ahead = Receipt {
        at: HybridTime::from_ms(clock::now_ms() + 1_000_000_000_000),
        ..boast(&coast, away, &amina, 0)
    };
    deliver(&coast, ahead, &away.clinic.identity.node);
    assert!(has_everything(home, away), "{:?}", line(home, away));
    // Another store of the same node, with the clock set right, is believed.
    home.import(&visit(home, &amina, "v1"));
    let right = Receipt {
        store: chartmesh_protocol::reconcile::StoreIncarnation::new(7),
        at: HybridTime::from_ms(clock::now_ms() + 1),
        ..boast(&coast, away, &amina, 0)
    };
    deliver(&coast, right, &away.clinic.identity.node);
    assert!(has_everything(home, away), "{:?}", line(home, away));
}

#[test]
fn what_lies_at_the_relay_does_not_show_who_holds_what() {
    let (coast, amina) = settled();
    let [home, away] = coast.both();
    home.import(&visit(home, &amina, "v1"));
    for place in [0, 1] {
        coast.visit(place).unwrap();
    }
    // What lies at the relay shows neither who holds what nor that it is a receipt.
    let store = &coast.relay.clinic.store;
    for pair in store.scan_prefix(crate::store::Space::Mail, &[]) {
        let (_, value) = pair.unwrap();
        let bytes = &value[8..];
        assert!(Verified::<Receipt>::decode(bytes).is_err());
        for needle in [home, away].map(|house| house.clinic.node_id()) {
            let found = Mail::decode(bytes).is_ok()
                && bytes.windows(32).any(|part| part == needle.as_bytes());
            assert!(!found, "a mail shows who holds or wrote");
        }
    }
}
