//! What stands in the record in the place of content.
//!
//! ```text
//! mark = base64url(version 1 | [length, key 32, id 32, digest 32, sha1 20, spelling])
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use minicbor::{Decode, Encode};

use super::seal::AttachmentKey;
use super::shape::{Shape, ShapeError};
use crate::codec::{self, Bounded, CodecError};
use crate::id::AttachmentId;

/// The version of marks that this program writes.
const VERSION: u8 = 1;
/// The longest mark, before base64.
const MAX_MARK_BYTES: usize = 192;
/// The longest mark as text.
const MAX_MARK_TEXT: usize = 256;

/// Why a text is no mark. Who wrote the record is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MarkError {
    /// It is not base64url (RFC 4648 §5), or too long.
    #[error("the mark of an attachment is no base64url text")]
    Text,
    /// Its bytes are not those of a mark.
    #[error("the mark of an attachment does not read: {0}")]
    Codec(#[from] CodecError),
    /// It claims a length that no attachment has.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// How the base64 of the content was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Spelling {
    /// As it is.
    #[n(0)]
    Plain,
    /// With each `/` as `\/`, as JSON allows and some languages do (RFC 8259 §7).
    #[n(1)]
    SlashesEscaped,
}

/// All that is needed to find a content, to open it, and to write it as it was written.
#[derive(Clone, PartialEq, Eq)]
pub struct Mark {
    /// The content's length, within the limits.
    pub shape: Shape,
    /// Its key.
    pub key: AttachmentKey,
    /// Its id.
    pub id: AttachmentId,
    /// BLAKE3 of the content: the same content is taken out only once.
    pub digest: [u8; 32],
    /// SHA-1 of the content, which FHIR calls its hash (R4 `Attachment.hash`).
    pub sha1: [u8; 20],
    /// How its base64 was written.
    pub spelling: Spelling,
}

#[derive(Encode, Decode)]
#[cbor(array)]
struct Fields {
    #[n(0)]
    length: u64,
    #[cbor(n(1), with = "minicbor::bytes")]
    key: [u8; 32],
    #[n(2)]
    id: AttachmentId,
    #[cbor(n(3), with = "minicbor::bytes")]
    digest: [u8; 32],
    #[cbor(n(4), with = "minicbor::bytes")]
    sha1: [u8; 20],
    #[n(5)]
    spelling: Spelling,
}

impl Bounded for Fields {
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}

impl Mark {
    /// The mark as text.
    pub fn to_text(&self) -> String {
        let fields = Fields {
            length: self.shape.length(),
            key: *self.key.to_bytes(),
            id: self.id,
            digest: self.digest,
            sha1: self.sha1,
            spelling: self.spelling,
        };
        URL_SAFE_NO_PAD.encode(codec::encode_versioned(VERSION, &fields))
    }

    /// Reads a mark.
    ///
    /// # Errors
    /// [`MarkError`]; the text comes out of a record that a peer may have written.
    pub fn from_text(text: &str) -> Result<Self, MarkError> {
        if text.len() > MAX_MARK_TEXT {
            return Err(MarkError::Text);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| MarkError::Text)?;
        let fields: Fields = codec::decode_versioned(VERSION, MAX_MARK_BYTES, &bytes)?;
        Ok(Self {
            shape: Shape::new(fields.length)?,
            key: AttachmentKey::from_bytes(fields.key),
            id: fields.id,
            digest: fields.digest,
            sha1: fields.sha1,
            spelling: fields.spelling,
        })
    }
}
