//! Which nodes are known: shared by the hub, which reads them of the clinic's list, and by what
//! passes circuits on.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use libp2p::PeerId;

/// The nodes that a circuit may be asked for by, or may come from.
#[derive(Debug, Clone, Default)]
pub(super) struct Known(Arc<RwLock<BTreeSet<PeerId>>>);

impl Known {
    /// Whether the node of a known clinic has this name.
    pub(super) fn contains(&self, id: &PeerId) -> bool {
        // A panic leaves a whole set behind: it is only ever replaced.
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.contains(id)
    }

    /// From now on these nodes are known, and no others.
    pub(super) fn replace(&self, ids: BTreeSet<PeerId>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = ids;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_removed_is_known_no_more_to_those_that_share_the_list() {
        let known = Known::default();
        let shared = known.clone();
        let id = PeerId::random();
        assert!(!shared.contains(&id));
        known.replace([id].into());
        assert!(shared.contains(&id));
        known.replace(BTreeSet::new());
        assert!(!shared.contains(&id));
    }
}
