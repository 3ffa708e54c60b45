//! Reading the journal: what is there, where it ends, and its entries in order.

use std::fs::{self, File};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::error::{Damage, OpenError};
use super::segment::{
    BadEntry, BadHeader, Entry, HEADER_BYTES, Header, Place, StoreId, find_entry, read_entry,
};

/// One segment's file.
pub(super) struct Segment {
    pub(super) path: PathBuf,
    pub(super) header: Header,
    /// Its length, in bytes, without a torn tail.
    pub(super) len: u64,
}

/// What the journal folder holds: at least one segment, without gaps.
pub(super) struct Survey {
    pub(super) segments: Vec<Segment>,
    /// The last commit that is there in whole, 0 for none.
    pub(super) last: u64,
    /// Bytes behind it in the last segment that are no whole entry.
    pub(super) torn_bytes: u64,
    /// Where these start, and in which way they are no entry.
    pub(super) torn: Option<Damage>,
}

/// What is in the folder, as far as it can be told by names and headers.
pub(super) struct Listing {
    pub(super) segments: Vec<Segment>,
    /// A segment whose making was cut short: it holds nothing and is to be removed.
    pub(super) unfinished: Option<PathBuf>,
}

impl Survey {
    /// Which store it belongs to.
    pub(super) fn store(&self) -> StoreId {
        self.segments
            .first()
            .map_or([0; 16], |segment| segment.header.store)
    }
}

/// Lists the segments of `folder` in order and reads their headers.
///
/// # Errors
/// [`OpenError::WrongKey`] when one was made under another key, [`OpenError::Damaged`] when one
/// is missing, damaged or of another store.
pub(super) fn list(folder: &Path, key_check: [u8; 16]) -> Result<Listing, OpenError> {
    let numbers = numbers(folder)?;
    let mut segments: Vec<Segment> = Vec::with_capacity(numbers.len());
    let mut unfinished = None;
    for (expected, number) in (1..).zip(&numbers) {
        if expected != *number {
            return Err(Damage::Missing { segment: expected }.into());
        }
        let path = super::journal::segment_path(folder, *number);
        let is_last = numbers.last() == Some(number);
        let damaged = Damage::Journal {
            segment: *number,
            offset: 0,
            what: "header",
        };
        let (header, len) = match read_header(&path)? {
            (Ok(header), len) => (header, len),
            (Err(BadHeader::Version(version)), _) => {
                return Err(OpenError::Version {
                    what: path.display().to_string(),
                    version,
                });
            }
            // Entries are only written behind a durable header.
            (Err(BadHeader::Damaged), len) if is_last && len <= HEADER_BYTES as u64 => {
                unfinished = Some(path);
                break;
            }
            (Err(BadHeader::Damaged), _) => return Err(damaged.into()),
        };
        if header.key_check != key_check {
            return Err(OpenError::WrongKey);
        }
        let follows = match segments.last() {
            Some(before) => {
                header.store == before.header.store && header.first >= before.header.first
            }
            None => header.first == 1,
        };
        if header.segment != *number || !follows {
            return Err(damaged.into());
        }
        segments.push(Segment { path, header, len });
    }
    Ok(Listing {
        segments,
        unfinished,
    })
}

/// Reads the last segment to find where the journal ends. `None` if there is no journal.
///
/// What follows the last whole entry is torn, unless it was acknowledged: then it is damage.
pub(super) fn survey(mut segments: Vec<Segment>) -> Result<Option<Survey>, OpenError> {
    let Some(end) = segments.last_mut() else {
        return Ok(None);
    };
    let mut last = end.header.first.saturating_sub(1);
    let mut reader = Entries::of(end)?;
    let torn = loop {
        match reader.next_entry() {
            Ok(Some(entry)) => last = entry.commit,
            Ok(None) => break None,
            Err(ReadError::Damaged(damage)) => break Some(damage),
            Err(ReadError::Open(error)) => return Err(error),
        }
    };
    let whole = reader.offset;
    if let Some(damage) = &torn
        && acknowledged_later(end, whole, last.saturating_add(1))?
    {
        return Err(damage.clone().into());
    }
    let torn_bytes = end.len.saturating_sub(whole);
    end.len = whole;
    Ok(Some(Survey {
        segments,
        last,
        torn_bytes,
        torn,
    }))
}

