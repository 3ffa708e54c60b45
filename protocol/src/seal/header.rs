//! What a record shows to everyone: `version 1 | chart 16 | compartment tag 8 | epoch 8 |
//! author 32 | incarnation 4 | sequence varint | previous link 8 | nonce 24`.
//!
//! The incarnation is big-endian; the sequence is unsigned LEB128 in its shortest form, 1 to 10
//! bytes.

use super::form::{MARK_LEN, RecordForm};
pub(super) use crate::cipher::NONCE_LEN;
use crate::codec::CodecError;
use crate::id::{ChartId, CompartmentTag, EpochId, Incarnation, NodeId, RecordLink, Sequence};
use crate::ledger::ChartSecret;

/// The version of records that this program writes.
pub(super) const VERSION: u8 = 1;

const MAX_VARINT: usize = 10;

/// Where a record goes: what the author decides before sealing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordPlace {
    /// The chart.
    pub chart: ChartId,
    /// The compartment.
    pub compartment: CompartmentTag,
    /// The incarnation of the author's store.
    pub incarnation: Incarnation,
    /// The place among the author's records of this compartment and incarnation, from 0.
    pub sequence: Sequence,
    /// The link of the author's record before it; [`RecordLink::FIRST`] for the first.
    pub previous: RecordLink,
}

/// The clear header of a record: all that a relay learns of it. The nonce tells insiders what the
/// record holds; see [`RecordForm`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader {
    /// Chart, compartment and place.
    pub place: RecordPlace,
    /// The epoch under whose key the content is sealed.
    pub epoch: EpochId,
    /// The node that wrote and signed it.
    pub author: NodeId,
    pub(super) nonce: [u8; NONCE_LEN],
}

impl RecordHeader {
    /// What the record holds, by the mark in its nonce. The content may still be something else:
    /// then the author is at fault, and it does not open.
    pub fn form(&self, secret: &ChartSecret) -> RecordForm {
        RecordForm::read(secret, &self.encode())
    }

    /// Puts the mark of a form into the nonce.
    pub(super) fn marked(mut self, form: RecordForm, secret: &ChartSecret) -> Self {
        let head = self.encode();
        let before = head
            .split_last_chunk::<MARK_LEN>()
            .map_or(&[][..], |(head, _)| head);
        if let (Some(mark), Some(end)) = (
            form.mark(secret, before),
            self.nonce.last_chunk_mut::<MARK_LEN>(),
        ) {
            *end = mark;
        }
        self
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let place = &self.place;
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(place.chart.as_bytes());
        bytes.extend_from_slice(place.compartment.as_bytes());
        bytes.extend_from_slice(self.epoch.as_bytes());
        bytes.extend_from_slice(self.author.as_bytes());
        bytes.extend_from_slice(&place.incarnation.value().to_be_bytes());
        write_varint(place.sequence.value(), &mut bytes);
        bytes.extend_from_slice(place.previous.as_bytes());
        bytes.extend_from_slice(&self.nonce);
        bytes
    }

    /// Reads a header; returns it and the bytes behind it.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), CodecError> {
        let (version, rest) = bytes.split_first().ok_or(CodecError::Empty)?;
        if *version != VERSION {
            return Err(CodecError::UnknownVersion {
                found: *version,
                known: VERSION,
            });
        }
        let mut reader = Reader {
            rest,
            whole: bytes.len(),
        };
        let chart = ChartId::new(reader.take()?);
        let compartment = CompartmentTag::new(reader.take()?);
        let epoch = EpochId::new(reader.take()?);
        let author = NodeId::new(reader.take()?);
        let incarnation = Incarnation::new(u32::from_be_bytes(reader.take()?));
        let sequence = Sequence::new(reader.varint()?);
        let previous = RecordLink::new(reader.take()?);
        let nonce = reader.take()?;
        let place = RecordPlace {
            chart,
            compartment,
            incarnation,
            sequence,
            previous,
        };
        place.check()?;
        Ok((
            Self {
                place,
                epoch,
                author,
                nonce,
            },
            reader.rest,
        ))
    }
}

