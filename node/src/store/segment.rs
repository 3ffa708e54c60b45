//! The format of a journal segment, version 1. Numbers are big-endian.
//!
//! ```text
//! file name = segment number, 8 digits, ".log"
//! segment   = header | entry*
//! header    = "CHMJRNL" | version 1 | store id 16 | segment number 8 | first commit 8
//!           | key check 16 | checksum 16
//! entry     = "CMJE" | body length 4 | commit 8 | durable 8 | checksum 16 | body
//! body      = write*
//! write     = 1 | key length 2 | key | value length 4 | sealed value      put
//!           | 2 | key length 2 | key                                      delete
//!           | 3 | key length 2 | key               put of a derived value, not kept here
//! ```
//!
//! A key starts with the byte of its space. Commits are numbered without gaps over all
//! segments. `durable` is the newest commit that was durable when the entry was written: a
//! damaged entry was once acknowledged, and is not just torn, if a later one names it durable.
//! Checksums are the first 16 bytes of BLAKE3 over the store id, the segment number and all of
//! the entry but the checksum, so no entry passes in another place.

use std::io::{self, Read};

use super::batch::SealedWrite;
use super::limits::{MAX_BODY_BYTES, MAX_KEY_BYTES};
use super::seal::first_16;
use super::space::{Durability, Space};

/// The version of the format that is written.
pub(super) const VERSION: u8 = 1;
/// Length of a segment's header, in bytes.
pub(super) const HEADER_BYTES: usize = 72;
/// Length of what precedes an entry's body, in bytes.
pub(super) const ENTRY_BYTES: usize = 40;
const SEGMENT_MAGIC: &[u8; 7] = b"CHMJRNL";
const ENTRY_MAGIC: &[u8; 4] = b"CMJE";
const PUT: u8 = 1;
const DELETE: u8 = 2;
const NOTE: u8 = 3;

/// Which store it is; random.
pub(super) type StoreId = [u8; 16];

/// What stands at the head of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) store: StoreId,
    pub(super) segment: u64,
    /// The number of its first commit.
    pub(super) first: u64,
    pub(super) key_check: [u8; 16],
}

/// Why a header is not one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadHeader {
    /// It is cut or changed.
    Damaged,
    /// A newer program wrote it.
    Version(u8),
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(SEGMENT_MAGIC);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.store);
        bytes.extend_from_slice(&self.segment.to_be_bytes());
        bytes.extend_from_slice(&self.first.to_be_bytes());
        bytes.extend_from_slice(&self.key_check);
        let checksum = first_16(blake3::hash(&bytes).as_bytes());
        bytes.extend_from_slice(&checksum);
        bytes
    }

    pub(super) fn decode(mut bytes: &[u8]) -> Result<Self, BadHeader> {
        let all = bytes;
        let magic = take::<7>(&mut bytes).ok_or(BadHeader::Damaged)?;
        let [version] = take::<1>(&mut bytes).ok_or(BadHeader::Damaged)?;
        if magic != *SEGMENT_MAGIC {
            return Err(BadHeader::Damaged);
        }
        if version != VERSION {
            return Err(BadHeader::Version(version));
        }
        let mut fields = || {
            let store = take(&mut bytes)?;
            let segment = u64::from_be_bytes(take(&mut bytes)?);
            let first = u64::from_be_bytes(take(&mut bytes)?);
            let key_check = take(&mut bytes)?;
            let checksum: [u8; 16] = take(&mut bytes)?;
            let covered = all.get(..HEADER_BYTES - 16)?;
            let sound = first_16(blake3::hash(covered).as_bytes()) == checksum;
            sound.then_some(Self {
                store,
                segment,
                first,
                key_check,
            })
        };
        fields().ok_or(BadHeader::Damaged)
    }
}

/// Where an entry stands: part of its checksum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) store: StoreId,
    pub(super) segment: u64,
}

/// One commit, as the journal holds it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) commit: u64,
    pub(super) durable: u64,
    body: Vec<u8>,
}

/// One write of an entry. Keys have their space's byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Write<'e> {
    Put {
        key: &'e [u8],
        sealed: &'e [u8],
    },
    Delete {
        key: &'e [u8],
    },
    /// A derived value was put; the journal does not have it.
    Note {
        key: &'e [u8],
    },
}

/// Appends the entry of one commit to `out`. `None` if it is beyond the format's limits, which
/// a batch within its own limits never is; nothing is appended then.
pub(super) fn encode_entry(
    out: &mut Vec<u8>,
    place: Place,
    commit: u64,
    durable: u64,
    writes: &[SealedWrite],
) -> Option<()> {
    let start = out.len();
    out.extend_from_slice(&[0; ENTRY_BYTES]);
    let done = encode_writes(out, writes).and_then(|()| {
        let body = out.get(start + ENTRY_BYTES..)?;
        let length = u32::try_from(body.len()).ok()?;
        if body.len() > MAX_BODY_BYTES {
            return None;
        }
        let head = entry_head(place, length, commit, durable, body);
        out.get_mut(start..start + ENTRY_BYTES)?
            .copy_from_slice(&head);
        Some(())
    });
    if done.is_none() {
        out.truncate(start);
    }
    done
}

