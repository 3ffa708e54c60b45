//! All attachments, for `doctor`.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use chartmesh_protocol::attachment::{Outline, Shape};
use serde::{Deserialize, Serialize};

use super::UNFINISHED;
use super::blob::{Found, read_header, survey};

/// What was found of all attachments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobsHealth {
    /// Attachments of which anything is here.
    pub attachments: u64,
    /// Those that are here whole.
    pub whole: u64,
    /// Pieces that are here, each checked.
    pub pieces: u64,
    /// Pieces that are damaged.
    pub damaged_pieces: u64,
    /// Files that are none of attachments, or whose beginning is damaged.
    pub unreadable: u64,
}

impl BlobsHealth {
    /// Whether nothing is damaged.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damaged_pieces == 0 && self.unreadable == 0
    }

    /// What is wrong, in words.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let damaged = (self.damaged_pieces > 0).then(|| {
            format!(
                "{} pieces of attachments are damaged: `chartmesh attachment fetch` gets them \
                 again from a clinic that has them",
                self.damaged_pieces
            )
        });
        let unreadable = (self.unreadable > 0).then(|| {
            format!(
                "{} files in blobs/ are damaged, or none of this program's",
                self.unreadable
            )
        });
        damaged.into_iter().chain(unreadable).collect()
    }

    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let mut health = Self::default();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if !path.is_file() || path.to_string_lossy().ends_with(UNFINISHED) {
                continue;
            }
            health.add(&File::open(path)?)?;
        }
        Ok(health)
    }

    fn add(&mut self, file: &File) -> io::Result<()> {
        let header = read_header(file)?;
        let known = header.and_then(|(id, length)| Some((id, Shape::new(length).ok()?)));
        let Some((id, shape)) = known else {
            self.unreadable += 1;
            return Ok(());
        };
        self.attachments += 1;
        let mut sound = 0;
        survey(file, &mut Outline::new(id, shape), |_, found| match found {
            Found::Sound => sound += 1,
            Found::Torn => self.damaged_pieces += 1,
            Found::Nothing => {}
        })?;
        self.pieces += sound;
        self.whole += u64::from(sound == u64::from(shape.pieces()));
        Ok(())
    }
}
