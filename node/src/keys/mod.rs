//! Keys at rest: the node's own in a keyring under a passphrase, patients' under a PIN.
//!
//! Nothing else reads a private key from disk. Secrets are 32 bytes, wiped when dropped, and
//! have no `Debug`.
//!
//! | file | idea |
//! |---|---|
//! | `passphrase` | what a person or a file gives to open a keyring |
//! | `cost` | argon2id, and how much of it |
//! | `keyring`, `format` | named secrets in one file, and that file's bytes |
//! | `enrolment` | what makes another computer a node of the clinic |
//! | `note` | a text under a key |
//! | `pin` | one secret under a PIN or under another key |

mod cost;
mod enrolment;
mod error;
mod format;
mod keyring;
mod limits;
mod note;
mod passphrase;
mod pin;
#[cfg(test)]
mod tests;

pub use cost::Cost;
pub use enrolment::{Enrolment, EnrolmentCode, EnrolmentError, EnrolmentId, MAX_ENROLMENT_BYTES};
pub use error::{KeyringError, PassphraseError, SealedSecretError};
pub use keyring::{Keyring, Secret};
pub use limits::MIN_PASSPHRASE_BYTES;
pub use note::{open_text, seal_text};
pub use passphrase::Passphrase;
pub use pin::SealedSecret;
