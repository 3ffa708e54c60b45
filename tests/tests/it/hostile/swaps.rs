//! A peer's store with something in it that does not belong there.

use chartmesh::clinic::{PeerStore, Replica};
use chartmesh_protocol::reconcile::{Cursor, FeedNumber, ItemId, SharedDigests, StoreIncarnation};
use chartmesh_protocol::sync::{FeedEntry, Holdings, ItemKind, Lane};
use chartmesh_protocol::{CertificateHash, ClinicId, HybridTime, NodeId};

/// What a peer honestly shares, and items that it should not.
pub(super) struct Swapped<'a> {
    pub(super) replica: &'a Replica,
    pub(super) extra: Vec<(ItemKind, Vec<u8>)>,
}

impl Swapped<'_> {
    /// The extra items, behind all others.
    fn entries(&self) -> Vec<FeedEntry> {
        let newest = self.replica.newest().value();
        let number = (newest + 1..).zip(&self.extra);
        number
            .map(|(feed, (kind, _))| FeedEntry {
                feed: FeedNumber::new(feed),
                id: ItemId::new([u8::try_from(feed - newest).unwrap(); 32]),
                kind: *kind,
                lane: Lane::Urgent,
            })
            .collect()
    }
}

impl Holdings for Swapped<'_> {
    fn incarnation(&self) -> StoreIncarnation {
        self.replica.incarnation()
    }

    fn newest(&self) -> FeedNumber {
        let extra = u64::try_from(self.extra.len()).unwrap();
        FeedNumber::new(self.replica.newest().value() + extra)
    }

    fn cursor(&self) -> Option<Cursor> {
        self.replica.cursor()
    }

    fn time(&self) -> HybridTime {
        self.replica.time()
    }

    fn digests(&self) -> SharedDigests {
        let mut digests = self.replica.digests();
        for entry in self.entries() {
            let digest = match entry.kind {
                ItemKind::Statement => &mut digests.statements,
                ItemKind::Record => &mut digests.records,
            };
            digest.add(&self.replica.pair_key(), &entry.id);
        }
        digests
    }

    fn owed(&self, after: FeedNumber) -> Vec<FeedEntry> {
        let extra = self.entries().into_iter();
        let mut owed = self.replica.owed(after);
        owed.extend(extra.filter(|entry| entry.feed > after));
        owed
    }

    fn untold(&self) -> Vec<FeedEntry> {
        self.replica.untold()
    }

    fn shared(&self, kind: ItemKind) -> Vec<FeedEntry> {
        let extra = self.entries().into_iter();
        let mut shared = self.replica.shared(kind);
        shared.extend(extra.filter(|entry| entry.kind == kind));
        shared
    }

    fn item(&self, id: &ItemId) -> Option<Vec<u8>> {
        let place = self.entries().iter().position(|entry| entry.id == *id);
        match place {
            Some(place) => Some(self.extra[place].1.clone()),
            None => self.replica.item(id),
        }
    }

    fn certificates_for(&self, id: &ItemId) -> Vec<CertificateHash> {
        self.replica.certificates_for(id)
    }

    fn certificate(&self, hash: &CertificateHash) -> Option<Vec<u8>> {
        self.replica.certificate(hash)
    }

    fn peer_certificate(&self) -> Option<CertificateHash> {
        self.replica.peer_certificate()
    }

    fn knows_clinic(&self, clinic: &ClinicId) -> bool {
        self.replica.knows_clinic(clinic)
    }

    fn is_cut_off(&self, clinic: &ClinicId, node: &NodeId) -> bool {
        self.replica.is_cut_off(clinic, node)
    }
    fn revocation(&self, clinic: &ClinicId, node: &NodeId) -> Option<Vec<u8>> {
        self.replica.revocation(clinic, node)
    }
}
