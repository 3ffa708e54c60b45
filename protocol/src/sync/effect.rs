//! What a session wants done.

use super::close::CloseCode;
use super::error::SyncError;
use super::item::ItemKind;
use crate::attachment::AttachmentName;
use crate::id::{CertificateHash, ClinicId, NodeId};
use crate::reconcile::{Cursor, FeedNumber, StoreIncarnation};
use crate::time::HybridTime;

/// What the driver does for a session, in the order given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Write these bytes to the stream.
    Send(Vec<u8>),
    /// The peer has a valid certificate of a known clinic, which has not cut it off.
    PeerIdentified(Peer),
    /// The peer sent a certificate: its own, which is verified, or an author's, which is not.
    /// Verify and keep it; items that need it follow.
    Certificate(Vec<u8>),
    /// The peer shows that our clinic has cut this node off. Verify it: anybody could say so.
    Revocation(Vec<u8>),
    /// Verify this item and store it durably, then answer with
    /// [`Event::Stored`](super::Event::Stored), or with [`Event::Refused`](super::Event::Refused).
    /// Remember that the peer has it. An item that is stored already counts as stored.
    Deliver {
        /// What it is.
        kind: ItemKind,
        /// The item.
        bytes: Vec<u8>,
    },
    /// A piece of an attachment that was asked for: verify and keep it, then answer with
    /// [`Event::PiecesStored`](super::Event::PiecesStored), or with
    /// [`Event::Refused`](super::Event::Refused).
    Piece {
        /// The attachment.
        name: AttachmentName,
        /// The number of the piece.
        number: u32,
        /// The piece.
        bytes: Vec<u8>,
    },
    /// The peer does not have these pieces for us: do not [want](super::Holdings::wanted) them of
    /// it again in this session.
    PiecesLacking {
        /// The attachment.
        name: AttachmentName,
        /// The numbers of the pieces.
        pieces: Vec<u32>,
    },
    /// The peer has said of attachments of which we were [in doubt](super::Holdings::in_doubt)
    /// whether it holds them. If it is lost, the peer is asked again.
    AttachmentsTold {
        /// It holds all of each of these.
        held: Vec<AttachmentName>,
        /// These it does not hold, or not yet.
        lacking: Vec<AttachmentName>,
    },
    /// Everything up to here in the peer's feed is stored: store this cursor. If it is lost, items
    /// are sent again; if it is stored before the items are durable, items are missed.
    CursorAdvanced(Cursor),
    /// The peer holds these items of our feed durably: leave them out of
    /// [`owed`](super::Holdings::owed). If it is lost, they are sent again.
    PeerAcknowledged(Vec<FeedNumber>),
    /// The peer holds everything of our feed up to here that it may have.
    PeerHolds(FeedNumber),
    /// The peer has seen our feed, in this incarnation, beyond its end: our store has lost what it
    /// once had. Draw a new incarnation before anything more is written.
    StoreIsBehind {
        /// The number that the peer has seen.
        seen: FeedNumber,
    },
    /// Both stores have been compared and are equal in what they share. From here on new items
    /// are pushed as they come. Answer with [`Event::NewItems`](super::Event::NewItems): where no
    /// link is kept, the session ends once nothing came of it.
    InSync(Report),
    /// Send [`Event::Tick`](super::Event::Tick) at this time; it replaces the one before.
    WakeAt {
        /// On the clock whose readings [`handle`](super::Session::handle) gets, in milliseconds.
        at_ms: u64,
    },
    /// The session is over. Write what was to be sent before, then close the stream.
    Close(CloseReason),
}

/// Who the peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its clinic, which is on our list.
    pub clinic: ClinicId,
    /// Its node, which the transport authenticated and the clinic certified.
    pub node: NodeId,
    /// Its certificate.
    pub certificate: CertificateHash,
    /// Its store. If that is another than last time, forget what it acknowledged.
    pub incarnation: StoreIncarnation,
    /// Its hybrid time when it said HELLO.
    pub time: HybridTime,
}

/// Why a session is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseReason {
    /// We wanted it.
    Finished,
    /// The stores are equal, and one of the sides does not keep the link.
    VisitOver,
    /// The peer ended it.
    ByPeer(CloseCode),
    /// Something went wrong.
    Failed(SyncError),
}

/// By what means two stores came to be in sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tier {
    /// What is newer than the cursors was sent, or nothing was new.
    Cursor,
    /// The sets were compared by coded symbols.
    Set,
    /// The sets were compared range by range.
    Range,
}

/// What one synchronisation took, from the HELLO or the request to the equal digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// By what means.
    pub tier: Tier,
    /// How often we waited for an answer of the peer.
    pub round_trips: u32,
    /// How long it took.
    pub duration_ms: u64,
    /// What went over the stream.
    pub traffic: Traffic,
}

/// Bytes and items that went over the stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// All bytes sent.
    pub bytes_sent: u64,
    /// All bytes received.
    pub bytes_received: u64,
    /// Whole records sent.
    pub records_sent: u64,
    /// Whole records received.
    pub records_received: u64,
    /// Whole statements sent.
    pub statements_sent: u64,
    /// Whole statements received.
    pub statements_received: u64,
    /// Whole pieces of attachments sent.
    pub pieces_sent: u64,
    /// Whole pieces of attachments received.
    pub pieces_received: u64,
}

impl Traffic {
    /// Counts a whole item sent.
    pub(super) fn count_sent(&mut self, kind: ItemKind) {
        let count = match kind {
            ItemKind::Statement => &mut self.statements_sent,
            ItemKind::Record => &mut self.records_sent,
        };
        *count = count.saturating_add(1);
    }

    /// Counts a whole item received.
    pub(super) fn count_received(&mut self, kind: ItemKind) {
        let count = match kind {
            ItemKind::Statement => &mut self.statements_received,
            ItemKind::Record => &mut self.records_received,
        };
        *count = count.saturating_add(1);
    }

    /// What was added since `earlier`.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        Self {
            bytes_sent: self.bytes_sent.saturating_sub(earlier.bytes_sent),
            bytes_received: self.bytes_received.saturating_sub(earlier.bytes_received),
            records_sent: self.records_sent.saturating_sub(earlier.records_sent),
            records_received: self
                .records_received
                .saturating_sub(earlier.records_received),
            statements_sent: self.statements_sent.saturating_sub(earlier.statements_sent),
            statements_received: self
                .statements_received
                .saturating_sub(earlier.statements_received),
            pieces_sent: self.pieces_sent.saturating_sub(earlier.pieces_sent),
            pieces_received: self.pieces_received.saturating_sub(earlier.pieces_received),
        }
    }
}
