//! The laws of the ledger: what is decided depends on sets, never on order.
//!
//! `CHARTMESH_PROPTEST_CASES` sets the number of cases of the law of order; the others, which
//! decide for every clinic or pair of clinics, run a tenth of it.

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::Config;

use crate::id::StatementId;
use crate::identity::Verified;
use crate::ledger::{
    Body, CompartmentName, Decision, Grant, History, Ledger, Purpose, RecordFacts, Rights, Signer,
    Statement, decide, judge,
};
use crate::seal::{EpochKey, Keyring};
use crate::world::{NOW_MS, Pen, World};

const CLINICS: u8 = 6;
const NAMES: [CompartmentName; 3] = [
    CompartmentName::Summary,
    CompartmentName::Clinical,
    CompartmentName::Billing,
];

pub(super) fn cases() -> u32 {
    let cases = std::env::var("CHARTMESH_PROPTEST_CASES");
    cases.ok().and_then(|text| text.parse().ok()).unwrap_or(256)
}

pub(super) fn config(cases: u32) -> Config {
    Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    }
}

/// One thing that happens to a chart.
#[derive(Debug, Clone)]
enum Step {
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
}

fn step() -> impl Strategy<Value = Step> {
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
    ]
}

/// A chart's whole history: statements that hold and statements that do not, and records.
struct Chart {
    world: World,
    statements: Vec<Verified<Statement>>,
    records: Vec<RecordFacts>,
}

