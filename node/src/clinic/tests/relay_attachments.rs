//! Attachments between clinics that are never online together.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chartmesh_protocol::MailboxId;
use chartmesh_protocol::attachment::{AttachmentName, Shape};
use chartmesh_protocol::mail::{Mail, MailboxKey};
use chartmesh_protocol::reconcile::FeedNumber;
use chartmesh_protocol::sync::Lane;

use super::attachments::scan;
use super::relay::{Coast, meet};
use super::sharing::visit;
use super::*;
use crate::clinic::attachments::{found_in, lock};
use crate::store::Space;

/// Bytes of a scan that comes by itself, and of one that does not.
pub(super) const SMALL: usize = 100_000;
pub(super) const LARGE: usize = 300_000;

/// The chart as a file, with a document that has this content.
pub(super) fn document(house: &House, chart: &str, id: &str, content: &[u8]) -> String {
    let patient = house.clinic.patient(chart).unwrap().fhir_id;
    let document = format!(
        r#"{{"resource":{{"resourceType":"DocumentReference","id":"{id}","status":"current",
        "subject":{{"reference":"Patient/{patient}"}},
        "content":[{{"attachment":{{"contentType":"image/png","data":"{}"}}}}]}}}}"#,
        STANDARD.encode(content)
    );
    let bundle = visit(house, chart, "v1");
    let before = bundle.strip_suffix("]}").unwrap();
    format!("{before},{document}]}}")
}

/// A relay that may carry a chart of two clinics, in which a scan was written.
pub(super) fn carried(mebibytes: u32, bytes: usize) -> (Coast, String) {
    let (coast, amina) = Coast::carrying(mebibytes);
    let home = &coast.houses[0];
    home.import(&document(home, &amina, "d1", &scan(bytes, 1)));
    (coast, amina)
}

/// Both show the same; a failure does not print whole scans.
pub(super) fn assert_same(one: &House, other: &House, patient: &str) {
    let [one, other] = [one, other].map(|house| house.clinic.export(patient, false).unwrap());
    assert!(one == other, "{} and {} bytes", one.len(), other.len());
}

/// The attachment of a chart, which has one.
pub(super) fn only(house: &House, patient: &str) -> (AttachmentName, Shape) {
    let chart = house.clinic.find_chart(patient).unwrap();
    let found = house.clinic.with_chart(&chart, |open| Ok(found_in(open)));
    found.unwrap()[0].name().unwrap()
}

/// The key of that attachment's box.
pub(super) fn key_of(house: &House, patient: &str) -> MailboxKey {
    let chart = house.clinic.find_chart(patient).unwrap();
    let found = house.clinic.with_chart(&chart, |open| Ok(found_in(open)));
    let found = &found.unwrap()[0];
    let (name, _) = found.name().unwrap();
    MailboxKey::of_attachment(&name, &found.mark.as_ref().unwrap().key)
}

pub(super) fn here(house: &House, name: &AttachmentName, shape: Shape) -> u32 {
    lock(&house.clinic.blob(name, shape).unwrap())
        .here()
        .count()
}

pub(super) fn visit_all(coast: &Coast, places: &[usize]) {
    for place in places {
        coast.visit(*place).unwrap();
    }
}

/// Bytes of mail at the relay.
fn used(coast: &Coast) -> u64 {
    let clinics = coast.relay.clinic.relay_use().unwrap().clinics;
    clinics.iter().map(|one| one.bytes).sum()
}

/// The mail that lies in a box at the relay.
pub(super) fn mail_in(coast: &Coast, mailbox: &MailboxId) -> Vec<(Vec<u8>, Vec<u8>)> {
    let pairs = coast.relay.clinic.store.scan_prefix(Space::Mail, &[]);
    let pairs = pairs.map(|pair| pair.unwrap());
    let is_mine = |value: &[u8]| Mail::decode(value).is_ok_and(|mail| mail.mailbox() == *mailbox);
    pairs.filter(|(_, value)| is_mine(&value[8..])).collect()
}

#[test]
fn a_scan_comes_by_itself_through_the_relay_and_the_room_is_given_back() {
    let (coast, amina) = carried(64, SMALL);
    let [home, away] = coast.both();
    visit_all(&coast, &[0, 1]);
    let (name, shape) = only(away, &amina);
    assert_eq!(here(away, &name, shape), 0);
    let before = used(&coast);
    visit_all(&coast, &[0]);
    let with_it = used(&coast);
    assert!(with_it > before + 100_000, "{before} and {with_it}");
    visit_all(&coast, &[1]);
    assert_same(away, home, &amina);
    visit_all(&coast, &[0]);
    let after = used(&coast);
    assert!(after < before + 10_000, "{before}, {with_it}, {after}");
    let mailbox = key_of(home, &amina).id();
    assert_eq!(mail_in(&coast, &mailbox), []);
    // There is nothing more to say.
    let quiet = coast.mail();
    visit_all(&coast, &[1, 0, 1, 0]);
    assert_eq!(coast.mail(), quiet);
    for place in 0..2 {
        let standing = coast.standing(place);
        assert_eq!((standing.owed_out, standing.withheld), (0, 0));
    }
    sync(home, away).unwrap();
}

