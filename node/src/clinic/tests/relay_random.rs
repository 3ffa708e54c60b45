//! Clinics that write and meet a relay, and now and then each other, at random; the relay is put
//! back from a copy, links are cut, grants begin and end. In the end those who may have the same.

use proptest::prelude::*;
use proptest::test_runner::Config as ProptestConfig;

use super::attachments::scan;
use super::compaction_random::plays;
use super::relay::meet;
use super::relay_attachments::document;
use super::sharing::visit;
use super::*;
use crate::clinic::compact::Occasion;

/// Clinics that take part. The first is the chart's home.
const CLINICS: usize = 3;
/// How often a clinic meets the relay until both have nothing more to say: a store that was put
/// back is found out, and its feed is begun anew, which each ends a session.
const TRIES: usize = 4;

#[derive(Debug, Clone)]
enum Step {
    /// A clinic records a visit.
    Write { at: usize },
    /// One of the first two clinics adds a scan, which all others want.
    Scan { at: usize },
    /// A clinic makes one record of many.
    Compact { at: usize },
    /// A clinic meets the relay.
    Visit { at: usize },
    /// A clinic meets the relay, and the link is cut after so many pieces.
    Cut { at: usize, pieces: usize },
    /// Two clinics meet.
    Meet { one: usize, other: usize },
    /// A clinic is closed and opened again.
    Reopen { at: usize },
    /// What lies at the relay is copied, and comes back with the next such step.
    PutBack,
    /// Home lets the relay carry the chart, or does so no more.
    Turn,
    /// The grant of the third clinic ends.
    Revoke,
}

fn step() -> impl Strategy<Value = Step> {
    let clinic = || 0..CLINICS;
    prop_oneof![
        5 => clinic().prop_map(|at| Step::Write { at }),
        2 => (0..2_usize).prop_map(|at| Step::Scan { at }),
        1 => clinic().prop_map(|at| Step::Compact { at }),
        5 => clinic().prop_map(|at| Step::Visit { at }),
        3 => (clinic(), 1..40_usize).prop_map(|(at, pieces)| Step::Cut { at, pieces }),
        1 => (clinic(), clinic()).prop_map(|(one, other)| Step::Meet { one, other }),
        1 => clinic().prop_map(|at| Step::Reopen { at }),
        1 => Just(Step::PutBack),
        1 => Just(Step::Turn),
        1 => Just(Step::Revoke),
    ]
}

/// What is played with.
struct Stage {
    houses: Vec<House>,
    relay: House,
    /// The relay as it was.
    copy: Option<House>,
    id: String,
    /// The grants to the third clinic and to the relay, while they hold.
    third: Option<String>,
    carried: Option<String>,
}

impl Stage {
    fn new() -> Self {
        let relay = House::relay(64);
        let houses: Vec<House> = ["Home", "Second", "Third"].map(House::new).into();
        for (place, house) in houses.iter().enumerate() {
            introduce(house, &relay);
            for other in &houses[..place] {
                introduce(house, other);
            }
        }
        let id = houses[0].register("Amina");
        houses[0].grant(&id, &houses[1], "all", "read,write");
        let third = houses[0].grant(&id, &houses[2], "all", "read,write").grant;
        let mut stage = Self {
            houses,
            relay,
            copy: None,
            id,
            third: third.map(|grant| grant.to_string()),
            carried: None,
        };
        stage.turn();
        stage
    }

    fn turn(&mut self) {
        let home = &self.houses[0];
        match self.carried.take() {
            Some(grant) => drop(home.clinic.revoke(&grant, "for now", None).unwrap()),
            None => {
                let made = home.grant(&self.id, &self.relay, "all", "relay");
                self.carried = made.grant.map(|grant| grant.to_string());
            }
        }
    }

    fn has(&self, at: usize) -> bool {
        let export = self.houses[at].clinic.export(&self.id, true);
        export.is_ok_and(|text| !text.is_empty())
    }

