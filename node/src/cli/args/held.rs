//! What can be typed of records that do not count.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Held {
    /// List records that do not count, with their authors and why.
    #[command(after_help = "Examples:
  chartmesh held list
  chartmesh held list --patient 440ffe72 --json")]
    List {
        /// Only this patient's: the chart id, the FHIR Patient id, or a unique beginning of either.
        #[arg(long)]
        patient: Option<String>,
    },
    /// Let held records count. Look at what they say first.
    #[command(after_help = "Examples:
  chartmesh held admit 9b1c44d0
  chartmesh held admit 9b1c44d0 27aa01f3 --reason 'confirmed by telephone'

At the patient's home clinic only. What the records build on counts too. Their author gets no right
by it: what it writes next is judged by itself.")]
    Admit {
        /// The records: their ids as `held list` shows them, or unique beginnings.
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        /// Why, in one line. Whoever may read the compartment sees it: no names.
        #[arg(long, default_value = "")]
        reason: String,
    },
}
