//! Commands reach a running node over a Unix socket in its data folder.
//!
//! One connection carries one command: the client sends a [`Request`] as one line of JSON, the
//! node answers with any number of progress lines and one last line, the answer or the failure.
//! Who may open the socket is decided by the folder's permissions (0700).

mod client;
mod failure;
mod request;
mod server;
mod socket;

pub use client::{ask, ask_patiently, is_running};
pub use failure::{Exit, Failure};
pub use request::{
    BundleOrder, CardOrder, CardRequest, EmergencyOrder, EmergencyRequest, GrantRequest,
    NodeRequest, Pin, Registration, Request, Resolution,
};
pub use server::{ControlSocket, bind, serve};

use crate::clinic::AbsentAttachment;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// How long a line of the control protocol may be: an answer can hold a whole chart.
const MAX_LINE: u64 = 512 * 1024 * 1024;

/// What a command printed, as JSON, and how it ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// The document that `--json` prints. Raw, because a decimal of a chart keeps its digits.
    pub value: Box<RawValue>,
    /// The exit code: a command can answer and still have failed in part.
    pub exit: Exit,
    /// Attachments that an export lacks: their content is not here.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub absent: Vec<AbsentAttachment>,
    /// Records that an export leaves out: they do not count.
    #[serde(default)]
    pub held: u64,
    /// Patients who came just now and whom a search could not find yet.
    #[serde(default)]
    pub not_searched: usize,
    /// What a person has to know who has just written something.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub warning: Option<String>,
}

impl Answer {
    /// The answer of a command that did what it was asked to.
    ///
    /// # Errors
    /// [`Failure`] when the value cannot be written as JSON.
    pub fn done<T: Serialize>(value: &T) -> Result<Self, Failure> {
        let value = serde_json::value::to_raw_value(value).map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("the answer cannot be written: {error}"),
            )
        })?;
        Ok(Self::of(value))
    }

    /// The same with what is written as JSON already.
    #[must_use]
    pub fn of(value: Box<RawValue>) -> Self {
        Self {
            value,
            exit: Exit::Done,
            absent: Vec::new(),
            held: 0,
            not_searched: 0,
            warning: None,
        }
    }

    /// The same answer with another exit code.
    #[must_use]
    pub fn ending(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }
}

/// How far a long command has come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done, for people.
    pub what: String,
    /// Steps done.
    pub done: u64,
    /// Steps in all.
    pub total: u64,
}

/// One line from the node to the client.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Progress(Progress),
    Answer(Answer),
    Failure(Failure),
}
