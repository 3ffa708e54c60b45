//! A store in memory. Charts below [`FIRST_GRANTED`] are always shared with the peer, the others
//! once their grant, a statement, is there.

use std::collections::{BTreeMap, HashMap, HashSet};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::shelf::Shelf;
use crate::attachment::{AttachmentName, Shape};
use crate::id::{CertificateHash, ClinicId, NodeId};
use crate::identity::{ClinicKey, NodeCertificate, NodeKey, NodeRole, SealingKey, Verified};
use crate::reconcile::{
    Cursor, Digest, FeedNumber, ItemId, PairKey, SharedDigests, StoreIncarnation,
};
use crate::sync::{Effect, FeedEntry, Holdings, ItemKind, Lane, Wanted};
use crate::time::HybridTime;

/// Charts from here on need a grant.
pub(super) const FIRST_GRANTED: u8 = 100;

/// Bytes at the end of an item that stand for its signature.
const SEAL_BYTES: usize = 8;

/// An item of at least `size` bytes, as it travels: kind, lane, chart, whether it is a grant, the
/// text, a seal.
pub(super) fn item(kind: ItemKind, lane: Lane, chart: u8, text: &str, size: usize) -> Vec<u8> {
    sealed(
        [u8::from(kind == ItemKind::Record), lane as u8, chart, 0],
        text,
        size,
    )
}

fn sealed(head: [u8; 4], text: &str, size: usize) -> Vec<u8> {
    let mut bytes = [&head, text.as_bytes()].concat();
    bytes.resize(bytes.len().max(size.saturating_sub(SEAL_BYTES)), 0x55);
    let seal = *blake3::hash(&bytes).as_bytes();
    bytes.extend_from_slice(&seal[..SEAL_BYTES]);
    bytes
}

/// Whether an item is as it was made.
pub(super) fn is_genuine(bytes: &[u8]) -> bool {
    let Some((bytes, seal)) = bytes.split_last_chunk::<SEAL_BYTES>() else {
        return false;
    };
    blake3::hash(bytes).as_bytes().starts_with(seal)
}

pub(super) fn record(chart: u8, text: &str, size: usize) -> Vec<u8> {
    item(ItemKind::Record, Lane::Recent, chart, text, size)
}

pub(super) fn statement(chart: u8, text: &str) -> Vec<u8> {
    item(ItemKind::Statement, Lane::Urgent, chart, text, 120)
}

pub(super) fn grant(chart: u8) -> Vec<u8> {
    sealed([0, Lane::Urgent as u8, chart, 1], "grant", 120)
}

pub(super) fn id_of(bytes: &[u8]) -> ItemId {
    ItemId::new(*blake3::hash(bytes).as_bytes())
}

#[derive(Clone)]
struct Kept {
    entry: FeedEntry,
    chart: u8,
    is_grant: bool,
    bytes: Vec<u8>,
}

/// Who a node is.
pub(super) struct Identity {
    pub(super) node: NodeKey,
    pub(super) certificate: Verified<NodeCertificate>,
}

impl Identity {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (clinic, node) = (ClinicKey::generate(&mut rng), NodeKey::generate(&mut rng));
        Self::certified(node, &clinic, seed)
    }

    pub(super) fn certified(node: NodeKey, clinic: &ClinicKey, seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed + 1000);
        let certificate = NodeCertificate {
            clinic: clinic.id(),
            node: node.id(),
            sealing: SealingKey::generate(&mut rng).public(),
            role: NodeRole::Clinic,
            issued_ms: 1_700_000_000_000,
            serial: 1,
        };
        let certificate = certificate.issue(clinic).unwrap();
        Self { node, certificate }
    }

    pub(super) fn clinic(&self) -> ClinicId {
        self.certificate.payload().clinic
    }

    pub(super) fn pair_key(&self, other: &NodeId) -> PairKey {
        PairKey::derive(&self.node.agree(other).unwrap())
    }
}

