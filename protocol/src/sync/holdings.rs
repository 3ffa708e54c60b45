//! What a session sees of the node's store.

use super::attachment::Wanted;
use super::item::{FeedEntry, ItemKind};
use crate::attachment::{AttachmentName, Shape};
use crate::id::{CertificateHash, ClinicId, NodeId};
use crate::reconcile::{Cursor, FeedNumber, ItemId, SharedDigests, StoreIncarnation};
use crate::time::HybridTime;

/// The node's store as one peer may see it: consent is applied already. Everything here is what
/// that peer's clinic may have *now*; it changes as statements are stored, and the session asks
/// again.
///
/// The driver carries out the effects of one call of [`Session::handle`](super::Session::handle)
/// before it makes the next one, so that these answers include them.
pub trait Holdings {
    /// The incarnation of our store. While it changes, close the session and begin a new one.
    fn incarnation(&self) -> StoreIncarnation;

    /// The newest number of our feed, of whatever item.
    fn newest(&self) -> FeedNumber;

    /// How far we have followed the peer's feed: the last [`Effect::CursorAdvanced`].
    ///
    /// [`Effect::CursorAdvanced`]: super::Effect::CursorAdvanced
    fn cursor(&self) -> Option<Cursor>;

    /// Our hybrid time, for the peer to compare with its own.
    fn time(&self) -> HybridTime;

    /// The digests of everything that we share with the peer, keyed with the pair's key.
    fn digests(&self) -> SharedDigests;

    /// What the peer may have and, as far as we know, lacks: every item with a feed number above
    /// `after`, and every item, of whatever number, that came to be shared by a statement with a
    /// feed number above `after`. Without those that the peer itself sent us or acknowledged
    /// (see [`Effect::PeerAcknowledged`]). Within a lane in the order in which to send.
    ///
    /// [`Effect::PeerAcknowledged`]: super::Effect::PeerAcknowledged
    fn owed(&self, after: FeedNumber) -> Vec<FeedEntry>;

    /// Statements that the peer has to hear of although they are not among what both share, as far
    /// as we know: the end of a grant to it, or to us, by which nothing is shared any more. They
    /// are sent ahead of records; once the peer has them, it sees that, too. Without those that it
    /// sent us or acknowledged.
    fn untold(&self) -> Vec<FeedEntry> {
        Vec::new()
    }

    /// All items of a kind that we share with the peer. What the digests cover, exactly.
    fn shared(&self, kind: ItemKind) -> Vec<FeedEntry>;

    /// The bytes of an item; `None` when we do not have it or when the peer may not have it (any
    /// more): it is asked at the time of sending.
    fn item(&self, id: &ItemId) -> Option<Vec<u8>>;

    /// The certificates that the peer needs to verify an item: they are sent ahead of it, each
    /// once in a session.
    fn certificates_for(&self, id: &ItemId) -> Vec<CertificateHash>;

    /// The bytes of a certificate.
    fn certificate(&self, hash: &CertificateHash) -> Option<Vec<u8>>;

    /// The hash of the peer's own newest certificate that we hold. If it is still that, the
    /// peer's HELLO is enough to know who it is.
    fn peer_certificate(&self) -> Option<CertificateHash>;

    /// Whether this clinic is on our list of known clinics.
    fn knows_clinic(&self, clinic: &ClinicId) -> bool;

    /// Whether this clinic has cut this node of its own off: it is let in no more.
    fn is_cut_off(&self, clinic: &ClinicId, node: &NodeId) -> bool;

    /// The statement by which it did so: shown to the node, which nobody else tells of it.
    fn revocation(&self, clinic: &ClinicId, node: &NodeId) -> Option<Vec<u8>> {
        let _ = (clinic, node);
        None
    }

    /// Pieces of attachments that we lack and want of this peer, at most `most`, each of which can
    /// be verified when it comes. What was returned once is not returned again until it was
    /// stored, or for this peer when it does not have it.
    fn wanted(&self, most: usize) -> Wanted {
        let _ = most;
        Wanted::default()
    }

    /// A piece of an attachment; `None` when we do not have it, or when the peer may not have it:
    /// it is asked at the time of sending.
    fn piece(&self, name: &AttachmentName, shape: Shape, number: u32) -> Option<Vec<u8>> {
        let _ = (name, shape, number);
        None
    }

    /// Attachments that were saved here, that the peer may have and that it is not known to hold,
    /// at most `most`. What was returned once is not returned again in this session.
    fn in_doubt(&self, most: usize) -> Vec<(AttachmentName, Shape)> {
        let _ = most;
        Vec::new()
    }

    /// Whether we hold all of an attachment. Not of one that the peer may not have.
    fn holds_attachment(&self, name: &AttachmentName, shape: Shape) -> bool {
        let _ = (name, shape);
        false
    }
}

/// A store behind a pointer: which kind it is may depend on the peer.
impl<T: Holdings + ?Sized> Holdings for Box<T> {
    fn incarnation(&self) -> StoreIncarnation {
        (**self).incarnation()
    }
    fn newest(&self) -> FeedNumber {
        (**self).newest()
    }
    fn cursor(&self) -> Option<Cursor> {
        (**self).cursor()
    }
    fn time(&self) -> HybridTime {
        (**self).time()
    }
    fn digests(&self) -> SharedDigests {
        (**self).digests()
    }
    fn owed(&self, after: FeedNumber) -> Vec<FeedEntry> {
        (**self).owed(after)
    }
    fn untold(&self) -> Vec<FeedEntry> {
        (**self).untold()
    }
    fn shared(&self, kind: ItemKind) -> Vec<FeedEntry> {
        (**self).shared(kind)
    }
    fn item(&self, id: &ItemId) -> Option<Vec<u8>> {
        (**self).item(id)
    }
    fn certificates_for(&self, id: &ItemId) -> Vec<CertificateHash> {
        (**self).certificates_for(id)
    }
    fn certificate(&self, hash: &CertificateHash) -> Option<Vec<u8>> {
        (**self).certificate(hash)
    }
    fn peer_certificate(&self) -> Option<CertificateHash> {
        (**self).peer_certificate()
    }
    fn knows_clinic(&self, clinic: &ClinicId) -> bool {
        (**self).knows_clinic(clinic)
    }
    fn wanted(&self, most: usize) -> Wanted {
        (**self).wanted(most)
    }
    fn piece(&self, name: &AttachmentName, shape: Shape, number: u32) -> Option<Vec<u8>> {
        (**self).piece(name, shape, number)
    }
    fn in_doubt(&self, most: usize) -> Vec<(AttachmentName, Shape)> {
        (**self).in_doubt(most)
    }
    fn holds_attachment(&self, name: &AttachmentName, shape: Shape) -> bool {
        (**self).holds_attachment(name, shape)
    }
    fn is_cut_off(&self, clinic: &ClinicId, node: &NodeId) -> bool {
        (**self).is_cut_off(clinic, node)
    }
    fn revocation(&self, clinic: &ClinicId, node: &NodeId) -> Option<Vec<u8>> {
        (**self).revocation(clinic, node)
    }
}
