//! Attachments: content that lies outside the records, in pieces that are verified one by one.
//!
//! A scan of 20 MB in a record would keep every visit note behind it waiting. So the record holds
//! a [`Mark`] of some hundred bytes, and the content lies beside it:
//!
//! ```text
//! content  = chunk.., each 16 KiB, the last one shorter
//! sealed   = XChaCha20-Poly1305(key, nonce: index, additional: context | chart | compartment,
//!            chunk)
//! page     = BLAKE3(sealed) of up to 512 chunks, in their order
//! root     = BLAKE3(page) of every page, in their order
//! id       = BLAKE3-derive("chartmesh 2026-11 attachment", content length u64 | root)
//! pieces   = 0: root | 1..: pages | then: sealed chunks
//! ```
//!
//! Who has the id can check the root, who has the root each page, and who has a page each of its
//! chunks: nothing that is not part of the content is ever kept, and what was cut short goes on at
//! the piece. The key is random and serves one content only, so that an index is a good nonce, the
//! same content sealed again gives the same bytes, and equal scans of two patients have nothing in
//! common. Key and id stand in the mark, and the mark in the sealed record: who may read the
//! compartment can open the content, and nobody else knows what to ask for.
//!
//! | file | what it is for |
//! |---|---|
//! | `shape` | how many pieces a content has, and how long each is |
//! | `outline` | verifying pieces |
//! | `seal` | making and opening chunks |
//! | `mark` | what stands in the record |

mod mark;
mod outline;
mod seal;
mod shape;

pub use mark::{Mark, MarkError, Spelling};
pub use outline::{Outline, PieceError};
pub use seal::{
    AttachmentKey, AttachmentName, AttachmentPlace, ChunkError, open_chunk, seal_content,
};
pub use shape::{CHUNK_BYTES, MAX_ATTACHMENT_BYTES, MAX_PIECE_BYTES, Piece, Shape, ShapeError};

#[cfg(test)]
mod tests;
