//! One compartment as an Automerge document.
//!
//! ```text
//! ROOT ── "resources": map
//!           └── "Type/id": map, one or more
//!                 └── element name: JSON text, or "" where the element was removed
//! ```
//!
//! - The map `resources` is made by the [first change](first), the same bytes at every node.
//! - `resourceType` and `id` are not stored: the key says them.
//! - An atomic resource (see [`Resource::is_atomic`](crate::Resource::is_atomic)) has one element
//!   called `*`, the JSON text of all its elements, so that any two concurrent edits of it meet.
//!   Conditions were once written element by element: such a one reads as it stands, until the next
//!   version of it is written as a whole.
//! - Two nodes that create one key at the same time make two maps. What is read is the **union**
//!   of the maps: an element has every value that stands in one of them. What is written is
//!   written into all of them, so nothing stays hidden.
//!   One clinic may import what another has imported, and edit it before they meet: the other's
//!   import then stands against the edit as a conflict, for nothing says that it is older.
//! - An element with two different current values is **conflicted**. The same value twice is not
//!   a conflict. Until it is resolved, readers see the value that was written last by Automerge's
//!   order of operations, which is the same at every node, and see the conflict beside it.
//! - A removed element is kept as an empty text and not as an Automerge deletion: a removal at
//!   one node and an edit at another are then a conflict like any other, with the removal as one
//!   of its versions. A value is read before a removal.
//! - Resolving a conflict writes a value anew, even the one that is read: two nodes that resolve
//!   it differently are in conflict again, and never overrule each other unseen.
//! - A resource that belongs into another compartment [departs](depart): its elements are removed,
//!   and one called `>` marks it (an atomic resource has the mark as its only member).
//! - Nothing else is ever deleted: a resource, once there, stays.

pub(crate) mod apply;
pub(crate) mod check;
pub(crate) mod commit;
pub(crate) mod conflict;
pub(crate) mod depart;
pub(crate) mod edit;
pub(crate) mod first;
pub(crate) mod history;
pub(crate) mod index;
pub(crate) mod load;
pub(crate) mod pending;
pub(crate) mod read;
pub(crate) mod refusal;
pub(crate) mod saved;
pub(crate) mod staged;

use std::collections::BTreeSet;
use std::fmt;

use automerge::{Automerge, ObjId};

use crate::stamp::{ActorId, ChangeHash};
use index::Index;
use pending::Pending;
use staged::Staged;

/// The name of the map of resources at the root.
pub(crate) const RESOURCES: &str = "resources";

/// The name of the only element of an atomic resource.
pub(crate) const WHOLE: &str = "*";

/// One compartment of a chart.
///
/// Edits are staged by [`put`](Self::put) and [`resolve`](Self::resolve) and become one change
/// at [`commit`](Self::commit). Until then nothing that reads the document shows them.
///
/// Merging is by sets of changes, so it is
/// - commutative: `apply(a)` then `apply(b)` gives what `apply(b)` then `apply(a)` gives,
/// - associative: any grouping of the changes gives the same,
/// - idempotent: a change that is already there changes nothing.
#[derive(Clone)]
pub struct Document {
    doc: Automerge,
    /// The map of resources.
    resources: ObjId,
    actor: ActorId,
    staged: Staged,
    pending: Pending,
    refused: BTreeSet<ChangeHash>,
    /// Made when it is first needed: reading a chart does not need it.
    index: Option<Index>,
}

impl Document {
    /// An empty compartment, in which changes are made as `actor`.
    pub fn new(actor: ActorId) -> Self {
        let (doc, resources) = first::document();
        Self::of(doc, resources, actor)
    }

    fn of(doc: Automerge, resources: ObjId, actor: ActorId) -> Self {
        Self {
            doc: doc.with_actor(actor.write()),
            resources,
            actor,
            staged: Staged::default(),
            pending: Pending::default(),
            refused: BTreeSet::new(),
            index: None,
        }
    }

    /// The writer as which changes are made here.
    pub fn actor(&self) -> ActorId {
        self.actor
    }

    /// The changes that no other change depends on, sorted. Two documents with the same heads
    /// hold the same changes.
    pub fn heads(&self) -> Vec<ChangeHash> {
        let mut heads: Vec<ChangeHash> = self
            .doc
            .get_heads()
            .into_iter()
            .map(ChangeHash::from)
            .collect();
        heads.sort_unstable();
        heads
    }

    /// The document as bytes for [`load`](Self::load): every applied change, and neither staged
    /// edits nor changes that wait for others. The order of arrival shows in the bytes; see
    /// [`save_canonical`](Self::save_canonical).
    pub fn save(&self) -> Vec<u8> {
        self.doc.save()
    }

    /// Like [`save`](Self::save), with the changes in an order that follows from them alone: the
    /// same changes give the same bytes at every node. It takes as long as applying them anew.
    pub fn save_canonical(&self) -> Vec<u8> {
        let mut changes = self.doc.get_changes(&[]);
        // A change counts its operations on from all that it depends on: causes stay first.
        changes.sort_by_key(|change| (change.start_op(), change.hash()));
        let mut sorted = Automerge::new();
        match sorted.apply_changes(changes) {
            Ok(()) if sorted.get_heads().len() == self.doc.get_heads().len() => sorted.save(),
            // What was applied once applies again, but a save must never lose a change.
            Ok(()) | Err(_) => self.doc.save(),
        }
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("heads", &self.heads())
            .finish_non_exhaustive()
    }
}
