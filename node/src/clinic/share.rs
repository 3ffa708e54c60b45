//! What this node shares with one peer: consent applied to everything in the store.
//!
//! An item is shared when both clinics may have it. A clinic may have a statement that the ledger
//! entitles it to, and a record of a compartment that it may read or that it wrote itself. Both
//! sides compute this from their own part of the ledger and come to the same set, which is what
//! the digests compare.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_protocol::ledger::{Body, CertificateBook, CompartmentName, Decision, Grant, Ledger};
use chartmesh_protocol::reconcile::{Digest, FeedNumber, PairKey, SharedDigests};
use chartmesh_protocol::sync::{FeedEntry, ItemKind, Lane};
use chartmesh_protocol::{ChartId, ClinicId, CompartmentTag, EpochId, StatementId};

use super::items::{self, Header, What};
use super::{Clinic, ClinicError};

/// Everything shared with one peer, by chart.
pub(super) struct Share {
    charts: BTreeMap<ChartId, ChartShare>,
    digests: SharedDigests,
    upto: FeedNumber,
    /// When grants begin or end by themselves: what is shared of their charts changes then.
    turns: BTreeSet<(u64, ChartId)>,
}

/// What is shared of one chart.
#[derive(Default)]
struct ChartShare {
    items: Vec<FeedEntry>,
    digests: SharedDigests,
    /// The feed number of the newest grant to the peer: since then, older items are owed too.
    granted: u64,
    /// When the next grant of the chart begins or ends, in milliseconds since 1970.
    turns_at: Option<u64>,
}

impl Share {
    /// Nothing, until a peer's clinic is known.
    pub(super) fn empty() -> Self {
        Self {
            charts: BTreeMap::new(),
            digests: SharedDigests::default(),
            upto: FeedNumber::START,
            turns: BTreeSet::new(),
        }
    }

    /// Takes in what the store has accepted since the last time.
    pub(super) fn refresh(
        &mut self,
        clinic: &Clinic,
        peer: &ClinicId,
        key: &PairKey,
    ) -> Result<(), ClinicError> {
        let (mut charts, newest) = items::charts_since(&clinic.store, self.upto)?;
        let now = clinic.time_ms();
        let turned = self.turns.iter().take_while(|(at, _)| *at <= now);
        charts.extend(turned.map(|(_, chart)| *chart));
        for chart in charts {
            let share = ChartShare::of(clinic, &chart, peer, key)?;
            self.digests = combine(self.digests, share.digests);
            self.turns.extend(share.turns_at.map(|at| (at, chart)));
            if let Some(old) = self.charts.insert(chart, share) {
                self.digests = without(self.digests, old.digests);
            }
        }
        self.turns.retain(|(at, _)| *at > now);
        self.upto = newest;
        Ok(())
    }

    pub(super) fn digests(&self) -> SharedDigests {
        self.digests
    }

    pub(super) fn newest(&self) -> FeedNumber {
        self.upto
    }

    /// What the peer lacks as far as we know; see [`chartmesh_protocol::sync::Holdings::owed`].
    pub(super) fn owed(&self, after: FeedNumber, acknowledged: &BTreeSet<u64>) -> Vec<FeedEntry> {
        let mut owed: Vec<FeedEntry> = Vec::new();
        for chart in self.charts.values() {
            let whole = chart.granted > after.value();
            let mine = chart.items.iter().filter(|item| whole || item.feed > after);
            owed.extend(mine.filter(|item| !acknowledged.contains(&item.feed.value())));
        }
        owed.sort_unstable_by_key(|item| item.feed);
        owed
    }

    pub(super) fn shared(&self, kind: ItemKind) -> Vec<FeedEntry> {
        let all = self.charts.values().flat_map(|chart| &chart.items);
        all.filter(|item| item.kind == kind).copied().collect()
    }

    /// Whether an item of a chart is shared.
    pub(super) fn has(&self, chart: &ChartId, feed: FeedNumber) -> bool {
        self.charts
            .get(chart)
            .is_some_and(|share| share.items.iter().any(|one| one.feed == feed))
    }
}

