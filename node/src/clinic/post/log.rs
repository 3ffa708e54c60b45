//! What lies at a relay, as far as this node put it there or fetched it.
//!
//! Each access and each mail has a number of our own, by which the session counts. What is in
//! boxes that we do not fetch from any more is forgotten: the relay does not count it either.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_protocol::attachment::AttachmentName;
use chartmesh_protocol::mail::{Content, Mail};
use chartmesh_protocol::reconcile::{Digest, FeedNumber, ItemId, PairKey, SharedDigests};
use chartmesh_protocol::sync::ItemKind;
use chartmesh_protocol::{ChartId, ClinicId, MailboxId};

use super::Relay;
use super::giving::Requests;
use super::mailbox::{Mailbox, Use};
use super::table::{Entry, Source, Table};
use crate::clinic::{Clinic, ClinicError};

/// What lies at a relay.
pub(crate) struct Post {
    pub(super) relay: Relay,
    pub(super) key: PairKey,
    pub(super) table: Table,
    pub(super) boxes: BTreeMap<MailboxId, Mailbox>,
    pub(super) entries: BTreeMap<u64, Entry>,
    pub(super) numbers: BTreeMap<[u8; 32], u64>,
    /// What of our store lies in which box, so that it is not read and sealed again to find out.
    inside: BTreeMap<([u8; 32], MailboxId), u64>,
    /// What was last said of us, by box.
    pub(super) accesses: BTreeMap<MailboxId, u64>,
    /// The boxes of attachments, open ones and others.
    pub(super) parcel_boxes: BTreeMap<AttachmentName, MailboxId>,
    /// The numbers of pieces that lie in the box of an attachment, by their place in it.
    pub(super) pieces: BTreeMap<MailboxId, BTreeMap<u32, u64>>,
    /// What others want of attachments.
    pub(super) requests: Requests,
    /// Whether something has changed that bears on which attachments are asked for or given.
    pub(super) parcels_due: bool,
    /// How often what is wanted here had changed when it was last looked at.
    pub(super) wants_seen: Option<u64>,
    pub(super) digests: SharedDigests,
    newest: u64,
    /// Our feed up to which charts were looked at.
    pub(super) upto: u64,
    pub(super) turns: BTreeSet<(u64, ChartId)>,
    /// Until when, in milliseconds since 1970, nothing is put: the relay has no room.
    pub(super) full_until_ms: u64,
    /// The same of pieces of attachments alone.
    pub(super) pieces_full_until_ms: u64,
}

impl Post {
    /// What is remembered of a relay.
    pub(super) fn open(clinic: &Clinic, relay: Relay, key: PairKey) -> Result<Self, ClinicError> {
        let table = Table::of(relay.node);
        let store = &clinic.store;
        let entries = table.entries(store)?;
        let mut post = Self {
            relay,
            key,
            boxes: table.boxes(store)?,
            entries: BTreeMap::new(),
            numbers: BTreeMap::new(),
            inside: BTreeMap::new(),
            accesses: BTreeMap::new(),
            parcel_boxes: BTreeMap::new(),
            pieces: BTreeMap::new(),
            requests: table.requests(store)?,
            parcels_due: true,
            wants_seen: None,
            digests: SharedDigests::default(),
            newest: table.newest(store)?,
            upto: table.upto(store)?,
            turns: table.turns(store)?,
            full_until_ms: 0,
            pieces_full_until_ms: 0,
            table,
        };
        for mailbox in post.boxes.values() {
            if let Use::Attachment(name, _) = mailbox.usage {
                post.parcel_boxes.insert(name, mailbox.id());
            }
        }
        for (number, entry) in entries {
            post.place(number, entry);
        }
        Ok(post)
    }

    /// Whether a chart was put here or fetched from here, or may be.
    pub(super) fn is_used(&self) -> bool {
        self.entries.values().any(|entry| !entry.is_access())
    }

    /// Whether a mail or access is known.
    pub(super) fn has(&self, id: &ItemId) -> bool {
        self.numbers.contains_key(id.as_bytes())
    }

    /// Whether something of our store, an item or a certificate, lies in a box.
    pub(super) fn has_inside(&self, mailbox: &MailboxId, stored: &[u8; 32]) -> bool {
        self.inside.contains_key(&(*stored, *mailbox))
    }

    /// Whether something of our store lies in any box.
    pub(super) fn lies_there(&self, stored: &[u8; 32]) -> bool {
        self.places_of(stored).next().is_some()
    }

    /// The numbers of the mail that holds something of our store.
    pub(super) fn places_of(&self, stored: &[u8; 32]) -> impl Iterator<Item = u64> {
        let first = (*stored, MailboxId::new([0; 32]));
        let last = (*stored, MailboxId::new([0xff; 32]));
        self.inside.range(first..=last).map(|(_, number)| *number)
    }

