//! Everything that reads bytes of somebody else, as functions of bytes, for fuzzing.
//!
//! A [`Target`] panics where a law does not hold: no input makes a reader panic, what reads has one
//! spelling, and a peer cannot make a session answer without end. The corpus of each target lies
//! in `tests/fuzz/corpus`. The test suite plays it with seeded [mutations](mutate); for coverage
//! and a night's worth, with a nightly compiler and `cargo install cargo-fuzz`:
//!
//! ```text
//! cd tests && CHARTMESH_FUZZ=session cargo +nightly fuzz run any fuzz/corpus/session
//! ```

mod attachments;
mod formats;
pub mod mutate;
mod session;
mod shelf;
mod stand_in;

use std::path::PathBuf;

pub use session::{recorded, recorded_attachments};
pub use stand_in::recorded_part;

/// One reader.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder in the corpus.
    pub name: &'static str,
    /// Reads.
    pub run: fn(&[u8]),
}

/// Every reader.
pub const TARGETS: [Target; 24] = [
    target("card", formats::card),
    target("patient-card", formats::patient_card),
    target("card-payload", formats::card_payload),
    target("certificate", formats::certificate),
    target("statement", formats::statement),
    target("record", formats::record),
    target("mail", formats::mail),
    target("access", formats::access),
    target("beacon", formats::beacon),
    target("receipt", formats::receipt),
    target("request", formats::request),
    target("bundle-part", formats::bundle_part),
    target("sketch", formats::sketch),
    target("session", session::session),
    target("change", formats::change),
    target("saved", formats::saved),
    target("load", formats::load),
    target("fhir-bundle", formats::fhir_bundle),
    target("ndjson", formats::ndjson),
    target("resource", formats::resource),
    target("config", formats::config),
    target("mark", attachments::mark),
    target("pieces", attachments::pieces),
    target("put-back", attachments::put_back),
];

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// The target with this name.
#[must_use]
pub fn find(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}

/// The folder of a target's corpus.
#[must_use]
pub fn corpus(target: &Target) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("fuzz/corpus").join(target.name)
}
