//! What lies at a relay, as far as this node put it there or fetched it.
//!
//! Each access and each mail has a number of our own, by which the session counts. What is in
//! boxes that we do not fetch from any more is forgotten: the relay does not count it either.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_protocol::identity::Verified;
use chartmesh_protocol::mail::{Access, Content, Mail, MailboxKey};
use chartmesh_protocol::reconcile::{Digest, FeedNumber, ItemId, PairKey, SharedDigests};
use chartmesh_protocol::sync::{FeedEntry, ItemKind, Lane};
use chartmesh_protocol::{CertificateHash, ChartId, ClinicId, MailboxId};

use super::Relay;
use super::mailbox::{Mailbox, Use};
use super::table::{Entry, Source, Table};
use crate::clinic::{Clinic, ClinicError, items};

/// What lies at a relay.
pub(crate) struct Post {
    pub(super) relay: Relay,
    key: PairKey,
    pub(super) table: Table,
    pub(super) boxes: BTreeMap<MailboxId, Mailbox>,
    entries: BTreeMap<u64, Entry>,
    numbers: BTreeMap<[u8; 32], u64>,
    /// What of our store lies in which box, so that it is not read and sealed again to find out.
    inside: BTreeMap<([u8; 32], MailboxId), u64>,
    /// What was last said of us, by box.
    accesses: BTreeMap<MailboxId, u64>,
    digests: SharedDigests,
    newest: u64,
    /// Our feed up to which charts were looked at.
    pub(super) upto: u64,
    pub(super) turns: BTreeSet<(u64, ChartId)>,
    /// Until when, in milliseconds since 1970, nothing is put: the relay has no room.
    full_until_ms: u64,
}

/// How long nothing is put at a relay that has no room.
const WHILE_FULL_MS: u64 = 3_600_000;

