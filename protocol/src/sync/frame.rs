//! Frames: what goes over the stream, piece by piece.
//!
//! ```text
//! frame = length u16, big-endian | type u8 | payload of that length, at most 4096
//!
//!  1 HELLO        see `hello`                       first, once
//!  2 CERTIFICATE  bytes                             a node's; before what needs it
//!  3 SETTLED      []                                all statements owed have been sent
//!  4 SENT         [upto]                            all items up to this feed number as well
//!  5 ACK          [items, bytes]                    so many items are durable, and so many bytes
//!                                                  of fragments here, since the session began
//!  6 DIGEST       see `hello`                       the comparison at the end
//!  7 REFRESH      Standing, see `hello`             compare again, on an idle session
//!  8 RANGES       [kind, last, [Range, ...]]        see `reconcile::range`
//!  9 ITEM         [lane, kind, size, bytes]         an item, or its first fragment
//! 10 MORE         [lane, bytes]                     the next fragment in that lane
//! 11 DROP         [lane]                            forget the fragments in that lane
//! 12 PING         []
//! 13 PONG         []
//! 14 CLOSE        [code]
//! 15 SYMBOLS      [kind, items, first, bytes]       see `reconcile::sketch::symbol`
//! 16 FURTHER      [kind, upto / null]               more symbols up to there, or ranges instead
//! 17 WANTED       [kind, last, bytes]               keys of 8 bytes: these items are wanted
//! 18 WANT         [number, name, length, spans]     see `attachment`, as for those that follow:
//! 19 PIECE        [number, piece, size, bytes]      a piece, or its first fragment
//! 20 REST         [bytes]                           its next fragment
//! 21 LACK         [number, spans]                   these pieces are not to be had
//! 22 ENOUGH       []                                nothing more is wanted
//! 23 ASK          [number, names with lengths]      whether these attachments are held
//! 24 HELD         [number, places]                  which of them are
//! 25 REVOCATION   bytes                             the receiver's clinic has cut it off
//! ```
//!
//! Payloads are deterministic CBOR; a payload that is spelled in another way is refused.

use core::fmt;

use super::close::CloseCode;
use super::hello::{Check, Hello, Standing, VERSION};
use super::item::Lane;
use super::limits::{MAX_HELLO_BYTES, MAX_PAYLOAD_BYTES};
use super::payload::{
    AckFrame, AskFrame, FurtherFrame, HeldFrame, ItemFrame, LackFrame, MoreFrame, Nothing, One,
    PieceFrame, RangesFrame, RestFrame, SymbolsFrame, WantFrame, WantedFrame, one,
};
use crate::codec::{self, CodecError, at_most};
use crate::limits::MAX_CERTIFICATE_BYTES;
use crate::reconcile::FeedNumber;

/// Bytes before the payload.
pub(super) const HEADER_BYTES: usize = 3;

/// Bytes that are no frame. The peer is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The payload is longer than any may be.
    #[error("a frame of {bytes} bytes, {MAX_PAYLOAD_BYTES} are allowed")]
    TooLong {
        /// The announced length.
        bytes: usize,
    },
    /// The type is unknown.
    #[error("a frame of the unknown type {byte}")]
    UnknownType {
        /// The type.
        byte: u8,
    },
    /// The payload is not what the type demands.
    #[error("in a frame of type {frame}, {error}")]
    Payload {
        /// The type.
        frame: FrameType,
        /// What is wrong.
        error: CodecError,
    },
}

impl FrameError {
    /// What the peer is told.
    pub const fn code(&self) -> CloseCode {
        match self {
            Self::TooLong { .. } => CloseCode::TooLarge,
            Self::UnknownType { .. }
            | Self::Payload {
                error: CodecError::UnknownVersion { .. },
                ..
            } => CloseCode::Unsupported,
            Self::Payload { .. } => CloseCode::Malformed,
        }
    }
}

macro_rules! frame_types {
    ($($(#[$doc:meta])* $name:ident = $byte:literal $text:literal,)*) => {
        /// The type of a frame.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum FrameType {
            $($(#[$doc])* $name = $byte,)*
        }

        impl FrameType {
            /// The type with this byte.
            pub const fn from_byte(byte: u8) -> Option<Self> {
                match byte {
                    $($byte => Some(Self::$name),)*
                    _ => None,
                }
            }
        }

        impl fmt::Display for FrameType {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$name => $text,)*
                })
            }
        }
    };
}

