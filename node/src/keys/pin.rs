//! One secret under a PIN or under a key: a patient's key on a card, or in custody.
//!
//! ```text
//! sealed secret = version 1 | 1 | salt 16 | memory KiB 4 | passes 1 | lanes 1 | box    PIN
//!               | version 1 | 2 | box                                                  key
//! box           = nonce 24 | ciphertext 32 | tag 16
//! ```
//!
//! XChaCha20-Poly1305; everything before the box is authenticated, and the context behind it:
//! what the secret is for, such as a patient's id. A PIN of six digits withstands someone who
//! has the bytes for some two days on one processor, so custody puts a key around it as well.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::cost::{Cost, SALT_BYTES};
use super::error::SealedSecretError;
use super::format::{OVERHEAD, open, seal};
use super::keyring::Secret;
use super::passphrase::Passphrase;

const VERSION: u8 = 1;
const UNDER_PIN: u8 = 1;
const UNDER_KEY: u8 = 2;
const BOX_BYTES: usize = 32 + OVERHEAD;
const PIN_CONTEXT: &str = "chartmesh 2025 secret under a PIN";
const KEY_CONTEXT: &str = "chartmesh 2025 secret under a key";

/// A secret that cannot be read without its PIN or its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSecret {
    lock: Lock,
    sealed: [u8; BOX_BYTES],
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Lock {
    Pin { salt: [u8; SALT_BYTES], cost: Cost },
    Key,
}

impl SealedSecret {
    /// Seals `secret` under `pin`, for `context`.
    ///
    /// # Errors
    /// [`SealedSecretError::Excessive`] if argon2id refuses `cost`.
    pub fn under_pin(
        secret: &Secret,
        pin: &Passphrase,
        context: &[u8],
        cost: Cost,
        rng: &mut impl CryptoRng,
    ) -> Result<Self, SealedSecretError> {
        let mut salt = [0; SALT_BYTES];
        rng.fill_bytes(&mut salt);
        let lock = Lock::Pin { salt, cost };
        let key = cost.derive(pin.bytes(), &salt, PIN_CONTEXT);
        let key = key.ok_or(SealedSecretError::Excessive)?;
        Self::under(lock, secret, &key, context, rng)
    }

    /// Seals `secret` under `key`, for `context`.
    ///
    /// # Errors
    /// None that a 32-byte secret could cause.
    pub fn under_key(
        secret: &Secret,
        key: &Secret,
        context: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Self, SealedSecretError> {
        Self::under(Lock::Key, secret, &derived(key), context, rng)
    }

    fn under(
        lock: Lock,
        secret: &Secret,
        key: &Zeroizing<[u8; 32]>,
        context: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Self, SealedSecretError> {
        let sealed = seal(key, &lock.covered(context), secret.as_slice(), rng);
        let sealed = sealed.and_then(|sealed| sealed.try_into().ok());
        Ok(Self {
            lock,
            sealed: sealed.ok_or(SealedSecretError::Malformed)?,
        })
    }

    /// Opens it with `pin`, for the context it was sealed for. Takes about 0.2 s.
    ///
    /// # Errors
    /// [`SealedSecretError::Refused`] for a wrong PIN; [`SealedSecretError::OtherKind`] if it is
    /// under a key.
    pub fn open_with_pin(
        &self,
        pin: &Passphrase,
        context: &[u8],
    ) -> Result<Secret, SealedSecretError> {
        let Lock::Pin { salt, cost } = &self.lock else {
            return Err(SealedSecretError::OtherKind);
        };
        let key = cost.derive(pin.bytes(), salt, PIN_CONTEXT);
        self.open(&key.ok_or(SealedSecretError::Excessive)?, context)
    }

    /// Opens it with `key`, for the context it was sealed for.
    ///
    /// # Errors
    /// [`SealedSecretError::Refused`] for a wrong key; [`SealedSecretError::OtherKind`] if it is
    /// under a PIN.
    pub fn open_with_key(&self, key: &Secret, context: &[u8]) -> Result<Secret, SealedSecretError> {
        match self.lock {
            Lock::Key => self.open(&derived(key), context),
            Lock::Pin { .. } => Err(SealedSecretError::OtherKind),
        }
    }

    fn open(&self, key: &Zeroizing<[u8; 32]>, context: &[u8]) -> Result<Secret, SealedSecretError> {
        let opened = open(key, &self.lock.covered(context), &self.sealed);
        let opened = opened.ok_or(SealedSecretError::Refused)?;
        let secret = opened
            .as_slice()
            .try_into()
            .map_err(|_| SealedSecretError::Refused)?;
        Ok(Secret::new(secret))
    }

    /// Whether it opens with a PIN, and not with a key.
    #[must_use]
    pub fn is_under_pin(&self) -> bool {
        matches!(self.lock, Lock::Pin { .. })
    }

    /// Its bytes: 96 under a PIN, 74 under a key.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.lock.encode();
        bytes.extend_from_slice(&self.sealed);
        bytes
    }

    /// Reads the bytes of [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    /// [`SealedSecretError::Malformed`], [`SealedSecretError::Version`], and
    /// [`SealedSecretError::Excessive`] before any memory is taken.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealedSecretError> {
        let (version, rest) = bytes.split_first().ok_or(SealedSecretError::Malformed)?;
        if *version != VERSION {
            return Err(SealedSecretError::Version(*version));
        }
        let (head, sealed) = rest
            .split_last_chunk::<BOX_BYTES>()
            .ok_or(SealedSecretError::Malformed)?;
        let lock = match head {
            [UNDER_KEY] => Lock::Key,
            [UNDER_PIN, rest @ ..] => decode_pin(rest)?,
            _ => return Err(SealedSecretError::Malformed),
        };
        Ok(Self {
            lock,
            sealed: *sealed,
        })
    }
}

impl Lock {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Key => vec![VERSION, UNDER_KEY],
            Self::Pin { salt, cost } => {
                let mut bytes = vec![VERSION, UNDER_PIN];
                bytes.extend_from_slice(salt);
                bytes.extend_from_slice(&cost.memory_kib().to_be_bytes());
                bytes.extend_from_slice(&[cost.passes(), cost.lanes()]);
                bytes
            }
        }
    }

    /// What is authenticated: the head has a known length, so the context begins unmistakably.
    fn covered(&self, context: &[u8]) -> Vec<u8> {
        let mut covered = self.encode();
        covered.extend_from_slice(context);
        covered
    }
}

fn decode_pin(head: &[u8]) -> Result<Lock, SealedSecretError> {
    let parts = head.split_first_chunk::<SALT_BYTES>();
    let (salt, rest) = parts.ok_or(SealedSecretError::Malformed)?;
    let parts = rest.split_first_chunk::<4>();
    let (memory_kib, rest) = parts.ok_or(SealedSecretError::Malformed)?;
    let [passes, lanes] = rest else {
        return Err(SealedSecretError::Malformed);
    };
    let cost = Cost::new(u32::from_be_bytes(*memory_kib), *passes, *lanes);
    Ok(Lock::Pin {
        salt: *salt,
        cost: cost.ok_or(SealedSecretError::Excessive)?,
    })
}

fn derived(key: &Secret) -> Zeroizing<[u8; 32]> {
    Zeroizing::new(blake3::derive_key(KEY_CONTEXT, key.as_slice()))
}
