//! An invented person: who they are and how they are called.

use time::Date;

use super::calendar::{TODAY, days_before, days_between, months_between};
use super::dice::Dice;
use super::names::{FamilyName, REGIONS, Region, Word};

/// Sex as far as it matters for medicine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sex {
    /// Female.
    Female,
    /// Male.
    Male,
}

/// How exactly a birth date is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// To the day.
    Day,
    /// To the month.
    Month,
    /// To the year, from the age that was told.
    Year,
}

/// How someone is called.
#[derive(Debug, Clone)]
pub(super) struct Called {
    /// Given names, and those of the father and his father where these follow.
    pub(super) given: Vec<Word>,
    /// Family names; empty for people without.
    pub(super) family: Vec<Word>,
}

impl Called {
    /// The whole name in one line, as it is written.
    pub(super) fn line(&self) -> String {
        let words: Vec<&str> = self
            .given
            .iter()
            .chain(&self.family)
            .map(|w| w.own)
            .collect();
        words.join(" ")
    }
}

/// A person.
#[derive(Debug)]
pub(super) struct Person {
    /// Where they live.
    pub(super) region: &'static Region,
    /// Their sex.
    pub(super) sex: Sex,
    /// The gender that their chart says (FHIR R4 `administrative-gender`).
    pub(super) gender: &'static str,
    /// The day of their birth.
    pub(super) born: Date,
    /// How exactly the chart knows that day.
    pub(super) known: Known,
    /// Their name.
    pub(super) name: Called,
    /// How heavy they are compared to others of their age, in percent.
    pub(super) weight_percent: u32,
    /// How tall they are compared to others of their age, in percent.
    pub(super) height_percent: u32,
}

/// The ages that come to a district clinic: from and to in years, and how many of 100.
const AGES: [(u32, u32, u32); 8] = [
    (0, 0, 8),
    (1, 4, 14),
    (5, 14, 15),
    (15, 24, 16),
    (25, 44, 25),
    (45, 64, 14),
    (65, 79, 6),
    (80, 95, 2),
];

/// The youngest: younger ones have not been to the clinic often enough to have a chart.
const YOUNGEST_DAYS: u32 = 21;

impl Person {
    /// A person by chance.
    pub(super) fn roll(dice: &mut Dice) -> Self {
        let region = dice.pick(&REGIONS);
        let sex = if dice.chance(56) {
            Sex::Female
        } else {
            Sex::Male
        };
        let (from, to, _) = match AGES.get(dice.weighted(AGES.iter().map(|age| age.2))) {
            Some(age) => *age,
            None => (25, 44, 0),
        };
        // Years of 365 days and a quarter; the last birthday lies less than a year back.
        let days = dice
            .between(from * 1461 / 4, (to + 1) * 1461 / 4 - 2)
            .max(YOUNGEST_DAYS);
        let known = match (to <= 14, dice.between(1, 100)) {
            (true, 1..=88) | (false, 1..=62) => Known::Day,
            (true, 89..=97) | (false, 63..=76) => Known::Month,
            _ => Known::Year,
        };
        let gender = match (sex, dice.between(1, 200)) {
            (_, 1) => "other",
            (_, 2) => "unknown",
            (Sex::Female, _) => "female",
            (Sex::Male, _) => "male",
        };
        Self {
            region,
            sex,
            gender,
            born: days_before(TODAY, days),
            known,
            name: name(region, sex, dice),
            weight_percent: dice.between(86, 116),
            height_percent: dice.between(96, 104),
        }
    }

    /// The age in days on a day.
    pub(super) fn days_old(&self, on: Date) -> u32 {
        days_between(self.born, on)
    }

    /// The age in months on a day.
    pub(super) fn months_old(&self, on: Date) -> u32 {
        months_between(self.born, on)
    }

    /// The age in completed years on a day.
    pub(super) fn years_old(&self, on: Date) -> u32 {
        self.days_old(on) * 4 / 1461
    }

    /// Whether the person is under 15 on the last day of the chart.
    pub(super) fn is_child(&self) -> bool {
        self.years_old(TODAY) < 15
    }
}

/// A name by the custom of the region.
pub(super) fn name(region: &Region, sex: Sex, dice: &mut Dice) -> Called {
    let given = dice.pick(match sex {
        Sex::Female => region.women,
        Sex::Male => region.men,
    });
    if dice.chance(region.one_name_percent) {
        return Called {
            given: vec![given],
            family: Vec::new(),
        };
    }
    match region.family_name {
        FamilyName::Patronymic => {
            let ancestors = [dice.pick(region.men), dice.pick(region.men)];
            Called {
                given: [vec![given], ancestors.to_vec()].concat(),
                family: Vec::new(),
            }
        }
        FamilyName::Two => {
            let family = vec![dice.pick(region.families), dice.pick(region.families)];
            Called {
                given: vec![given],
                family,
            }
        }
        FamilyName::One => Called {
            given: vec![given],
            family: vec![dice.pick(region.families)],
        },
    }
}
