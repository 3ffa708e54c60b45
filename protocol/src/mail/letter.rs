//! One piece of mail: `version 1 | mailbox 32 | nonce 24 | ciphertext | signature 64`.
//!
//! The nonce is a keyed hash of the padded content (BLAKE3), so one content has one mail in a box,
//! and no two contents share a nonce. The cipher is XChaCha20-Poly1305 with everything before the
//! ciphertext as additional data. The signature is the box's: a relay takes no mail of anybody
//! else. The id is a hash of box and nonce, so that holders can name a mail without sealing it.

use zeroize::Zeroizing;

use super::mailbox::MailboxKey;
use super::padding::{pad, padded_bytes, unpad};
use crate::attachment::MAX_PIECE_BYTES;
use crate::cipher::{self, NONCE_LEN};
use crate::codec::CodecError;
use crate::id::MailboxId;
use crate::identity::{Context, Signature, SignatureError, verify};
use crate::limits::MAX_MAIL_BYTES;
use crate::reconcile::ItemId;

const VERSION: u8 = 1;
const TAG_LEN: usize = 16;
const HEAD_LEN: usize = 1 + MailboxId::LEN + NONCE_LEN;
const SIGNING: Context = Context::new("mail");
const ID_CONTEXT: &str = "chartmesh 2026-11 mail id";

