//! The store as one peer sees it, whatever the peer is: another clinic, a relay, or a node that
//! puts mail here.

use std::sync::Arc;

use chartmesh_protocol::attachment::AttachmentName;
use chartmesh_protocol::identity::{NodeCertificate, NodeRole, Verified};
use chartmesh_protocol::reconcile::{Cursor, FeedNumber, ItemId, PairKey};
use chartmesh_protocol::sync::{FeedEntry, Holdings, Peer, Refusal};
use chartmesh_protocol::{ClinicId, NodeId};
use tokio::sync::watch;

use super::PieceDelivery;
use super::peer_book::PeerBook;
use super::post::Carrier;
use super::receive::{Delivery, Refused};
use super::relay::Counter;
use super::replica::Replica;
use super::{Clinic, ClinicError};

/// The store as one peer sees it: asked through [`Holdings`], written through these. Each returns
/// when what it was told is as durable as it has to be.
pub trait PeerStore: Holdings {
    /// What is remembered of the peer.
    fn book(&self) -> &PeerBook;
    /// The key of this pair of nodes.
    fn pair_key(&self) -> PairKey {
        self.book().pair_key.clone()
    }
    /// This node's certificate.
    fn own_certificate(&self) -> Verified<NodeCertificate> {
        self.book().clinic.identity.certificate()
    }
    /// The peer's clinic, once it is known.
    fn clinic_of_peer(&self) -> Option<ClinicId> {
        self.book().clinic_of_peer()
    }
    /// Whether it is known of which clinic the peer is. Until then it seems that nothing is shared.
    fn knows_peer(&self) -> bool {
        self.clinic_of_peer().is_some()
    }
    /// How many items the peer lacks as far as we know.
    fn owed_out(&self) -> u64 {
        u64::try_from(self.owed_items().len()).unwrap_or(u64::MAX)
    }
    /// The items that the peer lacks, as far as we know.
    fn owed_items(&self) -> Vec<FeedEntry> {
        self.owed(self.book().held_by_peer())
    }
    /// The statements and records that the peer lacks, as far as we know: of a relay, those that
    /// are to be put there.
    fn unsent_items(&self) -> Vec<ItemId> {
        self.owed_items().iter().map(|one| one.id).collect()
    }
    /// How many pieces of attachments are to be put at a relay.
    fn unsent_pieces(&self) -> u64 {
        0
    }
    /// How the peer stands with us.
    fn standing(&self) -> Standing {
        Standing {
            owed_out: self.owed_out(),
            ..Standing::default()
        }
    }
    /// Signals whenever the store accepts something.
    fn subscribe(&self) -> watch::Receiver<u64> {
        self.book().clinic.subscribe()
    }
    /// Verifies and files what the peer has sent.
    ///
    /// # Errors
    /// [`Refused`] with the number of those that were stored before the refused one.
    fn store(&self, deliveries: &[Delivery]) -> Result<(), Refused>;
    /// Verifies and keeps pieces of attachments that the peer has sent.
    ///
    /// # Errors
    /// [`Refused`] when one is not what it should be, or was not asked for.
    fn store_pieces(&self, _deliveries: &[PieceDelivery]) -> Result<(), Refused> {
        Err(Refused::item(0, Refusal::NotAsked))
    }
    /// The peer does not have these pieces of an attachment for us.
    fn pieces_lacking(&self, _name: AttachmentName, _pieces: &[u32]) {}
    /// The peer has said which attachments it holds, of those that it was asked about, and which
    /// not.
    ///
    /// # Errors
    /// See [`identified`](Self::identified).
    fn attachments_told(
        &self,
        _held: &[AttachmentName],
        _lacking: &[AttachmentName],
    ) -> Result<(), ClinicError> {
        Ok(())
    }
    /// Whether the peer may have an attachment now.
    fn may_have_attachment(&self, _name: &AttachmentName) -> bool {
        false
    }
    /// The peer has said who it is.
    ///
    /// # Errors
    /// [`ClinicError`] when the store cannot be written; so for all that follow.
    fn identified(&self, peer: &Peer) -> Result<(), ClinicError> {
        self.book().identified(peer)
    }
    /// A certificate came.
    ///
    /// # Errors
    /// Also [`ClinicError::Usage`] for one that does not hold.
    fn certificate_came(&self, bytes: &[u8]) -> Result<(), ClinicError> {
        self.book().clinic.keep_certificate(bytes).map(drop)
    }
    /// The peer shows that our clinic has cut this node off.
    ///
    /// # Errors
    /// See [`identified`](Self::identified).
    fn revocation_came(&self, bytes: &[u8]) -> Result<(), ClinicError> {
        self.book().clinic.take_own_revocation(bytes)
    }
    /// We hold the peer's feed up to here.
    ///
    /// # Errors
    /// See [`identified`](Self::identified).
    fn advance(&self, cursor: Cursor) -> Result<(), ClinicError> {
        self.book().advance(cursor)
    }
    /// The peer holds these items of ours.
    ///
    /// # Errors
    /// See [`identified`](Self::identified).
    fn acknowledged(&self, feeds: &[FeedNumber]) -> Result<(), ClinicError> {
        let feeds = feeds.iter().map(|feed| feed.value());
        self.book().acknowledged(feeds)
    }
    /// The peer holds everything of ours up to here.
    ///
    /// # Errors
    /// See [`identified`](Self::identified).
    fn peer_holds(&self, upto: FeedNumber) -> Result<(), ClinicError> {
        self.book().peer_holds(upto)
    }
    /// The peer has seen more of our feed than we remember.
    ///
    /// # Errors
    /// See [`identified`](Self::identified).
    fn store_is_behind(&self, seen: FeedNumber) -> Result<(), ClinicError> {
        self.book().store_is_behind(seen)
    }
    /// Both stores were found equal.
    ///
    /// # Errors
    /// See [`identified`](Self::identified).
    fn confirmed(&self) -> Result<(), ClinicError> {
        self.book().confirmed()
    }
    /// We may have missed something of the peer's feed.
    ///
    /// # Errors
    /// See [`identified`](Self::identified).
    fn forget_cursor(&self) -> Result<(), ClinicError> {
        self.book().forget_cursor()
    }
    /// The peer has no room for more of what we put there.
    fn is_full(&self) {}
}

