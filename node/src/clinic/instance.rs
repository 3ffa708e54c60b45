//! How a data folder is known to be a copy: put back from a backup, or taken to another computer.
//!
//! A copied store would go on numbering its records where the copy was made, in places where others
//! hold other records. So it has to begin a new incarnation before it writes anything, and nobody
//! may be there to tell it. A small file in the folder, made once and touched by nobody, does: when
//! its inode was last changed no copy takes over, whatever else it keeps, neither does anything set
//! it; moving the folder within a disk and starting the computer anew leave it alone. What changes
//! it besides, such as new owners of all files, costs a new incarnation and nothing else.
//!
//! Not noticed is a whole disk or machine that is put back as it was: that its peers tell.
//!
//! ```text
//! instance         a file beside the store, with a sentence for people
//! Meta "instance"  -> seconds 8 | nanoseconds 4, when the file's inode was last changed
//! ```

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::ClinicError;
use crate::folder;
use crate::store::{Batch, Space, Store};

const FILE: &str = "instance";
const NOTED: &[u8] = b"instance";
const SENTENCE: &str = "By this file the node notices that its folder was copied. Leave it here.\n";

/// What tells a data folder from its copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Instance {
    /// The file in the folder.
    #[default]
    OfFile,
    /// Nothing: the folder is taken for the one that it was, as after a whole disk was put back.
    AsNoted,
}

/// When an inode was last changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    seconds: i64,
    nanoseconds: u32,
}

/// What was found of a folder when its store was opened.
pub(super) struct Found {
    /// It is a copy of the one that noted the mark.
    pub(super) is_copy: bool,
    /// What is to be noted now; none where it is noted already.
    mark: Option<Mark>,
}

impl Instance {
    /// Looks whether a folder is the one that its store was last opened in.
    pub(super) fn look(&self, dir: &Path, store: &Store) -> Result<Found, ClinicError> {
        let noted = store.get(Space::Meta, NOTED)?;
        let noted = noted.as_deref().and_then(Mark::decode);
        let mark = match self {
            Self::AsNoted => noted,
            Self::OfFile => mark_of(dir).unwrap_or_else(|error| {
                // A folder that cannot be written is not written: nothing can go wrong.
                tracing::warn!(%error, "it cannot be seen whether the data folder is a copy");
                noted
            }),
        };
        let is_same = |noted: Mark| mark.is_some_and(|mark| mark.is(noted));
        Ok(Found {
            // The first stores noted none.
            is_copy: noted.is_some_and(|noted| !is_same(noted)),
            mark: mark.filter(|_| !noted.is_some_and(is_same)),
        })
    }
}

impl Found {
    /// Adds to a batch what is to be noted.
    pub(super) fn note(&self, batch: &mut Batch) {
        if let Some(mark) = self.mark {
            batch.put(Space::Meta, NOTED.to_vec(), mark.encode());
        }
    }

    /// Whether there is anything to note.
    pub(super) fn is_news(&self) -> bool {
        self.mark.is_some()
    }
}

impl Mark {
    /// Some file systems keep no nanoseconds over a restart.
    fn is(self, other: Self) -> bool {
        let rough = self.nanoseconds == 0 || other.nanoseconds == 0;
        self.seconds == other.seconds && (rough || self.nanoseconds == other.nanoseconds)
    }

    fn encode(self) -> Vec<u8> {
        let seconds = self.seconds.to_be_bytes();
        [seconds.as_slice(), &self.nanoseconds.to_be_bytes()].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (seconds, nanoseconds) = bytes.split_first_chunk::<8>()?;
        Some(Self {
            seconds: i64::from_be_bytes(*seconds),
            nanoseconds: u32::from_be_bytes(nanoseconds.try_into().ok()?),
        })
    }
}

/// The mark of a folder; where the file is missing, it is made.
fn mark_of(dir: &Path) -> io::Result<Option<Mark>> {
    let path: PathBuf = dir.join(FILE);
    let metadata = match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            folder::write_whole(&path, SENTENCE.as_bytes())?;
            fs::metadata(&path)?
        }
        found => found?,
    };
    Ok(Some(Mark {
        seconds: metadata.ctime(),
        nanoseconds: u32::try_from(metadata.ctime_nsec()).unwrap_or(0),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_moved_keeps_its_mark_and_a_copy_has_another() {
        let place = tempfile::tempdir().unwrap();
        let [first, moved, copy] = ["first", "moved", "copy"].map(|name| place.path().join(name));
        fs::create_dir(&first).unwrap();
        let mark = mark_of(&first).unwrap().unwrap();
        fs::rename(&first, &moved).unwrap();
        assert!(mark_of(&moved).unwrap().unwrap().is(mark));
        fs::create_dir(&copy).unwrap();
        // With its time and rights, as `cp -a` does.
        let (from, to) = (moved.join(FILE), copy.join(FILE));
        fs::copy(&from, &to).unwrap();
        let times =
            fs::FileTimes::new().set_modified(fs::metadata(&from).unwrap().modified().unwrap());
        fs::File::options()
            .write(true)
            .open(&to)
            .unwrap()
            .set_times(times)
            .unwrap();
        assert!(!mark_of(&copy).unwrap().unwrap().is(mark));
    }

    #[test]
    fn a_mark_without_nanoseconds_is_the_same_in_its_second() {
        let mark = Mark {
            seconds: 7,
            nanoseconds: 9,
        };
        let rough = Mark {
            nanoseconds: 0,
            ..mark
        };
        assert!(mark.is(rough) && rough.is(mark));
        assert!(!mark.is(Mark {
            nanoseconds: 8,
            ..mark
        }));
        assert!(!rough.is(Mark {
            seconds: 8,
            ..rough
        }));
        assert_eq!(Mark::decode(&mark.encode()), Some(mark));
        assert_eq!(Mark::decode(&[0; 11]), None);
    }
}
