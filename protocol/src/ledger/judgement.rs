//! Which records count.
//!
//! A record counts when its author's clinic is the custodian or had a grant to write there. A
//! grant that was revoked gives the right only to what lies inside the frontier of each of its
//! revocations (and of those of the grants that it was passed on from). Expiry takes nothing
//! back. What a record that counts depends on counts too: a valid author has built on it.
//!
//! Of a node that its clinic has cut off counts what lies inside one of the frontiers that the
//! clinic has signed for it since.
//!
//! "Inside" is ancestry, not numbers: a record is inside a frontier when following the links back
//! from the frontier's tip leads to it. A record forged later with an earlier number is not.
//!
//! What the custodian has admitted counts, whoever wrote it; and what that builds on.
//!
//! A compaction record builds on everything that it covers, whether those records are here or not.
//!
//! Two records of one author with the same number are a fork. One branch is chosen, the other
//! held: first what lies inside a frontier or was admitted, then what another author's valid record
//! depends on, then the smaller id.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::book::CertificateBook;
use super::compartment::CompartmentName;
use super::revocation::FrontierTip;
use super::set::Ledger;
use super::standing::{Standing, StandingGrant};
use super::stream::Streams;
use super::terms::Rights;
use crate::id::{ClinicId, Incarnation, NodeId, RecordId, RecordLink, Sequence, StatementId};

pub use super::stream::{Fork, Gap};

/// What has to be known of a record to judge it. Nothing of its content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordFacts {
    /// The record.
    pub id: RecordId,
    /// The node that wrote it.
    pub author: NodeId,
    /// The incarnation of the author's store.
    pub incarnation: Incarnation,
    /// Its place among the author's records of the compartment.
    pub sequence: Sequence,
    /// The link to the author's previous record.
    pub previous: RecordLink,
    /// The compartment.
    pub compartment: CompartmentName,
    /// The records of the same compartment whose changes it builds on. Others are passed over.
    pub depends_on: Vec<RecordId>,
    /// Of a compaction: for each author the newest record that it covers. It builds on that one
    /// and on all before.
    pub covers: Vec<FrontierTip>,
}

/// Whether a record is part of the chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It is.
    Counts,
    /// It is kept and shown apart.
    Held(Held),
}

/// Why a record is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Held {
    /// No certificate says whose node wrote it. One may still come; nobody answers for it now.
    #[error("the node that wrote it is unknown")]
    UnknownAuthor,
    /// The author's clinic never had the right to write there, as far as the ledger tells.
    #[error("its author had no right to write here")]
    NoRight,
    /// The author's clinic lost the right, and who took it had not seen this record.
    #[error("it was written after its author's right was revoked, or was not known then")]
    AfterRevocation,
    /// The clinic cut its author's node off, and had not seen this record by then.
    #[error("the node that wrote it was cut off by its clinic, which had not seen it by then")]
    NodeCutOff,
    /// Another record of the author has its place.
    #[error("its author wrote another record in its place")]
    Fork,
    /// It builds on a record that is held for a fork.
    #[error("it builds on a record that its author replaced")]
    OnFork,
}

impl Held {
    /// Whether an admission by the custodian lets such a record count.
    pub fn is_admissible(self) -> bool {
        match self {
            Self::NoRight | Self::AfterRevocation | Self::NodeCutOff => true,
            Self::UnknownAuthor | Self::Fork | Self::OnFork => false,
        }
    }
}

/// The verdict on every record, and what is wrong with the authors' sequences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict on each record.
    pub verdicts: BTreeMap<RecordId, Verdict>,
    /// Places with several records, ascending.
    pub forks: Vec<Fork>,
    /// Places without a record below a later one, ascending. They may still arrive.
    pub gaps: Vec<Gap>,
}