pub(super) struct Store {
    key: PairKey,
    pub(super) incarnation: u64,
    newest: u64,
    items: BTreeMap<u64, Kept>,
    feeds: HashMap<ItemId, u64>,
    pub(super) cursor: Option<Cursor>,
    /// What the peer sent or acknowledged, in which incarnation of its store.
    pub(super) peer_has: HashSet<ItemId>,
    peer_incarnation: Option<StoreIncarnation>,
    pub(super) known_clinics: HashSet<ClinicId>,
    pub(super) certificates: HashMap<CertificateHash, Vec<u8>>,
    pub(super) peer_certificate: Option<CertificateHash>,
    /// The certificate that every item needs, if any.
    pub(super) author: Option<CertificateHash>,
    /// Items withdrawn from the peer.
    pub(super) withdrawn: HashSet<ItemId>,
    /// Added to the digest of records, to make it wrong.
    pub(super) digest_error: Option<ItemId>,
    pub(super) time: u64,
    pub(super) shelf: Shelf,
}

impl Store {
    pub(super) fn new(key: PairKey, incarnation: u64) -> Self {
        Self {
            key,
            incarnation,
            newest: 0,
            items: BTreeMap::new(),
            feeds: HashMap::new(),
            cursor: None,
            peer_has: HashSet::new(),
            peer_incarnation: None,
            known_clinics: HashSet::new(),
            certificates: HashMap::new(),
            peer_certificate: None,
            author: None,
            withdrawn: HashSet::new(),
            digest_error: None,
            time: 0,
            shelf: Shelf::default(),
        }
    }

    /// Accepts an item; says whether it is new.
    pub(super) fn accept(&mut self, bytes: Vec<u8>) -> bool {
        let id = id_of(&bytes);
        if self.feeds.contains_key(&id) {
            return false;
        }
        self.newest += 1;
        let kind = if bytes[0] == 1 {
            ItemKind::Record
        } else {
            ItemKind::Statement
        };
        let entry = FeedEntry {
            feed: FeedNumber::new(self.newest),
            id,
            kind,
            lane: Lane::ALL[bytes[1] as usize],
        };
        self.feeds.insert(id, self.newest);
        let (chart, is_grant) = (bytes[2], bytes[3] == 1);
        self.items.insert(
            self.newest,
            Kept {
                entry,
                chart,
                is_grant,
                bytes,
            },
        );
        true
    }

    /// Forgets everything, as after a lost disk.
    pub(super) fn lose(&mut self, incarnation: u64) {
        self.incarnation = incarnation;
        self.newest = 0;
        self.items.clear();
        self.feeds.clear();
        self.cursor = None;
        self.peer_has.clear();
    }

    /// Loses the newest `count` items and knows nothing of it, as after a restored backup.
    pub(super) fn roll_back(&mut self, count: usize) {
        for _ in 0..count {
            if let Some((_, kept)) = self.items.pop_last() {
                self.feeds.remove(&kept.entry.id);
            }
        }
        self.newest = self.items.keys().next_back().copied().unwrap_or(0);
    }

    /// Makes one item vanish, as damage does.
    pub(super) fn damage(&mut self, id: &ItemId) {
        let feed = self.feeds.remove(id).unwrap();
        self.items.remove(&feed);
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn has(&self, bytes: &[u8]) -> bool {
        self.feeds.contains_key(&id_of(bytes))
    }

    pub(super) fn has_id(&self, id: &ItemId) -> bool {
        self.feeds.contains_key(id)
    }

    /// What was shared with the peer when the feed had reached `number`.
    pub(super) fn shared_upto(&self, number: u64) -> Vec<ItemId> {
        self.shared_items()
            .filter(|kept| kept.entry.feed.value() <= number)
            .filter(|kept| kept.is_grant || self.shared_since(kept.chart) <= Some(number))
            .map(|kept| kept.entry.id)
            .collect()
    }

    /// Everything shared with the peer.
    pub(super) fn shared_ids(&self) -> Vec<ItemId> {
        let mut ids: Vec<_> = self.shared_items().map(|kept| kept.entry.id).collect();
        ids.sort();
        ids
    }

    /// The feed number that made a chart shared; 0 when it always was.
    fn shared_since(&self, chart: u8) -> Option<u64> {
        if chart < FIRST_GRANTED {
            return Some(0);
        }
        let grant = self
            .items
            .values()
            .find(|kept| kept.is_grant && kept.chart == chart);
        grant.map(|kept| kept.entry.feed.value())
    }

    fn shared_items(&self) -> impl Iterator<Item = &Kept> {
        self.items.values().filter(|kept| {
            (kept.is_grant || self.shared_since(kept.chart).is_some())
                && !self.withdrawn.contains(&kept.entry.id)
        })
    }

    /// Carries out the effects that are the store's, except `Deliver`.
    pub(super) fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::CursorAdvanced(cursor) => self.cursor = Some(*cursor),
            Effect::PeerAcknowledged(feeds) => {
                for feed in feeds {
                    if let Some(kept) = self.items.get(&feed.value()) {
                        self.peer_has.insert(kept.entry.id);
                    }
                }
            }
            Effect::PeerIdentified(peer) => {
                if self.peer_incarnation.replace(peer.incarnation) != Some(peer.incarnation) {
                    self.peer_has.clear();
                }
                self.peer_certificate = Some(peer.certificate);
            }
            Effect::Certificate(bytes) => {
                // One that was damaged on the way is not kept.
                if let Ok(certificate) = Verified::<NodeCertificate>::decode(bytes) {
                    self.certificates.insert(certificate.hash(), bytes.clone());
                }
            }
            Effect::PiecesLacking { name, pieces } => self.shelf.lacks(*name, pieces),
            Effect::AttachmentsTold { held, .. } => self.shelf.held(held),
            Effect::Send(_)
            | Effect::Revocation(_)
            | Effect::Deliver { .. }
            | Effect::Piece { .. }
            | Effect::PeerHolds(_)
            | Effect::StoreIsBehind { .. }
            | Effect::InSync(_)
            | Effect::WakeAt { .. }
            | Effect::Close(_) => {}
        }
    }
}

