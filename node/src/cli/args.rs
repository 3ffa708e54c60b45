//! What can be typed. What it means is decided in [`super::run`].

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::demo::DemoOptions;

/// Medical records for clinics that cannot count on a link.
#[derive(Debug, Parser)]
#[command(
    name = "chartmesh",
    version,
    after_help = "Examples:
  chartmesh demo                                  two clinics, a consent and a revocation
  chartmesh --dir clinic init --name 'Hill Clinic' --passphrase-file secret
  chartmesh --dir clinic run
  chartmesh --dir clinic patient search nakato

Exit codes: 0 done, 1 failed, 2 usage, 3 no consent or no permission, 4 not found,
5 held or conflicting, 6 store damaged, 7 peer unreachable."
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What goes with every command.
#[derive(Debug, Args)]
pub(super) struct Global {
    /// The data folder of the node.
    #[arg(
        long,
        global = true,
        env = "CHARTMESH_DIR",
        default_value = "chartmesh-data"
    )]
    pub(super) dir: PathBuf,
    /// Print one JSON document instead of text.
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// A file with the passphrase of the data folder's keys; asked for where it is not given.
    #[arg(long, global = true, env = "CHARTMESH_PASSPHRASE_FILE")]
    pub(super) passphrase_file: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a data folder: keys, an empty store and a commented config.toml.
    #[command(after_help = "Examples:
  chartmesh --dir clinic init --name 'Hill Clinic' --passphrase-file secret
  chartmesh --dir clinic init --name 'Hill Clinic' --listen /ip4/0.0.0.0/udp/4001/quic-v1")]
    Init(Init),
    /// Run the node until it is told to end (SIGTERM or Ctrl-C).
    #[command(after_help = "Examples:
  chartmesh --dir clinic run --passphrase-file secret
  chartmesh --dir clinic run --log-level debug

While it runs, DIR/run.json holds its process id and addresses.")]
    Run(Run),
    /// Show two clinics sharing a chart, with invented patients, on this machine alone.
    #[command(after_help = "Examples:
  chartmesh demo
  chartmesh demo --keep two-clinics     leaves both data folders to look at")]
    Demo(Demo),
    /// Write invented patients as FHIR bundles, the same bytes for the same seed.
    #[command(after_help = "Examples:
  chartmesh generate --charts 100 --seed 7 --out patients
  chartmesh import patients")]
    Generate(Generate),
    /// Show this clinic's card: what other clinics need to know it.
    #[command(after_help = "Examples:
  chartmesh --dir clinic id
  chartmesh --dir clinic id --json
  chartmesh --dir clinic id --card-only > hill-clinic.card")]
    Id(Id),
    /// The clinics that this one talks to.
    #[command(
        subcommand,
        after_help = "Examples:
  chartmesh peer add river-hospital.card
  chartmesh peer list"
    )]
    Peer(Peer),
    /// Register and find patients.
    #[command(
        subcommand,
        after_help = "Examples:
  chartmesh patient register --given Amina --family Nakato --birth-date 1987-04-02
  chartmesh patient search nakato 1987"
    )]
    Patient(Patient),
    /// Take in FHIR bundles, NDJSON and folders of them.
    #[command(after_help = "Examples:
  chartmesh import patient.json
  chartmesh import visits.ndjson bundle.json.gz
  chartmesh import --json patients/

