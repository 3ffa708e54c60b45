//! What of a chart is put at a relay, and which boxes are fetched from.
//!
//! Only charts with a grant to the relay are looked at. Their statements go into the boxes of the
//! pairs that share them, and the records of each compartment that the grant covers into the box
//! of their epoch, if this clinic may read them itself. Once the relay may carry a chart no more,
//! only what ends grants is put.

use std::collections::BTreeSet;

use chartmesh_protocol::identity::NodeRole;
use chartmesh_protocol::ledger::{CompartmentName, Decision, Ledger};
use chartmesh_protocol::mail::{Content, MailboxKey};
use chartmesh_protocol::reconcile::{FeedNumber, ItemId};
use chartmesh_protocol::sync::ItemKind;
use chartmesh_protocol::{CertificateHash, ChartId, ClinicId, MailboxId};

use super::log::Post;
use super::mailbox::Use;
use super::table::Source;
use crate::clinic::records::{Listed, of_compartment};
use crate::clinic::share::{next_turn, parties, tags};
use crate::clinic::{Clinic, ClinicError, items};

impl Post {
    /// Takes in what the store has accepted since the last time.
    pub(super) fn refresh(&mut self, clinic: &Clinic) -> Result<(), ClinicError> {
        let newest = items::newest(&clinic.store)?;
        if newest.value() > self.upto {
            for chart in items::charts_since(&clinic.store, FeedNumber::new(self.upto))? {
                if parties::names(&clinic.store, &self.relay.clinic, &chart)? {
                    self.take_chart(clinic, &chart)?;
                }
            }
            self.upto = newest.value();
            self.table.put_upto(self.upto);
        }
        while let Some((at, chart)) = self.turns.first().copied()
            && at <= clinic.time_ms()
        {
            self.turns.remove(&(at, chart));
            self.table.delete_turn(at, &chart);
            self.take_chart(clinic, &chart)?;
        }
        self.table.write(&clinic.store)
    }

    /// Fetches from the box that we have with each clinic that we know.
    pub(super) fn open_pairs(&mut self, clinic: &Clinic) -> Result<(), ClinicError> {
        let mut is_new = false;
        for card in clinic.cards()? {
            let (other, role) = (card.clinic(), card.certificate().payload().role);
            if role == NodeRole::Clinic && other != clinic.clinic_id() {
                is_new |= self.open_pair(clinic, other)?;
            }
        }
        if is_new {
            for chart in parties::charts_of(&clinic.store, &self.relay.clinic)? {
                self.take_chart(clinic, &chart)?;
            }
        }
        self.table.write(&clinic.store)
    }

    /// Fetches from the box under the present sealing keys of both clinics. Returns whether it is
    /// new.
    fn open_pair(&mut self, clinic: &Clinic, other: ClinicId) -> Result<bool, ClinicError> {
        let own = clinic.identity.sealing.find(&clinic.own_sealing());
        let (Some(own), Some(theirs)) = (own, clinic.sealing_key_of(&other)?) else {
            return Ok(false);
        };
        // A key that is good for nothing gets no box.
        let Ok(secret) = own.agree(&theirs) else {
            return Ok(false);
        };
        let (key, usage) = (MailboxKey::of_pair(&secret), Use::Pair(other));
        let id = key.id();
        let former = self.boxes.values_mut();
        for one in former.filter(|one| one.usage == usage && one.key.id() != id) {
            one.usage = Use::FormerPair(other);
            self.table.put_box(one);
        }
        self.open_box(clinic, key, usage, true)
    }

    fn take_chart(&mut self, clinic: &Clinic, chart: &ChartId) -> Result<(), ClinicError> {
        let ledger = clinic.ledger(chart)?;
        let decision = clinic.decide(&ledger);
        if let Some(at) = next_turn(&ledger, clinic.time_ms())
            && self.turns.insert((at, *chart))
        {
            self.table.put_turn(at, chart);
        }
        self.close_parcels(clinic, &ledger, &decision)?;
        let mut fetched = BTreeSet::new();
        if decision.may_relay_any(&self.relay.clinic) {
            self.put_statements(clinic, &ledger, &decision)?;
            fetched = self.put_records(clinic, &ledger, &decision)?;
        } else {
            self.put_ends(clinic, &decision)?;
        }
        let mine = self.boxes.values();
        let mine = mine.filter(|one| one.opens && one.usage == Use::Epoch(*chart));
        let gone: Vec<MailboxId> = mine.map(|one| one.id()).collect();
        for id in gone.iter().filter(|id| !fetched.contains(*id)) {
            self.close_box(clinic, id)?;
        }
        self.table.write_some(&clinic.store)
    }