impl ChartShare {
    fn of(
        clinic: &Clinic,
        chart: &ChartId,
        peer: &ClinicId,
        key: &PairKey,
    ) -> Result<Self, ClinicError> {
        let ledger = clinic.ledger(chart)?;
        let decision = clinic.decide(&ledger);
        let own = clinic.clinic_id();
        let mut share = Self {
            turns_at: next_turn(&ledger, clinic.time_ms()),
            ..Self::default()
        };
        if !decision.may_read_any(peer) && !had_grant(&ledger, peer) {
            return Ok(share);
        }
        for item in items::of_chart(&clinic.store, chart, ItemKind::Statement)? {
            let id = StatementId::new(*item.id.as_bytes());
            if grants_to(&ledger, &id, peer) {
                share.granted = share.granted.max(item.entry.feed);
            }
            if decision.shared(peer, &own, &id) {
                share.digests.statements.add(key, &item.id);
                share.items.push(FeedEntry {
                    feed: FeedNumber::new(item.entry.feed),
                    id: item.id,
                    kind: ItemKind::Statement,
                    lane: Lane::Urgent,
                });
            }
        }
        let certificates = clinic.certificates_read();
        let book = certificates.book();
        let readers = [
            Audience::of(peer, &own, &ledger, &decision),
            Audience::of(&own, peer, &ledger, &decision),
        ];
        let names = tags(clinic, &ledger);
        for item in items::of_chart(&clinic.store, chart, ItemKind::Record)? {
            let What::Record(header) = item.entry.what else {
                continue;
            };
            let Some(name) = names.get(&header.tag) else {
                continue;
            };
            if readers
                .iter()
                .all(|reader| reader.may_have(book, &decision, name, &header))
            {
                share.digests.records.add(key, &item.id);
                let summary = *name == CompartmentName::Summary;
                share.items.push(FeedEntry {
                    feed: FeedNumber::new(item.entry.feed),
                    id: item.id,
                    kind: ItemKind::Record,
                    lane: if summary { Lane::Summary } else { Lane::Older },
                });
            }
        }
        Ok(share)
    }
}

/// The compartments of a chart by their tags.
pub(super) fn tags(clinic: &Clinic, ledger: &Ledger) -> BTreeMap<CompartmentTag, CompartmentName> {
    let Some(secret) = clinic.chart_secret(ledger) else {
        return BTreeMap::new();
    };
    ledger
        .epochs()
        .map(|(_, epoch)| {
            (
                secret.compartment_tag(&epoch.compartment),
                epoch.compartment.clone(),
            )
        })
        .collect()
}

/// One clinic as a receiver of records.
pub(super) struct Audience {
    clinic: ClinicId,
    /// Whether the other side keeps the chart: what the clinic itself wrote then goes home even
    /// after its grant has ended, to be held there and not lost.
    goes_home: bool,
    /// Epochs by compartment that a clinic without the right to the history can open.
    openable: BTreeMap<CompartmentName, BTreeSet<EpochId>>,
}

impl Audience {
    /// A clinic that exchanges records with another.
    pub(super) fn of(
        clinic: &ClinicId,
        other: &ClinicId,
        ledger: &Ledger,
        decision: &Decision,
    ) -> Self {
        let mut openable: BTreeMap<CompartmentName, BTreeSet<EpochId>> = BTreeMap::new();
        for (_, epoch) in ledger.epochs() {
            let from_now_on = decision.may_read(clinic, &epoch.compartment)
                && !decision.may_read_history(clinic, &epoch.compartment);
            if from_now_on && epoch.readers.iter().any(|reader| reader.clinic == *clinic) {
                let opens = openable.entry(epoch.compartment.clone()).or_default();
                opens.insert(epoch.id);
                opens.extend(epoch.history.iter().map(|earlier| earlier.epoch));
            }
        }
        let goes_home = decision.custodian().as_ref() == Some(other);
        Self {
            clinic: *clinic,
            goes_home,
            openable,
        }
    }

    /// Whether the clinic may have a record: while it may read the compartment, and of one that it
    /// may read from now on only what it has the key of.
    pub(super) fn may_have(
        &self,
        book: &CertificateBook,
        decision: &Decision,
        name: &CompartmentName,
        header: &Header,
    ) -> bool {
        if self.goes_home && book.belongs(&header.author, &self.clinic) {
            return true;
        }
        decision.may_read(&self.clinic, name)
            && (decision.may_read_history(&self.clinic, name)
                || self
                    .openable
                    .get(name)
                    .is_some_and(|opens| opens.contains(&header.epoch)))
    }
}

/// When the next grant begins or ends by itself.
fn next_turn(ledger: &Ledger, now_ms: u64) -> Option<u64> {
    let times = |grant: &Grant| grant.expires_ms.into_iter().chain([grant.not_before_ms]);
    let all = ledger.grants().flat_map(|(_, grant)| times(grant));
    all.filter(|at| *at > now_ms).min()
}

/// Whether a clinic keeps a chart, or has or had a grant for it.
pub(super) fn had_grant(ledger: &Ledger, clinic: &ClinicId) -> bool {
    ledger.grants().any(|(_, grant)| grant.grantee == *clinic)
        || ledger
            .genesis()
            .is_some_and(|(_, genesis)| genesis.custodian == *clinic)
}

fn grants_to(ledger: &Ledger, id: &StatementId, clinic: &ClinicId) -> bool {
    matches!(
        ledger.get(id).map(|statement| statement.body()),
        Some(Body::Grant(grant)) if grant.grantee == *clinic
    )
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
