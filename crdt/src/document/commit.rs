//! Committing: staged edits become one change.

use std::collections::{BTreeMap, HashMap};

use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{AutomergeError, ObjId, ReadDoc, ScalarValue, hydrate};

use super::Document;
use super::staged::Writes;
use crate::resource_key::ResourceKey;
use crate::stamp::{ChangeHash, Stamp};

/// One change as other nodes need it.
#[derive(Clone, PartialEq, Eq)]
pub struct CommittedChange {
    /// Its hash.
    pub hash: ChangeHash,
    /// The changes that it depends on.
    pub deps: Vec<ChangeHash>,
    /// The encoded change, uncompressed: whoever seals it compresses.
    pub bytes: Vec<u8>,
}

/// A change could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The document refused an edit. Nothing was written, and the edits are no longer staged.
    #[error("the document refused an edit")]
    Refused,
}

impl Document {
    /// Makes one change of everything that is staged. Returns `None` when nothing is.
    ///
    /// # Errors
    /// [`CommitError`], which tells of damage in the document.
    pub fn commit(&mut self, stamp: &Stamp) -> Result<Option<CommittedChange>, CommitError> {
        if self.staged.is_empty() {
            return Ok(None);
        }
        let staged = self.staged.take();
        let maps: Vec<Vec<ObjId>> = staged.keys().map(|key| self.maps(key.as_str())).collect();
        let mut tx = self.doc.transaction();
        let written = write(&mut tx, &self.resources, staged, maps);
        let Ok(created) = written else {
            tx.rollback();
            return Err(CommitError::Refused);
        };
        let options = CommitOptions::default().with_time(stamp.time_ms());
        let (hash, _) = tx.commit_with(options.with_message(stamp.message()));
        // No operation at all: every edit was of a resource without elements that exists.
        let Some(hash) = hash else { return Ok(None) };
        let change = self
            .doc
            .get_change_by_hash(&hash)
            .ok_or(CommitError::Refused)?;
        if let Some(index) = &mut self.index {
            index.add(self.actor, change.seq(), hash, created);
        }
        Ok(Some(CommittedChange {
            hash: hash.into(),
            deps: change
                .deps()
                .iter()
                .copied()
                .map(ChangeHash::from)
                .collect(),
            bytes: change.raw_bytes().to_vec(),
        }))
    }
}

/// Writes all edits, and returns the maps that it made.
fn write(
    tx: &mut Transaction<'_>,
    resources: &ObjId,
    staged: BTreeMap<ResourceKey, Writes>,
    maps: Vec<Vec<ObjId>>,
) -> Result<Vec<(ObjId, ResourceKey)>, AutomergeError> {
    let mut created = Vec::new();
    for ((key, writes), maps) in staged.into_iter().zip(maps) {
        if maps.is_empty() {
            // One insertion of the whole map: putting each element takes four times as long.
            let map = tx.batch_create_object(resources, key.as_str(), &new_map(writes), false)?;
            created.push((map, key));
            continue;
        }
        for map in &maps {
            for (name, text) in &writes {
                if stands(tx, map, name, text)? {
                    tx.put(
                        map,
                        name.as_str(),
                        if text.is_empty() { "null" } else { "" },
                    )?;
                }
                tx.put(map, name.as_str(), text.as_str())?;
            }
        }
    }
    Ok(created)
}

fn new_map(writes: Writes) -> hydrate::Value {
    let values = writes
        .into_iter()
        .map(|(name, text)| (name, hydrate::Value::Scalar(ScalarValue::Str(text.into()))));
    hydrate::Value::Map(values.collect::<HashMap<String, hydrate::Value>>().into())
}

/// Whether Automerge would take a write for no change, because it reads the same text there.
///
/// It would then only delete the values that conflict with it, or do nothing. But who decides a
/// conflict makes a statement of their own: it must have an author, and must itself conflict
/// with what others write meanwhile. So another text is written first, and at once replaced.
fn stands(
    tx: &Transaction<'_>,
    map: &ObjId,
    name: &str,
    text: &str,
) -> Result<bool, AutomergeError> {
    let current = tx.get(map, name)?;
    Ok(current.is_some_and(|(value, _)| value.as_str() == Some(text)))
}
