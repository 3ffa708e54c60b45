//! Two clinics and a stranger on this machine, with invented patients.
use crate::control::{Exit, Failure};
/// Options.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Keep.
    pub keep: Option<std::path::PathBuf>,
    /// Patients.
    pub patients: u32,
    /// Seed.
    pub seed: u64,
}
/// Runs.
///
/// # Errors
/// Fails.
pub fn run(_options: &DemoOptions, _json: bool) -> Result<Exit, Failure> {
    Ok(Exit::Done)
}
