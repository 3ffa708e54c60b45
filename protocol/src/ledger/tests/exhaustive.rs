//! Every order of a few events: the same sets give the same answer, whatever came first and
//! whatever has not come yet, and no key opens what its clinic may not read.

use std::collections::BTreeMap;

use crate::identity::Verified;
use crate::ledger::{
    CertificateBook, CompartmentName, Decision, Judgement, Ledger, RecordFacts, Rights, Statement,
    decide, judge,
};
use crate::seal::Keyring;
use crate::world::{NOW_MS, World};

const SUMMARY: CompartmentName = CompartmentName::Summary;
/// Clinics that take part: the home, a hospital, and one that the hospital refers to or that breaks
/// the glass.
const CLINICS: u8 = 3;
/// Events of one play.
const MOST: usize = 6;
/// When everything is decided: the referral has expired in the second.
const TIMES: [u64; 2] = [NOW_MS, NOW_MS + 2_000];

/// Something that arrives at a node.
enum Arrival {
    Statement(Box<Verified<Statement>>),
    Record(RecordFacts),
}

/// What a node makes of what has arrived, at each of the times.
type Answer = Vec<(Decision, Judgement)>;

/// A grant, a referral that expires, a revocation, keys before and after it, what the hospital
/// wrote within and after its right, an admission of that, an emergency and its answer.
fn events(world: &mut World) -> Vec<Arrival> {
    let grant = world.grant(1, |_| ());
    let referral = world.pass_on(grant.id(), 1, 2, |grant| {
        grant.rights = Rights::READ;
        grant.expires_ms = Some(NOW_MS + 1_000);
    });
    let mut pen = world.pen(1, &SUMMARY);
    let within = pen.write("within", &[]);
    let after = pen.write("after", &[&within]);
    let revocation = world.revoke(&grant, &[&within]);
    let admission = world.admit(0, &[&after]);
    let (first, key) = world.epoch(0, &SUMMARY, &[0, 1, 2], &[]);
    let (rotated, _) = world.epoch(0, &SUMMARY, &[0], &[key]);
    let asked = world.break_glass(2);
    let release = world.release(&asked, (0, 2), None, |_| ());
    let statement = |one: Verified<Statement>| Arrival::Statement(Box::new(one));
    vec![
        statement(grant),
        statement(referral),
        statement(revocation),
        Arrival::Record(within),
        Arrival::Record(after),
        statement(admission),
        statement(first),
        statement(rotated),
        statement(asked),
        statement(release),
    ]
}

/// A node at which events arrive one by one.
struct Node<'a> {
    world: &'a World,
    book: &'a CertificateBook,
    ledger: Ledger,
    records: Vec<RecordFacts>,
}

impl Node<'_> {
    fn take(&mut self, arrival: &Arrival) {
        match arrival {
            Arrival::Statement(statement) => {
                self.ledger.insert((**statement).clone());
            }
            Arrival::Record(record) => self.records.push(record.clone()),
        }
    }

    fn answer(&self) -> Answer {
        let at = |now: &u64| {
            let decision = decide(&self.ledger, self.book, *now);
            (decision, judge(&self.ledger, self.book, &self.records))
        };
        TIMES.iter().map(at).collect()
    }

    /// Nobody opens what is sealed now but who may read it.
    fn check_keys(&self, answer: &Answer) {
        for (decision, _) in answer {
            let Some(sealing) = decision.sealing_epoch(&SUMMARY) else {
                continue;
            };
            for clinic in &self.world.clinics[..usize::from(CLINICS)] {
                let epochs = self.ledger.epochs().map(|(_, epoch)| epoch);
                let ring = Keyring::open(epochs, &clinic.id(), &clinic.sealing);
                let opens = ring.get(&sealing.epoch()).is_some();
                assert!(!opens || decision.may_read(&clinic.id(), &SUMMARY));
            }
        }
    }
}

/// Goes through every order of the events that are left, from what has arrived so far. Returns how
/// many orders there were.
fn play(
    events: &[Arrival],
    node: &mut Node<'_>,
    arrived: u32,
    known: &mut BTreeMap<u32, Answer>,
) -> usize {
    if usize::try_from(arrived.count_ones()).unwrap() == MOST {
        return 1;
    }
    let mut orders = 0;
    for (number, event) in events.iter().enumerate() {
        let bit = 1_u32 << number;
        if arrived & bit != 0 {
            continue;
        }
        let (ledger, records) = (node.ledger.clone(), node.records.clone());
        node.take(event);
        let answer = node.answer();
        match known.get(&(arrived | bit)) {
            // By another order before: the same set, the same answer.
            Some(before) => assert_eq!(*before, answer, "{:b}", arrived | bit),
            None => {
                node.check_keys(&answer);
                known.insert(arrived | bit, answer);
            }
        }
        orders += play(events, node, arrived | bit, known);
        (node.ledger, node.records) = (ledger, records);
    }
    orders
}

#[test]
fn every_order_and_every_part_of_six_events_gives_the_same_answer() {
    let mut world = World::new(6, CLINICS);
    let events = events(&mut world);
    let book = world.book();
    let mut node = Node {
        world: &world,
        book: &book,
        ledger: world.ledger(&[]),
        records: Vec::new(),
    };
    let mut known = BTreeMap::new();
    let orders = play(&events, &mut node, 0, &mut known);
    println!(
        "{orders} orders of {MOST} of {} events, {} sets",
        events.len(),
        known.len()
    );
    // 10 events: 10 · 9 · 8 · 7 · 6 · 5 orders, and every set of one to six of them.
    assert_eq!((orders, known.len()), (151_200, 847));
}
