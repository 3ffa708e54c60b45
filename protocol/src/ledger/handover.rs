//! Which keys are owed: a clinic that may read a compartment from its beginning should be able to
//! open every epoch of it.
//!
//! An epoch with a reader who may see only what comes from now on carries no history, and an
//! epoch that was made by somebody who did not know of a grant yet is not wrapped to its grantee.
//! Whoever has such a key can hand it over.

use std::collections::{BTreeMap, BTreeSet};

use super::compartment::CompartmentName;
use super::decision::Decision;
use super::set::Ledger;
use crate::id::{ClinicId, EpochId};
use crate::time::HybridTime;

/// The key of an epoch, and the clinics that it is owed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedKey {
    /// The epoch.
    pub epoch: EpochId,
    /// Clinics that may read the whole compartment now and cannot open the epoch.
    pub clinics: BTreeSet<ClinicId>,
}

/// The keys of a compartment that `giver` has and others lack, the newest first. Those that come
/// with a newer one are left out.
///
/// A pure function of the statements: it does not matter in which order they came.
pub fn owed_keys(
    ledger: &Ledger,
    decision: &Decision,
    name: &CompartmentName,
    giver: &ClinicId,
) -> Vec<OwedKey> {
    let mut holders = Holders::of(ledger, name);
    let entitled: BTreeSet<ClinicId> = decision
        .readers(name)
        .into_iter()
        .filter(|clinic| decision.may_read_history(clinic, name))
        .collect();
    let mut epochs: Vec<(HybridTime, EpochId)> = holders
        .created
        .iter()
        .map(|(epoch, created)| (*created, *epoch))
        .collect();
    epochs.sort_unstable();
    let mut owed = Vec::new();
    for (_, epoch) in epochs.into_iter().rev() {
        let able = holders.able(epoch);
        let clinics: BTreeSet<ClinicId> = entitled.difference(&able).copied().collect();
        if clinics.is_empty() || !able.contains(giver) {
            continue;
        }
        let wrapped = holders.wrapped.entry(epoch).or_default();
        wrapped.extend(&clinics);
        owed.push(OwedKey { epoch, clinics });
    }
    owed
}

/// The epochs of a compartment that a clinic can open, directly or through later ones.
///
/// A pure function of the statements: it does not matter in which order they came.
pub fn openable(ledger: &Ledger, name: &CompartmentName, clinic: &ClinicId) -> BTreeSet<EpochId> {
    let holders = Holders::of(ledger, name);
    let epochs = holders.created.keys().copied();
    let able = |epoch: &EpochId| holders.able(*epoch).contains(clinic);
    epochs.filter(able).collect()
}

/// Who can open the epochs of a compartment, as its statements tell.
#[derive(Default)]
struct Holders {
    wrapped: BTreeMap<EpochId, BTreeSet<ClinicId>>,
    /// Later epochs that carry an epoch's key.
    carried_by: BTreeMap<EpochId, BTreeSet<EpochId>>,
    /// When each epoch was first stated.
    created: BTreeMap<EpochId, HybridTime>,
}

impl Holders {
    fn of(ledger: &Ledger, name: &CompartmentName) -> Self {
        let mut holders = Self::default();
        let epochs = ledger.epochs().map(|(_, epoch)| epoch);
        for epoch in epochs.filter(|epoch| epoch.compartment == *name) {
            let readers = epoch.readers.iter().map(|reader| reader.clinic);
            let wrapped = holders.wrapped.entry(epoch.id).or_default();
            wrapped.extend(readers);
            let created = holders.created.entry(epoch.id).or_insert(epoch.created);
            *created = epoch.created.min(*created);
            for history in &epoch.history {
                let carried_by = holders.carried_by.entry(history.epoch).or_default();
                carried_by.insert(epoch.id);
            }
        }
        holders
    }

    /// The clinics that can open an epoch, directly or through later ones.
    fn able(&self, epoch: EpochId) -> BTreeSet<ClinicId> {
        let mut able = BTreeSet::new();
        let mut seen = BTreeSet::from([epoch]);
        let mut next = vec![epoch];
        while let Some(at) = next.pop() {
            able.extend(self.wrapped.get(&at).into_iter().flatten());
            let later = self.carried_by.get(&at).into_iter().flatten();
            next.extend(later.filter(|later| seen.insert(**later)));
        }
        able
    }
}
