//! Bundle files: what a peer lacks on a stick, and what a peer has sent on one.
//!
//! A bundle holds what a session would send, and says how far its sender has followed us, so the
//! way back is short. Both ways go through [`Replica`](super::Replica), as a session does: consent
//! decides at the time of writing, and everything is verified at the time of reading.
//!
//! ```text
//! Settings  "bundle" | node 32 | bundle 16  -> Received, which parts have been read
//! Settings  "made" | bundle 16              -> clinic 32, for whom it was written here
//! ```
//!
//! | file | what it is for |
//! |---|---|
//! | `export`, `file` | writing what a peer lacks |
//! | `import`, `intake`, `unread` | reading files, one part, and why one is not read |
//! | `received` | which parts have been read |
//! | `attach` | attachments behind the records |
//! | `told` | what is told of attachments that are held |
//! | `rest` | what came of bundles that are not whole, and what is lacking |
//! | `step` | whether both know what the other holds |
//! | `report` | what an import found, for people |

mod attach;
mod export;
mod file;
mod import;
mod intake;
mod received;
mod report;
mod rest;
mod step;
mod told;
mod unread;

pub use attach::NotHere;
pub use export::BundleWritten;
pub use received::MissingParts;
pub use report::{BundlesRead, PartRead};
pub use step::OutOfStep;
pub(crate) use told::note_lost;
