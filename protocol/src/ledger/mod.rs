//! The ledger of a chart: what the patient allowed, to whom, and what follows from it.
//!
//! - `compartment`: the parts of a chart by which consent and keys are given.
//! - `secret`: the chart secret, which hides the names of compartments from relays.
//! - `terms`: what a grant is made of: compartments, rights, purpose, history, basis.
//! - `genesis`, `grant`, `revocation`, `epoch`: the kinds of statement.
//! - `admission`: what was held counts.
//! - `audit_segment`: what a clinic tells the home of a chart of its reads and writes.
//! - `break_glass`, `emergency_code`: what a clinic without a grant sees in an emergency.
//! - `house`, `node_end`: a clinic's own affairs, and the end of one of its nodes.
//! - `statement`: how any of them is written and signed.
//! - `book`: which node belongs to which clinic.
//! - `set`: [`Ledger`], the statements of one chart.
//! - `standing`, `invalid`: which statements hold, whatever the time, and why others do not.
//! - `decision`, `audience`: who may read, write and be sent what at a given time.
//! - `sealing`: which epochs a writer may seal under.
//! - `handover`: which keys are owed to whom.
//! - `stream`: an author's records in their sequence, with its forks and gaps.
//! - `judgement`: which records count.
//! - `extent`: how far records reach, author by author.
//! - `coverage`: which need not be sent, because a compaction stands for them.
//!
//! Everything decided here is a pure function of sets: it depends on which statements and records
//! there are, and not on the order in which they came.

mod admission;
mod audience;
mod audit_segment;
mod book;
mod break_glass;
mod compartment;
mod coverage;
mod decision;
mod emergency_code;
mod epoch;
mod extent;
mod genesis;
mod grant;
mod handover;
mod house;
mod invalid;
mod judgement;
mod node_end;
mod revocation;
mod sealing;
mod secret;
mod set;
mod standing;
mod statement;
mod stream;
mod terms;
#[cfg(test)]
mod tests;

pub use admission::Admission;
pub use audit_segment::{AuditSegment, SegmentEntries, SegmentEntry, SegmentError};
pub use book::CertificateBook;
pub use break_glass::{BreakGlass, CODE_PROOF_LEN, EMERGENCY_MS, EmergencyRule, Review};
pub use compartment::{CompartmentName, Label, ParseCompartmentError};
pub use coverage::{Cover, CoveredRecord, covered, known};
pub use decision::{Decision, GrantState, GrantView, decide};
pub use emergency_code::{EmergencyCode, ParseEmergencyCodeError};
pub use epoch::{Epoch, HistoryKey, ReaderKey, SealingTag};
pub use extent::{Extent, Place};
pub use genesis::Genesis;
pub use grant::Grant;
pub use handover::{OwedKey, openable, owed_keys};
pub use house::{HouseNote, NodeRevocation, NoteTopic, house_of};
pub use invalid::Invalid;
pub use judgement::{Fork, Gap, Held, Judgement, RecordFacts, Verdict, judge};
pub use node_end::NodeEnd;
pub use revocation::{FrontierTip, Revocation};
pub use sealing::SealingEpoch;
pub use secret::ChartSecret;
pub use set::Ledger;
pub use statement::{Body, Signer, Statement};
pub use terms::{Basis, Compartments, History, ParseTermError, Purpose, Rights};
