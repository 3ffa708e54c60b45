//! What this node shares with one peer: consent applied to everything in the store.
//!
//! A node may hold a hundred thousand charts and meet a peer many times a day, so what follows
//! from consent is worked out once a change and kept: see [`table`] for where. At each look only
//! the charts are worked out anew that something has come for, or of which a grant has begun or
//! ended by itself.
//!
//! | file | what it is for |
//! |---|---|
//! | `chart` | the rules of one chart, and its shared items |
//! | `audience` | one clinic as a receiver of records |
//! | `table` | where all of it stands in the store |
//! | `parties` | which clinics a chart ever named |

mod audience;
mod chart;
pub(super) mod parties;
mod table;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use chartmesh_protocol::attachment::AttachmentPlace;
use chartmesh_protocol::reconcile::{Digest, FeedNumber, PairKey, SharedDigests};
use chartmesh_protocol::sync::{FeedEntry, ItemKind, Lane};
use chartmesh_protocol::{ChartId, ClinicId, NodeId};
use lru::LruCache;

pub(super) use audience::Audience;
pub(super) use chart::{next_turn, tags};

use super::items::{self, Arrival, Header, What};
use super::{Clinic, ClinicError};
use chart::{ChartShare, Pair};
pub(super) use table::SharedCharts;
use table::{Table, Whole};

/// Charts whose shares are kept at hand: items travel lane by lane, and a chart comes up again
/// soon after.
const RECENT_CHARTS: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// Changed charts after which they are written down: few enough to be worked out anew after a
/// power cut, many enough that writing is no cost.
const MAX_UNWRITTEN: usize = 512;
/// Arrivals that are taken in at a time: bounds the memory of the first look at a large store.
const ARRIVALS_AT_ONCE: usize = 4096;

/// Everything shared with one peer, by chart.
pub(super) struct Share {
    own: ClinicId,
    peer: ClinicId,
    key: PairKey,
    table: Table,
    whole: Whole,
    /// Changed and not written down yet.
    unwritten: BTreeMap<ChartId, Arc<ChartShare>>,
    recent: LruCache<ChartId, Arc<ChartShare>>,
    /// When the next grant of any chart begins or ends, in milliseconds since 1970.
    next_turn: Option<u64>,
}

impl Share {
    /// What is written down of a peer; from the beginning when it is of no use any more.
    fn open(
        clinic: &Clinic,
        node: NodeId,
        peer: ClinicId,
        key: PairKey,
    ) -> Result<Self, ClinicError> {
        let table = Table::of(node);
        let whole = match table.whole(&clinic.store)? {
            Some(whole) if whole.is_of(peer, clinic.certificates_known()) => whole,
            _ => {
                table.clear(&clinic.store)?;
                Whole::begin(peer, clinic.certificates_known())
            }
        };
        Ok(Self {
            own: clinic.clinic_id(),
            peer,
            key,
            next_turn: table.next_turn(&clinic.store)?,
            table,
            whole,
            unwritten: BTreeMap::new(),
            recent: LruCache::new(RECENT_CHARTS),
        })
    }

    /// Takes in what the store has accepted since the last time.
    pub(super) fn refresh(&mut self, clinic: &Clinic) -> Result<(), ClinicError> {
        if !self.whole.is_of(self.peer, clinic.certificates_known()) {
            // A node that was unknown may have signed what did not count until now.
            *self = Self::open(clinic, self.table.node(), self.peer, self.key.clone())?;
        }
        loop {
            let after = FeedNumber::new(self.whole.upto);
            let arrivals = items::arrivals(&clinic.store, after, ARRIVALS_AT_ONCE)?;
            let Some(last) = arrivals.last() else { break };
            let newest = last.feed;
            let mut by_chart: BTreeMap<ChartId, Vec<Arrival>> = BTreeMap::new();
            for arrival in arrivals {
                by_chart.entry(arrival.chart).or_default().push(arrival);
            }
            for (chart, arrivals) in by_chart {
                self.take(clinic, &chart, &arrivals)?;
            }
            self.whole.upto = newest;
        }
        let now = clinic.time_ms();
        if self.next_turn.is_some_and(|at| at <= now) {
            self.write(clinic)?;
            for chart in self.table.turned(&clinic.store, now)? {
                self.work_out(clinic, &chart)?;
            }
            self.write(clinic)?;
        }
        Ok(())
    }

