//! Reading what is left of a damaged journal.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::error::OpenError;
use super::segment::{BadHeader, Entry, HEADER_BYTES, Header, Place, StoreId, find_entry};
use super::survey::read_from;

/// The segment files of a damaged journal, in order, and the store they belong to.
pub(super) struct Remains {
    files: Vec<(u64, PathBuf)>,
    store: StoreId,
}

/// Lists the segment files of `folder`. The store is that of the first header that reads; a
/// journal without any readable header has no readable entry either.
///
/// # Errors
/// [`OpenError::WrongKey`] if a header says so: under another key, nothing may be judged.
pub(super) fn salvage(folder: &Path, key_check: [u8; 16]) -> Result<Remains, OpenError> {
    let mut files = Vec::new();
    for file in fs::read_dir(folder).map_err(OpenError::io("reading", folder))? {
        let path = file.map_err(OpenError::io("reading", folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_suffix(".log")?.parse::<u64>().ok());
        files.extend(number.map(|number| (number, path)));
    }
    files.sort();
    let mut store = None;
    for (_, path) in &files {
        match Header::decode(&read_from(path, 0)?) {
            Ok(header) if header.key_check != key_check => return Err(OpenError::WrongKey),
            Ok(header) => store = store.or(Some(header.store)),
            Err(BadHeader::Version(version)) => {
                return Err(OpenError::Version {
                    what: path.display().to_string(),
                    version,
                });
            }
            Err(BadHeader::Damaged) => {}
        }
    }
    Ok(Remains {
        files,
        store: store.unwrap_or_default(),
    })
}

/// Hands over every entry that still reads and is newer than commit `known`, in order. Returns
/// the commits in between that do not read.
pub(super) fn newer_entries(
    remains: &Remains,
    known: u64,
    take: &mut dyn FnMut(&Entry) -> Result<(), OpenError>,
) -> Result<Vec<RangeInclusive<u64>>, OpenError> {
    let mut lost = Vec::new();
    let (mut last, mut durable) = (known, known);
    for (segment, path) in &remains.files {
        let bytes = read_from(path, HEADER_BYTES as u64)?;
        let mut rest = bytes.as_slice();
        let place = Place {
            store: remains.store,
            segment: *segment,
        };
        while let Some((start, entry)) = find_entry(rest, place) {
            let end = start.saturating_add(usize::try_from(entry.bytes()).unwrap_or(usize::MAX));
            rest = rest.get(end..).unwrap_or_default();
            durable = durable.max(entry.durable);
            if entry.commit <= last {
                continue;
            }
            let next = last.saturating_add(1);
            if entry.commit > next {
                lost.push(next..=entry.commit.saturating_sub(1));
            }
            last = entry.commit;
            take(&entry)?;
        }
    }
    if durable > last {
        lost.push(last.saturating_add(1)..=durable);
    }
    Ok(lost)
}
