//! Formats of files and frames.

use chartmesh_config::Config;
use chartmesh_crdt::{
    ActorId, Bundle, Document, Readable, Resource, SavedChanges, Settled, parse_ndjson,
};
use chartmesh_protocol::identity::{Card, NodeCertificate, UserCertificate, Verified};
use chartmesh_protocol::ledger::{ChartSecret, Statement};
use chartmesh_protocol::mail::{Access, Beacon, Content, Mail, MailboxKey, Receipt, Request};
use chartmesh_protocol::patient_card::{CardKind, CardSummary, CardText, KeyCard, SummaryCard};
use chartmesh_protocol::reconcile::{ComparisonKey, Decoder, ItemId};
use chartmesh_protocol::seal::VerifiedRecord;
use chartmesh_protocol::sync::bundle::PartReader;
use zeroize::Zeroizing;

use super::stand_in::{StandIn, pair_key, sealing};

/// Symbols of a first flight.
const FLIGHT: usize = 64;
/// Bytes in which a symbol may lie.
const SYMBOL_CHUNK: usize = 512;

pub(super) fn card(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(card) = Card::parse(text) {
        assert_eq!(card.to_line(), text.trim(), "a card has one spelling");
    }
}

pub(super) fn patient_card(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(read) = CardText::read(text) {
        let same = CardText::read(&read.to_text());
        assert_eq!(same, Ok(read), "what was read is written so");
    }
    if let Ok(card) = KeyCard::parse(text) {
        let same = KeyCard::parse(&card.to_text());
        assert_eq!(same, Ok(card), "one spelling");
    }
    if let Ok(card) = SummaryCard::parse(text) {
        let same = SummaryCard::parse(&card.to_text());
        assert_eq!(same.as_ref(), Ok(&card), "one spelling");
        let secret = ChartSecret::from_bytes(Zeroizing::new([7; 32]));
        drop(card.open(&secret.emergency_code()));
    }
}

/// What stands behind the checksum, and inside the seal of a summary: few inputs would come there.
pub(super) fn card_payload(bytes: &[u8]) {
    if let Ok(summary) = Verified::<CardSummary>::decode(bytes) {
        assert_eq!(summary.to_bytes(), bytes, "one spelling");
    }
    for kind in [CardKind::Key, CardKind::Summary] {
        let text = CardText::new(kind, bytes.to_vec());
        drop(KeyCard::of(text.clone()));
        drop(SummaryCard::of(text));
    }
}

pub(super) fn certificate(bytes: &[u8]) {
    if let Ok(certificate) = Verified::<NodeCertificate>::decode(bytes) {
        assert_eq!(certificate.to_bytes(), bytes, "one spelling");
    }
    if let Ok(certificate) = Verified::<UserCertificate>::decode(bytes) {
        assert_eq!(certificate.to_bytes(), bytes, "one spelling");
    }
}

pub(super) fn statement(bytes: &[u8]) {
    if let Ok(statement) = Verified::<Statement>::decode(bytes) {
        assert_eq!(statement.to_bytes(), bytes, "one spelling");
    }
}

pub(super) fn record(bytes: &[u8]) {
    if let Ok(record) = VerifiedRecord::decode(bytes) {
        assert_eq!(record.as_bytes(), bytes, "one spelling");
    }
}

/// Also without its signature, as a store gives it back: few inputs would come any further.
pub(super) fn mail(bytes: &[u8]) {
    let key = MailboxKey::from_bytes(Zeroizing::new([1; 32]));
    if let Ok(mail) = Mail::decode(bytes) {
        assert_eq!(mail.as_bytes(), bytes, "one spelling");
    }
    if let Ok(mail) = Mail::recall(bytes) {
        // Nobody but the owner of the key can make one that opens.
        assert!(mail.open(&key, |_| ()).is_err(), "it opens");
    }
    // What an insider puts: sealed as it should be, whatever it is.
    for content in [
        Content::Record(bytes),
        Content::Beacon(bytes),
        Content::Receipt(bytes),
        Content::Request(bytes),
        Content::Piece(7, bytes),
    ] {
        let Ok(mail) = Mail::seal(&key, content) else {
            continue;
        };
        let same = mail.open(&key, |opened| opened == content);
        assert_eq!(same, Ok(true), "it comes back");
    }
}

