//! Attachments through a relay that alters them, and with clinics that may not have them.

use chartmesh_protocol::mail::{Access, Content, Mail};
use chartmesh_protocol::sync::{ItemKind, SyncError};

use super::attachments::scan;
use super::relay::{Coast, meet};
use super::relay_attachments::*;
use super::*;
use crate::store::Space;

#[test]
fn a_clinic_whose_consent_was_revoked_is_given_nothing() {
    let (mut coast, amina, grants) = Coast::with_two_readers();
    let home = &coast.houses[0];
    home.import(&document(home, &amina, "d1", &scan(LARGE, 1)));
    visit_all(&coast, &[0, 1, 2]);
    let (name, shape) = only(&coast.houses[0], &amina);
    for asker in [1, 2] {
        let clinic = &coast.houses[asker].clinic;
        clinic.request_attachments(&amina, None).unwrap();
        coast.visit(asker).unwrap();
    }
    // Asked for and not yet given.
    let id = grants[0].to_string();
    let home = &coast.houses[0].clinic;
    home.revoke(&id, "moved away", None).unwrap();
    let mailbox = key_of(&coast.houses[0], &amina).id();
    let alone = coast.houses.remove(2);
    visit_all(&coast, &[0, 1]);
    // The other one asks as well, and may have it.
    assert!(!mail_in(&coast, &mailbox).is_empty());
    meet(&alone, &coast.relay).unwrap();
    assert_eq!(here(&alone, &name, shape), shape.pieces());
    visit_all(&coast, &[0, 1]);
    // Now nobody who may have it asks: no piece goes there any more, and the room is free.
    assert_eq!(mail_in(&coast, &mailbox), []);
    let home = &coast.houses[0];
    home.import(&document(home, &amina, "d2", &scan(LARGE, 2)));
    let before = coast.relay.clinic.relay_use().unwrap().mail;
    visit_all(&coast, &[0, 1, 0, 1]);
    let after = coast.relay.clinic.relay_use().unwrap().mail;
    assert!(after < before + 10, "{before} and {after}");
}

#[test]
fn what_was_asked_for_is_not_given_once_consent_has_ended() {
    let (coast, amina) = {
        let coast = Coast::new(2);
        let [home, away] = coast.both();
        let amina = home.register("Amina");
        let grant = home.grant(&amina, away, "all", "read,write").grant.unwrap();
        coast.carry(&amina);
        home.import(&document(home, &amina, "d1", &scan(SMALL, 1)));
        visit_all(&coast, &[0, 1]);
        let home = &coast.houses[0].clinic;
        home.revoke(&grant.to_string(), "moved away", None).unwrap();
        (coast, amina)
    };
    let [home, away] = coast.both();
    let (name, shape) = only(home, &amina);
    let mailbox = key_of(home, &amina).id();
    visit_all(&coast, &[0, 1, 0, 1]);
    assert_eq!(mail_in(&coast, &mailbox), []);
    assert_eq!(here(away, &name, shape), 0);
}

#[test]
fn the_relay_carries_no_attachment_of_what_it_may_not_carry() {
    let coast = Coast::new(2);
    let [home, away] = coast.both();
    let amina = home.register("Amina");
    home.grant(&amina, away, "all", "read,write");
    home.grant(&amina, &coast.relay, "summary", "relay");
    home.import(&document(home, &amina, "d1", &scan(SMALL, 1)));
    // The record with the mark came by another way.
    let chart = home.clinic.find_chart(&amina).unwrap();
    let mut joined = Joined::new(home, away);
    joined.run_until(|ends| ends.iter().all(|end| end.in_sync));
    drop(joined);
    away.clinic.request_attachments(&amina, None).unwrap();
    let (name, shape) = only(away, &amina);
    assert!(here(away, &name, shape) < shape.pieces(), "it was too fast");
    visit_all(&coast, &[0, 1, 0, 1]);
    assert!(here(away, &name, shape) < shape.pieces());
    let mailbox = key_of(home, &amina).id();
    assert_eq!(mail_in(&coast, &mailbox), []);
    assert_eq!(name.place.chart, chart);
}

#[test]
fn a_bad_piece_of_an_insider_is_refused_and_harms_nobody() {
    let (coast, amina) = carried(64, LARGE);
    let [home, away] = coast.both();
    visit_all(&coast, &[0, 1]);
    let (name, shape) = only(away, &amina);
    away.clinic.request_attachments(&amina, None).unwrap();
    coast.visit(1).unwrap();
    // Whoever may read the chart can put into the box, this time without the post's knowledge.
    let key = key_of(home, &amina);
    let access = Access {
        mailbox: key.id(),
        node: home.clinic.node_id(),
        opens: true,
        first: false,
        at: home.clinic.tick(),
    };
    let at_relay = coast.relay.clinic.peer_store(home.clinic.node_id());
    let at_relay = at_relay.unwrap();
    let deliver = |kind, bytes| at_relay.store(&[Delivery { kind, bytes }]).unwrap();
    deliver(ItemKind::Statement, access.issue(&key).unwrap().to_bytes());
    let chunk = vec![7; shape.size_of(5).unwrap()];
    let list = vec![7; shape.size_of(1).unwrap()];
    for (number, piece) in [
        (0, &chunk),
        (1, &list),
        (5, &chunk),
        (shape.pieces(), &chunk),
    ] {
        let mail = Mail::seal(&key, Content::Piece(number, piece)).unwrap();
        deliver(ItemKind::Record, mail.as_bytes().to_vec());
    }
    coast.visit(1).unwrap();
    assert_eq!(here(away, &name, shape), 0);
    // Some of them cannot be told from what they should be until the lists are here.
    visit_all(&coast, &[0, 1, 1, 0]);
    assert_same(away, home, &amina);
    visit_all(&coast, &[1, 0]);
    assert_eq!(mail_in(&coast, &key.id()), []);
}

#[test]
fn the_mail_of_attachments_shows_nothing() {
    let (coast, amina) = carried(64, SMALL);
    visit_all(&coast, &[0, 1, 0]);
    let home = &coast.houses[0];
    let (name, _) = only(home, &amina);
    let content = scan(SMALL, 1);
    let needles: [&[u8]; 5] = [
        name.place.chart.as_bytes(),
        name.place.compartment.as_bytes(),
        name.id.as_bytes(),
        &content[..16],
        &content[50_000..50_016],
    ];
    let mail = coast.relay.clinic.store.scan_prefix(Space::Mail, &[]);
    let mut seen = 0;
    for pair in mail {
        let (_, value) = pair.unwrap();
        for needle in needles {
            assert!(!value.windows(needle.len()).any(|part| part == needle));
        }
        seen += 1;
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn a_piece_that_the_relay_has_altered_ends_the_session_and_is_not_kept() {
    let (coast, amina) = carried(64, SMALL);
    visit_all(&coast, &[0, 1, 0]);
    let away = &coast.houses[1];
    let (name, shape) = only(away, &amina);
    let mailbox = key_of(&coast.houses[1], &amina).id();
    coast.alter(mail_in(&coast, &mailbox));
    let ended = coast.visit(1).unwrap_err();
    let refused = SyncError::Refused(chartmesh_protocol::sync::Refusal::BadSignature);
    assert_eq!(ended, CloseReason::Failed(refused));
    assert_eq!(here(away, &name, shape), 0);
}