/// How a peer stands with us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Items that it lacks, as far as we know.
    pub owed_out: u64,
    /// Whether it may have any record of what is here.
    pub shares: bool,
    /// Charts of which it may have all that our clinic wrote.
    pub charts_whole: u64,
    /// Charts of which it may have some of that.
    pub charts_in_part: u64,
    /// Records of others that lie at a relay and that it keeps back.
    pub withheld: u64,
    /// Whether a relay has no more room for what we put.
    pub is_full: bool,
}

impl<T: PeerStore + ?Sized> PeerStore for Box<T> {
    fn book(&self) -> &PeerBook {
        (**self).book()
    }
    fn pair_key(&self) -> PairKey {
        (**self).pair_key()
    }
    fn own_certificate(&self) -> Verified<NodeCertificate> {
        (**self).own_certificate()
    }
    fn clinic_of_peer(&self) -> Option<ClinicId> {
        (**self).clinic_of_peer()
    }
    fn owed_out(&self) -> u64 {
        (**self).owed_out()
    }
    fn owed_items(&self) -> Vec<FeedEntry> {
        (**self).owed_items()
    }
    fn unsent_items(&self) -> Vec<ItemId> {
        (**self).unsent_items()
    }
    fn unsent_pieces(&self) -> u64 {
        (**self).unsent_pieces()
    }
    fn standing(&self) -> Standing {
        (**self).standing()
    }
    fn subscribe(&self) -> watch::Receiver<u64> {
        (**self).subscribe()
    }
    fn store(&self, deliveries: &[Delivery]) -> Result<(), Refused> {
        (**self).store(deliveries)
    }
    fn store_pieces(&self, deliveries: &[PieceDelivery]) -> Result<(), Refused> {
        (**self).store_pieces(deliveries)
    }
    fn pieces_lacking(&self, name: AttachmentName, pieces: &[u32]) {
        (**self).pieces_lacking(name, pieces);
    }
    fn attachments_told(
        &self,
        held: &[AttachmentName],
        lacking: &[AttachmentName],
    ) -> Result<(), ClinicError> {
        (**self).attachments_told(held, lacking)
    }
    fn may_have_attachment(&self, name: &AttachmentName) -> bool {
        (**self).may_have_attachment(name)
    }
    fn identified(&self, peer: &Peer) -> Result<(), ClinicError> {
        (**self).identified(peer)
    }
    fn certificate_came(&self, bytes: &[u8]) -> Result<(), ClinicError> {
        (**self).certificate_came(bytes)
    }
    fn advance(&self, cursor: Cursor) -> Result<(), ClinicError> {
        (**self).advance(cursor)
    }
    fn acknowledged(&self, feeds: &[FeedNumber]) -> Result<(), ClinicError> {
        (**self).acknowledged(feeds)
    }
    fn peer_holds(&self, upto: FeedNumber) -> Result<(), ClinicError> {
        (**self).peer_holds(upto)
    }
    fn store_is_behind(&self, seen: FeedNumber) -> Result<(), ClinicError> {
        (**self).store_is_behind(seen)
    }
    fn confirmed(&self) -> Result<(), ClinicError> {
        (**self).confirmed()
    }
    fn forget_cursor(&self) -> Result<(), ClinicError> {
        (**self).forget_cursor()
    }
    fn is_full(&self) {
        (**self).is_full();
    }
}

impl Clinic {
    /// The store as a peer sees it whom the transport has authenticated: what is shared with
    /// another clinic, the post that lies at a relay, or, at a relay, the boxes of a node.
    ///
    /// # Errors
    /// [`ClinicError`] when the store cannot be read or the peer's key is not usable.
    pub fn peer_store(self: &Arc<Self>, peer: NodeId) -> Result<Box<dyn PeerStore>, ClinicError> {
        let clinic = Arc::clone(self);
        if self.role() == NodeRole::Relay {
            return Ok(Box::new(Counter::open(clinic, peer)?));
        }
        Ok(match self.role_of(&peer) {
            NodeRole::Relay => Box::new(Carrier::open(clinic, peer)?),
            NodeRole::Clinic => Box::new(Replica::open(clinic, peer)?),
        })
    }

    /// What this node is there for.
    #[must_use]
    pub fn role(&self) -> NodeRole {
        self.identity.certificate().payload().role
    }

    /// Whether this node stores and forwards what it cannot read.
    #[must_use]
    pub fn is_relay(&self) -> bool {
        self.role() == NodeRole::Relay
    }

    /// What a node is there for, by its certificate.
    fn role_of(&self, node: &NodeId) -> NodeRole {
        let certificates = self.certificates_read();
        let certificate = certificates.of_node(node);
        certificate.map_or(NodeRole::Clinic, |one| one.payload().role)
    }
}
