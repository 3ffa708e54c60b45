//! Identities, the ledger, sealing and the sync state machine. No IO, no clock, no randomness of
//! its own: time and random generators are arguments.

mod codec;
mod id;
pub mod identity;
pub mod ledger;
pub mod limits;
pub mod reconcile;
pub mod seal;
pub mod sync;
mod time;
#[cfg(test)]
mod world;

pub use codec::CodecError;
pub use id::{
    CertificateHash, ChartId, ClinicId, CompartmentTag, EpochId, Incarnation, NodeId, ParseIdError,
    PatientId, RecordId, RecordLink, SealingPublic, Sequence, SignerId, StatementId,
    StatementPrefix, UserId, UserPublic,
};
pub use time::{HybridClock, HybridTime};