    /// The statements that lie in the box with a clinic, with the numbers of their mail.
    pub(super) fn items_for(&self, clinic: &ClinicId) -> impl Iterator<Item = (u64, ItemId)> {
        let pair = Use::Pair(*clinic);
        self.entries.iter().filter_map(move |(number, entry)| {
            let usage = self.boxes.get(&entry.mailbox).map(|one| one.usage);
            let item = entry.item().filter(|_| usage == Some(pair))?;
            Some((*number, item))
        })
    }

    /// Adds what lies at the relay, or is to. Returns its number, if it is new.
    pub(super) fn add(&mut self, entry: Entry) -> Result<Option<u64>, ClinicError> {
        if self.numbers.contains_key(&entry.id) {
            return Ok(None);
        }
        let full = || ClinicError::fault("the post is full");
        self.newest = self.newest.checked_add(1).ok_or_else(full)?;
        self.table.put_entry(self.newest, &entry)?;
        self.table.put_newest(self.newest);
        self.place(self.newest, entry);
        Ok(Some(self.newest))
    }

    /// Puts an entry where it is looked for.
    fn place(&mut self, number: u64, entry: Entry) {
        self.numbers.insert(entry.id, number);
        self.inside
            .extend(entry.stored().map(|stored| (stored, number)));
        if entry.is_access() {
            self.accesses.insert(entry.mailbox, number);
        }
        if let Some(piece) = entry.piece() {
            let there = self.pieces.entry(entry.mailbox).or_default();
            there.insert(piece, number);
        }
        let (key, id) = (self.key.clone(), ItemId::new(entry.id));
        self.digest_of(entry.kind()).add(&key, &id);
        self.entries.insert(number, entry);
    }

    pub(super) fn remove(&mut self, number: u64) {
        if let Some(entry) = self.entries.remove(&number) {
            let (key, id) = (self.key.clone(), ItemId::new(entry.id));
            self.digest_of(entry.kind()).remove(&key, &id);
            self.numbers.remove(&entry.id);
            if let Some(stored) = entry.stored() {
                self.inside.remove(&stored);
            }
            if let (Some(piece), Some(there)) = (entry.piece(), self.pieces.get_mut(&entry.mailbox))
            {
                there.remove(&piece);
            }
            self.table.delete_entry(number);
        }
    }

    fn digest_of(&mut self, kind: ItemKind) -> &mut Digest {
        match kind {
            ItemKind::Statement => &mut self.digests.statements,
            ItemKind::Record => &mut self.digests.records,
        }
    }

    /// Puts content into a box, if it does not lie there.
    pub(super) fn put(
        &mut self,
        mailbox: &MailboxId,
        content: Content<'_>,
        source: Source,
    ) -> Result<(), ClinicError> {
        let Some(key) = self.boxes.get(mailbox).map(|one| &one.key) else {
            return Ok(());
        };
        if let Some(id) = Mail::id_of(key, content) {
            self.add(Entry {
                id: *id.as_bytes(),
                mailbox: *mailbox,
                source,
            })?;
        }
        Ok(())
    }

    /// Changes what an entry was made from.
    pub(super) fn resolve(&mut self, number: u64, source: Source) -> Result<(), ClinicError> {
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.source = source;
            self.inside
                .extend(entry.stored().map(|stored| (stored, number)));
            self.table.put_entry(number, entry)?;
        }
        Ok(())
    }

    /// What was fetched before what it needs.
    pub(super) fn waiting(&self) -> Vec<(u64, Vec<u8>)> {
        let waiting = self.entries.iter().filter_map(|(number, entry)| {
            let Source::Waiting(bytes) = &entry.source else {
                return None;
            };
            Some((*number, bytes.clone()))
        });
        waiting.collect()
    }

    pub(super) fn newest(&self) -> FeedNumber {
        FeedNumber::new(self.newest)
    }
}

impl Entry {
    /// The item or certificate of our store that it holds.
    fn stored(&self) -> Option<([u8; 32], MailboxId)> {
        let (Source::Item(id) | Source::Certificate(id)) = &self.source else {
            return None;
        };
        Some((*id, self.mailbox))
    }

    /// The item of our store that it holds.
    pub(super) fn item(&self) -> Option<ItemId> {
        let Source::Item(id) = &self.source else {
            return None;
        };
        Some(ItemId::new(*id))
    }

    /// The number of the piece of an attachment that it holds.
    pub(super) fn piece(&self) -> Option<u32> {
        let Source::Piece(number) = self.source else {
            return None;
        };
        Some(number)
    }

    pub(super) fn is_access(&self) -> bool {
        matches!(self.source, Source::Access(_))
    }

    pub(super) fn kind(&self) -> ItemKind {
        if self.is_access() {
            ItemKind::Statement
        } else {
            ItemKind::Record
        }
    }
}
