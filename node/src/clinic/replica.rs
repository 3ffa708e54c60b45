//! The store as one peer sees it, for the sync session.
//!
//! ```text
//! Cursors       peer node 32           -> Cursor, how far we hold the peer's feed
//! Acknowledged  peer node 32 | feed 8  -> empty: the peer holds this item of ours
//! Settings      "peer" | node 32       -> PeerNote, what the peer last told
//! ```

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chartmesh_protocol::attachment::{AttachmentName, Shape};
use chartmesh_protocol::identity::{Card, NodeCertificate, Verified};
use chartmesh_protocol::reconcile::{
    Cursor, Digest, FeedNumber, ItemId, PairKey, SharedDigests, StoreIncarnation,
};
use chartmesh_protocol::sync::{FeedEntry, Holdings, ItemKind, Lane, Peer, Wanted};
use chartmesh_protocol::{CertificateHash, ClinicId, HybridTime, NodeId};
use minicbor::{Decode, Encode};

use super::attachments::PeerPieces;
use super::items;
use super::peer_store::{PeerStore, Standing};
use super::receive::{Delivery, Refused};
use super::share::Share;
use super::{Clinic, ClinicError, PieceDelivery, hybrid};
use crate::store::{Batch, Space};

/// The store as one peer sees it. The session asks it; the driver writes through it.
pub struct Replica {
    pub(super) clinic: Arc<Clinic>,
    pub(super) peer: NodeId,
    pair_key: PairKey,
    pub(super) state: Mutex<State>,
    /// What is newer than this was written while the session ran: it goes first.
    recent: FeedNumber,
}

/// What changes while a session runs.
pub(super) struct State {
    pub(super) peer_clinic: Option<ClinicId>,
    /// What is shared, once the peer's clinic is known.
    share: Option<Arc<Mutex<Share>>>,
    acknowledged: BTreeSet<u64>,
    cursor: Option<Cursor>,
    holds: u64,
    /// Whether the peer has told everything that it knew: what comes is new.
    pub(super) settled: bool,
    /// The certificates that the item needs which was asked for last: they are asked for next.
    needed: Option<(ItemId, Vec<CertificateHash>)>,
    /// Pieces of attachments that the peer was asked for.
    pub(super) pieces: PeerPieces,
}

/// What is remembered of a peer.
#[derive(Debug, Clone, Copy, Default, Encode, Decode)]
pub(crate) struct PeerNote {
    /// The incarnation of its store.
    #[n(0)]
    pub(crate) incarnation: u64,
    /// When both stores were last found equal, by our clock.
    #[n(1)]
    pub(crate) confirmed_ms: u64,
    /// By how much its clock was ahead of ours when it last said HELLO.
    #[n(2)]
    pub(crate) ahead_ms: i64,
    /// Our feed number up to which it holds everything that it may have.
    #[n(3)]
    pub(crate) holds: u64,
}

impl Replica {
    /// The store for a peer whom the transport has authenticated.
    ///
    /// # Errors
    /// [`ClinicError`] when the store cannot be read or the peer's key is not usable.
    pub fn open(clinic: Arc<Clinic>, peer: NodeId) -> Result<Self, ClinicError> {
        let secret = clinic
            .identity
            .node
            .agree(&peer)
            .map_err(ClinicError::fault)?;
        let pair_key = PairKey::derive(&secret);
        let cursor = clinic
            .store
            .get(Space::Cursors, peer.as_bytes())?
            .and_then(|bytes| minicbor::decode(&bytes).ok());
        let acknowledged = acknowledged(&clinic, &peer)?;
        let peer_clinic = clinic.known_clinic_of(&peer)?;
        let recent = items::newest(&clinic.store)?;
        let holds = clinic.peer_note(&peer)?.holds;
        let state = State {
            peer_clinic,
            share: None,
            acknowledged,
            cursor,
            holds,
            settled: false,
            needed: None,
            pieces: PeerPieces::default(),
        };
        let replica = Self {
            clinic,
            peer,
            pair_key,
            state: Mutex::new(state),
            recent,
        };
        replica.refresh()?;
        Ok(replica)
    }

    /// This node's certificate.
    #[must_use]
    pub fn own_certificate(&self) -> Verified<NodeCertificate> {
        self.clinic.identity.certificate()
    }

