//! Sealing: content keys, how they reach their readers, and the records under them.
//!
//! - `key`: the content key of an epoch, and how a later epoch carries an earlier one's.
//! - `wrap`: a key sealed to a clinic (HPKE, RFC 9180).
//! - `epoch`: making an epoch, opening it, and walking back through its history.
//! - `header`: what a record shows to everyone.
//! - `form`: what it holds, and how insiders see that.
//! - `content`, `compaction`, `manifest`, `packed`: what it shows to readers.
//! - `provenance`: that a compaction is what the authors of its records wrote.
//! - `record`: sealing, signing, verifying and opening.
//! - `actor`: the Automerge actor id of an author.

mod actor;
mod compaction;
mod content;
mod epoch;
mod form;
mod header;
mod key;
mod manifest;
mod packed;
mod provenance;
mod record;
mod wrap;

pub use actor::actor_id;
pub use compaction::Compaction;
pub use content::{ContentError, RecordContent, sign_changes};
pub use epoch::{EpochPlan, Keyring, OpenEpochError, Reader, make_epoch, open_epoch, share_epoch};
pub use form::RecordForm;
pub use header::{RecordHeader, RecordPlace};
pub use key::{EpochKey, SealedKey};
pub use manifest::{Manifest, ManifestRecord, UserWord};
pub use provenance::{Provenance, ProvenanceError, SavedChange, prove, record_claim};
pub use record::{
    OpenError, RecordError, SealError, SealedRecord, VerifiedRecord, Witness, seal_compaction,
    seal_manifest, seal_record,
};
pub use wrap::{
    KeyWrap, WrapError, unwrap_chart_secret, unwrap_first_secret, wrap_chart_secret,
    wrap_first_secret,
};
pub(crate) use wrap::{open_from, seal_to};

#[cfg(test)]
mod tests;
