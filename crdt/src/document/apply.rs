//! Taking changes of other nodes into a document.
//!
//! A change is first checked by itself ([`check`](super::check)): its form, its writer, its
//! author, and that it does nothing that has no place in a chart. A list with one unsound change
//! is refused as a whole. Then each change waits until all that it depends on is there, and is
//! compared with that past, and with nothing else: the verdict is the same at every node,
//! whatever arrived before. The one exception is a fork, two changes of one writer with one
//! number, where the first to arrive stays; a fork is misconduct that the record chain exposes.

use std::collections::{BTreeSet, HashSet};

use automerge::ReadDoc;

use super::Document;
use super::check::{Checked, Edit, Write};
use super::index::{Index, OpId, obj_id};
use super::refusal::{ApplyError, ChangeError, Refusal, Refused};
use crate::resource::{is_atomic, was_by_element};
use crate::resource_key::ResourceKey;
use crate::span;
use crate::stamp::{ActorId, ChangeHash};

/// What [`apply`](Document::apply) did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// The changes that are now in the document, with those that had waited for them.
    pub applied: Vec<ChangeHash>,
    /// How many of the given changes were in the document before.
    pub known: usize,
    /// The changes that contradict their past, with those that had waited for them.
    pub refused: Vec<Refused>,
    /// The resources that the applied changes touched.
    pub touched: BTreeSet<ResourceKey>,
}

impl Document {
    /// Takes encoded changes, all written by `actor`, in any order. A change whose dependencies
    /// are missing waits for them; [`missing_deps`](Self::missing_deps) names them.
    ///
    /// # Errors
    /// [`ApplyError`] when one of the changes is unsound, or too many would wait.
    pub fn apply(
        &mut self,
        changes: &[impl AsRef<[u8]>],
        actor: ActorId,
    ) -> Result<Applied, ApplyError> {
        let mut checked = Vec::with_capacity(changes.len());
        for (index, bytes) in changes.iter().enumerate() {
            let read = Checked::read(bytes.as_ref()).and_then(|change| {
                if change.actor == actor {
                    Ok(change)
                } else {
                    Err(ChangeError::OtherActor(change.actor))
                }
            });
            checked.push(read.map_err(|error| ApplyError::Change { index, error })?);
        }
        self.admit(checked)
    }

    /// The changes that waiting changes depend on and that are not here, sorted.
    pub fn missing_deps(&self) -> Vec<ChangeHash> {
        self.pending.wanted().into_iter().collect()
    }

    /// The encoded changes that wait for others. [`save`](Self::save) leaves them out: who keeps
    /// only the saved document must keep these too.
    pub fn pending(&self) -> impl Iterator<Item = &[u8]> {
        self.pending.encoded()
    }

    /// Whether a change is in the document.
    pub fn has_change(&self, hash: ChangeHash) -> bool {
        self.doc.get_change_meta_by_hash(&hash.into()).is_some()
    }

    /// Whether a change is in the document or waits for what it depends on.
    pub fn knows_change(&self, hash: ChangeHash) -> bool {
        self.has_change(hash) || self.pending.contains(hash)
    }

    /// Takes changes that are sound by themselves.
    pub(crate) fn admit(&mut self, changes: Vec<Checked>) -> Result<Applied, ApplyError> {
        let mut report = Applied::default();
        let mut next = BTreeSet::new();
        for change in changes {
            let hash = ChangeHash::from(change.change.hash());
            if self.has_change(hash) {
                report.known += 1;
            } else {
                next.insert(hash);
                self.pending.add(change);
            }
        }
        let given = next.clone();
        let mut index = self.index.take().unwrap_or_else(|| Index::of(self));
        while let Some(hash) = next.pop_first() {
            if self.take_if_ready(hash, &mut index, &mut report) {
                next.extend(self.pending.dependents(hash));
            }
        }
        self.index = Some(index);
        if self.pending.is_too_much() {
            for hash in given {
                drop(self.pending.take(hash));
            }
            return Err(ApplyError::TooManyPending);
        }
        Ok(report)
    }

    /// Applies or refuses a waiting change if everything that it depends on is settled.
    fn take_if_ready(&mut self, hash: ChangeHash, index: &mut Index, report: &mut Applied) -> bool {
        let Some(deps) = self.pending.deps(hash) else {
            return false;
        };
        let on_refused = deps.iter().any(|dep| self.refused.contains(&(*dep).into()));
        if !on_refused && deps.iter().any(|dep| !self.has_change((*dep).into())) {
            return false;
        }
        let Some(checked) = self.pending.take(hash) else {
            return false;
        };
        let actor = checked.actor;
        let verdict = if on_refused {
            Err(Refusal::DependsOnRefused)
        } else {
            self.apply_ready(checked, index)
        };
        match verdict {
            Ok(touched) => {
                report.applied.push(hash);
                report.touched.extend(touched);
            }
            Err(reason) => {
                self.refused.insert(hash);
                report.refused.push(Refused {
                    hash,
                    actor,
                    reason,
                });
            }
        }
        true
    }

    fn apply_ready(
        &mut self,
        checked: Checked,
        index: &mut Index,
    ) -> Result<BTreeSet<ResourceKey>, Refusal> {
        let touched = self.compare_with_past(&checked, index)?;
        let Checked {
            change,
            actor,
            edits,
        } = checked;
        let (seq, hash, start) = (change.seq(), change.hash(), change.start_op().get());
        self.doc
            .apply_changes([change])
            .map_err(|_| Refusal::Rejected)?;
        let created = (start..)
            .zip(edits)
            .filter_map(|(counter, edit)| match edit {
                Edit::Create(key) => Some((obj_id((counter, actor)), key)),
                Edit::Write(_) => None,
            });
        index.add(actor, seq, hash, created);
        Ok(touched)
    }

