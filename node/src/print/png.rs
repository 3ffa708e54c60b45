//! A page as a PNG (ISO/IEC 15948): eight bits of grey, one IDAT.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use super::canvas::{Canvas, DPI, HEIGHT, WIDTH};

const SIGNATURE: [u8; 8] = [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n'];
/// Bit depth 8, greyscale, and the only methods that there are (§11.2.1).
const FORM: [u8; 5] = [8, 0, 0, 0, 0];
/// Before each row: its bytes stand for themselves (§9.2).
const NO_FILTER: u8 = 0;
/// Pixels a metre (§11.3.4.3).
const PER_METRE: u32 = DPI * 10_000 / 254;

pub(super) fn of(page: &Canvas) -> Vec<u8> {
    let size =
        [WIDTH, HEIGHT].map(|pixels| u32::try_from(pixels).unwrap_or(u32::MAX).to_be_bytes());
    let per_metre = PER_METRE.to_be_bytes();
    let mut file = SIGNATURE.to_vec();
    chunk(
        &mut file,
        *b"IHDR",
        &[size.concat().as_slice(), &FORM].concat(),
    );
    chunk(
        &mut file,
        *b"pHYs",
        &[&per_metre[..], &per_metre, &[1]].concat(),
    );
    chunk(&mut file, *b"IDAT", &packed(page, &[NO_FILTER]));
    chunk(&mut file, *b"IEND", &[]);
    file
}

/// The pixels of a page as zlib (RFC 1950), with so many bytes before each row.
pub(super) fn packed(page: &Canvas, before_row: &[u8]) -> Vec<u8> {
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    for row in page.rows() {
        // Writing to memory does not fail.
        drop(packed.write_all(before_row));
        drop(packed.write_all(row));
    }
    packed.finish().unwrap_or_default()
}

/// One chunk (§5.3): its length, name, bytes and checksum.
fn chunk(file: &mut Vec<u8>, name: [u8; 4], bytes: &[u8]) {
    let mut sum = Crc::new();
    sum.update(&name);
    sum.update(bytes);
    file.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    file.extend(name);
    file.extend(bytes);
    file.extend(sum.sum().to_be_bytes());
}
