//! Keys from passphrases and PINs: argon2id (RFC 9106).

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::limits::{MAX_LANES, MAX_MEMORY_KIB, MAX_PASSES, MIN_MEMORY_KIB};

/// Length of a salt, in bytes (RFC 9106 §3.1 recommends 16).
pub(super) const SALT_BYTES: usize = 16;

/// How much memory and time a guess at a passphrase takes. It is written beside what it sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    memory_kib: u32,
    passes: u8,
    lanes: u8,
}

impl Cost {
    /// What we write: 64 MiB and 3 passes, the second choice of RFC 9106 §4, since the first
    /// (2 GiB) is beyond a clinic's small computer. One lane, because the implementation works
    /// lanes off one after the other: more would help only who guesses. About 0.2 s.
    pub const STANDARD: Self = Self {
        memory_kib: 64 << 10,
        passes: 3,
        lanes: 1,
    };

    /// A cost within the bounds for what is read from a file: 8 KiB a lane to 256 MiB, 1 to 16
    /// passes, 1 to 4 lanes. `None` outside of them.
    #[must_use]
    pub fn new(memory_kib: u32, passes: u8, lanes: u8) -> Option<Self> {
        let least = MIN_MEMORY_KIB.saturating_mul(u32::from(lanes));
        let sound = (1..=MAX_PASSES).contains(&passes)
            && (1..=MAX_LANES).contains(&lanes)
            && (least..=MAX_MEMORY_KIB).contains(&memory_kib);
        sound.then_some(Self {
            memory_kib,
            passes,
            lanes,
        })
    }

    /// Memory, in KiB.
    #[must_use]
    pub fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    #[must_use]
    pub fn passes(self) -> u8 {
        self.passes
    }

    /// Lanes.
    #[must_use]
    pub fn lanes(self) -> u8 {
        self.lanes
    }

    /// The key that `secret` gives with `salt`, for one `context`. `None` if argon2 refuses its
    /// parameters, which it does for none that [`new`](Self::new) lets through.
    pub(super) fn derive(
        self,
        secret: &[u8],
        salt: &[u8; SALT_BYTES],
        context: &str,
    ) -> Option<Zeroizing<[u8; 32]>> {
        let (passes, lanes) = (u32::from(self.passes), u32::from(self.lanes));
        let params = Params::new(self.memory_kib, passes, lanes, Some(32)).ok()?;
        let mut hash = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(secret, salt, hash.as_mut_slice())
            .ok()?;
        Some(Zeroizing::new(blake3::derive_key(context, hash.as_slice())))
    }
}
