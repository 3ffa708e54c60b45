//! A small store that stands in for a node's.

use std::cell::RefCell;

use chartmesh_protocol::attachment::{AttachmentName, Shape};
use chartmesh_protocol::identity::{
    ClinicKey, NodeCertificate, NodeKey, NodeRole, SealingKey, Verified,
};
use chartmesh_protocol::reconcile::{
    Cursor, Digest, FeedNumber, ItemId, PairKey, SharedDigests, StoreIncarnation,
};
use chartmesh_protocol::sync::bundle::{Account, Author, BundleId, PartWriter, Recipient};
use chartmesh_protocol::sync::{Effect, FeedEntry, Holdings, ItemKind, Lane, Wanted};
use chartmesh_protocol::{CertificateHash, ClinicId, HybridTime, NodeId};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use zeroize::Zeroizing;

use super::shelf::{Shelf, attachment};

/// A node of a clinic, and what it holds.
pub(super) struct StandIn {
    pub(super) certificate: Verified<NodeCertificate>,
    number: u8,
    items: Vec<(FeedEntry, Vec<u8>)>,
    pair: PairKey,
    shelf: RefCell<Shelf>,
}

fn node(number: u8) -> NodeKey {
    NodeKey::from_bytes(Zeroizing::new([0x40 + number; 32]))
}

/// The sealing key of a clinic.
pub(super) fn sealing(number: u8) -> SealingKey {
    SealingKey::from_bytes(Zeroizing::new([0x70 + number; 32]))
}

/// A part of a bundle with all that node 1 has for clinic 2, attachments behind it, as an input of
/// the target for them.
///
/// # Panics
/// When the part cannot be written.
#[must_use]
pub fn recorded_part() -> Vec<u8> {
    let (from, to) = (StandIn::new(1), StandIn::new(2));
    let key = node(1);
    let author = Author {
        node: &key,
        certificate: &from.certificate,
    };
    let recipient = Recipient {
        clinic: to.certificate.payload().clinic,
        sealing: sealing(2).public(),
    };
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let number = (BundleId::new([9; 16]), 1);
    let begun = PartWriter::begin(
        &mut rng,
        number,
        author,
        recipient,
        &Account::of(&from, FeedNumber::START),
    );
    let (mut part, mut bytes) = begun.expect("the key is good");
    for entry in from.owed(FeedNumber::START) {
        let item = from.item(&entry.id).expect("it is owed");
        bytes.extend(part.item(&entry, &item, &from).expect("it is small"));
    }
    let (name, shape, pieces) = attachment(1);
    let pieces: Vec<Vec<u8>> = pieces.into_values().collect();
    let written = part.pieces(&name, shape, 0, &pieces);
    bytes.extend(written.expect("they are its pieces"));
    bytes.extend(part.end(true).expect("few blocks"));
    bytes
}

/// The key of the two nodes.
pub(super) fn pair_key() -> PairKey {
    let secret = node(1).agree(&node(2).id()).expect("both are good keys");
    PairKey::derive(&secret)
}

impl StandIn {
    /// Node number 1 or 2, with some items that the other lacks.
    pub(super) fn new(number: u8) -> Self {
        let clinic = ClinicKey::from_bytes(Zeroizing::new([0x60 + number; 32]));
        let certificate = NodeCertificate {
            clinic: clinic.id(),
            node: node(number).id(),
            sealing: sealing(number).public(),
            role: NodeRole::Clinic,
            issued_ms: 1,
            serial: 1,
        };
        let item = |n: u8| {
            let entry = FeedEntry {
                feed: FeedNumber::new(u64::from(n) + 1),
                id: ItemId::new([number * 16 + n; 32]),
                kind: if n < 2 {
                    ItemKind::Statement
                } else {
                    ItemKind::Record
                },
                lane: if n < 2 { Lane::Urgent } else { Lane::Recent },
            };
            (entry, vec![n; 40 * usize::from(n + 1)])
        };
        Self {
            certificate: certificate.issue(&clinic).expect("a clinic's own node"),
            number,
            items: (0..6).map(item).collect(),
            pair: pair_key(),
            shelf: RefCell::new(Shelf::of(number)),
        }
    }

    /// As [`new`](Self::new), without items: what the two have is equal.
    pub(super) fn without_items(number: u8) -> Self {
        Self {
            items: Vec::new(),
            ..Self::new(number)
        }
    }

    /// Which node it is.
    pub(super) fn number(&self) -> u8 {
        self.number
    }

    /// Keeps a piece of an attachment that a session delivers; says whether it was one.
    pub(super) fn take(&self, effect: &Effect) -> bool {
        self.shelf.borrow_mut().take(effect)
    }

    fn of(&self, kind: ItemKind) -> impl Iterator<Item = FeedEntry> + '_ {
        let entries = self.items.iter().map(|(entry, _)| *entry);
        entries.filter(move |entry| entry.kind == kind)
    }

    fn digest(&self, kind: ItemKind) -> Digest {
        let ids: Vec<ItemId> = self.of(kind).map(|entry| entry.id).collect();
        Digest::of(&self.pair, &ids)
    }
}

impl Holdings for StandIn {
    fn incarnation(&self) -> StoreIncarnation {
        StoreIncarnation::new(u64::from(self.number))
    }
    fn newest(&self) -> FeedNumber {
        FeedNumber::new(self.items.len() as u64)
    }
    fn cursor(&self) -> Option<Cursor> {
        None
    }
    fn time(&self) -> HybridTime {
        HybridTime::from_ms(1)
    }
    fn digests(&self) -> SharedDigests {
        SharedDigests {
            statements: self.digest(ItemKind::Statement),
            records: self.digest(ItemKind::Record),
        }
    }
    fn owed(&self, after: FeedNumber) -> Vec<FeedEntry> {
        let all = self.items.iter().map(|(entry, _)| *entry);
        all.filter(|entry| entry.feed > after).collect()
    }
    fn shared(&self, kind: ItemKind) -> Vec<FeedEntry> {
        self.of(kind).collect()
    }
    fn item(&self, id: &ItemId) -> Option<Vec<u8>> {
        let found = self.items.iter().find(|(entry, _)| entry.id == *id);
        found.map(|(_, bytes)| bytes.clone())
    }
    fn certificates_for(&self, _: &ItemId) -> Vec<CertificateHash> {
        vec![self.certificate.hash()]
    }
    fn certificate(&self, hash: &CertificateHash) -> Option<Vec<u8>> {
        (*hash == self.certificate.hash()).then(|| self.certificate.to_bytes())
    }
    fn peer_certificate(&self) -> Option<CertificateHash> {
        None
    }
    fn knows_clinic(&self, _: &ClinicId) -> bool {
        true
    }
    fn wanted(&self, most: usize) -> Wanted {
        self.shelf.borrow_mut().wanted(most)
    }
    fn piece(&self, name: &AttachmentName, _: Shape, number: u32) -> Option<Vec<u8>> {
        self.shelf.borrow().piece(name, number)
    }
    fn in_doubt(&self, most: usize) -> Vec<(AttachmentName, Shape)> {
        self.shelf.borrow_mut().in_doubt(most)
    }
    fn holds_attachment(&self, name: &AttachmentName, _: Shape) -> bool {
        self.shelf.borrow().is_whole(name)
    }

    fn is_cut_off(&self, _: &ClinicId, _: &NodeId) -> bool {
        false
    }
}
