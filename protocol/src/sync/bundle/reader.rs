//! Reading a part.

use hpke::aead::{AeadCtxR, ChaCha20Poly1305};
use hpke::kdf::HkdfSha256;
use hpke::kem::{Kem, X25519HkdfSha256};
use hpke::{Deserializable, OpModeR};

use super::super::frame::{Frame, FrameReader};
use super::super::item::{ItemKind, Lane};
use super::super::payload::ItemFrame;
use super::super::sender::most_bytes;
use super::pieces::{PieceReader, Taken};
use super::telling::{TellingReader, Told};
use super::{
    BUNDLE_ENDS, BundleError, LENGTH_BYTES, MAX_BLOCK_BYTES, MORE, Opening, PART_ENDS, PartHead,
    TAG_BYTES, opening,
};
use crate::attachment::{AttachmentName, Shape};
use crate::id::ClinicId;
use crate::identity::SealingKey;
use crate::reconcile::ItemKey;

/// What comes out of a part, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Which part it is and who made it. The first piece, and the only one of it.
    Opened(PartHead, Box<Opening>),
    /// A certificate, not verified: keep it when it holds. Items that need it follow.
    Certificate(Vec<u8>),
    /// An item, not verified.
    Item {
        /// What it is.
        kind: ItemKind,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A piece of an attachment, not verified.
    Attachment {
        /// The attachment.
        name: AttachmentName,
        /// Its content's shape.
        shape: Shape,
        /// The number of the piece.
        number: u32,
        /// The piece.
        bytes: Vec<u8>,
    },
    /// The sender holds these attachments whole, by its word.
    Held(Vec<AttachmentName>),
    /// The sender lacks these pieces of an attachment, by its word, and would have them. Several in
    /// a row may be of one attachment.
    Lacking {
        /// The attachment.
        name: AttachmentName,
        /// Its content's shape.
        shape: Shape,
        /// The numbers of the pieces, ascending.
        pieces: Vec<u32>,
    },
    /// The sender took these items of ours out of bundles that it has not read to their end.
    Taken {
        /// What they are.
        kind: ItemKind,
        /// Their keys, under the [`taken_key`](super::taken_key) of the pair.
        keys: Vec<ItemKey>,
    },
    /// The part is whole.
    End {
        /// Whether it is the last one of the bundle.
        last: bool,
    },
}

type Context = AeadCtxR<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>;

/// Reads a part, in pieces of any size. Holds one block at most.
pub struct PartReader {
    own: ClinicId,
    sealing: SealingKey,
    state: State,
    bytes: Vec<u8>,
    blocks: u64,
    item: Option<Partial>,
    pieces: PieceReader,
    telling: TellingReader,
}

enum State {
    Head,
    Blocks(PartHead, Box<Context>),
    Ended,
}

/// An item that has come in part.
struct Partial {
    kind: ItemKind,
    lane: Lane,
    size: usize,
    bytes: Vec<u8>,
}

impl PartReader {
    /// A reader of parts that are for the clinic `own`.
    pub fn new(own: ClinicId, sealing: SealingKey) -> Self {
        Self {
            own,
            sealing,
            state: State::Head,
            bytes: Vec::new(),
            blocks: 0,
            item: None,
            pieces: PieceReader::default(),
            telling: TellingReader::default(),
        }
    }

