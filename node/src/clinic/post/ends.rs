//! Word that a consent has ended: the last of a chart that goes to a relay.
//!
//! Once a relay may carry a chart no more, nothing of the chart is put there but for this: what
//! ends a grant follows the grant into every box of a pair in which it lies. Else a clinic that
//! meets us nowhere else would go on putting what nobody fetches any more. It holds no part of the
//! chart, and the box of a pair is for those two clinics alone.

use std::collections::BTreeSet;

use chartmesh_protocol::ledger::{Body, Decision, GrantState, Ledger};
use chartmesh_protocol::reconcile::ItemId;
use chartmesh_protocol::{ChartId, ClinicId, MailboxId, StatementId};

use super::log::Post;
use super::mailbox::Use;
use super::table::{Entry, Source};
use crate::clinic::share::parties;
use crate::clinic::{Clinic, ClinicError, items};

impl Post {
    /// Puts what ends grants into the boxes in which these lie.
    pub(super) fn put_ends(
        &mut self,
        clinic: &Clinic,
        decision: &Decision,
    ) -> Result<(), ClinicError> {
        let own = clinic.clinic_id();
        for (mailbox, other) in self.pairs() {
            for id in self.ends_for(&mailbox, decision) {
                if decision.shared(&other, &own, &id) {
                    self.put_item(clinic, &mailbox, &ItemId::from(id))?;
                }
            }
        }
        Ok(())
    }

    /// What ends the grants that lie in a box.
    fn ends_for(&self, mailbox: &MailboxId, decision: &Decision) -> BTreeSet<StatementId> {
        let mine = decision
            .grants()
            .filter(|view| self.has_inside(mailbox, view.id.as_bytes()));
        let ends = mine.flat_map(|view| match &view.state {
            GrantState::Revoked(by) | GrantState::FallsWithParent(by) => by.as_slice(),
            GrantState::Valid
            | GrantState::NotYet
            | GrantState::Expired
            | GrantState::Invalid(_) => &[],
        });
        ends.copied().collect()
    }

    /// What ends grants and lies in a box, of that which another clinic may have.
    pub(super) fn ends_in(
        &self,
        mailbox: &MailboxId,
        (other, own): (&ClinicId, &ClinicId),
        ledger: &Ledger,
        decision: &Decision,
    ) -> Vec<StatementId> {
        let ends = ledger
            .iter()
            .filter(|(_, one)| matches!(one.body(), Body::Revocation(_)))
            .map(|(id, _)| id);
        ends.filter(|id| self.has_inside(mailbox, id.as_bytes()))
            .filter(|id| decision.shared(other, own, id))
            .collect()
    }

    /// A grant was found in a box, and was known before: what ends it follows. Of what is new, the
    /// charts are looked at in any case.
    pub(super) fn follow(&mut self, clinic: &Clinic, came: &[Entry]) -> Result<(), ClinicError> {
        let mut charts: BTreeSet<ChartId> = BTreeSet::new();
        for entry in came {
            let usage = self.boxes.get(&entry.mailbox).map(|one| one.usage);
            if let (Source::Item(id), Some(Use::Pair(_))) = (&entry.source, usage)
                && let Some(stored) = items::stored(&clinic.store, &ItemId::new(*id))?
                && stored.feed.value() <= self.upto
            {
                charts.insert(stored.chart);
            }
        }
        for chart in charts {
            if parties::names(&clinic.store, &self.relay.clinic, &chart)? {
                let ledger = clinic.ledger(&chart)?;
                let decision = clinic.decide(&ledger);
                if !decision.may_relay_any(&self.relay.clinic) {
                    self.put_ends(clinic, &decision)?;
                }
            }
        }
        Ok(())
    }
}
