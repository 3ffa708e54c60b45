//! Invented identifiers: the clinic's record number with its check digit, a national number,
//! and a telephone number that rings nowhere.

use super::dice::Dice;
use super::fhir::coded;
use super::json::Json;
use super::names::Region;

/// The system of the clinic's record numbers.
const RECORD_SYSTEM: &str = "https://clinic.example.org/ids/record-number";

/// How many record numbers there are: a prime, so that multiplying runs through all of them.
const RECORD_NUMBERS: u64 = 99_999_989;

/// A multiplier that scatters neighbours.
const SCATTER: u64 = 48_271_019;

/// The identifiers of a patient. The record number is unique among the first 99 million
/// patients of a seed, and does not tell their order.
pub(super) fn identifiers(region: &Region, seed: u64, patient: u64, dice: &mut Dice) -> Vec<Json> {
    let number = (patient % RECORD_NUMBERS * SCATTER + seed % RECORD_NUMBERS) % RECORD_NUMBERS;
    let digits = format!("{number:08}");
    let check = check_digit(&digits);
    let kind = coded("http://terminology.hl7.org/CodeSystem/v2-0203", "MR");
    let record = Json::object()
        .with("use", "usual")
        .with("type", kind)
        .with("system", RECORD_SYSTEM)
        .with("value", format!("{digits}-{check}"));
    let mut identifiers = vec![record];
    if dice.chance(55) {
        // 2.999 is the arc of examples (ITU-T X.660): no register assigns below it.
        let number = dice.between(10_000_000, 99_999_999);
        let national = Json::object()
            .with("use", "official")
            .with("system", format!("urn:oid:2.999.1.{}", region.number))
            .with("value", format!("{}{number}", region.country));
        identifiers.push(national);
    }
    identifiers
}

/// A telephone number under +999, which no country has (ITU-T E.164).
pub(super) fn telephone(dice: &mut Dice) -> Json {
    let number = dice.between(1_000_000, 9_999_999);
    Json::object()
        .with("system", "phone")
        .with(
            "value",
            format!("+999 7{} {:06}", number / 1_000_000, number % 1_000_000),
        )
        .with("use", "mobile")
}

/// The check digit of a number (ISO/IEC 7812-1, Luhn): with it, one wrong digit and nearly
/// every swap of neighbours is noticed.
fn check_digit(digits: &str) -> u32 {
    let doubled = digits
        .chars()
        .rev()
        .filter_map(|c| c.to_digit(10))
        .enumerate();
    let sum: u32 = doubled
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, twice) if twice > 9 => twice - 9,
            (0, twice) => twice,
            _ => digit,
        })
        .sum();
    (10 - sum % 10) % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_digit_is_that_of_the_standard() {
        assert_eq!(check_digit("7992739871"), 3);
        assert_eq!(check_digit("0"), 0);
    }

    #[test]
    fn one_wrong_digit_changes_the_check_digit() {
        let good = check_digit("12345678");
        for wrong in ["02345678", "12345679", "12395678"] {
            assert_ne!(check_digit(wrong), good);
        }
    }
}
