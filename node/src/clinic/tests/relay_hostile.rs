//! A relay that alters, keeps back, mixes or doubles what lies there; and clinics that put what
//! they may not.

use chartmesh_protocol::mail::{Access, Content, Mail, MailboxKey};
use chartmesh_protocol::seal::EpochKey;
use chartmesh_protocol::sync::{ItemKind, Refusal};
use chartmesh_protocol::{ChartId, CompartmentTag};

use super::relay::Coast;
use super::sharing::visit;
use super::*;
use crate::store::Space;

/// A chart that three visits were written into, at a relay, and not yet at its reader.
fn carried() -> (Coast, String) {
    let (coast, amina) = Coast::carrying(64);
    let [home, _] = coast.both();
    for number in 0..3 {
        home.import(&visit(home, &amina, &format!("v{number}")));
    }
    coast.visit(0).unwrap();
    (coast, amina)
}

/// All mail at the relay, as it lies there.
fn mail(coast: &Coast) -> Vec<(Vec<u8>, Vec<u8>)> {
    let store = &coast.relay.clinic.store;
    let pairs = store.scan_prefix(Space::Mail, &[]);
    let pairs = pairs.map(|pair| pair.unwrap());
    pairs
        .filter(|(_, value)| Mail::decode(&value[8..]).is_ok())
        .collect()
}

fn deliver(coast: &Coast, to: usize, bytes: Vec<u8>) -> Result<(), Refusal> {
    let clinic = &coast.houses[to].clinic;
    let store = clinic.peer_store(coast.relay.clinic.node_id()).unwrap();
    let kind = ItemKind::Record;
    let stored = store.store(&[Delivery { kind, bytes }]);
    stored.map_err(|refused| refused.refusal())
}

#[test]
fn nothing_at_the_relay_tells_who_the_patient_is_or_who_reads() {
    let (coast, amina) = carried();
    coast.visit(1).unwrap();
    let [home, away] = coast.both();
    let chart = home.clinic.find_chart(&amina).unwrap();
    let patient = home.clinic.patient(&amina).unwrap();
    let ledger = home.clinic.ledger(&chart).unwrap();
    let (genesis, first) = ledger.genesis().unwrap();
    let mut needles: Vec<(Vec<u8>, &str)> = vec![
        (chart.as_bytes().to_vec(), "chart"),
        (amina.clone().into_bytes(), "chart in words"),
        (patient.fhir_id.clone().into_bytes(), "patient"),
        (b"Amina".to_vec(), "given name"),
        (b"Okello".to_vec(), "family name"),
        (b"weight".to_vec(), "observation"),
        (genesis.to_bytes().to_vec(), "genesis"),
        (first.patient.as_bytes().to_vec(), "patient's key"),
        (home.clinic.clinic_id().as_bytes().to_vec(), "home clinic"),
        (away.clinic.clinic_id().as_bytes().to_vec(), "reader"),
    ];
    for record in home.clinic.records(&chart).unwrap() {
        needles.push((record.id.as_bytes().to_vec(), "record id"));
        needles.push((record.header.previous.as_bytes().to_vec(), "link"));
        needles.push((record.header.tag.as_bytes().to_vec(), "compartment"));
        needles.push((record.header.epoch.as_bytes().to_vec(), "epoch"));
    }
    // The link of a first record is zeros, which padding may hold by chance.
    needles.retain(|(bytes, _)| bytes.iter().any(|byte| *byte != 0));
    let mail = mail(&coast);
    assert!(mail.len() > 8, "{}", mail.len());
    for (_, value) in &mail {
        for (needle, what) in &needles {
            let found = value.windows(needle.len()).any(|part| part == needle);
            assert!(!found, "a mail shows the {what}");
        }
    }
    let sizes: std::collections::BTreeSet<usize> =
        mail.iter().map(|(_, value)| value.len()).collect();
    assert!(sizes.len() <= 8, "{sizes:?}");
}

#[test]
fn altered_mail_ends_the_session_and_is_not_kept() {
    let (coast, amina) = carried();
    coast.alter(mail(&coast));
    let ended = coast.visit(1).unwrap_err();
    let refused = chartmesh_protocol::sync::SyncError::Refused(Refusal::BadSignature);
    assert_eq!(ended, CloseReason::Failed(refused));
    assert!(coast.houses[1].clinic.find_chart(&amina).is_err());
}

#[test]
fn a_relay_that_keeps_records_back_is_found_out() {
    let (coast, amina) = carried();
    coast.visit(1).unwrap();
    assert_eq!(coast.standing(1).withheld, 0);
    let home = &coast.houses[0];
    let known: Vec<Vec<u8>> = mail(&coast).into_iter().map(|(key, _)| key).collect();
    home.import(&visit(home, &amina, "v8"));
    home.import(&visit(home, &amina, "v9"));
    coast.visit(0).unwrap();
    // It forgets the records, which are the new mail that is not in a box of a pair.
    let pair = pair_box(&coast);
    let store = &coast.relay.clinic.store;
    let mut batch = crate::store::Batch::new();
    let mut kept_back = 0;
    for (key, value) in mail(&coast) {
        let mailbox = Mail::recall(&value[8..]).unwrap().mailbox();
        if known.contains(&key) || mailbox == pair {
            continue;
        }
        let place = [mailbox.as_bytes().as_slice(), &value[..8]].concat();
        batch
            .delete(Space::Mail, key)
            .delete(Space::Mailboxes, place)
            .delete(Space::MailFeed, value[..8].to_vec());
        kept_back += 1;
    }
    assert_eq!(kept_back, 2);
    store.commit(batch).unwrap();
    coast.visit(1).unwrap();
    assert_eq!(coast.standing(1).withheld, 2);
    // What comes by another way ends the suspicion.
    sync(&coast.houses[1], home).unwrap();
    coast.visit(1).unwrap();
    assert_eq!(coast.standing(1).withheld, 0);
}

