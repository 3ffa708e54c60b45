//! Whose attachments may lie at the relay, for whom.

use std::collections::BTreeMap;

use chartmesh_protocol::attachment::AttachmentPlace;
use chartmesh_protocol::ledger::{CompartmentName, Decision, Ledger};
use chartmesh_protocol::{ChartId, ClinicId, CompartmentTag};

use super::Relay;
use crate::clinic::share::{parties, tags};
use crate::clinic::{Clinic, ClinicError};

/// What follows from the ledgers of charts now, each worked out once.
pub(super) struct Rights<'c> {
    clinic: &'c Clinic,
    relay: Relay,
    charts: BTreeMap<ChartId, Option<ChartRights>>,
}

/// What follows from one ledger.
struct ChartRights {
    decision: Decision,
    names: BTreeMap<CompartmentTag, CompartmentName>,
}

impl<'c> Rights<'c> {
    pub(super) fn of(clinic: &'c Clinic, relay: Relay) -> Self {
        Self {
            clinic,
            relay,
            charts: BTreeMap::new(),
        }
    }

    /// Takes a ledger for which everything was worked out already.
    pub(super) fn know(&mut self, ledger: &Ledger, decision: &Decision) {
        let rights = ChartRights {
            decision: decision.clone(),
            names: tags(self.clinic, ledger),
        };
        self.charts.insert(ledger.chart(), Some(rights));
    }

    /// Whether the relay may carry what belongs to a compartment, and this clinic may read it.
    pub(super) fn is_carried(&mut self, place: &AttachmentPlace) -> Result<bool, ClinicError> {
        let own = self.clinic.clinic_id();
        self.may_fetch(place, &own)
    }

    /// The same, and another clinic may read it, too.
    pub(super) fn may_fetch(
        &mut self,
        place: &AttachmentPlace,
        clinic: &ClinicId,
    ) -> Result<bool, ClinicError> {
        let (own, relay) = (self.clinic.clinic_id(), self.relay.clinic);
        let Some(chart) = self.chart(&place.chart)? else {
            return Ok(false);
        };
        let Some(name) = chart.names.get(&place.compartment) else {
            return Ok(false);
        };
        let decision = &chart.decision;
        let both = decision.may_read(&own, name) && decision.may_read(clinic, name);
        Ok(both && decision.may_relay(&relay, name))
    }

    fn chart(&mut self, chart: &ChartId) -> Result<Option<&ChartRights>, ClinicError> {
        if !self.charts.contains_key(chart) {
            let rights = match parties::names(&self.clinic.store, &self.relay.clinic, chart)? {
                false => None,
                true => {
                    let ledger = self.clinic.ledger(chart)?;
                    Some(ChartRights {
                        decision: self.clinic.decide(&ledger),
                        names: tags(self.clinic, &ledger),
                    })
                }
            };
            self.charts.insert(*chart, rights);
        }
        Ok(self.charts.get(chart).and_then(Option::as_ref))
    }
}
