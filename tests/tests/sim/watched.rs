//! The store of a clinic as a session sees it, watched: what leaves it and what it says to hold is
//! written down; and, where a fault is planted, something else happens than should.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use chartmesh::clinic::{
    ClinicError, Delivery, PeerBook, PeerStore, PieceDelivery, Refused, Replica,
};
use chartmesh_protocol::attachment::{AttachmentName, AttachmentPlace, Shape};
use chartmesh_protocol::identity::Verified;
use chartmesh_protocol::ledger::Statement;
use chartmesh_protocol::reconcile::{Cursor, FeedNumber, ItemId, SharedDigests, StoreIncarnation};
use chartmesh_protocol::seal::{RecordHeader, VerifiedRecord};
use chartmesh_protocol::sync::{FeedEntry, Holdings, ItemKind, Peer, Wanted};
use chartmesh_protocol::{CertificateHash, ClinicId, HybridTime, NodeId};

use crate::faults::Fault;

/// What was seen at the stores of all clinics since the last look.
#[derive(Default)]
pub(crate) struct Tap {
    /// Items that left one clinic for another.
    pub(crate) sent: Vec<Sent>,
    /// Pieces of attachments that left one clinic for another.
    pub(crate) pieces: Vec<PieceSent>,
    /// Items that a clinic said to hold.
    pub(crate) stored: Vec<(usize, ItemId)>,
}

/// A piece of an attachment that left one clinic for another.
pub(crate) struct PieceSent {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) place: AttachmentPlace,
}

/// An item that left one clinic for another.
pub(crate) struct Sent {
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// The header, of a record.
    pub(crate) record: Option<RecordHeader>,
}

/// The record that a planted fault says to hold and does not, by the peers who have sent it.
pub(crate) type Hidden = BTreeMap<usize, ItemId>;

/// A replica that is watched.
pub(crate) struct Watched {
    replica: Replica,
    /// Who holds it, and for whom.
    site: usize,
    peer: usize,
    tap: Rc<RefCell<Tap>>,
    fault: Option<Fault>,
    /// What a planted fault serves in place of what it should.
    instead: Option<Replica>,
    hidden: Rc<RefCell<Hidden>>,
}

impl Watched {
    pub(crate) fn new(
        replica: Replica,
        (site, peer): (usize, usize),
        tap: &Rc<RefCell<Tap>>,
        fault: Option<Fault>,
        hidden: &Rc<RefCell<Hidden>>,
    ) -> Self {
        Self {
            replica,
            site,
            peer,
            tap: Rc::clone(tap),
            fault,
            instead: None,
            hidden: Rc::clone(hidden),
        }
    }

    /// Serves what another peer may have.
    pub(crate) fn serve_instead(&mut self, other: Replica) {
        self.instead = Some(other);
    }

    fn has_fault(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Which of the deliveries the planted fault loses.
    fn swallowed(&self, deliveries: &[Delivery]) -> Option<usize> {
        let record = |one: &Delivery| one.kind == ItemKind::Record;
        let hidden = self.hidden.borrow();
        let lacks = |one: &Delivery| {
            let id = read(one.kind, &one.bytes).map(|(id, _)| id);
            hidden.is_empty() || hidden.values().any(|lacked| Some(*lacked) == id)
        };
        let mut all = deliveries.iter();
        match self.fault {
            Some(Fault::AcksUnstored) => all.position(record),
            Some(Fault::HidesWhatItLacks) => all.position(|one| record(one) && lacks(one)),
            _ => None,
        }
    }
}

/// The id of an item and the header of a record, read from its bytes.
fn read(kind: ItemKind, bytes: &[u8]) -> Option<(ItemId, Option<RecordHeader>)> {
    match kind {
        ItemKind::Statement => {
            let statement = Verified::<Statement>::decode(bytes).ok()?;
            Some((ItemId::from(statement.id()), None))
        }
        ItemKind::Record => {
            let record = VerifiedRecord::decode(bytes).ok()?;
            Some((ItemId::from(record.id()), Some(*record.header())))
        }
    }
}

impl PeerStore for Watched {
    fn book(&self) -> &PeerBook {
        self.replica.book()
    }

