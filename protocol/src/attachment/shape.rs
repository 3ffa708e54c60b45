//! How many pieces a content has, and how long each is: both follow from its length.

/// The bytes of content in a chunk: two seconds of a 64 kbit/s link.
pub const CHUNK_BYTES: usize = 16 * 1024;

/// The longest content: a scan of 50 MB, and room for more. In base64 it has 4/3 of that.
pub const MAX_ATTACHMENT_BYTES: u64 = 64 * 1024 * 1024;

/// The longest piece: a sealed chunk.
pub const MAX_PIECE_BYTES: usize = CHUNK_BYTES + TAG_BYTES;

/// What sealing adds to a chunk.
pub(super) const TAG_BYTES: usize = 16;

/// The bytes of a hash in a list.
pub(super) const HASH_BYTES: usize = 32;

/// The chunks of which a page tells: 8 MiB of content, in as many bytes as a chunk has.
const CHUNKS_A_PAGE: u32 = 512;

/// A content that no attachment has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an attachment has 1 to {MAX_ATTACHMENT_BYTES} bytes, not {bytes}")]
pub struct ShapeError {
    /// Its length in bytes.
    pub bytes: u64,
}

/// The length of a content, within the limits, and what follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    length: u64,
    chunks: u32,
    pages: u32,
}

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// The list of the pages.
    Root,
    /// A list of chunks.
    Page(u32),
    /// A sealed chunk.
    Chunk(u32),
}

impl Shape {
    /// The shape of a content of so many bytes.
    ///
    /// # Errors
    /// [`ShapeError`] for none, and for more than [`MAX_ATTACHMENT_BYTES`].
    pub fn new(length: u64) -> Result<Self, ShapeError> {
        let wrong = ShapeError { bytes: length };
        if length == 0 || length > MAX_ATTACHMENT_BYTES {
            return Err(wrong);
        }
        let chunks = u32::try_from(length.div_ceil(CHUNK_BYTES as u64)).map_err(|_| wrong)?;
        Ok(Self {
            length,
            chunks,
            pages: chunks.div_ceil(CHUNKS_A_PAGE),
        })
    }

    /// The bytes of the content.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many pieces there are.
    pub fn pieces(&self) -> u32 {
        self.first_chunk().saturating_add(self.chunks)
    }

    /// How many chunks there are.
    pub fn chunks(&self) -> u32 {
        self.chunks
    }

    /// How many pages there are.
    pub(super) fn pages(&self) -> u32 {
        self.pages
    }

    /// The number of the piece that is the first chunk.
    pub fn first_chunk(&self) -> u32 {
        self.pages.saturating_add(1)
    }

    /// What the piece with this number is; none beyond the last.
    pub fn piece(&self, number: u32) -> Option<Piece> {
        let chunk = number.checked_sub(self.first_chunk());
        match (number, chunk) {
            (0, _) => Some(Piece::Root),
            (number, None) => number.checked_sub(1).map(Piece::Page),
            (_, Some(chunk)) => (chunk < self.chunks).then_some(Piece::Chunk(chunk)),
        }
    }

    /// The number of the piece that tells of a piece: a chunk's page, a page's root; none of the
    /// root.
    pub fn list_of(&self, number: u32) -> Option<u32> {
        match self.piece(number)? {
            Piece::Root => None,
            Piece::Page(_) => Some(0),
            Piece::Chunk(chunk) => Some(self.place_of(chunk).0.saturating_add(1)),
        }
    }

    /// How many bytes the piece with this number has; none beyond the last.
    pub fn size_of(&self, number: u32) -> Option<usize> {
        Some(match self.piece(number)? {
            Piece::Root => list_bytes(self.pages),
            Piece::Page(page) => {
                let before = page.saturating_mul(CHUNKS_A_PAGE);
                list_bytes(self.chunks.saturating_sub(before).min(CHUNKS_A_PAGE))
            }
            Piece::Chunk(chunk) => self.content_of(chunk).saturating_add(TAG_BYTES),
        })
    }

    /// Where a piece begins when all of them stand one behind the other.
    pub fn offset_of(&self, number: u32) -> Option<u64> {
        let lists = list_bytes(self.pages.saturating_add(self.chunks)) as u64;
        Some(match self.piece(number)? {
            Piece::Root => 0,
            Piece::Page(page) => {
                let before = self
                    .pages
                    .saturating_add(page.saturating_mul(CHUNKS_A_PAGE));
                list_bytes(before) as u64
            }
            Piece::Chunk(chunk) => {
                lists.saturating_add(u64::from(chunk).saturating_mul(MAX_PIECE_BYTES as u64))
            }
        })
    }

    /// The page that tells of a chunk, and the chunk's place in it.
    pub(super) fn place_of(&self, chunk: u32) -> (u32, u32) {
        let page = chunk.checked_div(CHUNKS_A_PAGE).unwrap_or(0);
        (
            page,
            chunk.saturating_sub(page.saturating_mul(CHUNKS_A_PAGE)),
        )
    }

    /// The bytes of content in a chunk.
    fn content_of(&self, chunk: u32) -> usize {
        let before = u64::from(chunk).saturating_mul(CHUNK_BYTES as u64);
        let rest = usize::try_from(self.length.saturating_sub(before)).unwrap_or(usize::MAX);
        rest.min(CHUNK_BYTES)
    }
}

fn list_bytes(hashes: u32) -> usize {
    usize::try_from(hashes)
        .unwrap_or(usize::MAX)
        .saturating_mul(HASH_BYTES)
}