    fn play(&mut self, step: &Step, number: usize) {
        match step {
            Step::Write { at } if self.has(*at) && (*at < 2 || self.third.is_some()) => {
                let house = &self.houses[*at];
                house.import(&visit(house, &self.id, &format!("o{number}")));
            }
            Step::Scan { at } if self.has(*at) => {
                let house = &self.houses[*at];
                let content = scan(20_000 + 17 * number, 1);
                house.import(&document(house, &self.id, &format!("d{number}"), &content));
            }
            Step::Compact { at } if self.has(*at) => {
                let chart = self.id.parse().unwrap();
                let clinic = &self.houses[*at].clinic;
                let made = clinic.compact(&chart, |_| true, Occasion::NewReader);
                made.unwrap();
            }
            // One that meets a store that was put back begins anew, and meets it again.
            Step::Visit { at } => drop(meet(&self.houses[*at], &self.relay)),
            Step::Cut { at, pieces } => {
                let mut pair = Joined::new(&self.houses[*at], &self.relay);
                pair.piece = 700;
                for _ in 0..*pieces {
                    pair.step();
                }
            }
            Step::Meet { one, other } if one != other => {
                sync(&self.houses[*one], &self.houses[*other]).unwrap();
            }
            Step::Reopen { at } => {
                let house = self.houses.remove(*at);
                self.houses.insert(*at, house.reopen());
            }
            Step::PutBack => match self.copy.take() {
                Some(copy) => self.relay = copy,
                None => self.copy = Some(self.relay.copy()),
            },
            Step::Turn => self.turn(),
            Step::Revoke => {
                if let Some(grant) = self.third.take() {
                    let home = &self.houses[0].clinic;
                    home.revoke(&grant, "moved away", None).unwrap();
                }
            }
            Step::Write { .. } | Step::Scan { .. } | Step::Compact { .. } | Step::Meet { .. } => {}
        }
    }

    /// Meets the relay until both have nothing more to say.
    fn settle(&self, at: usize) -> Result<(), CloseReason> {
        let mut last = Ok(());
        for _ in 0..TRIES {
            last = meet(&self.houses[at], &self.relay);
            if last.is_ok() {
                break;
            }
        }
        last
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: plays(),
        failure_persistence: None,
        max_shrink_iters: 60,
        ..ProptestConfig::default()
    })]

    #[test]
    fn clinics_that_meet_a_relay_at_random_come_to_show_the_same(
        steps in prop::collection::vec(step(), 10..50),
    ) {
        let mut stage = Stage::new();
        for (number, step) in steps.iter().enumerate() {
            stage.play(step, number);
        }
        if stage.carried.is_none() {
            stage.turn();
        }
        for at in [0, 1, 2, 0, 1, 2, 0, 1] {
            prop_assert_eq!(stage.settle(at), Ok(()), "clinic {}", at);
        }
        // Scans are wanted, given, fetched and let go of.
        for at in [0, 1, 2, 0, 1, 2, 0, 1, 2] {
            prop_assert_eq!(stage.settle(at), Ok(()), "clinic {}", at);
        }
        let wanted = stage.houses[0].clinic.export(&stage.id, false).unwrap();
        let readers = if stage.third.is_some() { 3 } else { 2 };
        for house in &stage.houses[..readers] {
            let shown = house.clinic.export(&stage.id, false).unwrap();
            prop_assert!(shown == wanted, "{} and {} bytes", shown.len(), wanted.len());
            prop_assert_eq!(house.clinic.wants().all().count(), 0);
            // What the third wrote before it heard that its grant had ended is held.
            let held = house.clinic.chart_view(&stage.id).unwrap().held;
            prop_assert!(held.is_empty() || stage.third.is_none());
            let relay = stage.relay.clinic.node_id();
            let standing = house.clinic.peer_store(relay).unwrap().standing();
            prop_assert_eq!((standing.owed_out, standing.withheld), (0, 0));
            // Each has learnt of the others that they have everything.
            for line in house.clinic.sync_status(Vec::new()).unwrap() {
                let third = stage.houses[2].clinic.node_id();
                if line.node != third || stage.third.is_some() {
                    prop_assert_eq!(line.records, 0, "{:?}", line);
                }
            }
        }
    }
}
