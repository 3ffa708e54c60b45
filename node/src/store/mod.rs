//! The store: what a node keeps, on disk, sealed, and safe from a power cut.
//!
//! A key-value store with named [`Space`]s. A [`Batch`] over any of them happens together or
//! not at all, and is acknowledged only when it is durable. Values are sealed under a
//! [`StoreKey`]; keys must not say anything of a patient (see [`Store::token`]).
//!
//! There are two copies of everything but derived values:
//! - the *journal*, an append-only, checksummed file, synced before a commit is acknowledged;
//! - the *database* (sled), from which is read. It is synced some seconds behind, and caught up
//!   from the journal, or rebuilt from it, if it lacks something.
//!
//! A write that fails changes nothing: a full disk makes the store read-only until there is
//! space, any other failed write until it is reopened.
//!
//! ```no_run
//! # use chartmesh::store::{Batch, Options, Space, Store, StoreKey};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = StoreKey::new(zeroize::Zeroizing::new([7; 32]));
//! let opened = Store::open(&Options::new("data", key))?;
//! let store = opened.store;
//!
//! let mut batch = Batch::new();
//! batch.put(Space::Items, b"id", b"a record").put(Space::Feed, 1u64.to_be_bytes(), b"id");
//! store.commit(batch)?;
//! assert_eq!(store.get(Space::Items, b"id")?.as_deref(), Some(&b"a record"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! | file | idea |
//! |---|---|
//! | `handle` | the handle: reads and commits |
//! | `writer`, `behind` | the writing thread, and the one that syncs the database |
//! | `segment`, `journal`, `survey` | the journal: its format, appending, reading |
//! | `engine`, `room` | the database, guarded, and its space on disk |
//! | `fingerprint` | how the database is known to be whole |
//! | `folder`, `disk` | locks and marks, and the files that the journal writes |
//! | `open`, `repair`, `salvage`, `health` | starting, healing, checking |
//! | `shrink` | giving back the space of what is gone |

mod batch;
mod behind;
mod commit;
mod disk;
mod engine;
mod error;
#[cfg(test)]
mod fault_disk;
mod fingerprint;
mod folder;
mod handle;
mod health;
mod journal;
mod limits;
mod open;
mod read;
mod repair;
mod room;
mod salvage;
mod seal;
mod segment;
mod shrink;
mod space;

mod survey;
#[cfg(test)]
mod tests;
mod view;
mod writer;

pub use batch::Batch;
pub use commit::{CommitNumber, Ticket};
pub use error::{Damage, OpenError, StoreError};
pub use handle::{Condition, Store};
pub use health::{Health, Problem, Progress};
pub use limits::{CACHE_BYTES, MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES, SEGMENT_BYTES};
pub use open::{Opened, Options};
pub use read::{KeyValue, Keys, Scan};
pub use repair::Report;
pub use seal::StoreKey;
pub use space::{Durability, Space};
pub use view::{View, ViewScan};
