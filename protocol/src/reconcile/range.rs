//! A part of the key space, and what one side says about its items there.
//!
//! ```text
//! Range = [depth: 0..=16, bits: uint, tag, payload]
//!   tag 0  Sum    payload [sum: bytes 16, count]   "my items here have this digest"
//!   tag 1  Have   payload bytes, 8 for each key    "these are my keys here, all of them"
//!   tag 2  Want   payload bytes, 8 for each key    "send me these"
//! ```
//!
//! Keys are 8 bytes, big-endian, strictly ascending.

use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

use super::digest::Digest;
use super::key::{ItemKey, decode_keys, encode_keys};
use super::limits::MAX_KEYS_A_RANGE;

/// Bits of the key that one level of the tree decides: 16 ways.
pub const BITS_A_LEVEL: u8 = 4;

/// The level at which a prefix is a whole key.
pub const MAX_DEPTH: u8 = 16;

/// All keys that begin with the same `depth` hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyPrefix {
    depth: u8,
    bits: u64,
}

impl KeyPrefix {
    /// The whole key space.
    pub const ALL: Self = Self { depth: 0, bits: 0 };

    /// The prefix of `depth` digits with the value `bits`, if there is one.
    pub fn new(depth: u8, bits: u64) -> Option<Self> {
        let fits = match depth {
            0..MAX_DEPTH => bits >> (depth * BITS_A_LEVEL) == 0,
            MAX_DEPTH => true,
            _ => false,
        };
        fits.then_some(Self { depth, bits })
    }

    /// The number of digits.
    pub const fn depth(self) -> u8 {
        self.depth
    }

    /// The first key with this prefix.
    pub fn first(self) -> ItemKey {
        ItemKey::new(self.bits.checked_shl(self.free_bits()).unwrap_or(0))
    }

    /// The last key with this prefix.
    pub fn last(self) -> ItemKey {
        let rest = u64::MAX
            .checked_shl(self.free_bits())
            .map_or(u64::MAX, |high| !high);
        ItemKey::new(self.first().value() | rest)
    }

    /// The sixteen parts, in order; none of a whole key.
    pub fn children(self) -> impl Iterator<Item = Self> {
        let ways = if self.depth < MAX_DEPTH {
            1_u64 << BITS_A_LEVEL
        } else {
            0
        };
        (0..ways).map(move |way| Self {
            depth: self.depth.saturating_add(1),
            bits: (self.bits << BITS_A_LEVEL) | way,
        })
    }

    /// Bits of the key below the prefix: 64 for the whole space.
    fn free_bits(self) -> u32 {
        u32::from(MAX_DEPTH.saturating_sub(self.depth)) * u32::from(BITS_A_LEVEL)
    }
}

/// What one side says about a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// "My items here have this digest."
    Sum(Digest),
    /// "These are the keys of all my items here."
    Have(Vec<ItemKey>),
    /// "Send me the items with these keys."
    Want(Vec<ItemKey>),
}

impl Claim {
    /// Whether the other side has to answer.
    pub const fn is_question(&self) -> bool {
        match self {
            Self::Sum(_) | Self::Have(_) => true,
            Self::Want(_) => false,
        }
    }
}

/// A part of the key space and what the sender says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The part.
    pub prefix: KeyPrefix,
    /// What is said.
    pub claim: Claim,
}

impl<C> Encode<C> for Range {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, c: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.array(4)?.u8(self.prefix.depth)?.u64(self.prefix.bits)?;
        match &self.claim {
            Claim::Sum(digest) => e.u8(0)?.encode_with(digest, c)?.ok(),
            Claim::Have(keys) => encode_keys(e.u8(1)?, keys),
            Claim::Want(keys) => encode_keys(e.u8(2)?, keys),
        }
    }
}

