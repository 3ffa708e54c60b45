//! What other systems hand over, read: FHIR R4 JSON files and folders of them. And what they are
//! given of the audit log.
//!
//! [`read_inputs`] walks what the user named and reads one file at a time; [`InputFile::charts`]
//! makes charts of it. A file is taken whole or not at all, and one bad file does not stop the
//! others: each item of the iterator is a file or an [`ImportError`] that names the file, the
//! place in it, the reason, and what to do. No error text holds a value out of a file.
//!
//! | file | holds |
//! |---|---|
//! | `find` | which files a path stands for |
//! | `input` | one file: its bytes, its text |
//! | `unpack` | gzip (RFC 1952) |
//! | `recognise` | FHIR by its name, and what else it could be by its first bytes |
//! | `chart` | from text to charts |
//! | `audit_event` | the audit log as FHIR AuditEvent |
//! | `error` | everything that can be wrong, and what to do about it |

mod audit_event;
mod chart;
mod error;
mod find;
mod input;
pub mod limits;
mod recognise;
mod unpack;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod shared;

pub use audit_event::audit_event;
pub use chart::FileCharts;
pub use error::{GzipFault, ImportError, ImportReason, Place};
pub use input::{InputFile, Inputs, read_inputs};
pub use recognise::{Format, Lookalike};
