//! How heavy and how tall people are at an age.

use time::Date;

use super::person::{Person, Sex};

/// Approximate weight in 100 g and height in mm by age in months, boys and girls together:
/// plausible values, no growth reference to judge a child by.
const GROWTH: [(u32, u32, u32); 24] = [
    (0, 33, 500),
    (1, 43, 540),
    (2, 53, 575),
    (3, 61, 605),
    (4, 67, 630),
    (6, 76, 665),
    (9, 86, 710),
    (12, 93, 750),
    (18, 105, 815),
    (24, 118, 870),
    (36, 140, 950),
    (48, 160, 1025),
    (60, 180, 1095),
    (72, 200, 1155),
    (84, 225, 1215),
    (96, 250, 1270),
    (108, 280, 1325),
    (120, 315, 1380),
    (132, 350, 1435),
    (144, 395, 1495),
    (156, 445, 1550),
    (168, 495, 1600),
    (180, 540, 1640),
    (216, 620, 1680),
];

/// Weight in 100 g and height in mm of a person on a day.
pub(super) fn body(person: &Person, on: Date) -> (u32, u32) {
    let months = person.months_old(on);
    let (mut weight, mut height) = (620, 1680);
    for pair in GROWTH.windows(2) {
        if let [(from, light, short), (to, heavy, tall)] = *pair
            && (from..to).contains(&months)
        {
            weight = light + (heavy - light) * (months - from) / (to - from);
            height = short + (tall - short) * (months - from) / (to - from);
        }
    }
    if person.sex == Sex::Female && months >= 156 {
        weight = weight * 94 / 100;
        height = height * 95 / 100;
    }
    (
        weight * person.weight_percent / 100,
        height * person.height_percent / 100,
    )
}

#[cfg(test)]
mod tests {
    use super::super::calendar::{TODAY, days_before};
    use super::super::dice::Dice;
    use super::*;

    #[test]
    fn children_grow_and_grown_people_do_not() {
        let mut dice = Dice::of(1, 1);
        let mut person = Person::roll(&mut dice);
        let mut last = (0, 0);
        for months in 0..150 {
            person.born = days_before(TODAY, months * 304 / 10);
            let now = body(&person, TODAY);
            assert!(now.0 >= last.0 && now.1 >= last.1, "{months}");
            last = now;
        }
        person.born = days_before(TODAY, 10_000);
        let grown = body(&person, TODAY);
        person.born = days_before(TODAY, 30_000);
        assert_eq!(body(&person, TODAY), grown);
    }
}
