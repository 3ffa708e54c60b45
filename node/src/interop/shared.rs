//! The eight bundles of the shared test data, read whole.

use std::path::PathBuf;
use std::time::Instant;

use super::error::ImportReason;
use super::read_inputs;
use super::recognise::Lookalike;

/// A folder of the shared test data: below `CHARTMESH_SHARED`, or in `shared/data` beside the
/// repository. Without it a test is skipped, but not in CI.
fn shared(folder: &str) -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let root = std::env::var_os("CHARTMESH_SHARED").map_or_else(|| beside.into(), PathBuf::from);
    let path = root.join(folder);
    if path.is_dir() {
        return Some(path);
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "CI needs CHARTMESH_SHARED"
    );
    println!("skipped: there is no shared test data; name its folder in CHARTMESH_SHARED");
    None
}

#[test]
fn the_shared_bundles_are_read() {
    let Some(folder) = shared("fhir") else { return };
    let start = Instant::now();
    let mut resources = Vec::new();
    for file in read_inputs(&[folder]) {
        let read = file
            .unwrap()
            .charts(&mut || panic!("all resources have ids"))
            .unwrap();
        resources.push(read.charts[0].resources.len());
    }
    let total: usize = resources.iter().sum();
    println!(
        "{} charts, {total} resources in {:?}",
        resources.len(),
        start.elapsed()
    );
    assert_eq!(resources.len(), 8);
    assert_eq!(
        (resources.iter().min(), resources.iter().max()),
        (Some(&61), Some(&735))
    );
}

#[test]
fn the_shared_files_of_other_kinds_are_told_apart() {
    for (folder, kind) in [("hl7v2", Lookalike::Hl7V2), ("ccda", Lookalike::Cda)] {
        let Some(folder) = shared(folder) else { return };
        let files = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let files: Vec<PathBuf> = files.collect();
        assert!(files.len() >= 2);
        for item in read_inputs(&files) {
            let error = item.unwrap_err();
            assert_eq!(error.reason, ImportReason::NotFhirJson(kind), "{error}");
        }
    }
}
