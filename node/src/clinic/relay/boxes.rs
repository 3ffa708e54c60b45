//! Accesses and mail in the store of a relay.
//!
//! ```text
//! MailFeed   number 8                  -> Filed
//! Mail       id 32                     -> number 8 | bytes
//! Mailboxes  mailbox 32 | number 8     -> empty: this mail lies in the box
//! Accesses   mailbox 32 | node 32      -> Door, what the box last said of the node
//! Meta       "mail feed"               -> the newest number
//! Meta       "mail of/" clinic 32      -> bytes that the clinic has put
//! ```

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_protocol::identity::{SignedError, Verified};
use chartmesh_protocol::mail::{Access, Mail, MailError};
use chartmesh_protocol::reconcile::ItemId;
use chartmesh_protocol::sync::{ItemKind, Refusal};
use chartmesh_protocol::{ClinicId, HybridTime, MailboxId, NodeId};
use minicbor::{Decode, Encode};

use crate::clinic::{Clinic, ClinicError, Delivery, items};
use crate::store::{Batch, Space, Store, View};

const FEED_KEY: &[u8] = b"mail feed";
pub(super) const USED: &[u8] = b"mail of/";

/// What stands at a number of the feed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct Filed {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) id: [u8; 32],
    #[n(1)]
    pub(super) mailbox: MailboxId,
    #[n(2)]
    pub(super) what: What,
}

/// An access or a mail.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) enum What {
    /// The access of a node.
    #[n(0)]
    Access(#[n(0)] NodeId),
    /// A mail of a clinic, and its size.
    #[n(1)]
    Mail(#[n(0)] ClinicId, #[n(1)] u64),
}

impl Filed {
    /// Whether it is of the size of a full piece of an attachment: all that a relay can know of
    /// what has time. A record of this size, to some hundred bytes, waits with the scans.
    pub(super) fn has_time(&self) -> bool {
        matches!(self.what, What::Mail(_, bytes) if is_piece(bytes))
    }
}

fn is_piece(bytes: u64) -> bool {
    u64::try_from(Mail::piece_bytes()) == Ok(bytes)
}

/// What a box last said of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(super) struct Door {
    /// The access's number in the feed.
    #[n(0)]
    pub(super) feed: u64,
    #[n(1)]
    pub(super) opens: bool,
    #[n(2)]
    pub(super) first: bool,
    #[n(3)]
    at: HybridTime,
}

/// A delivery whose signature holds.
enum Checked {
    Access(Verified<Access>),
    Mail(Mail),
}

impl Checked {
    fn of(delivery: &Delivery) -> Result<Self, Refusal> {
        match delivery.kind {
            ItemKind::Statement => match Verified::decode(&delivery.bytes) {
                Ok(access) => Ok(Self::Access(access)),
                Err(SignedError::Signature(_)) => Err(Refusal::BadSignature),
                Err(_) => Err(Refusal::Malformed),
            },
            ItemKind::Record => match Mail::decode(&delivery.bytes) {
                Ok(mail) => Ok(Self::Mail(mail)),
                Err(MailError::Signature(_)) => Err(Refusal::BadSignature),
                Err(_) => Err(Refusal::Malformed),
            },
        }
    }
}

/// What became of deliveries: those before a refused one are stored.
pub(super) struct Outcome {
    pub(super) stored: usize,
    pub(super) refused: Option<Refusal>,
    /// The numbers of the items that the peer holds, being their sender.
    pub(super) held: Vec<u64>,
}

/// Who sends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender {
    pub(super) node: NodeId,
    pub(super) clinic: ClinicId,
}

/// A commit in the making: the store as it is, and what this commit adds.
struct Filing<'v> {
    view: &'v View<'v>,
    batch: Batch,
    sender: Sender,
    next: u64,
    used: u64,
    /// The same of other clinics, whose mail this commit takes away.
    used_by_others: BTreeMap<ClinicId, u64>,
    quota: u64,
    doors: BTreeMap<(MailboxId, NodeId), Door>,
    mail: BTreeMap<[u8; 32], u64>,
    /// Accesses of this commit, by their numbers.
    accesses: BTreeMap<u64, [u8; 32]>,
}