impl RecordPlace {
    /// A first record has no link, and every other one has.
    pub(super) fn check(&self) -> Result<(), CodecError> {
        let first = self.sequence == Sequence::new(0);
        if first != (self.previous == RecordLink::FIRST) {
            return Err(CodecError::OutOfBounds {
                what: "previous link",
            });
        }
        Ok(())
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    whole: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let Some((bytes, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(CodecError::Malformed { at: self.whole });
        };
        self.rest = rest;
        Ok(*bytes)
    }

    fn varint(&mut self) -> Result<u64, CodecError> {
        let mut value = 0_u64;
        for index in 0..MAX_VARINT {
            let [byte] = self.take()?;
            let bits = u64::from(byte & 0x7f);
            let shift = index.saturating_mul(7);
            let placed = bits << shift;
            if placed >> shift != bits || (byte == 0 && index > 0) {
                return Err(CodecError::NotCanonical);
            }
            value |= placed;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(CodecError::NotCanonical)
    }
}

fn write_varint(mut value: u64, bytes: &mut Vec<u8>) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            bytes.push(low & 0x7f);
            return;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sequence: u64) -> RecordHeader {
        let previous = if sequence == 0 { [0; 8] } else { [6; 8] };
        RecordHeader {
            place: RecordPlace {
                chart: ChartId::new([1; 16]),
                compartment: CompartmentTag::new([2; 8]),
                incarnation: Incarnation::new(0x0102_0304),
                sequence: Sequence::new(sequence),
                previous: RecordLink::new(previous),
            },
            epoch: EpochId::new([3; 8]),
            author: NodeId::new([4; 32]),
            nonce: [7; NONCE_LEN],
        }
    }

    #[test]
    fn headers_read_back_at_every_length_of_the_sequence() {
        for shift in 0..64 {
            for sequence in [(1_u64 << shift) - 1, 1 << shift] {
                let bytes = header(sequence).encode();
                let (read, rest) = RecordHeader::decode(&bytes).unwrap();
                assert_eq!(read, header(sequence));
                assert!(rest.is_empty());
            }
        }
        assert_eq!(header(u64::MAX).encode().len(), 101 + 10);
        assert_eq!(header(0).encode().len(), 101 + 1);
    }

    #[test]
    fn every_truncation_of_a_header_is_refused() {
        let bytes = header(300).encode();
        for end in 0..bytes.len() {
            assert!(RecordHeader::decode(&bytes[..end]).is_err(), "{end} bytes");
        }
    }

    #[test]
    fn a_sequence_in_a_longer_form_is_refused() {
        let mut bytes = header(1).encode();
        let at = 1 + 16 + 8 + 8 + 32 + 4;
        assert_eq!(bytes[at], 1);
        bytes.splice(at..=at, [0x81, 0]);
        assert_eq!(RecordHeader::decode(&bytes), Err(CodecError::NotCanonical));
    }

    #[test]
    fn a_sequence_beyond_64_bits_is_refused() {
        let at = 1 + 16 + 8 + 8 + 32 + 4;
        let mut bytes = header(1).encode();
        bytes.splice(at..=at, [0xff; 9].into_iter().chain([2]));
        assert_eq!(RecordHeader::decode(&bytes), Err(CodecError::NotCanonical));
        let mut bytes = header(1).encode();
        bytes.splice(at..=at, [0xff; 11]);
        assert_eq!(RecordHeader::decode(&bytes), Err(CodecError::NotCanonical));
    }

    #[test]
    fn a_link_that_does_not_fit_the_sequence_is_refused() {
        let mut first = header(0);
        first.place.previous = RecordLink::new([1; 8]);
        let mut later = header(5);
        later.place.previous = RecordLink::FIRST;
        let expected = Err(CodecError::OutOfBounds {
            what: "previous link",
        });
        assert_eq!(RecordHeader::decode(&first.encode()), expected);
        assert_eq!(RecordHeader::decode(&later.encode()), expected);
    }
}
