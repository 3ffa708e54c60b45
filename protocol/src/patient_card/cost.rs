//! What a guess at a PIN costs: argon2id (RFC 9106).

use argon2::{Algorithm, Argon2, Params, Version};
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use crate::codec::CodecError;

/// Length of a salt, in bytes (RFC 9106 §3.1 recommends 16).
pub(super) const SALT_LEN: usize = 16;

/// Most memory that a card may ask for, in KiB: twice what we write, and less than any computer
/// has that reads a card.
const MAX_MEMORY_KIB: u32 = 256 << 10;
/// Least memory that argon2id takes for one lane, in KiB (RFC 9106 §3.1).
const MIN_MEMORY_KIB: u32 = 8;
/// Most passes that a card may ask for: some ten seconds at the most memory.
const MAX_PASSES: u8 = 16;

/// How much memory and time a guess takes. It is written on the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PinCost {
    #[n(0)]
    memory_kib: u32,
    #[n(1)]
    passes: u8,
}

impl PinCost {
    /// What we write: 128 MiB and 6 passes in one lane. A PIN of six digits is a million guesses,
    /// so each has to cost what a person at a desk just bears: about a second here, two or three
    /// on an old laptop, whose memory is the other bound. All guesses then take one processor core
    /// ten days, and a hundred of them some hours: it stops a clerk and a thief with a telephone,
    /// not one with a data centre.
    pub const CARD: Self = Self {
        memory_kib: 128 << 10,
        passes: 6,
    };

    /// A cost within the bounds for what is read from a card: 8 KiB to 256 MiB, 1 to 16 passes.
    /// `None` outside of them.
    pub fn new(memory_kib: u32, passes: u8) -> Option<Self> {
        let cost = Self { memory_kib, passes };
        cost.check().is_ok().then_some(cost)
    }

    pub(super) fn check(self) -> Result<(), CodecError> {
        let sound = (MIN_MEMORY_KIB..=MAX_MEMORY_KIB).contains(&self.memory_kib)
            && (1..=MAX_PASSES).contains(&self.passes);
        match sound {
            true => Ok(()),
            false => Err(CodecError::OutOfBounds { what: "PIN cost" }),
        }
    }

    /// The key that `pin` gives with `salt`, for one `context`. `None` if argon2 refuses its
    /// parameters, which it does for none within the bounds.
    pub(super) fn derive(
        self,
        pin: &[u8],
        salt: &[u8; SALT_LEN],
        context: &str,
    ) -> Option<Zeroizing<[u8; 32]>> {
        let params = Params::new(self.memory_kib, u32::from(self.passes), 1, Some(32)).ok()?;
        let mut hash = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(pin, salt, hash.as_mut_slice())
            .ok()?;
        Some(Zeroizing::new(blake3::derive_key(context, hash.as_slice())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_cannot_ask_for_more_than_a_small_computer_has() {
        for (memory_kib, passes) in [(7, 1), (MAX_MEMORY_KIB + 1, 1), (8, 0), (8, 17)] {
            assert_eq!(PinCost::new(memory_kib, passes), None);
        }
        assert!(PinCost::new(MAX_MEMORY_KIB, MAX_PASSES).is_some());
        assert!(PinCost::CARD.check().is_ok());
    }

    #[test]
    fn a_key_is_of_one_pin_salt_cost_and_context() {
        let cheap = PinCost::new(8, 1).unwrap();
        let key = cheap.derive(b"123456", &[1; 16], "a").unwrap();
        for other in [
            cheap.derive(b"123457", &[1; 16], "a"),
            cheap.derive(b"123456", &[2; 16], "a"),
            cheap.derive(b"123456", &[1; 16], "b"),
            PinCost::new(8, 2).unwrap().derive(b"123456", &[1; 16], "a"),
            PinCost::new(16, 1)
                .unwrap()
                .derive(b"123456", &[1; 16], "a"),
        ] {
            assert_ne!(*other.unwrap(), *key);
        }
    }
}
