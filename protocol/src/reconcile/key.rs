//! Short keys: eight bytes that stand for an item in one comparison.
//!
//! Both the set tier and the range tier name items by them, and there is one way to make them:
//! keyed BLAKE3 over the item's id, under a key that only the pair of nodes knows and that is
//! fresh for each comparison. So nobody else can prepare items whose keys collide or fall into
//! chosen places, and two items that collide once do not collide again. SipHash would do, too;
//! BLAKE3 is here already, is a pseudorandom function at full strength, and costs some 50 ns an
//! item, which is less than reading the item's id from the store.

use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decoder, Encoder};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::digest::{ItemId, PairKey};
use crate::id::first_bytes;

/// An item's id, shortened under the key of one comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey(u64);

impl ItemKey {
    /// The key with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number, in whose order the keys are sorted.
    pub const fn value(self) -> u64 {
        self.0
    }
}

/// The secret of one comparison.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ComparisonKey {
    items: [u8; 32],
    marks: [u8; 32],
}

/// What the set tier knows of a key beside the key itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyMark {
    /// Tells a single key from a sum of several.
    pub check: u32,
    /// Where the pseudorandom choice of the key's symbols begins.
    pub seed: u64,
}

impl ComparisonKey {
    /// The key of the comparison with this salt. Use a salt that the pair has never used before.
    pub fn derive(pair: &PairKey, salt: &[u8; 32]) -> Self {
        let derived = |context: &str| {
            let mut hasher = blake3::Hasher::new_derive_key(context);
            hasher.update(pair.as_bytes());
            hasher.update(salt);
            hasher.finalize().into()
        };
        Self {
            items: derived("chartmesh 2026-01 sync short keys of one reconciliation"),
            marks: derived("chartmesh 2026-01 sync marks of short keys"),
        }
    }

    /// The short key of an item.
    pub fn item_key(&self, id: &ItemId) -> ItemKey {
        let hash = blake3::keyed_hash(&self.items, id.as_bytes());
        ItemKey(u64::from_be_bytes(first_bytes(hash.as_bytes())))
    }

    /// The mark of a key, whether an item of ours has that key or not.
    pub fn mark(&self, key: ItemKey) -> KeyMark {
        let hash = blake3::keyed_hash(&self.marks, &key.0.to_be_bytes());
        let [a, b, c, d, seed @ ..] = first_bytes::<12>(hash.as_bytes());
        KeyMark {
            check: u32::from_be_bytes([a, b, c, d]),
            seed: u64::from_be_bytes(seed),
        }
    }
}

/// Writes keys as one byte string, 8 bytes each, big-endian.
pub(crate) fn encode_keys<W: Write>(
    e: &mut Encoder<W>,
    keys: &[ItemKey],
) -> Result<(), EncodeError<W::Error>> {
    let bytes: Vec<u8> = keys.iter().flat_map(|key| key.0.to_be_bytes()).collect();
    e.bytes(&bytes)?.ok()
}

/// Reads at most `most` keys, which have to ascend.
pub(crate) fn decode_keys(d: &mut Decoder<'_>, most: usize) -> Result<Vec<ItemKey>, DecodeError> {
    let at = d.position();
    let refused = |why| DecodeError::message(why).at(at);
    let (chunks, rest) = d.bytes()?.as_chunks::<8>();
    if !rest.is_empty() || chunks.len() > most {
        return Err(refused("key list of a wrong length"));
    }
    let keys: Vec<ItemKey> = chunks
        .iter()
        .map(|c| ItemKey(u64::from_be_bytes(*c)))
        .collect();
    if !keys.is_sorted_by(|a, b| a < b) {
        return Err(refused("keys not ascending"));
    }
    Ok(keys)
}

/// The keys of a list of items, sorted, each with the place of its item in that list.
pub(super) struct KeyTable(Vec<(ItemKey, usize)>);

impl KeyTable {
    /// The keys of some items.
    pub(super) fn of(items: &[ItemId], key: &ComparisonKey) -> Self {
        let mut keys: Vec<(ItemKey, usize)> = items
            .iter()
            .enumerate()
            .map(|(place, id)| (key.item_key(id), place))
            .collect();
        keys.sort_unstable();
        Self(keys)
    }

    /// All keys in ascending order.
    pub(super) fn all(&self) -> &[(ItemKey, usize)] {
        &self.0
    }

    /// The entries `from..to`.
    pub(super) fn slice(&self, from: usize, to: usize) -> &[(ItemKey, usize)] {
        self.0.get(from..to).unwrap_or_default()
    }

    /// Where the keys from `first` to `last`, both included, begin and end.
    pub(super) fn bounds(&self, first: ItemKey, last: ItemKey) -> (usize, usize) {
        let from = self.0.partition_point(|(key, _)| *key < first);
        let to = self.0.partition_point(|(key, _)| *key <= last);
        (from, to)
    }

    /// The entries of one key: none, one, or several that collide.
    pub(super) fn of_key(&self, key: ItemKey) -> &[(ItemKey, usize)] {
        let (from, to) = self.bounds(key, key);
        self.slice(from, to)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::identity::NodeKey;

    #[test]
    fn another_salt_or_another_pair_gives_other_keys_and_marks() {
        let [a, b, c] =
            [1, 2, 3].map(|seed| NodeKey::generate(&mut ChaCha20Rng::seed_from_u64(seed)));
        let ab = PairKey::derive(&a.agree(&b.id()).unwrap());
        let ac = PairKey::derive(&a.agree(&c.id()).unwrap());
        let keys = [
            ComparisonKey::derive(&ab, &[1; 32]),
            ComparisonKey::derive(&ab, &[2; 32]),
            ComparisonKey::derive(&ac, &[1; 32]),
        ];
        let id = ItemId::new([9; 32]);
        for (at, one) in keys.iter().enumerate() {
            for other in keys.iter().skip(at + 1) {
                assert_ne!(one.item_key(&id), other.item_key(&id));
                assert_ne!(one.mark(ItemKey::new(5)), other.mark(ItemKey::new(5)));
            }
        }
    }

    #[test]
    fn a_table_finds_every_item_by_its_key_and_nothing_else() {
        let [a, b] = [1, 2].map(|seed| NodeKey::generate(&mut ChaCha20Rng::seed_from_u64(seed)));
        let key = ComparisonKey::derive(&PairKey::derive(&a.agree(&b.id()).unwrap()), &[1; 32]);
        let items: Vec<ItemId> = (0..100).map(|at| ItemId::new([at; 32])).collect();
        let table = KeyTable::of(&items, &key);
        for (place, id) in items.iter().enumerate() {
            assert_eq!(table.of_key(key.item_key(id)), [(key.item_key(id), place)]);
        }
        assert_eq!(table.of_key(key.item_key(&ItemId::new([200; 32]))), []);
        assert!(table.all().is_sorted());
    }
}
