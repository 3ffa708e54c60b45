//! The test data that is shared between repositories.

use std::path::PathBuf;

/// A folder of it: below `CHARTMESH_SHARED`, or in `shared/data` beside the repository. Without
/// it a test is skipped, and says so; in CI it must be there.
///
/// # Panics
/// When it is missing and `CI` is `true`.
#[must_use]
pub fn shared(folder: &str) -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data");
    let root = std::env::var_os("CHARTMESH_SHARED").map_or_else(|| beside.into(), PathBuf::from);
    let path = root.join(folder);
    if path.is_dir() {
        return Some(path);
    }
    let demanded = std::env::var("CI").as_deref() == Ok("true");
    assert!(!demanded, "CI needs CHARTMESH_SHARED");
    eprintln!("skipped: there is no shared test data; name its folder in CHARTMESH_SHARED");
    None
}

/// The files of a folder of it, by name.
///
/// # Panics
/// As [`shared`], and when the folder cannot be read.
#[must_use]
pub fn shared_files(folder: &str) -> Option<Vec<PathBuf>> {
    let entries = std::fs::read_dir(shared(folder)?).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    Some(files)
}
