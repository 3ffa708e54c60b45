use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::codec::CodecError;
use crate::golden::golden;
use crate::id::{
    ChartId, CompartmentTag, Incarnation, NodeId, RecordLink, Sequence, StatementPrefix,
};
use crate::identity::{SharedSecret, SignatureError, SignedError, Verified};
use crate::reconcile::StoreIncarnation;
use crate::seal::EpochKey;
use crate::time::HybridTime;
use crate::world::{NOW_MS, World};

fn key(byte: u8) -> MailboxKey {
    let epoch = EpochKey::from_bytes(Zeroizing::new([byte; 32]));
    MailboxKey::of_epoch(&ChartId::new([1; 16]), &CompartmentTag::new([2; 8]), &epoch)
}

fn pair() -> [SharedSecret; 2] {
    let world = World::new(1, 2);
    let [one, other] = [&world.clinics[0].sealing, &world.clinics[1].sealing];
    [
        one.agree(&other.public()).unwrap(),
        other.agree(&one.public()).unwrap(),
    ]
}

#[test]
fn a_box_follows_from_its_secret_and_use_alone() {
    let epoch = EpochKey::from_bytes(Zeroizing::new([1; 32]));
    let (chart, tag) = (ChartId::new([1; 16]), CompartmentTag::new([2; 8]));
    let same = MailboxKey::of_epoch(&chart, &tag, &epoch);
    assert_eq!(same.id(), key(1).id());
    assert_eq!(MailboxKey::from_bytes(same.to_bytes()).id(), same.id());
    let other_chart = MailboxKey::of_epoch(&ChartId::new([3; 16]), &tag, &epoch);
    let other_part = MailboxKey::of_epoch(&chart, &CompartmentTag::new([3; 8]), &epoch);
    for other in [key(2).id(), other_chart.id(), other_part.id()] {
        assert_ne!(same.id(), other);
    }
    let [ours, theirs] = pair();
    assert_eq!(
        MailboxKey::of_pair(&ours).id(),
        MailboxKey::of_pair(&theirs).id()
    );
}

#[test]
fn mail_opens_with_the_key_of_its_box_only() {
    let mail = Mail::seal(&key(1), Content::Record(b"a record")).unwrap();
    let opened = mail.open(&key(1), |content| content == Content::Record(b"a record"));
    assert_eq!(opened, Ok(true));
    assert_eq!(mail.open(&key(2), |_| ()), Err(MailError::OtherBox));
    assert_eq!(mail.mailbox(), key(1).id());
}

#[test]
fn a_relay_sees_no_kind_no_size_and_no_content() {
    let text = b"penicillin, and more of it so that it would be found";
    let kinds = [
        Content::Statement(text),
        Content::Record(text),
        Content::Certificate(text),
        Content::Beacon(text),
        Content::Receipt(text),
        Content::Request(text),
        Content::Piece(7, text),
    ];
    for content in kinds {
        let mail = Mail::seal(&key(1), content).unwrap();
        assert_eq!(mail.as_bytes().len(), 1 + 32 + 24 + 512 + 16 + 64);
        let found = mail
            .as_bytes()
            .windows(8)
            .any(|part| text.starts_with(part));
        assert!(!found);
    }
}

#[test]
fn every_changed_byte_is_noticed() {
    let mail = Mail::seal(&key(1), Content::Statement(b"a statement")).unwrap();
    for at in 0..mail.as_bytes().len() {
        let mut bytes = mail.as_bytes().to_vec();
        bytes[at] ^= 1;
        assert!(Mail::decode(&bytes).is_err(), "byte {at}");
        // A store that lies is found out when it is opened.
        if let Ok(recalled) = Mail::recall(&bytes)
            && at < bytes.len() - 64
        {
            assert!(recalled.open(&key(1), |_| ()).is_err(), "byte {at}");
        }
    }
    let cut = &mail.as_bytes()[..100];
    let malformed = CodecError::Malformed { at: 100 };
    assert_eq!(Mail::decode(cut), Err(MailError::Codec(malformed)));
}

#[test]
fn mail_of_whoever_lacks_the_key_is_refused() {
    let mail = Mail::seal(&key(1), Content::Record(b"a record")).unwrap();
    let mut bytes = mail.as_bytes().to_vec();
    bytes[1..33].copy_from_slice(key(2).id().as_bytes());
    let refused = MailError::Signature(SignatureError::Mismatch);
    assert_eq!(Mail::decode(&bytes), Err(refused));
}

