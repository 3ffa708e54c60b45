//! What can be typed of patients' cards.

use clap::builder::RangedI64ValueParser;
use clap::{Args, Subcommand};

use super::PinArg;

/// How many days a grant by card may last: a person who is treated longer has it renewed, and who
/// stole the card has it for a year at most.
fn life() -> RangedI64ValueParser<u32> {
    RangedI64ValueParser::new().range(1..=366)
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Card {
    /// Show what a card tells without its PIN: which chart, and whose.
    #[command(after_help = "Examples:
  chartmesh card show CHARTMESH-CARD:AGBFQ2...
  chartmesh card show scanned.txt
  chartmesh card show -              reads what a scanner types, until the end of the input")]
    Show {
        #[command(flatten)]
        card: CardArg,
    },
    /// Open the summary on a card with the emergency code beside it; needs no link.
    #[command(after_help = "Examples:
  chartmesh card summary CHARTMESH-SUMMARY:AEZ4... --code M4PL-2QZA-77KD-XW3B

Allergies, medications, problems, blood group and whom to call, as they were when the card was made.
What is newer is in the chart: `chartmesh emergency open` asks for it.")]
    Summary {
        #[command(flatten)]
        card: CardArg,
        /// The emergency code on the card.
        #[arg(long)]
        code: String,
    },
    /// Let this clinic see the chart, signed here and now with the patient's card and PIN.
    #[command(after_help = "Examples:
  chartmesh card grant CHARTMESH-CARD:AGBFQ2...
  chartmesh card grant scanned.txt --compartments summary --rights read --days 3 --pin-file pin

The grant goes to the home clinic and to whoever has the chart, and the chart comes from the first
who is reached. Ends with 7 when nobody was: the grant is kept, and the chart comes by itself. The
patient ends it at the home clinic, as any other consent.")]
    Grant {
        #[command(flatten)]
        card: CardArg,
        /// Compartments: summary, clinical, messages, patient, billing, restricted/LABEL, or all.
        #[arg(long, value_delimiter = ',', default_value = "summary,clinical")]
        compartments: Vec<String>,
        /// Rights: read, write, share.
        #[arg(long, value_delimiter = ',', default_value = "read,write")]
        rights: Vec<String>,
        /// The purpose: treatment, emergency, payment, operations, research, public-health, or a
        /// code of HL7 v3 PurposeOfUse.
        #[arg(long, default_value = "treatment")]
        purpose: String,
        /// For how many days.
        #[arg(long, default_value_t = 30, value_parser = life())]
        days: u32,
        #[command(flatten)]
        pin: PinArg,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CardArg {
    /// The text of the QR code, a file that holds it, or - for the standard input.
    #[arg(value_name = "TEXT|FILE")]
    pub(in crate::cli) card: String,
}
