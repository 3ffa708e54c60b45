//! Where it stands what is shared with a peer.
//!
//! ```text
//! Shares  node 32                                -> Whole
//! Shares  node 32 | 'c' | chart 16               -> ChartShare
//! Shares  node 32 | 't' | time 8 | chart 16      -> empty: a grant begins or ends then
//! ```
//!
//! The digests of the whole are the sum of those of the charts, in every state that a power cut
//! may leave behind: both are written in one batch. What the whole does not cover yet is worked
//! out again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chartmesh_protocol::reconcile::SharedDigests;
use chartmesh_protocol::{ChartId, ClinicId, NodeId};
use minicbor::{Decode, Encode};

use super::chart::{ChartShare, Extent};
use crate::clinic::{ClinicError, items};
use crate::store::{Batch, Space, Store};

/// The rules by which shares are worked out; another number makes all of them anew.
const RULES: u32 = 6;
/// Keys that are deleted in one batch: far below what a batch may hold.
const DELETED_AT_ONCE: usize = 4096;

const CHART: u8 = b'c';
const TURN: u8 = b't';
const TIME_LEN: usize = 8;

/// What is shared with a peer, taken together.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(super) struct Whole {
    #[n(0)]
    rules: u32,
    /// The peer's clinic when this was worked out.
    #[n(1)]
    clinic: ClinicId,
    /// How many nodes' certificates were known then: they decide which statements count.
    #[n(2)]
    certificates: u64,
    /// The newest feed number that is covered.
    #[n(3)]
    pub(super) upto: u64,
    #[n(4)]
    pub(super) digests: SharedDigests,
    #[n(5)]
    pub(super) extent: SharedCharts,
}

/// How many charts are shared with a peer, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(in crate::clinic) struct SharedCharts {
    /// Those of which the peer may have all that our clinic wrote.
    #[n(0)]
    pub(in crate::clinic) whole: u64,
    /// Those of which it may have some of that.
    #[n(1)]
    pub(in crate::clinic) in_part: u64,
    /// Those with statements that end a grant and that are not shared any more.
    #[n(2)]
    pub(in crate::clinic) ending: u64,
}

impl SharedCharts {
    /// What one chart counts for.
    fn of(share: &ChartShare) -> Self {
        let extent = share.extent();
        Self {
            whole: u64::from(extent == Extent::Whole),
            in_part: u64::from(extent == Extent::Part),
            ending: u64::from(!share.untold.is_empty()),
        }
    }

    /// One chart counts for something else than before.
    pub(super) fn replace(self, old: Option<&ChartShare>, new: &ChartShare) -> Self {
        let (old, new) = (old.map(Self::of).unwrap_or_default(), Self::of(new));
        let count = |all: u64, old: u64, new: u64| all.saturating_sub(old).saturating_add(new);
        Self {
            whole: count(self.whole, old.whole, new.whole),
            in_part: count(self.in_part, old.in_part, new.in_part),
            ending: count(self.ending, old.ending, new.ending),
        }
    }
}

impl Whole {
    pub(super) fn begin(clinic: ClinicId, certificates: u64) -> Self {
        Self {
            rules: RULES,
            clinic,
            certificates,
            upto: 0,
            digests: SharedDigests::default(),
            extent: SharedCharts::default(),
        }
    }

    /// Whether it is worth anything for this clinic while so many certificates are known.
    pub(super) fn is_of(&self, clinic: ClinicId, certificates: u64) -> bool {
        (self.rules, self.clinic, self.certificates) == (RULES, clinic, certificates)
    }
}

/// The part of the store that is about one peer's node.
pub(super) struct Table(NodeId);

impl Table {
    pub(super) fn of(node: NodeId) -> Self {
        Self(node)
    }

    pub(super) fn node(&self) -> NodeId {
        self.0
    }

    pub(super) fn whole(&self, store: &Store) -> Result<Option<Whole>, ClinicError> {
        let bytes = store.get(Space::Shares, self.0.as_bytes())?;
        // What does not read is derived, and made anew.
        Ok(bytes.and_then(|bytes| minicbor::decode(&bytes).ok()))
    }

    pub(super) fn chart(
        &self,
        store: &Store,
        chart: &ChartId,
    ) -> Result<Option<ChartShare>, ClinicError> {
        let bytes = store.get(Space::Shares, &self.chart_key(chart))?;
        let read = |bytes: Vec<u8>| minicbor::decode(&bytes).map_err(ClinicError::fault);
        bytes.map(read).transpose()
    }

