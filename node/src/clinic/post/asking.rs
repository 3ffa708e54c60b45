//! Asking for attachments through a relay.
//!
//! What is wanted is asked of every clinic that may have it and may give it to us through this
//! relay: which of them has it is not known. A request is put only when it says something else
//! than the one before, so that clinics which want nothing new have nothing to put.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_protocol::MailboxId;
use chartmesh_protocol::attachment::AttachmentName;
use chartmesh_protocol::mail::{Content, Request, WantedAttachment};

use super::keys::Keys;
use super::log::Post;
use super::parcels::Parcels;
use super::rights::Rights;
use super::table::{Source, Table};
use crate::clinic::attachments::lock;
use crate::clinic::{Clinic, ClinicError, items};
use crate::store::{Space, Store};

const ASKED: u8 = b'a';

impl Post {
    /// Puts requests where what is wanted has changed. Returns what is asked for.
    pub(super) fn ask(
        &mut self,
        clinic: &Clinic,
        rights: &mut Rights<'_>,
        keys: &mut Keys,
    ) -> Result<Parcels, ClinicError> {
        let before = self.table.asked(&clinic.store)?;
        let known: BTreeSet<AttachmentName> =
            before.values().flatten().map(|one| one.name).collect();
        let pairs = self.pairs();
        // Who is not asked any more is told so.
        let mut now: BTreeMap<MailboxId, Vec<WantedAttachment>> =
            before.keys().map(|id| (*id, Vec::new())).collect();
        let mut asked = Parcels::new();
        for (one, is_on_its_way) in clinic.wanted_attachments() {
            let has_room = |(id, _): &_| now.get(id).is_none_or(|all| all.len() < Request::MOST);
            if !pairs.iter().any(has_room) {
                break;
            }
            if !rights.is_carried(&one.name.place)? {
                continue;
            }
            if is_on_its_way && !known.contains(&one.name) {
                // A direct link brings it. Should it not, it is asked for the next time.
                self.parcels_due = true;
                continue;
            }
            let Some(id) = keys.box_of(self, clinic, &one.name)? else {
                continue;
            };
            for (mailbox, other) in &pairs {
                let all = now.entry(*mailbox).or_default();
                if all.len() < Request::MOST && rights.may_fetch(&one.name.place, other)? {
                    all.push(one);
                    asked.insert(id, one);
                }
            }
        }
        for (mailbox, wanted) in now {
            let before = before.get(&mailbox).map_or(&[][..], Vec::as_slice);
            if before != wanted {
                let held = come(clinic, before, &wanted)?;
                self.put_request(clinic, &mailbox, wanted, held)?;
            }
        }
        Ok(asked)
    }

    /// Puts a request into a box, behind the certificate that it needs.
    fn put_request(
        &mut self,
        clinic: &Clinic,
        mailbox: &MailboxId,
        wanted: Vec<WantedAttachment>,
        held: Vec<AttachmentName>,
    ) -> Result<(), ClinicError> {
        self.put_certificate(clinic, mailbox, &clinic.identity.certificate().hash())?;
        self.table.put_asked(mailbox, &wanted)?;
        let request = Request {
            relay: self.relay.node,
            asker: clinic.node_id(),
            at: clinic.tick(),
            wanted,
            held,
        };
        let request = request.issue(&clinic.identity.node);
        let bytes = request.map_err(ClinicError::fault)?.to_bytes();
        let source = Source::Request(bytes.clone());
        self.put(mailbox, Content::Request(&bytes), source)
    }
}

/// What was wanted, is not any more, and is here whole.
fn come(
    clinic: &Clinic,
    before: &[WantedAttachment],
    wanted: &[WantedAttachment],
) -> Result<Vec<AttachmentName>, ClinicError> {
    let mut come = Vec::new();
    for one in before {
        if let Some(shape) = one.shape()
            && wanted.iter().all(|other| other.name != one.name)
            && lock(&*clinic.blob(&one.name, shape)?).is_whole()
        {
            come.push(one.name);
        }
    }
    Ok(come)
}

impl Clinic {
    /// What is wanted of attachments, the most wanted first: what a person asked for, then what is
    /// short; and whether a session waits for pieces of it.
    fn wanted_attachments(&self) -> Vec<(WantedAttachment, bool)> {
        let wants = self.wants();
        // Nodes of one clinic do not ask each other through a relay.
        let all = wants.all().filter(|(_, want)| !want.is_of_own_nodes());
        let all = all.filter_map(|(name, want)| {
            let (name, length) = (*name, want.shape()?.length());
            let one = WantedAttachment { name, length };
            Some((!want.requested, one, wants.is_asked(&name)))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|(by_itself, one, _)| (*by_itself, one.length, one.name));
        all.into_iter()
            .map(|(_, one, asked)| (one, asked))
            .collect()
    }
}

impl Table {
    /// What our newest request in each box asks for.
    fn asked(
        &self,
        store: &Store,
    ) -> Result<BTreeMap<MailboxId, Vec<WantedAttachment>>, ClinicError> {
        let prefix = self.key(ASKED, &[]);
        let mut asked = BTreeMap::new();
        for pair in store.scan_prefix(Space::Post, &prefix) {
            let (key, value) = pair?;
            let mailbox = key.get(prefix.len()..).and_then(<[u8]>::first_chunk);
            if let (Some(mailbox), Ok(wanted)) = (mailbox, minicbor::decode(&value)) {
                asked.insert(MailboxId::new(*mailbox), wanted);
            }
        }
        Ok(asked)
    }

    pub(super) fn put_asked(
        &mut self,
        mailbox: &MailboxId,
        wanted: &Vec<WantedAttachment>,
    ) -> Result<(), ClinicError> {
        let key = self.key(ASKED, mailbox.as_bytes());
        match wanted.is_empty() {
            true => self.delete(key),
            false => self.put(key, items::encode(wanted)?),
        }
        Ok(())
    }
}
