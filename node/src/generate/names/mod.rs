//! The people of a region: what they are called and where they live. Names are common ones,
//! put together by chance; villages are invented.

mod andes;
mod east_africa;
mod middle_east;
mod south_asia;
mod southern_africa;
mod west_africa;

pub(super) use andes::ANDES;
pub(super) use east_africa::EAST_AFRICA;
pub(super) use middle_east::MIDDLE_EAST;
pub(super) use south_asia::SOUTH_ASIA;
pub(super) use southern_africa::SOUTHERN_AFRICA;
pub(super) use west_africa::WEST_AFRICA;

/// A name in its own script, and in Latin letters where that is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word {
    /// The name as people write it.
    pub(super) own: &'static str,
    /// The same in Latin letters, when `own` is in another script.
    pub(super) latin: Option<&'static str>,
}

/// A name that is written in Latin letters.
const fn latin(own: &'static str) -> Word {
    Word { own, latin: None }
}

/// A name of another script with its transliteration.
const fn script(own: &'static str, latin: &'static str) -> Word {
    Word {
        own,
        latin: Some(latin),
    }
}

/// What stands behind the given names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FamilyName {
    /// One family name.
    One,
    /// The father's and the mother's.
    Two,
    /// None: the father's given name follows, and his father's.
    Patronymic,
}

/// A region and its people.
#[derive(Debug)]
pub(super) struct Region {
    /// ISO 3166-1 code of the country.
    pub(super) country: &'static str,
    /// A distinct number: the last arc of the identifiers' OID.
    pub(super) number: u32,
    /// The zone of its clocks.
    pub(super) zone: &'static str,
    /// How families are named.
    pub(super) family_name: FamilyName,
    /// Of 100 people, how many go by one name only.
    pub(super) one_name_percent: u32,
    /// Given names of women.
    pub(super) women: &'static [Word],
    /// Given names of men.
    pub(super) men: &'static [Word],
    /// Family names; unused where there are none.
    pub(super) families: &'static [Word],
    /// Invented villages.
    pub(super) villages: &'static [&'static str],
    /// Invented districts.
    pub(super) districts: &'static [&'static str],
    /// Codes of the languages spoken (BCP 47).
    pub(super) languages: &'static [&'static str],
    /// Whether yellow fever is in the schedule of vaccines.
    pub(super) has_yellow_fever: bool,
    /// Whether malaria is common.
    pub(super) has_malaria: bool,
}

/// All regions.
pub(super) const REGIONS: [&Region; 6] = [
    &WEST_AFRICA,
    &EAST_AFRICA,
    &SOUTHERN_AFRICA,
    &SOUTH_ASIA,
    &ANDES,
    &MIDDLE_EAST,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_region_has_names_and_places_and_says_none_twice() {
        let mut numbers = BTreeSet::new();
        for region in REGIONS {
            assert!(numbers.insert(region.number));
            for words in [region.women, region.men] {
                let distinct: BTreeSet<_> = words.iter().map(|word| word.own).collect();
                assert!(
                    words.len() >= 20 && distinct.len() == words.len(),
                    "{}",
                    region.country
                );
            }
            assert_eq!(
                region.families.is_empty(),
                region.family_name == FamilyName::Patronymic
            );
            assert!(region.villages.len() >= 8 && region.districts.len() >= 3);
        }
    }
}
