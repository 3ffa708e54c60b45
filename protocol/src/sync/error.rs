//! Why a session ended, in detail, for us and our logs.

use super::close::CloseCode;
use super::frame::{FrameError, FrameType};
use super::item::ItemKind;
use crate::id::{ClinicId, NodeId};
use crate::identity::SignedError;
use crate::reconcile::{RangeError, SharedDigests, SketchError};

/// Why the node refused a delivered item or the peer itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The item cannot be read.
    #[error("it is malformed")]
    Malformed,
    /// A signature does not verify.
    #[error("its signature does not verify")]
    BadSignature,
    /// Its author has no certificate, or an invalid one.
    #[error("its author's certificate is missing or invalid")]
    BadCertificate,
    /// It belongs to a chart that we neither hold nor asked for.
    #[error("it belongs to a chart that was not asked for")]
    NotAsked,
    /// It belongs to a compartment that is not shared with us.
    #[error("it belongs to a compartment that is not shared with this clinic")]
    NotShared,
    /// The peer's certificate has been revoked.
    #[error("the peer's certificate has been revoked")]
    PeerRevoked,
    /// The peer's clinic has put as much at this relay as it may.
    #[error("the clinic has put as much here as it may")]
    QuotaUsed,
    /// A piece of an attachment is not what the attachment has there.
    #[error("a piece of an attachment is not what it should be")]
    BadPiece,
}

