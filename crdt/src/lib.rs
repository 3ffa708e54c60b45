//! The chart of a patient: FHIR R4 resources in documents that merge.
//!
//! A chart is split into [compartments](Compartment), the units of consent. Each compartment is
//! one [`Document`], built on Automerge. Nodes edit their copies alone, exchange the changes in
//! any order, and then show the same chart, byte for byte. This crate does no input or output,
//! reads no clock, and encrypts nothing: bytes, times and writers come in as arguments.
//!
//! - **Lossless.** The unit of merging is the top-level element of a resource, kept as the JSON
//!   text that came in: digits, escapes, unknown elements and extensions stay as they are.
//! - **Nothing is chosen silently.** Two concurrent values of one element are a [`Conflict`] until
//!   somebody resolves it. Prescriptions, problems, allergies and immunisations conflict as a
//!   whole.
//! - **Nothing vanishes.** A resource is never deleted, but [retracted](Resource::retracted).
//! - **Nothing is trusted.** A change of a peer is checked before it is applied: its form, its
//!   writer, and that it does only what a chart allows ([`ChangeError`], [`Refusal`]).
//!
//! Where to start: [`Bundle::parse`] reads a patient's chart out of a FHIR bundle,
//! [`Resource::compartment`] says where each resource belongs, [`Document`] holds them, and
//! [`views`] shows a clinician what matters.
//!
//! ```
//! use chartmesh_crdt::{ActorId, Document, Resource, Stamp};
//!
//! // Two nodes. In a real chart, each change travels inside a sealed record.
//! let mut a = Document::new(ActorId([1; 16]));
//! let mut b = Document::new(ActorId([2; 16]));
//! let weight = |value: &str| {
//!     Resource::parse(&format!(
//!         r#"{{"resourceType":"Observation","id":"w","valueQuantity":{{"value":{value}}}}}"#
//!     ))
//! };
//!
//! // Node a records a weight, and node b takes over the change.
//! a.put(&weight("70.10")?)?;
//! let change = a.commit(&Stamp::new("dr-adeyemi", "physician", 1_700_000_000_000)?)?.unwrap();
//! b.apply(&[&change.bytes], a.actor())?;
//!
//! // Both correct it while the link is down.
//! a.put(&weight("70.20")?)?;
//! let from_a = a.commit(&Stamp::new("dr-adeyemi", "physician", 1_700_000_060_000)?)?.unwrap();
//! b.put(&weight("70.30")?)?;
//! let from_b = b.commit(&Stamp::new("nurse-lind", "nurse", 1_700_000_050_000)?)?.unwrap();
//!
//! // The link is back: both show the same conflict, with who wrote what.
//! a.apply(&[&from_b.bytes], b.actor())?;
//! b.apply(&[&from_a.bytes], a.actor())?;
//! assert_eq!(a.canonical(), b.canonical());
//! let conflict = &b.conflicts()[0];
//! assert_eq!(conflict.versions[0].value.as_deref(), Some(r#"{"value":70.30}"#));
//! assert_eq!(conflict.versions[1].author.user, "dr-adeyemi");
//!
//! // Resolving it at one resolves it at the other.
//! b.resolve(&conflict.key.clone(), "valueQuantity", Some(r#"{"value":70.20}"#))?;
//! let resolved = b.commit(&Stamp::new("nurse-lind", "nurse", 1_700_000_090_000)?)?.unwrap();
//! a.apply(&[&resolved.bytes], b.actor())?;
//! assert!(a.conflicts().is_empty() && b.conflicts().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attachment;
mod bundle;
mod columns;
mod compartment;
mod document;
mod json;
pub mod limits;
mod ndjson;
mod readable;
mod reference;
mod resource;
mod resource_key;
mod retract;
mod saved_frame;
mod sensitivity;
mod span;
mod stamp;
pub mod views;

pub use attachment::{Content, MARK, put_back};
pub use bundle::{Bundle, BundleError, ParsedChart, to_bundle};
pub use compartment::{Compartment, CompartmentError, SensitivityLabel};
pub use document::Document;
pub use document::apply::Applied;
pub use document::check::ChangeFacts;
pub use document::commit::{CommitError, CommittedChange};
pub use document::conflict::{Conflict, Version};
pub use document::edit::{Put, PutError, ResolveError};
pub use document::history::{ChangeOutline, ElementWrite, HistoryEntry};
pub use document::load::LoadError;
pub use document::refusal::{ApplyError, ChangeError, Refusal, Refused};
pub use document::saved::{SavedChanges, SavedError};
pub use ndjson::{ParsedLines, parse_ndjson};
pub use readable::{Readable, Settled, possible};
pub use resource::{Resource, ResourceError};
pub use resource_key::{ResourceKey, ResourceKeyError};
pub use retract::{RETRACTION_REASON, RetractError};
pub use stamp::{ActorId, Author, ChangeHash, Stamp, StampError};