    fn owed_out(&self) -> u64 {
        self.replica.owed_out()
    }

    fn store(&self, deliveries: &[Delivery]) -> Result<(), Refused> {
        let swallowed = self.swallowed(deliveries);
        let mut kept = deliveries.to_vec();
        let lost = swallowed.map(|index| kept.remove(index));
        self.replica.store(&kept)?;
        let mut tap = self.tap.borrow_mut();
        for one in kept.iter().chain(&lost) {
            let Some((id, _)) = read(one.kind, &one.bytes) else {
                continue;
            };
            let here = kept.iter().any(|other| other.bytes == one.bytes);
            if !here && self.has_fault(Fault::HidesWhatItLacks) {
                self.hidden.borrow_mut().insert(self.peer, id);
            } else {
                tap.stored.push((self.site, id));
            }
        }
        Ok(())
    }

    fn store_pieces(&self, deliveries: &[PieceDelivery]) -> Result<(), Refused> {
        self.replica.store_pieces(deliveries)
    }

    fn pieces_lacking(&self, name: AttachmentName, pieces: &[u32]) {
        self.replica.pieces_lacking(name, pieces);
    }

    fn identified(&self, peer: &Peer) -> Result<(), ClinicError> {
        self.replica.identified(peer)
    }

    fn confirmed(&self) -> Result<(), ClinicError> {
        self.replica.confirmed()
    }
}

impl Holdings for Watched {
    fn incarnation(&self) -> StoreIncarnation {
        self.replica.incarnation()
    }

    fn newest(&self) -> FeedNumber {
        self.replica.newest()
    }

    fn cursor(&self) -> Option<Cursor> {
        self.replica.cursor()
    }

    fn time(&self) -> HybridTime {
        self.replica.time()
    }

    fn digests(&self) -> SharedDigests {
        let mut digests = self.replica.digests();
        if let Some(id) = self.hidden.borrow().get(&self.peer) {
            digests.records.add(&self.replica.pair_key(), id);
        }
        digests
    }

    fn owed(&self, after: FeedNumber) -> Vec<FeedEntry> {
        match &self.instead {
            Some(instead) => instead.everything(),
            None => self.replica.owed(after),
        }
    }

    fn untold(&self) -> Vec<FeedEntry> {
        self.replica.untold()
    }

    fn shared(&self, kind: ItemKind) -> Vec<FeedEntry> {
        self.replica.shared(kind)
    }

    fn item(&self, id: &ItemId) -> Option<Vec<u8>> {
        let found = self.replica.item(id);
        let bytes = found.or_else(|| self.instead.as_ref()?.item(id))?;
        let read = read(ItemKind::Record, &bytes);
        self.tap.borrow_mut().sent.push(Sent {
            from: self.site,
            to: self.peer,
            record: read.and_then(|(_, header)| header),
        });
        Some(bytes)
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

    fn wanted(&self, most: usize) -> Wanted {
        self.replica.wanted(most)
    }

    fn piece(&self, name: &AttachmentName, shape: Shape, number: u32) -> Option<Vec<u8>> {
        let bytes = self.replica.piece(name, shape, number)?;
        self.tap.borrow_mut().pieces.push(PieceSent {
            from: self.site,
            to: self.peer,
            place: name.place,
        });
        Some(bytes)
    }

    fn is_cut_off(&self, clinic: &ClinicId, node: &NodeId) -> bool {
        self.replica.is_cut_off(clinic, node)
    }
    fn revocation(&self, clinic: &ClinicId, node: &NodeId) -> Option<Vec<u8>> {
        self.replica.revocation(clinic, node)
    }
}
