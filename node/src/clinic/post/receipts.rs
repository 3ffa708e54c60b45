//! Receipts: telling others what of theirs is here, and hearing it of what is ours.
//!
//! A receipt is put when something came that is not told yet, and never for a receipt: what comes
//! as a statement or a record of our store is news, and a receipt is neither. So two clinics that
//! have nothing new have nothing to put.
//!
//! A receipt tells of a chart only to those who may have what it names, and through a relay only
//! while the patient lets it carry the chart; after that, it tells of no more than the ends of
//! consent that lie there. When a statement of the chart is new, all of the chart is told again:
//! who may have what may have changed.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use chartmesh_protocol::identity::Verified;
use chartmesh_protocol::ledger::openable;
use chartmesh_protocol::mail::{Content, Receipt, Stretch};
use chartmesh_protocol::reconcile::{FeedNumber, StoreIncarnation};
use chartmesh_protocol::sync::ItemKind;
use chartmesh_protocol::{
    ChartId, ClinicId, CompartmentTag, HybridTime, Incarnation, MailboxId, NodeId, StatementId,
    StatementPrefix,
};
use minicbor::{Decode, Encode};

use super::log::Post;
use super::table::Source;
use crate::clinic::records::{Listed, of_compartment};
use crate::clinic::share::{parties, tags};
use crate::clinic::{Clinic, ClinicError, items};

/// What receipts in a box tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(super) struct Told {
    /// Our store when they were put: in another incarnation all is told again.
    #[n(0)]
    pub(super) store: StoreIncarnation,
    /// Our feed up to which they tell.
    #[n(1)]
    pub(super) upto: u64,
}

/// Whose receipts have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(super) struct Holder {
    /// Its store when it signed them: what it held in an earlier incarnation it may have lost.
    #[n(0)]
    pub(super) store: StoreIncarnation,
    /// When it signed the latest.
    #[n(1)]
    pub(super) at: HybridTime,
}

/// What one receipt or several are to tell.
#[derive(Default)]
struct Held {
    stretches: BTreeSet<Stretch>,
    statements: BTreeSet<StatementPrefix>,
}

impl Post {
    /// We hold what has come: says so to those who may have it too.
    pub(super) fn give_receipts(&mut self, clinic: &Clinic) -> Result<(), ClinicError> {
        let now = Told {
            store: clinic.store_incarnation(),
            upto: items::newest(&clinic.store)?.value(),
        };
        let mut since: BTreeMap<u64, BTreeSet<ChartId>> = BTreeMap::new();
        for (mailbox, other) in self.pairs() {
            let told = self.table.told(&clinic.store, &mailbox)?;
            let after = told.filter(|told| told.store == now.store);
            let after = after.map_or(0, |told| told.upto);
            if after == now.upto {
                continue;
            }
            if let Entry::Vacant(entry) = since.entry(after) {
                entry.insert(items::charts_since(&clinic.store, FeedNumber::new(after))?);
            }
            let mut held = Held::default();
            for chart in since.get(&after).into_iter().flatten() {
                if parties::names(&clinic.store, &self.relay.clinic, chart)?
                    && parties::names(&clinic.store, &other, chart)?
                {
                    self.look_at(clinic, chart, (&mailbox, &other), after, &mut held)?;
                }
            }
            self.put_receipts(clinic, &mailbox, held)?;
            self.table.put_told(&mailbox, &now)?;
        }
        self.table.write(&clinic.store)
    }

    /// Adds what is here of a chart that another clinic may have, where something of it is new.
    fn look_at(
        &self,
        clinic: &Clinic,
        chart: &ChartId,
        (mailbox, other): (&MailboxId, &ClinicId),
        after: u64,
        held: &mut Held,
    ) -> Result<(), ClinicError> {
        let (own, relay) = (clinic.clinic_id(), self.relay.clinic);
        let ledger = clinic.ledger(chart)?;
        let decision = clinic.decide(&ledger);
        let statements = items::of_chart(&clinic.store, chart, ItemKind::Statement)?;
        let all = statements.iter().any(|one| one.entry.feed > after);
        if !decision.may_relay_any(&relay) {
            if all {
                let ends = self.ends_in(mailbox, (other, &own), &ledger, &decision);
                let ends = ends.iter().map(|id| id.prefix());
                held.statements.extend(ends);
            }
            return Ok(());
        }
        if all {
            let ids = statements
                .iter()
                .map(|one| StatementId::new(*one.id.as_bytes()));
            let shared = ids.filter(|id| decision.shared(other, &own, id));
            held.statements.extend(shared.map(|id| id.prefix()));
        }
        let records = clinic.records(chart)?;
        for (tag, name) in tags(clinic, &ledger) {
            let theirs = decision.may_read(other, &name) && decision.may_read(&own, &name);
            if !theirs || !decision.may_relay(&relay, &name) {
                continue;
            }
            let opens = openable(&ledger, &name, other);
            let mut mine = of_compartment(&records, &tag);
            // That we hold what we wrote goes without saying.
            mine.retain(|one| {
                one.header.author != clinic.node_id() && opens.contains(&one.header.epoch)
            });
            let is_new = |stretch: &[Listed]| all || stretch.iter().any(|one| one.feed > after);
            held.stretches.extend(stretches(chart, &tag, mine, &is_new));
        }
        Ok(())
    }