impl Holdings for Store {
    fn incarnation(&self) -> StoreIncarnation {
        StoreIncarnation::new(self.incarnation)
    }

    fn newest(&self) -> FeedNumber {
        FeedNumber::new(self.newest)
    }

    fn cursor(&self) -> Option<Cursor> {
        self.cursor
    }

    fn time(&self) -> HybridTime {
        HybridTime::from_ms(self.time)
    }

    fn digests(&self) -> SharedDigests {
        let of = |kind| {
            let shared = self.shared(kind);
            Digest::of(&self.key, shared.iter().map(|entry| &entry.id))
        };
        let mut records = of(ItemKind::Record);
        if let Some(id) = &self.digest_error {
            records.add(&self.key, id);
        }
        SharedDigests {
            statements: of(ItemKind::Statement),
            records,
        }
    }

    fn owed(&self, after: FeedNumber) -> Vec<FeedEntry> {
        let after = after.value();
        let fresh: Vec<bool> = (0..=255)
            .map(|c| self.shared_since(c).is_some_and(|feed| feed > after))
            .collect();
        self.shared_items()
            .filter(|kept| kept.entry.feed.value() > after || fresh[usize::from(kept.chart)])
            .map(|kept| kept.entry)
            .filter(|entry| !self.peer_has.contains(&entry.id))
            .collect()
    }

    fn shared(&self, kind: ItemKind) -> Vec<FeedEntry> {
        self.shared_items()
            .map(|kept| kept.entry)
            .filter(|entry| entry.kind == kind)
            .collect()
    }

    fn item(&self, id: &ItemId) -> Option<Vec<u8>> {
        if self.withdrawn.contains(id) {
            return None;
        }
        let kept = self.items.get(self.feeds.get(id)?)?;
        Some(kept.bytes.clone())
    }

    fn certificates_for(&self, _: &ItemId) -> Vec<CertificateHash> {
        self.author.into_iter().collect()
    }

    fn certificate(&self, hash: &CertificateHash) -> Option<Vec<u8>> {
        self.certificates.get(hash).cloned()
    }

    fn peer_certificate(&self) -> Option<CertificateHash> {
        self.peer_certificate
    }

    fn knows_clinic(&self, clinic: &ClinicId) -> bool {
        self.known_clinics.contains(clinic)
    }

    fn wanted(&self, most: usize) -> Wanted {
        self.shelf.wanted(most)
    }

    fn piece(&self, name: &AttachmentName, shape: Shape, number: u32) -> Option<Vec<u8>> {
        self.shelf.piece(name, shape, number)
    }

    fn in_doubt(&self, most: usize) -> Vec<(AttachmentName, Shape)> {
        self.shelf.in_doubt(most)
    }

    fn holds_attachment(&self, name: &AttachmentName, _: Shape) -> bool {
        self.shelf.is_whole(name) && !self.shelf.withdrawn.contains(name)
    }

    fn is_cut_off(&self, _: &ClinicId, _: &NodeId) -> bool {
        false
    }
}
