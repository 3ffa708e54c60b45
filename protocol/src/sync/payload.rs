//! The payloads of frames that are more than a single value.

use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

use super::item::{ItemKind, Lane};
use super::limits::{
    ASKED_NAMES_A_FRAME, FRAGMENT_BYTES, SYMBOLS_FILL_BYTES, WANTED_KEYS_A_FRAME,
    WANTED_MOST_PIECES, WANTED_SPANS_A_FRAME,
};
use crate::attachment::AttachmentName;
use crate::codec::{self, Bounded, CodecError, at_most};
use crate::reconcile::key::{decode_keys, encode_keys};
use crate::reconcile::{ItemKey, Range};

/// What the receiver of items has got, counted from the start of the session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct AckFrame {
    /// Items that are durable, in the order of their arrival.
    #[n(0)]
    pub(super) items: u64,
    /// Bytes of fragments that have come.
    #[n(1)]
    pub(super) bytes: u64,
}

/// Ranges of one turn, or a part of them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct RangesFrame {
    #[n(0)]
    pub(super) kind: ItemKind,
    /// Whether the turn ends with this frame.
    #[n(1)]
    pub(super) last: bool,
    #[n(2)]
    pub(super) ranges: Vec<Range>,
}

/// Symbols of one flight, or a part of them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct SymbolsFrame {
    #[n(0)]
    pub(super) kind: ItemKind,
    /// How many items of the kind the sender shares with the receiver.
    #[n(1)]
    pub(super) items: u64,
    /// The index of the first symbol here.
    #[n(2)]
    pub(super) first: u32,
    #[cbor(n(3), with = "minicbor::bytes")]
    pub(super) bytes: Vec<u8>,
}

/// What symbols led to that did not suffice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct FurtherFrame {
    #[n(0)]
    pub(super) kind: ItemKind,
    /// Up to which index more symbols are wanted; none when ranges follow instead.
    #[n(1)]
    pub(super) upto: Option<u32>,
}

/// Keys of items that the sender lacks, or a part of them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct WantedFrame {
    #[n(0)]
    pub(super) kind: ItemKind,
    /// Whether these are the last ones.
    #[n(1)]
    pub(super) last: bool,
    #[n(2)]
    pub(super) keys: WantedKeys,
}

/// Keys in ascending order, 8 bytes each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WantedKeys(pub(super) Vec<ItemKey>);

impl<C> Encode<C> for WantedKeys {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        encode_keys(e, &self.0)
    }
}

impl<'b, C> Decode<'b, C> for WantedKeys {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, DecodeError> {
        decode_keys(d, WANTED_KEYS_A_FRAME).map(Self)
    }
}

/// The first fragment of an item.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct ItemFrame {
    #[n(0)]
    pub(super) lane: Lane,
    #[n(1)]
    pub(super) kind: ItemKind,
    /// Bytes of the whole item.
    #[n(2)]
    pub(super) size: u64,
    #[cbor(n(3), with = "minicbor::bytes")]
    pub(super) bytes: Vec<u8>,
}

/// A further fragment of the item in a lane.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct MoreFrame {
    #[n(0)]
    pub(super) lane: Lane,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(super) bytes: Vec<u8>,
}

/// Pieces of an attachment that the sender wants.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct WantFrame {
    /// By which the answers name it.
    #[n(0)]
    pub(super) number: u32,
    #[n(1)]
    pub(super) name: AttachmentName,
    /// Bytes of the content, from which the pieces follow.
    #[n(2)]
    pub(super) length: u64,
    #[n(3)]
    pub(super) pieces: Vec<Span>,
}

/// Pieces in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct Span {
    #[n(0)]
    pub(super) first: u32,
    #[n(1)]
    pub(super) count: u32,
}

impl Span {
    /// The numbers of the pieces.
    pub(super) fn numbers(&self) -> core::ops::Range<u32> {
        self.first..self.first.saturating_add(self.count)
    }
}

/// The first fragment of a piece.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct PieceFrame {
    #[n(0)]
    pub(super) number: u32,
    #[n(1)]
    pub(super) piece: u32,
    /// Bytes of the whole piece.
    #[n(2)]
    pub(super) size: u32,
    #[cbor(n(3), with = "minicbor::bytes")]
    pub(super) bytes: Vec<u8>,
}

/// A further fragment of the piece.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct RestFrame {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) bytes: Vec<u8>,
}