    /// Takes in what came of one chart.
    fn take(
        &mut self,
        clinic: &Clinic,
        chart: &ChartId,
        arrivals: &[Arrival],
    ) -> Result<(), ClinicError> {
        // The clinic's own nodes share everything.
        if self.peer != self.own && !parties::names(&clinic.store, &self.peer, chart)? {
            return Ok(());
        }
        let mut records = Vec::with_capacity(arrivals.len());
        for arrival in arrivals {
            if let What::Record(header) = items::what(&clinic.store, arrival)? {
                records.push((arrival, header));
            }
        }
        let known = self.chart(clinic, chart)?;
        let (Some(known), true) = (known, records.len() == arrivals.len()) else {
            return self.work_out(clinic, chart);
        };
        if records
            .iter()
            .any(|(_, header)| known.is_changed_by(header))
        {
            return self.work_out(clinic, chart);
        }
        let mut share = ChartShare::clone(&known);
        let pair = pair(self.own, self.peer, &self.key);
        for (arrival, header) in records {
            share.add_record(clinic, pair, arrival.feed, &arrival.id, &header);
        }
        self.keep(clinic, *chart, share)
    }

    fn work_out(&mut self, clinic: &Clinic, chart: &ChartId) -> Result<(), ClinicError> {
        let share = ChartShare::of(clinic, chart, pair(self.own, self.peer, &self.key))?;
        self.keep(clinic, *chart, share)
    }

    fn keep(
        &mut self,
        clinic: &Clinic,
        chart: ChartId,
        share: ChartShare,
    ) -> Result<(), ClinicError> {
        let old = self.chart(clinic, &chart)?;
        if let Some(old) = &old {
            self.whole.digests = without(self.whole.digests, old.digests);
        }
        self.whole.extent = self.whole.extent.replace(old.as_deref(), &share);
        self.whole.digests = combine(self.whole.digests, share.digests);
        self.next_turn = self.next_turn.into_iter().chain(share.turns_at).min();
        let share = Arc::new(share);
        self.recent.put(chart, Arc::clone(&share));
        self.unwritten.insert(chart, share);
        if self.unwritten.len() >= MAX_UNWRITTEN {
            self.write(clinic)?;
        }
        Ok(())
    }

