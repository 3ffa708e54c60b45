//! The history of a document: who changed what, and when.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{Checked, Edit, Write};
use super::depart::{GONE, is_removal};
use super::index::Index;
use super::{Document, first};
use crate::attachment::marks_in;
use crate::resource_key::ResourceKey;
use crate::stamp::{ActorId, Author, ChangeHash, Stamp};

/// One change of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The change.
    pub hash: ChangeHash,
    /// When, in milliseconds since 1970 by the author's clock.
    pub time_ms: i64,
    /// Who.
    pub author: Author,
    /// The resources that it touched.
    pub touched: BTreeSet<ResourceKey>,
}

/// One value that an element had or has.
#[derive(Clone, PartialEq, Eq)]
pub struct ElementWrite {
    /// The change that wrote it.
    pub hash: ChangeHash,
    /// When, in milliseconds since 1970 by the author's clock.
    pub time_ms: i64,
    /// Who.
    pub author: Author,
    /// The element; `*` for an atomic resource, which is written as a whole.
    pub element: String,
    /// The JSON text as stored (a whole resource without `resourceType` and `id`), or `None`
    /// where the element was removed.
    pub value: Option<String>,
}

/// A change and what it depends on; the first change of every document is left out of that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeOutline {
    /// The change.
    pub hash: ChangeHash,
    /// The changes that it depends on.
    pub deps: Vec<ChangeHash>,
}

impl Document {
    /// Every change, earlier before later and concurrent ones by time, then by hash: the same
    /// list at every node with the same changes.
    pub fn history(&self) -> Vec<HistoryEntry> {
        let (index, changes) = self.past_changes();
        let entries = changes.into_iter().map(|past| {
            let keys = past
                .checked
                .edits
                .iter()
                .filter_map(|edit| edit.key(&index));
            let touched = keys.cloned().collect();
            HistoryEntry {
                hash: past.hash,
                time_ms: past.time_ms,
                author: past.author,
                touched,
            }
        });
        entries.collect()
    }

    /// Every value that the elements of one resource had and have, in the order of
    /// [`history`](Self::history). The same value written into several maps stands once.
    pub fn history_of(&self, key: &ResourceKey) -> Vec<ElementWrite> {
        let (index, changes) = self.past_changes();
        let mut writes: Vec<ElementWrite> = Vec::new();
        for past in changes {
            let from = writes.len();
            for edit in &past.checked.edits {
                let Edit::Write(Write {
                    element,
                    text,
                    passing: false,
                    ..
                }) = edit
                else {
                    continue;
                };
                if edit.key(&index) != Some(key) || element == GONE {
                    continue;
                }
                let write = ElementWrite {
                    hash: past.hash,
                    time_ms: past.time_ms,
                    author: past.author.clone(),
                    element: element.clone(),
                    value: (!is_removal(element, text)).then(|| text.clone()),
                };
                if !writes.iter().skip(from).any(|known| *known == write) {
                    writes.push(write);
                }
            }
        }
        writes
    }

    /// Every [mark](crate::MARK) that was ever written here, with the writer, in the order of
    /// [`history`](Self::history): whoever wrote one first took the content out, and who wrote it
    /// later had read it here.
    pub fn marks_written(&self) -> Vec<(String, ActorId)> {
        let (_, changes) = self.past_changes();
        let mut marks = Vec::new();
        for past in changes {
            for edit in &past.checked.edits {
                if let Edit::Write(Write { element, text, .. }) = edit {
                    let found = marks_in(element, text).into_iter();
                    marks.extend(found.map(|mark| (mark.to_owned(), past.author.actor)));
                }
            }
        }
        marks
    }

    /// Every change but the first, with what it depends on, those of each writer in their order.
    pub fn outline(&self) -> BTreeMap<ActorId, Vec<ChangeOutline>> {
        let mut outline: BTreeMap<ActorId, Vec<(u64, ChangeOutline)>> = BTreeMap::new();
        let first = first::hash();
        let others = |deps: Vec<automerge::ChangeHash>| {
            let deps = deps.into_iter().map(ChangeHash::from);
            deps.filter(|dep| Some(*dep) != first).collect()
        };
        for change in self.doc.get_changes_meta(&[]) {
            let Some(actor) = ActorId::read(&change.actor).filter(|one| *one != first::ACTOR)
            else {
                continue;
            };
            let one = ChangeOutline {
                hash: change.hash.into(),
                deps: others(change.deps),
            };
            outline.entry(actor).or_default().push((change.seq, one));
        }
        let in_order = |mut changes: Vec<(u64, ChangeOutline)>| {
            changes.sort_by_key(|(seq, _)| *seq);
            changes.into_iter().map(|(_, change)| change).collect()
        };
        let outline = outline.into_iter();
        outline
            .map(|(actor, changes)| (actor, in_order(changes)))
            .collect()
    }

    fn past_changes(&self) -> (Index, Vec<PastChange>) {
        let changes = self.doc.get_changes(&[]);
        let read = changes.iter().filter_map(|change| {
            // Only the first change is not read: it has no author.
            let checked = Checked::read(change.raw_bytes()).ok()?;
            let stamp = Stamp::read(change.message(), change.timestamp()).ok()?;
            Some(PastChange {
                hash: change.hash().into(),
                time_ms: change.timestamp(),
                author: stamp.author(checked.actor),
                checked,
            })
        });
        let mut read: Vec<PastChange> = read.collect();
        // A later change counts on from all that it depends on, so this keeps causes first.
        read.sort_by_key(|past| (past.checked.change.start_op(), past.time_ms, past.hash));
        (Index::of(self), read)
    }
}

/// A change of the document, read back.
struct PastChange {
    hash: ChangeHash,
    time_ms: i64,
    author: Author,
    checked: Checked,
}

impl Edit {
    /// The resource that it touches.
    fn key<'a>(&'a self, index: &'a Index) -> Option<&'a ResourceKey> {
        match self {
            Self::Create(key) => Some(key),
            Self::Write(write) => index.key(write.map),
        }
    }
}
