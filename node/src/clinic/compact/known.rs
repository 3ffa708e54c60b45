//! What is known of a compartment's records, whether they are here or covered by a compaction.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_protocol::ledger::{
    CertificateBook, CompartmentName, Cover, CoveredRecord, Decision, Extent, FrontierTip, Ledger,
    RecordFacts, covered, known,
};
use chartmesh_protocol::{ClinicId, Incarnation, NodeId, RecordId};

use super::finding::{Finding, Proof, State};
use crate::clinic::records::Listed;

/// A compaction that is here, and what was found of it.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) record: RecordId,
    pub(crate) author: NodeId,
    pub(crate) finding: Finding,
}

impl Found {
    /// Why it is not read, for people.
    pub(crate) fn fault(&self, decision: &Decision, name: &CompartmentName) -> Option<String> {
        match &self.finding.state {
            State::Attested => None,
            State::Faulty(reason) => Some(reason.clone()),
            State::Proven(proof) if !proof.against.is_empty() => {
                Some("a record that it covers shows that it was not written so".to_owned())
            }
            State::Proven(proof) => (!vouched(proof, decision, name))
                .then(|| "it names users of clinics that never might write here".to_owned()),
        }
    }

    /// Whether it covers all that another one does.
    pub(crate) fn includes(&self, other: &Self) -> bool {
        Extent::of(&self.finding.coverage).includes(&other.finding.coverage)
    }

    /// Whether both are proven, and tell different things of one record.
    pub(crate) fn is_at_odds_with(&self, other: &Self) -> bool {
        let (State::Proven(one), State::Proven(other)) =
            (&self.finding.state, &other.finding.state)
        else {
            return false;
        };
        let told = |one: &CoveredRecord| {
            let place = (one.author, one.incarnation, one.sequence);
            (place, (one.id, one.claim))
        };
        let others: BTreeMap<_, _> = other.covered.iter().map(told).collect();
        let mut mine = one.covered.iter().map(told);
        mine.any(|(place, says)| others.get(&place).is_some_and(|other| *other != says))
    }

    /// Whether its manifest is still missing.
    pub(crate) fn is_attested(&self) -> bool {
        self.finding.state == State::Attested
    }
}

/// Whether a clinic that might ever write in the compartment stands for each user.
fn vouched(proof: &Proof, decision: &Decision, name: &CompartmentName) -> bool {
    let might = |clinics: &Vec<ClinicId>| {
        let mut clinics = clinics.iter();
        clinics.any(|clinic| decision.might_write(clinic, name))
    };
    proof.vouchers.iter().all(might)
}

/// Everything that is known of a compartment's records, for them to be judged: those that are
/// here, and those that compactions tell of.
pub(crate) fn known_of(
    decision: &Decision,
    name: &CompartmentName,
    records: &[Listed],
    found: &[Found],
) -> Vec<RecordFacts> {
    let facts = facts_of(name, records, found);
    if found.is_empty() {
        return facts;
    }
    known(name, &facts, &covers_of(decision, name, found))
}

/// The records that need not be sent, of those that two clinics share of a compartment.
pub(crate) fn covered_of(
    ledger: &Ledger,
    decision: &Decision,
    book: &CertificateBook,
    name: &CompartmentName,
    records: &[Listed],
    found: &[Found],
) -> BTreeSet<RecordId> {
    let facts = facts_of(name, records, found);
    covered(
        ledger,
        book,
        name,
        &facts,
        &covers_of(decision, name, found),
    )
}

fn facts_of(name: &CompartmentName, records: &[Listed], found: &[Found]) -> Vec<RecordFacts> {
    let coverage: BTreeMap<RecordId, &Vec<FrontierTip>> = found
        .iter()
        .map(|one| (one.record, &one.finding.coverage))
        .collect();
    let facts = |one: &Listed| RecordFacts {
        id: one.id,
        author: one.header.author,
        incarnation: one.header.incarnation,
        sequence: one.header.sequence,
        previous: one.header.previous,
        compartment: name.clone(),
        depends_on: Vec::new(),
        covers: coverage
            .get(&one.id)
            .map_or_else(Vec::new, |tips| (*tips).clone()),
    };
    records.iter().map(facts).collect()
}

/// The compactions that are proven, by users of clinics that might ever write here.
fn covers_of(decision: &Decision, name: &CompartmentName, found: &[Found]) -> Vec<Cover> {
    let cover = |one: &Found| {
        let State::Proven(proof) = &one.finding.state else {
            return None;
        };
        vouched(proof, decision, name).then(|| Cover {
            record: one.record,
            manifest: one.finding.manifest.clone(),
            covered: proof.covered.clone(),
            contradicted_by: proof.against.clone(),
        })
    };
    found.iter().filter_map(cover).collect()
}

/// The newest record of each author, ascending: of those here, and of those covered. In one place
/// the record that is here goes before what a compaction says to be there.
pub(crate) fn tips_of(
    records: &[Listed],
    coverage: impl Iterator<Item = FrontierTip>,
) -> Vec<FrontierTip> {
    let mut newest: BTreeMap<(NodeId, Incarnation), (bool, FrontierTip)> = BTreeMap::new();
    let here = records.iter().map(|one| FrontierTip {
        author: one.header.author,
        incarnation: one.header.incarnation,
        sequence: one.header.sequence,
        record: one.id,
    });
    let here = here.map(|tip| (true, tip));
    let rank = |(here, tip): &(bool, FrontierTip)| (tip.sequence, *here, tip.record);
    for one in here.chain(coverage.map(|tip| (false, tip))) {
        let known = newest
            .entry((one.1.author, one.1.incarnation))
            .or_insert(one);
        if rank(&one) > rank(known) {
            *known = one;
        }
    }
    newest.into_values().map(|(_, tip)| tip).collect()
}
