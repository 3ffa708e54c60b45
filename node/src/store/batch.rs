//! A set of writes that happen together or not at all.

use super::error::StoreError;
use super::limits::{MAX_BATCH_BYTES, MAX_KEY_BYTES, MAX_VALUE_BYTES};
use super::seal::Sealer;
use super::space::Space;

/// Writes that become durable and visible together, whatever spaces they touch.
///
/// Of two writes to one key the later one counts. Keys carry no patient data: what identifies a
/// person goes through [`Store::token`](super::Store::token) first. Write a derived value in the
/// batch of what it is made from.
#[derive(Default)]
pub struct Batch {
    writes: Vec<Write>,
    bytes: usize,
}

struct Write {
    space: Space,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

/// A write whose value is sealed: what the journal and `db` hold.
pub(super) struct SealedWrite {
    pub(super) space: Space,
    /// With the space's byte.
    pub(super) full_key: Vec<u8>,
    /// `None` deletes.
    pub(super) sealed: Option<Vec<u8>>,
}

impl Batch {
    /// An empty batch. Committing it does nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `key` of `space` to `value`.
    pub fn put(
        &mut self,
        space: Space,
        key: impl Into<Vec<u8>>,
        value: impl Into<Vec<u8>>,
    ) -> &mut Self {
        let (key, value) = (key.into(), value.into());
        self.bytes = self
            .bytes
            .saturating_add(key.len())
            .saturating_add(value.len());
        self.writes.push(Write {
            space,
            key,
            value: Some(value),
        });
        self
    }

    /// Removes `key` of `space`, if it is there.
    pub fn delete(&mut self, space: Space, key: impl Into<Vec<u8>>) -> &mut Self {
        let key = key.into();
        self.bytes = self.bytes.saturating_add(key.len());
        self.writes.push(Write {
            space,
            key,
            value: None,
        });
        self
    }

    /// Adds the writes of `other` behind these.
    pub fn append(&mut self, other: Self) -> &mut Self {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.writes.extend(other.writes);
        self
    }

    /// The number of writes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether there are no writes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// The bytes of its keys and values, to be held against
    /// [`MAX_BATCH_BYTES`](super::MAX_BATCH_BYTES).
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Checks the limits and seals the values.
    pub(super) fn seal(self, sealer: &Sealer) -> Result<Vec<SealedWrite>, StoreError> {
        within("batch", self.bytes, MAX_BATCH_BYTES)?;
        let mut sealed = Vec::with_capacity(self.writes.len());
        for Write { space, key, value } in self.writes {
            within("key", key.len(), MAX_KEY_BYTES)?;
            within("value", value.as_ref().map_or(0, Vec::len), MAX_VALUE_BYTES)?;
            let full_key = space.full_key(&key);
            let value = match value {
                Some(value) => Some(sealer.seal(&full_key, &value)?),
                None => None,
            };
            sealed.push(SealedWrite {
                space,
                full_key,
                sealed: value,
            });
        }
        Ok(sealed)
    }
}

fn within(what: &'static str, bytes: usize, limit: usize) -> Result<(), StoreError> {
    if bytes > limit {
        Err(StoreError::TooLarge { what, bytes, limit })
    } else {
        Ok(())
    }
}