/// Judges the records of one chart. A pure function of three sets: the order of statements,
/// certificates and records does not matter, nor does repetition.
pub fn judge(ledger: &Ledger, book: &CertificateBook, records: &[RecordFacts]) -> Judgement {
    let standing = Standing::of(ledger, book);
    let records = on_what_they_cover(records);
    let records = by_id(&records);
    let streams = Streams::of(&records);
    let inside: BTreeMap<StatementId, BTreeSet<RecordId>> = standing
        .revocations
        .iter()
        .filter_map(|(id, revocation)| {
            // Beyond the grant a frontier says nothing: readers of those compartments may not
            // even have the revocation.
            let covered = &standing.grants.get(&revocation.grant)?.grant.compartments;
            let frontier = revocation
                .frontier
                .iter()
                .filter(|(name, _)| covered.covers(name));
            Some((*id, streams.inside(frontier)))
        })
        .collect();
    let cut = Cut::of(&standing, &streams);
    let admitted = admitted(&standing, &records);
    let right = |record: &RecordFacts| match right_of(&standing, book, (&inside, &cut), record) {
        Err(reason) if reason.is_admissible() && admitted.contains(&record.id) => Ok(()),
        right => right,
    };
    let rights: BTreeMap<RecordId, Result<(), Held>> = records
        .iter()
        .map(|(id, record)| (*id, right(record)))
        .collect();
    let has_right = |id: &RecordId| rights.get(id).is_some_and(Result::is_ok);

    let anchored = anchored(&records, has_right);
    let valid = records.values().filter(|record| has_right(&record.id));
    let replaced = valid.flat_map(|one| one.covers.iter().map(|tip| (&one.compartment, tip)));
    let rank = |id: &RecordId| match id {
        id if admitted.contains(id)
            || cut.seen(id)
            || inside.values().any(|inside| inside.contains(id)) =>
        {
            0_u8
        }
        id if anchored.contains(id) => 1,
        _ => 2,
    };
    let (forks, gaps) = streams.forks(rank, replaced);
    let displaced: BTreeSet<RecordId> = forks
        .iter()
        .flat_map(|fork| &fork.displaced)
        .copied()
        .collect();
    let on_fork = dependents(&records, &displaced);
    let lost = |id: &RecordId| displaced.contains(id) || on_fork.contains(id);
    let roots = records
        .keys()
        .filter(|id| has_right(id) && !lost(id))
        .copied();
    let counted = ancestors(&records, roots.collect());

    let verdict = |(id, right): (&RecordId, &Result<(), Held>)| {
        let verdict = match right {
            _ if displaced.contains(id) => Verdict::Held(Held::Fork),
            _ if on_fork.contains(id) => Verdict::Held(Held::OnFork),
            Err(reason) if !counted.contains(id) => Verdict::Held(*reason),
            _ => Verdict::Counts,
        };
        (*id, verdict)
    };
    Judgement {
        verdicts: rights.iter().map(verdict).collect(),
        forks,
        gaps,
    }
}

type Records<'a> = BTreeMap<RecordId, &'a RecordFacts>;

/// The records by id. Of facts that differ for one id the smaller stay: not the first to come.
fn by_id(records: &[RecordFacts]) -> Records<'_> {
    let mut known: Records<'_> = BTreeMap::new();
    for record in records {
        let entry = known.entry(record.id).or_insert(record);
        *entry = (*entry).min(record);
    }
    known
}

/// The records, each compaction with what it covers among that on which it builds.
fn on_what_they_cover(records: &[RecordFacts]) -> Cow<'_, [RecordFacts]> {
    if records.iter().all(|record| record.covers.is_empty()) {
        return Cow::Borrowed(records);
    }
    let streams = by_id(records);
    let streams = Streams::of(&streams);
    let mut records = records.to_vec();
    for record in &mut records {
        for tip in &record.covers {
            let covered = streams.up_to(&record.compartment, tip);
            record.depends_on.extend(covered);
        }
    }
    Cow::Owned(records)
}

/// The known records on which a record builds. A compartment is a document of its own: who may
/// write in one vouches for nothing in another.
fn built_on<'a>(
    records: &'a Records<'a>,
    record: &'a RecordFacts,
) -> impl Iterator<Item = &'a RecordFacts> {
    let known = record
        .depends_on
        .iter()
        .filter_map(|on| records.get(on).copied());
    known.filter(|on| on.compartment == record.compartment)
}

