//! Gzip (RFC 1952), taken whole or refused: nothing missing, nothing behind it, no bomb.

use std::io::{self, BufRead, ErrorKind, Read};

use flate2::bufread::GzDecoder;

use super::error::{GzipFault, ImportReason};

/// The first bytes of every gzip member (RFC 1952 §2.3.1).
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Unpacks all members of a gzip file (RFC 1952 §2.2 lets a file have several), at most
/// `most` bytes.
pub(super) fn unpack(mut packed: impl BufRead, most: u64) -> Result<Vec<u8>, ImportReason> {
    let mut unpacked = Vec::new();
    loop {
        let so_far = u64::try_from(unpacked.len()).unwrap_or(u64::MAX);
        let room = most.saturating_sub(so_far).saturating_add(1);
        let mut member = GzDecoder::new(packed);
        let read = (&mut member)
            .take(room)
            .read_to_end(&mut unpacked)
            .map_err(|e| fault(&e))?;
        if u64::try_from(read).is_ok_and(|read| read >= room) {
            return Err(ImportReason::UnpacksTooLarge { most });
        }
        packed = member.into_inner();
        match packed.fill_buf().map_err(|error| fault(&error))? {
            [] => return Ok(unpacked),
            // A buffer may end within the magic: its first byte is enough to go on, and the
            // decoder checks the rest.
            [first, ..] if *first == MAGIC[0] => {}
            _ => return Err(ImportReason::Gzip(GzipFault::TrailingBytes)),
        }
    }
}

/// What a failure of the decoder means. Those of the disk keep their kind.
fn fault(error: &io::Error) -> ImportReason {
    let kind = error.kind();
    if kind == ErrorKind::UnexpectedEof {
        ImportReason::Gzip(GzipFault::Truncated)
    } else if matches!(kind, ErrorKind::InvalidInput | ErrorKind::InvalidData) {
        ImportReason::Gzip(GzipFault::Damaged)
    } else {
        ImportReason::Unreadable(kind)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::*;

    /// A gzip member.
    pub(in crate::interop) fn pack(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn members_are_joined_and_the_limit_holds_for_all_together() {
        let two = [pack(b"one "), pack(b""), pack(b"two")].concat();
        assert_eq!(unpack(&two[..], 7), Ok(b"one two".to_vec()));
        assert_eq!(
            unpack(&two[..], 6),
            Err(ImportReason::UnpacksTooLarge { most: 6 })
        );
    }

    #[test]
    fn a_bomb_is_refused_before_it_fills_the_memory() {
        let bomb = pack(&vec![b' '; 1 << 22]);
        assert!(bomb.len() < 1 << 13);
        assert_eq!(
            unpack(&bomb[..], 1 << 16),
            Err(ImportReason::UnpacksTooLarge { most: 1 << 16 })
        );
    }

    #[test]
    fn every_cut_is_noticed() {
        let whole = pack(b"{\"resourceType\":\"Patient\"}");
        for length in 0..whole.len() {
            let error = unpack(&whole[..length], 1000).unwrap_err();
            assert_eq!(error, ImportReason::Gzip(GzipFault::Truncated), "{length}");
        }
        let one_and_a_bit = [whole.clone(), whole[..1].to_vec()].concat();
        let error = unpack(&one_and_a_bit[..], 1000).unwrap_err();
        assert_eq!(error, ImportReason::Gzip(GzipFault::Truncated));
    }

    #[test]
    fn what_stands_behind_the_end_is_noticed() {
        for tail in [&b"\n"[..], b"\0\0\0", b"{}"] {
            let error = unpack(&[&pack(b"{}"), tail].concat()[..], 1000).unwrap_err();
            assert_eq!(error, ImportReason::Gzip(GzipFault::TrailingBytes));
        }
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked(data: Vec<u8>) {
            prop_assert_eq!(unpack(&pack(&data)[..], 1 << 20), Ok(data));
        }

        #[test]
        fn a_changed_byte_never_gives_other_content(
            data in prop::collection::vec(any::<u8>(), 1..200),
            at: prop::sample::Index,
            change in 1u8..,
        ) {
            let mut packed = pack(&data);
            let at = at.index(packed.len());
            packed[at] ^= change;
            // The header holds a time and a system that mean nothing to the content.
            if let Ok(unpacked) = unpack(&packed[..], 1 << 20) {
                prop_assert_eq!(unpacked, data);
            }
        }

        #[test]
        fn noise_is_refused_without_panic(noise: Vec<u8>) {
            let noise = [&MAGIC[..], &noise].concat();
            let _ = unpack(&noise[..], 1 << 16);
        }
    }
}