    /// Writes down what has changed. While the store takes no writes, it stays in memory.
    pub(super) fn write(&mut self, clinic: &Clinic) -> Result<(), ClinicError> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        match self
            .table
            .write(&clinic.store, &self.whole, &self.unwritten)
        {
            Ok(()) => self.unwritten.clear(),
            Err(error) => tracing::debug!(%error, "what is shared with a peer is not written down"),
        }
        self.next_turn = self.table.next_turn(&clinic.store)?;
        let turns = self.unwritten.values().filter_map(|share| share.turns_at);
        self.next_turn = self.next_turn.into_iter().chain(turns).min();
        Ok(())
    }

    fn chart(
        &mut self,
        clinic: &Clinic,
        chart: &ChartId,
    ) -> Result<Option<Arc<ChartShare>>, ClinicError> {
        if let Some(share) = self.unwritten.get(chart) {
            return Ok(Some(Arc::clone(share)));
        }
        if let Some(share) = self.recent.get(chart) {
            return Ok(Some(Arc::clone(share)));
        }
        let share = self.table.chart(&clinic.store, chart)?.map(Arc::new);
        if let Some(share) = &share {
            self.recent.put(*chart, Arc::clone(share));
        }
        Ok(share)
    }

    pub(super) fn digests(&self) -> SharedDigests {
        self.whole.digests
    }

    pub(super) fn newest(&self) -> FeedNumber {
        FeedNumber::new(self.whole.upto)
    }

    /// How many charts are shared, and how.
    pub(super) fn extent(&self) -> SharedCharts {
        self.whole.extent
    }

    /// What the peer may have with a feed number above `after`, or of a chart that was granted to
    /// it after that, in the order of the feed; see [`chartmesh_protocol::sync::Holdings::owed`].
    pub(super) fn owed(
        &mut self,
        clinic: &Clinic,
        after: FeedNumber,
        is_held: &dyn Fn(u64) -> bool,
    ) -> Result<Vec<FeedEntry>, ClinicError> {
        let mut owed: Vec<FeedEntry> = Vec::new();
        for chart in items::charts_since(&clinic.store, after)? {
            let Some(share) = self.chart(clinic, &chart)? else {
                continue;
            };
            let whole = share.granted > after.value();
            let mine = share
                .items
                .iter()
                .filter(|item| (whole || item.feed > after.value()) && !is_held(item.feed));
            for item in mine {
                // To who has followed so far, a compaction tells nothing new.
                let lane = if item.compacts && !whole {
                    Lane::Provenance
                } else {
                    item.lane
                };
                let entry = items::feed_entry(&clinic.store, item.feed, item.kind, lane)?;
                owed.extend(entry);
            }
        }
        owed.sort_unstable_by_key(|item| item.feed);
        Ok(owed)
    }

    /// Everything of a kind.
    pub(super) fn shared(
        &mut self,
        clinic: &Clinic,
        kind: ItemKind,
    ) -> Result<Vec<FeedEntry>, ClinicError> {
        self.write(clinic)?;
        let mut shared = Vec::new();
        let mut take = |share: &ChartShare| -> Result<(), ClinicError> {
            for item in share.items.iter().filter(|item| item.kind == kind) {
                shared.extend(items::feed_entry(
                    &clinic.store,
                    item.feed,
                    item.kind,
                    item.lane,
                )?);
            }
            Ok(())
        };
        for chart in self.table.charts(&clinic.store) {
            let (chart, share) = chart?;
            if !self.unwritten.contains_key(&chart) {
                take(&share)?;
            }
        }
        for share in self.unwritten.values() {
            take(share)?;
        }
        Ok(shared)
    }

    /// What ends a grant to the peer, and that it may not have heard of.
    pub(super) fn untold(
        &mut self,
        clinic: &Clinic,
        is_held: &dyn Fn(u64) -> bool,
    ) -> Result<Vec<FeedEntry>, ClinicError> {
        if self.whole.extent.ending == 0 {
            return Ok(Vec::new());
        }
        self.write(clinic)?;
        let mut feeds: Vec<u64> = Vec::new();
        for chart in self.table.charts(&clinic.store) {
            let (chart, share) = chart?;
            if !self.unwritten.contains_key(&chart) {
                feeds.extend(share.untold);
            }
        }
        for share in self.unwritten.values() {
            feeds.extend(&share.untold);
        }
        let mut untold = Vec::new();
        for feed in feeds.into_iter().filter(|feed| !is_held(*feed)) {
            let (kind, lane) = (ItemKind::Statement, Lane::Urgent);
            untold.extend(items::feed_entry(&clinic.store, feed, kind, lane)?);
        }
        untold.sort_unstable_by_key(|item| item.feed);
        Ok(untold)
    }

    /// Whether our clinic may have a record of a chart; none where the chart or the compartment is
    /// not shared with the peer at all.
    pub(super) fn receives(
        &mut self,
        clinic: &Clinic,
        chart: &ChartId,
        header: &Header,
    ) -> Result<Option<bool>, ClinicError> {
        let share = self.chart(clinic, chart)?;
        Ok(share.and_then(|share| share.receives(clinic, header)))
    }

    /// Whether the peer may have what belongs to a compartment now.
    pub(super) fn serves(
        &mut self,
        clinic: &Clinic,
        place: &AttachmentPlace,
    ) -> Result<bool, ClinicError> {
        let share = self.chart(clinic, &place.chart)?;
        Ok(share.is_some_and(|share| share.peer_reads(&place.compartment)))
    }

    /// Whether both clinics may have what belongs to a compartment now.
    pub(super) fn exchanges(
        &mut self,
        clinic: &Clinic,
        place: &AttachmentPlace,
    ) -> Result<bool, ClinicError> {
        let share = self.chart(clinic, &place.chart)?;
        Ok(share.is_some_and(|share| {
            share.peer_reads(&place.compartment) && share.own_reads(&place.compartment)
        }))
    }

    /// Whether an item of a chart is shared.
    pub(super) fn has(
        &mut self,
        clinic: &Clinic,
        chart: &ChartId,
        feed: FeedNumber,
    ) -> Result<bool, ClinicError> {
        let share = self.chart(clinic, chart)?;
        Ok(share.is_some_and(|share| share.has(feed.value())))
    }
}

impl Clinic {
    /// What is shared with a peer's node, one for everyone who asks.
    pub(super) fn share_with(
        &self,
        node: NodeId,
        peer: ClinicId,
        key: &PairKey,
    ) -> Result<Arc<Mutex<Share>>, ClinicError> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = shares.get(&node) {
            let same = known.lock().unwrap_or_else(PoisonError::into_inner).peer == peer;
            if same {
                return Ok(Arc::clone(known));
            }
        }
        let share = Share::open(self, node, peer, key.clone())?;
        let share = Arc::new(Mutex::new(share));
        shares.insert(node, Arc::clone(&share));
        Ok(share)
    }
}

fn pair(own: ClinicId, peer: ClinicId, key: &PairKey) -> Pair<'_> {
    Pair { own, peer, key }
}

fn combine(a: SharedDigests, b: SharedDigests) -> SharedDigests {
    SharedDigests {
        statements: Digest::combine(a.statements, b.statements),
        records: Digest::combine(a.records, b.records),
    }
}

fn without(a: SharedDigests, part: SharedDigests) -> SharedDigests {
    SharedDigests {
        statements: Digest::without(a.statements, part.statements),
        records: Digest::without(a.records, part.records),
    }
}
