//! The store as one peer sees it, for the sync session.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chartmesh_protocol::attachment::{AttachmentName, Shape};
use chartmesh_protocol::reconcile::{
    Cursor, Digest, FeedNumber, ItemId, SharedDigests, StoreIncarnation,
};
use chartmesh_protocol::sync::{FeedEntry, Holdings, ItemKind, Lane, Peer, Wanted};
use chartmesh_protocol::{CertificateHash, ClinicId, HybridTime, NodeId};

use super::attachments::PeerPieces;
use super::items;
use super::peer_book::{PeerBook, Word};
use super::peer_store::{PeerStore, Standing};
use super::receive::{Delivery, Refused};
use super::share::Share;
use super::{Clinic, ClinicError, PieceDelivery};

/// The store as one peer sees it. The session asks it; the driver writes through it.
pub struct Replica {
    pub(super) book: PeerBook,
    pub(super) state: Mutex<State>,
    /// What is newer than this was written while the session ran: it goes first.
    recent: FeedNumber,
}

/// What changes while a session runs.
pub(super) struct State {
    /// What is shared, once the peer's clinic is known.
    share: Option<Arc<Mutex<Share>>>,
    /// Whether the peer has told everything that it knew: what comes is new.
    pub(super) settled: bool,
    /// Whether what comes is from a store that the peer has no more.
    pub(super) is_outdated: bool,
    /// The certificates that the item needs which was asked for last: they are asked for next.
    needed: Option<(ItemId, Vec<CertificateHash>)>,
    /// Pieces of attachments that the peer was asked for.
    pub(super) pieces: PeerPieces,
}

impl Replica {
    /// The store for a peer whom the transport has authenticated.
    ///
    /// # Errors
    /// [`ClinicError`] when the store cannot be read or the peer's key is not usable.
    pub fn open(clinic: Arc<Clinic>, peer: NodeId) -> Result<Self, ClinicError> {
        let recent = items::newest(&clinic.store)?;
        let state = State {
            share: None,
            settled: false,
            is_outdated: false,
            needed: None,
            pieces: PeerPieces::default(),
        };
        let replica = Self {
            book: PeerBook::open(clinic, peer)?,
            state: Mutex::new(state),
            recent,
        };
        replica.refresh()?;
        Ok(replica)
    }

    /// Whether the peer's clinic has cut it off.
    pub(crate) fn is_peer_cut_off(&self) -> bool {
        let clinic = self.clinic_of_peer();
        clinic.is_some_and(|clinic| self.book.clinic.is_cut_off(&clinic, &self.book.peer))
    }

    /// The peer's clinic, once it is known.
    #[must_use]
    pub fn clinic_of_peer(&self) -> Option<ClinicId> {
        self.book.clinic_of_peer()
    }

    /// Whether the peer may have a record of what is here: what it is told of consent that has
    /// ended is none.
    pub(crate) fn shares_records(&self) -> bool {
        Holdings::digests(self).records != Digest::default()
    }

    /// Our feed number up to which the peer holds everything that it may have.
    #[must_use]
    pub fn held_by_peer(&self) -> FeedNumber {
        self.book.held_by_peer()
    }

    /// Everything that the peer may have, whether it is known to hold it or not.
    #[must_use]
    pub fn everything(&self) -> Vec<FeedEntry> {
        let nothing_held = |_| false;
        self.ask(|share, clinic| share.owed(clinic, FeedNumber::START, &nothing_held))
    }

    /// The peer has said who it is.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be written.
    pub fn identified(&self, peer: &Peer) -> Result<(), ClinicError> {
        self.book.identified(peer)?;
        self.refresh()
    }

    /// The peer said on a stick who it was when it wrote that.
    pub(super) fn wrote(&self, peer: &Peer) -> Result<Word, ClinicError> {
        let word = self.book.wrote(peer)?;
        self.lock().is_outdated = word == Word::OtherStore;
        self.refresh()?;
        Ok(word)
    }

    /// Both stores were found equal.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be written.
    pub fn confirmed(&self) -> Result<(), ClinicError> {
        self.book.confirmed()?;
        self.lock().settled = true;
        if self.clinic_of_peer() == Some(self.book.clinic.clinic_id()) {
            self.book.clinic.announce_node()?;
            self.book.clinic.hand_sealing_keys(&self.book.peer)?;
        }
        self.book.clinic.finish_ends(&|_| ())?;
        self.book.clinic.pay_owing()
    }

    /// Marks items that the peer has sent as held by it; filing them has written it down.
    pub(super) fn peer_sent(&self, feeds: impl IntoIterator<Item = u64>) {
        self.book.peer_sent(feeds);
    }

    /// Takes in what the store has accepted since the last time.
    pub(super) fn refresh(&self) -> Result<(), ClinicError> {
        let Some(clinic) = self.clinic_of_peer() else {
            return Ok(());
        };
        let share = self
            .book
            .clinic
            .share_with(self.book.peer, clinic, &self.book.pair_key)?;
        self.lock().share = Some(Arc::clone(&share));
        lock(&share).refresh(&self.book.clinic)
    }

    /// Asks what is shared, with everything that the store has accepted. A store that cannot be
    /// read shows as one that shares nothing more: the session then ends by its digests.
    pub(super) fn ask<T: Default>(
        &self,
        question: impl FnOnce(&mut Share, &Clinic) -> Result<T, ClinicError>,
    ) -> T {
        let share = self.lock().share.clone();
        let Some(share) = share else {
            return T::default();
        };
        if self.is_peer_cut_off() {
            return T::default();
        }
        let mut share = lock(&share);
        let answer = share
            .refresh(&self.book.clinic)
            .and_then(|()| question(&mut share, &self.book.clinic));
        answer.unwrap_or_else(|error| {
            tracing::error!(%error, "what is shared with a peer cannot be read");
            T::default()
        })
    }

