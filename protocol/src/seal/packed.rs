//! Content as it is sealed: `form | bytes`, where the bytes are canonical CBOR as it is or under
//! zstd (RFC 8878), whichever is shorter. Each [`RecordForm`] has a form byte for either.

use minicbor::{Decode, Encode};

use super::form::RecordForm;
use crate::codec::{self, Bounded, CodecError, at_most};
use crate::limits::MAX_RECORD_PLAIN;

/// Packs a value.
pub(super) fn pack<T>(form: RecordForm, level: i32, value: &T) -> Result<Vec<u8>, CodecError>
where
    T: Encode<()> + Bounded,
{
    value.check()?;
    let plain = codec::encode(value);
    at_most("content", plain.len(), MAX_RECORD_PLAIN)?;
    let packed = zstd::bulk::compress(&plain, level).ok();
    let (byte, bytes) = match packed.filter(|packed| packed.len() < plain.len()) {
        Some(packed) => (form.packed(), packed),
        None => (form.stored(), plain),
    };
    Ok([&[byte], bytes.as_slice()].concat())
}

/// Unpacks a value of the form that is expected.
pub(super) fn unpack<T>(form: RecordForm, bytes: &[u8]) -> Result<T, CodecError>
where
    T: for<'b> Decode<'b, ()> + Encode<()> + Bounded,
{
    let (byte, bytes) = bytes.split_first().ok_or(CodecError::Empty)?;
    match *byte {
        byte if byte == form.stored() => codec::decode(bytes),
        byte if byte == form.packed() => codec::decode(&decompress(bytes)?),
        found => Err(CodecError::UnknownVersion {
            found,
            known: form.packed(),
        }),
    }
}

/// Unpacks at most [`MAX_RECORD_PLAIN`] bytes, whatever the packed bytes claim.
fn decompress(packed: &[u8]) -> Result<Vec<u8>, CodecError> {
    let too_large = CodecError::OutOfBounds { what: "content" };
    match zstd::bulk::Decompressor::upper_bound(packed) {
        Some(size) if size > MAX_RECORD_PLAIN => return Err(too_large),
        Some(size) => zstd::bulk::decompress(packed, size),
        None => return Err(too_large),
    }
    .map_err(|_| CodecError::Malformed { at: 1 })
}

/// Byte strings in CBOR: an array of them.
pub(super) mod byte_strings {
    use minicbor::decode::Error as DecodeError;
    use minicbor::encode::{Error as EncodeError, Write};
    use minicbor::{Decoder, Encoder};

    pub(in crate::seal) fn encode<C, W: Write>(
        strings: &[Vec<u8>],
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        e.array(u64::try_from(strings.len()).unwrap_or(u64::MAX))?;
        for string in strings {
            e.bytes(string)?;
        }
        Ok(())
    }

    pub(in crate::seal) fn decode<C>(
        d: &mut Decoder<'_>,
        _: &mut C,
    ) -> Result<Vec<Vec<u8>>, DecodeError> {
        let at = d.position();
        let indefinite = DecodeError::message("byte strings of unknown number").at(at);
        let mut strings = Vec::new();
        for _ in 0..d.array()?.ok_or(indefinite)? {
            strings.push(d.bytes()?.to_vec());
        }
        Ok(strings)
    }
}
