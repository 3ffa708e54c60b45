//! Which charts hold records that do not count, without opening them.
//!
//! ```text
//! Held  chart 16 -> how many records, as a big-endian u32; nothing where there are none
//! ```
//!
//! It is noted whenever a chart's index card is made: all of its records are judged for that.

use chartmesh_protocol::ChartId;
use serde::{Deserialize, Serialize};

use super::cards::WAIT_FOR_CARDS_MS;
use super::{Clinic, ClinicError};
use crate::store::{Batch, Space};

/// Records that are kept and do not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldCharts {
    /// All of them.
    pub records: u64,
    /// How many charts have some.
    pub charts: u64,
}

impl HeldCharts {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }
}

/// Notes how many records of a chart are held.
pub(super) fn note(batch: &mut Batch, chart: &ChartId, records: usize) {
    let key = chart.as_bytes().to_vec();
    match u32::try_from(records).unwrap_or(u32::MAX) {
        0 => batch.delete(Space::Held, key),
        records => batch.put(Space::Held, key, records.to_be_bytes().to_vec()),
    };
}

impl Clinic {
    /// The charts with records that do not count.
    pub(super) fn charts_with_held(&self) -> Result<Vec<ChartId>, ClinicError> {
        self.refresh_cards_within(WAIT_FOR_CARDS_MS)?;
        let mut charts = Vec::new();
        for key in self.store.keys(Space::Held, &[]) {
            charts.extend(ChartId::try_from(key?.as_slice()).ok());
        }
        Ok(charts)
    }

    /// What is held, of the charts whose cards were made since something came for them.
    pub(super) fn held_charts(&self) -> Result<HeldCharts, ClinicError> {
        let mut held = HeldCharts::default();
        for pair in self.store.scan_prefix(Space::Held, &[]) {
            let (_, value) = pair?;
            if let Ok(records) = <[u8; 4]>::try_from(value.as_slice()) {
                held.records += u64::from(u32::from_be_bytes(records));
                held.charts += 1;
            }
        }
        Ok(held)
    }

    /// The same once some of what came was looked at: nobody does so while no node runs.
    pub(super) fn held_charts_by_now(&self) -> Result<HeldCharts, ClinicError> {
        self.refresh_cards_within(WAIT_FOR_CARDS_MS)?;
        self.held_charts()
    }
}