    /// Puts receipts into a box, behind the certificate that they need.
    fn put_receipts(
        &mut self,
        clinic: &Clinic,
        mailbox: &MailboxId,
        held: Held,
    ) -> Result<(), ClinicError> {
        if held.stretches.is_empty() && held.statements.is_empty() {
            return Ok(());
        }
        self.put_certificate(clinic, mailbox, &clinic.identity.certificate().hash())?;
        let stretches: Vec<Stretch> = held.stretches.into_iter().collect();
        let statements: Vec<StatementPrefix> = held.statements.into_iter().collect();
        let mut stretches = stretches.chunks(Receipt::MOST_STRETCHES);
        let mut statements = statements.chunks(Receipt::MOST_STATEMENTS);
        loop {
            let parts = (stretches.next(), statements.next());
            if parts == (None, None) {
                return Ok(());
            }
            let receipt = Receipt {
                holder: clinic.node_id(),
                store: clinic.store_incarnation(),
                at: clinic.tick(),
                stretches: parts.0.unwrap_or_default().to_vec(),
                statements: parts.1.unwrap_or_default().to_vec(),
            };
            let receipt = receipt.issue(&clinic.identity.node);
            let bytes = receipt.map_err(ClinicError::fault)?.to_bytes();
            let source = Source::Receipt(bytes.clone());
            self.put(mailbox, Content::Receipt(&bytes), source)?;
        }
    }

    /// Takes in a receipt of a node of the clinic with which we share a box, or of our own clinic.
    /// What it claims counts once it is held against what is here: see
    /// [`claims`](super::claims).
    pub(super) fn take_receipt(
        &mut self,
        clinic: &Clinic,
        mailbox: &MailboxId,
        bytes: Vec<u8>,
    ) -> Result<Source, ClinicError> {
        let Ok(receipt) = Verified::<Receipt>::decode(&bytes) else {
            return Ok(Source::Refused);
        };
        let receipt = receipt.payload();
        if !self.is_of_pair(clinic, mailbox, &receipt.holder) {
            return Ok(Source::Refused);
        }
        if receipt.holder != clinic.node_id() {
            self.keep_claims(clinic, receipt)?;
        }
        Ok(Source::Receipt(bytes))
    }

    fn keep_claims(&mut self, clinic: &Clinic, receipt: &Receipt) -> Result<(), ClinicError> {
        // Several receipts come at a time: each is held against what the one before left.
        self.table.write(&clinic.store)?;
        let known = self.table.holder(&clinic.store, &receipt.holder)?;
        // A clock that is far ahead must not make all that follows look late.
        let said = Holder {
            store: receipt.store,
            at: receipt.at.min(HybridTime::from_ms(clinic.now_ms())),
        };
        match known {
            Some(known) if known.store != said.store && known.at > receipt.at => return Ok(()),
            Some(known) if known.store != said.store => {
                self.table.forget_claims(&clinic.store, &receipt.holder)?;
            }
            Some(_) | None => {}
        }
        let at = known.map_or(said.at, |known| known.at.max(said.at));
        self.table
            .put_holder(&receipt.holder, &Holder { at, ..said })?;
        // Also of a chart that is not known here: its statements may come behind the receipt.
        for stretch in &receipt.stretches {
            self.table
                .put_stretch(&clinic.store, &receipt.holder, stretch)?;
        }
        for prefix in &receipt.statements {
            self.table.put_told_statement(&receipt.holder, prefix);
        }
        Ok(())
    }
}

/// The stretches of one compartment's records in which something is new.
fn stretches(
    chart: &ChartId,
    tag: &CompartmentTag,
    mut records: Vec<Listed>,
    is_new: &dyn Fn(&[Listed]) -> bool,
) -> Vec<Stretch> {
    let author =
        |one: &Listed| -> (NodeId, Incarnation) { (one.header.author, one.header.incarnation) };
    records.sort_unstable_by_key(|one| (one.place(), one.id));
    // Of two records in one place, which a fork leaves, one is told.
    records.dedup_by_key(|one| one.place());
    let follows = |before: &Listed, next: &Listed| {
        author(before) == author(next)
            && before.header.sequence.next() == Some(next.header.sequence)
    };
    let found = records.chunk_by(follows).filter(|one| is_new(one));
    let stretches = found.filter_map(|found| {
        let (first, last) = (found.first()?, found.last()?);
        Some(Stretch {
            chart: *chart,
            compartment: *tag,
            author: first.header.author,
            incarnation: first.header.incarnation,
            first: first.header.sequence,
            last: last.header.sequence,
            link: last.id.link(),
        })
    });
    stretches.collect()
}
