//! Making an epoch, opening it, and walking back through its history.

use std::collections::BTreeMap;

use rand_core::CryptoRng;

use super::key::EpochKey;
use super::wrap::{WrapError, unwrap_epoch_key, wrap_epoch_key};
use crate::id::{ChartId, ClinicId, EpochId, SealingPublic};
use crate::identity::SealingKey;
use crate::ledger::{CompartmentName, Epoch, HistoryKey, ReaderKey, SealingTag};
use crate::limits::MAX_EPOCH_WALK;
use crate::time::HybridTime;

/// A clinic that shall read an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reader {
    /// The clinic.
    pub clinic: ClinicId,
    /// Its sealing key, from a certificate.
    pub sealing: SealingPublic,
    /// Whether the epoch is to say which sealing key that is: where the ledger tells of the end of
    /// one of the clinic's nodes.
    pub told: bool,
}

/// What an epoch shall be.
#[derive(Clone, Copy)]
pub struct EpochPlan<'a> {
    /// The chart.
    pub chart: ChartId,
    /// The compartment.
    pub compartment: &'a CompartmentName,
    /// Who shall read; in any order, one entry a clinic.
    pub readers: &'a [Reader],
    /// The epochs that this one follows.
    pub parents: &'a [EpochId],
    /// The parents' keys that every reader shall have too. Leave them out when a reader may see
    /// only what is written from now on.
    pub history: &'a [EpochKey],
    /// The time of the statement.
    pub created: HybridTime,
}

/// Makes a new epoch: a fresh key, wrapped to each reader. The body is to be signed by the node's
/// key and inserted into the ledger before the key is used.
///
/// Fails when a reader's sealing key is unusable.
pub fn make_epoch<R: CryptoRng + ?Sized>(
    rng: &mut R,
    plan: &EpochPlan<'_>,
) -> Result<(Epoch, EpochKey), WrapError> {
    let key = EpochKey::generate(rng);
    Ok((share_epoch(rng, plan, &key)?, key))
}

/// Wraps an epoch's existing key to further readers: a grant of all history opens the epochs that
/// its grantee missed. The body is to be signed by the node's key.
///
/// Fails when a reader's sealing key is unusable.
pub fn share_epoch<R: CryptoRng + ?Sized>(
    rng: &mut R,
    plan: &EpochPlan<'_>,
    key: &EpochKey,
) -> Result<Epoch, WrapError> {
    let chart = plan.chart;
    // Maps, since a statement lists readers and parents ascending and once.
    let mut readers = BTreeMap::new();
    for reader in plan.readers {
        let place = (&chart, plan.compartment, &reader.clinic);
        let wrap = wrap_epoch_key(rng, place, &reader.sealing, key)?;
        let sealing = reader.told.then(|| SealingTag::of(&reader.sealing));
        readers.insert(reader.clinic, (wrap, sealing));
    }
    let mut history = BTreeMap::new();
    for earlier in plan.history.iter().filter(|earlier| *earlier != key) {
        let sealed = key
            .seal_earlier(&chart, earlier)
            .ok_or(WrapError::UnusableKey)?;
        history.insert(earlier.id(), sealed);
    }
    let mut parents: Vec<EpochId> = plan.parents.to_vec();
    parents.extend(history.keys());
    parents.retain(|parent| *parent != key.id());
    parents.sort_unstable();
    parents.dedup();
    let readers = readers
        .into_iter()
        .map(|(clinic, (key, sealing))| ReaderKey {
            clinic,
            key,
            sealing,
        });
    let history = history
        .into_iter()
        .map(|(epoch, key)| HistoryKey { epoch, key });
    Ok(Epoch {
        chart,
        compartment: plan.compartment.clone(),
        id: key.id(),
        parents,
        readers: readers.collect(),
        history: history.collect(),
        created: plan.created,
    })
}