#[test]
fn what_is_large_comes_for_whoever_asks_and_for_nobody_else() {
    let (coast, amina) = carried(64, LARGE);
    let [home, away] = coast.both();
    visit_all(&coast, &[0, 1, 0, 1]);
    let (name, shape) = only(away, &amina);
    assert_eq!(here(away, &name, shape), 0);
    away.clinic.request_attachments(&amina, None).unwrap();
    visit_all(&coast, &[1, 0, 1]);
    assert_same(away, home, &amina);
    // It may be wanted again: its file is lost.
    let blobs = away.dir.path().join("blobs");
    let file = std::fs::read_dir(blobs).unwrap().next().unwrap().unwrap();
    std::fs::write(file.path(), [0; 4000]).unwrap();
    visit_all(&coast, &[0]);
    let Coast { relay, mut houses } = coast;
    let away = houses.remove(1).reopen();
    houses.push(away);
    let coast = Coast { relay, houses };
    let [home, away] = coast.both();
    away.clinic.request_attachments(&amina, None).unwrap();
    visit_all(&coast, &[1, 0, 1]);
    assert_same(away, home, &amina);
}

#[test]
fn a_fetch_that_was_cut_goes_on_at_the_piece() {
    let (coast, amina) = carried(64, 3_000_000);
    let [home, away] = coast.both();
    visit_all(&coast, &[0, 1]);
    let (name, shape) = only(away, &amina);
    away.clinic.request_attachments(&amina, None).unwrap();
    visit_all(&coast, &[1, 0]);
    // What came is acknowledged before more comes.
    let mut joined = Joined::new(&coast.relay, away);
    joined.run_until(|_| here(away, &name, shape) > 90);
    drop(joined);
    let mut joined = Joined::new(&coast.relay, away);
    joined.run().unwrap();
    let again = joined.received[1];
    assert!((500_000..2_000_000).contains(&again), "{again} bytes");
    drop(joined);
    visit_all(&coast, &[1]);
    assert_same(away, home, &amina);
}

#[test]
fn over_links_that_are_kept_it_comes_without_a_further_visit() {
    let (coast, amina) = Coast::carrying(64);
    let [home, away] = coast.both();
    visit_all(&coast, &[0, 1, 0, 1]);
    let mut links = [home, away].map(|house| Joined::new(house, &coast.relay));
    links.iter_mut().for_each(|link| link.run().unwrap());
    home.import(&document(home, &amina, "d1", &scan(SMALL, 1)));
    let mut rounds = |house: &House| {
        for _ in 0..24 {
            for link in &mut links {
                link.tell(0, Event::NewItems);
                link.tell(1, Event::NewItems);
                link.run().unwrap();
            }
        }
        let (name, shape) = only(house, &amina);
        here(house, &name, shape) == shape.pieces()
    };
    assert!(rounds(away));
    assert_same(home, away, &amina);
    drop(links);
    visit_all(&coast, &[0, 1]);
    assert_eq!(mail_in(&coast, &key_of(home, &amina).id()), []);
}

#[test]
fn pieces_that_found_no_room_on_the_disk_are_fetched_later() {
    let (coast, amina) = carried(64, SMALL);
    let [home, away] = coast.both();
    visit_all(&coast, &[0, 1, 0]);
    let (_, shape) = only(away, &amina);
    // They come, and are let go of: what came is known by its mail alone.
    let mailbox = key_of(home, &amina).id();
    let path = away.dir.path().join("blobs");
    std::fs::remove_dir_all(&path).unwrap();
    let stored = mail_in(&coast, &mailbox).len();
    assert_eq!(stored, usize::try_from(shape.pieces()).unwrap());
    let _ = coast.visit(1);
    std::fs::create_dir(&path).unwrap();
    for _ in 0..3 {
        let _ = coast.visit(1);
    }
    assert_same(away, home, &amina);
}

