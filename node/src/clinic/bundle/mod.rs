//! Bundle files: what a peer lacks on a stick, and what a peer has sent on one.
//!
//! A bundle holds what a session would send, and says how far its sender has followed us, so the
//! way back is short. Both ways go through [`Replica`](super::Replica), as a session does: consent
//! decides at the time of writing, and everything is verified at the time of reading.
//!
//! ```text
//! Settings  "bundle" | node 32 | bundle 16  -> Received, which parts have been read
//! ```

mod attach;
mod export;
mod file;
mod import;
mod received;
mod report;
mod step;
mod told;

pub use attach::NotHere;
pub use export::BundleWritten;
pub use received::MissingParts;
pub use report::{BundlesRead, PartRead};
pub use step::OutOfStep;
