//! What one node fetches from a relay: its own accesses, and the mail in the boxes that they open.

use std::collections::BTreeMap;

use chartmesh_protocol::reconcile::{FeedNumber, ItemId, PairKey, SharedDigests};
use chartmesh_protocol::sync::{FeedEntry, ItemKind, Lane};
use chartmesh_protocol::{MailboxId, NodeId};

use super::boxes::{self, Door, Filed, What};
use crate::clinic::ClinicError;
use crate::store::Store;

/// What one node fetches, as of a number of the feed.
pub(super) struct BoxView {
    node: NodeId,
    key: PairKey,
    doors: BTreeMap<MailboxId, Door>,
    items: BTreeMap<u64, Shared>,
    digests: SharedDigests,
    upto: u64,
}

#[derive(Debug, Clone, Copy)]
struct Shared {
    id: ItemId,
    kind: ItemKind,
    mailbox: MailboxId,
    /// It is as long as a mail with a full piece of an attachment, and most likely one.
    has_time: bool,
}

impl BoxView {
    /// Works out what a node fetches.
    pub(super) fn open(store: &Store, node: NodeId, key: PairKey) -> Result<Self, ClinicError> {
        let mut view = Self {
            node,
            key,
            doors: boxes::doors_of(store, &node)?,
            items: BTreeMap::new(),
            digests: SharedDigests::default(),
            upto: boxes::newest(store)?,
        };
        for (mailbox, door) in view.doors.clone() {
            view.add_at(store, door.feed)?;
            if door.opens {
                view.add_mail_of(store, &mailbox)?;
            }
        }
        Ok(view)
    }

    /// Takes in what has come since.
    pub(super) fn refresh(&mut self, store: &Store) -> Result<(), ClinicError> {
        for filed in boxes::filed_after(store, self.upto) {
            let (feed, filed) = filed?;
            match filed.what {
                What::Access(node) if node == self.node => self.turn(store, feed, &filed)?,
                What::Mail(..) if self.is_open(&filed.mailbox) => self.add(feed, &filed),
                What::Access(_) | What::Mail(..) => {}
            }
            self.upto = self.upto.max(feed);
        }
        Ok(())
    }

    /// A door of this node was opened or closed.
    fn turn(&mut self, store: &Store, feed: u64, filed: &Filed) -> Result<(), ClinicError> {
        let mailbox = filed.mailbox;
        let now = boxes::door(store, &mailbox, &self.node)?;
        // One that was replaced meanwhile is followed by its successor.
        let Some(now) = now.filter(|door| door.feed == feed) else {
            return Ok(());
        };
        let before = self.doors.insert(mailbox, now);
        if let Some(before) = before {
            self.remove(before.feed);
        }
        self.add(feed, filed);
        match (before.is_some_and(|door| door.opens), now.opens) {
            (false, true) => self.add_mail_of(store, &mailbox)?,
            (true, false) => {
                let mine = self
                    .items
                    .iter()
                    .filter(|(_, one)| one.mailbox == mailbox && one.kind == ItemKind::Record);
                let mine: Vec<u64> = mine.map(|(feed, _)| *feed).collect();
                mine.into_iter().for_each(|feed| self.remove(feed));
            }
            (true, true) | (false, false) => {}
        }
        Ok(())
    }

    fn add_mail_of(&mut self, store: &Store, mailbox: &MailboxId) -> Result<(), ClinicError> {
        let mail: Vec<u64> = boxes::mail_in(store, mailbox).collect::<Result<_, _>>()?;
        mail.into_iter()
            .try_for_each(|feed| self.add_at(store, feed))
    }

    fn add_at(&mut self, store: &Store, feed: u64) -> Result<(), ClinicError> {
        if let Some(filed) = boxes::filed_at(store, feed)? {
            self.add(feed, &filed);
        }
        Ok(())
    }

    fn add(&mut self, feed: u64, filed: &Filed) {
        let shared = Shared {
            id: ItemId::new(filed.id),
            kind: match filed.what {
                What::Access(_) => ItemKind::Statement,
                What::Mail(..) => ItemKind::Record,
            },
            mailbox: filed.mailbox,
            has_time: filed.has_time(),
        };
        if self.items.insert(feed, shared).is_none() {
            let key = self.key.clone();
            self.digest_of(shared.kind).add(&key, &shared.id);
        }
    }

    fn remove(&mut self, feed: u64) {
        if let Some(shared) = self.items.remove(&feed) {
            let key = self.key.clone();
            self.digest_of(shared.kind).remove(&key, &shared.id);
        }
    }

    fn digest_of(&mut self, kind: ItemKind) -> &mut chartmesh_protocol::reconcile::Digest {
        match kind {
            ItemKind::Statement => &mut self.digests.statements,
            ItemKind::Record => &mut self.digests.records,
        }
    }

    fn is_open(&self, mailbox: &MailboxId) -> bool {
        self.doors.get(mailbox).is_some_and(|door| door.opens)
    }

    pub(super) fn digests(&self) -> SharedDigests {
        self.digests
    }

    pub(super) fn newest(&self) -> FeedNumber {
        FeedNumber::new(self.upto)
    }

    /// Everything above a number, and everything in boxes that were opened above it.
    pub(super) fn owed(&self, after: u64, is_held: &dyn Fn(u64) -> bool) -> Vec<FeedEntry> {
        let owed = self.items.iter().filter(|(feed, shared)| {
            let opened = self.doors.get(&shared.mailbox).map_or(0, |door| door.feed);
            (**feed > after || opened > after) && !is_held(**feed)
        });
        owed.map(|(feed, shared)| self.entry(*feed, shared))
            .collect()
    }

    pub(super) fn shared(&self, kind: ItemKind) -> Vec<FeedEntry> {
        let mine = self.items.iter().filter(|(_, shared)| shared.kind == kind);
        mine.map(|(feed, shared)| self.entry(*feed, shared))
            .collect()
    }

    pub(super) fn has(&self, feed: u64) -> bool {
        self.items.contains_key(&feed)
    }

    fn entry(&self, feed: u64, shared: &Shared) -> FeedEntry {
        let first = self
            .doors
            .get(&shared.mailbox)
            .is_some_and(|door| door.first);
        FeedEntry {
            feed: FeedNumber::new(feed),
            id: shared.id,
            kind: shared.kind,
            lane: match (shared.kind, first) {
                (ItemKind::Statement, _) => Lane::Urgent,
                (ItemKind::Record, _) if shared.has_time => Lane::Attachment,
                (ItemKind::Record, true) => Lane::Summary,
                (ItemKind::Record, false) => Lane::Recent,
            },
        }
    }
}
