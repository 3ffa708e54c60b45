//! What a clinic holds, counted without opening anything: for whoever checks from outside that
//! no more came here than consent allows, and that nothing was lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chartmesh_protocol::ledger::{CompartmentName, Ledger};
use chartmesh_protocol::reconcile::ItemId;
use chartmesh_protocol::sync::ItemKind;
use chartmesh_protocol::{ChartId, CompartmentTag, EpochId, NodeId, RecordId, StatementId};

use super::items::{self, What};
use super::share;
use super::{Clinic, ClinicError};
use crate::store::Space;

/// What a clinic holds of one chart.
#[derive(Debug, Clone)]
pub struct ChartInventory {
    /// The statements.
    pub statements: BTreeSet<StatementId>,
    /// The records, whether or not they can be opened here.
    pub records: BTreeMap<RecordId, RecordPlace>,
    /// The ledger that the statements make.
    pub ledger: Arc<Ledger>,
    /// The compartments whose names are known here. A clinic that has no key of the chart knows
    /// none.
    pub names: BTreeMap<CompartmentTag, CompartmentName>,
}

/// What the clear header of a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPlace {
    /// The compartment.
    pub tag: CompartmentTag,
    /// The node that wrote it.
    pub author: NodeId,
    /// The epoch that it is sealed under.
    pub epoch: EpochId,
    /// Whether it holds changes; a compaction or a part of a manifest otherwise.
    pub of_changes: bool,
}

impl Clinic {
    /// What this clinic holds, by chart.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be read.
    pub fn inventory(&self) -> Result<BTreeMap<ChartId, ChartInventory>, ClinicError> {
        let charts = self.all_charts()?.into_iter();
        charts
            .map(|chart| Ok((chart, self.chart_inventory(&chart)?)))
            .collect()
    }

    /// What this clinic holds of one chart; nothing of one that it does not know.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be read.
    pub fn chart_inventory(&self, chart: &ChartId) -> Result<ChartInventory, ClinicError> {
        let statements = items::of_chart(&self.store, chart, ItemKind::Statement)?;
        let records = items::of_chart(&self.store, chart, ItemKind::Record)?;
        let ledger = self.ledger(chart)?;
        let place = |item: items::Listed| match item.entry.what {
            What::Statement => None,
            What::Record(header) => Some((
                RecordId::new(*item.id.as_bytes()),
                RecordPlace {
                    tag: header.tag,
                    author: header.author,
                    epoch: header.epoch,
                    of_changes: header.marked.is_none(),
                },
            )),
        };
        Ok(ChartInventory {
            statements: statements
                .iter()
                .map(|item| StatementId::new(*item.id.as_bytes()))
                .collect(),
            records: records.into_iter().filter_map(place).collect(),
            names: share::tags(self, &ledger),
            ledger,
        })
    }

    /// Whether this clinic holds a statement or a record.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be read.
    pub fn holds(&self, id: &ItemId) -> Result<bool, ClinicError> {
        Ok(self.store.contains(Space::Items, id.as_bytes())?)
    }
}
