//! Which items of our feed a peer holds, beyond those that it is known to hold all of.
//!
//! ```text
//! Acknowledged  peer node 32 | page 8  -> a bit for each of PAGE_FEEDS feed numbers
//! ```
//!
//! A first sync confirms tens of thousands of items, some dozens at a time, most of them
//! neighbours: one write of a page serves them together. What is lost of it is sent again, and
//! found to be there.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_protocol::NodeId;

use super::{ClinicError, items};
use crate::store::{Batch, Space, Store, StoreError, View};

/// Bytes of a page: few beside those of the items that it marks.
const PAGE_BYTES: usize = 128;
/// Feed numbers in a page.
const PAGE_FEEDS: u64 = 8 * PAGE_BYTES as u64;

/// Every item that is marked.
pub(super) fn read(store: &Store, peer: &NodeId) -> Result<BTreeSet<u64>, ClinicError> {
    let mut feeds = BTreeSet::new();
    for pair in store.scan_prefix(Space::Acknowledged, peer.as_bytes()) {
        let (key, bits) = pair?;
        if let Some(page) = page_of(&key) {
            feeds.extend(marked(page, &bits));
        }
    }
    Ok(feeds)
}

/// Marks items.
pub(super) fn mark(
    view: &View<'_>,
    batch: &mut Batch,
    peer: &NodeId,
    feeds: &[u64],
) -> Result<(), StoreError> {
    let mut pages: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for feed in feeds {
        pages.entry(feed / PAGE_FEEDS).or_default().push(*feed);
    }
    for (page, feeds) in pages {
        let key = key(peer, page);
        let known = view.get(Space::Acknowledged, &key)?.unwrap_or_default();
        let all = marked(page, &known).chain(feeds);
        batch.put(Space::Acknowledged, key, bits(all));
    }
    Ok(())
}

/// Takes away the marks up to a feed number.
pub(super) fn clear_upto(
    view: &View<'_>,
    batch: &mut Batch,
    peer: &NodeId,
    upto: u64,
) -> Result<(), StoreError> {
    for pair in view.scan_prefix(Space::Acknowledged, peer.as_bytes()) {
        let (key, known) = pair?;
        let Some(page) = page_of(&key).filter(|page| *page <= upto / PAGE_FEEDS) else {
            continue;
        };
        let mut later = marked(page, &known).filter(|feed| *feed > upto).peekable();
        if later.peek().is_some() {
            batch.put(Space::Acknowledged, key, bits(later));
        } else {
            batch.delete(Space::Acknowledged, key);
        }
    }
    Ok(())
}

fn key(peer: &NodeId, page: u64) -> Vec<u8> {
    [peer.as_bytes().as_slice(), &page.to_be_bytes()].concat()
}

fn page_of(key: &[u8]) -> Option<u64> {
    key.get(NodeId::LEN..).and_then(items::number)
}

/// The feed numbers whose bits are set; none where it is no page.
fn marked(page: u64, bits: &[u8]) -> impl Iterator<Item = u64> {
    let bits = if bits.len() == PAGE_BYTES { bits } else { &[] };
    let first = page.saturating_mul(PAGE_FEEDS);
    (0..).zip(bits).flat_map(move |(at, byte)| {
        (0..8)
            .filter(move |bit| byte >> bit & 1 == 1)
            .map(move |bit| first.saturating_add(at * 8 + bit))
    })
}

/// The bits of feed numbers of one page.
fn bits(feeds: impl Iterator<Item = u64>) -> Vec<u8> {
    let mut bits = vec![0; PAGE_BYTES];
    for feed in feeds {
        let at = usize::try_from(feed % PAGE_FEEDS / 8).unwrap_or_default();
        if let Some(byte) = bits.get_mut(at) {
            *byte |= 1_u8 << (feed % 8);
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_page_gives_back_what_was_marked(page in 0..=u64::MAX / PAGE_FEEDS,
                                             places in btree_set(0..PAGE_FEEDS, 0..200)) {
            let feeds: Vec<u64> = places.iter().map(|at| page * PAGE_FEEDS + at).collect();
            let bits = bits(feeds.iter().copied());
            prop_assert_eq!(marked(page, &bits).collect::<Vec<_>>(), feeds);
        }

        #[test]
        fn what_is_no_page_marks_nothing(page: u64, bytes: Vec<u8>) {
            prop_assume!(bytes.len() != PAGE_BYTES);
            prop_assert_eq!(marked(page, &bytes).count(), 0);
        }
    }
}