pub(super) fn access(bytes: &[u8]) {
    if let Ok(access) = Verified::<Access>::decode(bytes) {
        assert_eq!(access.to_bytes(), bytes, "one spelling");
    }
    if let Ok(access) = Verified::<Access>::recall(bytes) {
        assert_eq!(access.to_bytes(), bytes, "one spelling");
    }
}

pub(super) fn beacon(bytes: &[u8]) {
    if let Ok(beacon) = Verified::<Beacon>::decode(bytes) {
        assert_eq!(beacon.to_bytes(), bytes, "one spelling");
    }
    if let Ok(beacon) = Verified::<Beacon>::recall(bytes) {
        assert_eq!(beacon.to_bytes(), bytes, "one spelling");
    }
}

pub(super) fn receipt(bytes: &[u8]) {
    if let Ok(receipt) = Verified::<Receipt>::decode(bytes) {
        assert_eq!(receipt.to_bytes(), bytes, "one spelling");
    }
    if let Ok(receipt) = Verified::<Receipt>::recall(bytes) {
        assert_eq!(receipt.to_bytes(), bytes, "one spelling");
    }
}

pub(super) fn request(bytes: &[u8]) {
    if let Ok(request) = Verified::<Request>::decode(bytes) {
        assert_eq!(request.to_bytes(), bytes, "one spelling");
    }
    if let Ok(request) = Verified::<Request>::recall(bytes) {
        assert_eq!(request.to_bytes(), bytes, "one spelling");
    }
}

pub(super) fn bundle_part(bytes: &[u8]) {
    let own = StandIn::new(2);
    let mut reader = PartReader::new(own.certificate.payload().clinic, sealing(2));
    let mut pieces = Vec::new();
    // In two halves, as a file is read: a head or a block may be cut.
    let (first, second) = bytes.split_at(bytes.len() / 2);
    if reader.push(first, &mut pieces).is_ok() {
        drop(reader.push(second, &mut pieces));
    }
}

/// Symbols of a peer: the first byte says how many items it claims.
pub(super) fn sketch(bytes: &[u8]) {
    let Some((items, symbols)) = bytes.split_first() else {
        return;
    };
    let ours: Vec<ItemId> = (0..8).map(|n| ItemId::new([n; 32])).collect();
    let key = ComparisonKey::derive(&pair_key(), &[7; 32]);
    let mut decoder = Decoder::new(&ours, &key, 64, FLIGHT);
    for (at, chunk) in symbols.chunks(SYMBOL_CHUNK).enumerate() {
        if decoder.receive(u64::from(*items), at, chunk).is_err() {
            return;
        }
    }
}

pub(super) fn change(bytes: &[u8]) {
    let actor = ActorId([1; 16]);
    let mut document = Document::new(ActorId([2; 16]));
    if document.apply(&[bytes], actor).is_ok() {
        read_all(&document);
        let copy = Document::load(&document.save(), actor).expect("our own save loads");
        assert_eq!(copy.canonical(), document.canonical());
    }
}

pub(super) fn saved(bytes: &[u8]) {
    if let Ok(saved) = SavedChanges::read(bytes) {
        let mut document = Document::new(ActorId([2; 16]));
        if document.apply_saved(saved).is_ok() {
            read_all(&document);
        }
    }
}

pub(super) fn load(bytes: &[u8]) {
    if let Ok(document) = Document::load(bytes, ActorId([2; 16])) {
        read_all(&document);
    }
}

/// Reads a document in every way.
fn read_all(document: &Document) {
    let shown = document.resources().count();
    assert_eq!(shown, document.len());
    drop((document.conflicts(), document.history(), document.outline()));
    if let Some(settled) = Settled::of(document) {
        assert!(settled.resources().eq(document.resources()));
    }
}

pub(super) fn fhir_bundle(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(chart) = Bundle::parse(text, &mut || "new".to_owned()) {
        for resource in &chart.resources {
            let again = Resource::parse(&resource.to_json()).expect("what came out goes in");
            assert!(&again == resource, "without loss");
        }
    }
}

pub(super) fn ndjson(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        drop(parse_ndjson(text.lines(), &mut || "new".to_owned()));
    }
}

pub(super) fn resource(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(resource) = Resource::parse(text) {
        let again = Resource::parse(&resource.to_json()).expect("what came out goes in");
        assert!(again == resource, "without loss");
        drop((resource.compartment(), resource.key()));
        drop(chartmesh_crdt::views::headline(&resource));
    }
}

pub(super) fn config(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Err(faults) = Config::parse(text)
    {
        assert!(!faults.to_string().is_empty(), "a refusal says why");
    }
}
