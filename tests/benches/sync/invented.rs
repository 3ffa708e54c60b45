//! Charts of invented patients, and what is added to them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use chartmesh::generate::generate;
use serde_json::json;
use serde_json::value::RawValue;

/// The seed of every run: the same patients each time.
const SEED: u64 = 1;

/// A chart as a bundle, and its patient.
pub(crate) struct Chart {
    pub(crate) file_name: String,
    pub(crate) bundle: String,
    pub(crate) patient: Patient,
}

/// A Patient, to the letter: another order of the members would be a change.
#[derive(Clone)]
pub(crate) struct Patient {
    pub(crate) id: String,
    pub(crate) json: String,
}

/// Charts of some 45 resources each.
pub(crate) fn whole(count: usize) -> impl Iterator<Item = Chart> {
    generate(count, SEED).map(|one| {
        let json = resources(&one.json).swap_remove(0);
        Chart {
            file_name: one.file_name,
            bundle: one.json,
            patient: Patient::new(json),
        }
    })
}

/// Charts of a patient and one observation each.
pub(crate) fn small(count: usize) -> impl Iterator<Item = Chart> {
    (0..count).map(|number| {
        let json = json!({
            "resourceType": "Patient", "id": format!("p{number}"),
            "name": [{ "text": format!("Patient {number}") }],
        });
        let patient = Patient::new(json.to_string());
        Chart {
            file_name: format!("{number:06}.json"),
            bundle: visit(&patient, "first", "rest, and much to drink"),
            patient,
        }
    })
}

impl Patient {
    pub(crate) fn new(json: String) -> Self {
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["resourceType"], "Patient");
        let id = value["id"].as_str().unwrap().to_owned();
        Self { id, json }
    }
}

/// The resources of a bundle, to the letter.
pub(crate) fn resources(bundle: &str) -> Vec<String> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(bundle).unwrap();
    let entries = members["entry"].get();
    let entries: Vec<BTreeMap<String, &RawValue>> = serde_json::from_str(entries).unwrap();
    let resources = entries.iter().map(|entry| entry["resource"].get());
    resources.map(str::to_owned).collect()
}

/// A bundle of the patient and other resources.
pub(crate) fn bundle<'a>(
    patient: &'a Patient,
    resources: impl IntoIterator<Item = &'a str>,
) -> String {
    let entries: Vec<String> = std::iter::once(patient.json.as_str())
        .chain(resources)
        .map(|resource| format!(r#"{{"resource":{resource}}}"#))
        .collect();
    format!(
        r#"{{"resourceType":"Bundle","type":"collection","entry":[{}]}}"#,
        entries.join(",")
    )
}

/// A bundle with the patient and one observation with these words.
pub(crate) fn visit(patient: &Patient, id: &str, words: &str) -> String {
    let observation = json!({
        "resourceType": "Observation", "id": id, "status": "final",
        "subject": { "reference": format!("Patient/{}", patient.id) },
        "code": { "text": "note" }, "valueString": words,
    });
    bundle(patient, [observation.to_string().as_str()])
}

/// Hexadecimal digits by chance: sealed, they take half their length.
pub(crate) fn digits(number: usize, length: usize) -> String {
    let mut digits = String::new();
    let mut block = 0;
    while digits.len() < length {
        let hash = blake3::hash(format!("{number} {block}").as_bytes());
        write!(digits, "{}", hash.to_hex()).unwrap();
        block += 1;
    }
    digits.truncate(length);
    digits
}

/// Writes a bundle into a folder.
pub(crate) fn write(folder: &Path, file_name: &str, bundle: &str) {
    std::fs::write(folder.join(file_name), bundle).unwrap();
}
