//! What can be typed of emergencies.

use clap::Subcommand;

use super::PinArg;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Emergency {
    /// Open the summary of a patient whose consent cannot be asked for now.
    #[command(after_help = "Examples:
  chartmesh emergency open --patient 440ffe7245d94d2e8b5a7f0ee1a4c3d2 --clinician 'Dr Okello' \\
      --reason 'unconscious after a fall' --code M4PL-2QZA-77KD-XW3B

Whoever has the chart and is reached releases the summary for a day: who the patient is and how to
reach the family, allergies, problems, medications and immunisations, nothing else. The patient and
the home clinic see who asked, and why.")]
    Open {
        /// The whole id of the chart, as on the patient's card, or what names a chart that is here.
        #[arg(long)]
        patient: String,
        /// The clinician who answers for it, by name.
        #[arg(long)]
        clinician: String,
        /// Why, in one line.
        #[arg(long)]
        reason: String,
        /// The emergency code on the patient's card, where it is at hand.
        #[arg(long)]
        code: Option<String>,
    },
    /// List who asked for which summary, when, why, and what was found of it.
    #[command(after_help = "Examples:
  chartmesh emergency list
  chartmesh emergency list --patient 440ffe72 --json")]
    List {
        /// Only this patient's.
        #[arg(long)]
        patient: Option<String>,
    },
    /// Sign, as the patient's home clinic, what was found of an emergency.
    #[command(after_help = "Examples:
  chartmesh emergency review 9b1f04aa --note 'called, she was admitted'
  chartmesh emergency review 9b1f04aa --unjustified --note 'nobody there knows of it'")]
    Review {
        /// The emergency's id, or a unique beginning of it.
        id: String,
        /// It was not right to ask.
        #[arg(long)]
        unjustified: bool,
        /// What was found, in one line.
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Forbid, in the patient's name, that anything is shown in an emergency.
    #[command(after_help = "Examples:\n  chartmesh emergency forbid --patient 440ffe72")]
    Forbid {
        /// The chart id, the FHIR Patient id, or a unique beginning of either.
        #[arg(long)]
        patient: String,
        #[command(flatten)]
        pin: PinArg,
    },
    /// Allow it again, as it is where nothing was said.
    #[command(after_help = "Examples:\n  chartmesh emergency allow --patient 440ffe72")]
    Allow {
        /// The chart id, the FHIR Patient id, or a unique beginning of either.
        #[arg(long)]
        patient: String,
        #[command(flatten)]
        pin: PinArg,
    },
    /// Show the emergency code of a patient, as it stands on the card.
    #[command(after_help = "Examples:\n  chartmesh emergency code --patient 440ffe72")]
    Code {
        /// The chart id, the FHIR Patient id, or a unique beginning of either.
        #[arg(long)]
        patient: String,
    },
}