    /// Whether the end of the part has come.
    pub fn is_whole(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Takes the next bytes of the file and adds what comes out of them to `pieces`. What was added
    /// before an error is good: every block is authenticated by itself and in its place.
    ///
    /// # Errors
    /// [`BundleError`]: the file is not for us, not by whom it says, or was changed.
    pub fn push(&mut self, bytes: &[u8], pieces: &mut Vec<Piece>) -> Result<(), BundleError> {
        self.bytes.extend_from_slice(bytes);
        while self.step(pieces)? {}
        Ok(())
    }

    /// Reads a head or a block; says whether there was a whole one.
    fn step(&mut self, pieces: &mut Vec<Piece>) -> Result<bool, BundleError> {
        match &mut self.state {
            State::Head => {
                let Some((head, length)) =
                    PartHead::read(&self.bytes).map_err(BundleError::Head)?
                else {
                    return Ok(false);
                };
                let context = open(&head, self.own, &self.sealing)?;
                self.bytes.drain(..length);
                self.state = State::Blocks(head, Box::new(context));
                Ok(true)
            }
            State::Blocks(head, context) => {
                let Some(sealed) = next_block(&mut self.bytes, self.blocks)? else {
                    return Ok(false);
                };
                let block = self.blocks;
                let plain = context
                    .open(&sealed, &block.to_be_bytes())
                    .map_err(|_| BundleError::Altered { block })?;
                let (flag, plain) = plain.split_first().ok_or(BundleError::Content { block })?;
                let head = *head;
                self.blocks = self.blocks.saturating_add(1);
                if block == 0 {
                    let opening = opening::read(&head, plain)?;
                    pieces.push(Piece::Opened(head, Box::new(opening)));
                } else {
                    self.frames(plain, block, pieces)?;
                }
                self.flag(*flag, block, pieces)
            }
            State::Ended if self.bytes.is_empty() => Ok(false),
            State::Ended => Err(BundleError::BehindTheEnd),
        }
    }

    fn flag(&mut self, flag: u8, block: u64, pieces: &mut Vec<Piece>) -> Result<bool, BundleError> {
        match flag {
            MORE => return Ok(true),
            PART_ENDS | BUNDLE_ENDS if self.is_between_items() && block > 0 => {}
            _ => return Err(BundleError::Content { block }),
        }
        let last = flag == BUNDLE_ENDS;
        pieces.push(Piece::End { last });
        self.state = State::Ended;
        Ok(true)
    }

    /// Reads the frames of a block.
    fn frames(
        &mut self,
        plain: &[u8],
        block: u64,
        pieces: &mut Vec<Piece>,
    ) -> Result<(), BundleError> {
        let content = || BundleError::Content { block };
        let mut reader = FrameReader::default();
        reader.push(plain);
        while let Some(frame) = reader
            .next_frame()
            .map_err(|error| BundleError::Frame { block, error })?
        {
            let frame = match self.pieces.take(frame) {
                Ok(Taken::Nothing) => continue,
                Ok(Taken::Piece(piece)) => {
                    pieces.push(piece);
                    continue;
                }
                Ok(Taken::Other(frame)) => frame,
                Err(()) => return Err(content()),
            };
            if self.item.is_some() {
                self.continued(frame, pieces).ok_or_else(content)?;
                continue;
            }
            let frame = match self.telling.take(frame) {
                Ok(Told::Nothing) => continue,
                Ok(Told::Piece(piece)) => {
                    pieces.push(piece);
                    continue;
                }
                Ok(Told::Other(frame)) => frame,
                Err(()) => return Err(content()),
            };
            if let Frame::Certificate(bytes) = frame {
                pieces.push(Piece::Certificate(bytes));
            } else if let Frame::Item(item) = frame {
                self.grow(begun(item).ok_or_else(content)?, pieces);
            } else {
                return Err(content());
            }
        }
        if reader.is_between_frames() {
            Ok(())
        } else {
            Err(content())
        }
    }

    /// Takes the next fragment of the item that has come in part; none where it is another frame.
    fn continued(&mut self, frame: Frame, pieces: &mut Vec<Piece>) -> Option<()> {
        let (Frame::More(more), Some(mut partial)) = (frame, self.item.take()) else {
            return None;
        };
        let room = partial.size.saturating_sub(partial.bytes.len());
        let fits = !more.bytes.is_empty() && more.bytes.len() <= room;
        if more.lane != partial.lane || !fits {
            return None;
        }
        partial.bytes.extend_from_slice(&more.bytes);
        self.grow(partial, pieces);
        Some(())
    }

    /// Whether neither an item nor a piece has come in part, and no answer is to come.
    fn is_between_items(&self) -> bool {
        self.item.is_none() && self.pieces.is_between() && self.telling.is_between()
    }

    /// Gives an item out once it is whole.
    fn grow(&mut self, partial: Partial, pieces: &mut Vec<Piece>) {
        if partial.bytes.len() == partial.size {
            pieces.push(Piece::Item {
                kind: partial.kind,
                bytes: partial.bytes,
            });
        } else {
            self.item = Some(partial);
        }
    }
}

/// The beginning of an item, unless it claims a size that none has.
fn begun(item: ItemFrame) -> Option<Partial> {
    let size = usize::try_from(item.size).ok()?;
    let fits = size <= most_bytes(item.kind) && item.bytes.len() <= size;
    (fits && !item.bytes.is_empty()).then_some(Partial {
        kind: item.kind,
        lane: item.lane,
        size,
        bytes: item.bytes,
    })
}

/// Derives the key of a part that is for us.
fn open(head: &PartHead, own: ClinicId, sealing: &SealingKey) -> Result<Context, BundleError> {
    if head.recipient != own {
        return Err(BundleError::ForAnother {
            recipient: head.recipient,
            bundle: head.bundle,
        });
    }
    let altered = |_| BundleError::Altered { block: 0 };
    let private = <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(sealing.to_bytes().as_ref())
        .map_err(|_| BundleError::UnusableKey)?;
    let encapsulated =
        <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(&head.encapsulated).map_err(altered)?;
    hpke::setup_receiver(&OpModeR::Base, &private, &encapsulated, &head.info()).map_err(altered)
}

/// Takes the next block from what has come, if it is there.
fn next_block(bytes: &mut Vec<u8>, block: u64) -> Result<Option<Vec<u8>>, BundleError> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return Ok(None);
    };
    let claimed = u32::from_be_bytes(*length);
    let length = usize::try_from(claimed).unwrap_or(usize::MAX);
    if length > MAX_BLOCK_BYTES + TAG_BYTES || length <= TAG_BYTES {
        return Err(BundleError::BlockLength {
            block,
            bytes: u64::from(claimed),
        });
    }
    let Some(sealed) = rest.get(..length).map(<[u8]>::to_vec) else {
        return Ok(None);
    };
    bytes.drain(..length.saturating_add(LENGTH_BYTES));
    Ok(Some(sealed))
}
