//! A data folder opened with its keys: everything that whoever holds the folder and its
//! passphrase can get out of it.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh::keys::{Keyring, Passphrase};
use chartmesh::store::{Options, Space, Store, StoreKey};
use chartmesh_protocol::identity::{ClinicKey, SealingKey, Verified};
use chartmesh_protocol::ledger::{ChartSecret, CompartmentName, Ledger, Statement};
use chartmesh_protocol::seal::{
    EpochKey, Keyring as EpochKeys, VerifiedRecord, unwrap_chart_secret, unwrap_first_secret,
};
use chartmesh_protocol::{ChartId, ClinicId, CompartmentTag};
use zeroize::Zeroizing;

use crate::clinic::Clinic;

/// Where an item's own bytes begin: after its kind, its chart and its number in the feed.
const ITEM_HEAD: usize = 1 + ChartId::LEN + 8;

/// A stopped clinic's store and keys.
pub struct Vault {
    store: Store,
    clinic: ClinicId,
    sealing: SealingKey,
}

impl Vault {
    /// Opens the data folder of a clinic whose daemon does not run.
    ///
    /// # Panics
    /// When it does not open.
    #[must_use]
    pub fn open(clinic: &Clinic) -> Self {
        let passphrase = Passphrase::from_file(&clinic.passphrase_file()).unwrap();
        let keyring = Keyring::open(&clinic.dir().join("keys"), &passphrase).unwrap();
        let secret = |name: &str| keyring.secret(name).unwrap();
        let options = Options::new(clinic.dir(), StoreKey::new(secret("store")));
        Self {
            store: Store::open(&options).unwrap().store,
            clinic: ClinicKey::from_bytes(secret("clinic")).id(),
            sealing: SealingKey::from_bytes(secret("sealing")),
        }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Every key and value of the store, opened.
    ///
    /// # Panics
    /// When one does not open.
    #[must_use]
    pub fn values(&self) -> Vec<(Space, Vec<u8>, Vec<u8>)> {
        let mut values = Vec::new();
        for space in Space::ALL {
            for pair in self.store.scan_prefix(*space, &[]) {
                let (key, value) = pair.unwrap();
                values.push((*space, key, value));
            }
        }
        values
    }

    fn items(&self, kind: u8) -> Vec<(ChartId, Vec<u8>)> {
        let items = self.store.scan_prefix(Space::Items, &[]);
        items
            .map(|pair| pair.unwrap().1)
            .filter(|value| value[0] == kind)
            .map(|value| {
                let chart = ChartId::try_from(&value[1..=ChartId::LEN]).unwrap();
                (chart, value[ITEM_HEAD..].to_vec())
            })
            .collect()
    }

    /// Every record, with its signature checked.
    ///
    /// # Panics
    /// When one cannot be read.
    #[must_use]
    pub fn records(&self) -> Vec<VerifiedRecord> {
        let records = self.items(b'r').into_iter();
        records
            .map(|(_, bytes)| VerifiedRecord::decode(&bytes).unwrap())
            .collect()
    }

    /// The ledger of every chart that anything is here of.
    ///
    /// # Panics
    /// When a statement cannot be read.
    #[must_use]
    pub fn ledgers(&self) -> BTreeMap<ChartId, Ledger> {
        let mut ledgers = BTreeMap::new();
        for (chart, bytes) in self.items(b's') {
            let ledger = ledgers.entry(chart).or_insert_with(|| Ledger::new(chart));
            assert!(ledger.insert(Verified::<Statement>::decode(&bytes).unwrap()));
        }
        ledgers
    }

    /// Every epoch key that can be opened here, whether the clinic may still use it or not.
    #[must_use]
    pub fn epoch_keys(&self) -> Vec<(ChartId, CompartmentName, EpochKey)> {
        let mut keys = Vec::new();
        for (chart, ledger) in self.ledgers() {
            let names: BTreeSet<_> = ledger.epochs().map(|(_, one)| &one.compartment).collect();
            for name in names {
                let epochs = ledger.epochs().map(|(_, one)| one);
                let mine = epochs.filter(|one| one.compartment == *name);
                let ring = EpochKeys::open(mine, &self.clinic, &self.sealing);
                for id in ring.epochs() {
                    keys.push((chart, name.clone(), ring.get(&id).unwrap().clone()));
                }
            }
        }
        keys
    }

    /// Every chart secret that can be opened here.
    #[must_use]
    pub fn chart_secrets(&self) -> BTreeMap<ChartId, Zeroizing<[u8; 32]>> {
        let mut secrets = BTreeMap::new();
        for (chart, ledger) in self.ledgers() {
            if let Some(secret) = self.chart_secret(&ledger) {
                secrets.insert(chart, secret.to_bytes());
            }
        }
        secrets
    }

    /// The tag of a compartment, where the chart's secret can be opened here.
    #[must_use]
    pub fn tag(&self, chart: &ChartId, name: &CompartmentName) -> Option<CompartmentTag> {
        let secret = self.chart_secret(&self.ledgers()[chart])?;
        Some(secret.compartment_tag(name))
    }

    fn chart_secret(&self, ledger: &Ledger) -> Option<ChartSecret> {
        let first = ledger.genesis().and_then(|(_, one)| {
            unwrap_first_secret(&one.patient, &self.clinic, &self.sealing, &one.secret).ok()
        });
        let granted = || {
            ledger.grants().find_map(|(_, one)| {
                let chart = ledger.chart();
                unwrap_chart_secret(&chart, &self.clinic, &self.sealing, &one.secret).ok()
            })
        };
        first.or_else(granted)
    }
}
