//! A first look at the bytes of a change, before Automerge's own reader sees them.
//!
//! That reader expands run lengths and looks up writers by number without bounds: a few bytes
//! can stand for billions of operations. So the frame is walked here first, strictly, and what
//! is too large or points nowhere is refused. Only uncompressed change chunks pass.
//!
//! ```text
//! 85 6f 4a 83 | checksum 4 | 01 | length | deps | writer | seq | first op | time | message
//!             | other writers | column list | column data
//! ```
//!
//! Numbers are LEB128, lists and texts are preceded by their length (Automerge binary format,
//! "Change chunk"). Each column is a series of runs: a positive count and one value, a negative
//! count and that many values, or zero and a count of nulls.

use crate::limits::{
    MAX_CHANGE_ACTORS, MAX_CHANGE_BYTES, MAX_CHANGE_DEPS, MAX_CHANGE_OPS, MAX_TIME_MS,
};

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHANGE_CHUNK: u8 = 1;
/// Columns of a change: Automerge knows fewer.
const MAX_COLUMNS: usize = 16;

/// What one change or one saved document may stand for.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// Rows of a column.
    pub(crate) rows: usize,
    /// Numbers of writers.
    pub(crate) actors: usize,
    /// Bytes of text, each run written out.
    pub(crate) text: usize,
}

/// Greatest counter of an operation that is taken from a change.
const MAX_COUNTER: i64 = i32::MAX as i64;

/// The columns of a change that a document of ours can have: their number and their content.
fn content(column: u64) -> Option<Content> {
    match column {
        0x01 | 0x11 | 0x71 => Some(Content::Actors),
        0x02 | 0x42 | 0x56 => Some(Content::Numbers),
        0x70 => Some(Content::Groups),
        0x13 | 0x73 => Some(Content::Deltas),
        0x15 => Some(Content::Texts),
        0x34 => Some(Content::Flags),
        0x57 => Some(Content::Raw),
        _ => None,
    }
}

/// What a column holds.
#[derive(Clone, Copy)]
pub(crate) enum Content {
    /// Writers, by their place in a list.
    Actors,
    /// Numbers.
    Numbers,
    /// How many values of another column belong to each row.
    Groups,
    /// Counters, each as the step from the one before.
    Deltas,
    /// Times, each as the step from the one before.
    Times,
    /// Texts.
    Texts,
    /// Runs of false and true in turn.
    Flags,
    /// Bytes that another column divides.
    Raw,
}

/// Whether `bytes` is the frame of one uncompressed change, with bounded columns and writers.
/// What is in them is for the caller to check.
pub(crate) fn is_bounded_change(bytes: &[u8]) -> bool {
    walk(bytes).is_some()
}

fn walk(bytes: &[u8]) -> Option<()> {
    let mut chunk = one_chunk(bytes, CHANGE_CHUNK)?;
    let deps = bounded(chunk.size()?, MAX_CHANGE_DEPS)?;
    chunk.take(deps.checked_mul(32)?)?;
    chunk.text()?;
    chunk.unsigned()?;
    let first_op = i64::try_from(chunk.unsigned()?).ok()?;
    bounded(
        usize::try_from(first_op).ok()?,
        usize::try_from(MAX_COUNTER).ok()?,
    )?;
    chunk.signed()?;
    chunk.text()?;
    let others = bounded(chunk.size()?, MAX_CHANGE_ACTORS)?;
    for _ in 0..others {
        chunk.text()?;
    }
    let columns = column_list(&mut chunk, MAX_COLUMNS, content)?;
    let bounds = Bounds {
        rows: MAX_CHANGE_OPS,
        actors: others,
        text: MAX_CHANGE_BYTES,
    };
    walk_columns(&mut chunk, columns, bounds)?;
    // Nothing may follow: it would be carried along unseen.
    chunk.0.is_empty().then_some(())
}

/// What is in the one chunk of this kind that `bytes` are.
pub(crate) fn one_chunk(bytes: &[u8], kind: u8) -> Option<Bytes<'_>> {
    let mut chunk = Bytes(bytes);
    if chunk.take(4)? != MAGIC {
        return None;
    }
    // A checksum, which Automerge compares.
    chunk.take(4)?;
    let whole = chunk.take(1)? == [kind] && chunk.size()? == chunk.0.len();
    whole.then_some(chunk)
}

/// A list of columns: what each holds, and its length.
pub(crate) fn column_list(
    chunk: &mut Bytes<'_>,
    most: usize,
    content: fn(u64) -> Option<Content>,
) -> Option<Vec<(Content, usize)>> {
    let count = bounded(chunk.size()?, most)?;
    let mut columns = Vec::with_capacity(count);
    for _ in 0..count {
        columns.push((content(chunk.unsigned()?)?, chunk.size()?));
    }
    Some(columns)
}

/// Walks the columns of a list.
pub(crate) fn walk_columns(
    chunk: &mut Bytes<'_>,
    columns: Vec<(Content, usize)>,
    bounds: Bounds,
) -> Option<()> {
    for (content, length) in columns {
        column(content, Bytes(chunk.take(length)?), bounds)?;
    }
    Some(())
}