/// Whether an entry behind `offset` says that commit `number` was durable.
fn acknowledged_later(segment: &Segment, offset: u64, number: u64) -> Result<bool, OpenError> {
    let bytes = read_from(&segment.path, offset)?;
    let mut rest = bytes.as_slice();
    while let Some((start, entry)) = find_entry(rest, segment.place()) {
        if entry.durable >= number {
            return Ok(true);
        }
        let end = start.saturating_add(usize::try_from(entry.bytes()).unwrap_or(usize::MAX));
        rest = rest.get(end..).unwrap_or_default();
    }
    Ok(false)
}

pub(super) fn read_from(path: &Path, offset: u64) -> Result<Vec<u8>, OpenError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            file.read_to_end(&mut bytes)
        })
        .map_err(OpenError::io("reading", path))?;
    Ok(bytes)
}

impl Segment {
    pub(super) fn place(&self) -> Place {
        Place {
            store: self.header.store,
            segment: self.header.segment,
        }
    }
}

/// Why the next entry was not read.
pub(super) enum ReadError {
    /// The bytes are not the entry that belongs there.
    Damaged(Damage),
    /// The file does not read.
    Open(OpenError),
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Damaged(damage) => damage.into(),
            ReadError::Open(error) => error,
        }
    }
}

/// The entries of one segment, in order.
pub(super) struct Entries<'s> {
    segment: &'s Segment,
    input: BufReader<File>,
    /// Where the next entry starts, in bytes.
    pub(super) offset: u64,
    next: u64,
}

impl<'s> Entries<'s> {
    pub(super) fn of(segment: &'s Segment) -> Result<Self, OpenError> {
        let offset = HEADER_BYTES as u64;
        let file = File::open(&segment.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            Ok(file)
        });
        let input = BufReader::new(file.map_err(OpenError::io("reading", &*segment.path))?);
        Ok(Self {
            segment,
            input,
            offset,
            next: segment.header.first,
        })
    }

    /// The next entry, or `None` at the end of the segment.
    pub(super) fn next_entry(&mut self) -> Result<Option<Entry>, ReadError> {
        let left = self.segment.len.saturating_sub(self.offset);
        let entry = match read_entry(&mut self.input, left, self.segment.place()) {
            Ok(Some(entry)) => entry,
            Ok(None) => return Ok(None),
            Err(BadEntry::Damaged(what)) => return Err(self.damaged(what)),
            Err(BadEntry::Io(error)) => {
                let path = &*self.segment.path;
                return Err(ReadError::Open(OpenError::io("reading", path)(error)));
            }
        };
        if entry.commit != self.next {
            return Err(self.damaged("commit number"));
        }
        self.next = self.next.saturating_add(1);
        self.offset = self.offset.saturating_add(entry.bytes());
        Ok(Some(entry))
    }

    /// Names damage where the next entry starts.
    pub(super) fn damaged(&self, what: &'static str) -> ReadError {
        let segment = self.segment.header.segment;
        ReadError::Damaged(Damage::Journal {
            segment,
            offset: self.offset,
            what,
        })
    }
}

/// The numbers of the segment files in `folder`, ascending.
fn numbers(folder: &Path) -> Result<Vec<u64>, OpenError> {
    let mut numbers = Vec::new();
    for file in fs::read_dir(folder).map_err(OpenError::io("reading", folder))? {
        let name = file.map_err(OpenError::io("reading", folder))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".log"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The header of the segment at `path`, and the file's length.
fn read_header(path: &Path) -> Result<(Result<Header, BadHeader>, u64), OpenError> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    let len = File::open(path)
        .and_then(|file| {
            let len = file.metadata()?.len();
            file.take(HEADER_BYTES as u64).read_to_end(&mut bytes)?;
            Ok(len)
        })
        .map_err(OpenError::io("reading", path))?;
    Ok((Header::decode(&bytes), len))
}
