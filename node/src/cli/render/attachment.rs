//! Attachments, in words.

use super::{line, many};
use crate::clinic::AbsentAttachment;

/// What an export lacks, for standard error.
pub(super) fn lacking(absent: &[AbsentAttachment], patient: &str) -> String {
    let mut out = String::new();
    for one in absent {
        let size = one.bytes.map_or_else(|| "unknown size".to_owned(), size);
        let resource = &one.resource;
        line(
            &mut out,
            &format!("Without the content of {resource} ({size}): it is not here."),
        );
    }
    let count = u64::try_from(absent.len()).unwrap_or(u64::MAX);
    line(
        &mut out,
        &format!(
            "{} left out; `chartmesh attachment fetch --patient {patient}` gets what is missing.",
            many(count, "content")
        ),
    );
    out
}

/// Bytes as people say them.
pub(super) fn size(bytes: u64) -> String {
    let tenths = |unit: u64| {
        let tenths = bytes.saturating_mul(10).div_ceil(unit);
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", tenths(1_000)),
        _ => format!("{} MB", tenths(1_000_000)),
    }
}
