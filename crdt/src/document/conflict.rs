//! Conflicts: elements with several current values.

use automerge::ObjId;

use super::depart::{GONE, is_removal};
use super::edit::{ResolveError, stored_elements};
use super::read::{Held, whole_elements, winner};
use super::{Document, WHOLE};
use crate::json::minify;
use crate::limits::MAX_DEPTH;
use crate::resource::{Resource, ResourceError, is_atomic};
use crate::resource_key::ResourceKey;
use crate::stamp::{ActorId, Author, Stamp};

/// One element with several current values.
#[derive(Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The resource.
    pub key: ResourceKey,
    /// The element; `*` for an atomic resource, which conflicts as a whole.
    pub element: String,
    /// Its values, at least two and all different, the one that is read first.
    pub versions: Vec<Version>,
}

/// One value of a conflicted element.
#[derive(Clone, PartialEq, Eq)]
pub struct Version {
    /// The exact JSON text; a whole resource for an atomic one; `None` where it was removed.
    pub value: Option<String>,
    /// Who wrote it: the first, where several wrote the same.
    pub author: Author,
    /// When, in milliseconds since 1970 by the author's clock.
    pub time_ms: i64,
}

impl Document {
    /// Every conflict, in the order of the keys and the elements. The same changes give the same
    /// list at every node.
    pub fn conflicts(&self) -> Vec<Conflict> {
        let conflicted = self.conflicted_maps();
        if conflicted.is_empty() {
            return Vec::new();
        }
        let several =
            |maps: &[ObjId]| maps.len() > 1 || maps.iter().any(|m| conflicted.contains(m));
        let entries = self.entries().filter(|(_, maps)| several(maps));
        entries
            .flat_map(|(key, maps)| self.conflicts_in(&key, &maps))
            .collect()
    }

    /// The conflicts of one resource, in the order of the elements.
    pub fn conflicts_of(&self, key: &ResourceKey) -> Vec<Conflict> {
        self.conflicts_in(key, &self.maps(key.as_str()))
    }

    /// Every current version of a resource: one, or for an atomic resource in conflict all of
    /// them, the one that is read first. Empty when there is no such resource.
    pub fn versions(&self, key: &ResourceKey) -> Vec<Resource> {
        let whole = self
            .conflicts_of(key)
            .into_iter()
            .find(|c| c.element == WHOLE);
        match whole {
            Some(conflict) => {
                let texts = conflict
                    .versions
                    .into_iter()
                    .filter_map(|version| version.value);
                texts
                    .filter_map(|text| Resource::from_minified(&text).ok())
                    .collect()
            }
            None => self.resource(key).into_iter().collect(),
        }
    }

    fn conflicts_in(&self, key: &ResourceKey, maps: &[ObjId]) -> Vec<Conflict> {
        let values = self.values(maps).into_iter();
        let conflicted = values.filter(|(name, held)| name != GONE && is_conflict(held));
        conflicted
            .map(|(element, held)| {
                let versions = self.versions_among(key, &element, &held);
                Conflict {
                    key: key.clone(),
                    element,
                    versions,
                }
            })
            .collect()
    }

    fn versions_among(&self, key: &ResourceKey, element: &str, held: &[Held]) -> Vec<Version> {
        // Where several wrote the same, `held` has the earliest operation first.
        let mut first: Vec<&Held> = Vec::new();
        for value in held {
            if !first.iter().any(|known| known.text == value.text) {
                first.push(value);
            }
        }
        let read = winner(element, held).map(|value| &value.text);
        first.reverse();
        first.sort_by_key(|value| Some(&value.text) != read);
        first
            .into_iter()
            .map(|value| self.version(key, element, value))
            .collect()
    }

    fn version(&self, key: &ResourceKey, element: &str, held: &Held) -> Version {
        let (author, time_ms) = self.author_of(&held.written_by);
        let value = if is_removal(element, &held.text) {
            None
        } else if is_atomic(key.resource_type()) {
            Some(Resource::from_stored(key, whole_elements(&held.text)).to_json())
        } else {
            Some(held.text.clone())
        };
        Version {
            value,
            author,
            time_ms,
        }
    }

    /// Who made an operation, and when.
    fn author_of(&self, operation: &ObjId) -> (Author, i64) {
        let hash = self.doc.hash_for_opid(operation);
        let change = hash.and_then(|hash| self.doc.get_change_meta_by_hash(&hash));
        let read = change.and_then(|change| {
            let actor = ActorId::read(&change.actor)?;
            let stamp = Stamp::read(change.message.as_deref(), change.timestamp).ok()?;
            Some((stamp.author(actor), change.timestamp))
        });
        read.unwrap_or_else(|| (Author::unknown(), 0))
    }
}

/// Whether an element has two different current values.
pub(crate) fn is_conflict(held: &[Held]) -> bool {
    held.windows(2)
        .any(|pair| matches!(pair, [a, b] if a.text != b.text))
}

/// The text to store for a value that a person chose.
pub(crate) fn stored_choice(
    key: &ResourceKey,
    chosen: Option<&str>,
) -> Result<String, ResolveError> {
    if !is_atomic(key.resource_type()) {
        let Some(json) = chosen else {
            return Ok(String::new());
        };
        return Ok(minify(json, MAX_DEPTH - 1).map_err(ResourceError::from)?);
    }
    let resource = Resource::parse(chosen.ok_or(ResolveError::Removal)?)?;
    if resource.key().as_ref() != Ok(key) {
        return Err(ResolveError::OtherResource);
    }
    stored_elements(&resource)
        .remove(WHOLE)
        .ok_or(ResolveError::OtherResource)
}
