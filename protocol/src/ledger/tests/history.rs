//! Whole histories of a chart, made up: statements that hold and statements that do not, and
//! records.

use proptest::prelude::*;
use proptest::sample::Index;

use crate::id::StatementId;
use crate::identity::Verified;
use crate::ledger::{
    Basis, Body, CompartmentName, Decision, Grant, History, Ledger, Purpose, RecordFacts, Rights,
    Signer, Statement, decide,
};
use crate::seal::EpochKey;
use crate::world::{NOW_MS, Pen, World};

pub(super) const CLINICS: u8 = 6;
pub(super) const NAMES: [CompartmentName; 3] = [
    CompartmentName::Summary,
    CompartmentName::Clinical,
    CompartmentName::Billing,
];

/// One thing that happens to a chart.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Grant {
        to: usize,
        names: u8,
        rights: u8,
        terms: u8,
    },
    PassOn {
        parent: Index,
        by: Option<usize>,
        to: usize,
        names: u8,
        rights: u8,
        terms: u8,
    },
    Revoke {
        grant: Index,
        by: u8,
        known: Index,
    },
    Forge {
        by: usize,
        to: usize,
        other_chart: bool,
    },
    Epoch {
        by: usize,
        name: usize,
        readers: u8,
        on: Index,
    },
    Write {
        by: usize,
        name: usize,
        on: Vec<Index>,
    },
    Fork {
        of: Index,
        on: Option<Index>,
    },
    Admit {
        of: Index,
        by: u8,
    },
    Emergency {
        asks: usize,
        by: u8,
        parent: Option<Index>,
        terms: u8,
    },
    EmergencyRule {
        number: u64,
        allowed: bool,
    },
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let clinic = || 0..usize::from(CLINICS);
    let name = || 0..NAMES.len();
    let index = any::<Index>;
    let some =
        |clinic: BoxedStrategy<usize>| prop_oneof![3 => Just(None), 1 => clinic.prop_map(Some)];
    prop_oneof![
        3 => (clinic(), 0..8_u8, any::<u8>(), any::<u8>())
            .prop_map(|(to, names, rights, terms)| Step::Grant { to, names, rights, terms }),
        3 => (index(), some(clinic().boxed()), clinic(), 0..8_u8, any::<u8>(), any::<u8>())
            .prop_map(|(parent, by, to, names, rights, terms)| {
                Step::PassOn { parent, by, to, names, rights, terms }
            }),
        2 => (index(), any::<u8>(), index())
            .prop_map(|(grant, by, known)| Step::Revoke { grant, by, known }),
        1 => (clinic(), clinic(), any::<bool>())
            .prop_map(|(by, to, other_chart)| Step::Forge { by, to, other_chart }),
        2 => (clinic(), name(), any::<u8>(), index())
            .prop_map(|(by, name, readers, on)| Step::Epoch { by, name, readers, on }),
        8 => (clinic(), name(), prop::collection::vec(index(), 0..3))
            .prop_map(|(by, name, on)| Step::Write { by, name, on }),
        2 => (index(), prop::option::of(index())).prop_map(|(of, on)| Step::Fork { of, on }),
        2 => (index(), any::<u8>()).prop_map(|(of, by)| Step::Admit { of, by }),
        2 => (clinic(), any::<u8>(), prop::option::of(index()), any::<u8>())
            .prop_map(|(asks, by, parent, terms)| Step::Emergency { asks, by, parent, terms }),
        1 => (0..3_u64, any::<bool>())
            .prop_map(|(number, allowed)| Step::EmergencyRule { number, allowed }),
    ]
}

/// A chart's whole history: statements that hold and statements that do not, and records.
pub(super) struct Chart {
    pub(super) world: World,
    pub(super) statements: Vec<Verified<Statement>>,
    pub(super) records: Vec<RecordFacts>,
}

