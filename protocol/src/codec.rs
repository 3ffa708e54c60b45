//! One encoding for every format: deterministic CBOR (RFC 8949 §4.2.1) behind a version byte.
//!
//! Structures are arrays of known length, integers and lengths take their shortest form. The
//! decoder proves it by encoding again what it read: one meaning has exactly one spelling, so a
//! signature over the bytes is a signature over the meaning.

use core::convert::Infallible;

use minicbor::{Decode, Encode};

/// Bytes that are not a value of the expected format. The sender is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// There are no bytes at all.
    #[error("the value is empty")]
    Empty,
    /// More bytes than the format allows.
    #[error("the value has {found} bytes, more than the {most} allowed")]
    TooLarge {
        /// Bytes received.
        found: usize,
        /// The limit.
        most: usize,
    },
    /// A version that this program does not know: a newer program may have written it.
    #[error("version {found} is unknown here; this program reads up to version {known}")]
    UnknownVersion {
        /// The version found.
        found: u8,
        /// The newest version known.
        known: u8,
    },
    /// A kind of statement that this program does not know: a newer program may have written it.
    #[error("statements of kind {found} are unknown here")]
    UnknownKind {
        /// The kind found.
        found: u8,
    },
    /// The bytes end early or do not have the format's structure.
    #[error("the value is malformed at byte {at}")]
    Malformed {
        /// Where reading stopped, counted from the start of the value.
        at: usize,
    },
    /// The value is whole and more bytes follow it.
    #[error("{extra} bytes follow the value")]
    Trailing {
        /// How many.
        extra: usize,
    },
    /// The value could be written in another way than it was.
    #[error("the value is not in its canonical form")]
    NotCanonical,
    /// A part of the value is outside the format's bounds.
    #[error("{what} is out of bounds")]
    OutOfBounds {
        /// The part.
        what: &'static str,
    },
}

/// A value that knows the bounds of its parts, which its CBOR structure alone does not show.
pub(crate) trait Bounded {
    /// Refuses a value with a part out of bounds.
    fn check(&self) -> Result<(), CodecError>;
}

/// Encodes a value without a version byte.
pub(crate) fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Ok(()) = minicbor::encode(value, Sink(&mut bytes)).map_err(unreachable_error) else {
        return Vec::new();
    };
    bytes
}

/// Encodes a value behind its version byte.
pub(crate) fn encode_versioned<T: Encode<()>>(version: u8, value: &T) -> Vec<u8> {
    let mut bytes = vec![version];
    bytes.append(&mut encode(value));
    bytes
}

/// Decodes a value that has no version byte.
pub(crate) fn decode<T>(bytes: &[u8]) -> Result<T, CodecError>
where
    T: for<'b> Decode<'b, ()> + Encode<()> + Bounded,
{
    let mut decoder = minicbor::Decoder::new(bytes);
    let value: T = match decoder.decode() {
        Ok(value) => value,
        Err(error) => {
            let at = error.position().unwrap_or_else(|| decoder.position());
            return Err(CodecError::Malformed { at });
        }
    };
    let extra = bytes.len().saturating_sub(decoder.position());
    if extra > 0 {
        return Err(CodecError::Trailing { extra });
    }
    value.check()?;
    if encode(&value) != bytes {
        return Err(CodecError::NotCanonical);
    }
    Ok(value)
}

/// Decodes a value behind its version byte, of at most `most` bytes.
pub(crate) fn decode_versioned<T>(version: u8, most: usize, bytes: &[u8]) -> Result<T, CodecError>
where
    T: for<'b> Decode<'b, ()> + Encode<()> + Bounded,
{
    decode(strip_version(version, most, bytes)?)
}

/// The bytes behind the version byte, once size and version are known to be right.
pub(crate) fn strip_version(version: u8, most: usize, bytes: &[u8]) -> Result<&[u8], CodecError> {
    let (found, rest) = bytes.split_first().ok_or(CodecError::Empty)?;
    if *found != version {
        return Err(CodecError::UnknownVersion {
            found: *found,
            known: version,
        });
    }
    if bytes.len() > most {
        return Err(CodecError::TooLarge {
            found: bytes.len(),
            most,
        });
    }
    Ok(rest)
}