frame_types! {
    /// Who the sender is and where its store stands.
    Hello = 1 "HELLO",
    /// A node certificate.
    Certificate = 2 "CERTIFICATE",
    /// All statements owed have been sent.
    Settled = 3 "SETTLED",
    /// Everything owed up to a feed number has been sent.
    Sent = 4 "SENT",
    /// So many items are durable.
    Ack = 5 "ACK",
    /// The comparison at the end of an exchange.
    Digest = 6 "DIGEST",
    /// Where the sender's store stands now.
    Refresh = 7 "REFRESH",
    /// Ranges of the key space.
    Ranges = 8 "RANGES",
    /// The first or only fragment of an item.
    Item = 9 "ITEM",
    /// A further fragment.
    More = 10 "MORE",
    /// An item that is not sent to its end.
    Drop = 11 "DROP",
    /// A request for a sign of life.
    Ping = 12 "PING",
    /// A sign of life.
    Pong = 13 "PONG",
    /// The end.
    Close = 14 "CLOSE",
    /// Coded symbols of what the sender shares.
    Symbols = 15 "SYMBOLS",
    /// The symbols so far did not suffice.
    Further = 16 "FURTHER",
    /// Keys of items that the symbols showed and the sender lacks.
    Wanted = 17 "WANTED",
    /// Pieces of an attachment that the sender wants.
    Want = 18 "WANT",
    /// The first or only fragment of a piece.
    Piece = 19 "PIECE",
    /// A further fragment of it.
    Rest = 20 "REST",
    /// Pieces that were wanted and are not to be had.
    Lack = 21 "LACK",
    /// The sender wants no more pieces.
    Enough = 22 "ENOUGH",
    /// Whether the receiver holds attachments.
    Ask = 23 "ASK",
    /// Which of them the sender holds.
    Held = 24 "HELD",
    /// By what the receiver's clinic has cut it off.
    Revocation = 25 "REVOCATION",
}

/// A frame, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    Hello(Hello),
    Certificate(Vec<u8>),
    Settled,
    Sent(FeedNumber),
    Ack(AckFrame),
    Digest(Check),
    Refresh(Standing),
    Ranges(RangesFrame),
    Item(ItemFrame),
    More(MoreFrame),
    Drop(Lane),
    Ping,
    Pong,
    Close(CloseCode),
    Symbols(SymbolsFrame),
    Further(FurtherFrame),
    Wanted(WantedFrame),
    Want(WantFrame),
    Piece(PieceFrame),
    Rest(Vec<u8>),
    Lack(LackFrame),
    Enough,
    Ask(AskFrame),
    Held(HeldFrame),
    Revocation(Vec<u8>),
}

impl Frame {
    /// The type.
    pub(super) const fn frame_type(&self) -> FrameType {
        match self {
            Self::Hello(_) => FrameType::Hello,
            Self::Certificate(_) => FrameType::Certificate,
            Self::Settled => FrameType::Settled,
            Self::Sent(_) => FrameType::Sent,
            Self::Ack(_) => FrameType::Ack,
            Self::Digest(_) => FrameType::Digest,
            Self::Refresh(_) => FrameType::Refresh,
            Self::Ranges(_) => FrameType::Ranges,
            Self::Item(_) => FrameType::Item,
            Self::More(_) => FrameType::More,
            Self::Drop(_) => FrameType::Drop,
            Self::Ping => FrameType::Ping,
            Self::Pong => FrameType::Pong,
            Self::Close(_) => FrameType::Close,
            Self::Symbols(_) => FrameType::Symbols,
            Self::Further(_) => FrameType::Further,
            Self::Wanted(_) => FrameType::Wanted,
            Self::Want(_) => FrameType::Want,
            Self::Piece(_) => FrameType::Piece,
            Self::Rest(_) => FrameType::Rest,
            Self::Lack(_) => FrameType::Lack,
            Self::Enough => FrameType::Enough,
            Self::Ask(_) => FrameType::Ask,
            Self::Held(_) => FrameType::Held,
            Self::Revocation(_) => FrameType::Revocation,
        }
    }

