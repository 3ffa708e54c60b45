//! What must hold of every generated chart, read back from its JSON alone.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use proptest::prelude::*;
use serde_json::Value;

use super::{GeneratedPatient, generate};

/// As many charts as show every rare case.
const CHARTS: usize = 800;

/// BLAKE3 of the file names and bundles of the first 50 patients of seed 7. It changes only
/// when what is generated is meant to change.
const GOLDEN: &str = "a215c0d19b6059fc841115effa27873108455a0cb24debfb48ea0b0e0d6151cf";

/// A bundle read back.
struct Read {
    text: String,
    resources: Vec<Value>,
}

impl Read {
    fn of(patient: &GeneratedPatient) -> Self {
        let bundle: Value = serde_json::from_str(&patient.json).unwrap();
        let entries = bundle["entry"].as_array().unwrap();
        let resources = entries
            .iter()
            .map(|entry| entry["resource"].clone())
            .collect();
        Self {
            text: patient.json.clone(),
            resources,
        }
    }

    fn kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.resources
            .iter()
            .filter(move |resource| resource["resourceType"] == kind)
    }

    fn patient(&self) -> &Value {
        self.kind("Patient").next().unwrap()
    }

    /// The age in months at a date, at most 12 too high when only the birth year is known.
    fn months(&self, date: &str) -> u32 {
        let number = |text: &str, at: usize| -> i32 {
            text.get(at..at + 2)
                .map_or(1, |digits| digits.parse().unwrap())
        };
        let year = |text: &str| text[..4].parse::<i32>().unwrap();
        let born = self.patient()["birthDate"].as_str().unwrap();
        let months = (year(date) - year(born)) * 12 + number(date, 5) - number(born, 5);
        let early = i32::from(born.len() == 10 && number(date, 8) < number(born, 8));
        u32::try_from(months - early).unwrap()
    }

    fn knows_birthday(&self) -> bool {
        self.patient()["birthDate"].as_str().unwrap().len() == 10
    }

    fn has(&self, icd10: &str) -> bool {
        self.kind("Condition")
            .any(|condition| condition["code"]["coding"][0]["code"] == icd10)
    }
}

fn all() -> Vec<Read> {
    generate(CHARTS, 1)
        .map(|patient| Read::of(&patient))
        .collect()
}

