//! What can be typed of attachments.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Attachment {
    /// Show which scans and other large content of a chart are here.
    #[command(after_help = "Examples:\n  chartmesh attachment list --patient 440ffe72")]
    List {
        /// The chart id, the FHIR Patient id, or a unique beginning of either.
        #[arg(long)]
        patient: String,
    },
    /// Fetch what is not here from the clinics that have it. What was cut short goes on.
    #[command(after_help = "Examples:
  chartmesh attachment fetch --patient 440ffe72
  chartmesh attachment fetch --patient 440ffe72 DocumentReference/scan-1

Ends with 7 when no clinic that has it can be reached. It then comes when one can; or through a
relay that may carry the chart, once a clinic that has it and then this one have been online.")]
    Fetch {
        /// The chart id, the FHIR Patient id, or a unique beginning of either.
        #[arg(long)]
        patient: String,
        /// Only that of this resource, as Type/id.
        resource: Option<String>,
    },
    /// Write the content of an attachment into a file.
    #[command(after_help = "Examples:
  chartmesh attachment save --patient 440ffe72 DocumentReference/scan-1 --out scan.png")]
    Save {
        /// The chart id, the FHIR Patient id, or a unique beginning of either.
        #[arg(long)]
        patient: String,
        /// The resource, as Type/id.
        resource: String,
        /// Which of several, from 1, in the order of `attachment list`.
        #[arg(long, default_value = "1")]
        number: usize,
        /// The file to write.
        #[arg(long)]
        out: PathBuf,
    },
}
