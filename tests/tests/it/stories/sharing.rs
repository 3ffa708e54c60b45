//! Three clinics: one has the charts, one may see everything, one the summary of one patient.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chartmesh_protocol::ChartId;
use chartmesh_protocol::ledger::CompartmentName;
use chartmesh_tests::bundle::{Resources, kept, read_text, resources};
use chartmesh_tests::clinic::text;
use chartmesh_tests::scan::Scan;
use chartmesh_tests::shared::{shared, shared_files};
use chartmesh_tests::vault::Vault;
use chartmesh_tests::wait::wait_until;
use chartmesh_tests::{Clinic, introduce};
use serde_json::Value;

use super::{SOON, running, secrecy};

/// What the summary holds (FHIR resource types).
const SUMMARY: [&str; 9] = [
    "Patient",
    "RelatedPerson",
    "AllergyIntolerance",
    "Condition",
    "MedicationRequest",
    "MedicationStatement",
    "Immunization",
    "Device",
    "Flag",
];
/// What concerns money.
const BILLING: [&str; 6] = [
    "Coverage",
    "Claim",
    "ExplanationOfBenefit",
    "Invoice",
    "ChargeItem",
    "Account",
];

/// A file, its chart at the home clinic, and what has to be in it.
struct Input {
    file: PathBuf,
    chart: String,
    kept: Resources,
}

#[test]
fn eight_charts_reach_whom_they_were_granted_to_and_nobody_else() {
    let Some(files) = shared_files("fhir") else {
        return;
    };
    let folder = shared("fhir").unwrap();
    let [mut a, mut b, mut c] = running(["Hill Clinic", "River Hospital", "Coast Pharmacy"]);
    introduce(&a, &b);
    introduce(&a, &c);
    introduce(&b, &c);

    let inputs = imported(&a, &folder, &files);
    importing_again_changes_nothing(&a, &folder, &inputs);
    let one = inputs.iter().min_by_key(|input| input.kept.len()).unwrap();
    everything_is_granted(&a, &b, inputs.len());
    a.ok(&[
        "consent",
        "grant",
        "--patient",
        &one.chart,
        "--to",
        &c.id(),
        "--compartments",
        "summary",
    ]);
    a.sync();
    every_resource_has_arrived(&a, &b, &inputs);
    // C asks B as well, which has everything and the same duty.
    c.sync();
    only_the_summary_has_arrived(&c, one);

    for clinic in [&mut a, &mut b, &mut c] {
        clinic.stop();
    }
    let names = inputs.iter().map(|input| &input.kept);
    secrecy::no_patient_is_named_in_clear(&[&a, &b, &c], &files, names);
    no_key_and_no_record_of_anything_else(&a, &b, &c, one);
}

fn imported(a: &Clinic, folder: &Path, files: &[PathBuf]) -> Vec<Input> {
    let report = a.json(&[Path::new("import"), folder]);
    let lines = report["files"].as_array().unwrap();
    assert_eq!(lines.len(), files.len());
    let mut inputs = Vec::new();
    for file in files {
        let line = lines
            .iter()
            .find(|line| line["file"] == file.to_str().unwrap())
            .unwrap_or_else(|| panic!("no report on {}", file.display()));
        let kept = kept(&read_text(file));
        assert_eq!(line["error"], Value::Null, "{line}");
        assert_eq!(line["resources"], kept.len(), "{line}");
        let mut compartments: BTreeMap<&str, usize> = BTreeMap::new();
        for key in kept.keys() {
            *compartments.entry(compartment_of(key)).or_default() += 1;
        }
        assert_eq!(
            line["compartments"],
            serde_json::to_value(&compartments).unwrap(),
            "{line}"
        );
        let chart = text(&line["patient"]);
        inputs.push(Input {
            file: file.clone(),
            chart,
            kept,
        });
    }
    inputs
}

fn compartment_of(key: &str) -> &'static str {
    let kind = key.split('/').next().unwrap();
    match kind {
        _ if SUMMARY.contains(&kind) => "summary",
        _ if BILLING.contains(&kind) => "billing",
        "Communication" => "messages",
        _ => "clinical",
    }
}

fn importing_again_changes_nothing(a: &Clinic, folder: &Path, inputs: &[Input]) {
    let exports = |clinic: &Clinic| -> Vec<String> {
        let charts = inputs.iter();
        charts.map(|input| clinic.export(&input.chart)).collect()
    };
    let before = (exports(a), a.json(&["status"])["items"].clone());
    let report = a.json(&[Path::new("import"), folder]);
    for line in report["files"].as_array().unwrap() {
        assert_eq!(line["changed"], 0, "{line}");
        assert_eq!(line["error"], Value::Null, "{line}");
    }
    let after = (exports(a), a.json(&["status"])["items"].clone());
    assert!(before == after, "a second import changed something");
}

