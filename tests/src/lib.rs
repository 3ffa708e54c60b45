//! What the tests of several processes stand on.
//!
//! A [`Clinic`] is a data folder and the daemon that runs on it; commands are given to it as a
//! person would. Everything is waited for with a deadline, and nothing sleeps.
//!
//! ```no_run
//! use chartmesh_tests::{Clinic, introduce};
//!
//! # let program = "chartmesh-under-test"; // in a test: env!("CARGO_BIN_EXE_chartmesh-under-test")
//! let mut hill = Clinic::create(program, "Hill Clinic");
//! let mut river = Clinic::create(program, "River Hospital");
//! hill.start();
//! river.start();
//! introduce(&hill, &river);
//! hill.ok(&["import", "patients"]);
//! let river_id = river.id();
//! let everything = ["--to", &river_id, "--compartments", "all"];
//! hill.ok(&[&["consent", "grant", "--patient", "all"][..], &everything].concat());
//! hill.sync();
//! assert!(!river.json(&["patient", "search"]).as_array().unwrap().is_empty());
//! ```
//!
//! | module | what it is for |
//! |---|---|
//! | [`clinic`], [`run`], [`wait`] | clinics as processes |
//! | [`link`] | hosts on this machine, joined by a link as bad as wanted |
//! | [`required`] | what a test needs of the machine |
//! | [`shared`] | the test data beside the repository |
//! | [`exact`], [`bundle`] | FHIR JSON compared to the digit, and what an import must keep |
//! | [`vault`] | a data folder opened with its keys, as a thief with the passphrase would |
//! | [`fuzz`] | everything that reads bytes of somebody else, for fuzzing |
//! | [`scan`] | a data folder searched for texts in many encodings |

pub mod bundle;
pub mod clinic;
pub mod exact;
pub mod fuzz;
pub mod link;
pub mod required;
pub mod run;
pub mod scan;
pub mod shared;
pub mod vault;
pub mod wait;

pub use clinic::{Clinic, introduce};
pub use exact::Exact;
pub use run::Output;