fn encode_writes(out: &mut Vec<u8>, writes: &[SealedWrite]) -> Option<()> {
    for write in writes {
        let key_length = u16::try_from(write.full_key.len()).ok()?.to_be_bytes();
        let kept = write.space.durability() == Durability::Journaled;
        let op = match &write.sealed {
            Some(_) if kept => PUT,
            Some(_) => NOTE,
            None => DELETE,
        };
        out.push(op);
        out.extend_from_slice(&key_length);
        out.extend_from_slice(&write.full_key);
        if let (PUT, Some(sealed)) = (op, &write.sealed) {
            out.extend_from_slice(&u32::try_from(sealed.len()).ok()?.to_be_bytes());
            out.extend_from_slice(sealed);
        }
    }
    Some(())
}

fn entry_head(
    place: Place,
    length: u32,
    commit: u64,
    durable: u64,
    body: &[u8],
) -> [u8; ENTRY_BYTES] {
    let mut head = [0; ENTRY_BYTES];
    let mut fields = Vec::with_capacity(24);
    fields.extend_from_slice(ENTRY_MAGIC);
    fields.extend_from_slice(&length.to_be_bytes());
    fields.extend_from_slice(&commit.to_be_bytes());
    fields.extend_from_slice(&durable.to_be_bytes());
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(&place.store)
        .update(&place.segment.to_be_bytes());
    hasher.update(&fields).update(body);
    let checksum = first_16(hasher.finalize().as_bytes());
    for (to, from) in head.iter_mut().zip(fields.iter().chain(&checksum)) {
        *to = *from;
    }
    head
}

/// The next entry does not read; why.
#[derive(Debug)]
pub(super) enum BadEntry {
    /// The bytes are not an entry, in the named way.
    Damaged(&'static str),
    /// The file does not read.
    Io(io::Error),
}

/// Reads the entry that starts at `input`, of which `left` bytes remain. `None` at its end.
pub(super) fn read_entry(
    input: &mut impl Read,
    left: u64,
    place: Place,
) -> Result<Option<Entry>, BadEntry> {
    if left == 0 {
        return Ok(None);
    }
    let mut head = [0; ENTRY_BYTES];
    read_all(input, &mut head)?;
    let damaged = || BadEntry::Damaged("head");
    let mut fields = head.as_slice();
    let magic: [u8; 4] = take(&mut fields).ok_or_else(damaged)?;
    let length = u32::from_be_bytes(take(&mut fields).ok_or_else(damaged)?);
    let commit = u64::from_be_bytes(take(&mut fields).ok_or_else(damaged)?);
    let durable = u64::from_be_bytes(take(&mut fields).ok_or_else(damaged)?);
    if magic != *ENTRY_MAGIC {
        return Err(BadEntry::Damaged("no entry starts here"));
    }
    let body_bytes = usize::try_from(length).map_err(|_| BadEntry::Damaged("length"))?;
    let fits = u64::from(length) <= left.saturating_sub(head.len() as u64);
    if body_bytes > MAX_BODY_BYTES || !fits {
        return Err(BadEntry::Damaged("length"));
    }
    let mut body = vec![0; body_bytes];
    read_all(input, &mut body)?;
    if entry_head(place, length, commit, durable, &body) != head {
        return Err(BadEntry::Damaged("checksum"));
    }
    Ok(Some(Entry {
        commit,
        durable,
        body,
    }))
}

fn read_all(input: &mut impl Read, buffer: &mut [u8]) -> Result<(), BadEntry> {
    input
        .read_exact(buffer)
        .map_err(|error| match error.kind() == io::ErrorKind::UnexpectedEof {
            true => BadEntry::Damaged("cut short"),
            false => BadEntry::Io(error),
        })
}

/// The first whole entry in `bytes`, and where it starts: what follows a damaged one.
pub(super) fn find_entry(bytes: &[u8], place: Place) -> Option<(usize, Entry)> {
    let mut start = 0;
    loop {
        let rest = bytes.get(start..)?;
        let skip = rest
            .windows(ENTRY_MAGIC.len())
            .position(|window| window == ENTRY_MAGIC)?;
        let mut at = rest.get(skip..)?;
        let left = at.len() as u64;
        if let Ok(Some(entry)) = read_entry(&mut at, left, place) {
            return Some((start + skip, entry));
        }
        start += skip + 1;
    }
}

impl Entry {
    /// The bytes it takes in the file.
    pub(super) fn bytes(&self) -> u64 {
        (ENTRY_BYTES + self.body.len()) as u64
    }

    /// Its writes, in order. `None` if the body is not of this format, which a sound checksum
    /// leaves to a newer program only.
    pub(super) fn writes(&self) -> Option<Vec<Write<'_>>> {
        let mut rest = self.body.as_slice();
        let mut writes = Vec::new();
        while let Some([op]) = take::<1>(&mut rest) {
            let length = usize::from(u16::from_be_bytes(take(&mut rest)?));
            let key = take_slice(&mut rest, length)?;
            let known = Space::from_byte(*key.first()?).is_some();
            if !known || key.len() > MAX_KEY_BYTES + 1 {
                return None;
            }
            writes.push(match op {
                PUT => {
                    let length = u32::from_be_bytes(take(&mut rest)?);
                    let sealed = take_slice(&mut rest, usize::try_from(length).ok()?)?;
                    Write::Put { key, sealed }
                }
                DELETE => Write::Delete { key },
                NOTE => Write::Note { key },
                _ => return None,
            });
        }
        Some(writes)
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

fn take_slice<'b>(bytes: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (head, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(head)
}
