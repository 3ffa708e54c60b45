//! What is imported: invented charts, and visits that add to a chart.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use chartmesh::generate::generate;
use chartmesh_tests::Clinic;
use chartmesh_tests::bundle::{Resources, kept, read_text};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Files with one invented chart each, in the clinic's scratch folder.
pub(super) fn charts(clinic: &Clinic, count: usize, seed: u64) -> Vec<PathBuf> {
    let folder = clinic.scratch();
    let write = |patient: chartmesh::generate::GeneratedPatient| {
        let path = folder.join(patient.file_name);
        std::fs::write(&path, patient.json).unwrap();
        path
    };
    generate(count, seed).map(write).collect()
}

/// A patient's chart with nothing in it, and visits that are added to it one by one.
pub(super) struct Visits {
    rng: ChaCha8Rng,
    written: u64,
}

impl Visits {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            written: 0,
        }
    }

    /// A file with a visit to the clinic by the patient of this number, with a note that does not
    /// pack to less than `note_bytes`.
    pub(super) fn next(&mut self, clinic: &Clinic, patient: usize, note_bytes: usize) -> PathBuf {
        self.written += 1;
        let note = (0..note_bytes).fold(String::new(), |mut note, _| {
            write!(note, "{:02x}", self.rng.random::<u8>()).unwrap();
            note
        });
        let bundle = format!(
            r#"{{"resourceType":"Bundle","type":"collection","entry":[
            {{"resource":{{"resourceType":"Patient","id":"visitor-{patient}",
              "name":[{{"text":"Visitor {patient}"}}]}}}},
            {{"resource":{{"resourceType":"Observation","id":"visit-{n}","status":"final",
              "subject":{{"reference":"Patient/visitor-{patient}"}},"valueString":"{note}"}}}}]}}"#,
            n = self.written
        );
        let path = clinic
            .scratch()
            .join(format!("visit-{}.json", self.written));
        std::fs::write(&path, bundle).unwrap();
        path
    }
}

/// What a chart must hold after the import of its file, by the key of its Patient.
pub(super) fn expected(files: &[PathBuf]) -> BTreeMap<String, (PathBuf, Resources)> {
    let read = |path: &PathBuf| {
        let resources = kept(&read_text(path));
        let patient = patient_of(&resources);
        (patient, (path.clone(), resources))
    };
    files.iter().map(read).collect()
}

/// `Patient/id` of the one patient among these resources.
pub(super) fn patient_of(resources: &Resources) -> String {
    let mut keys = resources.keys().filter(|key| key.starts_with("Patient/"));
    keys.next().unwrap().clone()
}
