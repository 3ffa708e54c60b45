//! When a compaction is made.
//!
//! It goes to every clinic that reads there, and most of them have the records already. So it is
//! made when it has become worth that, and not by everybody at once:
//!
//! - by the clinic whose save was the one too many: after 32 records that no compaction covers, or
//!   64 KiB of them, and once these are twice as large as the last compaction. So all compactions
//!   of a compartment together never cost as much as its records;
//! - by a clinic that grants a new reader the whole history, who would otherwise be sent each
//!   record: as soon as a few records are left over.
//!
//! What was imported is packed in large records already and gains nothing.
//!
//! A save is acknowledged first; the compaction is made in idle time, or when the command ends.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use chartmesh_protocol::ledger::{CompartmentName, Compartments, Extent};
use chartmesh_protocol::{ChartId, CompartmentTag};

use super::check::Compartment;
use super::known::Found;
use crate::clinic::items::Marked;
use crate::clinic::records::Listed;
use crate::clinic::{Clinic, ClinicError};

/// Records that no compaction covers, and their bytes, after which one is made.
const LOOSE_RECORDS: usize = 32;
const LOOSE_BYTES: usize = 64 * 1024;
/// How many times as large as the last compaction these are by then.
const LOOSE_TO_LAST: usize = 2;
/// The mean length of a record above which it is one of an import: packed together already, so
/// that a compaction would be as large.
const LARGE_RECORD_BYTES: usize = 4 * 1024;
/// Records that no compaction covers after which one is made for a new reader; in a chart that has
/// [`LOOSE_RECORDS`] of them in all, fewer will do in each compartment.
const LOOSE_FOR_READER: usize = 8;
const FEW_FOR_READER: usize = 2;
/// Fewer than these are enough, too, when their bytes are more than this part of the last
/// compaction: one in so many.
const LAST_TO_LOOSE_FOR_READER: usize = 20;

/// Why a compaction might be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// Records were saved here.
    Saved,
    /// Somebody was let read everything.
    NewReader,
}

impl Clinic {
    /// Notes that records of charts were saved.
    pub(crate) fn saved_records(&self, charts: Vec<ChartId>) {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        saved.extend(charts);
    }

    /// Compacts what has become due by what was saved, and says how many compartments it did.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be read or written. A chart that cannot be
    /// read is passed over.
    pub fn compact_saved(&self) -> Result<usize, ClinicError> {
        self.compact_saved_until(&|| false)
    }

    /// The same, until it is over: what is left becomes due again with the next save.
    ///
    /// # Errors
    /// As [`compact_saved`](Self::compact_saved).
    pub(crate) fn compact_saved_until(
        &self,
        is_over: &dyn Fn() -> bool,
    ) -> Result<usize, ClinicError> {
        let saved = {
            let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *saved)
        };
        let mut made = 0;
        for chart in saved {
            if is_over() {
                break;
            }
            match self.compact(&chart, |_| true, Occasion::Saved) {
                Ok(one) => made += one,
                Err(error @ ClinicError::Store(_)) => return Err(error),
                Err(error) => tracing::warn!(%error, "a chart is not compacted"),
            }
        }
        Ok(made)
    }

    /// Compacts a chart for a new reader of its history, who gets each compartment in one record
    /// then. Where that fails it comes in many: no reason to refuse a grant.
    pub(crate) fn compact_for_reader(&self, chart: &ChartId, granted: &Compartments) {
        let covered = |name: &CompartmentName| granted.covers(name);
        if let Err(error) = self.compact(chart, covered, Occasion::NewReader) {
            tracing::warn!(%error, "a chart is not compacted for its new reader");
        }
    }

    /// How many records of changes a chart has, when one of its compartments may be due.
    pub(super) fn long_enough(
        &self,
        chart: &ChartId,
        occasion: Occasion,
    ) -> Result<Option<usize>, ClinicError> {
        let mut loose: BTreeMap<CompartmentTag, usize> = BTreeMap::new();
        let mut compacted = false;
        for one in self.records(chart)? {
            match one.header.marked {
                Some(Marked::Compaction) => compacted = true,
                Some(Marked::Manifest) => {}
                None => *loose.entry(one.header.tag).or_default() += 1,
            }
        }
        let total = loose.values().sum();
        let least = match occasion {
            Occasion::Saved => LOOSE_BYTES / LARGE_RECORD_BYTES,
            Occasion::NewReader if compacted => FEW_FOR_READER,
            Occasion::NewReader => least_for_reader(total),
        };
        Ok(loose.values().any(|count| *count >= least).then_some(total))
    }

    /// Whether a compartment is to be compacted, in a chart with so many records of changes. `last`
    /// are the bytes of the compactions that it has.
    pub(super) fn is_due(
        &self,
        compartment: &Compartment<'_>,
        found: &[Found],
        total: usize,
        last: usize,
        occasion: Occasion,
    ) -> Result<bool, ClinicError> {
        let loose = loose(compartment.records, found);
        let mut bytes = 0;
        for one in &loose {
            bytes += self.record(&compartment.chart, &one.id)?.as_bytes().len();
        }
        if bytes > loose.len().saturating_mul(LARGE_RECORD_BYTES) {
            return Ok(false);
        }
        Ok(match occasion {
            Occasion::Saved => {
                let many = loose.len() >= LOOSE_RECORDS || bytes >= LOOSE_BYTES;
                many && bytes >= last.saturating_mul(LOOSE_TO_LAST)
            }
            Occasion::NewReader => {
                let left_over = bytes.saturating_mul(LAST_TO_LOOSE_FOR_READER) > last;
                if last > 0 {
                    !loose.is_empty() && left_over
                } else {
                    loose.len() >= least_for_reader(total)
                }
            }
        })
    }

    /// The bytes of the compactions that none of the others covers.
    pub(super) fn base_bytes(
        &self,
        compartment: &Compartment<'_>,
        found: &[Found],
    ) -> Result<usize, ClinicError> {
        let mut bytes = 0;
        for one in found {
            let mut others = found.iter().filter(|other| other.record != one.record);
            if !others.any(|other| other.includes(one)) {
                bytes += self
                    .record(&compartment.chart, &one.record)?
                    .as_bytes()
                    .len();
            }
        }
        Ok(bytes)
    }
}

/// How many records that no compaction covers are enough for a new reader, in a chart with so many
/// records of changes.
fn least_for_reader(total: usize) -> usize {
    if total >= LOOSE_RECORDS {
        FEW_FOR_READER
    } else {
        LOOSE_FOR_READER
    }
}

/// The records of changes that no compaction covers, by their places.
fn loose<'a>(records: &'a [Listed], found: &[Found]) -> Vec<&'a Listed> {
    let covered = Extent::of(found.iter().flat_map(|one| &one.finding.coverage));
    let is_loose = |one: &&Listed| one.header.marked.is_none() && !covered.holds(one.place());
    records.iter().filter(is_loose).collect()
}