    /// Whether the peer's clinic has cut it off.
    pub(crate) fn is_peer_cut_off(&self) -> bool {
        let clinic = self.clinic_of_peer();
        clinic.is_some_and(|clinic| self.clinic.is_cut_off(&clinic, &self.peer))
    }

    /// The key of this pair of nodes.
    #[must_use]
    pub fn pair_key(&self) -> PairKey {
        self.pair_key.clone()
    }

    /// The peer's clinic, once it is known.
    #[must_use]
    pub fn clinic_of_peer(&self) -> Option<ClinicId> {
        self.lock().peer_clinic
    }

    /// Signals whenever the store accepts something.
    #[must_use]
    pub fn subscribe(&self) -> tokio::sync::watch::Receiver<u64> {
        self.clinic.subscribe()
    }

    /// How many items the peer lacks as far as we know.
    #[must_use]
    pub fn owed_out(&self) -> u64 {
        u64::try_from(Holdings::owed(self, self.held_by_peer()).len()).unwrap_or(u64::MAX)
    }

    /// Whether the peer may have a record of what is here: what it is told of consent that has
    /// ended is none.
    pub(crate) fn shares_records(&self) -> bool {
        Holdings::digests(self).records != Digest::default()
    }

    /// Our feed number up to which the peer holds everything that it may have.
    #[must_use]
    pub fn held_by_peer(&self) -> FeedNumber {
        FeedNumber::new(self.lock().holds)
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
        self.lock().peer_clinic = Some(peer.clinic);
        let ahead_ms = self.clinic.observe(peer.time);
        let mut note = self.clinic.peer_note(&self.peer)?;
        let incarnation = peer.incarnation.value();
        let mut batch = Batch::new();
        if note.incarnation != incarnation {
            // Another store: what the old one acknowledged may be gone.
            let mut state = self.lock();
            (note.holds, state.holds) = (0, 0);
            for feed in std::mem::take(&mut state.acknowledged) {
                batch.delete(Space::Acknowledged, self.acknowledged_key(feed));
            }
        }
        note.incarnation = incarnation;
        note.ahead_ms = ahead_ms;
        batch.put(Space::Settings, note_key(&self.peer), items::encode(&note)?);
        hybrid::remember(&mut batch, self.clinic.clock().last());
        self.clinic.store.commit(batch)?;
        self.refresh()
    }

    /// Both stores were found equal.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be written.
    pub fn confirmed(&self) -> Result<(), ClinicError> {
        let mut note = self.clinic.peer_note(&self.peer)?;
        note.confirmed_ms = self.clinic.now_ms();
        let mut batch = Batch::new();
        batch.put(Space::Settings, note_key(&self.peer), items::encode(&note)?);
        self.clinic.store.commit(batch)?;
        self.lock().settled = true;
        if self.clinic_of_peer() == Some(self.clinic.clinic_id()) {
            self.clinic.announce_node()?;
            self.clinic.hand_sealing_keys(&self.peer)?;
        }
        self.clinic.finish_ends(&|_| ())?;
        self.clinic.pay_owing()
    }

    /// A certificate came: keep it when it holds.
    ///
    /// # Errors
    /// [`ClinicError::Usage`] for one that does not hold.
    pub fn certificate_came(&self, bytes: &[u8]) -> Result<(), ClinicError> {
        self.clinic.keep_certificate(bytes).map(drop)
    }

    /// We hold the peer's feed up to here.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be written.
    pub fn advance(&self, cursor: Cursor) -> Result<(), ClinicError> {
        let mut batch = Batch::new();
        batch.put(
            Space::Cursors,
            self.peer.as_bytes().to_vec(),
            items::encode(&cursor)?,
        );
        self.clinic.store.commit(batch)?;
        self.lock().cursor = Some(cursor);
        Ok(())
    }

    /// We may have missed something of the peer's feed: the next session compares everything.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be written.
    pub fn forget_cursor(&self) -> Result<(), ClinicError> {
        let mut batch = Batch::new();
        batch.delete(Space::Cursors, self.peer.as_bytes().to_vec());
        self.clinic.store.commit(batch)?;
        self.lock().cursor = None;
        Ok(())
    }

