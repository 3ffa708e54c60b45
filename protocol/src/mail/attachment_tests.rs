use super::*;
use crate::attachment::{
    AttachmentKey, AttachmentName, AttachmentPlace, MAX_ATTACHMENT_BYTES, MAX_PIECE_BYTES,
};
use crate::codec::CodecError;
use crate::golden::golden;
use crate::id::{AttachmentId, ChartId, CompartmentTag, NodeId};
use crate::identity::{SignatureError, SignedError, Verified};
use crate::time::HybridTime;
use crate::world::{NOW_MS, World};

fn name(number: u8) -> AttachmentName {
    AttachmentName {
        place: AttachmentPlace {
            chart: ChartId::new([3; 16]),
            compartment: CompartmentTag::new([1; 8]),
        },
        id: AttachmentId::new([number; 32]),
    }
}

fn content_key(number: u8) -> AttachmentKey {
    AttachmentKey::from_bytes([number; 32])
}

fn box_of_attachment() -> MailboxKey {
    MailboxKey::of_attachment(&name(1), &content_key(1))
}

fn wanted(number: u8, length: u64) -> WantedAttachment {
    let name = name(number);
    WantedAttachment { name, length }
}

fn unsigned_request(wanted: Vec<WantedAttachment>) -> Request {
    Request {
        relay: NodeId::new([9; 32]),
        asker: World::new(1, 1).clinics[0].node.id(),
        at: HybridTime::from_ms(NOW_MS),
        wanted,
        held: Vec::new(),
    }
}

fn request(wanted: Vec<WantedAttachment>) -> Result<Verified<Request>, SignedError> {
    unsigned_request(wanted).issue(&World::new(1, 1).clinics[0].node)
}

#[test]
fn a_request_names_each_attachment_once_and_not_too_many() {
    for wanted in [vec![], vec![wanted(2, 5), wanted(1, MAX_ATTACHMENT_BYTES)]] {
        let signed = request(wanted).unwrap();
        let read = Verified::<Request>::decode(&signed.to_bytes()).unwrap();
        assert_eq!(read, signed);
    }
    let refused = |what| Err(SignedError::Codec(CodecError::OutOfBounds { what }));
    let twice = vec![wanted(1, 5), wanted(2, 5), wanted(1, 6)];
    assert_eq!(request(twice), refused("wanted"));
    for length in [0, MAX_ATTACHMENT_BYTES + 1] {
        assert_eq!(request(vec![wanted(1, length)]), refused("length"));
    }
    let many = |count: u16| {
        let one = |number: u16| {
            let mut one = wanted(0, MAX_ATTACHMENT_BYTES);
            one.name.id =
                AttachmentId::new([number.to_be_bytes(); 16].concat()[..].try_into().unwrap());
            one
        };
        (0..count).map(one).collect::<Vec<_>>()
    };
    assert_eq!(request(many(257)), refused("wanted"));
    let key = &World::new(1, 1).clinics[0].node;
    let with = |held: Vec<AttachmentName>| {
        let unsigned = unsigned_request(vec![wanted(1, 5)]);
        Request { held, ..unsigned }.issue(key)
    };
    for held in [vec![name(2), name(3), name(2)], vec![name(1)]] {
        assert_eq!(with(held), refused("held"));
    }
    let names = |count| many(count).into_iter().map(|one| one.name).collect();
    assert_eq!(with(names(257)), refused("held"));
    let told = with(names(256)).unwrap();
    assert_eq!(Verified::<Request>::decode(&told.to_bytes()).unwrap(), told);
    let full = request(many(256)).unwrap();
    assert_eq!(Verified::<Request>::decode(&full.to_bytes()).unwrap(), full);
}

#[test]
fn only_who_asks_signs_a_request_and_no_byte_of_it_changes() {
    let other = &World::new(1, 2).clinics[1].node;
    let forged = unsigned_request(vec![wanted(1, 5)]).issue(other);
    let mismatch = SignedError::Signature(SignatureError::Mismatch);
    assert_eq!(forged, Err(mismatch));
    let bytes = request(vec![wanted(1, 5)]).unwrap().to_bytes();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(Verified::<Request>::decode(&changed).is_err(), "byte {at}");
    }
    assert!(Verified::<Receipt>::decode(&bytes).is_err());
}

#[test]
fn the_box_of_an_attachment_follows_from_all_of_its_name_and_its_key() {
    let same = MailboxKey::of_attachment(&name(1), &content_key(1)).id();
    assert_eq!(box_of_attachment().id(), same);
    let other = MailboxKey::of_attachment(&name(1), &content_key(2)).id();
    assert_ne!(other, same);
    let mut elsewhere = [name(2), name(1), name(1)];
    elsewhere[1].place.chart = ChartId::new([4; 16]);
    elsewhere[2].place.compartment = CompartmentTag::new([2; 8]);
    for other in elsewhere {
        assert_ne!(
            MailboxKey::of_attachment(&other, &content_key(1)).id(),
            same
        );
    }
}

#[test]
fn a_piece_has_its_number_and_full_ones_are_of_one_size() {
    let key = box_of_attachment();
    let piece = vec![0x5a; MAX_PIECE_BYTES];
    for number in [0, 7, u32::MAX] {
        let content = Content::Piece(number, &piece);
        let mail = Mail::seal(&key, content).unwrap();
        assert_eq!(mail.open(&key, |found| found == content), Ok(true));
        assert_eq!(mail.as_bytes().len(), Mail::piece_bytes());
    }
    let short = Mail::seal(&key, Content::Piece(1, &piece[..100])).unwrap();
    assert!(short.as_bytes().len() < Mail::piece_bytes());
    // What has no number is no piece.
    let cut = Mail::seal(&key, Content::Unread(6, &[0, 0, 1])).unwrap();
    assert_eq!(cut.open(&key, |_| ()), Err(MailError::Unknown));
}

#[test]
fn requests_and_pieces_are_written_as_ever() {
    let request = Request {
        held: vec![name(3)],
        ..unsigned_request(vec![wanted(2, 300_000), wanted(1, 20_000_000)])
    };
    let request = request.issue(&World::new(1, 1).clinics[0].node).unwrap();
    let file = golden("mail-request.bin", &request.to_bytes());
    assert_eq!(Verified::<Request>::decode(&file).unwrap(), request);
    let attachment = box_of_attachment();
    golden("mailbox-of-attachment.bin", attachment.id().as_bytes());
    let piece = Mail::seal(&attachment, Content::Piece(3, b"a piece")).unwrap();
    let file = golden("mail-piece.bin", piece.as_bytes());
    assert_eq!(Mail::decode(&file).unwrap(), piece);
}