/// Why a clinic cannot open an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenEpochError {
    /// The statement has no key for this clinic.
    #[error("the epoch has no key for this clinic")]
    NotAReader,
    /// There is one, and it does not open.
    #[error(transparent)]
    Wrap(#[from] WrapError),
    /// It opens, and is the key of another epoch. Who signed the statement is at fault.
    #[error("the epoch holds the key of another epoch")]
    OtherKey,
}

/// Opens an epoch with the sealing key of one of its readers.
pub fn open_epoch(
    epoch: &Epoch,
    clinic: &ClinicId,
    sealing: &SealingKey,
) -> Result<EpochKey, OpenEpochError> {
    let reader = epoch.readers.iter().find(|reader| reader.clinic == *clinic);
    let reader = reader.ok_or(OpenEpochError::NotAReader)?;
    let place = (&epoch.chart, &epoch.compartment, clinic);
    let key = unwrap_epoch_key(place, sealing, &reader.key)?;
    if key.id() == epoch.id {
        Ok(key)
    } else {
        Err(OpenEpochError::OtherKey)
    }
}

/// The keys of a compartment that a clinic can open. No `Debug`; zeroised when dropped.
#[derive(Default)]
pub struct Keyring {
    keys: BTreeMap<EpochId, EpochKey>,
}