    /// Appends the frame to what is to be sent.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let payload = self.payload();
        debug_assert!(
            payload.len() <= MAX_PAYLOAD_BYTES,
            "{} is too long",
            self.frame_type()
        );
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.push(self.frame_type() as u8);
        out.extend_from_slice(&payload);
    }

    fn payload(&self) -> Vec<u8> {
        match self {
            Self::Hello(hello) => codec::encode_versioned(VERSION, hello),
            Self::Certificate(bytes) | Self::Revocation(bytes) => bytes.clone(),
            Self::Settled | Self::Ping | Self::Pong | Self::Enough => codec::encode(&Nothing {}),
            Self::Sent(upto) => codec::encode(&One { value: *upto }),
            Self::Ack(ack) => codec::encode(ack),
            Self::Digest(check) => codec::encode(check),
            Self::Refresh(standing) => codec::encode(standing),
            Self::Ranges(ranges) => codec::encode(ranges),
            Self::Item(item) => codec::encode(item),
            Self::More(more) => codec::encode(more),
            Self::Drop(lane) => codec::encode(&One { value: *lane }),
            Self::Close(code) => codec::encode(&One { value: code.byte() }),
            Self::Symbols(symbols) => codec::encode(symbols),
            Self::Further(further) => codec::encode(further),
            Self::Wanted(wanted) => codec::encode(wanted),
            Self::Want(want) => codec::encode(want),
            Self::Piece(piece) => codec::encode(piece),
            Self::Rest(bytes) => codec::encode(&RestFrame {
                bytes: bytes.clone(),
            }),
            Self::Lack(lack) => codec::encode(lack),
            Self::Ask(ask) => codec::encode(ask),
            Self::Held(held) => codec::encode(held),
        }
    }

    /// Reads the payload of a frame.
    fn read(frame: FrameType, payload: &[u8]) -> Result<Self, CodecError> {
        let nothing = |it: Self| codec::decode::<Nothing>(payload).map(|_| it);
        match frame {
            FrameType::Hello => {
                codec::decode_versioned(VERSION, MAX_HELLO_BYTES, payload).map(Self::Hello)
            }
            FrameType::Certificate => {
                at_most("certificate", payload.len(), MAX_CERTIFICATE_BYTES)?;
                Ok(Self::Certificate(payload.to_vec()))
            }
            FrameType::Settled => nothing(Self::Settled),
            FrameType::Ping => nothing(Self::Ping),
            FrameType::Pong => nothing(Self::Pong),
            FrameType::Sent => one(payload).map(Self::Sent),
            FrameType::Ack => codec::decode(payload).map(Self::Ack),
            FrameType::Digest => codec::decode(payload).map(Self::Digest),
            FrameType::Refresh => codec::decode(payload).map(Self::Refresh),
            FrameType::Ranges => codec::decode(payload).map(Self::Ranges),
            FrameType::Item => codec::decode(payload).map(Self::Item),
            FrameType::More => codec::decode(payload).map(Self::More),
            FrameType::Drop => one(payload).map(Self::Drop),
            FrameType::Close => one(payload).map(|byte| Self::Close(CloseCode::from_byte(byte))),
            FrameType::Symbols => codec::decode(payload).map(Self::Symbols),
            FrameType::Further => codec::decode(payload).map(Self::Further),
            FrameType::Wanted => codec::decode(payload).map(Self::Wanted),
            FrameType::Want => codec::decode(payload).map(Self::Want),
            FrameType::Piece => codec::decode(payload).map(Self::Piece),
            FrameType::Rest => {
                codec::decode::<RestFrame>(payload).map(|rest| Self::Rest(rest.bytes))
            }
            FrameType::Lack => codec::decode(payload).map(Self::Lack),
            FrameType::Enough => nothing(Self::Enough),
            FrameType::Ask => codec::decode(payload).map(Self::Ask),
            FrameType::Held => codec::decode(payload).map(Self::Held),
            FrameType::Revocation => Ok(Self::Revocation(payload.to_vec())),
        }
    }
}

/// Cuts a stream of bytes, which come in pieces of any size, into frames. Holds at most one frame
/// and the last piece.
#[derive(Debug, Default)]
pub(super) struct FrameReader {
    bytes: Vec<u8>,
    read: usize,
}

impl FrameReader {
    /// Takes a piece of the stream. Read all frames before the next piece.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.bytes.drain(..self.read);
        self.read = 0;
        self.bytes.extend_from_slice(piece);
    }

    /// Whether everything that was taken has been read: no frame has come in part.
    pub(super) fn is_between_frames(&self) -> bool {
        self.read >= self.bytes.len()
    }

    /// The next frame, or `None` until more has come.
    pub(super) fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let rest = self.bytes.get(self.read..).unwrap_or_default();
        let Some(([high, low, byte], rest)) = rest.split_first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length > MAX_PAYLOAD_BYTES {
            return Err(FrameError::TooLong { bytes: length });
        }
        let frame = FrameType::from_byte(*byte).ok_or(FrameError::UnknownType { byte: *byte })?;
        let Some(payload) = rest.get(..length) else {
            return Ok(None);
        };
        let read =
            Frame::read(frame, payload).map_err(|error| FrameError::Payload { frame, error })?;
        self.read = self
            .read
            .saturating_add(HEADER_BYTES)
            .saturating_add(length);
        Ok(Some(read))
    }
}
