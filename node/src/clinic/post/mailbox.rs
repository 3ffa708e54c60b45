//! One box at a relay, as this node uses it.

use chartmesh_protocol::attachment::AttachmentName;
use chartmesh_protocol::mail::MailboxKey;
use chartmesh_protocol::{ChartId, ClinicId, HybridTime, MailboxId};
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

/// Whose box it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(super) enum Use {
    /// For the statements that we share with another clinic.
    #[n(0)]
    Pair(#[n(0)] ClinicId),
    /// The same, under sealing keys that others have taken the place of: it is only fetched from.
    #[n(2)]
    FormerPair(#[n(0)] ClinicId),
    /// For the records of one chart under one epoch.
    #[n(1)]
    Epoch(#[n(0)] ChartId),
    /// For the pieces of an attachment, whose content has so many bytes.
    #[n(3)]
    Attachment(#[n(0)] AttachmentName, #[n(1)] u64),
}

/// A box and what was last said of us there.
pub(super) struct Mailbox {
    pub(super) key: MailboxKey,
    pub(super) usage: Use,
    /// Whether what is in it goes before what is in others.
    pub(super) first: bool,
    /// Whether we fetch from it.
    pub(super) opens: bool,
    /// When that was said.
    pub(super) at: HybridTime,
}

/// A box as it lies in the store, which seals it.
#[derive(Encode, Decode)]
struct Row {
    #[cbor(n(0), with = "minicbor::bytes")]
    secret: [u8; 32],
    #[n(1)]
    usage: Use,
    #[n(2)]
    first: bool,
    #[n(3)]
    opens: bool,
    #[n(4)]
    at: HybridTime,
}

impl Mailbox {
    pub(super) fn id(&self) -> MailboxId {
        self.key.id()
    }

    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let row = Row {
            secret: *self.key.to_bytes(),
            usage: self.usage,
            first: self.first,
            opens: self.opens,
            at: self.at,
        };
        minicbor::to_vec(&row).ok()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let row: Row = minicbor::decode(bytes).ok()?;
        Some(Self {
            key: MailboxKey::from_bytes(Zeroizing::new(row.secret)),
            usage: row.usage,
            first: row.first,
            opens: row.opens,
            at: row.at,
        })
    }
}
