//! Which epoch a writer may seal under: one that nobody can open who may not read now.

use std::collections::{BTreeMap, BTreeSet};

use super::compartment::CompartmentName;
use super::epoch::{Epoch, SealingTag};
use super::set::Ledger;
use super::standing::{Standing, StandingEpoch};
use crate::id::{ClinicId, EpochId, StatementId};
use crate::time::HybridTime;

/// An epoch fit for sealing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealingEpoch {
    epoch: EpochId,
    missing: BTreeSet<ClinicId>,
    created: HybridTime,
}

impl SealingEpoch {
    /// The epoch.
    pub fn epoch(&self) -> EpochId {
        self.epoch
    }

    /// Clinics that may read and hold no wrap of this epoch's key. Make a new epoch, or wrap the
    /// key to them, before or right after sealing.
    pub fn missing(&self) -> &BTreeSet<ClinicId> {
        &self.missing
    }
}

/// The best epoch of each compartment: missing the fewest readers, then the newest.
pub(super) fn sealing_epochs(
    ledger: &Ledger,
    standing: &Standing<'_>,
    readers: impl Fn(&CompartmentName) -> BTreeSet<ClinicId>,
) -> BTreeMap<CompartmentName, SealingEpoch> {
    let mut best = BTreeMap::new();
    for (name, openings) in openings(ledger, standing) {
        let readers = readers(name);
        let fit = openings
            .keys()
            .filter_map(|epoch| fit(*epoch, &openings, &readers));
        let rank = |one: &SealingEpoch| {
            (
                core::cmp::Reverse(one.missing.len()),
                one.created,
                one.epoch,
            )
        };
        if let Some(one) = fit.max_by_key(rank) {
            best.insert(name.clone(), one);
        }
    }
    best
}

/// Who can open an epoch, as its statements tell.
#[derive(Default)]
struct Opening {
    readers: BTreeSet<ClinicId>,
    /// The clinics of the signer of each statement: one of them had the key.
    signers: Vec<Vec<ClinicId>>,
    /// Later epochs that carry this one's key.
    carried_by: BTreeSet<EpochId>,
    created: HybridTime,
    /// A statement of the epoch itself counts.
    stated: bool,
    /// A node that was cut off can open it.
    spoiled: bool,
}

type Openings = BTreeMap<EpochId, Opening>;

fn openings<'a>(
    ledger: &'a Ledger,
    standing: &Standing<'_>,
) -> BTreeMap<&'a CompartmentName, Openings> {
    let mut all: BTreeMap<&CompartmentName, Openings> = BTreeMap::new();
    for (id, epoch) in ledger.epochs() {
        let openings = all.entry(&epoch.compartment).or_default();
        let opening = openings.entry(epoch.id).or_default();
        opening.spoiled |= is_spoiled(ledger, standing, &id, epoch);
        opening
            .readers
            .extend(epoch.readers.iter().map(|reader| reader.clinic));
        // A statement that does not count (yet) commends no epoch, but it may tell the truth of
        // who has the key: it can only rule an epoch out.
        if let Some(StandingEpoch { signers, .. }) = standing.epochs.get(&id) {
            opening.signers.push(signers.clone());
            opening.created = opening.created.max(epoch.created);
            opening.stated = true;
        }
        for history in &epoch.history {
            openings
                .entry(history.epoch)
                .or_default()
                .carried_by
                .insert(epoch.id);
        }
    }
    all
}

/// Whether a node that was cut off has the key of an epoch: it made it, or had the key that it is
/// wrapped to. A wrap that does not say to which key may be to that one.
fn is_spoiled(ledger: &Ledger, standing: &Standing<'_>, id: &StatementId, epoch: &Epoch) -> bool {
    let signer = ledger.get(id).map(|one| one.payload().signer());
    let ends = standing.node_ends.iter();
    let mut ends = ends.filter(|end| end.compartment == epoch.compartment);
    ends.any(|end| {
        let burnt = SealingTag::of(&end.burnt);
        let mut theirs = epoch.readers.iter().filter(|one| one.clinic == end.clinic);
        signer.is_some_and(|signer| signer.as_bytes() == end.node.as_bytes())
            || theirs.any(|one| one.sealing.is_none_or(|sealing| sealing == burnt))
    })
}

/// The epoch, if everyone who can open it, directly or through a later epoch that carries its
/// key, may read now.
fn fit(epoch: EpochId, openings: &Openings, readers: &BTreeSet<ClinicId>) -> Option<SealingEpoch> {
    let mut openers = BTreeSet::new();
    let mut seen = BTreeSet::from([epoch]);
    let mut next = vec![epoch];
    while let Some(id) = next.pop() {
        let Some(opening) = openings.get(&id) else {
            continue;
        };
        let signed = |clinics: &Vec<ClinicId>| clinics.iter().any(|one| readers.contains(one));
        if opening.spoiled
            || !opening.readers.is_subset(readers)
            || !opening.signers.iter().all(signed)
        {
            return None;
        }
        openers.extend(&opening.readers);
        next.extend(
            opening
                .carried_by
                .iter()
                .filter(|later| seen.insert(**later)),
        );
    }
    let opening = openings.get(&epoch).filter(|opening| opening.stated)?;
    let missing = readers.difference(&openers).copied().collect();
    Some(SealingEpoch {
        epoch,
        missing,
        created: opening.created,
    })
}
