//! Beacons: telling others how far our records at a relay go, and hearing it of theirs.
//!
//! A relay cannot read what it holds, but it can keep it back. Whoever has put records there says
//! so in the box that it has with each reader; one that is told of a record and is not given it
//! knows that the relay withholds.

use std::collections::BTreeMap;

use chartmesh_protocol::identity::Verified;
use chartmesh_protocol::ledger::openable;
use chartmesh_protocol::mail::{Beacon, Content, Reach};
use chartmesh_protocol::reconcile::FeedNumber;
use chartmesh_protocol::{ChartId, ClinicId, MailboxId, NodeId};

use super::log::Post;
use super::table::Source;
use crate::clinic::records::of_compartment;
use crate::clinic::share::{parties, tags};
use crate::clinic::{Clinic, ClinicError, items};

impl Post {
    /// The relay holds all that we put: says so to the readers of what is new.
    pub(super) fn light(&mut self, clinic: &Clinic) -> Result<(), ClinicError> {
        let newest = items::newest(&clinic.store)?;
        let after = FeedNumber::new(self.table.lit(&clinic.store)?);
        if newest <= after {
            return Ok(());
        }
        let mut reaches: BTreeMap<MailboxId, Vec<Reach>> = BTreeMap::new();
        for chart in items::charts_since(&clinic.store, after)? {
            if parties::names(&clinic.store, &self.relay.clinic, &chart)? {
                for (mailbox, reach) in self.reaches_in(clinic, &chart, after)? {
                    reaches.entry(mailbox).or_default().push(reach);
                }
            }
        }
        for (mailbox, mut reaches) in reaches {
            reaches.sort_unstable();
            for part in reaches.chunks(Beacon::MOST) {
                let beacon = Beacon {
                    relay: self.relay.node,
                    author: clinic.node_id(),
                    at: clinic.tick(),
                    reaches: part.to_vec(),
                };
                let beacon = beacon.issue(&clinic.identity.node);
                let bytes = beacon.map_err(ClinicError::fault)?.to_bytes();
                self.put(
                    &mailbox,
                    Content::Beacon(&bytes),
                    Source::Beacon(bytes.clone()),
                )?;
            }
        }
        self.table.put_lit(newest.value());
        self.table.write(&clinic.store)
    }

    /// How far our records of a chart go, in the compartments in which something is new, with the
    /// box of each clinic that may fetch them.
    fn reaches_in(
        &self,
        clinic: &Clinic,
        chart: &ChartId,
        after: FeedNumber,
    ) -> Result<Vec<(MailboxId, Reach)>, ClinicError> {
        let ledger = clinic.ledger(chart)?;
        let decision = clinic.decide(&ledger);
        let (node, incarnation) = (clinic.node_id(), clinic.author_incarnation());
        let records = clinic.records(chart)?;
        let mut reaches = Vec::new();
        for (tag, name) in tags(clinic, &ledger) {
            if !decision.may_relay(&self.relay.clinic, &name) {
                continue;
            }
            let mut mine = of_compartment(&records, &tag);
            mine.retain(|one| {
                let header = &one.header;
                (header.author, header.incarnation) == (node, incarnation)
                    // What was not put before our own right ended is not to be looked for.
                    && self.lies_there(one.id.as_bytes())
            });
            for (mailbox, other) in self.pairs() {
                if !decision.may_read(&other, &name) {
                    continue;
                }
                let opens = openable(&ledger, &name, &other);
                let theirs = mine.iter().filter(|one| opens.contains(&one.header.epoch));
                let newest = theirs.max_by_key(|one| one.header.sequence);
                let newest = newest.filter(|one| one.feed > after.value());
                let reach = newest.map(|one| Reach {
                    chart: *chart,
                    compartment: tag,
                    incarnation,
                    sequence: one.header.sequence,
                    link: one.id.link(),
                });
                reaches.extend(reach.map(|reach| (mailbox, reach)));
            }
        }
        Ok(reaches)
    }

    /// Whether what a beacon tells of is to lie at the relay. When an author's right ends, or that
    /// of the relay, the author fetches from its boxes no more; and a relay forgets mail in a box
    /// from which nobody fetches.
    fn is_carried(
        &self,
        clinic: &Clinic,
        author: &NodeId,
        reach: &Reach,
    ) -> Result<bool, ClinicError> {
        let ledger = clinic.ledger(&reach.chart)?;
        let decision = clinic.decide(&ledger);
        let names = tags(clinic, &ledger);
        let Some(name) = names.get(&reach.compartment) else {
            return Ok(true);
        };
        let certificates = clinic.certificates_read();
        let may_read =
            |of: &ClinicId| certificates.book().belongs(author, of) && decision.may_read(of, name);
        let grantees = ledger.grants().map(|(_, grant)| grant.grantee);
        let mut parties = grantees.chain(decision.custodian());
        Ok(decision.may_relay(&self.relay.clinic, name) && parties.any(|of| may_read(&of)))
    }

    /// Takes in a beacon of the clinic with which we share a box.
    pub(super) fn take_beacon(
        &mut self,
        clinic: &Clinic,
        mailbox: &MailboxId,
        bytes: Vec<u8>,
    ) -> Result<Source, ClinicError> {
        let Ok(beacon) = Verified::<Beacon>::decode(&bytes) else {
            return Ok(Source::Refused);
        };
        let beacon = beacon.payload();
        let is_theirs = self.is_of_pair(clinic, mailbox, &beacon.author);
        if beacon.relay != self.relay.node || !is_theirs {
            return Ok(Source::Refused);
        }
        if beacon.author != clinic.node_id() {
            for reach in &beacon.reaches {
                self.table.put_reach(&beacon.author, reach)?;
            }
        }
        Ok(Source::Beacon(bytes))
    }

    /// We hold all that the relay gives us: counts the records that beacons tell of and that are
    /// not here. A beacon is of no use any more once all of it is here.
    pub(super) fn look_for_withheld(&mut self, clinic: &Clinic) -> Result<(), ClinicError> {
        let mut withheld = 0_u64;
        for (author, reach) in self.table.reaches(&clinic.store)? {
            let records = clinic.records(&reach.chart)?;
            let records = of_compartment(&records, &reach.compartment);
            let mine = records.iter().filter(|one| {
                (one.header.author, one.header.incarnation) == (author, reach.incarnation)
            });
            let newest = mine.map(|one| one.header.sequence.value()).max();
            let told = reach.sequence.value().saturating_add(1);
            let here = newest.map_or(0, |newest| newest.saturating_add(1));
            if told <= here {
                self.table.delete_reach(&author, &reach);
            }
            if told > here && self.is_carried(clinic, &author, &reach)? {
                withheld = withheld.saturating_add(told.saturating_sub(here));
            }
        }
        if withheld != self.table.withheld(&clinic.store)? {
            self.table.put_withheld(withheld);
        }
        if withheld > 0 {
            let relay = self.relay.node;
            tracing::warn!(%relay, withheld, "the relay keeps records back that lie there");
        }
        self.table.write(&clinic.store)
    }
}