/// Why a session failed. The peer gets no more of it than [`code`](Self::code).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The peer sent bytes that are no frame.
    #[error("the peer sent an unreadable frame: {0}")]
    Frame(#[from] FrameError),
    /// The peer sent a frame that has no place in this phase.
    #[error("the peer sent a frame of type {frame} while {phase}")]
    Unexpected {
        /// The type of the frame.
        frame: FrameType,
        /// What the session was doing.
        phase: &'static str,
    },
    /// The certificate does not have the hash that HELLO named.
    #[error("the peer's certificate is not the one that it announced")]
    OtherCertificate,
    /// The certificate does not verify.
    #[error("the peer's certificate is invalid: {0}")]
    Certificate(#[from] SignedError),
    /// The certificate is valid and belongs to another node than the one on the line.
    #[error("the peer shows the certificate of node {certified} and is node {connected}")]
    OtherNode {
        /// The node in the certificate.
        certified: NodeId,
        /// The node that the transport authenticated.
        connected: NodeId,
    },
    /// The peer belongs to a clinic that is not on the list.
    #[error("clinic {clinic} is not among the known clinics; add its card to talk to it")]
    UnknownClinic {
        /// The clinic in the certificate.
        clinic: ClinicId,
    },
    /// The peer acknowledged what it cannot have got, or took an acknowledgement back.
    #[error("the peer acknowledged {acknowledged} items where {from} to {upto} were possible")]
    ImpossibleAck {
        /// The acknowledged number, counted from the start of the session.
        acknowledged: u64,
        /// The smallest number possible.
        from: u64,
        /// The largest number possible.
        upto: u64,
    },
    /// The peer announced an item larger than any that is allowed.
    #[error("the peer announced a {kind:?} of {bytes} bytes")]
    ItemTooLarge {
        /// What it was to be.
        kind: ItemKind,
        /// Its announced size.
        bytes: u64,
    },
    /// Fragments that do not make an item: a second beginning, no beginning, too many bytes.
    #[error("the peer sent fragments that do not fit together")]
    Fragments,
    /// The peer sent far more than it may without being acknowledged.
    #[error("the peer sent {bytes} bytes without waiting for acknowledgements")]
    Flooded {
        /// Bytes delivered and not stored.
        bytes: usize,
    },
    /// The peer sent, or said to lack, a piece of an attachment that it was not asked for.
    #[error("the peer answered with piece {piece} of an attachment, which it was not asked for")]
    UnaskedPiece {
        /// The number of the piece.
        piece: u32,
    },
    /// The peer asked for pieces that no attachment has, or for more at a time than it may.
    #[error("the peer asked for what no attachment has, or for too much at a time")]
    ImpossibleWant,
    /// The peer answered what it was not asked about attachments.
    #[error("the peer said of attachments that it holds them, and was not asked")]
    UnaskedAnswer,
    /// The peer's count of sent items is not what arrived.
    #[error("the peer says that it sent {claimed} items, {arrived} arrived")]
    Miscounted {
        /// What the peer says.
        claimed: u64,
        /// What arrived.
        arrived: u64,
    },
    /// The peer's store changed its incarnation within the session.
    #[error("the peer's store changed under the session")]
    FeedChanged,
    /// The peer broke the rules of range reconciliation.
    #[error("the peer's ranges are wrong: {0}")]
    Ranges(#[from] RangeError),
    /// The peer broke the rules of the set tier.
    #[error("the peer's symbols are wrong: {0}")]
    Sketch(#[from] SketchError),
    /// The node refused what the peer sent.
    #[error("an item of the peer was refused: {0}")]
    Refused(Refusal),
    /// Everything was exchanged, by every tier, and the digests still differ.
    #[error("after a full exchange the stores still differ: ours {ours}; theirs {theirs}")]
    DigestMismatch {
        /// Our digests.
        ours: SharedDigests,
        /// The peer's digests.
        theirs: SharedDigests,
    },
    /// Nothing came from the peer while something was expected.
    #[error("nothing came from the peer for {} s while {phase}", .silent_ms / 1000)]
    Stalled {
        /// How long, in milliseconds.
        silent_ms: u64,
        /// What the session was doing.
        phase: &'static str,
    },
    /// Our store lists an item that is empty or too large to send. Our own fault.
    #[error("our store has an item of {bytes} bytes, which cannot be sent")]
    Unsendable {
        /// Its size.
        bytes: usize,
    },
    /// Our store does not have a certificate that it said it has. Our own fault.
    #[error("our store lost the peer's certificate")]
    CertificateLost,
    /// The driver reported more items as stored than were delivered. Our own fault.
    #[error("{stored} items were reported as stored, {delivered} were delivered")]
    StoredTooMany {
        /// As reported, counted from the start of the session.
        stored: u64,
        /// As delivered.
        delivered: u64,
    },
    /// Our clinic has cut this node off: it takes nothing in and gives nothing any more.
    #[error("this node was cut off from its clinic")]
    CutOff,
    /// The driver opened a session twice. Our own fault.
    #[error("the session was opened twice")]
    OpenedTwice,
}

impl SyncError {
    /// What the peer is told.
    pub const fn code(&self) -> CloseCode {
        match self {
            Self::Frame(error) => error.code(),
            Self::ItemTooLarge { .. } | Self::Flooded { .. } => CloseCode::TooLarge,
            Self::Unexpected { .. }
            | Self::ImpossibleAck { .. }
            | Self::UnaskedPiece { .. }
            | Self::ImpossibleWant
            | Self::UnaskedAnswer
            | Self::FeedChanged => CloseCode::Unexpected,
            Self::OtherCertificate | Self::Certificate(_) | Self::OtherNode { .. } => {
                CloseCode::BadCertificate
            }
            Self::UnknownClinic { .. } => CloseCode::NotKnown,
            Self::Fragments | Self::Miscounted { .. } | Self::Ranges(_) | Self::Sketch(_) => {
                CloseCode::Malformed
            }
            Self::Refused(Refusal::PeerRevoked) => CloseCode::BadCertificate,
            Self::Refused(Refusal::QuotaUsed) => CloseCode::QuotaUsed,
            Self::Refused(_) => CloseCode::ItemRefused,
            Self::CutOff => CloseCode::Finished,
            Self::DigestMismatch { .. } => CloseCode::Mismatch,
            Self::Stalled { .. } => CloseCode::Stalled,
            Self::Unsendable { .. }
            | Self::CertificateLost
            | Self::StoredTooMany { .. }
            | Self::OpenedTwice => CloseCode::Fault,
        }
    }
}
