//! The store of a relay as one node's session sees it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chartmesh_protocol::reconcile::{Cursor, FeedNumber, ItemId, SharedDigests, StoreIncarnation};
use chartmesh_protocol::sync::{FeedEntry, Holdings, ItemKind, Refusal};
use chartmesh_protocol::{CertificateHash, ClinicId, HybridTime, NodeId};

use super::boxes::{self, Sender};
use super::view::BoxView;
use crate::clinic::peer_book::PeerBook;
use crate::clinic::peer_store::PeerStore;
use crate::clinic::{Clinic, ClinicError, Delivery, Refused};

/// The counter at which one node puts and fetches.
pub(crate) struct Counter {
    book: PeerBook,
    view: Mutex<BoxView>,
}

impl Counter {
    /// The counter for a node whom the transport has authenticated.
    ///
    /// # Errors
    /// [`ClinicError`] when the store cannot be read or the node's key is not usable.
    pub(crate) fn open(clinic: Arc<Clinic>, node: NodeId) -> Result<Self, ClinicError> {
        let book = PeerBook::open(clinic, node)?;
        let view = BoxView::open(&book.clinic.store, node, book.pair_key.clone())?;
        Ok(Self {
            book,
            view: Mutex::new(view),
        })
    }

    fn clinic(&self) -> &Clinic {
        &self.book.clinic
    }

    /// What the node fetches, with everything that has come. A store that cannot be read shows as
    /// one that has nothing more: the session then ends by its digests.
    fn view(&self) -> MutexGuard<'_, BoxView> {
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = view.refresh(&self.clinic().store) {
            tracing::error!(%error, "the mailboxes cannot be read");
        }
        view
    }
}

impl PeerStore for Counter {
    fn book(&self) -> &PeerBook {
        &self.book
    }
    fn store(&self, deliveries: &[Delivery]) -> Result<(), Refused> {
        let Some(clinic) = self.book.clinic_of_peer() else {
            return Err(Refused::item(0, Refusal::NotShared));
        };
        let sender = Sender {
            node: self.book.peer,
            clinic,
        };
        let filed = self.clinic().file_mail(sender, deliveries);
        let outcome = filed.map_err(|error| Refused::fault(0, error))?;
        let noted = self.book.acknowledged(outcome.held);
        noted.map_err(|error| Refused::fault(outcome.stored, error))?;
        match outcome.refused {
            Some(refusal) => Err(Refused::item(outcome.stored, refusal)),
            None => Ok(()),
        }
    }
}

impl Holdings for Counter {
    fn incarnation(&self) -> StoreIncarnation {
        self.clinic().store_incarnation()
    }
    fn newest(&self) -> FeedNumber {
        self.view().newest()
    }
    fn cursor(&self) -> Option<Cursor> {
        self.book.cursor()
    }
    fn time(&self) -> HybridTime {
        self.clinic().tick()
    }
    fn digests(&self) -> SharedDigests {
        self.view().digests()
    }
    fn owed(&self, after: FeedNumber) -> Vec<FeedEntry> {
        let is_held = |feed: u64| self.book.is_held(feed);
        self.view().owed(after.value(), &is_held)
    }
    fn shared(&self, kind: ItemKind) -> Vec<FeedEntry> {
        self.view().shared(kind)
    }
    fn item(&self, id: &ItemId) -> Option<Vec<u8>> {
        let found = boxes::bytes(&self.clinic().store, id).ok().flatten();
        let (feed, bytes) = found?;
        self.view().has(feed).then_some(bytes)
    }
    fn certificates_for(&self, _: &ItemId) -> Vec<CertificateHash> {
        Vec::new()
    }
    fn certificate(&self, hash: &CertificateHash) -> Option<Vec<u8>> {
        self.clinic().certificate(hash)
    }
    fn peer_certificate(&self) -> Option<CertificateHash> {
        self.book.certificate()
    }
    fn knows_clinic(&self, clinic: &ClinicId) -> bool {
        self.clinic().talks_to(clinic)
    }
    fn is_cut_off(&self, clinic: &ClinicId, node: &NodeId) -> bool {
        self.clinic().is_cut_off(clinic, node)
    }
    fn revocation(&self, clinic: &ClinicId, node: &NodeId) -> Option<Vec<u8>> {
        self.clinic().revocation_bytes(clinic, node)
    }
}
