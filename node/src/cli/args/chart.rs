//! What can be typed of patients and their charts.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Patient {
    /// Register a patient and open a chart.
    #[command(after_help = "Examples:
  chartmesh patient register --given Amina --family Nakato --birth-date 1987-04-02 --sex female
  chartmesh patient register --given Sukarno --birth-date 1950 --sex male")]
    Register {
        /// A given name; may be given more than once. A person with one name has only this.
        #[arg(long, required = true)]
        given: Vec<String>,
        /// The family name, where there is one.
        #[arg(long)]
        family: Option<String>,
        /// The date of birth: YYYY-MM-DD, YYYY-MM, or YYYY where only the age is known.
        #[arg(long)]
        birth_date: Option<String>,
        /// Administrative sex.
        #[arg(long, value_enum, default_value = "unknown")]
        sex: Sex,
        /// An identifier as SYSTEM|VALUE or VALUE; may be given more than once.
        #[arg(long)]
        identifier: Vec<String>,
        /// Register although a patient with the same name and birth date is here already.
        #[arg(long)]
        even_if_alike: bool,
    },
    /// Find patients by parts of the name, the birth date or an identifier.
    #[command(after_help = "Examples:
  chartmesh patient search nakato 1987
  chartmesh patient search --json          lists all")]
    Search {
        /// Words to find, in any order; accents and case do not matter. None lists all.
        words: Vec<String>,
    },
    /// Show a patient and who may see the chart.
    #[command(after_help = "Examples:\n  chartmesh patient show 440ffe72")]
    Show {
        /// The chart id, the FHIR Patient id, or a unique beginning of either.
        id: String,
    },
    /// Set the PIN under which this clinic keeps the patient's key.
    #[command(after_help = "Examples:
  chartmesh patient pin 440ffe72
  chartmesh patient pin 440ffe72 --new-pin-file new.pin --pin-file old.pin")]
    Pin {
        /// The chart id, the FHIR Patient id, or a unique beginning of either.
        id: String,
        /// A file with the new PIN (at least 6 digits); asked for where it is not given.
        #[arg(long)]
        new_pin_file: Option<PathBuf>,
        #[command(flatten)]
        pin: PinArg,
    },
    /// Make the patient's card: the key under the PIN, and a summary for emergencies, to be
    /// printed.
    #[command(after_help = "Examples:
  chartmesh patient card 440ffe72 --out card.pdf
  chartmesh patient card 440ffe72 --out card.png --pin-file pin
  chartmesh patient card 440ffe72 --out card.txt        both codes as text, for a telephone

Where a PIN is set with `patient pin`, it is the card's. Else the one given here is the card's
alone: this clinic goes on signing in the patient's name. Make a new card when the chart has
changed: the summary on paper stays as it was. Delete the file once it is printed.

Whoever has the card and the PIN can let any clinic see the chart. Whoever has only the card reads
the summary on it.")]
    Card {
        /// The chart id, the FHIR Patient id, or a unique beginning of either.
        id: String,
        /// The file to write: .pdf, .png or .txt.
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        pin: PinArg,
    },
}

/// Administrative sex (FHIR AdministrativeGender).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Sex {
    /// Male.
    Male,
    /// Female.
    Female,
    /// Neither.
    Other,
    /// Not known.
    Unknown,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PinArg {
    /// A file with the patient's PIN, where one is set; asked for where it is not given.
    #[arg(long)]
    pub(in crate::cli) pin_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Import {
    /// Files (.json, .json.gz, .ndjson, .ndjson.gz) and folders.
    #[arg(required = true)]
    pub(in crate::cli) paths: Vec<PathBuf>,
    /// Let resources leave restricted parts of the chart where the files have no sensitivity label
    /// any more. Without it such a file is refused.
    #[arg(long)]
    pub(in crate::cli) lift_labels: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    /// The chart id, the FHIR Patient id, or a unique beginning of either.
    #[arg(long)]
    pub(in crate::cli) patient: String,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "bundle")]
    pub(in crate::cli) format: ExportFormat,
    /// The file to write; standard output where it is not given.
    #[arg(long)]
    pub(in crate::cli) out: Option<PathBuf>,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ExportFormat {
    /// A FHIR `collection` Bundle.
    Bundle,
    /// One resource a line.
    Ndjson,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Chart {
    /// Show a chart: allergies, problems, medications, immunisations and what else there is.
    #[command(after_help = "Examples:\n  chartmesh chart show 440ffe72")]
    Show {
        /// The chart id, the FHIR Patient id, or a unique beginning of either.
        id: String,
    },
    /// Show who changed what, and when.
    #[command(after_help = "Examples:\n  chartmesh chart history 440ffe72 --json")]
    History {
        /// The chart id, the FHIR Patient id, or a unique beginning of either.
        id: String,
    },
    /// Show where two clinics wrote different things at the same time.
    #[command(after_help = "Examples:\n  chartmesh chart conflicts 440ffe72")]
    Conflicts {
        /// The chart id, the FHIR Patient id, or a unique beginning of either.
        id: String,
    },
    /// Decide a conflict by choosing one of its versions.
    #[command(after_help = "Examples:
  chartmesh chart resolve 440ffe72 --resource Patient/440ffe72 --element telecom --version 2
  chartmesh chart resolve 440ffe72 --resource AllergyIntolerance/a1 --version 1

Versions are numbered as `chart conflicts` lists them. A prescription, allergy, statement of
medication or immunisation is decided as a whole: leave --element out.")]
    Resolve {
        /// The chart id, the FHIR Patient id, or a unique beginning of either.
        id: String,
        /// The resource, as Type/id.
        #[arg(long)]
        resource: String,
        /// The element, as `chart conflicts` names it.
        #[arg(long)]
        element: Option<String>,
        /// The number of the version that is right.
        #[arg(long)]
        version: usize,
    },
}