    /// Every chart that anything is known of, in the order of their ids.
    pub(super) fn charts(
        &self,
        store: &Store,
    ) -> impl Iterator<Item = Result<(ChartId, ChartShare), ClinicError>> {
        let prefix = self.prefix(CHART);
        let length = prefix.len();
        store.scan_prefix(Space::Shares, &prefix).map(move |pair| {
            let (key, value) = pair?;
            let chart = ChartId::try_from(key.get(length..).unwrap_or_default())
                .map_err(ClinicError::fault)?;
            Ok((chart, minicbor::decode(&value).map_err(ClinicError::fault)?))
        })
    }

    /// When the next grant begins or ends.
    pub(super) fn next_turn(&self, store: &Store) -> Result<Option<u64>, ClinicError> {
        let prefix = self.prefix(TURN);
        let first = store.keys(Space::Shares, &prefix).next().transpose()?;
        Ok(first.and_then(|key| time_of(&key, prefix.len())))
    }

    /// The charts of which a grant has begun or ended by now.
    pub(super) fn turned(
        &self,
        store: &Store,
        now_ms: u64,
    ) -> Result<BTreeSet<ChartId>, ClinicError> {
        let prefix = self.prefix(TURN);
        let mut charts = BTreeSet::new();
        for key in store.keys(Space::Shares, &prefix) {
            let key = key?;
            if time_of(&key, prefix.len()).is_none_or(|at| at > now_ms) {
                break;
            }
            let chart = key.get(prefix.len() + TIME_LEN..).unwrap_or_default();
            charts.extend(ChartId::try_from(chart).ok());
        }
        Ok(charts)
    }

    /// Writes charts and the whole in one batch, and waits for it: what is read later must be
    /// this.
    pub(super) fn write(
        &self,
        store: &Store,
        whole: &Whole,
        charts: &BTreeMap<ChartId, Arc<ChartShare>>,
    ) -> Result<(), ClinicError> {
        let mut batch = Batch::new();
        for (chart, share) in charts {
            let before = self.chart(store, chart)?.and_then(|old| old.turns_at);
            if before != share.turns_at {
                if let Some(at) = before {
                    batch.delete(Space::Shares, self.turn_key(at, chart));
                }
                if let Some(at) = share.turns_at {
                    batch.put(Space::Shares, self.turn_key(at, chart), Vec::new());
                }
            }
            batch.put(
                Space::Shares,
                self.chart_key(chart),
                items::encode(share.as_ref())?,
            );
        }
        batch.put(
            Space::Shares,
            self.0.as_bytes().to_vec(),
            items::encode(whole)?,
        );
        store.commit(batch)?;
        Ok(())
    }

    /// Forgets everything: it is worked out anew.
    pub(super) fn clear(&self, store: &Store) -> Result<(), ClinicError> {
        delete_all(store, Space::Shares, self.0.as_bytes())
    }

    fn prefix(&self, part: u8) -> Vec<u8> {
        [self.0.as_bytes().as_slice(), &[part]].concat()
    }

    fn chart_key(&self, chart: &ChartId) -> Vec<u8> {
        [self.prefix(CHART).as_slice(), chart.as_bytes()].concat()
    }

    fn turn_key(&self, at_ms: u64, chart: &ChartId) -> Vec<u8> {
        let time = at_ms.to_be_bytes();
        [self.prefix(TURN).as_slice(), &time, chart.as_bytes()].concat()
    }
}

/// The time in a key of a turn.
fn time_of(key: &[u8], prefix: usize) -> Option<u64> {
    items::number(key.get(prefix..)?.get(..TIME_LEN)?)
}

/// Deletes every key of a space that begins so. The whole of a peer goes first, so that a power
/// cut in between leaves nothing that counts.
pub(super) fn delete_all(store: &Store, space: Space, prefix: &[u8]) -> Result<(), ClinicError> {
    loop {
        let mut batch = Batch::new();
        let mut found = 0;
        for key in store.keys(space, prefix).take(DELETED_AT_ONCE) {
            batch.delete(space, key?);
            found += 1;
        }
        if found == 0 {
            return Ok(());
        }
        store.commit(batch)?;
    }
}
