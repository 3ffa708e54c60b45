//! What is synced: items, their kinds and the lanes they travel in.

use minicbor::{Decode, Encode};

use crate::reconcile::{FeedNumber, ItemId};

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum ItemKind {
    /// A statement of a ledger. Statements decide what is shared, so they are settled first.
    #[n(0)]
    Statement,
    /// A sealed record.
    #[n(1)]
    Record,
}

/// The order in which items travel: a lane waits while an earlier one has anything to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum Lane {
    /// Ledger statements and the audit of break-glass.
    #[n(0)]
    Urgent,
    /// Records of `summary` compartments: what an emergency needs.
    #[n(1)]
    Summary,
    /// New records of the other compartments.
    #[n(2)]
    Recent,
    /// Older records.
    #[n(3)]
    Older,
    /// Who wrote what compactions stand for: nobody needs it to read a chart.
    #[n(5)]
    Provenance,
    /// Attachments.
    #[n(4)]
    Attachment,
}

impl Lane {
    /// All lanes, the first to travel first.
    pub const ALL: [Self; 6] = [
        Self::Urgent,
        Self::Summary,
        Self::Recent,
        Self::Older,
        Self::Provenance,
        Self::Attachment,
    ];
}

/// An item as the store lists it, without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FeedEntry {
    /// Its place in our feed.
    pub feed: FeedNumber,
    /// Its name.
    pub id: ItemId,
    /// What it is.
    pub kind: ItemKind,
    /// How urgently it travels.
    pub lane: Lane,
}

/// One value for each lane.
#[derive(Debug, Default)]
pub(super) struct Lanes<T> {
    urgent: T,
    summary: T,
    recent: T,
    older: T,
    provenance: T,
    attachment: T,
}

impl<T> Lanes<T> {
    /// The value of a lane.
    pub(super) fn of(&self, lane: Lane) -> &T {
        match lane {
            Lane::Urgent => &self.urgent,
            Lane::Summary => &self.summary,
            Lane::Recent => &self.recent,
            Lane::Older => &self.older,
            Lane::Provenance => &self.provenance,
            Lane::Attachment => &self.attachment,
        }
    }

    /// The value of a lane, to change.
    pub(super) fn of_mut(&mut self, lane: Lane) -> &mut T {
        match lane {
            Lane::Urgent => &mut self.urgent,
            Lane::Summary => &mut self.summary,
            Lane::Recent => &mut self.recent,
            Lane::Older => &mut self.older,
            Lane::Provenance => &mut self.provenance,
            Lane::Attachment => &mut self.attachment,
        }
    }
}
