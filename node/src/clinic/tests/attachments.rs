//! Large content: out of the records, and back as it was.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use chartmesh_protocol::sync::ItemKind;

use super::*;
use crate::clinic::{Imported, items};

/// Bytes that no compression makes smaller.
pub(super) fn scan(length: usize, seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new_keyed(&[seed; 32])
        .finalize_xof()
        .fill(&mut bytes);
    bytes
}

/// A bundle of a patient and a document with this content.
fn bundle(content: &str) -> String {
    format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[
        {{"resource":{{"resourceType":"Patient","id":"p1","name":[{{"family":"Nakato"}}]}}}},
        {{"resource":{{"resourceType":"DocumentReference","id":"d1","status":"current",
          "subject":{{"reference":"Patient/p1"}},
          "content":[{{"attachment":{{"contentType":"image/png","data":"{content}"}}}}]}}}}]}}"#
    )
}

fn import(house: &House, text: &str) -> Imported {
    let path = house.dir.path().join("input.json");
    std::fs::write(&path, text).unwrap();
    house.clinic.import(&[path], &|_| ()).unwrap()
}

fn journal_bytes(house: &House) -> u64 {
    house.clinic.flush().unwrap();
    let files = std::fs::read_dir(house.dir.path().join("journal")).unwrap();
    files
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum()
}

#[test]
fn a_scan_lies_outside_the_journal_and_is_exported_as_it_came() {
    let house = House::new("Hill Clinic");
    let content = STANDARD.encode(scan(3_000_000, 1));
    let text = bundle(&content);
    let report = import(&house, &text);
    assert_eq!(report.files[0].error, None);
    assert_eq!(report.files[0].changed, 2);
    // A megabyte of it is the space that it holds back.
    assert!(journal_bytes(&house) < 1_500_000);
    let exported = house.clinic.export_chart("p1", false).unwrap();
    assert_eq!(exported.absent, []);
    assert!(exported.text.contains(&content));
    // Taking it in again changes nothing, neither the file nor the export.
    for text in [&text, &exported.text] {
        assert_eq!(import(&house, text).files[0].changed, 0);
    }
    let house = house.reopen();
    assert_eq!(house.clinic.export("p1", false).unwrap(), exported.text);
    let health = house.clinic.check(&|_| ()).unwrap();
    assert!(health.healthy, "{:?}", health.problems);
    assert_eq!(
        (health.attachments.attachments, health.attachments.whole),
        (1, 1)
    );
}

#[test]
fn slashes_may_be_escaped_and_what_is_odd_or_small_stays_inside() {
    let house = House::new("Hill Clinic");
    let large = STANDARD.encode(scan(40_000, 2));
    for content in [
        large.replace('/', "\\/"),
        STANDARD.encode(scan(16 * 1024, 3)),
        large.replacen('/', "\\u002f", 1),
    ] {
        let report = import(&house, &bundle(&content));
        assert_eq!(report.files[0].error, None);
        let exported = house.clinic.export("p1", true).unwrap();
        assert!(exported.contains(&content));
    }
    let health = house.clinic.check(&|_| ()).unwrap();
    assert_eq!(health.attachments.attachments, 1);
}

/// It was looked for when the record came, which did not open yet, and never again.
#[test]
fn the_scan_of_a_record_is_looked_for_again_when_its_key_comes_later() {
    let [home, away] = ["Home", "Away"].map(House::new);
    introduce(&home, &away);
    import(&home, &bundle(&STANDARD.encode(scan(20_000, 5))));
    let before = items::newest(&home.clinic.store).unwrap().value();
    home.grant("p1", &away, "all", "read");
    let chart = home.clinic.find_chart("p1").unwrap();
    let listed = |kind| items::of_chart(&home.clinic.store, &chart, kind).unwrap();
    let all = [ItemKind::Statement, ItemKind::Record].map(listed).concat();
    // The grant comes first of what was filed with it; the keys are behind it.
    let (soon, late): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|item| item.entry.feed <= before + 1);
    assert!(!late.is_empty());
    let deliver = |items: &[items::Listed]| {
        let delivery = |item: &items::Listed| Delivery {
            kind: item.entry.what.kind(),
            bytes: items::bytes(&home.clinic.store, &item.id).unwrap().unwrap(),
        };
        let deliveries: Vec<_> = items.iter().map(delivery).collect();
        let store = away.clinic.peer_store(home.clinic.node_id()).unwrap();
        store.store(&deliveries).unwrap();
        away.clinic.look_for_attachments().unwrap();
        away.clinic.wants().all().count()
    };
    assert_eq!(deliver(&soon), 0);
    assert_eq!(deliver(&late), 1);
}