    fn put_statements(
        &mut self,
        clinic: &Clinic,
        ledger: &Ledger,
        decision: &Decision,
    ) -> Result<(), ClinicError> {
        let (own, chart) = (clinic.clinic_id(), ledger.chart());
        for (mailbox, other) in self.pairs() {
            if !parties::names(&clinic.store, &other, &chart)? {
                continue;
            }
            for (id, _) in ledger.iter() {
                if decision.shared(&other, &own, &id) {
                    self.put_item(clinic, &mailbox, &ItemId::from(id))?;
                }
            }
        }
        Ok(())
    }

    /// The boxes of pairs, with the other clinic.
    pub(super) fn pairs(&self) -> Vec<(MailboxId, ClinicId)> {
        let open = self.boxes.values().filter(|one| one.opens);
        let pairs = open.filter_map(|one| match one.usage {
            Use::Pair(other) => Some((one.id(), other)),
            Use::FormerPair(_) | Use::Epoch(_) | Use::Attachment(..) => None,
        });
        pairs.collect()
    }

    /// Returns the boxes to fetch from.
    fn put_records(
        &mut self,
        clinic: &Clinic,
        ledger: &Ledger,
        decision: &Decision,
    ) -> Result<BTreeSet<MailboxId>, ClinicError> {
        let (own, chart) = (clinic.clinic_id(), ledger.chart());
        let records = clinic.records(&chart)?;
        let mut fetched = BTreeSet::new();
        for (tag, name) in tags(clinic, ledger) {
            if !decision.may_relay(&self.relay.clinic, &name) || !decision.may_read(&own, &name) {
                continue;
            }
            let first = name == CompartmentName::Summary;
            let mine = of_compartment(&records, &tag);
            let keys = clinic.keys_of(ledger, &name);
            for epoch in keys.epochs() {
                let Some(key) = keys.get(&epoch) else {
                    continue;
                };
                let key = MailboxKey::of_epoch(&chart, &tag, key);
                let mailbox = key.id();
                self.open_box(clinic, key, Use::Epoch(chart), first)?;
                fetched.insert(mailbox);
                let sealed = |one: &&Listed| one.header.epoch == epoch;
                for record in mine.iter().filter(sealed) {
                    self.put_item(clinic, &mailbox, &ItemId::from(record.id))?;
                }
            }
        }
        Ok(fetched)
    }

    /// Puts an item of our store into a box, behind the certificates that it needs.
    pub(super) fn put_item(
        &mut self,
        clinic: &Clinic,
        mailbox: &MailboxId,
        id: &ItemId,
    ) -> Result<(), ClinicError> {
        if self.has_inside(mailbox, id.as_bytes()) {
            return Ok(());
        }
        let Some(stored) = items::stored(&clinic.store, id)? else {
            return Ok(());
        };
        for hash in clinic.certificates_for(&stored) {
            self.put_certificate(clinic, mailbox, &hash)?;
        }
        let content = match stored.kind {
            ItemKind::Statement => Content::Statement(&stored.bytes),
            ItemKind::Record => Content::Record(&stored.bytes),
        };
        self.put(mailbox, content, Source::Item(*id.as_bytes()))
    }

    /// Puts a certificate into a box, if it does not lie there.
    pub(super) fn put_certificate(
        &mut self,
        clinic: &Clinic,
        mailbox: &MailboxId,
        hash: &CertificateHash,
    ) -> Result<(), ClinicError> {
        if !self.has_inside(mailbox, hash.as_bytes())
            && let Some(bytes) = clinic.certificate(hash)
        {
            let source = Source::Certificate(hash.to_bytes());
            self.put(mailbox, Content::Certificate(&bytes), source)?;
        }
        Ok(())
    }
}