impl<'b, C> Decode<'b, C> for Range {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, DecodeError> {
        let at = d.position();
        if d.array()? != Some(4) {
            return Err(DecodeError::message("a range has four parts").at(at));
        }
        let prefix = KeyPrefix::new(d.u8()?, d.u64()?)
            .ok_or_else(|| DecodeError::message("no such prefix").at(at))?;
        let claim = match d.u8()? {
            0 => Claim::Sum(d.decode_with(c)?),
            1 => Claim::Have(keys_in(prefix, d)?),
            2 => Claim::Want(keys_in(prefix, d)?),
            _ => return Err(DecodeError::message("unknown claim").at(at)),
        };
        Ok(Self { prefix, claim })
    }
}

fn keys_in(prefix: KeyPrefix, d: &mut Decoder<'_>) -> Result<Vec<ItemKey>, DecodeError> {
    let at = d.position();
    let keys = decode_keys(d, MAX_KEYS_A_RANGE)?;
    let (first, last) = (prefix.first(), prefix.last());
    if keys.iter().any(|key| *key < first || *key > last) {
        return Err(DecodeError::message("key outside of its range").at(at));
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Range, DecodeError> {
        minicbor::decode(bytes)
    }

    #[test]
    fn children_tile_their_parent() {
        for prefix in [
            KeyPrefix::ALL,
            KeyPrefix::new(15, 0x0fff_ffff_ffff_ffff).unwrap(),
        ] {
            let children: Vec<_> = prefix.children().collect();
            assert_eq!(children.len(), 16);
            assert_eq!(children[0].first(), prefix.first());
            assert_eq!(children[15].last(), prefix.last());
            for pair in children.windows(2) {
                assert_eq!(pair[0].last().value() + 1, pair[1].first().value());
            }
        }
        let leaf = KeyPrefix::new(16, u64::MAX).unwrap();
        assert_eq!(leaf.children().count(), 0);
        assert_eq!(
            (leaf.first(), leaf.last()),
            (ItemKey::new(u64::MAX), ItemKey::new(u64::MAX))
        );
    }

    #[test]
    fn a_prefix_with_more_bits_than_its_depth_does_not_exist() {
        assert_eq!(KeyPrefix::new(0, 1), None);
        assert_eq!(KeyPrefix::new(1, 16), None);
        assert_eq!(KeyPrefix::new(17, 0), None);
        assert!(KeyPrefix::new(1, 15).is_some());
    }

    #[test]
    fn a_list_with_a_key_outside_of_its_range_is_refused() {
        let range = Range {
            prefix: KeyPrefix::new(1, 3).unwrap(),
            claim: Claim::Have(vec![ItemKey::new(0x4000_0000_0000_0000)]),
        };
        assert!(read(&minicbor::to_vec(range).unwrap()).is_err());
    }

    #[test]
    fn a_list_out_of_order_is_refused() {
        let range = Range {
            prefix: KeyPrefix::ALL,
            claim: Claim::Want(vec![ItemKey::new(2), ItemKey::new(2)]),
        };
        assert!(read(&minicbor::to_vec(range).unwrap()).is_err());
    }

    proptest! {
        #[test]
        fn a_range_reads_back(depth in 0_u8..=16, bits: u64, raw: Vec<u64>, tag in 0..3) {
            let free = u32::from(16 - depth) * 4;
            let prefix = KeyPrefix::new(depth, bits.checked_shr(free).unwrap_or(0)).unwrap();
            let span = prefix.last().value() - prefix.first().value();
            let mut keys: Vec<_> = raw
                .iter()
                .map(|k| if span == u64::MAX { *k } else { k % (span + 1) })
                .map(|offset| ItemKey::new(prefix.first().value() + offset))
                .collect();
            keys.sort_unstable();
            keys.dedup();
            let claim = match tag {
                0 => Claim::Sum(Digest::from_parts([7; 16], bits)),
                1 => Claim::Have(keys),
                _ => Claim::Want(keys),
            };
            let range = Range { prefix, claim };
            let bytes = minicbor::to_vec(&range).unwrap();
            prop_assert_eq!(read(&bytes).unwrap(), range);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }
}
