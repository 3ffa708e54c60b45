//! The first change of every document: it makes the map of resources.
//!
//! All nodes start from the same bytes, which stand in `golden/first-change.bin` and never
//! change: every later change depends on them by hash. It is never part of a record.

use automerge::{Automerge, Change, ObjId};

use crate::stamp::{ActorId, ChangeHash};

/// Its writer, who writes nothing else.
pub(crate) const ACTOR: ActorId = ActorId(*b"chartmesh/chart1");

const BYTES: &[u8] = include_bytes!("../../golden/first-change.bin");

/// A document of the first change only, and its map of resources.
pub(crate) fn document() -> (Automerge, ObjId) {
    let mut doc = Automerge::new();
    let applied = Change::try_from(BYTES).map(|change| doc.apply_changes([change]));
    // The bytes are this crate's own; `the_first_change_is_what_it_always_was` reads them.
    debug_assert!(matches!(applied, Ok(Ok(()))));
    (doc, resources())
}

/// Whether a change is the first one.
pub(crate) fn is(change: &Change) -> bool {
    change.raw_bytes() == BYTES
}

/// Its hash.
pub(crate) fn hash() -> Option<ChangeHash> {
    Change::try_from(BYTES)
        .ok()
        .map(|change| change.hash().into())
}

/// The map of resources: made by the first operation of the first change.
pub(crate) fn resources() -> ObjId {
    ObjId::Id(1, ACTOR.write(), 0)
}

#[cfg(test)]
mod tests {
    use automerge::transaction::{CommitOptions, Transactable};
    use automerge::{ObjType, ROOT, ReadDoc, Value};

    use super::*;
    use crate::document::RESOURCES;

    #[test]
    fn the_first_change_is_what_it_always_was() {
        let mut doc = Automerge::new().with_actor(ACTOR.write());
        let mut tx = doc.transaction();
        tx.put_object(ROOT, RESOURCES, ObjType::Map).unwrap();
        let (hash, _) = tx.commit_with(CommitOptions::default().with_time(0));
        let change = doc.get_change_by_hash(&hash.unwrap()).unwrap();
        if std::env::var_os("CHARTMESH_WRITE_GOLDEN").is_some() {
            std::fs::write("golden/first-change.bin", change.raw_bytes()).unwrap();
        }
        assert_eq!(change.raw_bytes(), BYTES);
        let (first, resources) = document();
        assert_eq!(first.get_heads(), vec![hash.unwrap()]);
        let (value, id) = first.get(ROOT, RESOURCES).unwrap().unwrap();
        assert_eq!((value, id), (Value::Object(ObjType::Map), resources));
    }
}
