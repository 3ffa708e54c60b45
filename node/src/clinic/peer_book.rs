//! What is remembered of one peer: how far each side has the other's feed.
//!
//! ```text
//! Cursors   peer node 32      -> Cursor, how far we hold the peer's feed
//! Settings  "peer" | node 32  -> PeerNote, what the peer last told
//! ```
//!
//! Which items it has confirmed one by one stands in `delivered`.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chartmesh_protocol::identity::Card;
use chartmesh_protocol::reconcile::{Cursor, FeedNumber, PairKey};
use chartmesh_protocol::sync::Peer;
use chartmesh_protocol::{CertificateHash, ClinicId, HybridTime, NodeId};
use minicbor::{Decode, Encode};

use super::{Clinic, ClinicError, bundle, delivered, hybrid, items};
use crate::store::{Batch, Space};

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
    /// When it last said where it stands, by its hybrid time: what a stick tells that was written
    /// before that is no news.
    #[n(4)]
    pub(crate) said: Option<HybridTime>,
}

/// What a stick's word of its writer is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// It is later than everything that the peer has said.
    News,
    /// It is the last that the peer has said, and was heard before.
    Known,
    /// The peer has said more since.
    Earlier,
    /// It is of a store that the peer has no more: what was in it may be lost.
    OtherStore,
}

impl Word {
    /// Whether the peer has said nothing since.
    pub(super) fn is_latest(self) -> bool {
        match self {
            Self::News | Self::Known => true,
            Self::Earlier | Self::OtherStore => false,
        }
    }
}

/// What is remembered of one peer, while a session with it runs.
pub struct PeerBook {
    pub(super) clinic: Arc<Clinic>,
    pub(super) peer: NodeId,
    pub(super) pair_key: PairKey,
    known: Mutex<Known>,
}

struct Known {
    clinic: Option<ClinicId>,
    acknowledged: BTreeSet<u64>,
    cursor: Option<Cursor>,
    holds: u64,
}

impl PeerBook {
    /// What is remembered of a peer whom the transport has authenticated.
    pub(super) fn open(clinic: Arc<Clinic>, peer: NodeId) -> Result<Self, ClinicError> {
        let secret = clinic.identity.node.agree(&peer);
        let pair_key = PairKey::derive(&secret.map_err(ClinicError::fault)?);
        let cursor = clinic.store.get(Space::Cursors, peer.as_bytes())?;
        let known = Known {
            clinic: clinic.known_clinic_of(&peer)?,
            acknowledged: delivered::read(&clinic.store, &peer)?,
            cursor: cursor.and_then(|bytes| minicbor::decode(&bytes).ok()),
            holds: clinic.peer_note(&peer)?.holds,
        };
        Ok(Self {
            clinic,
            peer,
            pair_key,
            known: Mutex::new(known),
        })
    }

    /// The peer's clinic, once it is known.
    pub(super) fn clinic_of_peer(&self) -> Option<ClinicId> {
        self.lock().clinic
    }

    /// The peer's own newest certificate that is here.
    pub(super) fn certificate(&self) -> Option<CertificateHash> {
        let certificates = self.clinic.certificates_read();
        certificates.of_node(&self.peer).map(|one| one.hash())
    }

    /// How far we hold the peer's feed.
    pub(super) fn cursor(&self) -> Option<Cursor> {
        self.lock().cursor
    }

    /// Our feed number up to which the peer holds everything that it may have.
    pub(super) fn held_by_peer(&self) -> FeedNumber {
        FeedNumber::new(self.lock().holds)
    }

    /// Whether the peer is known to hold an item of ours.
    pub(super) fn is_held(&self, feed: u64) -> bool {
        let known = self.lock();
        known.acknowledged.contains(&feed)
    }

    /// The peer has said who it is.
    pub(super) fn identified(&self, peer: &Peer) -> Result<(), ClinicError> {
        let ahead_ms = self.clinic.observe(peer.time);
        self.believe(peer, ahead_ms)
    }

    /// The peer said on a stick who it was when it wrote that. Only news is taken in.
    pub(super) fn wrote(&self, peer: &Peer) -> Result<Word, ClinicError> {
        let note = self.clinic.peer_note(&self.peer)?;
        let is_same = note.incarnation == peer.incarnation.value();
        let word = match (peer.time.cmp(&note.said.unwrap_or_default()), is_same) {
            (Ordering::Greater, _) => Word::News,
            (Ordering::Equal | Ordering::Less, false) => Word::OtherStore,
            (Ordering::Equal, true) => Word::Known,
            (Ordering::Less, true) => Word::Earlier,
        };
        if word == Word::News {
            // Nobody knows how long the stick was on its way: that a clock is behind does not show.
            self.believe(peer, self.clinic.observe(peer.time).max(0))?;
        }
        Ok(word)
    }

