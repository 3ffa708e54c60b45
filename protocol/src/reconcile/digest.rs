//! Digests: sixteen bytes that are equal when two sets of items are.
//!
//! A digest is the sum, modulo 2^128, of the keyed hashes of the items' ids. It is kept up to date
//! by one addition or subtraction for each item. Sums, never XOR: under XOR anyone who may
//! choose items finds a set with a wanted digest by linear algebra.

use core::fmt;

use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::id::{RecordId, StatementId, decode_bytes};
use crate::identity::SharedSecret;

/// A statement or a record, as reconciliation sees it: 32 bytes that name it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId([u8; 32]);

impl ItemId {
    /// The id with these bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<RecordId> for ItemId {
    fn from(id: RecordId) -> Self {
        Self(id.to_bytes())
    }
}

impl From<StatementId> for ItemId {
    fn from(id: StatementId) -> Self {
        Self(id.to_bytes())
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::id::write_hex(&self.0, f)
    }
}

impl fmt::Debug for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ItemId({self})")
    }
}

/// The secret that keys the digests of one pair of nodes; both derive the same.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PairKey([u8; 32]);

impl PairKey {
    /// Derives the key from the secret that the two nodes share, which both ids are part of.
    pub fn derive(secret: &SharedSecret) -> Self {
        Self(*secret.derive("chartmesh 2026-01 sync digests of a pair of nodes"))
    }

    pub(super) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The keyed hash of an id: its share in a digest.
    fn share(&self, id: &ItemId) -> [u8; 16] {
        let hash = blake3::keyed_hash(&self.0, id.as_bytes());
        crate::id::first_bytes(hash.as_bytes())
    }
}

/// The digest of a set of items and their number.
///
/// Laws: [`combine`](Self::combine) is commutative and associative, the default (the empty set)
/// is neutral, and [`remove`](Self::remove) undoes [`add`](Self::add), whatever came between.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Digest {
    /// Little-endian.
    sum: [u8; 16],
    count: u64,
}

impl Digest {
    /// The digest of some items, each counted as often as it comes.
    pub fn of<'a>(key: &PairKey, ids: impl IntoIterator<Item = &'a ItemId>) -> Self {
        let mut digest = Self::default();
        for id in ids {
            digest.add(key, id);
        }
        digest
    }

    /// Adds an item that is not in the set yet.
    pub fn add(&mut self, key: &PairKey, id: &ItemId) {
        self.sum = plus(self.sum, key.share(id));
        self.count = self.count.wrapping_add(1);
    }

    /// Removes an item that is in the set.
    pub fn remove(&mut self, key: &PairKey, id: &ItemId) {
        self.sum = minus(self.sum, key.share(id));
        self.count = self.count.wrapping_sub(1);
    }

    /// The digest of two sets without a common item, taken together.
    #[must_use]
    pub fn combine(self, other: Self) -> Self {
        Self {
            sum: plus(self.sum, other.sum),
            count: self.count.wrapping_add(other.count),
        }
    }

    /// The digest of what is in this set without `part`, a subset of it.
    #[must_use]
    pub fn without(self, part: Self) -> Self {
        Self {
            sum: minus(self.sum, part.sum),
            count: self.count.wrapping_sub(part.count),
        }
    }

    /// How many items the set has.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The sum, little-endian. For storing a digest; [`from_parts`](Self::from_parts) reads it.
    pub const fn sum_bytes(&self) -> [u8; 16] {
        self.sum
    }

    /// The digest with this sum and this number of items.
    pub const fn from_parts(sum: [u8; 16], count: u64) -> Self {
        Self { sum, count }
    }
}

/// The sum of two little-endian numbers, modulo 2^128.
fn plus(a: [u8; 16], b: [u8; 16]) -> [u8; 16] {
    u128::from_le_bytes(a)
        .wrapping_add(u128::from_le_bytes(b))
        .to_le_bytes()
}

