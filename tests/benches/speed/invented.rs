//! Files of invented patients.

use std::path::{Path, PathBuf};

use chartmesh::generate::generate;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The seed of every bench: the same patients each time.
const SEED: u64 = 1;

/// A folder with one bundle for each of so many patients.
pub(crate) fn charts(count: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for patient in generate(count, SEED) {
        std::fs::write(folder.path().join(patient.file_name), patient.json).unwrap();
    }
    folder
}

/// A folder with one bundle of `resources` resources for each of so many patients, and the
/// bundles.
pub(crate) fn charts_of(count: usize, resources: usize) -> (TempDir, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let mut bundles = Vec::with_capacity(count);
    for patient in generate(count, SEED) {
        let bundle = grown(&patient.json, resources);
        std::fs::write(folder.path().join(patient.file_name), &bundle).unwrap();
        bundles.push(bundle);
    }
    (folder, bundles)
}

/// A bundle with the patient and `new` resources that the chart does not have yet: one visit.
pub(crate) fn visit(folder: &Path, bundle: &str, number: usize, new: usize) -> PathBuf {
    let mut bundle: Value = serde_json::from_str(bundle).unwrap();
    let entries = bundle["entry"].as_array_mut().unwrap();
    let patient = entries.remove(0);
    assert_eq!(patient["resource"]["resourceType"], "Patient");
    let mut visit = vec![patient];
    visit.extend((0..new).map(|at| renamed(&entries[at % entries.len()], number * new + at)));
    bundle["entry"] = Value::Array(visit);
    let path = folder.join(format!("visit-{number:06}.json"));
    std::fs::write(&path, bundle.to_string()).unwrap();
    path
}

/// A chart with as many resources as wanted: its own, again and again under other ids.
fn grown(bundle: &str, resources: usize) -> String {
    let mut bundle: Value = serde_json::from_str(bundle).unwrap();
    let entries = bundle["entry"].as_array_mut().unwrap();
    entries.truncate(resources);
    let own = entries.clone();
    for at in 0..resources - own.len() {
        // The first entry is the Patient, of whom a chart has one.
        entries.push(renamed(&own[1 + at % (own.len() - 1)], at));
    }
    bundle.to_string()
}

fn renamed(entry: &Value, number: usize) -> Value {
    let mut entry = entry.clone();
    entry["resource"]["id"] = json!(format!("more-{number}"));
    entry["fullUrl"] = json!(format!("urn:uuid:00000000-0000-4000-8000-{number:012x}"));
    entry
}