fn everything_is_granted(a: &Clinic, b: &Clinic, charts: usize) {
    let granted = super::grant(a, "all", b, "all");
    let granted = granted.as_array().unwrap();
    assert_eq!(granted.len(), charts);
    for grant in granted {
        assert_eq!(grant["to"], b.id(), "{grant}");
        assert_eq!(grant["compartments"], serde_json::json!(["all"]), "{grant}");
        assert_eq!(
            grant["rights"],
            serde_json::json!(["read", "write"]),
            "{grant}"
        );
        assert_eq!(grant["until"], Value::Null, "{grant}");
        assert!(grant["grant"].is_string() && grant["patient"].is_string());
    }
}

fn every_resource_has_arrived(a: &Clinic, b: &Clinic, inputs: &[Input]) {
    assert_eq!(found(b).len(), inputs.len());
    for input in inputs {
        let export = b.export(&input.chart);
        let arrived = resources(&export);
        let names: Vec<&String> = arrived.keys().collect();
        let expected: Vec<&String> = input.kept.keys().collect();
        let file = input.file.display();
        assert!(names == expected, "{file}: {names:?}");
        for (key, resource) in &input.kept {
            assert!(arrived[key] == *resource, "{file}: {key} differs");
        }
        assert!(export == a.export(&input.chart), "{file}: other bytes");
    }
}

fn found(clinic: &Clinic) -> Vec<Value> {
    let found = clinic.json(&["patient", "search"]);
    found.as_array().unwrap().clone()
}

fn only_the_summary_has_arrived(c: &Clinic, one: &Input) {
    let granted: Resources = one
        .kept
        .iter()
        .filter(|(key, _)| compartment_of(key) == "summary")
        .map(|(key, resource)| (key.clone(), resource.clone()))
        .collect();
    wait_until("the summary to be found", SOON, || found(c).len() == 1);
    assert_eq!(found(c)[0]["id"], one.chart.as_str());
    let shown = c.json(&["chart", "show", &one.chart]);
    let compartments = serde_json::json!({ "summary": granted.len() });
    assert_eq!(shown["compartments"], compartments);
    assert_eq!(shown["sealed"], 0, "records that C cannot open");
    assert!(resources(&c.export(&one.chart)) == granted);
    let status = c.json(&["status"]);
    assert_eq!(status["charts"], 1, "{status}");
}

/// Looks at the stopped folders with every key that lies in them.
fn no_key_and_no_record_of_anything_else(a: &Clinic, b: &Clinic, c: &Clinic, one: &Input) {
    let chart: ChartId = one.chart.parse().unwrap();
    let (all, river, coast) = (Vault::open(a), Vault::open(b), Vault::open(c));
    let summary = all.tag(&chart, &CompartmentName::Summary).unwrap();

    let held = coast.records();
    assert!(!held.is_empty());
    for record in &held {
        let place = &record.header().place;
        assert_eq!((place.chart, place.compartment), (chart, summary));
    }
    assert_eq!(coast.ledgers().keys().collect::<Vec<_>>(), [&chart]);
    for (_, epoch) in coast.ledgers()[&chart].epochs() {
        assert_eq!(epoch.compartment, CompartmentName::Summary);
    }
    for (of, name, _) in coast.epoch_keys() {
        assert_eq!((of, name), (chart, CompartmentName::Summary));
    }

    let scan = Scan::for_bytes(foreign(&all, &chart));
    assert!(!values_with(&river, &scan).is_empty(), "the scan is blind");
    assert_eq!(values_with(&coast, &scan), Vec::<String>::new());
    drop(coast);
    let found = scan.folder(&c.dir());
    assert!(found.is_empty(), "{:?}", found.first());
}

/// Byte strings that only the other charts and the other compartments have.
fn foreign(all: &Vault, chart: &ChartId) -> Vec<(Vec<u8>, String)> {
    let mine = (*chart, CompartmentName::Summary);
    let summary = all.tag(chart, &mine.1).unwrap();
    let mut needles = Vec::new();
    for (of, name, key) in all.epoch_keys() {
        if (of, name.clone()) != mine {
            needles.push((key.to_bytes().to_vec(), format!("a key of {of}, {name}")));
        }
    }
    for (of, secret) in all.chart_secrets() {
        if of != *chart {
            needles.push((secret.to_vec(), format!("the secret of {of}")));
            needles.push((of.as_bytes().to_vec(), format!("the id of {of}")));
        }
    }
    for record in all.records() {
        let place = &record.header().place;
        if (place.chart, place.compartment) != (*chart, summary) {
            let (id, bytes) = (record.id(), record.as_bytes());
            let middle = bytes.len() / 2;
            needles.push((id.as_bytes().to_vec(), format!("the id of record {id}")));
            needles.push((bytes[middle..middle + 32].to_vec(), format!("record {id}")));
        }
    }
    needles
}

fn values_with(vault: &Vault, scan: &Scan) -> Vec<String> {
    let mut found = Vec::new();
    for (space, key, value) in vault.values() {
        for bytes in [key, value] {
            let hits = scan.bytes(Path::new(space.name()), &bytes);
            found.extend(hits.into_iter().map(|hit| hit.what));
        }
    }
    found
}