#[test]
fn a_file_that_was_damaged_before_the_rest_came_is_made_whole() {
    let (coast, amina) = carried(64, 1_000_000);
    visit_all(&coast, &[0, 1]);
    let away = &coast.houses[1];
    let (name, shape) = only(away, &amina);
    away.clinic.request_attachments(&amina, None).unwrap();
    visit_all(&coast, &[1, 0]);
    let mut joined = Joined::new(&coast.relay, away);
    joined.run_until(|_| here(away, &name, shape) > 20);
    drop(joined);
    let blobs = away.dir.path().join("blobs");
    let file = std::fs::read_dir(blobs).unwrap().next().unwrap().unwrap();
    let mut bytes = std::fs::read(file.path()).unwrap();
    // A list, and with it all that it tells of, and a chunk.
    bytes[60] ^= 1;
    bytes[100_000] ^= 1;
    std::fs::write(file.path(), bytes).unwrap();
    let Coast { relay, mut houses } = coast;
    let away = houses.remove(1).reopen();
    houses.push(away);
    let coast = Coast { relay, houses };
    assert_eq!(here(&coast.houses[1], &name, shape), 0);
    // The root first, then the list, then what it tells of.
    visit_all(&coast, &[1, 1, 1, 1]);
    assert_same(&coast.houses[1], &coast.houses[0], &amina);
}

#[test]
fn a_scan_waits_behind_everything_else_on_both_ways() {
    let (coast, amina) = carried(64, LARGE);
    let [home, away] = coast.both();
    visit_all(&coast, &[0, 1]);
    away.clinic.request_attachments(&amina, None).unwrap();
    coast.visit(1).unwrap();
    let mut joined = Joined::new(home, &coast.relay);
    joined.run().unwrap();
    drop(joined);
    home.import(&visit(home, &amina, "v7"));
    let lanes = |at: &House, of: &House| {
        let store = at.clinic.peer_store(of.clinic.node_id()).unwrap();
        let owed = store.owed(FeedNumber::START);
        let last = owed.iter().filter(|one| one.lane == Lane::Attachment);
        (last.count(), owed.len())
    };
    let (name, shape) = only(home, &amina);
    let pieces = usize::try_from(shape.pieces()).unwrap();
    let (last, all) = lanes(home, &coast.relay);
    assert!(last == pieces && all > pieces, "{last} of {all}");
    coast.visit(0).unwrap();
    // A relay knows full pieces only: the lists and the last chunk are short.
    let (last, all) = lanes(&coast.relay, away);
    assert_eq!(last, pieces - 3, "of {all}");
    assert!(all > pieces);
    assert_eq!(name.place.chart, home.clinic.find_chart(&amina).unwrap());
}

