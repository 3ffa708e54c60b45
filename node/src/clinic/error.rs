//! Why something a clinic wanted did not happen.

use chartmesh_protocol::ChartId;
use thiserror::Error;

use crate::control::{Exit, Failure};
use crate::keys::KeyringError;
use crate::store::{OpenError, StoreError};

/// Why something a clinic wanted did not happen. No variant holds patient data; the words that a
/// person typed are not repeated where they can be a name.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClinicError {
    /// The data folder cannot be used.
    #[error("{reason}")]
    Folder {
        /// What is wrong and what to do.
        reason: String,
    },
    /// The keys cannot be opened.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// The store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was typed cannot be used.
    #[error("{reason}")]
    Usage {
        /// What is wrong and what to write instead.
        reason: String,
    },
    /// Nothing has this id.
    #[error("no {what} here has this id; `chartmesh {look}` lists them")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// The command that lists them.
        look: &'static str,
    },
    /// What has this id is known, and its content is not here.
    #[error("{reason}")]
    NotHere {
        /// What is not here, and how it comes.
        reason: String,
    },
    /// More than one thing has an id that begins so.
    #[error("{count} {what} have ids that begin so: type more of it")]
    Ambiguous {
        /// What was looked for.
        what: &'static str,
        /// How many.
        count: usize,
    },
    /// Who has come just now cannot be told from others yet.
    #[error(
        "{count} patients have come just now, and which ids they have is not known yet: try again \
         in some minutes, or type the whole id of the chart"
    )]
    StillComing {
        /// How many.
        count: usize,
    },
    /// Consent or the clinic's role does not allow it.
    #[error("{reason}")]
    Refused {
        /// Who would have to allow it.
        reason: String,
    },
    /// The PIN is missing or wrong.
    #[error("{reason}")]
    Pin {
        /// What is asked for.
        reason: String,
    },
    /// Too many wrong PINs of one patient were tried at this node.
    #[error("too many wrong PINs were tried for this patient: the next may be tried after {next}")]
    PinLimit {
        /// When the next one may be tried, as RFC 3339.
        next: String,
    },
    /// A patient's card that is not to be used.
    #[error("{reason}")]
    Card {
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// Something stands in the way that a person has to decide.
    #[error("{reason}")]
    Conflict {
        /// What stands in the way.
        reason: String,
    },
    /// What is stored cannot be read: damaged, or by a newer program.
    #[error("chart {chart} cannot be read: {reason}; run `chartmesh doctor`")]
    Unreadable {
        /// The chart.
        chart: ChartId,
        /// What is wrong.
        reason: String,
    },
    /// A fault of this program.
    #[error("this should not happen, please report it: {reason}")]
    Fault {
        /// What happened.
        reason: String,
    },
}

impl ClinicError {
    /// A usage error.
    pub(crate) fn usage(reason: impl Into<String>) -> Self {
        Self::Usage {
            reason: reason.into(),
        }
    }

    /// A refusal.
    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused {
            reason: reason.into(),
        }
    }

    /// A fault of ours.
    pub(crate) fn fault(reason: impl std::fmt::Display) -> Self {
        Self::Fault {
            reason: reason.to_string(),
        }
    }

    /// The only one of what a typed id can mean.
    ///
    /// # Errors
    /// [`Self::NotFound`] where there is none, with the command that lists them, and
    /// [`Self::Ambiguous`] where there are several, called `many`.
    pub(crate) fn only<T>(
        found: impl IntoIterator<Item = T>,
        (what, many): (&'static str, &'static str),
        look: &'static str,
    ) -> Result<T, Self> {
        let mut found = found.into_iter();
        let one = found.next().ok_or(Self::NotFound { what, look })?;
        match found.count() {
            0 => Ok(one),
            others => Err(Self::Ambiguous {
                what: many,
                count: others.saturating_add(1),
            }),
        }
    }

    /// The class for scripts.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage { .. } => Exit::Usage,
            Self::NotFound { .. } | Self::NotHere { .. } | Self::Ambiguous { .. } => Exit::NotFound,
            Self::Keys(KeyringError::WrongPassphrase) => Exit::Refused,
            Self::Refused { .. } | Self::Pin { .. } | Self::PinLimit { .. } | Self::Card { .. } => {
                Exit::Refused
            }
            Self::Conflict { .. } => Exit::Conflicting,
            Self::Open(OpenError::Damaged(_)) => Exit::Damaged,
            Self::Store(StoreError::Damaged { .. }) => Exit::Damaged,
            Self::Unreadable { .. } => Exit::Damaged,
            Self::Folder { .. }
            | Self::StillComing { .. }
            | Self::Keys(_)
            | Self::Open(_)
            | Self::Store(_)
            | Self::Fault { .. } => Exit::Failed,
        }
    }
}

impl From<ClinicError> for Failure {
    fn from(error: ClinicError) -> Self {
        Self {
            pin_needed: matches!(error, ClinicError::Pin { .. }),
            in_use: matches!(error, ClinicError::Open(OpenError::Locked)),
            ..Self::new(error.exit(), error.to_string())
        }
    }
}