    fn believe(&self, peer: &Peer, ahead_ms: i64) -> Result<(), ClinicError> {
        let mut note = self.clinic.peer_note(&self.peer)?;
        // Another store: what the old one acknowledged may be gone.
        let is_other = note.incarnation != peer.incarnation.value();
        let mut known = self.lock();
        known.clinic = Some(peer.clinic);
        if is_other {
            (note.holds, known.holds) = (0, 0);
            known.acknowledged.clear();
        }
        drop(known);
        if is_other {
            self.clinic.forget_attachments_held(&self.peer)?;
        }
        let mut batch = Batch::new();
        if is_other && note.incarnation != 0 {
            bundle::note_lost(&mut batch, &self.peer);
        }
        note.incarnation = peer.incarnation.value();
        note.ahead_ms = ahead_ms;
        // A time from a clock that runs ahead must not make everything later an old story.
        let said = peer.time.min(self.clinic.clock().last());
        note.said = note.said.max(Some(said));
        batch.put(Space::Settings, note_key(&self.peer), items::encode(&note)?);
        hybrid::remember(&mut batch, self.clinic.clock().last());
        let node = self.peer;
        self.clinic.store.commit_with(move |view| {
            if is_other {
                delivered::clear_upto(view, &mut batch, &node, u64::MAX)?;
            }
            Ok::<_, ClinicError>((batch, ()))
        })?;
        Ok(())
    }

    /// Both stores were found equal.
    pub(super) fn confirmed(&self) -> Result<(), ClinicError> {
        let mut note = self.clinic.peer_note(&self.peer)?;
        note.confirmed_ms = self.clinic.now_ms();
        let mut batch = Batch::new();
        batch.put(Space::Settings, note_key(&self.peer), items::encode(&note)?);
        self.clinic.store.commit(batch)?;
        Ok(())
    }

    /// We hold the peer's feed up to here.
    pub(super) fn advance(&self, cursor: Cursor) -> Result<(), ClinicError> {
        let mut batch = Batch::new();
        let key = self.peer.as_bytes().to_vec();
        batch.put(Space::Cursors, key, items::encode(&cursor)?);
        self.clinic.store.commit(batch)?;
        self.lock().cursor = Some(cursor);
        Ok(())
    }

    /// We may have missed something of the peer's feed: the next session compares everything.
    pub(super) fn forget_cursor(&self) -> Result<(), ClinicError> {
        let mut batch = Batch::new();
        batch.delete(Space::Cursors, self.peer.as_bytes().to_vec());
        self.clinic.store.commit(batch)?;
        self.lock().cursor = None;
        Ok(())
    }

    /// The peer holds these items of ours, whether it got them from us or sent them.
    pub(super) fn acknowledged(
        &self,
        feeds: impl IntoIterator<Item = u64>,
    ) -> Result<(), ClinicError> {
        let feeds: Vec<u64> = feeds.into_iter().collect();
        self.lock().acknowledged.extend(&feeds);
        let peer = self.peer;
        // Not waited for: when it is lost, items are sent again and found to be there.
        drop(self.clinic.store.commit_with_later(move |view| {
            let mut batch = Batch::new();
            delivered::mark(view, &mut batch, &peer, &feeds)?;
            Ok::<_, ClinicError>((batch, ()))
        }));
        Ok(())
    }

    /// Marks items that the peer has sent as held by it; filing them has written it down.
    pub(super) fn peer_sent(&self, feeds: impl IntoIterator<Item = u64>) {
        self.lock().acknowledged.extend(feeds);
    }

    /// The peer holds everything of ours up to here.
    pub(super) fn peer_holds(&self, upto: FeedNumber) -> Result<(), ClinicError> {
        let mut known = self.lock();
        let later = known
            .acknowledged
            .split_off(&upto.value().saturating_add(1));
        known.acknowledged = later;
        known.holds = upto.value();
        drop(known);
        let mut note = self.clinic.peer_note(&self.peer)?;
        note.holds = upto.value();
        let mut batch = Batch::new();
        batch.put(Space::Settings, note_key(&self.peer), items::encode(&note)?);
        let peer = self.peer;
        self.clinic.store.commit_with(move |view| {
            delivered::clear_upto(view, &mut batch, &peer, upto.value())?;
            Ok::<_, ClinicError>((batch, ()))
        })?;
        Ok(())
    }

    /// The peer is not known to hold anything any more: all that it may have is owed to it.
    pub(super) fn forget_held(&self) -> Result<(), ClinicError> {
        self.lock().acknowledged.clear();
        self.peer_holds(FeedNumber::START)?;
        let peer = self.peer;
        self.clinic.store.commit_with(move |view| {
            let mut batch = Batch::new();
            delivered::clear_upto(view, &mut batch, &peer, u64::MAX)?;
            Ok::<_, ClinicError>((batch, ()))
        })?;
        Ok(())
    }

    /// The peer has seen more of our feed than we remember: the store is older than it was.
    pub(super) fn store_is_behind(&self, seen: FeedNumber) -> Result<(), ClinicError> {
        let peer = self.peer;
        tracing::warn!(%peer, %seen, "a peer has seen more of this store than it holds");
        self.clinic.draw_incarnations()
    }

    /// A panic while it was held leaves numbers behind that only cause work to be done again.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note_key(peer: &NodeId) -> Vec<u8> {
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
