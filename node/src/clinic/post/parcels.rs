//! Attachments through a relay: their boxes, opened and closed as somebody wants them.
//!
//! ```text
//! asker   opens the attachment's box, and puts a request into the box of the pair
//! giver   finds the request, opens the attachment's box, and puts the pieces there
//! asker   fetches the pieces; once it has all of them it closes the box, and asks for less
//! giver   finds that nobody asks any more, and closes the box
//! relay   forgets what is in a box from which nobody fetches
//! ```
//!
//! `asking` and `giving` are the two sides, `pieces` is what lies in the boxes. All of it is worked
//! out from what is wanted, from the newest request of each node, and from the ledgers as they are
//! now: nothing follows from the order in which mail came.

use std::collections::BTreeMap;

use chartmesh_protocol::MailboxId;
use chartmesh_protocol::ledger::{Decision, Ledger};
use chartmesh_protocol::mail::WantedAttachment;

use super::keys::Keys;
use super::log::Post;
use super::mailbox::Use;
use super::rights::Rights;
use crate::clinic::{Clinic, ClinicError};

/// Attachments by their boxes.
pub(super) type Parcels = BTreeMap<MailboxId, WantedAttachment>;

impl Post {
    /// Asks for what is wanted, and gives what others ask for; where nothing has changed that
    /// bears on it, only if `always`.
    pub(super) fn exchange_parcels(
        &mut self,
        clinic: &Clinic,
        always: bool,
    ) -> Result<(), ClinicError> {
        let changes = clinic.wants().changes();
        let is_due = always || self.parcels_due || self.wants_seen != Some(changes);
        if !is_due || self.is_paused(clinic.now_ms()) {
            return Ok(());
        }
        (self.parcels_due, self.wants_seen) = (false, Some(changes));
        let mut rights = Rights::of(clinic, self.relay);
        let mut keys = Keys::default();
        let asked = self.ask(clinic, &mut rights, &mut keys)?;
        let given = self.asked_of_us(clinic, &mut rights, &mut keys)?;
        let open = self.parcels();
        for id in open.keys() {
            if !asked.contains_key(id) && !given.contains_key(id) {
                self.close_box(clinic, id)?;
            }
        }
        for one in asked.values().chain(given.values()) {
            let usage = Use::Attachment(one.name, one.length);
            if let Some(key) = keys.key(self, &one.name) {
                self.open_box(clinic, key, usage, false)?;
            }
        }
        for (id, one) in &given {
            self.put_pieces(clinic, id, one)?;
        }
        self.table.write(&clinic.store)
    }

    /// A chart's ledger has changed: closes the boxes of attachments that may not be fetched any
    /// more, by us or by those who asked. What becomes possible waits for its turn.
    pub(super) fn close_parcels(
        &mut self,
        clinic: &Clinic,
        ledger: &Ledger,
        decision: &Decision,
    ) -> Result<(), ClinicError> {
        self.parcels_due = true;
        let mut mine = self.parcels();
        mine.retain(|_, one| one.name.place.chart == ledger.chart());
        if mine.is_empty() {
            return Ok(());
        }
        let mut rights = Rights::of(clinic, self.relay);
        rights.know(ledger, decision);
        for (id, one) in mine {
            let wanted = clinic.wants().get(&one.name).is_some();
            let stays = match wanted {
                true => rights.is_carried(&one.name.place)?,
                false => self.is_asked_of_us(clinic, &mut rights, &one.name)?,
            };
            if !stays {
                self.close_box(clinic, &id)?;
            }
        }
        Ok(())
    }

    /// The attachments whose boxes are open.
    pub(super) fn parcels(&self) -> Parcels {
        let open = self.boxes.values().filter(|one| one.opens);
        let parcels = open.filter_map(|one| match one.usage {
            Use::Attachment(name, length) => Some((one.id(), WantedAttachment { name, length })),
            Use::Pair(_) | Use::FormerPair(_) | Use::Epoch(_) => None,
        });
        parcels.collect()
    }
}