impl Post {
    /// What is remembered of a relay.
    pub(super) fn open(clinic: &Clinic, relay: Relay, key: PairKey) -> Result<Self, ClinicError> {
        let table = Table::of(relay.node);
        let store = &clinic.store;
        let mut post = Self {
            relay,
            key,
            boxes: table.boxes(store)?,
            entries: table.entries(store)?,
            numbers: BTreeMap::new(),
            inside: BTreeMap::new(),
            accesses: BTreeMap::new(),
            digests: SharedDigests::default(),
            newest: table.newest(store)?,
            upto: table.upto(store)?,
            turns: table.turns(store)?,
            full_until_ms: 0,
            table,
        };
        for (number, entry) in &post.entries {
            post.numbers.insert(entry.id, *number);
            post.inside
                .extend(entry.stored().map(|stored| (stored, *number)));
            if entry.is_access() {
                post.accesses.insert(entry.mailbox, *number);
            }
            let digest = match entry.kind() {
                ItemKind::Statement => &mut post.digests.statements,
                ItemKind::Record => &mut post.digests.records,
            };
            digest.add(&post.key, &ItemId::new(entry.id));
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

    /// The numbers of the statements that lie in the box with a clinic.
    pub(super) fn items_for(&self, clinic: &ClinicId) -> impl Iterator<Item = u64> {
        let pair = Use::Pair(*clinic);
        let is_pair = move |entry: &Entry| {
            let usage = self.boxes.get(&entry.mailbox).map(|one| one.usage);
            usage == Some(pair) && matches!(entry.source, Source::Item(_))
        };
        let mine = self.entries.iter().filter(move |(_, entry)| is_pair(entry));
        mine.map(|(number, _)| *number)
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
        self.numbers.insert(entry.id, self.newest);
        self.inside
            .extend(entry.stored().map(|stored| (stored, self.newest)));
        if entry.is_access() {
            self.accesses.insert(entry.mailbox, self.newest);
        }
        let (key, id) = (self.key.clone(), ItemId::new(entry.id));
        self.digest_of(entry.kind()).add(&key, &id);
        self.entries.insert(self.newest, entry);
        Ok(Some(self.newest))
    }

    fn remove(&mut self, number: u64) {
        if let Some(entry) = self.entries.remove(&number) {
            let (key, id) = (self.key.clone(), ItemId::new(entry.id));
            self.digest_of(entry.kind()).remove(&key, &id);
            self.numbers.remove(&entry.id);
            if let Some(stored) = entry.stored() {
                self.inside.remove(&stored);
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

    /// Fetches from a box from now on. Returns whether that is new.
    pub(super) fn open_box(
        &mut self,
        clinic: &Clinic,
        key: MailboxKey,
        usage: Use,
        first: bool,
    ) -> Result<bool, ClinicError> {
        let id = key.id();
        if self.boxes.get(&id).is_some_and(|known| known.opens) {
            return Ok(false);
        }
        let mailbox = Mailbox {
            key,
            usage,
            first,
            opens: true,
            at: clinic.tick(),
        };
        self.say(clinic, mailbox)?;
        Ok(true)
    }

    /// Fetches from a box no more, and forgets what is in it.
    pub(super) fn close_box(&mut self, clinic: &Clinic, id: &MailboxId) -> Result<(), ClinicError> {
        let Some(mut mailbox) = self.boxes.remove(id) else {
            return Ok(());
        };
        if mailbox.opens {
            let inside = self.entries.iter();
            let inside = inside.filter(|(_, entry)| entry.mailbox == *id && !entry.is_access());
            let inside: Vec<u64> = inside.map(|(number, _)| *number).collect();
            inside.into_iter().for_each(|number| self.remove(number));
            mailbox.opens = false;
            mailbox.at = clinic.tick();
            return self.say(clinic, mailbox);
        }
        self.boxes.insert(*id, mailbox);
        Ok(())
    }

    /// Signs what a box says of us now, in place of what it said before.
    fn say(&mut self, clinic: &Clinic, mailbox: Mailbox) -> Result<(), ClinicError> {
        let access = Access {
            mailbox: mailbox.id(),
            node: clinic.node_id(),
            opens: mailbox.opens,
            first: mailbox.first,
            at: mailbox.at,
        };
        let access = access.issue(&mailbox.key).map_err(ClinicError::fault)?;
        self.forget_access(&mailbox.id());
        let entry = Entry {
            id: *access.item_id().as_bytes(),
            mailbox: mailbox.id(),
            source: Source::Access(access.to_bytes()),
        };
        self.add(entry)?;
        self.table.put_box(&mailbox);
        self.boxes.insert(mailbox.id(), mailbox);
        Ok(())
    }

    fn forget_access(&mut self, mailbox: &MailboxId) {
        if let Some(number) = self.accesses.remove(mailbox) {
            self.remove(number);
        }
    }

    /// The relay has an access of ours that we do not know: this store is older than it was. It
    /// stands, and what we want is said after it.
    pub(super) fn take_access(
        &mut self,
        clinic: &Clinic,
        access: &Verified<Access>,
    ) -> Result<(), ClinicError> {
        let said = access.payload();
        if self.has(&access.item_id()) {
            return Ok(());
        }
        clinic.observe(said.at);
        let Some(mut mailbox) = self.boxes.remove(&said.mailbox) else {
            // A box whose key is not here, or not yet: it stands as it is.
            self.forget_access(&said.mailbox);
            self.add(Entry {
                id: *access.item_id().as_bytes(),
                mailbox: said.mailbox,
                source: Source::Access(access.to_bytes()),
            })?;
            return Ok(());
        };
        if said.at > mailbox.at {
            mailbox.at = clinic.tick();
        }
        self.say(clinic, mailbox)
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

    /// The relay has no room for more.
    pub(super) fn is_full(&mut self, now_ms: u64) {
        self.full_until_ms = now_ms.saturating_add(WHILE_FULL_MS);
    }

    /// Whether nothing is put for now.
    pub(super) fn is_paused(&self, now_ms: u64) -> bool {
        now_ms < self.full_until_ms
    }

    pub(super) fn newest(&self) -> FeedNumber {
        FeedNumber::new(self.newest)
    }

    /// The digests of all that counts.
    pub(super) fn digests(&self, now_ms: u64, is_held: &dyn Fn(u64) -> bool) -> SharedDigests {
        let mut digests = self.digests;
        if self.is_paused(now_ms) {
            for (number, entry) in &self.entries {
                if entry.kind() == ItemKind::Record && !is_held(*number) {
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
        let is_full = self.is_paused(now_ms);
        let newer = self.entries.range(after.saturating_add(1)..);
        let owed = newer.filter(|(number, entry)| {
            !is_held(**number) && (entry.kind() == ItemKind::Statement || !is_full)
        });
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
        let items = unsent.filter_map(|(_, entry)| match &entry.source {
            Source::Item(id) => Some(ItemId::new(*id)),
            Source::Access(_)
            | Source::Certificate(_)
            | Source::Beacon(_)
            | Source::Receipt(_)
            | Source::Waiting(_)
            | Source::Refused => None,
        });
        items.collect()
    }

    /// All that counts, of a kind.
    pub(super) fn shared(
        &self,
        now_ms: u64,
        kind: ItemKind,
        is_held: &dyn Fn(u64) -> bool,
    ) -> Vec<FeedEntry> {
        let is_full = self.is_paused(now_ms) && kind == ItemKind::Record;
        let mine = self
            .entries
            .iter()
            .filter(|(number, entry)| entry.kind() == kind && (!is_full || is_held(**number)));
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

impl Entry {
    /// The item or certificate of our store that it holds.
    fn stored(&self) -> Option<([u8; 32], MailboxId)> {
        match &self.source {
            Source::Item(id) | Source::Certificate(id) => Some((*id, self.mailbox)),
            Source::Access(_)
            | Source::Beacon(_)
            | Source::Receipt(_)
            | Source::Waiting(_)
            | Source::Refused => None,
        }
    }

    fn is_access(&self) -> bool {
        matches!(self.source, Source::Access(_))
    }

    fn kind(&self) -> ItemKind {
        if self.is_access() {
            ItemKind::Statement
        } else {
            ItemKind::Record
        }
    }
}
