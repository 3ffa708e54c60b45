//! HELLO and what two stores tell each other to find out in which way they differ.
//!
//! ```text
//! HELLO    = version 1 | [certificate 32, known: bytes 32 / null, Standing, time, ? quiet,
//!            ? knows]
//! Standing = [incarnation, newest, cursor: [incarnation, number] / null, digests]
//! digests  = [[sum 16, count], [sum 16, count]]     statements, records
//! DIGEST   = [newest, items, more, digests]
//! ```

use minicbor::{Decode, Encode};

use super::holdings::Holdings;
use crate::codec::{Bounded, CodecError};
use crate::id::CertificateHash;
use crate::reconcile::cursor::CursorFit;
use crate::reconcile::{Cursor, FeedNumber, SharedDigests, StoreIncarnation};
use crate::time::HybridTime;

/// The version of the protocol that this program speaks.
pub(super) const VERSION: u8 = 1;

/// In what a HELLO says that its sender knows: the frames of attachments.
pub(super) const KNOWS_ATTACHMENTS: u8 = 1;

/// The same of the questions whether attachments are held.
pub(super) const KNOWS_QUESTIONS: u8 = 2;

/// The same of the frame that shows a node that its clinic has cut it off.
pub(super) const KNOWS_REVOCATIONS: u8 = 4;

/// Where a store stands towards a peer: all that is needed to tell whether anything is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct Standing {
    /// The sender's store.
    #[n(0)]
    pub(super) incarnation: StoreIncarnation,
    /// The newest number of its feed.
    #[n(1)]
    pub(super) newest: FeedNumber,
    /// How far it has followed the receiver's feed.
    #[n(2)]
    pub(super) cursor: Option<Cursor>,
    /// Over what it shares with the receiver.
    #[n(3)]
    pub(super) digests: SharedDigests,
}

impl Standing {
    /// Where our store stands now.
    pub(super) fn of(holdings: &dyn Holdings) -> Self {
        Self {
            incarnation: holdings.incarnation(),
            newest: holdings.newest(),
            cursor: holdings.cursor(),
            digests: holdings.digests(),
        }
    }

    /// What `theirs`' cursor is worth in our feed.
    pub(super) fn fit(&self, theirs: &Self) -> CursorFit {
        Cursor::fit(theirs.cursor, self.incarnation, self.newest)
    }
}

impl Bounded for Standing {
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}

/// The first frame of both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct Hello {
    /// The sender's own certificate.
    #[n(0)]
    pub(super) certificate: CertificateHash,
    /// The receiver's certificate, as far as the sender holds it. If it is another one by now, the
    /// receiver sends it next.
    #[n(1)]
    pub(super) known: Option<CertificateHash>,
    /// Where the sender's store stands.
    #[n(2)]
    pub(super) standing: Standing,
    /// The sender's hybrid time.
    #[n(3)]
    pub(super) time: HybridTime,
    /// Seconds of silence that the sender asks for between heartbeats, where its link is paid for
    /// by the byte; 0 where it wants the session to end once the stores are equal.
    #[n(4)]
    pub(super) quiet_s: Option<u16>,
    /// Which frames the sender reads that older programs do not, as a set of bits; bits that are
    /// unknown here mean nothing.
    #[n(5)]
    pub(super) knows: Option<u8>,
}

impl Bounded for Hello {
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}

/// The comparison at the end of an exchange, made when all that came from the other side is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct Check {
    /// The newest number of the sender's feed, which the digests cover.
    #[n(0)]
    pub(super) newest: FeedNumber,
    /// How many items the sender has sent in this session.
    #[n(1)]
    pub(super) items: u64,
    /// Whether the sender has something new that it has not sent: then a difference is no fault.
    #[n(2)]
    pub(super) more: bool,
    /// Over what the sender shares with the receiver.
    #[n(3)]
    pub(super) digests: SharedDigests,
}

impl Bounded for Check {
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}

/// What two sides do about their standings. Both compute the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing: the digests are equal.
    InSync,
    /// Each sends what is newer than the other's cursor.
    Cursors,
    /// A cursor is useless: they compare their sets.
    Sets,
}

impl Plan {
    /// The plan for two standings, in either order.
    pub(super) fn of(ours: &Standing, theirs: &Standing) -> Self {
        if ours.digests == theirs.digests {
            return Self::InSync;
        }
        match (ours.fit(theirs), theirs.fit(ours)) {
            (CursorFit::Within(_), CursorFit::Within(_)) => Self::Cursors,
            _ => Self::Sets,
        }
    }
}