#[test]
fn too_much_is_refused() {
    let bytes = vec![0; crate::limits::MAX_MAIL_BYTES];
    let refused = Mail::seal(&key(1), Content::Record(&bytes));
    assert!(matches!(refused, Err(MailError::TooLarge { .. })));
    let record = vec![0; crate::limits::MAX_RECORD_BYTES];
    let mail = Mail::seal(&key(1), Content::Record(&record)).unwrap();
    assert!(Mail::decode(mail.as_bytes()).is_ok());
}

proptest! {
    #[test]
    fn one_content_has_one_mail(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let content = Content::Statement(&bytes);
        let mail = Mail::seal(&key(1), content).unwrap();
        prop_assert_eq!(&mail, &Mail::seal(&key(1), content).unwrap());
        prop_assert_eq!(Mail::id_of(&key(1), content), Some(mail.id()));
        prop_assert_eq!(Mail::decode(mail.as_bytes()).unwrap(), mail.clone());
        let same = mail.open(&key(1), |found| found == content);
        prop_assert_eq!(same, Ok(true));
        let other = Mail::seal(&key(1), Content::Record(&bytes)).unwrap();
        prop_assert_ne!(mail.id(), other.id());
        prop_assert_ne!(Mail::id_of(&key(2), content), Some(mail.id()));
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Mail::decode(&bytes);
        let _ = Verified::<Access>::decode(&bytes);
        let _ = Verified::<Beacon>::decode(&bytes);
        let _ = Verified::<Receipt>::decode(&bytes);
        let _ = Verified::<Request>::decode(&bytes);
    }
}

fn access() -> Access {
    Access {
        mailbox: key(1).id(),
        node: NodeId::new([7; 32]),
        opens: true,
        first: false,
        at: HybridTime::from_ms(NOW_MS),
    }
}

#[test]
fn only_the_box_admits() {
    let signed = access().issue(&key(1)).unwrap();
    assert_eq!(
        Verified::<Access>::decode(&signed.to_bytes()).unwrap(),
        signed
    );
    let forged = access().issue(&key(2));
    assert_eq!(
        forged,
        Err(SignedError::Signature(SignatureError::Mismatch))
    );
    let later = Access {
        at: HybridTime::from_ms(NOW_MS + 1),
        ..access()
    };
    assert_ne!(signed.item_id(), later.issue(&key(1)).unwrap().item_id());
}

fn reach(sequence: u64) -> Reach {
    Reach {
        chart: ChartId::new([3; 16]),
        compartment: CompartmentTag::new([1; 8]),
        incarnation: Incarnation::new(5),
        sequence: Sequence::new(sequence),
        link: RecordLink::new([6; 8]),
    }
}

fn beacon(reaches: Vec<Reach>) -> Result<Verified<Beacon>, SignedError> {
    let node = &World::new(1, 1).clinics[0].node;
    let beacon = Beacon {
        relay: NodeId::new([9; 32]),
        author: node.id(),
        at: HybridTime::from_ms(NOW_MS),
        reaches,
    };
    beacon.issue(node)
}

#[test]
fn a_beacon_names_each_place_once_and_not_too_many() {
    let signed = beacon(vec![reach(1), reach(2)]).unwrap();
    assert_eq!(
        Verified::<Beacon>::decode(&signed.to_bytes()).unwrap(),
        signed
    );
    for reaches in [
        vec![reach(2), reach(1)],
        vec![reach(1), reach(1)],
        (0..=512).map(reach).collect(),
    ] {
        let refused = SignedError::Codec(CodecError::OutOfBounds { what: "reaches" });
        assert_eq!(beacon(reaches), Err(refused));
    }
    assert!(beacon((0..512).map(reach).collect()).is_ok());
}

fn stretch(first: u64, last: u64) -> Stretch {
    Stretch {
        chart: ChartId::new([3; 16]),
        compartment: CompartmentTag::new([1; 8]),
        author: NodeId::new([4; 32]),
        incarnation: Incarnation::new(5),
        first: Sequence::new(first),
        last: Sequence::new(last),
        link: RecordLink::new([6; 8]),
    }
}

fn prefix(number: usize) -> StatementPrefix {
    StatementPrefix::new(u64::try_from(number).unwrap().to_be_bytes())
}

