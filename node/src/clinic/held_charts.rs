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

/// Charts that are named: more than a person goes through in a day.
const MAX_NAMED: usize = 100;

/// Records that are kept and do not count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldCharts {
    /// All of them.
    pub records: u64,
    /// How many charts have some.
    pub charts: u64,
    /// These, but for those behind the first hundred.
    pub of: Vec<HeldChart>,
}

/// A chart that has such records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldChart {
    /// The chart.
    pub id: ChartId,
    /// Its records that do not count.
    pub records: u64,
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
    /// What is held, of the charts whose cards were made since something came for them.
    pub(super) fn held_charts(&self) -> Result<HeldCharts, ClinicError> {
        let mut held = HeldCharts::default();
        for pair in self.store.scan_prefix(Space::Held, &[]) {
            let (key, value) = pair?;
            let chart = ChartId::try_from(key.as_slice()).ok();
            let records = <[u8; 4]>::try_from(value.as_slice()).ok();
            let Some((id, records)) = chart.zip(records) else {
                continue;
            };
            let records = u64::from(u32::from_be_bytes(records));
            held.records += records;
            held.charts += 1;
            if held.of.len() < MAX_NAMED {
                held.of.push(HeldChart { id, records });
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