impl Chart {
    pub(super) fn of(steps: &[Step]) -> Self {
        let world = World::new(1, CLINICS);
        let genesis = world.genesis.clone();
        let mut chart = Self {
            world,
            statements: vec![genesis],
            records: Vec::new(),
        };
        let mut pens: Vec<Vec<Pen>> = (0..usize::from(CLINICS))
            .map(|clinic| {
                NAMES
                    .iter()
                    .map(|name| chart.world.pen(clinic, name))
                    .collect()
            })
            .collect();
        let mut keys: Vec<EpochKey> = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            let text = number.to_string();
            match step {
                Step::Write { by, name, on } => {
                    let on: Vec<RecordFacts> =
                        on.iter().filter_map(|on| chart.record(on)).collect();
                    let on: Vec<&RecordFacts> = on.iter().collect();
                    chart.records.push(pens[*by][*name].write(&text, &on));
                }
                Step::Fork { of, on } => {
                    let Some(of) = chart.record(of) else { continue };
                    let on = on.as_ref().and_then(|on| chart.record(on));
                    let mut pen = Pen {
                        author: of.author,
                        compartment: of.compartment,
                        sequence: of.sequence.value(),
                        previous: of.previous,
                    };
                    chart
                        .records
                        .push(pen.write(&text, &on.iter().collect::<Vec<_>>()));
                    chart.records.push(pen.write(&text, &[]));
                }
                Step::Epoch {
                    by,
                    name,
                    readers,
                    on,
                } => {
                    let history = (!keys.is_empty()).then(|| on.get(&keys).clone());
                    keys.push(chart.seal(*by, *name, *readers, history));
                }
                Step::Grant { .. }
                | Step::PassOn { .. }
                | Step::Revoke { .. }
                | Step::Forge { .. }
                | Step::Admit { .. }
                | Step::EmergencyRule { .. } => {
                    let statement = chart.consent(step);
                    chart.statements.extend(statement);
                }
                Step::Emergency {
                    asks,
                    by,
                    parent,
                    terms,
                } => chart.emergency(*asks, *by, parent.as_ref(), *terms),
            }
        }
        chart
    }

    /// A clinic makes a key for the clinics of these bits.
    fn seal(&mut self, by: usize, name: usize, readers: u8, history: Option<EpochKey>) -> EpochKey {
        let readers = readers | 1;
        let readers: Vec<usize> = (0..usize::from(CLINICS))
            .filter(|bit| readers >> bit & 1 == 1)
            .collect();
        let history: Vec<EpochKey> = history.into_iter().collect();
        let (epoch, key) = self.world.epoch(by, &NAMES[name], &readers, &history);
        self.statements.push(epoch);
        key
    }

    fn record(&self, index: &Index) -> Option<RecordFacts> {
        (!self.records.is_empty()).then(|| index.get(&self.records).clone())
    }

    pub(super) fn a_grant(&self, index: &Index) -> Option<(StatementId, Grant)> {
        let grants: Vec<(StatementId, Grant)> = self
            .statements
            .iter()
            .filter_map(|statement| {
                let Body::Grant(grant) = statement.body() else {
                    return None;
                };
                Some((statement.id(), grant.clone()))
            })
            .collect();
        (!grants.is_empty()).then(|| index.get(&grants).clone())
    }

    fn consent(&mut self, step: &Step) -> Option<Verified<Statement>> {
        match step {
            Step::Grant {
                to,
                names,
                rights,
                terms,
            } => {
                let change = |grant: &mut Grant| {
                    vary(grant, *names, *rights, *terms);
                    if *terms % 2 == 1 {
                        grant.basis = Basis::Card;
                    }
                };
                Some(self.world.grant(*to, change))
            }
            Step::PassOn {
                parent,
                by,
                to,
                names,
                rights,
                terms,
            } => {
                let (id, parent) = self.a_grant(parent)?;
                let holder = (0..usize::from(CLINICS))
                    .find(|clinic| self.world.id(*clinic) == parent.grantee)?;
                let change = |grant: &mut Grant| {
                    // Most stay within their parent; the others are to be refused.
                    vary(grant, *names, *rights, *terms);
                    if !terms.is_multiple_of(4) {
                        grant.compartments = parent.compartments.clone();
                        grant.rights = parent.rights;
                        grant.purpose = parent.purpose.clone();
                        grant.history = parent.history;
                        grant.not_before_ms = parent.not_before_ms;
                        grant.expires_ms = parent.expires_ms;
                    }
                };
                Some(self.world.pass_on(id, by.unwrap_or(holder), *to, change))
            }
            Step::Revoke { grant, by, known } => self.revoke(grant, *by, known),
            Step::Forge {
                by,
                to,
                other_chart,
            } => {
                let mut grant = self.world.terms(*to);
                if *other_chart {
                    grant.chart = crate::id::ChartId::new([7; 16]);
                }
                let clinic = &self.world.clinics[*by].key;
                Body::Grant(grant).sign(Signer::Clinic(clinic)).ok()
            }
            // Most by the custodian; the others are to be refused.
            Step::Admit { of, by } => {
                let by = usize::from(by.saturating_sub(200) % CLINICS);
                Some(self.world.admit(by, &[&self.record(of)?]))
            }
            Step::EmergencyRule { number, allowed } => {
                Some(self.world.emergency_rule(*number, *allowed))
            }
            Step::Epoch { .. }
            | Step::Write { .. }
            | Step::Fork { .. }
            | Step::Emergency { .. } => None,
        }
    }

    /// The patient ends a grant, or a clinic that may or may not.
    fn revoke(&self, grant: &Index, by: u8, known: &Index) -> Option<Verified<Statement>> {
        let (id, _) = self.a_grant(grant)?;
        let known = self.record(known);
        let body = self.world.revocation(id, &known.iter().collect::<Vec<_>>());
        let clinic = &self.world.clinics[usize::from(by % CLINICS)].key;
        let signer = match by % 2 {
            0 => Signer::Patient(&self.world.patient),
            _ => Signer::Clinic(clinic),
        };
        body.sign(signer).ok()
    }

    /// A clinic asks, and another one, mostly the custodian or one that may, releases.
    fn emergency(&mut self, asks: usize, by: u8, parent: Option<&Index>, terms: u8) {
        let asked = self.world.break_glass(asks);
        let parent = parent.and_then(|index| self.a_grant(index));
        let holder = parent.as_ref().and_then(|(_, grant)| {
            (0..usize::from(CLINICS)).find(|clinic| self.world.id(*clinic) == grant.grantee)
        });
        let by = holder.unwrap_or_else(|| usize::from(by.saturating_sub(200) % CLINICS));
        let release = self
            .world
            .release(&asked, (by, asks), parent.map(|(id, _)| id), |grant| {
                if terms.is_multiple_of(8) {
                    grant.rights = grant.rights.with(Rights::WRITE);
                }
            });
        self.statements.extend([asked, release]);
    }

    /// The ledger of the statements at these places, in this order.
    pub(super) fn ledger<'a>(
        &self,
        statements: impl IntoIterator<Item = &'a Verified<Statement>>,
    ) -> Ledger {
        let mut ledger = Ledger::new(self.world.chart);
        for statement in statements {
            ledger.insert(statement.clone());
        }
        ledger
    }

    pub(super) fn decide(&self, ledger: &Ledger) -> Decision {
        decide(ledger, &self.world.book(), NOW_MS)
    }
}

fn vary(grant: &mut Grant, names: u8, rights: u8, terms: u8) {
    if names != 0 {
        let some = NAMES
            .iter()
            .enumerate()
            .filter(|(bit, _)| names >> bit & 1 == 1);
        grant.compartments = some.map(|(_, name)| name.clone()).collect();
    }
    grant.rights = Rights::READ;
    if !rights.is_multiple_of(4) {
        grant.rights = grant.rights.with(Rights::WRITE);
    }
    if !rights.is_multiple_of(3) {
        grant.rights = grant.rights.with(Rights::SHARE);
    }
    match terms % 8 {
        0 => grant.expires_ms = Some(NOW_MS + 1),
        1 => (grant.not_before_ms, grant.expires_ms) = (1, Some(NOW_MS)),
        2 => grant.not_before_ms = NOW_MS + 1,
        3 => grant.history = History::FromNowOn,
        4 => grant.purpose = Purpose::new("HPAYMT").unwrap(),
        _ => {}
    }
}
