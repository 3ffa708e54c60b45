//! Ledgers out of the store: the statements of a chart, what they decide, and the keys they open.

use std::sync::{Arc, MutexGuard, PoisonError};

use chartmesh_protocol::identity::{SealingKey, Verified};
use chartmesh_protocol::ledger::{
    ChartSecret, CompartmentName, Decision, Ledger, Statement, decide,
};
use chartmesh_protocol::reconcile::ItemId;
use chartmesh_protocol::seal::{Keyring, unwrap_chart_secret, unwrap_first_secret};
use chartmesh_protocol::sync::ItemKind;
use chartmesh_protocol::{ChartId, StatementId};
use lru::LruCache;

use super::{Clinic, ClinicError, items};

impl Clinic {
    /// The ledger of a chart. What is in the store was checked when it was filed, and the store
    /// authenticates it: signatures are not checked again. The ledgers of recent charts are at
    /// hand, and only what came since is read.
    pub(crate) fn ledger(&self, chart: &ChartId) -> Result<Arc<Ledger>, ClinicError> {
        let stored = items::ids_of_chart(&self.store, chart, ItemKind::Statement)?;
        let known = self.known_ledgers().get(chart).cloned();
        if let Some(known) = &known
            && known
                .iter()
                .map(|(id, _)| ItemId::from(id))
                .eq(stored.iter().copied())
        {
            return Ok(Arc::clone(known));
        }
        let mut ledger = known.map_or_else(|| Ledger::new(*chart), Arc::unwrap_or_clone);
        for id in stored {
            if ledger.get(&StatementId::new(*id.as_bytes())).is_some() {
                continue;
            }
            let damaged = |reason: String| ClinicError::Unreadable {
                chart: *chart,
                reason,
            };
            let bytes = items::bytes(&self.store, &id)?
                .ok_or_else(|| damaged(format!("statement {id} is missing")))?;
            let statement = Verified::<Statement>::recall(&bytes)
                .map_err(|error| damaged(format!("statement {id}: {error}")))?;
            ledger.insert(statement);
        }
        let ledger = Arc::new(ledger);
        self.known_ledgers().put(*chart, Arc::clone(&ledger));
        Ok(ledger)
    }

    /// Keeps a ledger at hand. It is held against the store whenever it is asked for.
    pub(crate) fn know_ledger(&self, ledger: Ledger) {
        self.known_ledgers().put(ledger.chart(), Arc::new(ledger));
    }

    fn known_ledgers(&self) -> MutexGuard<'_, LruCache<ChartId, Arc<Ledger>>> {
        self.ledgers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a ledger decides now.
    pub(crate) fn decide(&self, ledger: &Ledger) -> Decision {
        decide(ledger, self.certificates_read().book(), self.time_ms())
    }

    /// The chart secret, from the genesis of a chart that this clinic keeps or from a grant to it.
    pub(crate) fn chart_secret(&self, ledger: &Ledger) -> Option<ChartSecret> {
        let own = self.clinic_id();
        let sealing = &self.identity.sealing;
        if let Some((id, genesis)) = ledger.genesis()
            && genesis.custodian == own
        {
            return self.unwrapped(id, || {
                let open = |key: &SealingKey| {
                    unwrap_first_secret(&genesis.patient, &own, key, &genesis.secret).ok()
                };
                sealing.open(open)
            });
        }
        let mine = ledger.grants().filter(|(_, grant)| grant.grantee == own);
        let mut secrets = mine.filter_map(|(id, grant)| {
            self.unwrapped(id, || {
                let chart = ledger.chart();
                sealing.open(|key| unwrap_chart_secret(&chart, &own, key, &grant.secret).ok())
            })
        });
        secrets.next()
    }

    /// The chart secret that a statement wraps for this clinic. Unwrapping takes longer than all
    /// else that is done with a ledger, and a statement never changes.
    fn unwrapped(
        &self,
        statement: StatementId,
        unwrap: impl FnOnce() -> Option<ChartSecret>,
    ) -> Option<ChartSecret> {
        let known = || self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(secret) = known().get(&statement) {
            return Some(secret.clone());
        }
        let secret = unwrap()?;
        known().put(statement, secret.clone());
        Some(secret)
    }

    /// The keys of a compartment that this clinic can open.
    pub(crate) fn keys_of(&self, ledger: &Ledger, name: &CompartmentName) -> Keyring {
        let epochs = ledger.epochs().map(|(_, epoch)| epoch);
        let mine = epochs.filter(|epoch| epoch.compartment == *name);
        let mine: Vec<_> = mine.collect();
        let mut all = Keyring::default();
        for sealing in self.identity.sealing.all() {
            let opened = Keyring::open(mine.iter().copied(), &self.clinic_id(), &sealing);
            for key in opened.epochs().filter_map(|epoch| opened.get(&epoch)) {
                all.insert(key.clone());
            }
        }
        all
    }
}
