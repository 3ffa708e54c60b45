//! Staging edits: what is put and resolved until it is committed.

use super::conflict::{is_conflict, stored_choice};
use super::depart::GONE_WHOLE;
use super::read::{Values, winner};
use super::staged::Writes;
use super::{Document, WHOLE};
use crate::json::object_of;
use crate::limits::{MAX_CHANGE_BYTES, MAX_CHANGE_OPS};
use crate::resource::{Resource, ResourceError};
use crate::resource_key::ResourceKey;

/// What a [`put`](Document::put) did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The resource stands like this already; nothing is staged for it.
    Unchanged,
    /// There was no resource of this key.
    Created,
    /// Some elements differ, and these are staged.
    Updated,
}

/// Why a resource cannot be put.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// The resource has no id.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// With this resource, one change would be larger than a peer accepts: commit first.
    #[error("one change holds at most {MAX_CHANGE_BYTES} bytes and {MAX_CHANGE_OPS} elements")]
    ChangeFull,
}

/// Why a conflict cannot be resolved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// There is no such resource.
    #[error("there is no such resource")]
    NoResource,
    /// The element has one value only.
    #[error("this element is not in conflict")]
    NoConflict,
    /// The chosen value is not JSON, or for a whole resource not a resource.
    #[error("the chosen value cannot stand there: {0}")]
    BadValue(#[from] ResourceError),
    /// The chosen value is a resource of another key than the one in conflict.
    #[error("the chosen value is another resource")]
    OtherResource,
    /// A whole resource cannot be removed, unless it has gone to another compartment.
    #[error("a resource is never removed")]
    Removal,
    /// With this edit, one change would be larger than a peer accepts: commit first.
    #[error("one change holds at most {MAX_CHANGE_BYTES} bytes and {MAX_CHANGE_OPS} elements")]
    ChangeFull,
}

impl Document {
    /// Stages a full new version of a resource: elements that differ are written, and elements
    /// that it lacks are removed. Of two versions before one commit the later counts.
    ///
    /// What differs is judged against what [`resource`](Self::resource) returns. A conflicted
    /// element is therefore decided only when the new version changes it: putting back what was
    /// read leaves every conflict open, for [`resolve`](Self::resolve).
    ///
    /// # Errors
    /// [`PutError`]; what was staged before stays as it was.
    pub fn put(&mut self, resource: &Resource) -> Result<Put, PutError> {
        let key = resource.key()?;
        let maps = self.maps(key.as_str());
        let next = stored_elements(resource);
        let (writes, put) = if maps.is_empty() {
            (next, Put::Created)
        } else {
            let writes = difference(&self.values(&maps), next);
            let put = if writes.is_empty() {
                Put::Unchanged
            } else {
                Put::Updated
            };
            (writes, put)
        };
        if put == Put::Unchanged {
            self.staged.remove(&key, maps.len());
        } else if !self.staged.set(key, writes, maps.len()) {
            return Err(PutError::ChangeFull);
        }
        Ok(put)
    }

    /// Stages the end of a conflict: `chosen` becomes the only value of the element, `None`
    /// removes it. Any JSON may be chosen, one of the versions or a new one. For an atomic
    /// resource the element is `*` and the value a whole resource of the same key.
    ///
    /// # Errors
    /// [`ResolveError`]; what was staged before stays as it was.
    pub fn resolve(
        &mut self,
        key: &ResourceKey,
        element: &str,
        chosen: Option<&str>,
    ) -> Result<(), ResolveError> {
        let maps = self.maps(key.as_str());
        if maps.is_empty() {
            return Err(ResolveError::NoResource);
        }
        let values = self.values(&maps);
        if !values.get(element).is_some_and(|held| is_conflict(held)) {
            return Err(ResolveError::NoConflict);
        }
        let text = match chosen {
            None if has_departed(&values) => GONE_WHOLE.to_owned(),
            chosen => stored_choice(key, chosen)?,
        };
        let mut writes = self.staged.of(key).cloned().unwrap_or_default();
        writes.insert(element.to_owned(), text);
        if !self.staged.set(key.clone(), writes, maps.len()) {
            return Err(ResolveError::ChangeFull);
        }
        Ok(())
    }

    /// Whether edits wait for a commit.
    pub fn has_staged(&self) -> bool {
        !self.staged.is_empty()
    }

    /// Drops all edits that wait for a commit.
    pub fn discard_staged(&mut self) {
        drop(self.staged.take());
    }
}

/// Whether one of the versions of an atomic resource is that it has gone.
fn has_departed(values: &Values) -> bool {
    let whole = values.get(WHOLE).into_iter().flatten();
    whole.into_iter().any(|value| value.text == GONE_WHOLE)
}

/// The elements of a resource as they are stored.
pub(crate) fn stored_elements(resource: &Resource) -> Writes {
    if !resource.is_atomic() {
        return resource
            .elements()
            .map(|(n, t)| (n.to_owned(), t.to_owned()))
            .collect();
    }
    Writes::from([(WHOLE.to_owned(), object_of(resource.elements()))])
}

/// What must be written so that `next` is read.
fn difference(current: &Values, mut next: Writes) -> Writes {
    for (name, held) in current {
        let read = winner(name, held)
            .map(|value| value.text.as_str())
            .unwrap_or_default();
        match next.get(name) {
            Some(text) if text == read => drop(next.remove(name)),
            None if !read.is_empty() => drop(next.insert(name.clone(), String::new())),
            Some(_) | None => {}
        }
    }
    next
}
