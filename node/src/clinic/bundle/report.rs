//! What an import of bundles found, for people.

use std::path::PathBuf;

use chartmesh_protocol::ClinicId;
use serde::{Deserialize, Serialize};

use super::{MissingParts, NotHere, OutOfStep};

/// What an import of bundles found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundlesRead {
    /// One report a file.
    pub files: Vec<PartRead>,
    /// What is missing of the bundles that the files belong to.
    pub missing: Vec<MissingParts>,
    /// What is not here of the attachments of the charts that the files are of.
    #[serde(default)]
    pub not_here: NotHere,
    /// The nodes that made them and hold less than was known here, or take this one to hold more.
    #[serde(default)]
    pub out_of_step: Vec<OutOfStep>,
}

/// What became of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRead {
    /// The file.
    pub file: PathBuf,
    /// The clinic that made it.
    pub clinic: Option<ClinicId>,
    /// Its name.
    pub name: Option<String>,
    /// The bundle that it belongs to.
    pub bundle: Option<String>,
    /// Which part of it.
    pub part: Option<u32>,
    /// Whether it was there to its end.
    pub whole: bool,
    /// Statements and records in it.
    pub items: u64,
    /// Those that were not here yet.
    pub new_items: u64,
    /// Those that were not taken in.
    pub refused: u64,
    /// Pieces of attachments in it.
    #[serde(default)]
    pub pieces: u64,
    /// Those that were not kept, for no record here tells of them.
    #[serde(default)]
    pub unknown_pieces: u64,
    /// Attachments of which it says that the node which made it holds them.
    #[serde(default)]
    pub told: u64,
    /// Why it is to be left alone, where nothing is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub skipped: Option<String>,
    /// Why it was not read to its end, or why items were not taken in.
    pub error: Option<String>,
}

impl PartRead {
    /// The same of this file, of which something was left out for these reasons.
    pub(super) fn of(self, file: PathBuf, mut reasons: Vec<String>) -> Self {
        let unknown = self.unknown_pieces;
        if unknown > 0 {
            let (pieces, were) = match unknown {
                1 => ("piece", "was"),
                _ => ("pieces", "were"),
            };
            reasons.push(format!(
                "{unknown} {pieces} {were} left out, for no record here tells of its attachments: \
                 read the other parts, then this one again"
            ));
        }
        Self {
            file,
            error: (!reasons.is_empty()).then(|| reasons.join("; ")),
            ..self
        }
    }
}
