//! The chart: FHIR resources as documents that merge.

mod bundle;
mod columns;
mod compartment;
mod document;
mod json;
pub mod limits;
mod ndjson;
mod reference;
mod resource;
mod resource_key;
mod retract;
mod sensitivity;
mod span;
mod stamp;
pub mod views;

pub use bundle::{Bundle, BundleError, ParsedChart, to_bundle};
pub use compartment::{Compartment, CompartmentError, SensitivityLabel};
pub use document::Document;
pub use document::apply::Applied;
pub use document::check::ChangeFacts;
pub use document::commit::{CommitError, CommittedChange};
pub use document::conflict::{Conflict, Version};
pub use document::edit::{Put, PutError, ResolveError};
pub use document::history::{ElementWrite, HistoryEntry};
pub use document::load::LoadError;
pub use document::refusal::{ApplyError, ChangeError, Refusal, Refused};
pub use ndjson::{ParsedLines, parse_ndjson};
pub use resource::{Resource, ResourceError};
pub use resource_key::{ResourceKey, ResourceKeyError};
pub use retract::{RETRACTION_REASON, RetractError};
pub use stamp::{ActorId, Author, ChangeHash, Stamp, StampError};