Each file is taken in whole or not at all. Taking one in again changes nothing.")]
    Import(Import),
    /// Write a patient's chart as FHIR.
    #[command(after_help = "Examples:
  chartmesh export --patient 440ffe72 --format bundle --out chart.json
  chartmesh export --patient 440ffe72 --format ndjson")]
    Export(Export),
    /// Read a chart, its history and its conflicts.
    #[command(
        subcommand,
        after_help = "Examples:
  chartmesh chart show 440ffe72
  chartmesh chart conflicts 440ffe72"
    )]
    Chart(Chart),
    /// Who may see which chart.
    #[command(
        subcommand,
        after_help = "Examples:
  chartmesh consent grant --patient 440ffe72 --to 3f2a91c0 --compartments summary
  chartmesh consent list --patient 440ffe72"
    )]
    Consent(Consent),
    /// Exchange charts with other clinics.
    #[command(
        subcommand,
        after_help = "Examples:
  chartmesh sync now
  chartmesh sync status"
    )]
    Sync(Sync),
    /// Who read and wrote what.
    #[command(
        subcommand,
        after_help = "Examples:
  chartmesh audit list --patient 440ffe72
  chartmesh audit verify"
    )]
    Audit(Audit),
    /// How this node is doing.
    #[command(after_help = "Examples:
  chartmesh status
  chartmesh status --json")]
    Status,
    /// Check the store from end to end, and mend it from the journal.
    #[command(after_help = "Examples:
  chartmesh doctor
  chartmesh doctor --repair      rebuild a damaged store from the journal")]
    Doctor(Doctor),
    /// Print a completion script for a shell.
    #[command(after_help = "Examples:
  chartmesh completions bash > /etc/bash_completion.d/chartmesh
  chartmesh completions fish > ~/.config/fish/completions/chartmesh.fish")]
    Completions(Completions),
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The clinic's name, as other clinics see it.
    #[arg(long)]
    pub(super) name: String,
    /// An address to listen on (multiaddr); may be given more than once.
    #[arg(long, value_name = "MULTIADDR")]
    pub(super) listen: Vec<String>,
    /// Where the web pages are served.
    #[arg(long, value_name = "ADDR")]
    pub(super) http: Option<String>,
    /// What the node is for.
    #[arg(long, value_enum, default_value = "clinic")]
    pub(super) role: Role,
}

/// What a node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Role {
    /// Keeps charts and shares them with consent.
    Clinic,
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// How much to log: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL")]
    pub(super) log_level: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Leave the data folders of both clinics in this folder.
    #[arg(long, value_name = "DIR")]
    pub(super) keep: Option<PathBuf>,
    /// How many patients to invent.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=500))]
    pub(super) patients: u32,
    /// The seed of the invented patients.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
}

