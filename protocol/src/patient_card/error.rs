//! Why a card is refused.

use super::text::CardTextError;
use crate::codec::CodecError;

/// A card with a patient's key that is not to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyCardError {
    /// The text is not of such a card, or not whole.
    #[error(transparent)]
    Text(#[from] CardTextError),
    /// A newer program wrote it.
    #[error("this card was made by a newer version of Chartmesh; update this one first")]
    UnknownVersion,
    /// It reads as no card, although nothing was lost on the way.
    #[error("this card is malformed: {0}")]
    Malformed(#[source] CodecError),
    /// The patient's key did not sign it as it is: altered, or put together from two cards.
    #[error("this card was altered: the patient's key did not sign it as it is")]
    Forged,
    /// The statement on it is not the one that begins a chart.
    #[error("this card names no chart")]
    NoChart,
    /// The clinic's card on it is not that of the patient's home clinic, or is none to be trusted.
    #[error("the clinic on this card is not the home clinic of the chart on it")]
    OtherHome,
    /// It does not open with this PIN.
    #[error("the PIN is wrong")]
    WrongPin,
    /// It opens, and the key inside is of another chart.
    #[error("the key on this card is of another chart than the card names")]
    OtherChart,
    /// What is to stand on it does not fit.
    #[error("a patient's card cannot hold this: {0}")]
    OutOfBounds(#[source] CodecError),
}

/// A summary on a card that is not to be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SummaryCardError {
    /// The text is not of such a card, or not whole.
    #[error(transparent)]
    Text(#[from] CardTextError),
    /// A newer program wrote it.
    #[error("this card was made by a newer version of Chartmesh; update this one first")]
    UnknownVersion,
    /// It reads as no card, although nothing was lost on the way.
    #[error("this card is malformed: {0}")]
    Malformed(#[source] CodecError),
    /// It does not open with this code, or was altered.
    #[error("the summary does not open: the emergency code is of another card, or it was altered")]
    WrongCode,
    /// It opens, and no clinic signed what is inside.
    #[error("no clinic signed what this card says; do not trust it")]
    Forged,
    /// It opens, and what is inside is of another chart.
    #[error("the summary on this card is of another chart than the card names")]
    OtherChart,
    /// What is to stand on it does not fit.
    #[error("a patient's card cannot hold this: {0}")]
    OutOfBounds(#[source] CodecError),
}

/// A newer program's, or nothing that any program wrote.
pub(super) fn of_codec<E>(error: CodecError, newer: E, malformed: impl Fn(CodecError) -> E) -> E {
    match error {
        CodecError::UnknownVersion { .. } => newer,
        CodecError::Empty
        | CodecError::TooLarge { .. }
        | CodecError::UnknownKind { .. }
        | CodecError::Malformed { .. }
        | CodecError::Trailing { .. }
        | CodecError::NotCanonical
        | CodecError::OutOfBounds { .. } => malformed(error),
    }
}
