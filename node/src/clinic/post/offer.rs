//! What a session with the relay compares and puts, of all that lies there or is to.

use chartmesh_protocol::CertificateHash;
use chartmesh_protocol::mail::{Content, Mail};
use chartmesh_protocol::reconcile::{FeedNumber, ItemId, SharedDigests};
use chartmesh_protocol::sync::{FeedEntry, ItemKind, Lane};

use super::log::Post;
use super::table::{Entry, Source};
use crate::clinic::{Clinic, ClinicError, items};

/// How long nothing is put at a relay that has no room.
const WHILE_FULL_MS: u64 = 3_600_000;

impl Post {
    /// The relay has no room for more. Where pieces of attachments wait, it is taken to have none
    /// for them: records go on.
    pub(super) fn is_full(&mut self, now_ms: u64, is_held: &dyn Fn(u64) -> bool) {
        let until = now_ms.saturating_add(WHILE_FULL_MS);
        let mut pieces = self.pieces.values().flat_map(|there| there.values());
        if pieces.any(|number| !is_held(*number)) && !self.are_pieces_paused(now_ms) {
            self.pieces_full_until_ms = until;
        } else {
            self.full_until_ms = until;
        }
    }

    /// Whether nothing is put for now.
    pub(super) fn is_paused(&self, now_ms: u64) -> bool {
        now_ms < self.full_until_ms
    }

    /// Whether no piece of an attachment is put for now.
    pub(super) fn are_pieces_paused(&self, now_ms: u64) -> bool {
        now_ms < self.pieces_full_until_ms || self.is_paused(now_ms)
    }

    /// Whether something is not put for now, though it is to lie there.
    fn is_kept_back(&self, now_ms: u64, entry: &Entry) -> bool {
        match entry.kind() {
            ItemKind::Statement => false,
            ItemKind::Record if entry.piece().is_some() => self.are_pieces_paused(now_ms),
            ItemKind::Record => self.is_paused(now_ms),
        }
    }

    /// The digests of all that counts.
    pub(super) fn digests(&self, now_ms: u64, is_held: &dyn Fn(u64) -> bool) -> SharedDigests {
        let mut digests = self.digests;
        if self.are_pieces_paused(now_ms) {
            for (number, entry) in &self.entries {
                if self.is_kept_back(now_ms, entry) && !is_held(*number) {
                    digests.records.remove(&self.key, &ItemId::new(entry.id));
                }
            }
        }
        digests
    }

    /// What is to be put.
    pub(super) fn owed(
        &self,
        now_ms: u64,
        after: u64,
        is_held: &dyn Fn(u64) -> bool,
    ) -> Vec<FeedEntry> {
        let newer = self.entries.range(after.saturating_add(1)..);
        let owed =
            newer.filter(|(number, entry)| !is_held(**number) && !self.is_kept_back(now_ms, entry));
        owed.map(|(number, entry)| self.entry(*number, entry))
            .collect()
    }

    /// How much the relay is not known to hold.
    pub(super) fn unsent(&self, is_held: &dyn Fn(u64) -> bool) -> u64 {
        let unsent = self.entries.keys().filter(|number| !is_held(**number));
        u64::try_from(unsent.count()).unwrap_or(u64::MAX)
    }

    /// The statements and records that the relay is not known to hold in each of their boxes.
    pub(super) fn unsent_items(&self, is_held: &dyn Fn(u64) -> bool) -> Vec<ItemId> {
        let unsent = self.entries.iter().filter(|(number, _)| !is_held(**number));
        unsent.filter_map(|(_, entry)| entry.item()).collect()
    }

    /// How many pieces of attachments the relay is not known to hold.
    pub(super) fn unsent_pieces(&self, is_held: &dyn Fn(u64) -> bool) -> u64 {
        let pieces = self.entries.iter();
        let pieces = pieces.filter(|(number, entry)| entry.piece().is_some() && !is_held(**number));
        u64::try_from(pieces.count()).unwrap_or(u64::MAX)
    }

    /// All that counts, of a kind.
    pub(super) fn shared(
        &self,
        now_ms: u64,
        kind: ItemKind,
        is_held: &dyn Fn(u64) -> bool,
    ) -> Vec<FeedEntry> {
        let mine = self.entries.iter().filter(|(number, entry)| {
            entry.kind() == kind && (!self.is_kept_back(now_ms, entry) || is_held(**number))
        });
        mine.map(|(number, entry)| self.entry(*number, entry))
            .collect()
    }

    fn entry(&self, number: u64, entry: &Entry) -> FeedEntry {
        let first = self.boxes.get(&entry.mailbox).is_some_and(|one| one.first);
        FeedEntry {
            feed: FeedNumber::new(number),
            id: ItemId::new(entry.id),
            kind: entry.kind(),
            lane: match (entry.kind(), first) {
                (ItemKind::Statement, _) => Lane::Urgent,
                // A scan never delays a visit note.
                (ItemKind::Record, _) if entry.piece().is_some() => Lane::Attachment,
                (ItemKind::Record, true) => Lane::Summary,
                (ItemKind::Record, false) => Lane::Recent,
            },
        }
    }

    /// The bytes of an access or a mail.
    pub(super) fn bytes(
        &self,
        clinic: &Clinic,
        id: &ItemId,
    ) -> Result<Option<Vec<u8>>, ClinicError> {
        let entry = self.numbers.get(id.as_bytes());
        let Some(entry) = entry.and_then(|number| self.entries.get(number)) else {
            return Ok(None);
        };
        let sealed = |content: Content<'_>| {
            let key = self.boxes.get(&entry.mailbox).map(|one| &one.key)?;
            let mail = Mail::seal(key, content).ok()?;
            Some(mail.as_bytes().to_vec())
        };
        Ok(match &entry.source {
            Source::Access(bytes) => Some(bytes.clone()),
            Source::Beacon(bytes) => sealed(Content::Beacon(bytes)),
            Source::Receipt(bytes) => sealed(Content::Receipt(bytes)),
            Source::Request(bytes) => sealed(Content::Request(bytes)),
            Source::Piece(number) => {
                let piece = self.piece_at(clinic, &entry.mailbox, *number)?;
                piece.and_then(|piece| sealed(Content::Piece(*number, &piece)))
            }
            Source::Certificate(hash) => {
                let bytes = clinic.certificate(&CertificateHash::new(*hash));
                bytes.and_then(|bytes| sealed(Content::Certificate(&bytes)))
            }
            Source::Item(id) => {
                let stored = items::stored(&clinic.store, &ItemId::new(*id))?;
                stored.and_then(|stored| match stored.kind {
                    ItemKind::Statement => sealed(Content::Statement(&stored.bytes)),
                    ItemKind::Record => sealed(Content::Record(&stored.bytes)),
                })
            }
            Source::Waiting(bytes) => sealed(Content::Record(bytes)),
            Source::Refused => None,
        })
    }
}