    /// Compares a change with what it depends on, and returns the resources that it touches.
    fn compare_with_past(
        &self,
        checked: &Checked,
        index: &Index,
    ) -> Result<BTreeSet<ResourceKey>, Refusal> {
        let change = &checked.change;
        let past = Past {
            document: self,
            deps: change.deps(),
            whole: self.is_whole(change.deps()),
        };
        match index.latest(checked.actor) {
            None if change.seq() != 1 => return Err(Refusal::BadSequence),
            Some((last, _)) if change.seq() <= last => return Err(Refusal::Forked),
            Some((last, hash)) if change.seq() != last.saturating_add(1) || !past.holds(hash) => {
                return Err(Refusal::BadSequence);
            }
            Some(_) | None => {}
        }
        if change.start_op().get() != past.last_counter().saturating_add(1) {
            return Err(Refusal::BadCounter);
        }
        let mut touched = BTreeSet::new();
        let mut created: HashSet<&ResourceKey> = HashSet::new();
        for edit in &checked.edits {
            match edit {
                Edit::Create(key) => {
                    touched.insert(key.clone());
                    created.insert(key);
                }
                Edit::Write(write) => {
                    let key = match own_key(checked, write.map) {
                        Some(key) if created.contains(key) => key,
                        Some(_) => return Err(Refusal::UnknownMap),
                        None => past.key(write.map, index).ok_or(Refusal::UnknownMap)?,
                    };
                    if !write.passing && !may_stand(key, &write.element, &write.text) {
                        return Err(Refusal::BadElement);
                    }
                    if !past.are_current(write) {
                        return Err(Refusal::UnknownValue);
                    }
                    if !touched.contains(key) {
                        touched.insert(key.clone());
                    }
                }
            }
        }
        Ok(touched)
    }

    /// Whether a change with these dependencies has the whole document as its past.
    fn is_whole(&self, deps: &[automerge::ChangeHash]) -> bool {
        self.doc.get_heads().iter().all(|head| deps.contains(head))
    }
}

/// What a change depends on, directly or not.
struct Past<'a> {
    document: &'a Document,
    deps: &'a [automerge::ChangeHash],
    /// It is everything in the document.
    whole: bool,
}

impl<'a> Past<'a> {
    /// The greatest counter of an operation.
    fn last_counter(&self) -> u64 {
        let doc = &self.document.doc;
        let metas = self
            .deps
            .iter()
            .filter_map(|dep| doc.get_change_meta_by_hash(dep));
        metas.map(|meta| meta.max_op).max().unwrap_or(0)
    }

    /// Whether a change is in it.
    fn holds(&self, target: automerge::ChangeHash) -> bool {
        let doc = &self.document.doc;
        let Some(wanted) = doc.get_change_meta_by_hash(&target) else {
            return false;
        };
        if self.whole {
            return true;
        }
        let mut seen: BTreeSet<automerge::ChangeHash> = self.deps.iter().copied().collect();
        let mut open: Vec<automerge::ChangeHash> = self.deps.to_vec();
        while let Some(hash) = open.pop() {
            if hash == target {
                return true;
            }
            let Some(meta) = doc.get_change_meta_by_hash(&hash) else {
                continue;
            };
            // Counters only grow: what ends below the target cannot come after it.
            if meta.max_op > wanted.max_op {
                open.extend(meta.deps.into_iter().filter(|dep| seen.insert(*dep)));
            }
        }
        false
    }

    /// The resource of a map that was made in it.
    fn key<'i>(&self, map: OpId, index: &'i Index) -> Option<&'i ResourceKey> {
        let key = index.key(map)?;
        let made_by = self.document.doc.hash_for_opid(&obj_id(map))?;
        self.holds(made_by).then_some(key)
    }

    /// Whether the values that a write replaces were all current at its end.
    fn are_current(&self, write: &Write) -> bool {
        if write.over.is_empty() {
            return true;
        }
        let (map, element) = (obj_id(write.map), write.element.as_str());
        let doc = &self.document.doc;
        let current = if self.whole {
            doc.get_all(&map, element)
        } else {
            doc.get_all_at(&map, element, self.deps)
        };
        let current = current.unwrap_or_default();
        write
            .over
            .iter()
            .all(|id| current.iter().any(|(_, known)| *known == obj_id(*id)))
    }
}

/// The resource whose map a change makes itself.
fn own_key(checked: &Checked, (counter, actor): OpId) -> Option<&ResourceKey> {
    let start = checked.change.start_op().get();
    if actor != checked.actor {
        return None;
    }
    let at = usize::try_from(counter.checked_sub(start)?).ok()?;
    match checked.edits.get(at)? {
        Edit::Create(key) => Some(key),
        Edit::Write(_) => None,
    }
}

/// Whether a resource can have this text as this element.
fn may_stand(key: &ResourceKey, element: &str, text: &str) -> bool {
    let by_element = !is_atomic(key.resource_type()) || was_by_element(key.resource_type());
    if by_element && element != super::WHOLE {
        return true;
    }
    if !is_atomic(key.resource_type()) {
        return false;
    }
    let members = span::members(text);
    let named = |name: &str| !name.is_empty() && !matches!(name, "resourceType" | "id" | "*");
    element == super::WHOLE && text.starts_with('{') && members.iter().all(|(name, _)| named(name))
}
