//! Verifying pieces: the lists that are known of a content.

use super::shape::{HASH_BYTES, Piece, Shape};
use crate::id::AttachmentId;

const ID_CONTEXT: &str = "chartmesh 2026-11 attachment";

/// Why a piece is not kept. Whoever sent it is at fault, but for a list that has not come yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PieceError {
    /// There is no piece with this number.
    #[error("the attachment has no piece {number}")]
    NoSuchPiece {
        /// The number.
        number: u32,
    },
    /// It is longer or shorter than this piece is.
    #[error("piece {number} has {found} bytes instead of {expected}")]
    Length {
        /// The number.
        number: u32,
        /// Its bytes.
        found: usize,
        /// Those that it has to have.
        expected: usize,
    },
    /// It is another one than the list says: altered, or of another place or attachment.
    #[error("piece {number} is not what the attachment has there")]
    Altered {
        /// The number.
        number: u32,
    },
    /// The list that tells of it is not known yet.
    #[error("piece {number} came before the list that tells of it")]
    ListMissing {
        /// The number.
        number: u32,
    },
}

/// A content by its id and length, with the lists of it that are known.
#[derive(Debug, Clone)]
pub struct Outline {
    id: AttachmentId,
    shape: Shape,
    root: Option<Vec<u8>>,
    pages: Vec<Option<Vec<u8>>>,
}

impl Outline {
    /// An outline of which no list is known.
    pub fn new(id: AttachmentId, shape: Shape) -> Self {
        let pages = usize::try_from(shape.pages()).unwrap_or(0);
        Self {
            id,
            shape,
            root: None,
            pages: vec![None; pages],
        }
    }

    /// The content's shape.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Checks a piece. A list that is right is known from here on.
    ///
    /// # Errors
    /// [`PieceError`] for what must not be kept.
    pub fn verify(&mut self, number: u32, bytes: &[u8]) -> Result<(), PieceError> {
        let no_such_piece = PieceError::NoSuchPiece { number };
        let piece = self.shape.piece(number).ok_or(no_such_piece)?;
        let expected = self.shape.size_of(number).ok_or(no_such_piece)?;
        if bytes.len() != expected {
            return Err(PieceError::Length {
                number,
                found: bytes.len(),
                expected,
            });
        }
        let missing = PieceError::ListMissing { number };
        let right = match piece {
            Piece::Root => id_of(&self.shape, bytes) == self.id,
            Piece::Page(page) => {
                let root = self.root.as_deref().ok_or(missing)?;
                hash_at(root, page) == Some(blake3::hash(bytes).as_bytes())
            }
            Piece::Chunk(chunk) => {
                let (page, at) = self.shape.place_of(chunk);
                let list = index(page).and_then(|page| self.pages.get(page)?.as_deref());
                hash_at(list.ok_or(missing)?, at) == Some(blake3::hash(bytes).as_bytes())
            }
        };
        if !right {
            return Err(PieceError::Altered { number });
        }
        match piece {
            Piece::Root => self.root = Some(bytes.to_vec()),
            Piece::Page(page) => {
                if let Some(known) = index(page).and_then(|page| self.pages.get_mut(page)) {
                    *known = Some(bytes.to_vec());
                }
            }
            Piece::Chunk(_) => {}
        }
        Ok(())
    }

    /// Whether the list that tells of a piece is known.
    pub fn can_verify(&self, number: u32) -> bool {
        match self.shape.piece(number) {
            None => false,
            Some(Piece::Root) => true,
            Some(Piece::Page(_)) => self.root.is_some(),
            Some(Piece::Chunk(chunk)) => {
                let (page, _) = self.shape.place_of(chunk);
                index(page).is_some_and(|page| self.pages.get(page).is_some_and(Option::is_some))
            }
        }
    }
}

/// The id of a content with this list of pages.
pub(super) fn id_of(shape: &Shape, root: &[u8]) -> AttachmentId {
    let mut hasher = blake3::Hasher::new_derive_key(ID_CONTEXT);
    hasher.update(&shape.length().to_be_bytes());
    hasher.update(root);
    AttachmentId::new(*hasher.finalize().as_bytes())
}

fn hash_at(list: &[u8], at: u32) -> Option<&[u8; HASH_BYTES]> {
    let (hashes, _) = list.as_chunks::<HASH_BYTES>();
    hashes.get(index(at)?)
}

fn index(number: u32) -> Option<usize> {
    usize::try_from(number).ok()
}
