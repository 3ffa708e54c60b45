//! Every official R4 example goes into a document and comes out as equal JSON, numbers to the
//! digit. `CHARTMESH_R4_EXAMPLES` names the folder of the package `hl7.fhir.r4.examples`; where
//! `CHARTMESH_REQUIRE` holds `r4-examples`, it must be set.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chartmesh_crdt::{ActorId, Document, Resource, Stamp};
use serde_json::value::RawValue;

/// How many examples the package has.
const EXAMPLES: usize = 5_306;

#[test]
fn every_official_example_comes_out_as_it_went_in() {
    let Some(folder) = folder() else { return };
    let files = json_files(&folder);
    assert!(files.len() >= EXAMPLES, "{} examples", files.len());
    let mut document = Document::new(ActorId([1; 16]));
    let mut texts = BTreeMap::new();
    for (at, file) in files.iter().enumerate() {
        let text = std::fs::read_to_string(file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let resource = Resource::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        // Two examples may share an id, and some have none: each gets one of its own here.
        let own = resource.clone().with_id(&format!("example-{at}")).unwrap();
        document
            .put(&own)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        if at % 100 == 99 {
            document.commit(&stamp()).unwrap();
        }
        texts.insert(
            own.key().unwrap(),
            (name, resource.id().map(str::to_owned), text),
        );
    }
    document.commit(&stamp()).unwrap();
    let loaded = Document::load(&document.save(), ActorId([2; 16])).unwrap();
    assert_eq!(loaded.len(), texts.len());
    assert!(loaded.conflicts().is_empty());
    for resource in loaded.resources() {
        let (name, id, text) = &texts[&resource.key().unwrap()];
        let out = match id {
            Some(id) => resource.with_id(id).unwrap().to_json(),
            None => without_id(&resource.to_json()),
        };
        assert!(
            equal(text.trim_start_matches('\u{feff}'), &out),
            "{name} differs"
        );
    }
    println!("{} examples", texts.len());
}

#[test]
fn the_comparison_tells_digits_and_order_apart() {
    assert!(equal(
        r#"{"a": [1.0, {"b": "\u00e9"}], "c":null}"#,
        r#"{"c":null,"a":[1.0,{"b":"é"}]}"#
    ));
    assert!(!equal("[1.0]", "[1.00]"));
    assert!(!equal("[1,2]", "[2,1]"));
    assert!(!equal(r#"{"a":1}"#, r#"{"a":1,"b":1}"#));
    assert!(!equal("1", "\"1\""));
}

fn folder() -> Option<PathBuf> {
    let required = std::env::var("CHARTMESH_REQUIRE").unwrap_or_default();
    match std::env::var_os("CHARTMESH_R4_EXAMPLES") {
        Some(folder) => Some(folder.into()),
        None if required.contains("r4-examples") => {
            panic!("CHARTMESH_R4_EXAMPLES must name the folder of hl7.fhir.r4.examples")
        }
        None => {
            println!("skipped: CHARTMESH_R4_EXAMPLES names no folder");
            None
        }
    }
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_example = |path: &PathBuf| {
        path.extension().is_some_and(|e| e == "json") && path.file_stem().unwrap() != "package"
    };
    let mut files: Vec<PathBuf> = entries.filter(is_example).collect();
    files.sort();
    files
}

fn stamp() -> Stamp {
    Stamp::new("tester", "physician", 1_700_000_000_000).unwrap()
}

fn without_id(json: &str) -> String {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(json).unwrap();
    let kept = members.into_iter().filter(|(name, _)| name != "id");
    serde_json::to_string(&kept.collect::<BTreeMap<_, _>>()).unwrap()
}

/// Whether two texts are the same JSON: members in any order, numbers digit for digit.
fn equal(a: &str, b: &str) -> bool {
    let (a, b) = (a.trim(), b.trim());
    match (a.as_bytes()[0], b.as_bytes()[0]) {
        (b'{', b'{') => {
            let a: BTreeMap<String, &RawValue> = serde_json::from_str(a).unwrap();
            let b: BTreeMap<String, &RawValue> = serde_json::from_str(b).unwrap();
            let same = |(x, y): ((&String, &&RawValue), (&String, &&RawValue))| {
                x.0 == y.0 && equal(x.1.get(), y.1.get())
            };
            a.len() == b.len() && a.iter().zip(&b).all(same)
        }
        (b'[', b'[') => {
            let a: Vec<&RawValue> = serde_json::from_str(a).unwrap();
            let b: Vec<&RawValue> = serde_json::from_str(b).unwrap();
            a.len() == b.len() && a.iter().zip(&b).all(|(x, y)| equal(x.get(), y.get()))
        }
        (b'"', b'"') => {
            let text = |json| serde_json::from_str::<String>(json).unwrap();
            text(a) == text(b)
        }
        _ => a == b,
    }
}