/// What a mail holds, as those see it who can open it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// A statement of a ledger.
    Statement(&'a [u8]),
    /// A sealed record.
    Record(&'a [u8]),
    /// A node's certificate, which other mail needs.
    Certificate(&'a [u8]),
    /// A [`Beacon`](super::Beacon).
    Beacon(&'a [u8]),
    /// A [`Receipt`](super::Receipt). To a node that knows none it is mail worth nothing.
    Receipt(&'a [u8]),
    /// A [`Request`](super::Request). To a node that knows none it is mail worth nothing; and so
    /// for what follows.
    Request(&'a [u8]),
    /// A piece of an attachment, as it is stored, with its number: `number 4 (big endian) | piece`.
    Piece(u32, &'a [u8]),
    /// Of a kind that this program does not read.
    #[cfg(test)]
    Unread(u8, &'a [u8]),
}

impl<'a> Content<'a> {
    fn encode(self) -> Zeroizing<Vec<u8>> {
        let whole = |kind: u8, bytes: &[u8]| Zeroizing::new([&[kind], bytes].concat());
        match self {
            Self::Statement(bytes) => whole(0, bytes),
            Self::Record(bytes) => whole(1, bytes),
            Self::Certificate(bytes) => whole(2, bytes),
            Self::Beacon(bytes) => whole(3, bytes),
            Self::Receipt(bytes) => whole(4, bytes),
            Self::Request(bytes) => whole(5, bytes),
            #[cfg(test)]
            Self::Unread(kind, bytes) => whole(kind, bytes),
            Self::Piece(number, bytes) => {
                Zeroizing::new([[6].as_slice(), &number.to_be_bytes(), bytes].concat())
            }
        }
    }

    fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (kind, bytes) = bytes.split_first()?;
        Some(match kind {
            0 => Self::Statement(bytes),
            1 => Self::Record(bytes),
            2 => Self::Certificate(bytes),
            3 => Self::Beacon(bytes),
            4 => Self::Receipt(bytes),
            5 => Self::Request(bytes),
            6 => {
                let (number, piece) = bytes.split_first_chunk()?;
                Self::Piece(u32::from_be_bytes(*number), piece)
            }
            _ => return None,
        })
    }
}

/// Bytes that are no mail, or none that opens. Whoever made it is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// The bytes cannot be read.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The box that it names did not sign it.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// It lies in another box.
    #[error("the mail is of another mailbox")]
    OtherBox,
    /// It is not sealed with the key of its box, or was changed.
    #[error("the mail does not open with the key of its mailbox")]
    Sealed,
    /// It opens, and holds what no mail has, or not in the form that is its only one.
    #[error("the mail holds nothing that is known")]
    Unknown,
    /// What it is to hold is too large.
    #[error("{bytes} bytes are too many for a mail")]
    TooLarge {
        /// The content's size.
        bytes: usize,
    },
}

/// A mail that its box signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    mailbox: MailboxId,
    nonce: [u8; NONCE_LEN],
    bytes: Vec<u8>,
}

impl Mail {
    /// Seals content for a box. The same content makes the same bytes.
    ///
    /// # Errors
    /// [`MailError::TooLarge`].
    pub fn seal(key: &MailboxKey, content: Content<'_>) -> Result<Self, MailError> {
        let plain = content.encode();
        let too_large = MailError::TooLarge { bytes: plain.len() };
        let padded = Zeroizing::new(pad(&plain).ok_or(too_large)?);
        let nonce = nonce_of(key, &padded);
        let mut bytes = head(&key.id(), &nonce);
        let sealed = cipher::seal(&key.cipher_key(), &nonce, &bytes, &padded);
        bytes.extend_from_slice(&sealed.map_err(|_| too_large)?);
        bytes.extend_from_slice(key.sign(SIGNING, &bytes).as_bytes());
        if bytes.len() > MAX_MAIL_BYTES {
            return Err(too_large);
        }
        Ok(Self {
            mailbox: key.id(),
            nonce,
            bytes,
        })
    }

    /// The id that content has as a mail of a box, without sealing it.
    pub fn id_of(key: &MailboxKey, content: Content<'_>) -> Option<ItemId> {
        let padded = Zeroizing::new(pad(&content.encode())?);
        Some(id_of(&key.id(), &nonce_of(key, &padded)))
    }

    /// The size of a mail that holds a full piece of an attachment, in bytes. A relay sees sizes,
    /// and by this one it lets what has no hurry wait.
    pub fn piece_bytes() -> usize {
        let content = 1_usize.saturating_add(4).saturating_add(MAX_PIECE_BYTES);
        let around = HEAD_LEN
            .saturating_add(TAG_LEN)
            .saturating_add(Signature::LEN);
        padded_bytes(content).saturating_add(around)
    }

    /// Reads a mail and checks the signature of its box. Anyone can, a relay too.
    ///
    /// # Errors
    /// [`MailError::Codec`] and [`MailError::Signature`].
    pub fn decode(bytes: &[u8]) -> Result<Self, MailError> {
        let mail = Self::recall(bytes)?;
        let Some((signed, signature)) = bytes.split_last_chunk::<{ Signature::LEN }>() else {
            return Err(CodecError::Malformed { at: bytes.len() }.into());
        };
        let signature = Signature::new(*signature);
        verify(SIGNING, mail.mailbox.as_bytes(), signed, &signature)?;
        Ok(mail)
    }

    /// Reads a mail that was checked before, from a store that authenticates what it gives back.
    ///
    /// # Errors
    /// [`CodecError`].
    pub fn recall(bytes: &[u8]) -> Result<Self, CodecError> {
        let (version, rest) = bytes.split_first().ok_or(CodecError::Empty)?;
        if *version != VERSION {
            return Err(CodecError::UnknownVersion {
                found: *version,
                known: VERSION,
            });
        }
        if bytes.len() > MAX_MAIL_BYTES {
            return Err(CodecError::TooLarge {
                found: bytes.len(),
                most: MAX_MAIL_BYTES,
            });
        }
        let malformed = CodecError::Malformed { at: bytes.len() };
        let (mailbox, rest) = rest.split_first_chunk().ok_or(malformed)?;
        let (nonce, rest) = rest.split_first_chunk().ok_or(malformed)?;
        if rest.len() <= Signature::LEN {
            return Err(malformed);
        }
        Ok(Self {
            mailbox: MailboxId::new(*mailbox),
            nonce: *nonce,
            bytes: bytes.to_vec(),
        })
    }

    /// The box that it lies in.
    pub fn mailbox(&self) -> MailboxId {
        self.mailbox
    }

    /// Its id.
    pub fn id(&self) -> ItemId {
        id_of(&self.mailbox, &self.nonce)
    }

    /// All of it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Opens it and gives what it holds to `read`.
    ///
    /// # Errors
    /// [`MailError::OtherBox`], [`MailError::Sealed`], [`MailError::Unknown`].
    pub fn open<T>(
        &self,
        key: &MailboxKey,
        read: impl FnOnce(Content<'_>) -> T,
    ) -> Result<T, MailError> {
        if key.id() != self.mailbox {
            return Err(MailError::OtherBox);
        }
        let sealed = self
            .bytes
            .get(HEAD_LEN..self.bytes.len().saturating_sub(Signature::LEN));
        let sealed = sealed.ok_or(MailError::Sealed)?;
        let head = head(&self.mailbox, &self.nonce);
        let padded = cipher::open(&key.cipher_key(), &self.nonce, &head, sealed);
        let padded = Zeroizing::new(padded.map_err(|_| MailError::Sealed)?);
        if nonce_of(key, &padded) != self.nonce {
            return Err(MailError::Unknown);
        }
        let content = unpad(&padded).and_then(Content::decode);
        Ok(read(content.ok_or(MailError::Unknown)?))
    }
}

fn head(mailbox: &MailboxId, nonce: &[u8; NONCE_LEN]) -> Vec<u8> {
    [&[VERSION], mailbox.as_bytes().as_slice(), nonce].concat()
}

fn nonce_of(key: &MailboxKey, padded: &[u8]) -> [u8; NONCE_LEN] {
    let hash = blake3::keyed_hash(&key.nonce_key(), padded);
    crate::id::first_bytes(hash.as_bytes())
}

fn id_of(mailbox: &MailboxId, nonce: &[u8; NONCE_LEN]) -> ItemId {
    let mut hasher = blake3::Hasher::new_derive_key(ID_CONTEXT);
    hasher.update(mailbox.as_bytes());
    hasher.update(nonce);
    ItemId::new(*hasher.finalize().as_bytes())
}