fn digest(charts: usize, seed: u64) -> String {
    let mut hasher = blake3::Hasher::new();
    for patient in generate(charts, seed) {
        hasher
            .update(patient.file_name.as_bytes())
            .update(patient.json.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// Every reference of a resource.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(text) if name == "reference" => found.push(text.to_owned()),
                    _ => references(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_every_machine() {
    assert_eq!(digest(50, 7), GOLDEN);
}

#[test]
fn another_seed_gives_other_patients() {
    assert_ne!(digest(3, 1), digest(3, 2));
}

#[test]
fn a_patient_is_the_same_however_many_are_asked_for() {
    let few: Vec<_> = generate(3, 9).collect();
    let many: Vec<_> = generate(20, 9).take(3).collect();
    assert_eq!(few, many);
    assert_eq!(generate(0, 9).count(), 0);
}

#[test]
fn a_file_name_tells_nothing_but_the_number() {
    let names: Vec<_> = generate(2, 1).map(|patient| patient.file_name).collect();
    assert_eq!(names, ["patient-000001.json", "patient-000002.json"]);
}

/// One Patient, ids of its own for all, and every reference leads to an entry of the bundle.
fn check_bundle(json: &str) {
    let bundle: Value = serde_json::from_str(json).unwrap();
    let transaction = bundle["type"] == "transaction";
    let mut ids = BTreeSet::new();
    let mut targets = BTreeSet::new();
    let mut patients = 0;
    for entry in bundle["entry"].as_array().unwrap() {
        let resource = &entry["resource"];
        let kind = resource["resourceType"].as_str().unwrap();
        let id = resource["id"].as_str().unwrap();
        assert!(uuid::Uuid::parse_str(id).is_ok() && ids.insert(id.to_owned()));
        patients += usize::from(kind == "Patient");
        let full_url = entry["fullUrl"].as_str().unwrap();
        if transaction {
            assert_eq!(full_url, format!("urn:uuid:{id}"));
            assert_eq!(entry["request"]["url"], kind);
            targets.insert(full_url.to_owned());
        } else {
            assert!(full_url.ends_with(&format!("/{kind}/{id}")));
            targets.insert(format!("{kind}/{id}"));
        }
    }
    assert_eq!(patients, 1);
    let mut found = Vec::new();
    references(&bundle, &mut found);
    assert!(found.iter().all(|reference| targets.contains(reference)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_bundle_of_any_seed_has_one_patient_and_refers_to_itself_only(seed: u64) {
        for patient in generate(4, seed) {
            check_bundle(&patient.json);
        }
    }
}

#[test]
fn charts_have_a_usual_size_and_no_identifier_twice() {
    let mut numbers = BTreeSet::new();
    let charts = all();
    let usual = charts
        .iter()
        .filter(|chart| (25..=60).contains(&chart.resources.len()))
        .count();
    assert!(usual * 100 >= CHARTS * 95, "{usual}");
    for chart in charts {
        assert!(
            (20..=70).contains(&chart.resources.len()),
            "{}",
            chart.resources.len()
        );
        assert!((1..=8).contains(&chart.kind("Encounter").count()));
        let number = chart.patient()["identifier"][0]["value"].as_str().unwrap();
        assert!(numbers.insert(number.to_owned()));
    }
}

#[test]
fn people_of_many_kinds_are_there() {
    let charts = all();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut see = |what, is| *seen.entry(what).or_default() += usize::from(is);
    for chart in &charts {
        let patient = chart.patient();
        let name = &patient["name"][0];
        let years = chart.months("2025-06-30") / 12;
        see(
            "one name",
            name["text"]
                .as_str()
                .is_some_and(|text| !text.contains(' ')),
        );
        see("no family name", name["family"].is_null());
        see(
            "two family names",
            name["family"].as_str().is_some_and(|f| f.contains(' ')),
        );
        see("Arabic", chart.text.contains("محمد"));
        see("Devanagari", chart.text.contains("सीता"));
        see(
            "born in a year",
            patient["birthDate"].as_str().unwrap().len() == 4,
        );
        see(
            "born in a month",
            patient["birthDate"].as_str().unwrap().len() == 7,
        );
        see("infant", years == 0);
        see("child", (1..15).contains(&years));
        see("very old", years >= 80);
        see("mother", chart.kind("RelatedPerson").count() == 1);
        see("no telephone", patient["telecom"].is_null());
        see("not asked", chart.kind("AllergyIntolerance").count() == 0);
        see("none known", chart.text.contains("No known allergy"));
        see("message", chart.kind("Communication").count() > 0);
        see("insured", chart.kind("Coverage").count() > 0);
        see(
            "transaction",
            chart.text.contains("\"type\":\"transaction\""),
        );
        see("restricted to HIV", chart.text.contains("\"code\":\"HIV\""));
        see("restricted to PSY", chart.text.contains("\"code\":\"PSY\""));
        for code in [
            "I10", "E11.9", "J45.9", "B24", "A15.0", "D57.1", "G40.9", "F32.9", "Z34.9",
        ] {
            see(code, chart.has(code));
        }
    }
    let absent: Vec<_> = seen.iter().filter(|(_, count)| **count == 0).collect();
    assert!(absent.is_empty(), "{absent:?}");
}

#[test]
fn nobody_gets_what_they_are_allergic_to() {
    let forbidden = [
        ("Allergy to penicillin", &["cillin"][..]),
        (
            "Allergy to sulfonamide",
            &["sulf", "Sulf", "thiazide", "Glibenclamide"],
        ),
        ("Allergy to aspirin", &["Ibuprofen", "Aspirin"]),
    ];
    let mut allergic = 0;
    for chart in all() {
        for (allergy, words) in forbidden {
            if chart
                .kind("AllergyIntolerance")
                .any(|it| it["code"]["text"] == allergy)
            {
                allergic += 1;
                for medicine in chart.kind("MedicationRequest") {
                    let text = medicine["medicationCodeableConcept"]["text"]
                        .as_str()
                        .unwrap();
                    // Iron and zinc salts are sulfates, not sulfonamides.
                    let text = text.replace("sulfate", "");
                    assert!(
                        !words.iter().any(|word| text.contains(word)),
                        "{allergy}: {text}"
                    );
                }
            }
        }
    }
    assert!(allergic > 50);
}

#[test]
fn only_women_of_an_age_for_it_are_pregnant_and_take_nothing_that_harms() {
    let harmful = [
        "C09AA02", "C03AA03", "N03AF01", "N03AA02", "P02CA03", "J01EE01", "M01AE01",
    ];
    let mut pregnant = 0;
    for chart in all().iter().filter(|chart| chart.has("Z34.9")) {
        pregnant += 1;
        assert_eq!(chart.patient()["gender"], "female");
        let years = chart.months("2025-06-30") / 12;
        assert!((15..=45).contains(&years), "{years}");
        for medicine in chart.kind("MedicationRequest") {
            let atc = medicine["medicationCodeableConcept"]["coding"][0]["code"]
                .as_str()
                .unwrap();
            assert!(!harmful.contains(&atc));
        }
    }
    assert!(pregnant > 10);
}

/// The usual weight in kg at an age in months, by the formula of the paediatric life support
/// courses (APLS): a yardstick that the generator does not use.
fn usual_kg(months: u32) -> f64 {
    let years = f64::from(months) / 12.0;
    match months {
        0..12 => f64::from(months) / 2.0 + 4.0,
        12..72 => 2.0 * years + 8.0,
        _ => (3.0 * years + 7.0).min(60.0),
    }
}

#[test]
fn doses_are_in_range_for_the_age() {
    // By ATC code: least and most mg per kg and day in children, most mg a day in the grown.
    let ranges = [
        ("N02BE01", 25.0, 75.0, 3000.0),
        ("J01CA04", 30.0, 110.0, 1500.0),
        ("J01FA10", 5.0, 15.0, 500.0),
        ("J01CF02", 25.0, 100.0, 2000.0),
        ("J01FA01", 30.0, 100.0, 2000.0),
        ("N03AF01", 5.0, 20.0, 1200.0),
        ("B03AA07", 1.0, 6.0, 200.0),
        ("P01BE03", 5.0, 15.0, 0.0),
        ("M01AE01", 0.0, 0.0, 1200.0),
        ("A10BA02", 0.0, 0.0, 2000.0),
        ("C08CA01", 0.0, 0.0, 10.0),
        ("N06AB03", 0.0, 0.0, 60.0),
    ];
    let mut checked = BTreeSet::new();
    for chart in all().iter().filter(|chart| chart.knows_birthday()) {
        for medicine in chart.kind("MedicationRequest") {
            let atc = medicine["medicationCodeableConcept"]["coding"][0]["code"]
                .as_str()
                .unwrap();
            let dosage = &medicine["dosageInstruction"][0];
            let dose = &dosage["doseAndRate"][0]["doseQuantity"];
            let times = dosage["timing"]["repeat"]["frequency"].as_f64().unwrap();
            let a_day = dose["value"].as_f64().unwrap() * times;
            let months = chart.months(medicine["authoredOn"].as_str().unwrap());
            let range = ranges
                .iter()
                .find(|range| range.0 == atc && dose["code"] == "mg");
            if let Some((atc, least, most, grown)) = range {
                checked.insert(*atc);
                let per_kg = a_day / usual_kg(months);
                let is_right = match months {
                    0..144 => (*least..=*most).contains(&per_kg),
                    _ => a_day <= *grown,
                };
                assert!(is_right, "{atc} at {months} months: {a_day} mg a day");
            }
        }
    }
    assert!(checked.len() >= 10, "{checked:?}");
}

#[test]
fn vital_signs_fit_the_age() {
    for chart in all().iter().filter(|chart| chart.knows_birthday()) {
        for sign in chart.kind("Observation") {
            let months = chart.months(sign["effectiveDateTime"].as_str().unwrap());
            let Some(value) = sign["valueQuantity"]["value"].as_f64() else {
                continue;
            };
            let kg = usual_kg(months);
            let range = match sign["code"]["coding"][0]["code"].as_str().unwrap() {
                "29463-7" if months < 150 => kg * 0.6..=kg * 1.45,
                "29463-7" => 30.0..=85.0,
                "8310-5" => 36.0..=40.0,
                "8867-4" if months < 12 => 100.0..=170.0,
                "8867-4" => 55.0..=155.0,
                "9279-1" => 12.0..=52.0,
                "8302-2" => 45.0..=185.0,
                "56072-2" => 12.5..=17.0,
                _ => continue,
            };
            assert!(
                range.contains(&value),
                "{} at {months} months: {value}",
                sign["code"]["text"]
            );
        }
    }
}

#[test]
fn nothing_happens_before_birth_or_after_the_last_day() {
    for chart in all() {
        let born = chart.patient()["birthDate"].as_str().unwrap();
        for resource in &chart.resources {
            for name in [
                "occurrenceDateTime",
                "onsetDateTime",
                "authoredOn",
                "effectiveDateTime",
            ] {
                if let Some(date) = resource[name].as_str() {
                    assert!(
                        &date[..born.len()] >= born && &date[..10] <= "2025-06-30",
                        "{date}"
                    );
                }
            }
        }
    }
}

#[test]
fn what_a_label_restricts_is_not_told_by_what_bears_none() {
    let mut labelled = 0;
    for chart in all() {
        for (code, words) in [("HIV", ["HIV", "B24"]), ("PSY", ["Depressive", "F32.9"])] {
            let bears = |resource: &Value| {
                let labels = resource["meta"]["security"].as_array();
                labels.is_some_and(|labels| labels.iter().any(|label| label["code"] == code))
            };
            if !chart.resources.iter().any(bears) {
                continue;
            }
            labelled += 1;
            for resource in chart.resources.iter().filter(|resource| !bears(resource)) {
                let data = resource["content"][0]["attachment"]["data"]
                    .as_str()
                    .unwrap_or("");
                let note = base64::engine::general_purpose::STANDARD
                    .decode(data)
                    .unwrap();
                let text = resource.to_string() + &String::from_utf8(note).unwrap();
                assert!(words.iter().all(|word| !text.contains(word)), "{code}");
            }
        }
    }
    assert!(labelled > 20, "{labelled}");
}