/// Walks one column.
fn column(content: Content, mut data: Bytes<'_>, bounds: Bounds) -> Option<()> {
    let mut rows = 0_usize;
    let mut total = 0_usize;
    let mut counter = 0_i64;
    if matches!(content, Content::Raw) {
        return Some(());
    }
    while !data.0.is_empty() {
        if matches!(content, Content::Flags) {
            rows = bounded(rows.checked_add(data.size()?)?, bounds.rows)?;
            continue;
        }
        let count = data.signed()?;
        let (run, values) = match count {
            0 => (data.size()?, 0),
            1.. => (usize::try_from(count).ok()?, 1),
            _ => {
                let literal = usize::try_from(count.checked_neg()?).ok()?;
                (literal, literal)
            }
        };
        rows = bounded(rows.checked_add(run)?, bounds.rows)?;
        for _ in 0..values {
            let times = if count > 0 { run } else { 1 };
            match content {
                Content::Actors => drop(bounded(data.size()?, bounds.actors)?),
                Content::Numbers => drop(data.unsigned()?),
                Content::Groups => {
                    let more = data.size()?.checked_mul(times)?;
                    total = bounded(total.checked_add(more)?, bounds.rows)?;
                }
                Content::Deltas => counter = moved(counter, &mut data, times, MAX_COUNTER)?,
                Content::Times => counter = moved(counter, &mut data, times, MAX_TIME_MS)?,
                Content::Texts => {
                    let more = data.text()?.len().checked_mul(times)?;
                    total = bounded(total.checked_add(more)?, bounds.text)?;
                }
                Content::Flags | Content::Raw => {}
            }
        }
    }
    Some(())
}

/// A counter after so many steps of the size that comes next.
fn moved(counter: i64, data: &mut Bytes<'_>, times: usize, greatest: i64) -> Option<i64> {
    let step = data.signed()?.checked_mul(i64::try_from(times).ok()?)?;
    let counter = counter.checked_add(step)?;
    (0..=greatest).contains(&counter).then_some(counter)
}

pub(crate) fn bounded(number: usize, limit: usize) -> Option<usize> {
    (number <= limit).then_some(number)
}

/// What is left of a slice.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        let length = self.size()?;
        self.take(length)
    }

    pub(crate) fn size(&mut self) -> Option<usize> {
        usize::try_from(self.unsigned()?).ok()
    }

    pub(crate) fn unsigned(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..63).step_by(7) {
            let [byte] = *self.take(1)? else { return None };
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let mut number = 0_i64;
        for shift in (0..63).step_by(7) {
            let [byte] = *self.take(1)? else { return None };
            number |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let sign = shift + 7;
                return Some(if byte & 0x40 == 0 {
                    number
                } else {
                    number | (-1 << sign)
                });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &[u8] = include_bytes!("../golden/first-change.bin");

    #[test]
    fn a_change_is_bounded_and_no_part_of_it_is() {
        assert!(is_bounded_change(FIRST));
        for end in 0..FIRST.len() {
            assert!(!is_bounded_change(&FIRST[..end]), "{end}");
        }
        let longer = [FIRST, &[0]].concat();
        assert!(!is_bounded_change(&longer));
    }

    #[test]
    fn runs_that_stand_for_too_much_are_refused() {
        let bounds = Bounds {
            rows: MAX_CHANGE_OPS,
            actors: 1,
            text: 100,
        };
        let run = |content, bytes: &[u8]| column(content, Bytes(bytes), bounds);
        let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 1];
        assert!(run(Content::Numbers, &huge).is_none());
        assert!(run(Content::Flags, &huge[..7]).is_none());
        assert!(run(Content::Actors, &[1, 1]).is_some());
        assert!(
            run(Content::Actors, &[1, 2]).is_none(),
            "a writer that is not listed"
        );
        assert!(run(Content::Groups, &[0xff, 0xff, 0x03, 0x7f]).is_none());
        assert!(
            run(Content::Deltas, &[1, 0x7f]).is_none(),
            "a counter below zero"
        );
        assert!(run(Content::Texts, &[0x7f, 3, b'a']).is_none());
        assert!(run(Content::Texts, &[50, 2, b'a', b'b']).is_some());
        assert!(
            run(Content::Texts, &[51, 2, b'a', b'b']).is_none(),
            "a text that is repeated beyond what a change may hold"
        );
    }

    #[test]
    fn numbers_are_read_as_leb128() {
        assert_eq!(Bytes(&[0xe5, 0x8e, 0x26]).unsigned(), Some(624_485));
        assert_eq!(Bytes(&[0xc0, 0xbb, 0x78]).signed(), Some(-123_456));
        assert_eq!(Bytes(&[0x7f]).signed(), Some(-1));
        assert_eq!(Bytes(&[0x80; 12]).unsigned(), None);
        assert_eq!(Bytes(&[0x80; 12]).signed(), None);
    }
}