#[test]
fn scans_that_do_not_fit_leave_room_for_records() {
    let (coast, amina) = carried(1, 2_000_000);
    let [home, away] = coast.both();
    visit_all(&coast, &[0, 1]);
    away.clinic.request_attachments(&amina, None).unwrap();
    coast.visit(1).unwrap();
    let refused = coast.visit(0).unwrap_err();
    assert_eq!(refused, CloseReason::ByPeer(CloseCode::QuotaUsed));
    assert!(coast.standing(0).is_full);
    for number in 3..9 {
        let id = format!("v{number}");
        home.import(&visit(home, &amina, &id));
        visit_all(&coast, &[0, 1]);
        let shown = away.clinic.export(&amina, true).unwrap();
        assert!(shown.contains(&format!(r#""{id}""#)), "{id}");
    }
    let (name, shape) = only(away, &amina);
    let some = here(away, &name, shape);
    assert!((10..shape.pieces()).contains(&some), "{some}");
}

#[test]
fn all_room_is_given_back_also_where_another_clinic_is_the_last_to_leave() {
    let coast = Coast::new(2);
    let [home, away] = coast.both();
    let amina = home.register("Amina");
    home.grant(&amina, away, "all", "read,write");
    let carried = coast.carry(&amina).grant.unwrap().to_string();
    home.import(&document(home, &amina, "d1", &scan(LARGE, 1)));
    visit_all(&coast, &[0, 1]);
    away.clinic.request_attachments(&amina, None).unwrap();
    visit_all(&coast, &[1, 0]);
    let with_it = used(&coast);
    home.clinic.revoke(&carried, "another relay", None).unwrap();
    coast.visit(0).unwrap();
    let mailbox = key_of(home, &amina).id();
    assert!(!mail_in(&coast, &mailbox).is_empty());
    let mut joined = Joined::new(home, away);
    joined.run_until(|ends| ends.iter().all(|end| end.in_sync));
    drop(joined);
    coast.visit(1).unwrap();
    assert_eq!(mail_in(&coast, &mailbox), []);
    let left = coast.relay.clinic.store.scan_prefix(Space::Mail, &[]);
    let left = left.map(|pair| pair.unwrap().1);
    let left = left.filter(|value| Mail::decode(&value[8..]).is_ok());
    let bytes: usize = left.map(|value| value.len() - 8).sum();
    assert_eq!(used(&coast), u64::try_from(bytes).unwrap(), "of {with_it}");
}

/// At most so many bytes are on their way before a note: what the window holds.
const ON_ITS_WAY: usize = 400_000;

#[test]
fn a_note_that_is_written_meanwhile_overtakes_a_scan() {
    let (coast, amina) = carried(64, 3_000_000);
    let [home, away] = coast.both();
    visit_all(&coast, &[0, 1]);
    away.clinic.request_attachments(&amina, None).unwrap();
    coast.visit(1).unwrap();
    let mailbox = key_of(home, &amina).id();
    let pieces = || mail_in(&coast, &mailbox).len();
    let is_there = |house: &House, number: u64| house.clinic.relay_use().unwrap().mail > number;

    let mut joined = Joined::new(&coast.relay, home);
    joined.run().unwrap();
    joined.tell(1, Event::NewItems);
    joined.run_until(|_| pieces() > 20);
    let before = coast.mail() - u64::try_from(pieces()).unwrap();
    home.import(&visit(home, &amina, "v2"));
    joined.tell(1, Event::NewItems);
    let sent = joined.received[0];
    joined.run_until(|_| {
        let all = u64::try_from(pieces()).unwrap();
        is_there(&coast.relay, before + all)
    });
    let meanwhile = joined.received[0] - sent;
    assert!(meanwhile < ON_ITS_WAY, "{meanwhile} bytes");
    joined.run().unwrap();
    drop(joined);

    // And on the way from the relay.
    let (name, shape) = only(away, &amina);
    let mut joined = Joined::new(&coast.relay, away);
    joined.run_until(|_| here(away, &name, shape) > 20);
    home.import(&visit(home, &amina, "v3"));
    coast.visit(0).unwrap();
    joined.tell(0, Event::NewItems);
    let sent = joined.received[1];
    joined.run_until(|_| {
        away.clinic
            .export(&amina, true)
            .unwrap()
            .contains(r#""v3""#)
    });
    let meanwhile = joined.received[1] - sent;
    assert!(meanwhile < ON_ITS_WAY, "{meanwhile} bytes");
    assert!(here(away, &name, shape) < shape.pieces());
}

#[test]
fn two_clinics_that_want_the_same_share_one_copy() {
    let coast = Coast::new(3);
    let home = &coast.houses[0];
    let amina = home.register("Amina");
    for reader in &coast.houses[1..] {
        home.grant(&amina, reader, "all", "read,write");
    }
    coast.carry(&amina);
    home.import(&document(home, &amina, "d1", &scan(SMALL, 1)));
    visit_all(&coast, &[0, 1, 2, 0]);
    let (_, shape) = only(home, &amina);
    let mailbox = key_of(home, &amina).id();
    let pieces = usize::try_from(shape.pieces()).unwrap();
    assert_eq!(mail_in(&coast, &mailbox).len(), pieces);
    // The first one has it, and the second one still wants it.
    visit_all(&coast, &[1, 0]);
    assert_eq!(mail_in(&coast, &mailbox).len(), pieces);
    visit_all(&coast, &[2, 0, 1]);
    assert_eq!(mail_in(&coast, &mailbox), []);
    for reader in &coast.houses[1..] {
        assert_same(reader, home, &amina);
    }
}

#[test]
fn a_clinic_put_back_to_before_it_asked_asks_again() {
    let (coast, amina) = carried(64, LARGE);
    let [home, away] = coast.both();
    visit_all(&coast, &[0, 1]);
    let old = away.copy();
    away.clinic.request_attachments(&amina, None).unwrap();
    visit_all(&coast, &[1, 0]);
    // The pieces lie there, in a box of which the old store knows nothing.
    for _ in 0..2 {
        let _ = meet(&old, &coast.relay);
    }
    meet(&old, &coast.relay).unwrap();
    let (name, shape) = only(&old, &amina);
    assert_eq!(here(&old, &name, shape), 0);
    old.clinic.request_attachments(&amina, None).unwrap();
    meet(&old, &coast.relay).unwrap();
    meet(&old, &coast.relay).unwrap();
    assert_same(&old, home, &amina);
}

#[test]
fn a_clinic_put_back_from_a_backup_says_anew_what_it_wants() {
    let (coast, amina) = carried(64, SMALL);
    let [home, away] = coast.both();
    visit_all(&coast, &[0, 1]);
    let old = away.copy();
    visit_all(&coast, &[0, 1, 0]);
    assert_same(away, home, &amina);
    for _ in 0..2 {
        let _ = meet(&old, &coast.relay);
    }
    for _ in 0..2 {
        coast.visit(0).unwrap();
        meet(&old, &coast.relay).unwrap();
    }
    assert_same(&old, home, &amina);
}
