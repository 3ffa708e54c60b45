//! A text of any length under a key: what the nodes of a clinic tell each other.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::format::{open, seal};
use super::keyring::Secret;

/// Seals a text under a key, for a context that has to be given to open it: `nonce 24 | ciphertext
/// | tag 16`, XChaCha20-Poly1305. `None` if the cipher refuses, which it does for no length here.
pub fn seal_text(
    key: &Secret,
    context: &[u8],
    text: &[u8],
    rng: &mut impl CryptoRng,
) -> Option<Vec<u8>> {
    seal(key, context, text, rng)
}

/// Opens what [`seal_text`] made; `None` for another key or context, or bytes that were changed.
#[must_use]
pub fn open_text(key: &Secret, context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    open(key, context, sealed)
}