impl Chart {
    fn of(steps: &[Step]) -> Self {
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
                    let readers = readers | 1;
                    let readers: Vec<usize> = (0..usize::from(CLINICS))
                        .filter(|bit| readers >> bit & 1 == 1)
                        .collect();
                    let history = if keys.is_empty() {
                        vec![]
                    } else {
                        vec![on.get(&keys).clone()]
                    };
                    let (epoch, key) = chart.world.epoch(*by, &NAMES[*name], &readers, &history);
                    chart.statements.push(epoch);
                    keys.push(key);
                }
                Step::Grant { .. }
                | Step::PassOn { .. }
                | Step::Revoke { .. }
                | Step::Forge { .. }
                | Step::Admit { .. } => {
                    let statement = chart.consent(step);
                    chart.statements.extend(statement);
                }
            }
        }
        chart
    }

    fn record(&self, index: &Index) -> Option<RecordFacts> {
        (!self.records.is_empty()).then(|| index.get(&self.records).clone())
    }

    fn a_grant(&self, index: &Index) -> Option<(StatementId, Grant)> {
        let grants: Vec<(StatementId, Grant)> = self
            .statements
            .iter()
            .filter_map(|statement| match statement.body() {
                Body::Grant(grant) => Some((statement.id(), grant.clone())),
                Body::Genesis(_)
                | Body::Revocation(_)
                | Body::Epoch(_)
                | Body::HouseNote(_)
                | Body::NodeRevocation(_)
                | Body::NodeEnd(_)
                | Body::Admission(_) => None,
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
                let change = |grant: &mut Grant| vary(grant, *names, *rights, *terms);
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
            Step::Revoke { grant, by, known } => {
                let (id, _) = self.a_grant(grant)?;
                let known = self.record(known);
                let body = self.world.revocation(id, &known.iter().collect::<Vec<_>>());
                let clinic = &self.world.clinics[usize::from(by % CLINICS)].key;
                let patient = Signer::Patient(&self.world.patient);
                let signer = if by % 2 == 0 {
                    patient
                } else {
                    Signer::Clinic(clinic)
                };
                body.sign(signer).ok()
            }
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
            Step::Epoch { .. } | Step::Write { .. } | Step::Fork { .. } => None,
        }
    }

    /// The ledger of the statements at these places, in this order.
    fn ledger<'a>(&self, statements: impl IntoIterator<Item = &'a Verified<Statement>>) -> Ledger {
        let mut ledger = Ledger::new(self.world.chart);
        for statement in statements {
            ledger.insert(statement.clone());
        }
        ledger
    }

    fn decide(&self, ledger: &Ledger) -> Decision {
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

proptest! {
    #![proptest_config(config(cases()))]

    #[test]
    fn decisions_and_judgements_do_not_depend_on_order(
        (steps, order, again) in (prop::collection::vec(step(), 0..40), any::<u64>(), any::<u64>())
    ) {
        let chart = Chart::of(&steps);
        let straight = chart.ledger(&chart.statements);
        let shuffled = shuffle(&chart.statements, order);
        let other = chart.ledger(&shuffled);
        prop_assert_eq!(&straight, &other);
        prop_assert_eq!(chart.decide(&straight), chart.decide(&other));

        let mut records = shuffle(&chart.records, again);
        records.extend(chart.records.iter().take(2).cloned());
        let book = chart.world.book();
        prop_assert_eq!(judge(&straight, &book, &chart.records), judge(&other, &book, &records));
    }

}

proptest! {
    #![proptest_config(config(cases().div_ceil(10).max(100)))]

    #[test]
    fn ledgers_that_grow_apart_and_merge_agree(
        (steps, order, cut) in (prop::collection::vec(step(), 1..30), any::<u64>(), any::<Index>())
    ) {
        let chart = Chart::of(&steps);
        let shuffled = shuffle(&chart.statements, order);
        let (left, right) = shuffled.split_at(cut.index(shuffled.len()));
        let (left, right) = (chart.ledger(left), chart.ledger(right));
        let (mut one, mut two) = (left.clone(), right.clone());
        one.merge(&right);
        two.merge(&left);
        prop_assert_eq!(&one, &two);
        let before = one.clone();
        one.merge(&two);
        prop_assert_eq!(&one, &before);
        prop_assert_eq!(&one, &chart.ledger(&chart.statements));
    }

    #[test]
    fn what_does_not_count_changes_no_right(steps in prop::collection::vec(step(), 0..30)) {
        let chart = Chart::of(&steps);
        let whole = chart.decide(&chart.ledger(&chart.statements));
        let refused: Vec<StatementId> = whole.refused().map(|(id, _)| id).collect();
        let kept = chart.statements.iter().filter(|one| !refused.contains(&one.id()));
        let clean = chart.decide(&chart.ledger(kept));
        for name in &NAMES {
            prop_assert_eq!(whole.readers(name), clean.readers(name));
            prop_assert_eq!(whole.writers(name), clean.writers(name));
        }
        prop_assert_eq!(clean.refused().count(), 0);
    }

    #[test]
    fn a_revocation_never_gives_a_right(
        (steps, grant) in (prop::collection::vec(step(), 1..30), any::<Index>())
    ) {
        let chart = Chart::of(&steps);
        let before = chart.decide(&chart.ledger(&chart.statements));
        if let Some((id, _)) = chart.a_grant(&grant) {
            let body = chart.world.revocation(id, &[]);
            let revocation = body.sign(Signer::Patient(&chart.world.patient)).unwrap();
            let after = chart.statements.iter().chain([&revocation]);
            let after = chart.decide(&chart.ledger(after));
            for name in &NAMES {
                prop_assert!(after.readers(name).is_subset(&before.readers(name)));
                prop_assert!(after.writers(name).is_subset(&before.writers(name)));
            }
        }
    }

    #[test]
    fn nobody_but_a_reader_opens_what_is_sealed_now(
        steps in prop::collection::vec(step(), 0..40)
    ) {
        let chart = Chart::of(&steps);
        let ledger = chart.ledger(&chart.statements);
        let decision = chart.decide(&ledger);
        for name in &NAMES {
            let Some(sealing) = decision.sealing_epoch(name) else { continue };
            for clinic in chart.world.clinics {
                let epochs = ledger.epochs().map(|(_, epoch)| epoch);
                let epochs = epochs.filter(|epoch| epoch.compartment == *name);
                let ring = Keyring::open(epochs, &clinic.id(), &clinic.sealing);
                let opens = ring.get(&sealing.epoch()).is_some();
                prop_assert!(!opens || decision.may_read(&clinic.id(), name));
            }
        }
    }

    #[test]
    fn a_clinic_judges_its_own_part_of_the_ledger_as_the_custodian_does(
        steps in prop::collection::vec(step(), 0..40)
    ) {
        let chart = Chart::of(&steps);
        let whole = chart.decide(&chart.ledger(&chart.statements));
        for index in 1..usize::from(CLINICS) {
            let clinic = chart.world.id(index);
            let part: Vec<_> =
                chart.statements.iter().filter(|one| whole.entitled(&clinic, &one.id())).collect();
            let own = chart.decide(&chart.ledger(part.iter().copied()));
            for one in &part {
                prop_assert!(own.entitled(&clinic, &one.id()));
            }
            for name in NAMES.iter().filter(|name| whole.may_read(&clinic, name)) {
                prop_assert_eq!(own.readers(name), whole.readers(name));
                prop_assert_eq!(own.writers(name), whole.writers(name));
                let mine = |record: &&RecordFacts| record.compartment == *name;
                let records: Vec<_> = chart.records.iter().filter(mine).cloned().collect();
                let book = chart.world.book();
                let here = judge(&chart.ledger(part.iter().copied()), &book, &records);
                let there = judge(&chart.ledger(&chart.statements), &book, &records);
                prop_assert_eq!(here, there);
            }
        }
    }

    #[test]
    fn two_clinics_name_the_same_statements_to_settle(
        steps in prop::collection::vec(step(), 0..40)
    ) {
        let chart = Chart::of(&steps);
        let whole = chart.decide(&chart.ledger(&chart.statements));
        let all = 0..usize::from(CLINICS);
        let clinics: Vec<_> = all.map(|index| chart.world.id(index)).collect();
        let parts: Vec<(Vec<StatementId>, Decision)> = clinics
            .iter()
            .map(|clinic| {
                let mine = |one: &&Verified<Statement>| whole.entitled(clinic, &one.id());
                let part: Vec<_> = chart.statements.iter().filter(mine).collect();
                let decision = chart.decide(&chart.ledger(part.iter().copied()));
                (part.iter().map(|one| one.id()).collect(), decision)
            })
            .collect();
        for (one, (ones, one_decides)) in clinics.iter().zip(&parts) {
            for (other, (others, other_decides)) in clinics.iter().zip(&parts) {
                let here: Vec<_> =
                    ones.iter().filter(|id| one_decides.shared(one, other, id)).collect();
                let there: Vec<_> =
                    others.iter().filter(|id| other_decides.shared(other, one, id)).collect();
                prop_assert_eq!(here, there);
            }
        }
    }
}

/// The same things in another order, which follows from the seed.
fn shuffle<T: Clone>(things: &[T], seed: u64) -> Vec<T> {
    let key = |place: usize| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.update(&place.to_le_bytes());
        *hasher.finalize().as_bytes()
    };
    let mut places: Vec<usize> = (0..things.len()).collect();
    places.sort_by_key(|place| key(*place));
    places
        .into_iter()
        .map(|place| things[place].clone())
        .collect()
}
