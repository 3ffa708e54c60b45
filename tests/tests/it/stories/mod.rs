//! What clinics do with each other, told from beginning to end.

mod restart;

use std::time::Duration;

use chartmesh_tests::Clinic;

use crate::PROGRAM;

/// How long something may take that is to happen by itself.
const SOON: Duration = Duration::from_secs(60);

/// Clinics with these names, running.
fn running<const N: usize>(names: [&str; N]) -> [Clinic; N] {
    names.map(|name| {
        let mut clinic = Clinic::create(PROGRAM, name);
        clinic.start();
        clinic
    })
}
