//! Edits that wait for a commit, and how large a change they will be.

use std::collections::BTreeMap;

use crate::limits::{MAX_CHANGE_BYTES, MAX_CHANGE_OPS};
use crate::resource_key::ResourceKey;

/// The edits of one resource: the text to write for each element, empty to remove it.
pub(crate) type Writes = BTreeMap<String, String>;

/// Edits by resource, never more than one change may hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Staged {
    edits: BTreeMap<ResourceKey, Writes>,
    bytes: usize,
    ops: usize,
}

impl Staged {
    pub(crate) fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    pub(crate) fn of(&self, key: &ResourceKey) -> Option<&Writes> {
        self.edits.get(key)
    }

    /// Sets the edits of one resource, to be written into `maps` maps. Returns `false`, and
    /// changes nothing, when one change could not hold them all.
    pub(crate) fn set(&mut self, key: ResourceKey, writes: Writes, maps: usize) -> bool {
        let (old_bytes, old_ops) = self.of(&key).map_or((0, 0), |old| size(&key, old, maps));
        let (new_bytes, new_ops) = size(&key, &writes, maps);
        let bytes = self
            .bytes
            .saturating_sub(old_bytes)
            .saturating_add(new_bytes);
        let ops = self.ops.saturating_sub(old_ops).saturating_add(new_ops);
        if bytes > MAX_CHANGE_BYTES || ops > MAX_CHANGE_OPS {
            return false;
        }
        (self.bytes, self.ops) = (bytes, ops);
        self.edits.insert(key, writes);
        true
    }

    pub(crate) fn remove(&mut self, key: &ResourceKey, maps: usize) {
        if let Some(old) = self.edits.remove(key) {
            let (bytes, ops) = size(key, &old, maps);
            self.bytes = self.bytes.saturating_sub(bytes);
            self.ops = self.ops.saturating_sub(ops);
        }
    }

    pub(crate) fn take(&mut self) -> BTreeMap<ResourceKey, Writes> {
        std::mem::take(self).edits
    }
}

/// At most how many bytes and operations the edits of one resource take in a change.
fn size(key: &ResourceKey, writes: &Writes, maps: usize) -> (usize, usize) {
    // What an operation needs besides its name and text: ids, counters and lengths.
    const OVERHEAD: usize = 32;
    let texts = writes
        .iter()
        .map(|(name, text)| name.len() + text.len() + OVERHEAD);
    let bytes = texts
        .fold(0, usize::saturating_add)
        .saturating_mul(maps.max(1));
    let ops = writes.len().saturating_mul(maps.max(1)).saturating_add(1);
    (bytes.saturating_add(key.as_str().len() + OVERHEAD), ops)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_never_grows_beyond_what_a_peer_accepts() {
        let mut staged = Staged::default();
        let key = |n: usize| ResourceKey::new("Observation", &n.to_string()).unwrap();
        let large = Writes::from([("note".to_owned(), "x".repeat(MAX_CHANGE_BYTES / 2))]);
        assert!(staged.set(key(1), large.clone(), 0));
        assert!(
            staged.set(key(1), large.clone(), 0),
            "the same resource again replaces"
        );
        assert!(!staged.set(key(2), large.clone(), 0));
        staged.remove(&key(1), 0);
        assert!(staged.is_empty() && staged.set(key(2), large, 0));
    }
}