#[derive(Debug, Args)]
pub(super) struct Generate {
    /// How many patients to invent.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(super) charts: u64,
    /// The seed: the same one gives the same bytes.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// The folder to write to; made where it is missing.
    #[arg(long)]
    pub(super) out: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Id {
    /// Print the card's line alone.
    #[arg(long)]
    pub(super) card_only: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Peer {
    /// Talk to a clinic from now on.
    #[command(after_help = "Examples:
  chartmesh peer add chartmesh:1:oWNh...
  chartmesh peer add river-hospital.card

The card is the line that `chartmesh id --card-only` prints at the other clinic. Compare the
clinic id with them by telephone before you grant anything.")]
    Add {
        /// The card's line, or a file that holds it.
        card: String,
    },
    /// Show the clinics that this one talks to.
    #[command(after_help = "Examples:\n  chartmesh peer list\n  chartmesh peer list --json")]
    List,
    /// Talk to a clinic no more. Its grants stay: revoke them to end its access.
    #[command(after_help = "Examples:\n  chartmesh peer remove 3f2a91c0")]
    Remove {
        /// The clinic id, or a unique beginning of it.
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Patient {
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
}

/// Administrative sex (FHIR AdministrativeGender).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Sex {
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
pub(super) struct PinArg {
    /// A file with the patient's PIN, where one is set; asked for where it is not given.
    #[arg(long)]
    pub(super) pin_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// Files (.json, .json.gz, .ndjson, .ndjson.gz) and folders.
    #[arg(required = true)]
    pub(super) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// The chart id, the FHIR Patient id, or a unique beginning of either.
    #[arg(long)]
    pub(super) patient: String,
    /// The form of the output.
    #[arg(long, value_enum, default_value = "bundle")]
    pub(super) format: ExportFormat,
    /// The file to write; standard output where it is not given.
    #[arg(long)]
    pub(super) out: Option<PathBuf>,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ExportFormat {
    /// A FHIR `collection` Bundle.
    Bundle,
    /// One resource a line.
    Ndjson,
}

#[derive(Debug, Subcommand)]
pub(super) enum Chart {
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

#[derive(Debug, Subcommand)]
pub(super) enum Consent {
    /// Let a clinic have parts of a chart, signed with the patient's key.
    #[command(after_help = "Examples:
  chartmesh consent grant --patient 440ffe72 --to 3f2a91c0 --compartments summary,clinical \\
      --rights read,write --purpose treatment --until 2027-06-30
  chartmesh consent grant --patient all --to 3f2a91c0 --compartments all --rights read")]
    Grant {
        /// The chart id, the FHIR Patient id, a unique beginning of either, or `all`.
        #[arg(long)]
        patient: String,
        /// The clinic id, a unique beginning of it, or the clinic's card (its line or its file).
        #[arg(long)]
        to: String,
        /// Compartments: summary, clinical, messages, patient, billing, restricted/LABEL, or all.
        #[arg(long, value_delimiter = ',', required = true)]
        compartments: Vec<String>,
        /// Rights: read, write, share.
        #[arg(long, value_delimiter = ',', default_value = "read")]
        rights: Vec<String>,
        /// The purpose: treatment, emergency, payment, operations, research, public-health, or a
        /// code of HL7 v3 PurposeOfUse.
        #[arg(long, default_value = "treatment")]
        purpose: String,
        /// The last day, as YYYY-MM-DD, or a moment, as YYYY-MM-DDThh:mm:ssZ.
        #[arg(long)]
        until: Option<String>,
        /// Leave out what was written before the grant.
        #[arg(long)]
        from_now_on: bool,
        #[command(flatten)]
        pin: PinArg,
    },
    /// End a grant. What was delivered before cannot be called back.
    #[command(after_help = "Examples:\n  chartmesh consent revoke 9b1f04aa --reason 'moved away'")]
    Revoke {
        /// The grant's id, or a unique beginning of it.
        grant: String,
        /// Why.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        pin: PinArg,
    },
    /// List grants: who may see what, and until when.
    #[command(after_help = "Examples:
  chartmesh consent list
  chartmesh consent list --patient 440ffe72 --json")]
    List {
        /// Only this patient's.
        #[arg(long)]
        patient: Option<String>,
    },
    /// Show one grant in full.
    #[command(after_help = "Examples:\n  chartmesh consent show 9b1f04aa")]
    Show {
        /// The grant's id, or a unique beginning of it.
        grant: String,
    },
    /// Check every signature of the ledger, and every record against it.
    #[command(after_help = "Examples:
  chartmesh consent verify
  chartmesh consent verify --patient 440ffe72")]
    Verify {
        /// Only this patient's.
        #[arg(long)]
        patient: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Sync {
    /// Exchange with other clinics now, and say how it went.
    #[command(after_help = "Examples:
  chartmesh sync now
  chartmesh sync now --peer 3f2a91c0 --json")]
    Now {
        /// Only this clinic.
        #[arg(long)]
        peer: Option<String>,
    },
    /// Show whether the other clinics have what was saved here.
    #[command(after_help = "Examples:\n  chartmesh sync status --json")]
    Status,
}

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// List who read and wrote what, newest last.
    #[command(after_help = "Examples:\n  chartmesh audit list --patient 440ffe72")]
    List {
        /// Only this patient's.
        #[arg(long)]
        patient: Option<String>,
        /// The most entries to show, counted from the newest.
        #[arg(long, default_value_t = 1000)]
        most: usize,
    },
    /// Check that no entry was changed, removed or put in between.
    #[command(after_help = "Examples:\n  chartmesh audit verify")]
    Verify,
}

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Rebuild a damaged store from the journal.
    #[arg(long)]
    pub(super) repair: bool,
}

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub(super) shell: Shell,
}

impl Demo {
    /// What the demonstration is to do.
    pub(super) fn options(self) -> DemoOptions {
        DemoOptions {
            keep: self.keep,
            patients: self.patients,
            seed: self.seed,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn no_two_arguments_of_a_command_have_one_name() {
        Cli::command().debug_assert();
    }
}
