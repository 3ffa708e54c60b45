//! Giving attachments to those who ask for them through a relay.
//!
//! A request decides nothing: what is given follows from the ledgers, as over a link. It says what
//! is of use at all, and for how long.

use std::collections::BTreeMap;

use chartmesh_protocol::attachment::AttachmentName;
use chartmesh_protocol::identity::Verified;
use chartmesh_protocol::mail::{Request, WantedAttachment};
use chartmesh_protocol::{ClinicId, MailboxId, NodeId};

use super::keys::Keys;
use super::log::Post;
use super::mailbox::Use;
use super::parcels::Parcels;
use super::rights::Rights;
use super::table::{Source, Table};
use crate::clinic::{Clinic, ClinicError, items};
use crate::store::{Space, Store};

/// Pieces that lie at a relay for one node at a time, about: 36 MB of mail. A clinic that wants all
/// of an archive gets it in such parts, as it fetches, so that a relay's room (2 GiB for a clinic,
/// unless its operator says otherwise) and the list of what lies there stay small. A longer
/// attachment goes alone.
const MOST_PIECES: u32 = 2_048;

const REQUEST: u8 = b'q';

/// The newest request of each node in each box.
pub(super) type Requests = BTreeMap<(MailboxId, NodeId), Request>;

impl Post {
    /// Takes in a request of a node of the clinic with which we share a box, or of our own clinic.
    pub(super) fn take_request(
        &mut self,
        clinic: &Clinic,
        mailbox: &MailboxId,
        bytes: Vec<u8>,
    ) -> Result<Source, ClinicError> {
        let Ok(request) = Verified::<Request>::decode(&bytes) else {
            return Ok(Source::Refused);
        };
        let request = request.into_payload();
        let is_theirs = self.is_of_pair(clinic, mailbox, &request.asker);
        if request.relay != self.relay.node || !is_theirs {
            return Ok(Source::Refused);
        }
        clinic.attachments_held(&request.asker, &request.held)?;
        let key = (*mailbox, request.asker);
        let is_newer = |known: &Request| known.at < request.at;
        if self.requests.get(&key).is_none_or(is_newer) {
            if request.asker == clinic.node_id() {
                // This store is older than it was: what we want is said after it.
                clinic.observe(request.at);
                self.table.put_asked(mailbox, &request.wanted)?;
            } else {
                // Of what is not here, either: it is not said to be who could bring it.
                let wanted = request.wanted.iter().map(|one| one.name);
                let lacking: Vec<AttachmentName> =
                    wanted.filter(|name| !clinic.has_file(name)).collect();
                clinic.are_lacking(&request.asker, &lacking)?;
            }
            self.table.put_request(mailbox, &request)?;
            self.requests.insert(key, request);
            self.parcels_due = true;
        }
        Ok(Source::Request(bytes))
    }

    /// What others ask for and may have, and something of which is here.
    pub(super) fn asked_of_us(
        &self,
        clinic: &Clinic,
        rights: &mut Rights<'_>,
        keys: &mut Keys,
    ) -> Result<Parcels, ClinicError> {
        let mut all = Parcels::new();
        for ((mailbox, node), request) in &self.requests {
            let Some(asker) = self.asker(clinic, mailbox, node) else {
                continue;
            };
            let is_open = |one: &&WantedAttachment| {
                let id = self.parcel_boxes.get(&one.name);
                let known = id.and_then(|id| self.boxes.get(id));
                known.is_some_and(|known| known.opens)
            };
            // What lies there already goes on lying there until it is fetched.
            let mut wanted: Vec<&WantedAttachment> = request.wanted.iter().collect();
            wanted.sort_by_key(|one| !is_open(one));
            let mut room = MOST_PIECES;
            for one in wanted {
                let Some(shape) = one.shape() else { continue };
                let fits = shape.pieces() <= room || room == MOST_PIECES;
                if fits
                    && rights.may_fetch(&one.name.place, &asker)?
                    && self.has_something(clinic, one)?
                    && let Some(id) = keys.box_of(self, clinic, &one.name)?
                {
                    room = room.saturating_sub(shape.pieces());
                    all.insert(id, *one);
                }
            }
        }
        Ok(all)
    }

    /// Whether somebody who may have an attachment asks for it.
    pub(super) fn is_asked_of_us(
        &self,
        clinic: &Clinic,
        rights: &mut Rights<'_>,
        name: &AttachmentName,
    ) -> Result<bool, ClinicError> {
        for ((mailbox, node), request) in &self.requests {
            if request.wanted.iter().any(|one| one.name == *name)
                && let Some(asker) = self.asker(clinic, mailbox, node)
                && rights.may_fetch(&name.place, &asker)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The clinic of a node that asks in the box of a pair: the other one of the two, or our own.
    fn asker(&self, clinic: &Clinic, mailbox: &MailboxId, node: &NodeId) -> Option<ClinicId> {
        let usage = self.boxes.get(mailbox).map(|one| one.usage)?;
        let (Use::Pair(other) | Use::FormerPair(other)) = usage else {
            return None;
        };
        if *node == clinic.node_id() {
            return None;
        }
        let belongs = |of: &ClinicId| {
            let certificates = clinic.certificates_read();
            certificates.book().belongs(node, of)
        };
        let mut parties = [other, clinic.clinic_id()].into_iter();
        parties.find(|of| belongs(of) && !clinic.is_cut_off(of, node))
    }
}

impl Table {
    /// The newest request of each node.
    pub(super) fn requests(&self, store: &Store) -> Result<Requests, ClinicError> {
        let prefix = self.key(REQUEST, &[]);
        let mut requests = Requests::new();
        for pair in store.scan_prefix(Space::Post, &prefix) {
            let (key, value) = pair?;
            let rest = key.get(prefix.len()..);
            let ids = rest.and_then(|rest| rest.split_first_chunk::<{ MailboxId::LEN }>());
            if let (Some((mailbox, node)), Ok(request)) = (ids, minicbor::decode(&value))
                && let Ok(node) = NodeId::try_from(node)
            {
                requests.insert((MailboxId::new(*mailbox), node), request);
            }
        }
        Ok(requests)
    }

    fn put_request(&mut self, mailbox: &MailboxId, request: &Request) -> Result<(), ClinicError> {
        let rest = [mailbox.as_bytes().as_slice(), request.asker.as_bytes()].concat();
        self.put(self.key(REQUEST, &rest), items::encode(request)?);
        Ok(())
    }
}
