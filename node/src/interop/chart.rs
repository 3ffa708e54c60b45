//! From the text of a file to charts.

use chartmesh_crdt::{Bundle, ParsedChart, ResourceKey, parse_ndjson};

use super::error::ImportError;
use super::input::InputFile;
use super::recognise::Format;

/// The charts of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileCharts {
    /// One chart a patient: exactly one for JSON, at least one for NDJSON.
    pub charts: Vec<ParsedChart>,
    /// Resources of an NDJSON file that belong to no patient and that no chart refers to, such
    /// as an organisation without patients. They are in no chart.
    pub unclaimed: Vec<ResourceKey>,
}

impl InputFile {
    /// The charts of this file. `new_id` makes an id for a resource that has none.
    ///
    /// # Errors
    /// [`ImportError`] with the entry or line that is wrong; then nothing of the file counts.
    pub fn charts(&self, new_id: &mut dyn FnMut() -> String) -> Result<FileCharts, ImportError> {
        let charts = match self.format() {
            Format::Json => Bundle::parse(self.text(), new_id).map(|chart| FileCharts {
                charts: vec![chart],
                unclaimed: Vec::new(),
            }),
            Format::Ndjson => parse_ndjson(self.text().lines(), new_id).map(|lines| FileCharts {
                charts: lines.charts,
                unclaimed: lines.unclaimed,
            }),
        };
        charts.map_err(|error| ImportError::of_bundle(self.path().to_owned(), self.format(), error))
    }
}