    /// The peer holds these items of ours.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be written.
    pub fn acknowledged(&self, feeds: &[FeedNumber]) -> Result<(), ClinicError> {
        let mut batch = Batch::new();
        let mut state = self.lock();
        for feed in feeds {
            batch.put(
                Space::Acknowledged,
                self.acknowledged_key(feed.value()),
                Vec::new(),
            );
            state.acknowledged.insert(feed.value());
        }
        drop(state);
        // Not waited for: when it is lost, items are sent again and found to be there.
        drop(self.clinic.store.commit_later(batch));
        Ok(())
    }

    /// The peer holds everything of ours up to here.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be written.
    pub fn peer_holds(&self, upto: FeedNumber) -> Result<(), ClinicError> {
        let mut state = self.lock();
        let later = state
            .acknowledged
            .split_off(&upto.value().saturating_add(1));
        let covered = std::mem::replace(&mut state.acknowledged, later);
        state.holds = upto.value();
        drop(state);
        let note = PeerNote {
            holds: upto.value(),
            ..self.clinic.peer_note(&self.peer)?
        };
        let mut batch = Batch::new();
        batch.put(Space::Settings, note_key(&self.peer), items::encode(&note)?);
        for feed in covered {
            batch.delete(Space::Acknowledged, self.acknowledged_key(feed));
        }
        self.clinic.store.commit(batch)?;
        Ok(())
    }

    /// The peer has seen more of our feed than we remember: the store is older than it was.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be written.
    pub fn store_is_behind(&self, seen: FeedNumber) -> Result<(), ClinicError> {
        let peer = self.peer;
        tracing::warn!(%peer, %seen, "a peer has seen more of this store than it holds");
        self.clinic.draw_incarnations()
    }

    /// Marks items that the peer has sent as held by it; filing them has written it down.
    pub(super) fn peer_sent(&self, feeds: impl IntoIterator<Item = u64>) {
        self.lock().acknowledged.extend(feeds);
    }

    fn acknowledged_key(&self, feed: u64) -> Vec<u8> {
        [self.peer.as_bytes().as_slice(), &feed.to_be_bytes()].concat()
    }

    /// Takes in what the store has accepted since the last time.
    pub(super) fn refresh(&self) -> Result<(), ClinicError> {
        let Some(clinic) = self.clinic_of_peer() else {
            return Ok(());
        };
        let share = self.clinic.share_with(self.peer, clinic, &self.pair_key)?;
        self.lock().share = Some(Arc::clone(&share));
        lock(&share).refresh(&self.clinic)
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
            .refresh(&self.clinic)
            .and_then(|()| question(&mut share, &self.clinic));
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
            && let Err(error) = lock(&share).write(&self.clinic)
        {
            tracing::error!(%error, "what is shared with a peer cannot be written down");
        }
    }
}

/// What is shared is derived: a panic while it was held leaves nothing worse than work to do.
fn lock(share: &Mutex<Share>) -> MutexGuard<'_, Share> {
    share.lock().unwrap_or_else(PoisonError::into_inner)
}

fn acknowledged(clinic: &Clinic, peer: &NodeId) -> Result<BTreeSet<u64>, ClinicError> {
    let mut feeds = BTreeSet::new();
    for key in clinic.store.keys(Space::Acknowledged, peer.as_bytes()) {
        feeds.extend(key?.get(NodeId::LEN..).and_then(items::number));
    }
    Ok(feeds)
}

pub(super) fn note_key(peer: &NodeId) -> Vec<u8> {
    [b"peer".as_slice(), peer.as_bytes()].concat()
}

impl Clinic {
    /// What is remembered of a peer.
    pub(crate) fn peer_note(&self, peer: &NodeId) -> Result<PeerNote, ClinicError> {
        let bytes = self.store.get(Space::Settings, &note_key(peer))?;
        Ok(bytes
            .and_then(|bytes| minicbor::decode(&bytes).ok())
            .unwrap_or_default())
    }

