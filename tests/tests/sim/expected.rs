//! What has to be so, kept beside the clinics and without asking them: who was let do what, what
//! was written, and what may have been lost.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_protocol::ledger::CompartmentName;
use chartmesh_protocol::{ChartId, CompartmentTag, RecordId, StatementId};

/// A patient's chart.
#[derive(Debug, Clone)]
pub(crate) struct Chart {
    pub(crate) id: ChartId,
    /// Its id as people type it.
    pub(crate) text: String,
    /// The id of the FHIR Patient.
    pub(crate) patient: String,
    /// The clinic that keeps it.
    pub(crate) home: usize,
}

/// A grant that was signed.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) id: StatementId,
    pub(crate) chart: usize,
    pub(crate) by: usize,
    pub(crate) to: usize,
    /// None for all.
    pub(crate) compartments: Option<BTreeSet<CompartmentName>>,
    pub(crate) from_now_on: bool,
    pub(crate) expires_ms: Option<u64>,
    /// Its revocation.
    pub(crate) revoked: Option<StatementId>,
    /// Whether its revocation was lost with what only its signer had.
    pub(crate) reopened: bool,
    /// When it was signed, in the order of all that happened.
    pub(crate) order: u64,
}

impl Grant {
    /// Whether a compartment is among what was granted.
    pub(crate) fn covers(&self, name: &CompartmentName) -> bool {
        self.compartments
            .as_ref()
            .is_none_or(|names| names.contains(name))
    }
}

/// A save that a clinic acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Save {
    pub(crate) at: usize,
    pub(crate) chart: usize,
    pub(crate) compartment: CompartmentName,
    /// The resource that it made; none where one was written over.
    pub(crate) resource: Option<String>,
    /// The records that it became.
    pub(crate) records: BTreeSet<RecordId>,
    /// Clinics that had been let read there and, as the writer knew, no more were.
    pub(crate) barred: Vec<usize>,
    /// When, in the order of all that happened.
    pub(crate) order: u64,
}

/// One of the things that are written over and over: an element, or an atomic resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Written {
    pub(crate) chart: usize,
    pub(crate) allergy: bool,
}

/// The values that a thing was given, each recognised by a mark of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values {
    /// Each mark, and those that its writer saw and replaced.
    pub(crate) replaced: BTreeMap<u64, BTreeSet<u64>>,
    /// Whether a person decided a conflict: then one mark stands for two writings.
    pub(crate) decided: bool,
}

impl Values {
    /// The marks that no other replaced: they have to be shown, all of them.
    pub(crate) fn current(&self) -> BTreeSet<u64> {
        let replaced: BTreeSet<u64> = self.replaced.values().flatten().copied().collect();
        let all = self.replaced.keys();
        all.filter(|mark| !replaced.contains(mark))
            .copied()
            .collect()
    }
}

/// Everything that has to be so.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) charts: Vec<Chart>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) saves: Vec<Save>,
    pub(crate) values: BTreeMap<Written, Values>,
    /// Items that each clinic has said to hold durably.
    pub(crate) held: Vec<BTreeSet<[u8; 32]>>,
    /// Charts of which a restored copy, and nobody else, has lost something.
    pub(crate) wounded: BTreeSet<usize>,
    /// The compartments of charts by their tags, from clinics that have the key.
    pub(crate) names: BTreeMap<(ChartId, CompartmentTag), CompartmentName>,
    order: u64,
}

impl Expected {
    /// The next place in the order of all that happens.
    pub(crate) fn next_order(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    /// Which of the charts this is.
    pub(crate) fn chart_of(&self, id: &ChartId) -> Option<usize> {
        self.charts.iter().position(|chart| chart.id == *id)
    }

    /// Whether a clinic was ever let read a compartment.
    pub(crate) fn ever_granted(&self, chart: usize, to: usize, name: &CompartmentName) -> bool {
        let mut grants = self.grants.iter();
        grants.any(|grant| grant.chart == chart && grant.to == to && grant.covers(name))
    }
}
