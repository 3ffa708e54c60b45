//! What checking a change against its past needs quickly: whose change was the last, and which
//! map belongs to which resource.

use std::collections::HashMap;

use automerge::ObjId;

use super::Document;
use crate::resource_key::ResourceKey;
use crate::stamp::ActorId;

/// The id of an operation: its counter and its writer.
pub(crate) type OpId = (u64, ActorId);

/// See the module. It only grows, since no map ever goes away.
#[derive(Clone, Default)]
pub(crate) struct Index {
    latest: HashMap<ActorId, (u64, automerge::ChangeHash)>,
    maps: HashMap<OpId, ResourceKey>,
}

impl Index {
    pub(crate) fn of(document: &Document) -> Self {
        let mut index = Self::default();
        for change in document.doc.get_changes_meta(&[]) {
            if let Some(actor) = ActorId::read(&change.actor) {
                index.note(actor, change.seq, change.hash);
            }
        }
        for (key, maps) in document.entries() {
            for map in maps {
                index.maps.extend(op_id(&map).map(|id| (id, key.clone())));
            }
        }
        index
    }

    /// Notes an applied change and the maps that it made.
    pub(crate) fn add(
        &mut self,
        actor: ActorId,
        seq: u64,
        hash: automerge::ChangeHash,
        created: impl IntoIterator<Item = (ObjId, ResourceKey)>,
    ) {
        self.note(actor, seq, hash);
        self.maps.extend(
            created
                .into_iter()
                .filter_map(|(map, key)| Some((op_id(&map)?, key))),
        );
    }

    /// The number and hash of a writer's last change.
    pub(crate) fn latest(&self, actor: ActorId) -> Option<(u64, automerge::ChangeHash)> {
        self.latest.get(&actor).copied()
    }

    /// The resource that a map belongs to.
    pub(crate) fn key(&self, map: OpId) -> Option<&ResourceKey> {
        self.maps.get(&map)
    }

    fn note(&mut self, actor: ActorId, seq: u64, hash: automerge::ChangeHash) {
        let latest = self.latest.entry(actor).or_insert((seq, hash));
        if latest.0 < seq {
            *latest = (seq, hash);
        }
    }
}

/// The id of an operation, as automerge's public type has it.
pub(crate) fn op_id(id: &ObjId) -> Option<OpId> {
    match id {
        ObjId::Root => None,
        ObjId::Id(counter, actor, _) => Some((*counter, ActorId::read(actor)?)),
    }
}

/// The other way.
pub(crate) fn obj_id((counter, actor): OpId) -> ObjId {
    ObjId::Id(counter, actor.write(), 0)
}
