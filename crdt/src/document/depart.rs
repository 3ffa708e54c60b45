//! Taking a resource out of a compartment because it belongs into another one.
//!
//! Every element is removed, and a mark says why: nothing that is read of the document tells any
//! more what stood there, or where it went. It is an edit like any other: it has an author, and an
//! edit of the same element that was made meanwhile stands against it as a conflict, so that
//! nothing that somebody wrote is lost with it. What was written before stays in the history, for
//! those who hold that.

use super::edit::PutError;
use super::staged::Writes;
use super::{Document, WHOLE};
use crate::resource::is_atomic;
use crate::resource_key::ResourceKey;

/// The element that marks a resource that has gone. No element of FHIR has such a name.
pub(crate) const GONE: &str = ">";

/// The text of the mark.
const MARK: &str = "true";

/// An atomic resource that has gone.
pub(crate) const GONE_WHOLE: &str = "{\">\":true}";

/// Whether a text stands for nothing: a removed element, or an atomic resource that has gone.
pub(crate) fn is_removal(element: &str, text: &str) -> bool {
    text.is_empty() || (element == WHOLE && text == GONE_WHOLE)
}

impl Document {
    /// Stages that a resource leaves this compartment; says whether there was anything to take
    /// out. Put again, it is back.
    ///
    /// # Errors
    /// [`PutError`]; what was staged before stays as it was.
    pub fn depart(&mut self, key: &ResourceKey) -> Result<bool, PutError> {
        let maps = self.maps(key.as_str());
        let values = self.values(&maps);
        let stands = values.iter().filter(|(name, held)| {
            let is_there = held.iter().any(|value| !is_removal(name, &value.text));
            is_there && name.as_str() != GONE
        });
        let removed = stands.map(|(name, _)| (name.clone(), String::new()));
        let mut writes: Writes = removed.collect();
        if writes.is_empty() {
            return Ok(false);
        }
        match is_atomic(key.resource_type()) {
            true => writes.insert(WHOLE.to_owned(), GONE_WHOLE.to_owned()),
            false => writes.insert(GONE.to_owned(), MARK.to_owned()),
        };
        match self.staged.set(key.clone(), writes, maps.len()) {
            true => Ok(true),
            false => Err(PutError::ChangeFull),
        }
    }
}