    /// The clinic on our list that has certified a node, our own among them.
    pub(super) fn known_clinic_of(&self, node: &NodeId) -> Result<Option<ClinicId>, ClinicError> {
        let known: Vec<Card> = self.cards()?;
        let certificates = self.certificates_read();
        let book = certificates.book();
        let clinics = known.iter().map(Card::clinic);
        Ok([self.clinic_id()]
            .into_iter()
            .chain(clinics)
            .find(|clinic| book.belongs(node, clinic)))
    }

    /// Whether a clinic has cut a node off: nothing is shared with it any more.
    pub(crate) fn is_cut_off(&self, clinic: &ClinicId, node: &NodeId) -> bool {
        self.certificates_read().revocation(clinic, node).is_some()
    }
}

impl Holdings for Replica {
    fn incarnation(&self) -> StoreIncarnation {
        self.clinic.store_incarnation()
    }

    fn newest(&self) -> FeedNumber {
        self.ask(|share, _| Ok(share.newest()))
    }

    fn cursor(&self) -> Option<Cursor> {
        self.lock().cursor
    }

    fn time(&self) -> HybridTime {
        self.clinic.tick()
    }

    fn digests(&self) -> SharedDigests {
        self.ask(|share, _| Ok(share.digests()))
    }

    fn owed(&self, after: FeedNumber) -> Vec<FeedEntry> {
        let acknowledged = |feed: u64| self.lock().acknowledged.contains(&feed);
        let mut owed = self.ask(|share, clinic| share.owed(clinic, after, &acknowledged));
        for item in owed.iter_mut().filter(|item| item.lane == Lane::Older) {
            if item.feed > self.recent {
                item.lane = Lane::Recent;
            }
        }
        owed
    }

    fn untold(&self) -> Vec<FeedEntry> {
        let acknowledged = |feed: u64| self.lock().acknowledged.contains(&feed);
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
        let stored = items::stored(&self.clinic.store, id).ok().flatten();
        stored.map_or_else(Vec::new, |stored| self.clinic.certificates_for(&stored))
    }

    fn certificate(&self, hash: &CertificateHash) -> Option<Vec<u8>> {
        self.clinic.certificate(hash)
    }

    fn peer_certificate(&self) -> Option<CertificateHash> {
        self.clinic
            .certificates_read()
            .of_node(&self.peer)
            .map(|one| one.hash())
    }

    fn knows_clinic(&self, clinic: &ClinicId) -> bool {
        self.clinic.talks_to(clinic)
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

    fn is_cut_off(&self, clinic: &ClinicId, node: &NodeId) -> bool {
        self.clinic.is_cut_off(clinic, node)
    }
}

impl PeerStore for Replica {
    fn pair_key(&self) -> PairKey {
        Self::pair_key(self)
    }
    fn own_certificate(&self) -> Verified<NodeCertificate> {
        Self::own_certificate(self)
    }
    fn clinic_of_peer(&self) -> Option<ClinicId> {
        Self::clinic_of_peer(self)
    }
    fn owed_out(&self) -> u64 {
        Self::owed_out(self)
    }
    fn standing(&self) -> Standing {
        Standing {
            owed_out: Self::owed_out(self),
            shares: self.shares_records(),
            withheld: 0,
        }
    }
    fn subscribe(&self) -> tokio::sync::watch::Receiver<u64> {
        Self::subscribe(self)
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
    fn identified(&self, peer: &Peer) -> Result<(), ClinicError> {
        Self::identified(self, peer)
    }
    fn certificate_came(&self, bytes: &[u8]) -> Result<(), ClinicError> {
        Self::certificate_came(self, bytes)
    }
    fn advance(&self, cursor: Cursor) -> Result<(), ClinicError> {
        Self::advance(self, cursor)
    }
    fn acknowledged(&self, feeds: &[FeedNumber]) -> Result<(), ClinicError> {
        Self::acknowledged(self, feeds)
    }
    fn peer_holds(&self, upto: FeedNumber) -> Result<(), ClinicError> {
        Self::peer_holds(self, upto)
    }
    fn store_is_behind(&self, seen: FeedNumber) -> Result<(), ClinicError> {
        Self::store_is_behind(self, seen)
    }
    fn confirmed(&self) -> Result<(), ClinicError> {
        Self::confirmed(self)
    }
    fn forget_cursor(&self) -> Result<(), ClinicError> {
        Self::forget_cursor(self)
    }
}
