//! A compartment as it was last opened, so that it opens fast the next time.
//!
//! ```text
//! Snapshots  chart 16 | tag 8 -> CBOR [[record id...], save, settled]
//! settled    zstd of CBOR [[Type/id, elements as a JSON object]...], where nothing in the
//!            compartment is in conflict
//! ```
//!
//! Derived: when it is lost, or when a record that it covers no longer counts, the compartment is
//! opened from its records.

use std::collections::BTreeSet;

use chartmesh_crdt::limits::MAX_DOCUMENT_BYTES;
use chartmesh_crdt::{ResourceKey, Settled};
use chartmesh_protocol::{ChartId, CompartmentTag, RecordId};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

use super::{ClinicError, items};
use crate::store::{Batch, Space, Store};

/// Fast rather than small: it is written while somebody waits for the chart.
const ZSTD_LEVEL: i32 = 1;

/// A saved document and the records that are in it.
pub(crate) struct Snapshot {
    pub(crate) covered: BTreeSet<RecordId>,
    pub(crate) save: Vec<u8>,
    /// What there is to read in it, where nothing is in conflict.
    pub(crate) settled: Option<Settled>,
}

/// A snapshot as it is stored.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Stored {
    #[n(0)]
    covered: Vec<RecordId>,
    #[n(1)]
    save: ByteVec,
    #[n(2)]
    settled: Option<ByteVec>,
}

/// The snapshot of a compartment. One that does not read is as good as none.
pub(crate) fn read(
    store: &Store,
    chart: &ChartId,
    tag: &CompartmentTag,
) -> Result<Option<Snapshot>, ClinicError> {
    Ok(stored(store, chart, tag)?.map(|stored| Snapshot {
        covered: stored.covered.into_iter().collect(),
        save: stored.save.into(),
        settled: None,
    }))
}

/// What there is to read in a compartment of which exactly these records count. `None` where that
/// is not kept: it was something else, or there is more to say than the resources.
pub(crate) fn settled(
    store: &Store,
    chart: &ChartId,
    tag: &CompartmentTag,
    counted: &BTreeSet<RecordId>,
) -> Result<Option<Settled>, ClinicError> {
    let Some(stored) = stored(store, chart, tag)? else {
        return Ok(None);
    };
    let same = stored.covered.iter().collect::<BTreeSet<_>>() == counted.iter().collect();
    let kept = stored.settled.filter(|_| same);
    Ok(kept.and_then(|kept| unpacked(&kept)))
}

fn stored(
    store: &Store,
    chart: &ChartId,
    tag: &CompartmentTag,
) -> Result<Option<Stored>, ClinicError> {
    let bytes = store.get(Space::Snapshots, &key(chart, tag))?;
    Ok(bytes.and_then(|bytes| minicbor::decode(&bytes).ok()))
}

pub(super) fn encoded(snapshot: &Snapshot) -> Result<Vec<u8>, ClinicError> {
    items::encode(&Stored {
        covered: snapshot.covered.iter().copied().collect(),
        save: ByteVec::from(snapshot.save.clone()),
        settled: snapshot.settled.as_ref().map(packed).transpose()?,
    })
}

#[cfg(test)]
pub(super) fn decoded(bytes: &[u8]) -> Option<Snapshot> {
    let stored: Stored = minicbor::decode(bytes).ok()?;
    Some(Snapshot {
        covered: stored.covered.into_iter().collect(),
        save: stored.save.into(),
        settled: stored.settled.and_then(|settled| unpacked(&settled)),
    })
}

fn packed(settled: &Settled) -> Result<ByteVec, ClinicError> {
    let entries = settled.entries();
    let entries: Vec<(&str, &str)> = entries.map(|(key, text)| (key.as_str(), text)).collect();
    let packed = zstd::bulk::compress(&items::encode(&entries)?, ZSTD_LEVEL);
    Ok(packed.map_err(ClinicError::fault)?.into())
}

fn unpacked(packed: &[u8]) -> Option<Settled> {
    let size = zstd::bulk::Decompressor::upper_bound(packed)?;
    let plain = zstd::bulk::decompress(packed, size.min(MAX_DOCUMENT_BYTES)).ok()?;
    let entries: Vec<(&str, &str)> = minicbor::decode(&plain).ok()?;
    let entries = entries.into_iter();
    let read = entries.map(|(key, text)| Some((key.parse::<ResourceKey>().ok()?, text.to_owned())));
    Some(Settled::from_entries(read.collect::<Option<Vec<_>>>()?))
}

/// Writes the snapshot of a compartment.
pub(crate) fn write(
    store: &Store,
    chart: &ChartId,
    tag: &CompartmentTag,
    snapshot: &Snapshot,
) -> Result<(), ClinicError> {
    let mut batch = Batch::new();
    batch.put(Space::Snapshots, key(chart, tag), encoded(snapshot)?);
    // Nobody waits for it: losing it costs only time.
    drop(store.commit_later(batch));
    Ok(())
}

fn key(chart: &ChartId, tag: &CompartmentTag) -> Vec<u8> {
    [chart.as_bytes().as_slice(), tag.as_bytes()].concat()
}
