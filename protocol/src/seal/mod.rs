//! Sealing: content keys, how they reach their readers, and the records under them.
//!
//! - `key`: the content key of an epoch, and how a later epoch carries an earlier one's.
//! - `wrap`: a key sealed to a clinic (HPKE, RFC 9180).
//! - `epoch`: making an epoch, opening it, and walking back through its history.
//! - `header`: what a record shows to everyone.
//! - `content`: what it shows to readers.
//! - `record`: sealing, signing, verifying and opening.
//! - `actor`: the Automerge actor id of an author.

mod actor;
mod content;
mod epoch;
mod header;
mod key;
mod record;
mod wrap;

pub use actor::actor_id;
pub use content::{ContentError, RecordContent, sign_changes};
pub use epoch::{EpochPlan, Keyring, OpenEpochError, Reader, make_epoch, open_epoch, share_epoch};
pub use header::{RecordHeader, RecordPlace};
pub use key::{EpochKey, SealedKey};
pub use record::{OpenError, RecordError, SealError, SealedRecord, VerifiedRecord, seal_record};
pub use wrap::{
    KeyWrap, WrapError, unwrap_chart_secret, unwrap_first_secret, wrap_chart_secret,
    wrap_first_secret,
};
