//! A compartment as it was last opened, so that it opens fast the next time.
//!
//! ```text
//! Snapshots  chart 16 | tag 8 -> CBOR [[record id...], save]
//! ```
//!
//! Derived: when it is lost, or when a record that it covers no longer counts, the compartment is
//! opened from its records.

use std::collections::BTreeSet;

use chartmesh_protocol::{ChartId, CompartmentTag, RecordId};
use minicbor::bytes::ByteVec;

use super::{ClinicError, items};
use crate::store::{Batch, Space, Store};

/// A saved document and the records that are in it.
pub(crate) struct Snapshot {
    pub(crate) covered: BTreeSet<RecordId>,
    pub(crate) save: Vec<u8>,
}

/// The snapshot of a compartment. One that does not read is as good as none.
pub(crate) fn read(
    store: &Store,
    chart: &ChartId,
    tag: &CompartmentTag,
) -> Result<Option<Snapshot>, ClinicError> {
    let Some(bytes) = store.get(Space::Snapshots, &key(chart, tag))? else {
        return Ok(None);
    };
    Ok(decoded(&bytes))
}

pub(super) fn decoded(bytes: &[u8]) -> Option<Snapshot> {
    let (covered, save): (Vec<RecordId>, ByteVec) = minicbor::decode(bytes).ok()?;
    Some(Snapshot {
        covered: covered.into_iter().collect(),
        save: save.into(),
    })
}

pub(super) fn encoded(covered: &BTreeSet<RecordId>, save: &[u8]) -> Result<Vec<u8>, ClinicError> {
    let covered: Vec<RecordId> = covered.iter().copied().collect();
    items::encode(&(covered, ByteVec::from(save.to_vec())))
}

/// Writes the snapshot of a compartment.
pub(crate) fn write(
    store: &Store,
    chart: &ChartId,
    tag: &CompartmentTag,
    snapshot: &Snapshot,
) -> Result<(), ClinicError> {
    let value = encoded(&snapshot.covered, &snapshot.save)?;
    let mut batch = Batch::new();
    batch.put(Space::Snapshots, key(chart, tag), value);
    // Nobody waits for it: losing it costs only time.
    drop(store.commit_later(batch));
    Ok(())
}

fn key(chart: &ChartId, tag: &CompartmentTag) -> Vec<u8> {
    [chart.as_bytes().as_slice(), tag.as_bytes()].concat()
}