#[test]
fn content_that_is_gone_is_said_to_be_and_comes_back_with_the_file() {
    let house = House::new("Hill Clinic");
    let content = scan(100_000, 4);
    let text = bundle(&STANDARD.encode(&content));
    import(&house, &text);
    let blobs = house.dir.path().join("blobs");
    let file = std::fs::read_dir(&blobs).unwrap().next().unwrap().unwrap();
    std::fs::remove_file(file.path()).unwrap();
    let house = house.reopen();
    let exported = house.clinic.export_chart("p1", true).unwrap();
    assert_eq!(exported.absent.len(), 1);
    assert_eq!(exported.absent[0].resource, "DocumentReference/d1");
    assert_eq!(exported.absent[0].bytes, Some(100_000));
    assert!(!exported.text.contains("chartmesh-attachment"));
    assert!(
        exported
            .text
            .contains(r#""contentType":"image/png","size":100000,"hash":""#)
    );
    // Who edits such an export loses nothing.
    let bundle = house.clinic.export("p1", false).unwrap();
    let edited = bundle.replace("\"current\"", "\"superseded\"");
    assert_eq!(import(&house, &edited).files[0].changed, 1);
    assert_eq!(
        house.clinic.export_chart("p1", true).unwrap().absent.len(),
        1
    );
    // The file has it: nothing changes but that it is here.
    import(&house, &text.replace("\"current\"", "\"superseded\""));
    let exported = house.clinic.export_chart("p1", true).unwrap();
    assert_eq!(exported.absent, []);
    assert!(exported.text.contains(&STANDARD.encode(&content)));
}

#[test]
fn a_file_with_a_mark_and_one_that_is_too_large_are_refused() {
    let house = House::new("Hill Clinic");
    let report = import(&house, &bundle("chartmesh-attachment:AYYZ"));
    let error = report.files[0].error.clone().unwrap();
    assert!(error.contains("a mark"), "{error}");
    let report = import(&house, &bundle(&STANDARD.encode(vec![1; 65 * 1024 * 1024])));
    let error = report.files[0].error.clone().unwrap();
    assert!(
        error.contains("an attachment has 1 to 67108864 bytes"),
        "{error}"
    );
    assert!(house.clinic.find_patients(&[]).unwrap().0.is_empty());
}

/// Two clinics that know each other, the first with a patient and a document of this content.
pub(super) fn valley(content: &[u8]) -> (House, House) {
    let hill = House::new("Hill Clinic");
    let river = House::new("River Hospital");
    introduce(&hill, &river);
    import(&hill, &bundle(&STANDARD.encode(content)));
    (hill, river)
}

pub(super) fn grant(hill: &House, river: &House, compartments: &str) -> GrantMade {
    hill.grant("p1", river, compartments, "read,write")
}

fn has(house: &House, content: &[u8]) -> bool {
    let exported = house.clinic.export_chart("p1", true).unwrap();
    exported.absent.is_empty() && exported.text.contains(&STANDARD.encode(content))
}

#[test]
fn what_is_small_comes_by_itself_and_what_is_large_when_it_is_asked_for() {
    for (bytes, by_itself) in [(200_000, true), (300_000, false)] {
        let content = scan(bytes, 5);
        let (hill, river) = valley(&content);
        grant(&hill, &river, "all");
        sync(&hill, &river).unwrap();
        assert_eq!(has(&river, &content), by_itself);
        let line = river.clinic.attachments("p1", &[]).unwrap().remove(0);
        assert_eq!(line.content_type.as_deref(), Some("image/png"));
        assert_eq!(line.bytes, Some(u64::try_from(bytes).unwrap()));
        if !by_itself {
            assert_eq!(line.state, crate::clinic::AttachmentState::NotHere);
            let asked = river.clinic.request_attachments("p1", None).unwrap();
            assert_eq!(asked.len(), 1);
            let asked = river.reopen();
            sync(&hill, &asked).unwrap();
            assert!(has(&asked, &content));
            let wanted = asked.clinic.awaited(&[]).unwrap().attachments;
            assert_eq!(wanted, 0);
        }
    }
}

#[test]
fn who_may_not_read_the_compartment_gets_nothing_of_it() {
    let content = scan(100_000, 6);
    let (hill, river) = valley(&content);
    grant(&hill, &river, "summary");
    sync(&hill, &river).unwrap();
    assert!(river.clinic.attachments("p1", &[]).unwrap().is_empty());
    // Not even what it knows the name of.
    let place = hill.clinic.attachments("p1", &[]).unwrap().len();
    assert_eq!(place, 1);
    let chart = hill.clinic.find_chart("p1").unwrap();
    let (name, shape) = only_attachment(&hill, &chart);
    let to_river = Replica::open(Arc::clone(&hill.clinic), river.clinic.node_id()).unwrap();
    assert!(to_river.piece_for_peer(&name, shape, 0).is_none());
    grant(&hill, &river, "clinical");
    assert!(to_river.piece_for_peer(&name, shape, 0).is_some());
    // In another compartment or chart there is none of that id.
    let mut elsewhere = name;
    elsewhere.place.compartment = chartmesh_protocol::CompartmentTag::new([0; 8]);
    assert!(to_river.piece_for_peer(&elsewhere, shape, 0).is_none());
}

/// The one attachment of a chart.
fn only_attachment(
    house: &House,
    chart: &chartmesh_protocol::ChartId,
) -> (
    chartmesh_protocol::attachment::AttachmentName,
    chartmesh_protocol::attachment::Shape,
) {
    let found = house.clinic.with_chart(chart, |open| {
        let found = crate::clinic::attachments::found_in(open);
        Ok(found[0].name().unwrap())
    });
    found.unwrap()
}

#[test]
fn after_a_revocation_no_further_piece_is_given_and_what_came_stays() {
    let content = scan(6_000_000, 7);
    let (hill, river) = valley(&content);
    let made = grant(&hill, &river, "all");
    sync(&hill, &river).unwrap();
    river.clinic.request_attachments("p1", None).unwrap();
    let chart = river.clinic.find_chart("p1").unwrap();
    let (name, shape) = only_attachment(&river, &chart);
    let here = || {
        let blob = river.clinic.blob(&name, shape).unwrap();
        let blob = blob.lock().unwrap();
        blob.here().count()
    };
    let mut joined = Joined::new(&hill, &river);
    joined.run_until(|_| here() > 5);
    let grant = made.grant.unwrap().to_string();
    hill.clinic.revoke(&grant, "moved away", None).unwrap();
    joined.tell(0, Event::NewItems);
    let so_far = here();
    joined.run().unwrap();
    // What was on its way arrives: a link without delay holds a megabyte.
    let after = here();
    assert!(after <= so_far + 70, "{after} after {so_far}");
    drop(joined);
    sync(&hill, &river).unwrap();
    assert!(
        here() == after && !has(&river, &content),
        "{} of {after}",
        here()
    );
}

#[test]
fn a_cut_session_is_taken_up_at_the_piece() {
    let content = scan(1_000_000, 8);
    let (hill, river) = valley(&content);
    grant(&hill, &river, "all");
    sync(&hill, &river).unwrap();
    river.clinic.request_attachments("p1", None).unwrap();
    let chart = river.clinic.find_chart("p1").unwrap();
    let (name, shape) = only_attachment(&river, &chart);
    let mut joined = Joined::new(&hill, &river);
    joined.run_until(|_| {
        let blob = river.clinic.blob(&name, shape).unwrap();
        let blob = blob.lock().unwrap();
        blob.here().count() > shape.pieces() / 2
    });
    drop(joined);
    let river = river.reopen();
    let mut joined = Joined::new(&hill, &river);
    joined.run().unwrap();
    assert!(has(&river, &content));
    let again = joined.received[1];
    assert!(again < 600_000, "{again} bytes");
}

#[test]
fn a_clinic_that_has_lost_a_file_gets_it_back_from_one_that_has_it() {
    let content = scan(150_000, 9);
    let (hill, river) = valley(&content);
    grant(&hill, &river, "all");
    sync(&hill, &river).unwrap();
    let blobs = hill.dir.path().join("blobs");
    let file = std::fs::read_dir(&blobs).unwrap().next().unwrap().unwrap();
    std::fs::write(file.path(), [0; 4000]).unwrap();
    let hill = hill.reopen();
    assert!(!has(&hill, &content));
    assert!(!hill.clinic.check(&|_| ()).unwrap().healthy);
    hill.clinic.request_attachments("p1", None).unwrap();
    sync(&hill, &river).unwrap();
    assert!(has(&hill, &content));
    assert!(hill.clinic.check(&|_| ()).unwrap().healthy);
}

#[test]
fn a_piece_that_is_not_what_it_should_be_is_refused_and_not_kept() {
    let content = scan(400_000, 10);
    let (hill, river) = valley(&content);
    grant(&hill, &river, "all");
    sync(&hill, &river).unwrap();
    river.clinic.request_attachments("p1", None).unwrap();
    let chart = river.clinic.find_chart("p1").unwrap();
    let (name, shape) = only_attachment(&river, &chart);
    let from_hill = Replica::open(Arc::clone(&river.clinic), hill.clinic.node_id()).unwrap();
    let to_river = Replica::open(Arc::clone(&hill.clinic), river.clinic.node_id()).unwrap();
    let piece = |number| PieceDelivery {
        name,
        number,
        bytes: to_river.piece_for_peer(&name, shape, number).unwrap(),
    };
    let altered = |number| {
        let mut piece = piece(number);
        piece.bytes[7] ^= 1;
        piece
    };
    let elsewhere = |number, to| PieceDelivery {
        number: to,
        ..piece(number)
    };
    let refusal = |piece: PieceDelivery| from_hill.store_pieces(&[piece]).unwrap_err().refusal();
    use chartmesh_protocol::sync::Refusal::BadPiece;
    assert_eq!(refusal(altered(0)), BadPiece);
    assert_eq!(refusal(piece(1)), BadPiece);
    from_hill.store_pieces(&[piece(0), piece(1)]).unwrap();
    assert_eq!(refusal(altered(2)), BadPiece);
    assert_eq!(refusal(elsewhere(2, 3)), BadPiece);
    assert_eq!(refusal(elsewhere(2, shape.pieces())), BadPiece);
    let here = |house: &House| {
        let blob = house.clinic.blob(&name, shape).unwrap();
        let blob = blob.lock().unwrap();
        blob.here().count()
    };
    assert_eq!(here(&river), 2);
    // What nobody wants is let go of.
    let mut stranger = piece(0);
    stranger.name.id = chartmesh_protocol::AttachmentId::new([1; 32]);
    from_hill.store_pieces(&[stranger]).unwrap();
    let files = std::fs::read_dir(river.dir.path().join("blobs")).unwrap();
    assert_eq!(files.count(), 1);
    drop(from_hill);
    assert_eq!(here(&river.reopen()), 2);
}

/// A record with marks that are not true: whoever may write it can write anything.
#[test]
fn marks_that_lie_are_shown_as_absent_and_never_leave() {
    let (hill, river) = valley(&scan(50_000, 11));
    let chart = hill.clinic.find_chart("p1").unwrap();
    let (name, shape) = only_attachment(&hill, &chart);
    let lie = chartmesh_protocol::attachment::Mark {
        shape,
        key: chartmesh_protocol::attachment::AttachmentKey::from_bytes([9; 32]),
        id: name.id,
        digest: [0; 32],
        sha1: [0; 20],
        spelling: chartmesh_protocol::attachment::Spelling::Plain,
    };
    for (number, data) in [
        crate::clinic::attachments::mark_text(&lie),
        "chartmesh-attachment:".to_owned(),
        "chartmesh-attachment:AYYZ".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        let media = format!(
            r#"{{"resourceType":"Media","id":"m{number}","status":"completed",
            "subject":{{"reference":"Patient/p1"}},"content":{{"data":"{data}"}}}}"#
        );
        let media = chartmesh_crdt::Resource::parse(&media).unwrap();
        let edits = vec![crate::clinic::save::Edit::Put(media)];
        let saved = hill
            .clinic
            .save(&chart, edits, crate::clinic::Action::Write);
        assert_eq!(saved.unwrap().resources, 1);
    }
    grant(&hill, &river, "all");
    sync(&hill, &river).unwrap();
    for house in [&hill, &river] {
        let exported = house.clinic.export_chart("p1", false).unwrap();
        assert_eq!(exported.absent.len(), 3);
        assert!(!exported.text.contains("chartmesh-attachment"));
        assert_eq!(house.clinic.attachments("p1", &[]).unwrap().len(), 4);
        // Taking it in again is possible, and loses nothing.
        import(house, &exported.text);
        assert_eq!(house.clinic.attachments("p1", &[]).unwrap().len(), 4);
    }
}

#[test]
fn who_may_read_from_now_on_gets_nothing_of_what_was_attached_before() {
    let (hill, river) = valley(&scan(60_000, 12));
    grant_from_now_on(&hill, request("p1", &river, "all", "read,write"));
    sync(&hill, &river).unwrap();
    let chart = hill.clinic.find_chart("p1").unwrap();
    assert_eq!(
        river.clinic.attachments(&chart.to_string(), &[]).unwrap(),
        []
    );
    let files = std::fs::read_dir(river.dir.path().join("blobs")).unwrap();
    assert_eq!(files.count(), 0);
}