/// Refuses a part with more than `most` elements or bytes.
pub(crate) fn at_most(what: &'static str, found: usize, most: usize) -> Result<(), CodecError> {
    if found > most {
        Err(CodecError::OutOfBounds { what })
    } else {
        Ok(())
    }
}

/// Refuses a list that is not strictly ascending: a set has one spelling only.
pub(crate) fn ascending<T: Ord>(what: &'static str, items: &[T]) -> Result<(), CodecError> {
    let sorted = items.iter().zip(items.iter().skip(1)).all(|(a, b)| a < b);
    if sorted {
        Ok(())
    } else {
        Err(CodecError::OutOfBounds { what })
    }
}

/// Refuses a text that is too long or has control characters.
pub(crate) fn plain_text(what: &'static str, text: &str, most: usize) -> Result<(), CodecError> {
    if text.len() > most || text.chars().any(char::is_control) {
        return Err(CodecError::OutOfBounds { what });
    }
    Ok(())
}

/// A growing buffer: writing to it cannot fail, and its error type says so.
struct Sink<'a>(&'a mut Vec<u8>);

impl minicbor::encode::Write for Sink<'_> {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// No `Encode` of this crate reports a message of its own, and the buffer cannot fail.
fn unreachable_error(_: minicbor::encode::Error<Infallible>) {
    debug_assert!(false, "encoding into memory cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Encode, Decode)]
    #[cbor(array)]
    struct Pair {
        #[n(0)]
        number: u64,
        #[n(1)]
        list: Vec<u8>,
    }

    impl Bounded for Pair {
        fn check(&self) -> Result<(), CodecError> {
            at_most("list", self.list.len(), 3)
        }
    }

    fn read(bytes: &[u8]) -> Result<Pair, CodecError> {
        decode_versioned(1, 16, bytes)
    }

    #[test]
    fn a_value_reads_back() {
        let pair = Pair {
            number: 7,
            list: vec![1, 2],
        };
        let bytes = encode_versioned(1, &pair);
        assert_eq!(bytes, [1, 0x82, 7, 0x82, 1, 2]);
        assert_eq!(read(&bytes), Ok(pair));
    }

    #[test]
    fn nothing_is_refused() {
        assert_eq!(read(&[]), Err(CodecError::Empty));
    }

    #[test]
    fn an_unknown_version_is_named() {
        let found = read(&[9, 0x82, 7, 0x80]);
        assert_eq!(
            found,
            Err(CodecError::UnknownVersion { found: 9, known: 1 })
        );
    }

    #[test]
    fn trailing_bytes_are_refused() {
        assert_eq!(
            read(&[1, 0x82, 7, 0x80, 0]),
            Err(CodecError::Trailing { extra: 1 })
        );
    }

    #[test]
    fn a_number_in_a_longer_form_is_refused() {
        assert_eq!(
            read(&[1, 0x82, 0x18, 7, 0x80]),
            Err(CodecError::NotCanonical)
        );
    }

    #[test]
    fn a_list_of_indefinite_length_is_refused() {
        assert_eq!(
            read(&[1, 0x82, 7, 0x9f, 1, 0xff]),
            Err(CodecError::NotCanonical)
        );
    }

    #[test]
    fn a_structure_of_indefinite_length_is_refused() {
        assert_eq!(
            read(&[1, 0x9f, 7, 0x80, 0xff]),
            Err(CodecError::NotCanonical)
        );
    }

    #[test]
    fn an_unknown_field_is_refused() {
        assert_eq!(read(&[1, 0x83, 7, 0x80, 0]), Err(CodecError::NotCanonical));
    }

    #[test]
    fn a_part_out_of_bounds_is_refused() {
        let found = read(&[1, 0x82, 7, 0x84, 1, 2, 3, 4]);
        assert_eq!(found, Err(CodecError::OutOfBounds { what: "list" }));
    }

    #[test]
    fn a_claimed_length_is_not_believed() {
        let found = read(&[
            1, 0x82, 7, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ]);
        assert!(matches!(found, Err(CodecError::Malformed { .. })));
    }

    #[test]
    fn too_many_bytes_are_refused_before_reading() {
        assert_eq!(
            read(&[1; 17]),
            Err(CodecError::TooLarge {
                found: 17,
                most: 16
            })
        );
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = encode_versioned(
            1,
            &Pair {
                number: 70_000,
                list: vec![1, 200],
            },
        );
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end]).is_err(), "{end} bytes");
        }
    }
}
