//! A first look at the bytes of a saved document, before Automerge's own reader sees them: for
//! the same reasons as for a change, see [`columns`](crate::columns).
//!
//! Only one document chunk with uncompressed columns passes, so that its length bounds what is
//! in it; whoever sends it compresses the whole.
//!
//! ```text
//! 85 6f 4a 83 | checksum 4 | 00 | length | writers | heads | column list of the changes
//!             | column list of the operations | columns of both | a number for each head
//! ```

use crate::columns::{Bounds, Content, bounded, column_list, one_chunk, walk_columns};
use crate::limits::{
    MAX_CHANGE_ACTORS, MAX_CHANGE_DEPS, MAX_SAVED_CHANGES, MAX_SAVED_OPS, MAX_SAVED_TEXT,
};

const DOCUMENT_CHUNK: u8 = 0;
/// Columns of one kind: Automerge knows fewer.
const MAX_COLUMNS: usize = 20;

/// The columns of changes that a saved document of ours can have.
fn of_changes(column: u64) -> Option<Content> {
    match column {
        0x01 => Some(Content::Actors),
        0x03 | 0x13 | 0x43 => Some(Content::Deltas),
        0x23 => Some(Content::Times),
        0x35 => Some(Content::Texts),
        0x40 => Some(Content::Groups),
        0x56 => Some(Content::Numbers),
        0x57 => Some(Content::Raw),
        _ => None,
    }
}

/// The columns of operations that it can have.
fn of_operations(column: u64) -> Option<Content> {
    match column {
        0x01 | 0x11 | 0x21 | 0x81 => Some(Content::Actors),
        0x02 | 0x42 | 0x56 => Some(Content::Numbers),
        0x13 | 0x23 | 0x83 => Some(Content::Deltas),
        0x15 => Some(Content::Texts),
        0x34 => Some(Content::Flags),
        0x57 => Some(Content::Raw),
        0x80 => Some(Content::Groups),
        _ => None,
    }
}

/// Whether `bytes` is the frame of one saved document with bounded, uncompressed columns. What is
/// in them is for the caller to check.
pub(crate) fn is_bounded_save(bytes: &[u8]) -> bool {
    walk(bytes).is_some()
}

fn walk(bytes: &[u8]) -> Option<()> {
    let mut chunk = one_chunk(bytes, DOCUMENT_CHUNK)?;
    let actors = bounded(chunk.size()?, MAX_CHANGE_ACTORS)?;
    for _ in 0..actors {
        chunk.text()?;
    }
    let heads = bounded(chunk.size()?, MAX_CHANGE_DEPS)?;
    chunk.take(heads.checked_mul(32)?)?;
    let changes = column_list(&mut chunk, MAX_COLUMNS, of_changes)?;
    let operations = column_list(&mut chunk, MAX_COLUMNS, of_operations)?;
    for (columns, rows) in [(changes, MAX_SAVED_CHANGES), (operations, MAX_SAVED_OPS)] {
        let bounds = Bounds {
            rows,
            actors: actors.saturating_sub(1),
            text: MAX_SAVED_TEXT,
        };
        walk_columns(&mut chunk, columns, bounds)?;
    }
    for _ in 0..heads {
        bounded(chunk.size()?, MAX_SAVED_CHANGES)?;
    }
    // Nothing may follow: it would be read as further chunks.
    chunk.0.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::columns::Bytes;

    const SAVE: &[u8] = include_bytes!("../golden/plain-save-v1.bin");
    const COMPRESSED: &[u8] = include_bytes!("../golden/document-v1.bin");
    const CHANGE: &[u8] = include_bytes!("../golden/first-change.bin");

    #[test]
    fn a_save_is_bounded_and_no_part_of_it_is() {
        assert!(is_bounded_save(SAVE));
        for end in 0..SAVE.len() {
            assert!(!is_bounded_save(&SAVE[..end]), "{end}");
        }
    }

    #[test]
    fn nothing_may_follow_a_save() {
        assert!(!is_bounded_save(&[SAVE, &[0]].concat()));
        assert!(!is_bounded_save(&[SAVE, CHANGE].concat()));
        assert!(!is_bounded_save(CHANGE));
    }

    #[test]
    fn compressed_columns_are_refused() {
        assert!(is_bounded_save(COMPRESSED), "this one is too small for any");
        let listed = |column: u8| {
            let list = &mut Bytes(&[1, column, 5]);
            column_list(list, MAX_COLUMNS, of_operations).is_some()
        };
        assert!(listed(0x15));
        assert!(!listed(0x15 | 0x08), "the same one, compressed");
    }
}
