//! Checking one change by itself, before it is compared with its past.

use std::collections::{HashMap, HashSet};

use automerge::legacy::{Key, ObjectId, Op, OpType};
use automerge::{Change, ExpandedChange, ObjType, ScalarValue};

use super::first;
use super::index::{OpId, op_id};
use super::refusal::ChangeError;
use crate::columns::is_bounded_change;
use crate::json::is_minified;
use crate::limits::{MAX_CHANGE_BYTES, MAX_DEPTH, MAX_NAME_BYTES, MAX_RESOURCE_BYTES};
use crate::resource_key::ResourceKey;
use crate::stamp::{ActorId, Author, ChangeHash, Stamp};

/// A change that is sound by itself.
#[derive(Clone)]
pub(crate) struct Checked {
    pub(crate) change: Change,
    pub(crate) actor: ActorId,
    pub(crate) edits: Vec<Edit>,
}

/// What one operation of a change does.
#[derive(Clone)]
pub(crate) enum Edit {
    /// Makes the map of a resource.
    Create(ResourceKey),
    /// Writes an element into a map, over earlier values of it.
    Write(Write),
}

/// A value written.
#[derive(Clone)]
pub(crate) struct Write {
    pub(crate) map: OpId,
    pub(crate) element: String,
    /// The JSON text, or empty for a removal.
    pub(crate) text: String,
    /// The values of earlier changes that it replaces.
    pub(crate) over: Vec<OpId>,
    /// It is replaced within the same change: see [`commit`](super::commit).
    pub(crate) passing: bool,
}

/// What a change says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeFacts {
    /// Its hash.
    pub hash: ChangeHash,
    /// The changes that it depends on.
    pub deps: Vec<ChangeHash>,
    /// Its number among the writer's changes, from 1.
    pub seq: u64,
    /// When it was made, in milliseconds since 1970 by the author's clock.
    pub time_ms: i64,
    /// Who made it.
    pub author: Author,
}

impl ChangeFacts {
    /// Reads an encoded change.
    ///
    /// # Errors
    /// [`ChangeError`] for everything that no document would take, whatever it holds.
    pub fn read(bytes: &[u8]) -> Result<Self, ChangeError> {
        Checked::read(bytes)?.facts()
    }
}

impl Checked {
    pub(crate) fn facts(&self) -> Result<ChangeFacts, ChangeError> {
        let change = &self.change;
        let stamp = Stamp::read(change.message(), change.timestamp())?;
        let deps = change.deps().iter().copied();
        Ok(ChangeFacts {
            hash: change.hash().into(),
            deps: deps.map(ChangeHash::from).collect(),
            seq: change.seq(),
            time_ms: change.timestamp(),
            author: stamp.author(self.actor),
        })
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self, ChangeError> {
        if bytes.len() > MAX_CHANGE_BYTES {
            return Err(ChangeError::TooLarge);
        }
        if !is_bounded_change(bytes) {
            return Err(ChangeError::Malformed);
        }
        let change = Change::try_from(bytes).map_err(|_| ChangeError::Malformed)?;
        let actor = ActorId::read(change.actor_id()).ok_or(ChangeError::BadActor)?;
        if actor == first::ACTOR || change.actors().any(|a| a.to_bytes().len() != 16) {
            return Err(ChangeError::BadActor);
        }
        Stamp::read(change.message(), change.timestamp())?;
        if change.deps().is_empty() {
            return Err(ChangeError::NoDeps);
        }
        if change.is_empty() {
            return Err(ChangeError::Empty);
        }
        let expanded = change.decode();
        let edits = edits(&expanded, actor)?;
        // The checksum and every run length are settled by this: a saved document has only the
        // operations, and its reader encodes them anew to find the hash.
        if Change::from(expanded).raw_bytes() != bytes {
            return Err(ChangeError::NotCanonical);
        }
        Ok(Self {
            change,
            actor,
            edits,
        })
    }
}

/// Reads the operations of a change.
fn edits(change: &ExpandedChange, actor: ActorId) -> Result<Vec<Edit>, ChangeError> {
    let mut created = HashSet::new();
    let mut written: HashMap<(OpId, String), usize> = HashMap::new();
    let mut edits: Vec<Edit> = Vec::with_capacity(change.operations.len());
    for (at, op) in change.operations.iter().enumerate() {
        let foreign = ChangeError::ForeignOperation(at);
        let mut edit = edit(op).ok_or(foreign)?;
        match &mut edit {
            Edit::Create(key) if !created.insert(key.clone()) => return Err(foreign),
            Edit::Create(_) => {}
            Edit::Write(write) => {
                if !is_stored_text(&write.text) {
                    return Err(ChangeError::BadValue(at));
                }
                let place = (write.map, write.element.clone());
                if let Some(earlier) = written.insert(place, at) {
                    let id = earlier
                        .try_into()
                        .ok()
                        .and_then(|e| change.start_op.checked_add(e));
                    let id = (id.ok_or(foreign)?.get(), actor);
                    let Some(Edit::Write(first)) = edits.get_mut(earlier) else {
                        return Err(foreign);
                    };
                    if first.passing || write.over != [id] {
                        return Err(foreign);
                    }
                    first.passing = true;
                    write.over.clear();
                }
            }
        }
        edits.push(edit);
    }
    Ok(edits)
}

fn edit(op: &Op) -> Option<Edit> {
    let (Key::Map(name), ObjectId::Id(object), false) = (&op.key, &op.obj, op.insert) else {
        return None;
    };
    let object = (object.0, ActorId::read(&object.1)?);
    let in_resources = op_id(&first::resources()) == Some(object);
    match &op.action {
        OpType::Make(ObjType::Map) if in_resources && op.pred.is_empty() => {
            name.parse().ok().map(Edit::Create)
        }
        OpType::Put(ScalarValue::Str(text)) if !in_resources && is_element_name(name) => {
            let over = op.pred.iter().map(|id| Some((id.0, ActorId::read(&id.1)?)));
            Some(Edit::Write(Write {
                map: object,
                element: name.to_string(),
                text: text.to_string(),
                over: over.collect::<Option<Vec<_>>>()?,
                passing: false,
            }))
        }
        OpType::Make(_)
        | OpType::Put(_)
        | OpType::Delete
        | OpType::Increment(_)
        | OpType::MarkBegin(_)
        | OpType::MarkEnd(_) => None,
    }
}

fn is_element_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len()) && !matches!(name, "resourceType" | "id")
}

fn is_stored_text(text: &str) -> bool {
    text.is_empty() || (text.len() <= MAX_RESOURCE_BYTES && is_minified(text, MAX_DEPTH))
}
