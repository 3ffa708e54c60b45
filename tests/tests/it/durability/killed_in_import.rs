//! `kill -9` while clients import: what was acknowledged is there, the rest whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use chartmesh::clinic::Labels;
use chartmesh::control::{self, Exit, Request};
use chartmesh_tests::Clinic;
use chartmesh_tests::bundle::{Resources, resources};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::moment::{catch, journal_bytes};
use super::{assert_healthy, visits};
use crate::PROGRAM;

const KILLS: u64 = 10;
/// Clients that import at the same time, so that the daemon is busy whenever it is killed.
const CLIENTS: usize = 3;

/// Asks the daemon; none when it does not answer.
fn ask(dir: &Path, request: &Request) -> Option<Value> {
    let answer = control::ask(dir, request, &|_| ())?.ok()?;
    assert_eq!(answer.exit, Exit::Done, "{}", answer.value);
    Some(serde_json::from_str(answer.value.get()).unwrap())
}

/// Clients import the files, one a request, until the daemon is gone. Returns those that were
/// acknowledged.
fn import_until_killed(
    clinic: &mut Clinic,
    files: &[PathBuf],
    acknowledgements: usize,
    bytes: u64,
) -> Vec<PathBuf> {
    let dir = clinic.dir();
    let (next, acknowledged) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (paths, labels) = (vec![file.clone()], Labels::Kept);
                    if ask(&dir, &Request::Import { paths, labels }).is_none() {
                        return;
                    }
                    acknowledged.lock().unwrap().push(file.clone());
                }
            });
        }
        catch("acknowledgements", || {
            acknowledged.lock().unwrap().len() >= acknowledgements
        });
        let grown = journal_bytes(clinic) + bytes;
        catch("the journal to grow", || journal_bytes(clinic) >= grown);
        clinic.kill9();
    });
    acknowledged.into_inner().unwrap()
}

/// Every chart that is here is the whole of its file. Returns the files.
fn whole_charts(
    clinic: &Clinic,
    expected: &BTreeMap<String, (PathBuf, Resources)>,
) -> BTreeSet<PathBuf> {
    let words = Vec::new();
    let found = ask(&clinic.dir(), &Request::PatientSearch { words }).unwrap();
    let mut files = BTreeSet::new();
    for patient in found.as_array().unwrap() {
        let request = Request::Export {
            patient: patient["id"].as_str().unwrap().to_owned(),
            ndjson: false,
        };
        let answer = control::ask(&clinic.dir(), &request, &|_| ()).unwrap();
        let exported = resources(answer.unwrap().value.get());
        let (file, wanted) = &expected[&visits::patient_of(&exported)];
        assert_eq!(&exported, wanted, "{}", file.display());
        assert!(files.insert(file.clone()), "{} twice", file.display());
    }
    files
}

#[test]
fn ten_kills_during_import_lose_nothing_acknowledged_and_leave_nothing_half() {
    let mut clinic = Clinic::create(PROGRAM, "Hill Clinic");
    let files = visits::charts(&clinic, 60, 21);
    let expected = visits::expected(&files);
    let mut rng = ChaCha8Rng::seed_from_u64(21);
    let mut acknowledged: BTreeSet<PathBuf> = BTreeSet::new();
    let (mut interrupted, mut kept_unasked) = (0, 0);
    for round in 1..=KILLS {
        clinic.start();
        let left: Vec<PathBuf> = files
            .iter()
            .filter(|file| !acknowledged.contains(*file))
            .cloned()
            .collect();
        let (count, bytes) = (rng.random_range(0..=3), rng.random_range(0..=20_000));
        let now = import_until_killed(&mut clinic, &left, count, bytes);
        assert!(now.len() < left.len(), "round {round}: the import was over");
        interrupted += 1;
        acknowledged.extend(now);

        clinic.start();
        assert_healthy(&clinic);
        let here = whole_charts(&clinic, &expected);
        let lost: Vec<_> = acknowledged.difference(&here).collect();
        assert!(lost.is_empty(), "round {round} lost {lost:?}");
        kept_unasked += here.len() - acknowledged.len();
        clinic.stop();
    }
    eprintln!(
        "{interrupted} kills: {} files acknowledged and all there, {kept_unasked} times one whole \
         that was not acknowledged",
        acknowledged.len()
    );

    clinic.start();
    let mut import = vec![PathBuf::from("import")];
    import.extend(files.iter().cloned());
    clinic.json(&import);
    assert_eq!(whole_charts(&clinic, &expected).len(), files.len());
    assert_healthy(&clinic);
}