impl Filing<'_> {
    fn take(&mut self, checked: Checked) -> Result<Result<Option<u64>, Refusal>, ClinicError> {
        match checked {
            Checked::Access(access) => self.take_access(&access),
            Checked::Mail(mail) => self.take_mail(&mail),
        }
    }

    /// An access that is older than the one here, or the same, changes nothing: the node is owed
    /// the newer one.
    fn take_access(
        &mut self,
        access: &Verified<Access>,
    ) -> Result<Result<Option<u64>, Refusal>, ClinicError> {
        let said = access.payload();
        if said.node != self.sender.node {
            return Ok(Err(Refusal::NotShared));
        }
        let key = (said.mailbox, said.node);
        let before = self.door(&key)?;
        if let Some(door) = &before {
            if door.at >= said.at {
                return Ok(Ok(None));
            }
            self.forget(door.feed)?;
        }
        let feed = self.number()?;
        let door = Door {
            feed,
            opens: said.opens,
            first: said.first,
            at: said.at,
        };
        let filed = Filed {
            id: *access.item_id().as_bytes(),
            mailbox: said.mailbox,
            what: What::Access(said.node),
        };
        self.put(feed, &filed, &access.to_bytes())?;
        self.accesses.insert(feed, filed.id);
        let door_bytes = items::encode(&door)?;
        self.batch
            .put(Space::Accesses, door_key(&key.0, &key.1), door_bytes);
        self.doors.insert(key, door);
        Ok(Ok(Some(feed)))
    }

    fn take_mail(&mut self, mail: &Mail) -> Result<Result<Option<u64>, Refusal>, ClinicError> {
        // Whoever has the box's key can open the door first: that is how it is known who puts.
        let door = self.door(&(mail.mailbox(), self.sender.node))?;
        if !door.is_some_and(|door| door.opens) {
            return Ok(Err(Refusal::NotShared));
        }
        let id = *mail.id().as_bytes();
        let stored = self.view.get(Space::Mail, &id)?;
        let known = stored.and_then(|bytes| items::number(bytes.get(..8)?));
        if let Some(feed) = known.or_else(|| self.mail.get(&id).copied()) {
            return Ok(Ok(Some(feed)));
        }
        let bytes = u64::try_from(mail.as_bytes().len()).unwrap_or(u64::MAX);
        let used = self.used.saturating_add(bytes);
        // Attachments leave a quarter of the room to records.
        let quota = match is_piece(bytes) {
            true => self.quota.saturating_sub(self.quota / 4),
            false => self.quota,
        };
        if used > quota {
            return Ok(Err(Refusal::QuotaUsed));
        }
        self.used = used;
        let feed = self.number()?;
        let filed = Filed {
            id,
            mailbox: mail.mailbox(),
            what: What::Mail(self.sender.clinic, bytes),
        };
        self.put(feed, &filed, mail.as_bytes())?;
        let place = mail_key(&mail.mailbox(), feed);
        self.batch.put(Space::Mailboxes, place, Vec::new());
        self.mail.insert(id, feed);
        Ok(Ok(Some(feed)))
    }

    fn put(&mut self, feed: u64, filed: &Filed, bytes: &[u8]) -> Result<(), ClinicError> {
        let value = [feed.to_be_bytes().as_slice(), bytes].concat();
        let number = feed.to_be_bytes().to_vec();
        self.batch.put(Space::Mail, filed.id.to_vec(), value).put(
            Space::MailFeed,
            number,
            items::encode(filed)?,
        );
        Ok(())
    }

    /// Takes what stands at a number away.
    fn forget(&mut self, feed: u64) -> Result<(), ClinicError> {
        let stored = self.filed(feed)?.map(|filed| filed.id);
        if let Some(id) = stored.or_else(|| self.accesses.remove(&feed)) {
            self.batch.delete(Space::Mail, id.to_vec());
        }
        self.batch
            .delete(Space::MailFeed, feed.to_be_bytes().to_vec());
        Ok(())
    }

    fn filed(&self, feed: u64) -> Result<Option<Filed>, ClinicError> {
        let filed = self.view.get(Space::MailFeed, &feed.to_be_bytes())?;
        let read = |bytes: Vec<u8>| minicbor::decode(&bytes).map_err(ClinicError::fault);
        filed.map(read).transpose()
    }

    fn door(&self, key: &(MailboxId, NodeId)) -> Result<Option<Door>, ClinicError> {
        if let Some(door) = self.doors.get(key) {
            return Ok(Some(*door));
        }
        let bytes = self.view.get(Space::Accesses, &door_key(&key.0, &key.1))?;
        Ok(bytes.and_then(|bytes| minicbor::decode(&bytes).ok()))
    }

    fn number(&mut self) -> Result<u64, ClinicError> {
        let full = || ClinicError::fault("the feed is full");
        self.next = self.next.checked_add(1).ok_or_else(full)?;
        Ok(self.next)
    }

    /// Empties the boxes from which nobody fetches any more.
    fn sweep(&mut self) -> Result<(), ClinicError> {
        let closed = self.doors.iter().filter(|(_, door)| !door.opens);
        let closed: BTreeSet<MailboxId> = closed.map(|((mailbox, _), _)| *mailbox).collect();
        for mailbox in closed {
            if self.is_open(&mailbox)? {
                continue;
            }
            for pair in self.view.scan_prefix(Space::Mailboxes, mailbox.as_bytes()) {
                let (key, _) = pair?;
                let feed = key.get(MailboxId::LEN..).and_then(items::number);
                if let Some(feed) = feed {
                    self.refund(feed)?;
                    self.forget(feed)?;
                }
                self.batch.delete(Space::Mailboxes, key);
            }
        }
        Ok(())
    }

    fn is_open(&self, mailbox: &MailboxId) -> Result<bool, ClinicError> {
        let now = self.doors.range((*mailbox, NodeId::new([0; 32]))..);
        let mut now = now.take_while(|((one, _), _)| one == mailbox);
        if now.any(|(_, door)| door.opens) {
            return Ok(true);
        }
        for pair in self.view.scan_prefix(Space::Accesses, mailbox.as_bytes()) {
            let (key, value) = pair?;
            let node = key.get(MailboxId::LEN..).unwrap_or_default();
            let node = NodeId::try_from(node).map_err(ClinicError::fault)?;
            let door: Door = minicbor::decode(&value).map_err(ClinicError::fault)?;
            if door.opens && !self.doors.contains_key(&(*mailbox, node)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives a clinic back the room that its mail took.
    fn refund(&mut self, feed: u64) -> Result<(), ClinicError> {
        if let Some(What::Mail(clinic, bytes)) = self.filed(feed)?.map(|filed| filed.what) {
            if clinic == self.sender.clinic {
                self.used = self.used.saturating_sub(bytes);
            } else {
                let used = match self.used_by_others.get(&clinic) {
                    Some(used) => *used,
                    None => number_at(self.view, &used_key(&clinic))?,
                };
                let used = used.saturating_sub(bytes);
                self.used_by_others.insert(clinic, used);
                let value = used.to_be_bytes().to_vec();
                self.batch.put(Space::Meta, used_key(&clinic), value);
            }
        }
        Ok(())
    }
}

impl Clinic {
    /// Files what a node has sent, in one commit.
    pub(super) fn file_mail(
        &self,
        sender: Sender,
        deliveries: &[Delivery],
    ) -> Result<Outcome, ClinicError> {
        let checked: Vec<_> = deliveries.iter().map(Checked::of).collect();
        let quota = self.config.relay.quota_bytes();
        let committed = self.store.commit_with(move |view| {
            let mut filing = Filing {
                view,
                batch: Batch::new(),
                sender,
                next: number_at(view, FEED_KEY)?,
                used: number_at(view, &used_key(&sender.clinic))?,
                used_by_others: BTreeMap::new(),
                quota,
                doors: BTreeMap::new(),
                mail: BTreeMap::new(),
                accesses: BTreeMap::new(),
            };
            let mut outcome = Outcome {
                stored: 0,
                refused: None,
                held: Vec::new(),
            };
            for one in checked {
                let taken = match one {
                    Ok(one) => filing.take(one)?,
                    Err(refusal) => Err(refusal),
                };
                match taken {
                    Ok(feed) => outcome.held.extend(feed),
                    Err(refusal) => {
                        outcome.refused = Some(refusal);
                        break;
                    }
                }
                outcome.stored += 1;
            }
            filing.sweep()?;
            let Filing {
                mut batch,
                next,
                used,
                ..
            } = filing;
            let used = used.to_be_bytes().to_vec();
            batch
                .put(Space::Meta, FEED_KEY.to_vec(), next.to_be_bytes().to_vec())
                .put(Space::Meta, used_key(&sender.clinic), used);
            Ok::<_, ClinicError>((batch, outcome))
        });
        let (_, outcome) = committed?;
        self.changed(&[], true);
        Ok(outcome)
    }
}

/// The newest number of the feed.
pub(super) fn newest(store: &Store) -> Result<u64, ClinicError> {
    let bytes = store.get(Space::Meta, FEED_KEY)?;
    Ok(bytes.and_then(|bytes| items::number(&bytes)).unwrap_or(0))
}

/// What the feed has after a number.
pub(super) fn filed_after(
    store: &Store,
    after: u64,
) -> impl Iterator<Item = Result<(u64, Filed), ClinicError>> {
    let first = after.saturating_add(1).to_be_bytes();
    let range = store.range(Space::MailFeed, first.as_slice()..);
    range.map(|pair| {
        let (key, value) = pair?;
        let feed = items::number(&key).ok_or_else(|| ClinicError::fault("a number is none"))?;
        let filed = minicbor::decode(&value).map_err(ClinicError::fault)?;
        Ok((feed, filed))
    })
}

/// What stands at a number of the feed.
pub(super) fn filed_at(store: &Store, feed: u64) -> Result<Option<Filed>, ClinicError> {
    let bytes = store.get(Space::MailFeed, &feed.to_be_bytes())?;
    Ok(bytes.and_then(|bytes| minicbor::decode(&bytes).ok()))
}

/// The numbers of the mail in a box, ascending.
pub(super) fn mail_in(
    store: &Store,
    mailbox: &MailboxId,
) -> impl Iterator<Item = Result<u64, ClinicError>> {
    let keys = store.keys(Space::Mailboxes, mailbox.as_bytes());
    keys.map(|key| {
        let key = key?;
        let feed = key.get(MailboxId::LEN..).and_then(items::number);
        feed.ok_or_else(|| ClinicError::fault("a number is none"))
    })
}

/// What a box last said of a node.
pub(super) fn door(
    store: &Store,
    mailbox: &MailboxId,
    node: &NodeId,
) -> Result<Option<Door>, ClinicError> {
    let bytes = store.get(Space::Accesses, &door_key(mailbox, node))?;
    Ok(bytes.and_then(|bytes| minicbor::decode(&bytes).ok()))
}

/// The doors of a node.
pub(super) fn doors_of(
    store: &Store,
    node: &NodeId,
) -> Result<BTreeMap<MailboxId, Door>, ClinicError> {
    let mut doors = BTreeMap::new();
    for pair in store.scan_prefix(Space::Accesses, &[]) {
        let (key, value) = pair?;
        let Some((mailbox, of)) = key.split_first_chunk::<{ MailboxId::LEN }>() else {
            continue;
        };
        if of == node.as_bytes() {
            let door = minicbor::decode(&value).map_err(ClinicError::fault)?;
            doors.insert(MailboxId::new(*mailbox), door);
        }
    }
    Ok(doors)
}

/// The bytes of an access or a mail.
pub(super) fn bytes(store: &Store, id: &ItemId) -> Result<Option<(u64, Vec<u8>)>, ClinicError> {
    let value = store.get(Space::Mail, id.as_bytes())?;
    Ok(value.and_then(|value| {
        let (feed, bytes) = value.split_at_checked(8)?;
        Some((items::number(feed)?, bytes.to_vec()))
    }))
}

fn number_at(view: &View<'_>, key: &[u8]) -> Result<u64, ClinicError> {
    let bytes = view.get(Space::Meta, key)?;
    Ok(bytes.and_then(|bytes| items::number(&bytes)).unwrap_or(0))
}

fn used_key(clinic: &ClinicId) -> Vec<u8> {
    [USED, clinic.as_bytes()].concat()
}

fn door_key(mailbox: &MailboxId, node: &NodeId) -> Vec<u8> {
    [mailbox.as_bytes().as_slice(), node.as_bytes()].concat()
}

fn mail_key(mailbox: &MailboxId, feed: u64) -> Vec<u8> {
    [mailbox.as_bytes().as_slice(), &feed.to_be_bytes()].concat()
}
