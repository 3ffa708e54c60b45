//! What can be typed of consent, and of who read and wrote what.

use std::path::PathBuf;

use clap::Subcommand;

use super::PinArg;

/// The longest life: who means more leaves the end out.
const MAX_DAYS: i64 = 36_500;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Consent {
    /// Let a clinic have parts of a chart, signed with the patient's key.
    #[command(after_help = "Examples:
  chartmesh consent grant --patient 440ffe72 --to 3f2a91c0 --compartments summary,clinical \\
      --rights read,write --purpose treatment --until 2027-06-30
  chartmesh consent grant --patient all --to 3f2a91c0 --compartments all --rights read
  chartmesh consent grant --patient 440ffe72 --to 51cd0e77 --compartments summary --days 30 \
      --parent 9b1f04aa
  chartmesh consent grant --patient all --to 08ee3ab9 --compartments all --rights relay")]
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
        /// Rights: read, write, share; for a relay only relay, by which it passes on what it cannot
        /// read.
        #[arg(long, value_delimiter = ',', default_value = "read")]
        rights: Vec<String>,
        /// The purpose: treatment, emergency, payment, operations, research, public-health, or a
        /// code of HL7 v3 PurposeOfUse. Where it is left out: treatment, or that of the grant that
        /// is passed on.
        #[arg(long)]
        purpose: Option<String>,
        /// The last day, as YYYY-MM-DD, or a moment, as YYYY-MM-DDThh:mm:ssZ.
        #[arg(long, conflicts_with = "days")]
        until: Option<String>,
        /// For how many days.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=MAX_DAYS))]
        days: Option<u32>,
        /// Pass on this grant to us, in a referral: never wider or longer than it is.
        #[arg(long, value_name = "GRANT")]
        parent: Option<String>,
        /// Leave out what was written before the grant. Only for compartments that hold nothing
        /// yet: what is written later builds on what is there.
        #[arg(long)]
        from_now_on: bool,
        #[command(flatten)]
        pin: PinArg,
    },
    /// Let another clinic read parts of a chart for two weeks, and give its opinion.
    #[command(after_help = "Examples:
  chartmesh consent second-opinion --patient 440ffe72 --to 3f2a91c0
  chartmesh consent second-opinion --patient 440ffe72 --to 3f2a91c0 --compartments summary \
      --days 7")]
    SecondOpinion {
        /// The chart id, the FHIR Patient id, or a unique beginning of either.
        #[arg(long)]
        patient: String,
        /// The clinic id, a unique beginning of it, or the clinic's card (its line or its file).
        #[arg(long)]
        to: String,
        /// Compartments: summary, clinical, messages, patient, billing or restricted/LABEL.
        #[arg(long, value_delimiter = ',', default_value = "summary,clinical")]
        compartments: Vec<String>,
        /// For how many days.
        #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=90))]
        days: u32,
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
pub(in crate::cli) enum Audit {
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
    /// Write the log as FHIR AuditEvents, one a line (NDJSON), oldest first.
    #[command(
        after_help = "Examples:\n  chartmesh audit export --out audit.ndjson\n  \
                            chartmesh audit export --patient 440ffe72"
    )]
    Export {
        /// Only this patient's.
        #[arg(long)]
        patient: Option<String>,
        /// The file to write; standard output where it is not given.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Check that no entry was changed, removed or put in between.
    #[command(after_help = "Examples:\n  chartmesh audit verify")]
    Verify,
}