/// The key of the box of both clinics.
fn pair_key(coast: &Coast) -> MailboxKey {
    let [home, away] = [0, 1].map(|place| &coast.houses[place].clinic.identity);
    let other = away.certificate().payload().sealing;
    let own = home.sealing.find(&home.certificate().payload().sealing);
    MailboxKey::of_pair(&own.unwrap().agree(&other).unwrap())
}

fn pair_box(coast: &Coast) -> chartmesh_protocol::MailboxId {
    pair_key(coast).id()
}

#[test]
fn mail_in_any_order_and_twice_makes_the_same_chart() {
    let (coast, amina) = carried();
    let away = &coast.houses[1];
    let all: Vec<Vec<u8>> = mail(&coast)
        .into_iter()
        .map(|(_, value)| value[8..].to_vec())
        .collect();
    // Twice each, from the last to the first, as far as the boxes are open to it.
    for _ in 0..6 {
        for bytes in all.iter().rev() {
            for _ in 0..2 {
                match deliver(&coast, 1, bytes.clone()) {
                    Ok(()) | Err(Refusal::NotAsked) => {}
                    Err(other) => panic!("{other}"),
                }
            }
        }
        let store = away.clinic.peer_store(coast.relay.clinic.node_id());
        store.unwrap().confirmed().unwrap();
    }
    let home = &coast.houses[0];
    assert_eq!(
        home.clinic.export(&amina, false).unwrap(),
        away.clinic.export(&amina, false).unwrap()
    );
    coast.visit(1).unwrap();
}

#[test]
fn mail_of_a_box_that_is_not_ours_is_refused() {
    let (coast, _) = carried();
    let epoch = EpochKey::from_bytes(Zeroizing::new([9; 32]));
    let key = MailboxKey::of_epoch(&ChartId::new([1; 16]), &CompartmentTag::new([1; 8]), &epoch);
    let mail = Mail::seal(&key, Content::Record(b"a record")).unwrap();
    let refused = deliver(&coast, 1, mail.as_bytes().to_vec());
    assert_eq!(refused, Err(Refusal::NotAsked));
    assert_eq!(deliver(&coast, 1, vec![1; 40]), Err(Refusal::Malformed));
    // A relay takes mail only of whoever can open the door of its box.
    let counter = coast
        .relay
        .clinic
        .peer_store(coast.houses[0].clinic.node_id());
    let kind = ItemKind::Record;
    let bytes = mail.as_bytes().to_vec();
    let refused = counter.unwrap().store(&[Delivery { kind, bytes }]);
    assert_eq!(refused.unwrap_err().refusal(), Refusal::NotShared);
}

#[test]
fn nobody_opens_a_door_for_another_node() {
    let (coast, _) = carried();
    let [home, away] = coast.both();
    let epoch = EpochKey::from_bytes(Zeroizing::new([9; 32]));
    let key = MailboxKey::of_epoch(&ChartId::new([1; 16]), &CompartmentTag::new([1; 8]), &epoch);
    let access = Access {
        mailbox: key.id(),
        node: away.clinic.node_id(),
        opens: true,
        first: false,
        at: HybridTime::from_ms(1),
    };
    let bytes = access.issue(&key).unwrap().to_bytes();
    let kind = ItemKind::Statement;
    let counter = coast
        .relay
        .clinic
        .peer_store(home.clinic.node_id())
        .unwrap();
    let refused = counter.store(&[Delivery { kind, bytes }]);
    assert_eq!(refused.unwrap_err().refusal(), Refusal::NotShared);
}

#[test]
fn what_an_insider_puts_that_is_no_mail_harms_nobody() {
    let (coast, amina) = carried();
    coast.visit(1).unwrap();
    let [home, away] = coast.both();
    let key = pair_key(&coast);
    for content in [
        Content::Statement(b"no statement"),
        Content::Record(b"no record"),
        Content::Certificate(b"no certificate"),
        Content::Beacon(b"no beacon"),
        Content::Receipt(b"no receipt"),
    ] {
        let mail = Mail::seal(&key, content).unwrap();
        let counter = coast
            .relay
            .clinic
            .peer_store(home.clinic.node_id())
            .unwrap();
        let (kind, bytes) = (ItemKind::Record, mail.as_bytes().to_vec());
        counter.store(&[Delivery { kind, bytes }]).unwrap();
    }
    home.import(&visit(home, &amina, "v7"));
    for place in [0, 1, 1] {
        coast.visit(place).unwrap();
    }
    assert!(
        away.clinic
            .export(&amina, false)
            .unwrap()
            .contains(r#""v7""#)
    );
}
