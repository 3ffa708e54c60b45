//! What can be typed. What it means is decided in [`super::run`].

mod attachment;
mod card;
mod chart;
mod consent;
mod emergency;
mod held;
mod node;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(super) use attachment::Attachment;
pub(super) use card::{Card, CardArg};
pub(super) use chart::{Chart, Export, ExportFormat, Import, Patient, PinArg, Sex};
pub(super) use consent::{Audit, Consent};
pub(super) use emergency::Emergency;
pub(super) use held::Held;
pub(super) use node::{Completions, Demo, Doctor, Generate, Id, Init, Node, Peer, Role, Run, Sync};

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
  chartmesh --dir clinic init --name 'Hill Clinic' --listen /ip4/0.0.0.0/udp/4001/quic-v1
  chartmesh --dir ward init --enroll ward-laptop.enrolment --code-file code

With --enroll it becomes another node of a clinic: see `chartmesh node enroll --help`.")]
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
    /// The nodes of this clinic: the computers that hold its charts.
    #[command(
        subcommand,
        after_help = "Examples:
  chartmesh node enroll --name 'Ward laptop' --out ward-laptop.enrolment
  chartmesh node list
  chartmesh node revoke 7c1f09aa --reason 'stolen from the ward'

Every node holds every chart of the clinic, and goes on when another one is lost."
    )]
    Node(Node),
    /// Register and find patients.
    #[command(
        subcommand,
        after_help = "Examples:
  chartmesh patient register --given Amina --family Nakato --birth-date 1987-04-02
  chartmesh patient search nakato 1987"
    )]
    Patient(Patient),
    /// Patients' cards from other clinics: what they tell, and what they open.
    #[command(
        subcommand,
        after_help = "Examples:
  chartmesh card show scanned.txt
  chartmesh card summary CHARTMESH-SUMMARY:AEZ4... --code M4PL-2QZA-77KD-XW3B
  chartmesh card grant CHARTMESH-CARD:AGBFQ2...

A hand scanner types the text of a code, a telephone copies it. `chartmesh patient card` makes a
card. Wrong PINs are counted: after ten, each further one makes everybody wait twice as long."
    )]
    Card(Card),
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
    /// Scans and other large content of documents.
    #[command(
        subcommand,
        after_help = "Examples:
  chartmesh attachment list --patient 440ffe72
  chartmesh attachment fetch --patient 440ffe72"
    )]
    Attachment(Attachment),
    /// Who may see which chart.
    #[command(
        subcommand,
        after_help = "Examples:
  chartmesh consent grant --patient 440ffe72 --to 3f2a91c0 --compartments summary
  chartmesh consent list --patient 440ffe72"
    )]
    Consent(Consent),
    /// See a patient's summary in an emergency, and look at who did.
    #[command(
        subcommand,
        after_help = "Examples:
  chartmesh emergency open --patient 440ffe7245d94d2e8b5a7f0ee1a4c3d2 --clinician 'Dr Okello' \\
      --reason 'unconscious after a fall'
  chartmesh emergency list"
    )]
    Emergency(Emergency),
    /// Records that do not count until the home clinic has looked at them.
    #[command(
        subcommand,
        after_help = "Examples:
  chartmesh held list
  chartmesh held admit 9b1c44d0

A record is held when its author's clinic had no right to write it, or no longer: it may have been
written before that was heard. It is kept, and `chart show` tells what it says."
    )]
    Held(Held),
    /// Exchange charts with other clinics.
    #[command(
        subcommand,
        after_help = "Examples:
  chartmesh sync now
  chartmesh sync status
  chartmesh sync export --peer 3f2a91c0 --out river.bundle
  chartmesh sync import river.bundle"
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn no_two_arguments_of_a_command_have_one_name() {
        Cli::command().debug_assert();
    }
}