    /// A panic while the state was held leaves numbers behind that only cause work to be done
    /// again.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Replica {
    /// What was worked out serves the next session.
    fn drop(&mut self) {
        self.release_pieces();
        let share = self.lock().share.take();
        if let Some(share) = share
            && let Err(error) = lock(&share).write(&self.book.clinic)
        {
            tracing::error!(%error, "what is shared with a peer cannot be written down");
        }
    }
}

/// What is shared is derived: a panic while it was held leaves nothing worse than work to do.
fn lock(share: &Mutex<Share>) -> MutexGuard<'_, Share> {
    share.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Holdings for Replica {
    fn incarnation(&self) -> StoreIncarnation {
        self.book.clinic.store_incarnation()
    }

    fn newest(&self) -> FeedNumber {
        self.ask(|share, _| Ok(share.newest()))
    }

    fn cursor(&self) -> Option<Cursor> {
        self.book.cursor()
    }

    fn time(&self) -> HybridTime {
        self.book.clinic.tick()
    }

    fn digests(&self) -> SharedDigests {
        self.ask(|share, _| Ok(share.digests()))
    }

    fn owed(&self, after: FeedNumber) -> Vec<FeedEntry> {
        let acknowledged = |feed: u64| self.book.is_held(feed);
        let mut owed = self.ask(|share, clinic| share.owed(clinic, after, &acknowledged));
        for item in owed.iter_mut().filter(|item| item.lane == Lane::Older) {
            if item.feed > self.recent {
                item.lane = Lane::Recent;
            }
        }
        owed
    }

    fn untold(&self) -> Vec<FeedEntry> {
        let acknowledged = |feed: u64| self.book.is_held(feed);
        self.ask(|share, clinic| share.untold(clinic, &acknowledged))
    }

    fn shared(&self, kind: ItemKind) -> Vec<FeedEntry> {
        self.ask(|share, clinic| share.shared(clinic, kind))
    }

    fn item(&self, id: &ItemId) -> Option<Vec<u8>> {
        self.ask(|share, clinic| {
            let Some(stored) = items::stored(&clinic.store, id)? else {
                return Ok(None);
            };
            if !share.has(clinic, &stored.chart, stored.feed)? {
                return Ok(None);
            }
            let needed = clinic.certificates_for(&stored);
            self.lock().needed = Some((*id, needed));
            Ok(Some(stored.bytes))
        })
    }

    fn certificates_for(&self, id: &ItemId) -> Vec<CertificateHash> {
        if let Some((last, needed)) = &self.lock().needed
            && last == id
        {
            return needed.clone();
        }
        let stored = items::stored(&self.book.clinic.store, id).ok().flatten();
        stored.map_or_else(Vec::new, |stored| {
            self.book.clinic.certificates_for(&stored)
        })
    }

    fn certificate(&self, hash: &CertificateHash) -> Option<Vec<u8>> {
        self.book.clinic.certificate(hash)
    }

    fn peer_certificate(&self) -> Option<CertificateHash> {
        self.book.certificate()
    }

    fn knows_clinic(&self, clinic: &ClinicId) -> bool {
        self.book.clinic.talks_to(clinic)
    }

    fn wanted(&self, most: usize) -> Wanted {
        self.wanted_pieces(most).unwrap_or_else(|error| {
            tracing::error!(%error, "what is lacking of attachments cannot be told");
            Wanted::default()
        })
    }

    fn piece(&self, name: &AttachmentName, shape: Shape, number: u32) -> Option<Vec<u8>> {
        self.piece_for_peer(name, shape, number)
    }

    fn in_doubt(&self, most: usize) -> Vec<(AttachmentName, Shape)> {
        self.attachments_in_doubt(most)
    }

    fn holds_attachment(&self, name: &AttachmentName, shape: Shape) -> bool {
        self.tells_of(name, shape)
    }

    fn is_cut_off(&self, clinic: &ClinicId, node: &NodeId) -> bool {
        self.book.clinic.is_cut_off(clinic, node)
    }

    fn revocation(&self, clinic: &ClinicId, node: &NodeId) -> Option<Vec<u8>> {
        self.book.clinic.revocation_bytes(clinic, node)
    }
}

impl PeerStore for Replica {
    fn book(&self) -> &PeerBook {
        &self.book
    }
    fn standing(&self) -> Standing {
        let extent = self.ask(|share, _| Ok(share.extent()));
        Standing {
            owed_out: self.owed_out(),
            shares: self.shares_records(),
            charts_whole: extent.whole,
            charts_in_part: extent.in_part,
            ..Standing::default()
        }
    }
    fn store(&self, deliveries: &[Delivery]) -> Result<(), Refused> {
        Self::store(self, deliveries)
    }
    fn store_pieces(&self, deliveries: &[PieceDelivery]) -> Result<(), Refused> {
        Self::store_pieces(self, deliveries)
    }
    fn pieces_lacking(&self, name: AttachmentName, pieces: &[u32]) {
        Self::pieces_lacking(self, name, pieces);
    }
    fn attachments_told(
        &self,
        held: &[AttachmentName],
        lacking: &[AttachmentName],
    ) -> Result<(), ClinicError> {
        Self::attachments_told(self, held, lacking)
    }
    fn may_have_attachment(&self, name: &AttachmentName) -> bool {
        self.may_have(name)
    }
    fn identified(&self, peer: &Peer) -> Result<(), ClinicError> {
        Self::identified(self, peer)
    }
    fn confirmed(&self) -> Result<(), ClinicError> {
        Self::confirmed(self)
    }
}
