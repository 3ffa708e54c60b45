//! How a command fails: a class for scripts, a sentence for people.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The exit codes of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Wrong usage.
    Usage,
    /// No consent or no permission.
    Refused,
    /// Not found.
    NotFound,
    /// Held or conflicting.
    Conflicting,
    /// The store is damaged.
    Damaged,
    /// A peer cannot be reached.
    Unreachable,
}

impl Exit {
    /// The code that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::NotFound => 4,
            Self::Conflicting => 5,
            Self::Damaged => 6,
            Self::Unreachable => 7,
        }
    }
}

/// Why a command failed: what happened, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The class.
    pub exit: Exit,
    /// What happened and what to do next. Never patient data.
    pub message: String,
    /// Whether the command can be tried again with the patient's PIN.
    #[serde(default)]
    pub pin_needed: bool,
    /// Whether another process holds the data folder.
    #[serde(default)]
    pub in_use: bool,
}

impl Failure {
    /// A failure of a class, with its sentence.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            pin_needed: false,
            in_use: false,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
