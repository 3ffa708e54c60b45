//! Proof by trial: records of one clinic put to every key of another.
//!
//! Nobody reads a chart this way. It shows what a clinic could make of records that came into its
//! hands past the network, such as by a stolen disk.

use std::collections::BTreeSet;

use chartmesh_protocol::ChartId;
use chartmesh_protocol::ledger::CompartmentName;
use chartmesh_protocol::seal::VerifiedRecord;
use chartmesh_protocol::sync::ItemKind;

use super::{Clinic, ClinicError, items};

/// What came of a trial.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Trial {
    /// Keys that were tried on each record: all that the clinic can unwrap, of every chart.
    pub(crate) keys: usize,
    /// Records that one of them opened.
    pub(crate) opened: usize,
}

impl Clinic {
    /// The records of a chart as they lie here, sealed, oldest first.
    pub(crate) fn sealed_records(
        &self,
        chart: &ChartId,
    ) -> Result<Vec<VerifiedRecord>, ClinicError> {
        let damaged = |reason: String| ClinicError::Unreadable {
            chart: *chart,
            reason,
        };
        let mut records = Vec::new();
        for item in items::of_chart(&self.store, chart, ItemKind::Record)? {
            let bytes = items::bytes(&self.store, &item.id)?
                .ok_or_else(|| damaged(format!("record {} is missing", item.id)))?;
            let record = VerifiedRecord::decode(&bytes);
            records.push(record.map_err(|error| damaged(error.to_string()))?);
        }
        Ok(records)
    }

    /// Tries every key of this clinic on every record.
    pub(crate) fn try_keys(&self, records: &[VerifiedRecord]) -> Result<Trial, ClinicError> {
        let mut keys = Vec::new();
        for chart in self.all_charts()? {
            let ledger = self.ledger(&chart)?;
            let names: BTreeSet<CompartmentName> = ledger
                .epochs()
                .map(|(_, epoch)| epoch.compartment.clone())
                .collect();
            for name in names {
                let ring = self.keys_of(&ledger, &name);
                keys.extend(ring.epochs().filter_map(|epoch| ring.get(&epoch).cloned()));
            }
        }
        let opens = |record: &&VerifiedRecord| keys.iter().any(|key| record.opens_with(key));
        Ok(Trial {
            keys: keys.len(),
            opened: records.iter().filter(opens).count(),
        })
    }
}