fn unsigned(stretches: Vec<Stretch>, statements: Vec<StatementPrefix>) -> Receipt {
    Receipt {
        holder: World::new(1, 1).clinics[0].node.id(),
        store: StoreIncarnation::new(8),
        at: HybridTime::from_ms(NOW_MS),
        stretches,
        statements,
    }
}

fn receipt(
    stretches: Vec<Stretch>,
    statements: Vec<StatementPrefix>,
) -> Result<Verified<Receipt>, SignedError> {
    unsigned(stretches, statements).issue(&World::new(1, 1).clinics[0].node)
}

#[test]
fn a_receipt_names_each_stretch_once_forwards_and_not_too_many() {
    let signed = receipt(vec![stretch(0, 1), stretch(3, 3)], vec![prefix(1)]).unwrap();
    let read = Verified::<Receipt>::decode(&signed.to_bytes()).unwrap();
    assert_eq!(read, signed);
    let refused = |what| Err(SignedError::Codec(CodecError::OutOfBounds { what }));
    for stretches in [
        vec![stretch(3, 3), stretch(0, 1)],
        vec![stretch(1, 1), stretch(1, 1)],
        (0..=512).map(|at| stretch(at, at)).collect(),
    ] {
        assert_eq!(receipt(stretches, vec![]), refused("stretches"));
    }
    assert_eq!(receipt(vec![stretch(1, 0)], vec![]), refused("stretch"));
    for statements in [
        vec![prefix(2), prefix(1)],
        vec![prefix(1), prefix(1)],
        (0..=Receipt::MOST_STATEMENTS).map(prefix).collect(),
    ] {
        assert_eq!(receipt(vec![], statements), refused("statements"));
    }
}

#[test]
fn a_full_receipt_of_the_largest_numbers_is_within_its_bytes() {
    let stretches = (0..512).map(|at| Stretch {
        incarnation: Incarnation::new(u32::MAX),
        ..stretch(u64::MAX - 600 + at, u64::MAX)
    });
    let statements = (0..Receipt::MOST_STATEMENTS).map(prefix).collect();
    let signed = receipt(stretches.collect(), statements).unwrap();
    let read = Verified::<Receipt>::decode(&signed.to_bytes()).unwrap();
    assert_eq!(read, signed);
}

#[test]
fn only_the_holder_signs_a_receipt_and_no_byte_of_it_changes() {
    let other = &World::new(1, 2).clinics[1].node;
    let forged = unsigned(vec![stretch(0, 1)], vec![]).issue(other);
    let mismatch = SignedError::Signature(SignatureError::Mismatch);
    assert_eq!(forged, Err(mismatch));
    let bytes = receipt(vec![stretch(0, 1)], vec![prefix(1)]).unwrap();
    let bytes = bytes.to_bytes();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(Verified::<Receipt>::decode(&changed).is_err(), "byte {at}");
    }
    assert!(Verified::<Beacon>::decode(&bytes).is_err());
}

#[test]
fn a_kind_that_is_not_known_is_mail_worth_nothing() {
    let mail = Mail::seal(&key(1), Content::Unread(7, b"of later days")).unwrap();
    assert!(Mail::decode(mail.as_bytes()).is_ok());
    assert_eq!(mail.open(&key(1), |_| ()), Err(MailError::Unknown));
}

#[test]
fn mail_and_what_lies_in_it_are_written_as_ever() {
    let mail = Mail::seal(&key(1), Content::Record(b"a record")).unwrap();
    let file = golden("mail.bin", mail.as_bytes());
    assert_eq!(Mail::decode(&file).unwrap(), mail);
    let access = access().issue(&key(1)).unwrap();
    let file = golden("mail-access.bin", &access.to_bytes());
    assert_eq!(Verified::<Access>::decode(&file).unwrap(), access);
    let beacon = beacon(vec![reach(1), reach(2)]).unwrap();
    let file = golden("mail-beacon.bin", &beacon.to_bytes());
    assert_eq!(Verified::<Beacon>::decode(&file).unwrap(), beacon);
    let receipt = receipt(vec![stretch(0, 1), stretch(3, 3)], vec![prefix(7)]).unwrap();
    let file = golden("mail-receipt.bin", &receipt.to_bytes());
    assert_eq!(Verified::<Receipt>::decode(&file).unwrap(), receipt);
    let [pair, _] = pair();
    let boxes = [key(1).id(), MailboxKey::of_pair(&pair).id()];
    golden("mailboxes.bin", &boxes.map(|one| *one.as_bytes()).concat());
}
