//! What a person knows.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use super::error::PassphraseError;
use super::limits::{MAX_PASSPHRASE_BYTES, MIN_PASSPHRASE_BYTES};

/// A passphrase or a PIN. Wiped when dropped; it has no `Debug`, and nothing returns its bytes.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// The passphrase of these bytes, taken as they are.
    ///
    /// # Errors
    /// [`PassphraseError::Empty`] and [`PassphraseError::TooLong`].
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, PassphraseError> {
        match bytes.len() {
            0 => Err(PassphraseError::Empty),
            length if length > MAX_PASSPHRASE_BYTES => Err(PassphraseError::TooLong),
            _ => Ok(Self(bytes)),
        }
    }

    /// The passphrase in the file at `path`, without one line end after it.
    ///
    /// # Errors
    /// As [`new`](Self::new), and [`PassphraseError::Io`].
    pub fn from_file(path: &Path) -> Result<Self, PassphraseError> {
        let failed = |source| PassphraseError::Io {
            path: path.to_path_buf(),
            source,
        };
        // With room for a line end and one byte too many: a buffer that grew would leave
        // copies behind.
        let room = MAX_PASSPHRASE_BYTES + 3;
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        let file = File::open(path).map_err(failed)?;
        file.take(room as u64)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.ends_with(b"\n") {
            bytes.pop();
            if bytes.ends_with(b"\r") {
                bytes.pop();
            }
        }
        Self::new(bytes)
    }

    /// Whether it has fewer than [`MIN_PASSPHRASE_BYTES`] bytes.
    pub fn is_short(&self) -> bool {
        self.0.len() < MIN_PASSPHRASE_BYTES
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}
