//! Identities, the ledger, sealing and the sync state machine. No IO, no clock, no randomness of
//! its own: time and random generators are arguments.

mod codec;
mod id;
pub mod limits;
mod time;

pub use codec::CodecError;
pub use id::{
    CertificateHash, ChartId, ClinicId, CompartmentTag, EpochId, Incarnation, NodeId, ParseIdError,
    PatientId, RecordId, RecordLink, Sequence, StatementId, StatementPrefix, UserId,
};
pub use time::{HybridClock, HybridTime};
