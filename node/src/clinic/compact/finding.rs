//! What was found of a compaction, kept so that it is checked once.
//!
//! ```text
//! Compactions  chart 16 | tag 8 | record 32 -> Finding
//! ```
//!
//! Derived: a finding follows from the compaction and its manifests, which never change, and from
//! the records that have come. When it is lost, it is found again.

use chartmesh_protocol::ledger::{CoveredRecord, FrontierTip};
use chartmesh_protocol::{ChartId, ClinicId, CompartmentTag, RecordId};
use minicbor::{Decode, Encode};

use crate::clinic::{ClinicError, items};
use crate::store::{Batch, Space, Store};

/// What was found of a compaction.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Finding {
    /// For each author the newest record that it says it covers. Empty where it does not read.
    #[n(0)]
    pub(crate) coverage: Vec<FrontierTip>,
    /// The records that hold its manifest.
    #[n(1)]
    pub(crate) manifest: Vec<RecordId>,
    #[n(2)]
    pub(crate) state: State,
}

/// How far a compaction is proven.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum State {
    /// It is sound by itself, and its manifest has not come yet: its author attests it.
    #[n(0)]
    Attested,
    /// Its manifest proves it.
    #[n(1)]
    Proven(#[n(0)] Proof),
    /// It is not what it has to be, for this reason: it is kept and not read.
    #[n(2)]
    Faulty(#[n(0)] String),
}

/// What a manifest has proven.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Proof {
    /// The covered records, by author and place.
    #[n(0)]
    pub(crate) covered: Vec<CoveredRecord>,
    /// For each author and user, the clinics that certified both.
    #[n(1)]
    pub(crate) vouchers: Vec<Vec<ClinicId>>,
    /// Up to this feed number the records that are here were compared with it.
    #[n(2)]
    pub(crate) compared: u64,
    /// Those among them that contradict it.
    #[n(3)]
    pub(crate) against: Vec<RecordId>,
}

/// Where the finding of a compaction stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key(
    pub(super) ChartId,
    pub(super) CompartmentTag,
    pub(super) RecordId,
);

impl Key {
    fn bytes(&self) -> Vec<u8> {
        let Self(chart, tag, record) = self;
        [
            chart.as_bytes().as_slice(),
            tag.as_bytes(),
            record.as_bytes(),
        ]
        .concat()
    }
}

/// What is kept of a compaction. What does not read is as good as nothing.
pub(super) fn read(store: &Store, key: Key) -> Result<Option<Finding>, ClinicError> {
    let bytes = store.get(Space::Compactions, &key.bytes())?;
    Ok(bytes.and_then(|bytes| minicbor::decode(&bytes).ok()))
}

/// Keeps a finding.
pub(super) fn write(store: &Store, key: Key, finding: &Finding) -> Result<(), ClinicError> {
    let mut batch = Batch::new();
    put(&mut batch, key, finding)?;
    // Nobody waits for it: losing it costs only time.
    drop(store.commit_later(batch));
    Ok(())
}

/// Keeps a finding with what else a batch writes.
pub(super) fn put(batch: &mut Batch, key: Key, finding: &Finding) -> Result<(), ClinicError> {
    batch.put(Space::Compactions, key.bytes(), items::encode(finding)?);
    Ok(())
}
