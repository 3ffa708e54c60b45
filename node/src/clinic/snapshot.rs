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
    let decoded: Result<(Vec<RecordId>, ByteVec), _> = minicbor::decode(&bytes);
    Ok(decoded.ok().map(|(covered, save)| Snapshot {
        covered: covered.into_iter().collect(),
        save: save.into(),
    }))
}

/// Writes the snapshot of a compartment.
pub(crate) fn write(
    store: &Store,
    chart: &ChartId,
    tag: &CompartmentTag,
    snapshot: &Snapshot,
) -> Result<(), ClinicError> {
    let covered: Vec<RecordId> = snapshot.covered.iter().copied().collect();
    let value = items::encode(&(covered, ByteVec::from(snapshot.save.clone())))?;
    let mut batch = Batch::new();
    batch.put(Space::Snapshots, key(chart, tag), value);
    // Nobody waits for it: losing it costs only time.
    drop(store.commit_later(batch));
    Ok(())
}

fn key(chart: &ChartId, tag: &CompartmentTag) -> Vec<u8> {
    [chart.as_bytes().as_slice(), tag.as_bytes()].concat()
}
