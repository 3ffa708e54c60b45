//! One attachment's file: pieces at their places, each checked when it is written and when it is
//! read.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

use chartmesh_protocol::AttachmentId;
use chartmesh_protocol::attachment::{MAX_PIECE_BYTES, Outline, Shape};

use super::{BlobError, Pieces};

/// Bytes before the pieces.
pub(super) const HEADER_BYTES: usize = 48;
const MAGIC: [u8; 8] = *b"CMBLOB\x01\x00";

/// What is here of one attachment.
pub struct Blob {
    path: PathBuf,
    /// None while nothing is here.
    file: Option<File>,
    id: AttachmentId,
    outline: Outline,
    here: Pieces,
}

impl Blob {
    /// Reads and checks what is here.
    pub(super) fn open(path: PathBuf, id: AttachmentId, shape: Shape) -> io::Result<Self> {
        let mut blob = Self {
            file: None,
            id,
            outline: Outline::new(id, shape),
            here: Pieces::default(),
            path,
        };
        let file = OpenOptions::new().read(true).write(true).open(&blob.path);
        let file = match file {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(blob),
            Err(error) => return Err(error),
        };
        if read_header(&file)? == Some((id, shape.length())) {
            survey(&file, &mut blob.outline, |number, state| {
                if state == Found::Sound {
                    blob.here.add(number);
                }
            })?;
            blob.file = Some(file);
        }
        Ok(blob)
    }

    /// Whether it is of this attachment.
    pub(super) fn is_of(&self, id: &AttachmentId, shape: Shape) -> bool {
        self.id == *id && self.outline.shape() == shape
    }

    /// The shape of the content.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.outline.shape()
    }

    /// The pieces that are here.
    #[must_use]
    pub fn here(&self) -> &Pieces {
        &self.here
    }

    /// Whether all of it is here.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.here.count() == self.shape().pieces()
    }

    /// Whether the list that tells of a piece is here.
    #[must_use]
    pub fn can_verify(&self, number: u32) -> bool {
        self.outline.can_verify(number)
    }

    /// The pieces that are not here and that can be checked once they come, in their order.
    pub fn missing(&self) -> impl Iterator<Item = u32> + '_ {
        let all = 0..self.shape().pieces();
        let missing = all.filter(|number| !self.here.has(*number));
        missing.filter(|number| self.outline.can_verify(*number))
    }

    /// Reads a piece; none when it is not here, or not as it was written any more.
    ///
    /// # Errors
    /// [`BlobError::Io`] when the file cannot be read.
    pub fn read(&mut self, number: u32) -> Result<Option<Vec<u8>>, BlobError> {
        let (Some(file), true) = (&self.file, self.here.has(number)) else {
            return Ok(None);
        };
        let bytes = read_piece(file, self.outline.shape(), number)?;
        let sound = bytes.filter(|bytes| self.outline.verify(number, bytes).is_ok());
        if sound.is_none() {
            tracing::warn!(piece = number, "a piece of an attachment is damaged");
            self.here.remove(number);
        }
        Ok(sound)
    }

    /// Checks a piece and writes it. It is durable after [`sync`](Self::sync).
    ///
    /// # Errors
    /// [`BlobError::Piece`] for what is no piece of it, [`BlobError::Full`] on a full disk.
    pub fn write(&mut self, number: u32, bytes: &[u8]) -> Result<(), BlobError> {
        self.outline.verify(number, bytes)?;
        if self.here.has(number) {
            return Ok(());
        }
        let shape = self.outline.shape();
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let mut options = OpenOptions::new();
                let options = options.read(true).write(true).create(true).truncate(true);
                let file = options.mode(0o600).open(&self.path)?;
                file.write_all_at(&header(&self.id, shape), 0)?;
                if let Some(folder) = self.path.parent() {
                    File::open(folder)?.sync_all()?;
                }
                none.insert(file)
            }
        };
        file.write_all_at(bytes, offset(shape, number))?;
        self.here.add(number);
        Ok(())
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// [`BlobError`] when the system refuses.
    pub fn sync(&mut self) -> Result<(), BlobError> {
        match &self.file {
            Some(file) => Ok(file.sync_data()?),
            None => Ok(()),
        }
    }
}

/// What stands at the place of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The piece.
    Sound,
    /// Nothing.
    Nothing,
    /// Something else.
    Torn,
}

/// Looks at the place of every piece.
pub(super) fn survey(
    file: &File,
    outline: &mut Outline,
    mut tell: impl FnMut(u32, Found),
) -> io::Result<()> {
    let shape = outline.shape();
    for number in 0..shape.pieces() {
        let found = match read_piece(file, shape, number)? {
            None => Found::Nothing,
            Some(bytes) if outline.verify(number, &bytes).is_ok() => Found::Sound,
            // Holes of a file read as zeros.
            Some(bytes) if bytes.iter().all(|byte| *byte == 0) => Found::Nothing,
            Some(_) => Found::Torn,
        };
        tell(number, found);
    }
    Ok(())
}

/// What stands at the place of a piece; none behind the end of the file.
fn read_piece(file: &File, shape: Shape, number: u32) -> io::Result<Option<Vec<u8>>> {
    let size = shape.size_of(number).unwrap_or(0).min(MAX_PIECE_BYTES);
    let mut bytes = vec![0; size];
    match file.read_exact_at(&mut bytes, offset(shape, number)) {
        Ok(()) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Where a piece stands in the file.
pub(super) fn offset(shape: Shape, number: u32) -> u64 {
    let offset = shape.offset_of(number).unwrap_or(0);
    offset.saturating_add(HEADER_BYTES as u64)
}

/// What stands before the pieces.
pub(super) fn header(id: &AttachmentId, shape: Shape) -> Vec<u8> {
    let length = shape.length().to_be_bytes();
    [MAGIC.as_slice(), &length, id.as_bytes()].concat()
}

/// The attachment that a file is of; none where it is no such file.
pub(super) fn read_header(file: &File) -> io::Result<Option<(AttachmentId, u64)>> {
    let mut bytes = [0; HEADER_BYTES];
    match file.read_exact_at(&mut bytes, 0) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let read = || {
        let rest = bytes.strip_prefix(&MAGIC)?;
        let (length, id) = rest.split_first_chunk::<8>()?;
        let id = AttachmentId::try_from(id).ok()?;
        Some((id, u64::from_be_bytes(*length)))
    };
    Ok(read())
}
