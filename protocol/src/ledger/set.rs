//! The ledger: the statements of one chart, as a set.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::statement::{Body, Statement};
use crate::id::{ChartId, StatementId};
use crate::identity::Verified;
use crate::ledger::{BreakGlass, Epoch, Genesis, Grant, NodeEnd};
use crate::limits::MAX_FRONTIER;

/// The statements of one chart whose signatures were checked.
///
/// Inserting is commutative and idempotent: two ledgers that were given the same statements are
/// equal, whatever the order. Whether a statement *holds* is not decided here, since what is
/// missing today may arrive tomorrow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    chart: ChartId,
    statements: BTreeMap<StatementId, Verified<Statement>>,
}

impl Ledger {
    /// An empty ledger of a chart.
    pub fn new(chart: ChartId) -> Self {
        Self {
            chart,
            statements: BTreeMap::new(),
        }
    }

    /// The chart.
    pub fn chart(&self) -> ChartId {
        self.chart
    }

    /// Adds a statement; says whether it was new.
    ///
    /// A signer can sign the same statement twice with two signatures. The smaller one stays, so
    /// that ledgers with the same statements have the same bytes.
    pub fn insert(&mut self, statement: Verified<Statement>) -> bool {
        match self.statements.entry(statement.id()) {
            Entry::Vacant(entry) => {
                entry.insert(statement);
                true
            }
            Entry::Occupied(mut entry) => {
                if statement.signature() < entry.get().signature() {
                    entry.insert(statement);
                }
                false
            }
        }
    }

    /// Adds every statement of another ledger.
    pub fn merge(&mut self, other: &Self) {
        for statement in other.statements.values() {
            self.insert(statement.clone());
        }
    }

    /// The statement with this id.
    pub fn get(&self, id: &StatementId) -> Option<&Verified<Statement>> {
        self.statements.get(id)
    }

    /// Every statement, ascending by id.
    pub fn iter(&self) -> impl Iterator<Item = (StatementId, &Verified<Statement>)> {
        self.statements
            .iter()
            .map(|(id, statement)| (*id, statement))
    }

    /// The number of statements.
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether there is no statement.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// The genesis of this chart: the one whose hash is the chart's id, signed by the patient's
    /// key that it names.
    pub fn genesis(&self) -> Option<(StatementId, &Genesis)> {
        self.iter().find_map(|(id, statement)| {
            let Body::Genesis(genesis) = statement.body() else {
                return None;
            };
            let by_patient = statement.payload().signer().as_bytes() == genesis.patient.as_bytes();
            (genesis.chart() == self.chart && by_patient).then_some((id, genesis))
        })
    }

    /// The grants of this chart, valid or not, ascending by id. What they allow is for
    /// [`decide`](super::decide); who was addressed can be read here.
    pub fn grants(&self) -> impl Iterator<Item = (StatementId, &Grant)> {
        self.iter().filter_map(|(id, statement)| {
            let Body::Grant(grant) = statement.body() else {
                return None;
            };
            (grant.chart == self.chart).then_some((id, grant))
        })
    }

    /// The epoch statements of this chart, valid or not, ascending by statement id. Keys are
    /// looked for in all of them: a key that opens a record is the right one.
    pub fn epochs(&self) -> impl Iterator<Item = (StatementId, &Epoch)> {
        self.iter().filter_map(|(id, statement)| {
            let Body::Epoch(epoch) = statement.body() else {
                return None;
            };
            (epoch.chart == self.chart).then_some((id, epoch))
        })
    }

    /// The ends of nodes in this chart, valid or not, ascending by statement id.
    pub fn node_ends(&self) -> impl Iterator<Item = (StatementId, &NodeEnd)> {
        self.iter().filter_map(|(id, statement)| {
            let Body::NodeEnd(end) = statement.body() else {
                return None;
            };
            (end.chart == self.chart).then_some((id, end))
        })
    }

    /// What clinics have asked in emergencies, ascending by statement id. Each is signed by the
    /// clinic that asks.
    pub fn emergencies(&self) -> impl Iterator<Item = (StatementId, &BreakGlass)> {
        self.iter().filter_map(|(id, statement)| {
            let Body::BreakGlass(asked) = statement.body() else {
                return None;
            };
            (asked.chart == self.chart).then_some((id, asked))
        })
    }

    /// The statements that no other names as seen before it: what the next statement or record
    /// says it has seen. Ascending, at most [`MAX_FRONTIER`]; those that name none and are of no
    /// consequence for consent are left out: epochs, and what clinics say of their nodes.
    pub fn frontier(&self) -> Vec<StatementId> {
        let mut heads: BTreeSet<StatementId> = self
            .iter()
            .filter(|(_, statement)| is_of_consent(statement.body()))
            .map(|(id, _)| id)
            .collect();
        for (_, statement) in self.iter() {
            for seen in statement.payload().seen() {
                heads.remove(&seen);
            }
        }
        heads.into_iter().take(MAX_FRONTIER).collect()
    }
}

/// Whether a statement begins, gives or takes.
fn is_of_consent(body: &Body) -> bool {
    matches!(
        body,
        Body::Genesis(_) | Body::Grant(_) | Body::Revocation(_)
    )
}