/// Pieces that were wanted and are not to be had.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct LackFrame {
    #[n(0)]
    pub(super) number: u32,
    #[n(1)]
    pub(super) pieces: Vec<Span>,
}

/// A question whether the receiver holds attachments.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct AskFrame {
    /// By which the answers name it.
    #[n(0)]
    pub(super) number: u32,
    #[n(1)]
    pub(super) of: Vec<InDoubt>,
}

/// An attachment of which it is not known whether the peer holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct InDoubt {
    #[n(0)]
    pub(super) name: AttachmentName,
    /// Bytes of the content.
    #[n(1)]
    pub(super) length: u64,
}

/// Which of the attachments of a question the sender holds, by their places in it, ascending.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct HeldFrame {
    #[n(0)]
    pub(super) number: u32,
    #[n(1)]
    pub(super) held: Vec<u32>,
}

/// A payload of one value, or of none.
#[derive(Debug, Encode, Decode)]
#[cbor(array)]
pub(super) struct One<T> {
    #[n(0)]
    pub(super) value: T,
}

/// A payload without a value.
#[derive(Debug, Encode, Decode)]
#[cbor(array)]
pub(super) struct Nothing {}

impl<T> Bounded for One<T> {
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}

impl Bounded for Nothing {
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}

impl Bounded for AckFrame {
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}

impl Bounded for RangesFrame {
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}

impl Bounded for SymbolsFrame {
    fn check(&self) -> Result<(), CodecError> {
        at_most("symbols", self.bytes.len(), SYMBOLS_FILL_BYTES)
    }
}

impl Bounded for FurtherFrame {
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}

impl Bounded for WantedFrame {
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}

impl Bounded for ItemFrame {
    fn check(&self) -> Result<(), CodecError> {
        at_most("fragment", self.bytes.len(), FRAGMENT_BYTES)
    }
}

impl Bounded for MoreFrame {
    fn check(&self) -> Result<(), CodecError> {
        at_most("fragment", self.bytes.len(), FRAGMENT_BYTES)
    }
}

impl Bounded for WantFrame {
    fn check(&self) -> Result<(), CodecError> {
        check_spans(&self.pieces)
    }
}

impl Bounded for PieceFrame {
    fn check(&self) -> Result<(), CodecError> {
        at_most("fragment", self.bytes.len(), FRAGMENT_BYTES)
    }
}

impl Bounded for RestFrame {
    fn check(&self) -> Result<(), CodecError> {
        at_most("fragment", self.bytes.len(), FRAGMENT_BYTES)
    }
}

impl Bounded for LackFrame {
    fn check(&self) -> Result<(), CodecError> {
        check_spans(&self.pieces)
    }
}

impl Bounded for AskFrame {
    fn check(&self) -> Result<(), CodecError> {
        if self.of.is_empty() {
            return Err(CodecError::OutOfBounds { what: "names" });
        }
        at_most("names", self.of.len(), ASKED_NAMES_A_FRAME)
    }
}

impl Bounded for HeldFrame {
    fn check(&self) -> Result<(), CodecError> {
        if !self.held.is_sorted_by(|one, next| one < next) {
            return Err(CodecError::OutOfBounds { what: "names" });
        }
        at_most("names", self.held.len(), ASKED_NAMES_A_FRAME)
    }
}

/// Spans that are not empty, in their order, of no more pieces than are ever wanted at a time.
fn check_spans(spans: &[Span]) -> Result<(), CodecError> {
    let wrong = CodecError::OutOfBounds { what: "pieces" };
    at_most("pieces", spans.len(), WANTED_SPANS_A_FRAME)?;
    let mut end = 0;
    let mut pieces = 0_u32;
    for span in spans {
        if span.count == 0 || span.first < end {
            return Err(wrong);
        }
        end = span.first.checked_add(span.count).ok_or(wrong)?;
        pieces = pieces.checked_add(span.count).ok_or(wrong)?;
    }
    let pieces = usize::try_from(pieces).map_err(|_| wrong)?;
    if spans.is_empty() {
        return Err(wrong);
    }
    at_most("pieces", pieces, WANTED_MOST_PIECES)
}

/// Reads a payload of one value.
pub(super) fn one<T>(payload: &[u8]) -> Result<T, CodecError>
where
    T: for<'b> Decode<'b, ()> + Encode<()>,
{
    codec::decode::<One<T>>(payload).map(|one| one.value)
}
