//! What goes wrong in the store.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::space::Space;

/// Why a read or a write did not happen.
///
/// Cloned, since all commits of one group share the fate of its journal write.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk is full. Nothing of this write was kept; reading goes on, and writing too as soon
    /// as there is space.
    #[error(
        "the disk is full: nothing more is written until there is space; free some, and the node \
         goes on by itself"
    )]
    Full,
    /// A write failed earlier. Whether this write was kept is known after reopening.
    #[error(
        "the store is read-only since {what} failed ({kind}): look at the disk, then restart the \
         node"
    )]
    Failed {
        /// Which step failed.
        what: &'static str,
        /// How it failed.
        kind: io::ErrorKind,
    },
    /// A stored value is not what was written.
    #[error("a value of {space} is damaged: run `chartmesh doctor`")]
    Damaged {
        /// Where it lies.
        space: Space,
    },
    /// Reading failed.
    #[error("reading the database failed ({kind}): run `chartmesh doctor`")]
    Read {
        /// How it failed.
        kind: io::ErrorKind,
    },
    /// The caller's write is beyond a limit.
    #[error("a {what} of {bytes} bytes is more than the store takes ({limit})")]
    TooLarge {
        /// `key`, `value` or `batch`.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The function given to `commit_with` panicked. Nothing of it was kept.
    #[error("the function that prepares a commit panicked")]
    Panicked,
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

/// Why a store was not opened. Nothing was changed, but for the torn tail of the journal.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process holds the folder.
    #[error(
        "the folder is in use by another chartmesh process: wait until that has ended, then try \
         again"
    )]
    Locked,
    /// The key is not the one that this store was made with.
    #[error("this store was sealed with another key: use the `keys` folder that belongs to it")]
    WrongKey,
    /// A newer program wrote this store.
    #[error("{what} is of version {version}, which this program does not know: use a newer one")]
    Version {
        /// Which file.
        what: String,
        /// Its version.
        version: u8,
    },
    /// Something in it is damaged, and named.
    #[error("the store is damaged: {0}; run `chartmesh doctor --repair`")]
    Damaged(#[from] Damage),
    /// There is no space to open it.
    #[error("the disk is full: free some space, then start again")]
    Full,
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

impl OpenError {
    /// For `map_err`: what was tried with `path`.
    pub(super) fn io<'p>(
        what: &'static str,
        path: impl Into<PathBuf> + 'p,
    ) -> impl FnOnce(io::Error) -> Self + 'p {
        move |source| match is_full(&source) {
            true => Self::Full,
            false => Self::Io {
                what,
                path: path.into(),
                source,
            },
        }
    }
}

/// What is damaged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Damage {
    /// `db` does not open.
    #[error("the database does not open ({0})")]
    Database(String),
    /// `db` opens and is not what was written: values are missing, old or changed.
    #[error("the database lacks values that it had")]
    Fingerprint,
    /// `db` belongs to another journal.
    #[error("the database and the journal belong to different stores")]
    Stranger,
    /// A journal segment is damaged at `offset`, before its torn tail.
    #[error("journal segment {segment} is damaged at byte {offset} ({what})")]
    Journal {
        /// The segment's number, as in its file name.
        segment: u64,
        /// Where, in bytes from its start.
        offset: u64,
        /// In which way.
        what: &'static str,
    },
    /// Segments of the journal are missing.
    #[error("journal segment {segment} is missing")]
    Missing {
        /// The first that is.
        segment: u64,
    },
    /// The journal ends before what `db` has.
    #[error("the journal ends at commit {journal}, the database is at {database}")]
    Short {
        /// The last commit of the journal.
        journal: u64,
        /// The commit of `db`.
        database: u64,
    },
    /// A repair was cut short, after it had made a new journal.
    #[error("a repair was interrupted")]
    Interrupted,
}

/// Whether `error` says that there is no space.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_says_what_to_do_next() {
        let texts = [
            (StoreError::Full.to_string(), "free some"),
            (
                StoreError::Failed {
                    what: "syncing the journal",
                    kind: io::ErrorKind::Other,
                }
                .to_string(),
                "restart the node",
            ),
            (
                StoreError::Damaged {
                    space: Space::Items,
                }
                .to_string(),
                "chartmesh doctor",
            ),
            (OpenError::Full.to_string(), "start again"),
            (OpenError::WrongKey.to_string(), "`keys` folder"),
            (
                OpenError::Damaged(Damage::Fingerprint).to_string(),
                "doctor --repair",
            ),
        ];
        for (text, next) in texts {
            assert!(text.contains(next), "{text}");
        }
    }
}
