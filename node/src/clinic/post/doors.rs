//! From which boxes this node fetches, and saying so to the relay.

use chartmesh_protocol::MailboxId;
use chartmesh_protocol::identity::Verified;
use chartmesh_protocol::mail::{Access, MailboxKey};

use super::log::Post;
use super::mailbox::{Mailbox, Use};
use super::table::{Entry, Source};
use crate::clinic::{Clinic, ClinicError};

impl Post {
    /// Fetches from a box from now on. Returns whether that is new.
    pub(super) fn open_box(
        &mut self,
        clinic: &Clinic,
        key: MailboxKey,
        usage: Use,
        first: bool,
    ) -> Result<bool, ClinicError> {
        let id = key.id();
        match self.boxes.get(&id) {
            Some(known) if known.opens => return Ok(false),
            Some(_) => {}
            // What came while its key was not here is fetched again.
            None if self.has_access(&id) => self.forget_inside(&id),
            None => {}
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
            self.forget_inside(id);
            mailbox.opens = false;
            mailbox.at = clinic.tick();
            return self.say(clinic, mailbox);
        }
        self.boxes.insert(*id, mailbox);
        Ok(())
    }

    /// Whether something was said of us in a box.
    pub(super) fn has_access(&self, id: &MailboxId) -> bool {
        self.accesses.contains_key(id)
    }

    fn forget_inside(&mut self, id: &MailboxId) {
        let inside = self.entries.iter();
        let inside = inside.filter(|(_, entry)| entry.mailbox == *id && !entry.is_access());
        let inside: Vec<u64> = inside.map(|(number, _)| *number).collect();
        inside.into_iter().for_each(|number| self.remove(number));
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
        if let Use::Attachment(name, _) = mailbox.usage {
            self.parcel_boxes.insert(name, mailbox.id());
        }
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
}
