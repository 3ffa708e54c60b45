//! Why changes are refused.

use crate::limits::{MAX_CHANGE_BYTES, MAX_PENDING_BYTES, MAX_PENDING_CHANGES};
use crate::stamp::{ActorId, ChangeHash, StampError};

/// What is wrong with a change, whatever else there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// Longer than [`MAX_CHANGE_BYTES`].
    #[error("a change has at most {MAX_CHANGE_BYTES} bytes")]
    TooLarge,
    /// Not an uncompressed Automerge change, or one with absurd counts.
    #[error("not a change")]
    Malformed,
    /// Encoded otherwise than Automerge encodes it, so that a saved document would not load.
    #[error("not encoded as changes are")]
    NotCanonical,
    /// Written by another actor than the one given.
    #[error("written by {0}, not by the expected actor")]
    OtherActor(ActorId),
    /// Written by an actor whose id has not 16 bytes.
    #[error("the actor's id has not 16 bytes")]
    BadActor,
    /// The author or the time is missing or malformed.
    #[error(transparent)]
    Stamp(#[from] StampError),
    /// It depends on nothing: not even on the first change.
    #[error("it depends on nothing")]
    NoDeps,
    /// It does nothing.
    #[error("it has no operations")]
    Empty,
    /// It does what no chart document does: another root key, a list, a number, a deletion.
    #[error("operation {0} has no place in a chart")]
    ForeignOperation(usize),
    /// It writes a value that is not minified JSON within the limits.
    #[error("operation {0} writes no JSON")]
    BadValue(usize),
}

/// Why a list of changes was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// One change is not acceptable. Nothing of the list was applied.
    #[error("change {index}: {error}")]
    Change {
        /// Its place in the list, from 0.
        index: usize,
        /// What is wrong with it.
        error: ChangeError,
    },
    /// More changes would wait for what they depend on than may wait. What was ready of the list
    /// was applied; the rest of it is forgotten.
    #[error(
        "more than {MAX_PENDING_CHANGES} changes or {MAX_PENDING_BYTES} bytes would wait for others"
    )]
    TooManyPending,
}

/// A change that is sound by itself and contradicts the changes that it depends on. It is never
/// applied, and neither is what depends on it: at no node, whatever the order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The change.
    pub hash: ChangeHash,
    /// Its writer.
    pub actor: ActorId,
    /// What is wrong.
    pub reason: Refusal,
}

/// What of a change contradicts its past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The writer has another change of this number: two nodes write as one.
    #[error("the writer has another change of this number")]
    Forked,
    /// Its number does not follow that of the writer's change before it.
    #[error("its number does not follow the writer's last")]
    BadSequence,
    /// Its operations are not counted on from those that it depends on.
    #[error("its operations are not counted on")]
    BadCounter,
    /// It writes into a map that it cannot know.
    #[error("it writes into a map that it cannot know")]
    UnknownMap,
    /// It writes an element that such a resource cannot have, or removes a whole resource.
    #[error("it writes an element that such a resource cannot have")]
    BadElement,
    /// It replaces a value that it cannot know, or that was replaced before.
    #[error("it replaces a value that it cannot know")]
    UnknownValue,
    /// It depends on a refused change.
    #[error("it depends on a refused change")]
    DependsOnRefused,
    /// Automerge does not take it.
    #[error("the document does not take it")]
    Rejected,
}
