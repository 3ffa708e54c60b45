//! Damage to the database: it is noticed, commands say what to do, and the journal brings
//! everything back.

use std::fs;
use std::path::{Path, PathBuf};

use chartmesh_tests::Clinic;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use super::{assert_healthy, visits};
use crate::PROGRAM;

/// A stopped clinic with a few charts, and what it says of them.
struct Kept {
    clinic: Clinic,
    patients: Value,
    exports: Vec<String>,
}

impl Kept {
    fn new(seed: u64) -> Self {
        let mut clinic = Clinic::create(PROGRAM, "Hill Clinic");
        clinic.start();
        let mut import = vec![PathBuf::from("import")];
        import.extend(visits::charts(&clinic, 6, seed));
        clinic.ok(&import);
        let patients = clinic.json(&["patient", "search"]);
        let exports = exports(&clinic, &patients);
        assert_eq!(exports.len(), 6);
        clinic.stop();
        Self {
            clinic,
            patients,
            exports,
        }
    }

    /// Repairs, and finds everything again.
    fn repair(&mut self) {
        let said = self.clinic.cli(&["doctor", "--repair"]);
        assert_eq!(said.code, Some(0), "{said:?}");
        self.assert_whole();
    }

    /// Either the doctor finds damage, or there is none: it hit what nothing is kept in, or what
    /// the journal has given back.
    fn find_or_repair(&mut self) {
        let doctor = self.clinic.cli(&["doctor"]);
        match doctor.code {
            Some(0) => self.assert_whole(),
            Some(6) => self.repair(),
            _ => panic!("{doctor:?}"),
        }
    }

    /// Starts, and finds everything: by search, by name, by export.
    fn assert_whole(&mut self) {
        self.clinic.start();
        assert_healthy(&self.clinic);
        let patients = self.clinic.json(&["patient", "search"]);
        assert_eq!(patients, self.patients);
        for patient in patients.as_array().unwrap() {
            let name = patient["name"].as_str().unwrap();
            let found = self.clinic.json(&["patient", "search", name]);
            assert!(found.as_array().unwrap().contains(patient), "{name}");
        }
        assert!(exports(&self.clinic, &patients) == self.exports);
        self.clinic.stop();
    }

    fn database(&self) -> PathBuf {
        self.clinic.dir().join("db")
    }

    /// Commands that need the store end with 6 and name the repair.
    fn assert_damage_is_named(&self) {
        let patient = self.patients[0]["id"].as_str().unwrap();
        for command in [
            &["patient", "search"][..],
            &["export", "--patient", patient],
            &["status"],
            &["doctor"],
            &["run"],
        ] {
            let said = self.clinic.fails(command, 6);
            assert!(said.contains("chartmesh doctor --repair"), "{said}");
            assert!(!said.contains("panicked"), "{said}");
        }
    }
}

fn exports(clinic: &Clinic, patients: &Value) -> Vec<String> {
    let patients = patients.as_array().unwrap().iter();
    patients
        .map(|patient| clinic.export(patient["id"].as_str().unwrap()))
        .collect()
}

/// Writes over a file at places chosen by a seed.
fn spoil(path: &Path, places: usize, rng: &mut ChaCha8Rng) {
    let mut bytes = fs::read(path).unwrap();
    for _ in 0..places {
        let place = rng.random_range(0..bytes.len());
        bytes[place] ^= rng.random_range(1..=u8::MAX);
    }
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_database_that_does_not_open_is_named_and_repaired() {
    let mut kept = Kept::new(41);
    let mut rng = ChaCha8Rng::seed_from_u64(41);
    for name in ["snap.", "conf"] {
        let files = fs::read_dir(kept.database()).unwrap();
        let mut files = files.map(|entry| entry.unwrap());
        let file = files.find(|file| file.file_name().to_str().unwrap().starts_with(name));
        spoil(&file.unwrap().path(), 60, &mut rng);
        kept.assert_damage_is_named();
        kept.repair();
    }
}

#[test]
fn flipped_bytes_are_found_by_the_doctor_or_undone_from_the_journal() {
    let mut rng = ChaCha8Rng::seed_from_u64(42);
    let mut kept = Kept::new(42);
    for places in [1, 4, 60, 400] {
        spoil(&kept.database().join("db"), places, &mut rng);
        kept.find_or_repair();
    }
}

#[test]
fn a_database_with_a_cut_end_is_caught_up_or_found_and_repaired() {
    let mut kept = Kept::new(43);
    let path = kept.database().join("db");
    for part in [2, 3, 100] {
        let length = fs::metadata(&path).unwrap().len();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_len(length / part).unwrap();
        drop(file);
        kept.find_or_repair();
    }
}

#[test]
fn a_missing_database_is_made_anew_from_the_journal() {
    let mut kept = Kept::new(44);
    fs::remove_dir_all(kept.database()).unwrap();
    kept.assert_whole();
    fs::remove_dir_all(kept.database()).unwrap();
    kept.repair();
}

#[test]
fn a_lost_journal_is_named_and_made_anew_from_the_database() {
    let mut kept = Kept::new(45);
    fs::remove_dir_all(kept.clinic.dir().join("journal")).unwrap();
    kept.assert_damage_is_named();
    kept.repair();
}
