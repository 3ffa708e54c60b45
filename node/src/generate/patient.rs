//! The Patient resource (FHIR R4 8.1), and for children the mother's RelatedPerson.

use super::calendar::day_text;
use super::chart::Chart;
use super::fhir::coded;
use super::identifiers::{identifiers, telephone};
use super::json::Json;
use super::names::Word;
use super::person::{Called, Known, Sex, name};

/// Adds who the patient is.
pub(super) fn write(chart: &mut Chart, seed: u64, number: u64) {
    let mother = chart.person.is_child().then(|| mother_of(chart));
    let region = chart.person.region;
    let dice = &mut chart.dice;
    let identifiers = identifiers(region, seed, number, dice);
    let telecom = dice.chance(70).then(|| [telephone(dice)]);
    let language = dice.pick(region.languages);
    let language = coded("urn:ietf:bcp:47", language);
    let communication = Json::object()
        .with("language", language)
        .with("preferred", true);
    let address = Json::object()
        .with("use", "home")
        .with("type", "physical")
        .with("city", dice.pick(region.villages))
        .with("district", dice.pick(region.districts))
        .with("country", region.country);
    let contact = match &mother {
        Some(mother) => Some(contact("MTH", &mother.line(), dice.chance(60), dice)),
        None if dice.chance(40) => {
            let sex = if dice.chance(50) {
                Sex::Female
            } else {
                Sex::Male
            };
            let line = name(region, sex, dice).line();
            Some(contact(
                if dice.chance(40) { "SPS" } else { "SIB" },
                &line,
                true,
                dice,
            ))
        }
        None => None,
    };
    let body = Json::object()
        .with("identifier", identifiers)
        .with("active", true)
        .with("name", names(&chart.person.name))
        .with_some("telecom", telecom)
        .with("gender", chart.person.gender)
        .with("birthDate", birth_date(chart))
        .with("address", [address])
        .with_some("contact", contact.map(|contact| [contact]))
        .with("communication", [communication]);
    let id = chart.patient_id.clone();
    chart.bundle.add("Patient", &id, None, body);
    if let Some(mother) = mother {
        write_mother(chart, &mother);
    }
}

/// The birth date as exactly as it is known: a year, a month or a day (FHIR R4 `date`).
fn birth_date(chart: &Chart) -> String {
    let day = day_text(chart.person.born);
    let length = match chart.person.known {
        Known::Day => 10,
        Known::Month => 7,
        Known::Year => 4,
    };
    day.chars().take(length).collect()
}

/// The mother's name: her child's family name may be hers or not.
fn mother_of(chart: &mut Chart) -> Called {
    let mut mother = name(chart.person.region, Sex::Female, &mut chart.dice);
    if chart.dice.chance(50) && !mother.family.is_empty() {
        mother.family.clone_from(&chart.person.name.family);
    }
    mother
}

/// The names as FHIR has them: as written, and in Latin letters if those are others.
fn names(called: &Called) -> Vec<Json> {
    let written = human_name("official", called, |word| word.own);
    let is_foreign = called
        .given
        .iter()
        .chain(&called.family)
        .any(|word| word.latin.is_some());
    let latin = is_foreign.then(|| {
        let latin = |word: &Word| word.latin.unwrap_or(word.own);
        human_name("usual", called, latin)
    });
    [Some(written), latin].into_iter().flatten().collect()
}

/// One HumanName; people without a family name have none in it.
fn human_name(r#use: &str, called: &Called, letters: impl Fn(&Word) -> &'static str) -> Json {
    let all: Vec<&str> = called
        .given
        .iter()
        .chain(&called.family)
        .map(&letters)
        .collect();
    let family: Vec<&str> = called.family.iter().map(&letters).collect();
    let given: Vec<Json> = called
        .given
        .iter()
        .map(|word| letters(word).into())
        .collect();
    Json::object()
        .with("use", r#use)
        .with("text", all.join(" "))
        .with_some("family", (!family.is_empty()).then(|| family.join(" ")))
        .with("given", given)
}

/// A person to turn to.
fn contact(
    relationship: &str,
    line: &str,
    has_telephone: bool,
    dice: &mut super::dice::Dice,
) -> Json {
    let relation = coded(
        "http://terminology.hl7.org/CodeSystem/v3-RoleCode",
        relationship,
    );
    Json::object()
        .with("relationship", [relation])
        .with("name", Json::object().with("text", line))
        .with_some("telecom", has_telephone.then(|| [telephone(dice)]))
}

/// Adds the mother.
fn write_mother(chart: &mut Chart, mother: &Called) {
    let id = chart.dice.uuid();
    let relation = coded("http://terminology.hl7.org/CodeSystem/v3-RoleCode", "MTH");
    let body = Json::object()
        .with("active", true)
        .with("patient", chart.patient())
        .with("relationship", [relation])
        .with("name", names(mother))
        .with("gender", "female");
    chart.bundle.add("RelatedPerson", &id, None, body);
}
