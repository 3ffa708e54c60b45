//! The receiving half: fragments become items, items wait until they are stored.

use std::collections::VecDeque;

use super::error::SyncError;
use super::item::{ItemKind, Lane, Lanes};
use super::limits::{ACK_AFTER_BYTES, ITEM_OVERHEAD_BYTES, UNSTORED_MOST_BYTES};
use super::payload::{AckFrame, ItemFrame, MoreFrame};
use super::sender::most_bytes;
use crate::reconcile::FeedNumber;

/// An item of which a part has come. Memory grows with what comes, not with what is announced.
#[derive(Debug)]
struct Partial {
    kind: ItemKind,
    size: usize,
    bytes: Vec<u8>,
}

/// A delivered item that is not stored yet.
#[derive(Debug)]
struct Unstored {
    kind: ItemKind,
    cost: usize,
}

/// What storing items has led to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// The furthest mark of the peer's feed below which everything is stored now.
    pub(super) upto: Option<FeedNumber>,
    /// Whether a statement was among the items: what is shared may have changed.
    pub(super) statements: bool,
}

/// The receiving half of a session.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    lanes: Lanes<Option<Partial>>,
    unstored: VecDeque<Unstored>,
    unstored_bytes: usize,
    /// Whole items since the session began.
    delivered: u64,
    stored: u64,
    /// Bytes of fragments since the session began.
    bytes: u64,
    acknowledged: AckFrame,
    /// `SENT` marks of the peer, each with the number of items delivered before it.
    marks: VecDeque<(u64, FeedNumber)>,
}

impl Receiver {
    /// Takes the first fragment of an item; returns the item when it is whole.
    pub(super) fn item(
        &mut self,
        frame: ItemFrame,
    ) -> Result<Option<(ItemKind, Vec<u8>)>, SyncError> {
        let ItemFrame {
            lane,
            kind,
            size: announced,
            bytes,
        } = frame;
        let size = usize::try_from(announced).unwrap_or(usize::MAX);
        if size > most_bytes(kind) {
            return Err(SyncError::ItemTooLarge {
                kind,
                bytes: announced,
            });
        }
        if self.lanes.of(lane).is_some() || bytes.is_empty() || bytes.len() > size {
            return Err(SyncError::Fragments);
        }
        self.count(bytes.len());
        self.keep(lane, Partial { kind, size, bytes })
    }

    /// Takes a further fragment; returns the item when it is whole.
    pub(super) fn more(
        &mut self,
        frame: MoreFrame,
    ) -> Result<Option<(ItemKind, Vec<u8>)>, SyncError> {
        let MoreFrame { lane, mut bytes } = frame;
        let mut partial = self.lanes.of_mut(lane).take().ok_or(SyncError::Fragments)?;
        let room = partial.size.saturating_sub(partial.bytes.len());
        if bytes.is_empty() || bytes.len() > room {
            return Err(SyncError::Fragments);
        }
        self.count(bytes.len());
        partial.bytes.append(&mut bytes);
        self.keep(lane, partial)
    }

    /// Forgets the fragments of a lane.
    pub(super) fn forget(&mut self, lane: Lane) -> Result<(), SyncError> {
        self.lanes
            .of_mut(lane)
            .take()
            .map(|_| ())
            .ok_or(SyncError::Fragments)
    }

    /// Takes the peer's word that everything up to `upto` has been sent; returns it at once when
    /// everything is stored already.
    pub(super) fn mark(&mut self, upto: FeedNumber) -> Option<FeedNumber> {
        if self.is_stored() {
            return Some(upto);
        }
        if let Some(last) = self.marks.back_mut()
            && last.0 == self.delivered
        {
            last.1 = upto;
        } else {
            self.marks.push_back((self.delivered, upto));
        }
        None
    }

    /// The next `items` delivered items are durable.
    pub(super) fn store(&mut self, items: usize) -> Result<Progress, SyncError> {
        let mut progress = Progress::default();
        for _ in 0..items {
            self.stored = self.stored.saturating_add(1);
            let Some(item) = self.unstored.pop_front() else {
                return Err(SyncError::StoredTooMany {
                    stored: self.stored,
                    delivered: self.delivered,
                });
            };
            self.unstored_bytes = self.unstored_bytes.saturating_sub(item.cost);
            progress.statements |= item.kind == ItemKind::Statement;
        }
        while let Some((delivered, upto)) = self.marks.front()
            && *delivered <= self.stored
        {
            progress.upto = Some(*upto);
            self.marks.pop_front();
        }
        Ok(progress)
    }

    /// Whether everything that came is stored, and nothing has come in part.
    pub(super) fn is_stored(&self) -> bool {
        self.unstored.is_empty()
            && Lane::ALL
                .into_iter()
                .all(|lane| self.lanes.of(lane).is_none())
    }

    /// Whole items received since the session began.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// What the peer has to be told, if it is time to: something is durable, or much has come.
    pub(super) fn acknowledgement(&mut self) -> Option<AckFrame> {
        let ack = AckFrame {
            items: self.stored,
            bytes: self.bytes,
        };
        let come = ack.bytes.saturating_sub(self.acknowledged.bytes);
        if ack.items > self.acknowledged.items || come >= ACK_AFTER_BYTES {
            self.acknowledged = ack;
            return Some(ack);
        }
        None
    }

    /// Whole items received and not stored yet.
    pub(super) fn unstored(&self) -> u64 {
        self.delivered.saturating_sub(self.stored)
    }

    /// Counts bytes of a fragment that came.
    pub(super) fn count(&mut self, bytes: usize) {
        self.bytes = self
            .bytes
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    fn keep(
        &mut self,
        lane: Lane,
        partial: Partial,
    ) -> Result<Option<(ItemKind, Vec<u8>)>, SyncError> {
        if partial.bytes.len() < partial.size {
            *self.lanes.of_mut(lane) = Some(partial);
            return Ok(None);
        }
        let cost = partial.size.saturating_add(ITEM_OVERHEAD_BYTES);
        self.unstored_bytes = self.unstored_bytes.saturating_add(cost);
        if self.unstored_bytes > UNSTORED_MOST_BYTES {
            return Err(SyncError::Flooded {
                bytes: self.unstored_bytes,
            });
        }
        self.delivered = self.delivered.saturating_add(1);
        self.unstored.push_back(Unstored {
            kind: partial.kind,
            cost,
        });
        Ok(Some((partial.kind, partial.bytes)))
    }
}
