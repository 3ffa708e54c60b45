//! What is wrong with a bundle file.

use super::super::frame::FrameError;
use super::BundleId;
use crate::codec::CodecError;
use crate::id::ClinicId;
use crate::identity::{SignatureError, SignedError};

/// Why a part cannot be written or read. What was read before stays good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// It does not begin as a part does.
    #[error("it is no bundle file: {0}")]
    Head(CodecError),
    /// It is sealed to another clinic.
    #[error("it is for clinic {recipient}, not for this one")]
    ForAnother {
        /// The clinic that can open it.
        recipient: ClinicId,
        /// Which bundle it is of.
        bundle: BundleId,
    },
    /// The recipient's sealing key is not usable, or ours is not.
    #[error("the sealing key of the clinic that it is for is not usable")]
    UnusableKey,
    /// A block does not open: it was changed, moved or sealed for another key.
    #[error("block {block} was changed or damaged after it was written")]
    Altered {
        /// Its number, from 0.
        block: u64,
    },
    /// A block claims to be longer than any is.
    #[error("block {block} claims to have {bytes} bytes")]
    BlockLength {
        /// Its number, from 0.
        block: u64,
        /// What it claims.
        bytes: u64,
    },
    /// There are bytes behind the end.
    #[error("there is more behind its end")]
    BehindTheEnd,
    /// The frames in a block do not read.
    #[error("block {block} holds what does not read: {error}")]
    Frame {
        /// Its number, from 0.
        block: u64,
        /// What is wrong.
        error: FrameError,
    },
    /// The frames in a block are not what a bundle has there.
    #[error("block {block} holds what no bundle has there")]
    Content {
        /// Its number, from 0.
        block: u64,
    },
    /// The sender's certificate does not hold.
    #[error("its sender's certificate is invalid: {0}")]
    Certificate(#[from] SignedError),
    /// It was not made by the node that it names.
    #[error("it was not made by the node that it names: {0}")]
    NotBySender(#[from] SignatureError),
    /// An item or a certificate is too large for any bundle.
    #[error("an item of {bytes} bytes cannot be sent")]
    Unsendable {
        /// Its size.
        bytes: usize,
    },
    /// There are more parts than can be numbered.
    #[error("the bundle has too many parts: choose larger ones")]
    TooManyParts,
}
