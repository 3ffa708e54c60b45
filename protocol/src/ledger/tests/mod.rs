//! Tests of the ledger as a whole: statements, decisions, judgements, and their laws.

mod admissions;
mod by_card;
mod coverage;
mod decisions;
mod emergencies;
mod entitlements;
mod epochs;
mod exhaustive;
mod handover;
mod history;
mod house;
mod judgements;
mod laws;
mod segments;
mod statements;
