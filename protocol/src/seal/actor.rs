//! The Automerge actor id of an author, derived so that it can be checked on receipt.

use crate::id::{CompartmentTag, Incarnation, NodeId, first_bytes};

const ACTOR_CONTEXT: &str = "chartmesh 2026-01 automerge actor";

/// The 16 bytes of the actor id under which a node writes its changes of a compartment, in one
/// incarnation.
///
/// A change in a record of this author under another actor id was not made by the author.
pub fn actor_id(node: &NodeId, incarnation: Incarnation, compartment: &CompartmentTag) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new_derive_key(ACTOR_CONTEXT);
    hasher.update(node.as_bytes());
    hasher.update(&incarnation.value().to_be_bytes());
    hasher.update(compartment.as_bytes());
    first_bytes(hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_incarnation_and_compartment_each_make_another_actor() {
        let node = NodeId::new([1; 32]);
        let tag = CompartmentTag::new([2; 8]);
        let base = actor_id(&node, Incarnation::new(3), &tag);
        assert_eq!(base, actor_id(&node, Incarnation::new(3), &tag));
        assert_ne!(
            base,
            actor_id(&NodeId::new([9; 32]), Incarnation::new(3), &tag)
        );
        assert_ne!(base, actor_id(&node, Incarnation::new(4), &tag));
        assert_ne!(
            base,
            actor_id(&node, Incarnation::new(3), &CompartmentTag::new([9; 8]))
        );
    }
}