impl Keyring {
    /// Every key that the clinic can open in these epochs: its own wraps, and through them the
    /// history that the epochs carry. Epochs that do not open are passed over.
    pub fn open<'a>(
        epochs: impl IntoIterator<Item = &'a Epoch>,
        clinic: &ClinicId,
        sealing: &SealingKey,
    ) -> Self {
        let epochs: Vec<&Epoch> = epochs.into_iter().collect();
        let mut ring = Self::default();
        for epoch in &epochs {
            if let Ok(key) = open_epoch(epoch, clinic, sealing) {
                ring.insert(key);
            }
        }
        ring.walk(&epochs);
        ring
    }

    /// Adds a key.
    pub fn insert(&mut self, key: EpochKey) {
        self.keys.insert(key.id(), key);
    }

    /// The key of an epoch.
    pub fn get(&self, epoch: &EpochId) -> Option<&EpochKey> {
        self.keys.get(epoch)
    }

    /// The epochs that can be opened, ascending.
    pub fn epochs(&self) -> impl Iterator<Item = EpochId> + '_ {
        self.keys.keys().copied()
    }

    /// Opens history under the keys that are here, until nothing new comes of it.
    fn walk(&mut self, epochs: &[&Epoch]) {
        let mut next: Vec<EpochId> = self.keys.keys().copied().collect();
        let mut steps = 0;
        while let Some(id) = next.pop().filter(|_| steps < MAX_EPOCH_WALK) {
            steps += 1;
            for epoch in epochs.iter().filter(|epoch| epoch.id == id) {
                next.extend(self.open_history(epoch));
            }
        }
    }

    fn open_history(&mut self, epoch: &Epoch) -> Vec<EpochId> {
        let mut opened = Vec::new();
        let Some(key) = self.keys.get(&epoch.id).cloned() else {
            return opened;
        };
        for history in &epoch.history {
            if self.keys.contains_key(&history.epoch) {
                continue;
            }
            if let Some(earlier) = key.open_earlier(&epoch.chart, history.epoch, &history.key) {
                opened.push(history.epoch);
                self.keys.insert(history.epoch, earlier);
            }
        }
        opened
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const CHART: ChartId = ChartId::new([1; 16]);
    const NAME: CompartmentName = CompartmentName::Summary;

    fn clinic(byte: u8) -> (Reader, SealingKey) {
        let key = SealingKey::generate(&mut ChaCha20Rng::seed_from_u64(byte.into()));
        (
            Reader {
                clinic: ClinicId::new([byte; 32]),
                sealing: key.public(),
                told: false,
            },
            key,
        )
    }

    fn epoch(seed: u64, readers: &[Reader], history: &[EpochKey]) -> (Epoch, EpochKey) {
        let plan = EpochPlan {
            chart: CHART,
            compartment: &NAME,
            readers,
            parents: &[],
            history,
            created: HybridTime::from_ms(seed),
        };
        make_epoch(&mut ChaCha20Rng::seed_from_u64(seed), &plan).unwrap()
    }

    #[test]
    fn each_reader_opens_the_epoch_and_nobody_else() {
        let (a, a_key) = clinic(1);
        let (b, b_key) = clinic(2);
        let (c, c_key) = clinic(3);
        let (epoch, key) = epoch(10, &[b, a], &[]);
        assert!(open_epoch(&epoch, &a.clinic, &a_key).ok() == Some(key.clone()));
        assert!(open_epoch(&epoch, &b.clinic, &b_key).ok() == Some(key));
        let found = open_epoch(&epoch, &c.clinic, &c_key).err();
        assert_eq!(found, Some(OpenEpochError::NotAReader));
        let found = open_epoch(&epoch, &a.clinic, &c_key).err();
        assert_eq!(found, Some(OpenEpochError::Wrap(WrapError::NotForUs)));
    }

    #[test]
    fn one_wrap_opens_the_history() {
        let (a, _) = clinic(1);
        let (b, b_key) = clinic(2);
        let (first, first_key) = epoch(10, &[a], &[]);
        let (second, second_key) = epoch(11, &[a], &[first_key]);
        let (third, third_key) = epoch(12, &[a, b], &[second_key]);
        let ring = Keyring::open([&first, &third, &second], &b.clinic, &b_key);
        assert_eq!(ring.epochs().count(), 3);
        assert!(ring.get(&third.id) == Some(&third_key));
    }

    #[test]
    fn a_reader_from_now_on_opens_no_history() {
        let (a, _) = clinic(1);
        let (b, b_key) = clinic(2);
        let (first, _) = epoch(10, &[a], &[]);
        let (second, _) = epoch(11, &[a, b], &[]);
        let ring = Keyring::open([&first, &second], &b.clinic, &b_key);
        assert_eq!(ring.epochs().collect::<Vec<_>>(), [second.id]);
    }

    #[test]
    fn an_epoch_can_be_shared_with_a_reader_that_missed_it() {
        let (a, _) = clinic(1);
        let (b, b_key) = clinic(2);
        let (first, key) = epoch(10, &[a], &[]);
        let plan = EpochPlan {
            chart: CHART,
            compartment: &NAME,
            readers: &[b],
            parents: &[],
            history: &[],
            created: HybridTime::from_ms(12),
        };
        let shared = share_epoch(&mut ChaCha20Rng::seed_from_u64(12), &plan, &key).unwrap();
        assert_eq!(shared.id, first.id);
        let ring = Keyring::open([&first, &shared], &b.clinic, &b_key);
        assert!(ring.get(&first.id) == Some(&key));
    }

    #[test]
    fn a_statement_with_the_key_of_another_epoch_is_refused() {
        let (a, a_key) = clinic(1);
        let (mut epoch, _) = epoch(10, &[a], &[]);
        epoch.id = EpochId::new([0; 8]);
        let found = open_epoch(&epoch, &a.clinic, &a_key).err();
        assert_eq!(found, Some(OpenEpochError::OtherKey));
        let ring = Keyring::open([&epoch], &a.clinic, &a_key);
        assert_eq!(ring.epochs().count(), 0);
    }

    #[test]
    fn an_unusable_sealing_key_is_refused() {
        let (a, _) = clinic(1);
        let bad = Reader {
            clinic: a.clinic,
            sealing: SealingPublic::new([0; 32]),
            told: false,
        };
        let plan = EpochPlan {
            chart: CHART,
            compartment: &NAME,
            readers: &[bad],
            parents: &[],
            history: &[],
            created: HybridTime::from_ms(1),
        };
        let found = make_epoch(&mut ChaCha20Rng::seed_from_u64(1), &plan).err();
        assert_eq!(found, Some(WrapError::UnusableKey));
    }
}
