use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use zeroize::Zeroizing;

use super::*;
use crate::id::{
    ChartId, CompartmentTag, Incarnation, NodeId, RecordLink, Sequence, StatementPrefix,
};
use crate::identity::UserKey;
use crate::seal::sign_changes;
use crate::time::HybridTime;

const CHART: ChartId = ChartId::new([1; 16]);

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(11)
}

fn author() -> NodeKey {
    NodeKey::from_bytes(Zeroizing::new([2; 32]))
}

fn epoch() -> EpochKey {
    EpochKey::from_bytes(Zeroizing::new([3; 32]))
}

fn place() -> RecordPlace {
    RecordPlace {
        chart: CHART,
        compartment: CompartmentTag::new([4; 8]),
        incarnation: Incarnation::new(7),
        sequence: Sequence::new(1),
        previous: RecordLink::new([5; 8]),
    }
}

fn content(changes: Vec<Vec<u8>>) -> RecordContent {
    let user = UserKey::from_bytes(Zeroizing::new([6; 32]));
    RecordContent {
        changes,
        user: user.id(),
        role: "physician".to_owned(),
        signature: sign_changes(&user, &CHART, "physician", &[[8; 32]]),
        time: HybridTime::from_ms(1_700_000_000_000),
        frontier: vec![StatementPrefix::new([9; 8])],
    }
}

fn sealed() -> VerifiedRecord {
    let content = content(vec![b"change".to_vec()]);
    seal_record(&mut rng(), &place(), &epoch(), &author(), &content).unwrap()
}

#[test]
fn a_record_reads_back_and_opens() {
    let read = VerifiedRecord::decode(sealed().as_bytes()).unwrap();
    assert_eq!(read, sealed());
    assert_eq!(read.open(&epoch()), Ok(content(vec![b"change".to_vec()])));
    assert_eq!(read.header().author, author().id());
    assert_eq!(read.header().place, place());
}

#[test]
fn the_id_is_the_hash_of_everything_before_the_signature() {
    let bytes = sealed().into_bytes();
    let hash = blake3::hash(&bytes[..bytes.len() - 64]);
    assert_eq!(sealed().id().as_bytes(), hash.as_bytes());
}

#[test]
fn every_truncation_of_a_record_is_refused() {
    let bytes = sealed().into_bytes();
    for end in 0..bytes.len() {
        assert!(
            VerifiedRecord::decode(&bytes[..end]).is_err(),
            "{end} bytes"
        );
    }
}

#[test]
fn every_flipped_bit_of_a_record_is_noticed() {
    let bytes = sealed().into_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(VerifiedRecord::decode(&changed).is_err(), "bit {bit}");
    }
}

#[test]
fn added_bytes_are_noticed() {
    let mut bytes = sealed().into_bytes();
    bytes.push(0);
    assert!(VerifiedRecord::decode(&bytes).is_err());
}

#[test]
fn a_record_of_another_version_is_named_so() {
    let mut bytes = sealed().into_bytes();
    bytes[0] = 2;
    let expected = RecordError::Codec(CodecError::UnknownVersion { found: 2, known: 1 });
    assert_eq!(VerifiedRecord::decode(&bytes), Err(expected));
    assert_eq!(SealedRecord::decode(&[]), Err(CodecError::Empty));
}

#[test]
fn a_record_that_is_too_long_is_refused_before_reading() {
    let found = SealedRecord::decode(&vec![1; MAX_RECORD_BYTES + 1]);
    let expected = CodecError::TooLarge {
        found: MAX_RECORD_BYTES + 1,
        most: MAX_RECORD_BYTES,
    };
    assert_eq!(found, Err(expected));
}

#[test]
fn a_record_in_another_authors_name_is_refused() {
    let mut bytes = sealed().into_bytes();
    let other = NodeKey::from_bytes(Zeroizing::new([99; 32]));
    bytes[33..65].copy_from_slice(other.id().as_bytes());
    let found = VerifiedRecord::decode(&bytes);
    assert_eq!(found, Err(RecordError::Signature(SignatureError::Mismatch)));
}

#[test]
fn a_record_of_an_author_that_is_no_key_is_refused() {
    let mut bytes = sealed().into_bytes();
    let mut no_point = [0; 32];
    no_point[0] = 2;
    bytes[33..65].copy_from_slice(NodeId::new(no_point).as_bytes());
    let found = VerifiedRecord::decode(&bytes);
    assert_eq!(
        found,
        Err(RecordError::Signature(SignatureError::UnusableKey))
    );
}

#[test]
fn the_key_of_another_epoch_does_not_open_it() {
    let other = EpochKey::from_bytes(Zeroizing::new([33; 32]));
    assert_eq!(sealed().open(&other), Err(OpenError::OtherEpoch));
}

#[test]
fn content_moved_to_another_place_and_signed_anew_does_not_open() {
    let record = sealed().record;
    let (head, ciphertext) = record.parts();
    let mut moved = head.to_vec();
    moved[17] ^= 1;
    let signature = author().sign(Context::RECORD, &signed_bytes(&moved, &hash_of(ciphertext)));
    let bytes = [&moved, ciphertext, signature.as_bytes()].concat();
    let record = VerifiedRecord::decode(&bytes).unwrap();
    assert_eq!(record.open(&epoch()), Err(OpenError::NotAuthentic));
}

#[test]
fn two_records_of_the_same_content_share_no_nonce() {
    let mut rng = rng();
    let content = content(vec![b"change".to_vec()]);
    let mut seal = || seal_record(&mut rng, &place(), &epoch(), &author(), &content).unwrap();
    let (one, two) = (seal(), seal());
    assert_ne!(one.header().nonce, two.header().nonce);
    assert_ne!(one.id(), two.id());
}

#[test]
fn a_first_record_has_no_link_and_a_later_one_has() {
    let mut first = place();
    first.sequence = Sequence::new(0);
    let content = content(vec![]);
    let found = seal_record(&mut rng(), &first, &epoch(), &author(), &content);
    let expected = CodecError::OutOfBounds {
        what: "previous link",
    };
    assert_eq!(found, Err(SealError::Content(expected)));
}

#[test]
fn a_save_that_is_too_large_is_refused() {
    let mut noise = vec![0; MAX_RECORD_BYTES];
    rand_core::Rng::fill_bytes(&mut rng(), &mut noise);
    let found = seal_record(
        &mut rng(),
        &place(),
        &epoch(),
        &author(),
        &content(vec![noise]),
    );
    assert!(matches!(found, Err(SealError::TooLarge { .. })));
}

#[test]
fn a_long_save_is_packed_and_opens() {
    let text = br#"{"resourceType":"Observation","status":"final"}"#.repeat(2_000);
    let content = content(vec![text.clone()]);
    let record = seal_record(&mut rng(), &place(), &epoch(), &author(), &content).unwrap();
    assert!(record.as_bytes().len() < text.len() / 10);
    assert_eq!(record.open(&epoch()), Ok(content));
}
