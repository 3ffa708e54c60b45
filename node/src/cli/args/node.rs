//! What can be typed of the node itself, its peers and its store.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::demo::DemoOptions;

#[derive(Debug, Args)]
pub(in crate::cli) struct Init {
    /// The clinic's name, as other clinics see it.
    #[arg(long, required_unless_present = "enroll", conflicts_with = "enroll")]
    pub(in crate::cli) name: Option<String>,
    /// Become another node of a clinic: the file that `node enroll` made there.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) enroll: Option<PathBuf>,
    /// A file with the code of the enrolment file; asked for where it is not given.
    #[arg(long, value_name = "FILE", requires = "enroll")]
    pub(in crate::cli) code_file: Option<PathBuf>,
    /// An address to listen on (multiaddr); may be given more than once. Without it, a free port
    /// is drawn, for QUIC and TCP on every interface, and kept.
    #[arg(long, value_name = "MULTIADDR")]
    pub(in crate::cli) listen: Vec<String>,
    /// Where the web pages are served.
    #[arg(long, value_name = "ADDR")]
    pub(in crate::cli) http: Option<String>,
    /// What the node is for.
    #[arg(long, value_enum, default_value = "clinic")]
    pub(in crate::cli) role: Role,
}

/// What a node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Role {
    /// Keeps charts and shares them with consent.
    Clinic,
    /// Stores and forwards sealed records that it cannot read, for clinics that are not online
    /// together.
    Relay,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Run {
    /// How much to log: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL")]
    pub(in crate::cli) log_level: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Demo {
    /// Leave the data folders of both clinics in this folder.
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) keep: Option<PathBuf>,
    /// How many patients to invent.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=500))]
    pub(in crate::cli) patients: u32,
    /// The seed of the invented patients.
    #[arg(long, default_value_t = 1)]
    pub(in crate::cli) seed: u64,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Generate {
    /// How many patients to invent.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub(in crate::cli) charts: u64,
    /// The seed: the same one gives the same bytes.
    #[arg(long, default_value_t = 1)]
    pub(in crate::cli) seed: u64,
    /// The folder to write to; made where it is missing.
    #[arg(long)]
    pub(in crate::cli) out: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Id {
    /// Print the card's line alone.
    #[arg(long)]
    pub(in crate::cli) card_only: bool,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Peer {
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
pub(in crate::cli) enum Node {
    /// Make a file with which another computer becomes a node of this clinic.
    #[command(after_help = "Examples:
  chartmesh node enroll --name 'Ward laptop' --out /media/stick/ward-laptop.enrolment
  chartmesh node enroll --name 'Ward laptop' --out ward-laptop.enrolment --hours 2

On the other computer, with the code that this prints:
  chartmesh --dir ward init --enroll /media/stick/ward-laptop.enrolment
  chartmesh --dir ward run

Carry the file on a stick and the code on paper or by telephone: each is useless without the other.
Delete the file afterwards: it is for one computer, and a second one that takes it is shown at every
node. The new node has a passphrase of its own and the clinic's keys: it can do all that this one
can. Whoever takes it unlocked has every chart of the clinic, and the keys to sign in its name: cut
it off with `chartmesh node revoke`.")]
    Enroll {
        /// What the new node is called, such as where it stands.
        #[arg(long)]
        name: String,
        /// The file to write.
        #[arg(long)]
        out: PathBuf,
        /// How long the file is good for, in hours.
        #[arg(long, default_value_t = 24)]
        hours: u32,
    },
    /// Show the nodes of this clinic.
    #[command(after_help = "Examples:\n  chartmesh node list\n  chartmesh node list --json")]
    List,
    /// Cut a node off that was stolen, lost or given away.
    #[command(after_help = "Examples:
  chartmesh node revoke 7c1f09aa --reason 'stolen from the ward'

Run it at another node of the clinic. Every clinic that hears of it lets the node in no more; what
this node had seen of its entries stays in the charts, and later ones are held. New entries are
sealed with keys that the node does not have.

It does not take back what lies on the node: every chart as it was. A node that was off or locked is
safe behind its passphrase. One that was taken unlocked also held the clinic's keys and those of its
patients without a PIN: somebody able to take them out of it can go on in the clinic's name. Then
tell the other clinics, and begin anew with `init` under another name.")]
    Revoke {
        /// The node's id, or a unique beginning of it.
        node: String,
        /// Why, for everybody to read: no names of patients.
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Sync {
    /// Exchange with other clinics now, and say how it went.
    #[command(after_help = "Examples:
  chartmesh sync now
  chartmesh sync now --peer 3f2a91c0 --json

Ends with 7 when a clinic was not reached and something for it lies at no relay.")]
    Now {
        /// Only this clinic.
        #[arg(long)]
        peer: Option<String>,
    },
    /// Show whether the other clinics have what was saved here.
    #[command(after_help = "Examples:\n  chartmesh sync status --json")]
    Status,
    /// Write what a clinic lacks into a file for a stick. Only that clinic can open it.
    #[command(after_help = "Examples:
  chartmesh sync export --peer 3f2a91c0 --out /media/stick/river.bundle
  chartmesh sync export --peer 3f2a91c0 --out river.bundle --max-size 700M

What does not fit into one file goes into river.bundle.2, river.bundle.3 and so on; each is useful
alone, in any order. Bring back a bundle of the other clinic: it tells what has arrived there.")]
    Export {
        /// The clinic that it is for.
        #[arg(long)]
        peer: String,
        /// The file to write.
        #[arg(long)]
        out: PathBuf,
        /// The size of a file at most: 4G fits every stick.
        #[arg(long, default_value = "4G", value_parser = bytes)]
        max_size: u64,
        /// Also what the clinic is known to hold: for a node that lost its store.
        #[arg(long)]
        everything: bool,
    },
    /// Take in bundle files that another clinic wrote for this one.
    #[command(after_help = "Examples:
  chartmesh sync import /media/stick/river.bundle
  chartmesh sync import /media/stick --json")]
    Import {
        /// Files, or folders with them.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
}

/// A size such as `700M`: digits, and a letter for thousands, millions or thousands of millions.
fn bytes(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (text.get(..at), 1_000),
        Some((at, 'M')) => (text.get(..at), 1_000_000),
        Some((at, 'G')) => (text.get(..at), 1_000_000_000),
        _ => (Some(text), 1),
    };
    let number: Option<u64> = digits.and_then(|digits| digits.parse().ok());
    number
        .and_then(|number| number.checked_mul(unit))
        .ok_or_else(|| "write a number of bytes such as 700M or 4G".to_owned())
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Doctor {
    /// Rebuild a damaged store from the journal, and ask again for attachments that are damaged or
    /// gone.
    #[arg(long)]
    pub(in crate::cli) repair: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub(in crate::cli) shell: Shell,
}

impl Demo {
    /// What the demonstration is to do.
    pub(in crate::cli) fn options(self) -> DemoOptions {
        DemoOptions {
            keep: self.keep,
            patients: self.patients,
            seed: self.seed,
        }
    }
}