/// The right of a record's author by itself, whatever depends on the record.
fn right_of(
    standing: &Standing<'_>,
    book: &CertificateBook,
    (inside, cut): (&BTreeMap<StatementId, BTreeSet<RecordId>>, &Cut<'_>),
    record: &RecordFacts,
) -> Result<(), Held> {
    let mut clinics: BTreeSet<ClinicId> = book.clinics(&record.author).collect();
    if clinics.is_empty() {
        return Err(Held::UnknownAuthor);
    }
    clinics.retain(|clinic| !cut.ends(clinic, record));
    if clinics.is_empty() {
        return Err(Held::NodeCutOff);
    }
    if standing
        .custodian()
        .is_some_and(|custodian| clinics.contains(&custodian))
    {
        return Ok(());
    }
    let writes = |grant: &StandingGrant<'_>| {
        clinics.contains(&grant.grant.grantee)
            && grant.grant.rights.includes(Rights::WRITE)
            && grant.grant.compartments.covers(&record.compartment)
    };
    let mut reason = Held::NoRight;
    for (id, _) in standing.grants.iter().filter(|(_, grant)| writes(grant)) {
        let endings = standing.endings(*id);
        let spared = |ending| {
            inside
                .get(ending)
                .is_some_and(|known| known.contains(&record.id))
        };
        if endings.iter().all(spared) {
            return Ok(());
        }
        reason = Held::AfterRevocation;
    }
    Err(reason)
}

/// The records that the custodian has admitted, in the compartments that it names.
fn admitted(standing: &Standing<'_>, records: &Records<'_>) -> BTreeSet<RecordId> {
    let named = standing.admissions.iter().flat_map(|admission| {
        let records = admission.records.iter();
        records.map(|id| (id, &admission.compartment))
    });
    let is_there = |(id, name): &(&RecordId, &CompartmentName)| {
        records
            .get(id)
            .is_some_and(|record| record.compartment == **name)
    };
    named.filter(is_there).map(|(id, _)| *id).collect()
}

/// What counts of nodes that were cut off.
struct Cut<'a> {
    /// By clinic, node and compartment, the records that the clinic had seen.
    seen: BTreeMap<(ClinicId, NodeId, &'a CompartmentName), BTreeSet<RecordId>>,
}

impl<'a> Cut<'a> {
    fn of(standing: &Standing<'a>, streams: &Streams<'_>) -> Self {
        let mut seen: BTreeMap<_, BTreeSet<RecordId>> = BTreeMap::new();
        for end in &standing.node_ends {
            let place = (end.clinic, end.node, &end.compartment);
            let inside = streams.inside([(&end.compartment, &end.tips)].into_iter());
            seen.entry(place).or_default().extend(inside);
        }
        Self { seen }
    }

    /// Whether a clinic has cut off a record's author without having seen the record.
    fn ends(&self, clinic: &ClinicId, record: &RecordFacts) -> bool {
        let place = (*clinic, record.author, &record.compartment);
        let seen = self.seen.get(&place);
        seen.is_some_and(|seen| !seen.contains(&record.id))
    }

    fn seen(&self, record: &RecordId) -> bool {
        self.seen.values().any(|seen| seen.contains(record))
    }
}

/// The records on which valid records of other nodes build.
fn anchored(records: &Records<'_>, has_right: impl Fn(&RecordId) -> bool) -> BTreeSet<RecordId> {
    let valid = records.values().filter(|record| has_right(&record.id));
    let others =
        valid.flat_map(|record| built_on(records, record).filter(|on| on.author != record.author));
    ancestors(records, others.map(|on| on.id).collect())
}

/// The given records and everything that they build on.
fn ancestors(records: &Records<'_>, mut next: Vec<RecordId>) -> BTreeSet<RecordId> {
    let mut found: BTreeSet<RecordId> = next.iter().copied().collect();
    while let Some(id) = next.pop() {
        let Some(record) = records.get(&id) else {
            continue;
        };
        next.extend(
            built_on(records, record)
                .map(|on| on.id)
                .filter(|on| found.insert(*on)),
        );
    }
    found
}

/// The records that build on one of the given, those themselves left out.
fn dependents(records: &Records<'_>, on: &BTreeSet<RecordId>) -> BTreeSet<RecordId> {
    let mut above: BTreeMap<RecordId, Vec<RecordId>> = BTreeMap::new();
    for record in records.values() {
        for below in built_on(records, record) {
            above.entry(below.id).or_default().push(record.id);
        }
    }
    let mut found = BTreeSet::new();
    let mut next: Vec<RecordId> = on.iter().copied().collect();
    while let Some(id) = next.pop() {
        let above = above.get(&id).into_iter().flatten();
        next.extend(above.filter(|above| !on.contains(above) && found.insert(**above)));
    }
    found
}
