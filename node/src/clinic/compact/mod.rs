//! Compactions: a whole compartment in one record, in place of the many that made it so.
//!
//! A clinic that gets a chart for the first time is sent the newest compaction of each
//! compartment, the few records after it, and only in the last lane the manifest, which proves who
//! wrote what. Until then the chart is shown as attested by the clinic that compacted it.
//!
//! Nothing is deleted where the records are: a compaction only takes their place in what is
//! shared. Which records are left out is decided by
//! [`covered`](chartmesh_protocol::ledger::covered), the same at both ends.
//!
//! | file | what it is for |
//! |---|---|
//! | `finding` | what was found of a compaction: proven, faulty, or waiting for its manifest |
//! | `check` | finding it |
//! | `known` | what is known of a compartment's records, held or covered |
//! | `due`, `plan`, `make` | when a compaction is made, of what, and making it |

mod check;
mod due;
mod finding;
mod known;
mod make;
mod plan;

pub(super) use check::Compartment;
#[cfg(test)]
pub(super) use due::Occasion;
#[cfg(test)]
pub(super) use finding::{Finding, Proof, State};
pub(super) use known::{Found, covered_of, known_of, tips_of};
