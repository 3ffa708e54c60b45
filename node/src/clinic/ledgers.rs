//! Ledgers out of the store: the statements of a chart, what they decide, and the keys they open.

use chartmesh_protocol::ChartId;
use chartmesh_protocol::identity::Verified;
use chartmesh_protocol::ledger::{
    ChartSecret, CompartmentName, Decision, Ledger, Statement, decide,
};
use chartmesh_protocol::seal::{Keyring, unwrap_chart_secret, unwrap_first_secret};
use chartmesh_protocol::sync::ItemKind;

use super::{Clinic, ClinicError, items};

impl Clinic {
    /// The ledger of a chart. What is in the store was checked when it was filed, and the store
    /// authenticates it: signatures are not checked again.
    pub(crate) fn ledger(&self, chart: &ChartId) -> Result<Ledger, ClinicError> {
        let mut ledger = Ledger::new(*chart);
        for item in items::of_chart(&self.store, chart, ItemKind::Statement)? {
            let damaged = |reason: String| ClinicError::Unreadable {
                chart: *chart,
                reason,
            };
            let bytes = items::bytes(&self.store, &item.id)?
                .ok_or_else(|| damaged(format!("statement {} is missing", item.id)))?;
            let statement = Verified::<Statement>::recall(&bytes)
                .map_err(|error| damaged(format!("statement {}: {error}", item.id)))?;
            ledger.insert(statement);
        }
        Ok(ledger)
    }

    /// What a ledger decides now.
    pub(crate) fn decide(&self, ledger: &Ledger) -> Decision {
        decide(ledger, self.certificates_read().book(), self.time_ms())
    }

    /// The chart secret, from the genesis of a chart that this clinic keeps or from a grant to it.
    pub(crate) fn chart_secret(&self, ledger: &Ledger) -> Option<ChartSecret> {
        let own = self.clinic_id();
        let sealing = &self.identity.sealing;
        if let Some((_, genesis)) = ledger.genesis()
            && genesis.custodian == own
        {
            return unwrap_first_secret(&genesis.patient, &own, sealing, &genesis.secret).ok();
        }
        ledger
            .grants()
            .filter(|(_, grant)| grant.grantee == own)
            .find_map(|(_, grant)| {
                unwrap_chart_secret(&ledger.chart(), &own, sealing, &grant.secret).ok()
            })
    }

    /// The keys of a compartment that this clinic can open.
    pub(crate) fn keys_of(&self, ledger: &Ledger, name: &CompartmentName) -> Keyring {
        let epochs = ledger.epochs().map(|(_, epoch)| epoch);
        let mine = epochs.filter(|epoch| epoch.compartment == *name);
        Keyring::open(mine, &self.clinic_id(), &self.identity.sealing)
    }
}