/// The difference of two little-endian numbers, modulo 2^128.
fn minus(a: [u8; 16], b: [u8; 16]) -> [u8; 16] {
    u128::from_le_bytes(a)
        .wrapping_sub(u128::from_le_bytes(b))
        .to_le_bytes()
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::id::write_hex(&self.sum_bytes(), f)?;
        write!(f, " of {}", self.count)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl<C> Encode<C> for Digest {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.array(2)?.bytes(&self.sum_bytes())?.u64(self.count)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Digest {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        let at = d.position();
        if d.array()? != Some(2) {
            return Err(DecodeError::message("a digest has two parts").at(at));
        }
        Ok(Self::from_parts(decode_bytes(d)?, d.u64()?))
    }
}

/// The digests of everything that one node shares with one peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SharedDigests {
    /// Over the ledger statements.
    #[n(0)]
    pub statements: Digest,
    /// Over the records.
    #[n(1)]
    pub records: Digest,
}

impl fmt::Display for SharedDigests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "statements {}, records {}",
            self.statements, self.records
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::identity::NodeKey;

    fn node(seed: u64) -> NodeKey {
        NodeKey::generate(&mut ChaCha20Rng::seed_from_u64(seed))
    }

    fn key() -> PairKey {
        PairKey::derive(&node(1).agree(&node(2).id()).unwrap())
    }

    fn ids(most: usize) -> impl Strategy<Value = Vec<ItemId>> {
        proptest::collection::vec(any::<[u8; 32]>().prop_map(ItemId::new), 0..most)
    }

    #[test]
    fn both_nodes_derive_the_same_key_and_other_pairs_another() {
        let [a, b, c] = [node(1), node(2), node(3)];
        let ab = PairKey::derive(&a.agree(&b.id()).unwrap());
        assert_eq!(ab.0, PairKey::derive(&b.agree(&a.id()).unwrap()).0);
        assert_ne!(ab.0, PairKey::derive(&a.agree(&c.id()).unwrap()).0);
        let id = ItemId::new([5; 32]);
        let ac = PairKey::derive(&a.agree(&c.id()).unwrap());
        assert_ne!(Digest::of(&ab, [&id]), Digest::of(&ac, [&id]));
    }

    #[test]
    fn an_item_that_comes_twice_does_not_vanish_as_under_xor() {
        let id = ItemId::new([5; 32]);
        let mut twice = Digest::of(&key(), [&id, &id]);
        assert_ne!(twice.sum, [0; 16]);
        twice.remove(&key(), &id);
        assert_eq!(twice, Digest::of(&key(), [&id]));
    }

    proptest! {
        #[test]
        fn combining_is_commutative(a in ids(9), b in ids(9)) {
            let (a, b) = (Digest::of(&key(), &a), Digest::of(&key(), &b));
            prop_assert_eq!(a.combine(b), b.combine(a));
        }

        #[test]
        fn combining_is_associative(a in ids(9), b in ids(9), c in ids(9)) {
            let a = Digest::of(&key(), &a);
            let (b, c) = (Digest::of(&key(), &b), Digest::of(&key(), &c));
            prop_assert_eq!(a.combine(b).combine(c), a.combine(b.combine(c)));
        }

        #[test]
        fn removing_undoes_adding(a in ids(9), b in ids(9)) {
            let start = Digest::of(&key(), &a);
            let mut digest = start;
            for id in &b {
                digest.add(&key(), id);
            }
            prop_assert_eq!(digest.without(Digest::of(&key(), &b)), start);
            for id in &b {
                digest.remove(&key(), id);
            }
            prop_assert_eq!(digest, start);
        }

        #[test]
        fn the_order_of_adding_does_not_matter(mut a in ids(20)) {
            let digest = Digest::of(&key(), &a);
            a.reverse();
            prop_assert_eq!(Digest::of(&key(), &a), digest);
        }

        #[test]
        fn a_digest_reads_back(sum in any::<[u8; 16]>(), count in any::<u64>()) {
            let digest = Digest::from_parts(sum, count);
            let bytes = minicbor::to_vec(digest).unwrap();
            prop_assert_eq!(minicbor::decode::<Digest>(&bytes).unwrap(), digest);
        }
    }
}
