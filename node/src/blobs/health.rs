//! All attachments, for `doctor`: each file is read to its end.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use chartmesh_protocol::AttachmentId;
use chartmesh_protocol::attachment::{Outline, Shape};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::blob::{Found, header, offset, read_header, survey};
use super::{BlobName, UNFINISHED};

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
            let (pieces, are) = match self.damaged_pieces {
                1 => ("piece", "is"),
                _ => ("pieces", "are"),
            };
            format!(
                "{} {pieces} of attachments {are} damaged",
                self.damaged_pieces
            )
        });
        let unreadable = (self.unreadable > 0).then(|| {
            let (files, are) = match self.unreadable {
                1 => ("file", "is"),
                _ => ("files", "are"),
            };
            format!(
                "{} {files} in blobs/ {are} damaged at the beginning, or none of this program's",
                self.unreadable
            )
        });
        damaged.into_iter().chain(unreadable).collect()
    }
}

/// What was found of each attachment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlobsChecked {
    /// All of them together.
    pub health: BlobsHealth,
    /// Those that are here whole.
    whole: BTreeMap<BlobName, (AttachmentId, u64)>,
}

impl BlobsChecked {
    /// Whether an attachment is here whole.
    pub(crate) fn is_whole(&self, name: &BlobName, id: &AttachmentId, shape: Shape) -> bool {
        self.whole.get(name) == Some(&(*id, shape.length()))
    }

    pub(super) fn of(folder: &Path, progress: &mut dyn FnMut(u64, u64)) -> io::Result<Self> {
        let files = files(folder)?;
        let total = u64::try_from(files.len()).unwrap_or(u64::MAX);
        let mut checked = Self::default();
        for (done, path) in (1..).zip(files) {
            match File::open(&path) {
                Ok(file) => checked.add(name_of(&path), &file)?,
                // A node that runs may have given it another name.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            progress(done, total);
        }
        Ok(checked)
    }

    fn add(&mut self, name: Option<BlobName>, file: &File) -> io::Result<()> {
        let health = &mut self.health;
        let Some((id, shape)) = known(file)? else {
            health.unreadable += 1;
            return Ok(());
        };
        health.attachments += 1;
        let mut sound = 0;
        survey(file, &mut Outline::new(id, shape), |_, found| match found {
            Found::Sound => sound += 1,
            Found::Torn => health.damaged_pieces += 1,
            Found::Nothing => {}
        })?;
        health.pieces += sound;
        if sound == u64::from(shape.pieces()) {
            health.whole += 1;
            self.whole
                .extend(name.map(|name| (name, (id, shape.length()))));
        }
        Ok(())
    }
}

/// Gives a file its beginning again, where that is damaged.
pub(super) fn mend_header(path: &Path, id: &AttachmentId, shape: Shape) -> io::Result<()> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if read_header(&file)? != Some((*id, shape.length())) {
        file.write_all_at(&header(id, shape), 0)?;
        file.sync_data()?;
    }
    Ok(())
}

/// Clears every place where something else stands than the piece: what is not there is fetched.
pub(super) fn clear_torn(folder: &Path, progress: &mut dyn FnMut(u64, u64)) -> io::Result<()> {
    let files = files(folder)?;
    let total = u64::try_from(files.len()).unwrap_or(u64::MAX);
    for (done, path) in (1..).zip(files) {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        if let Some((id, shape)) = known(&file)? {
            let mut torn = Vec::new();
            survey(&file, &mut Outline::new(id, shape), |number, found| {
                if found == Found::Torn {
                    torn.push(number);
                }
            })?;
            for number in &torn {
                let zeros = vec![0; shape.size_of(*number).unwrap_or(0)];
                file.write_all_at(&zeros, offset(shape, *number))?;
            }
            if !torn.is_empty() {
                file.sync_data()?;
            }
        }
        progress(done, total);
    }
    Ok(())
}

/// The files of attachments, but for those that are being written.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && !path.to_string_lossy().ends_with(UNFINISHED) {
            files.push(path);
        }
    }
    Ok(files)
}

/// The attachment that a file is of, by its beginning.
fn known(file: &File) -> io::Result<Option<(AttachmentId, Shape)>> {
    let header = read_header(file)?;
    Ok(header.and_then(|(id, length)| Some((id, Shape::new(length).ok()?))))
}

fn name_of(path: &Path) -> Option<BlobName> {
    let hex = path.file_name()?.to_str()?;
    let bytes = HEXLOWER.decode(hex.as_bytes()).ok()?;
    bytes.try_into().ok().map(BlobName::new)
}
