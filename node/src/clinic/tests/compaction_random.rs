//! Clinics that write, compact, meet and are cut off at random: in the end all have the same.

use proptest::prelude::*;
use proptest::test_runner::Config as ProptestConfig;

use super::sharing::visit;
use super::*;
use crate::clinic::Provenance;
use crate::clinic::compact::Occasion;

/// Clinics that take part.
const CLINICS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    /// A clinic records some visits.
    Write { at: usize, visits: usize },
    /// A clinic compacts, if there is anything to gain.
    Compact { at: usize },
    /// Two clinics meet until they are in sync.
    Meet { one: usize, other: usize },
    /// Two clinics meet, and the link is cut after so many pieces.
    Cut {
        one: usize,
        other: usize,
        pieces: usize,
    },
    /// A clinic is closed and opened again.
    Reopen { at: usize },
    /// Home lets the third clinic read and write.
    Grant,
}

fn step() -> impl Strategy<Value = Step> {
    let clinic = || 0..CLINICS;
    prop_oneof![
        4 => (clinic(), 1..5_usize).prop_map(|(at, visits)| Step::Write { at, visits }),
        3 => clinic().prop_map(|at| Step::Compact { at }),
        3 => (clinic(), clinic()).prop_map(|(one, other)| Step::Meet { one, other }),
        3 => (clinic(), clinic(), 1..60_usize)
            .prop_map(|(one, other, pieces)| Step::Cut { one, other, pieces }),
        1 => clinic().prop_map(|at| Step::Reopen { at }),
        1 => Just(Step::Grant),
    ]
}

fn play(houses: &mut Vec<House>, id: &str, step: &Step, number: usize) {
    // Statements come before records: a chart may be known and have no patient yet.
    let has = |house: &House| {
        house
            .clinic
            .export(id, true)
            .is_ok_and(|text| !text.is_empty())
    };
    match step {
        Step::Write { at, visits } if has(&houses[*at]) => {
            for visited in 0..*visits {
                let name = format!("o{number}-{visited}");
                houses[*at].import(&visit(&houses[*at], id, &name));
            }
        }
        Step::Compact { at } if has(&houses[*at]) => {
            let chart = id.parse().unwrap();
            // With few records, as for a new reader of a long chart.
            let clinic = &houses[*at].clinic;
            clinic
                .compact(&chart, |_| true, Occasion::NewReader)
                .unwrap();
        }
        Step::Meet { one, other } if one != other => {
            sync(&houses[*one], &houses[*other]).unwrap();
        }
        Step::Cut { one, other, pieces } if one != other => {
            let mut pair = Joined::new(&houses[*one], &houses[*other]);
            pair.piece = 700;
            for _ in 0..*pieces {
                pair.step();
            }
        }
        Step::Reopen { at } => {
            let house = houses.remove(*at);
            houses.insert(*at, house.reopen());
        }
        Step::Grant if houses[0].clinic.grants(Some(id)).unwrap().len() == 1 => {
            houses[0].grant(id, &houses[2], "all", "read,write");
        }
        Step::Write { .. }
        | Step::Compact { .. }
        | Step::Meet { .. }
        | Step::Cut { .. }
        | Step::Grant => {}
    }
}

/// Each takes some seconds. `CHARTMESH_RANDOM_PLAYS` sets another number, for a longer run.
const PLAYS: u32 = 12;

pub(super) fn plays() -> u32 {
    let plays = std::env::var("CHARTMESH_RANDOM_PLAYS");
    let plays = plays.ok().and_then(|text| text.parse().ok());
    plays.unwrap_or(PLAYS)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: plays(),
        failure_persistence: None,
        max_shrink_iters: 60,
        ..ProptestConfig::default()
    })]

    #[test]
    fn clinics_that_compact_and_meet_at_random_come_to_show_the_same(
        steps in prop::collection::vec(step(), 10..40),
    ) {
        let mut houses: Vec<House> =
            ["Home", "Second", "Third"].map(House::new).into_iter().collect();
        for (one, other) in [(0, 1), (0, 2), (1, 2)] {
            introduce(&houses[one], &houses[other]);
        }
        let id = houses[0].register("Amina");
        houses[0].grant(&id, &houses[1], "all", "read,write");
        for (number, step) in steps.iter().enumerate() {
            play(&mut houses, &id, step, number);
        }
        play(&mut houses, &id, &Step::Grant, 0);
        for (one, other) in [(1, 2), (0, 1), (1, 2), (0, 2), (0, 1), (1, 2)] {
            sync(&houses[one], &houses[other]).unwrap();
        }
        let wanted = houses[0].clinic.export(&id, false).unwrap();
        let history = houses[0].clinic.history(&id).unwrap();
        for house in &houses {
            prop_assert_eq!(&house.clinic.export(&id, false).unwrap(), &wanted);
            let here = house.clinic.history(&id).unwrap();
            prop_assert!(here.iter().all(|one| one.provenance == Provenance::Signed));
            prop_assert_eq!(here.len(), history.len());
            prop_assert!(house.clinic.chart_view(&id).unwrap().held.is_empty());
        }
    }
}
