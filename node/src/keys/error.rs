//! What goes wrong with keys.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why a keyring was not opened or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// The passphrase is not the one it was sealed under.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// There is none.
    #[error(
        "there is no keyring at {}: run `chartmesh init`, or restore a key backup",
        .0.display()
    )]
    Missing(PathBuf),
    /// There is one already; it is never overwritten by a new one.
    #[error("there is a keyring already at {}", .0.display())]
    Exists(PathBuf),
    /// Others than its owner may read or change it.
    #[error(
        "others may read {file} (mode {mode:03o}): run `chmod 600 {file}`",
        file = path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Its bytes are not a keyring.
    #[error("the keyring is damaged ({0}): restore a key backup")]
    Damaged(&'static str),
    /// A newer program wrote it.
    #[error("the keyring is of version {0}, which this program does not know: use a newer one")]
    Version(u8),
    /// A name that a secret cannot have.
    #[error("a secret's name is 1 to 48 of a-z, 0-9 and '-', and a keyring has at most 64")]
    Name,
    /// A file could not be read or written.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// How it failed.
        source: io::Error,
    },
}

impl KeyringError {
    /// For `map_err`: what was tried with `path`.
    pub(super) fn io<'p>(
        what: &'static str,
        path: impl Into<PathBuf> + 'p,
    ) -> impl FnOnce(io::Error) -> Self + 'p {
        move |source| Self::Io {
            what,
            path: path.into(),
            source,
        }
    }
}

/// Why there is no passphrase.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PassphraseError {
    /// It has no bytes.
    #[error("the passphrase is empty")]
    Empty,
    /// It has more than 1 KiB.
    #[error("the passphrase is longer than 1 KiB: is it the right file?")]
    TooLong,
    /// Its file could not be read.
    #[error("reading the passphrase from {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// How it failed.
        source: io::Error,
    },
}

/// Why a sealed secret was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SealedSecretError {
    /// The PIN or the key is another one, or the secret was sealed for another context, or its
    /// bytes were changed: these cannot be told apart.
    #[error("the PIN is wrong, or this key is not the one it is taken for")]
    Refused,
    /// It is under a PIN and a key was given, or the other way round.
    #[error("it is not sealed under what was given")]
    OtherKind,
    /// Its bytes are not a sealed secret.
    #[error("it is not a sealed key, or only a part of one")]
    Malformed,
    /// A newer program made it.
    #[error("it is of version {0}, which this program does not know: use a newer one")]
    Version(u8),
    /// It asks for more memory or time than any program of ours would.
    #[error("it asks for more memory or time than allowed")]
    Excessive,
}
