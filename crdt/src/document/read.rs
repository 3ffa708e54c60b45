//! Reading resources out of a document.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use automerge::iter::{DocItem, MapRangeItem};
use automerge::{ObjId, ObjType, ReadDoc, ScalarValueRef, Value, ValueRef};

use super::depart::{GONE, is_removal};
use super::{Document, WHOLE};
use crate::json::push_string;
use crate::resource::{Resource, is_atomic};
use crate::resource_key::ResourceKey;
use crate::span;

/// One current value of one element, as it stands in one map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// The JSON text, or empty for a removed element.
    pub(crate) text: String,
    /// The operation that wrote it.
    pub(crate) written_by: ObjId,
}

/// All current values of each element, earliest operation first and never empty.
pub(crate) type Values = BTreeMap<String, Vec<Held>>;

impl Document {
    /// How many resources there are.
    pub fn len(&self) -> usize {
        self.resources().count()
    }

    /// Whether there are no resources.
    pub fn is_empty(&self) -> bool {
        !self
            .entries()
            .any(|(key, maps)| self.assemble(&key, &maps).is_some())
    }

    /// One resource, as it stands; a conflicted element has the value that was written last.
    pub fn resource(&self, key: &ResourceKey) -> Option<Resource> {
        let maps = self.maps(key.as_str());
        if maps.is_empty() {
            None
        } else {
            self.assemble(key, &maps)
        }
    }

    /// Every resource, in the order of the keys; conflicted elements as in
    /// [`resource`](Self::resource).
    pub fn resources(&self) -> impl Iterator<Item = Resource> + '_ {
        let mut plain = self.plain_maps();
        self.doc
            .map_range(&self.resources, ..)
            .filter_map(move |item| {
                let key = item.key.parse().ok()?;
                match plain.remove(&item.id()) {
                    Some(elements) if !item.conflict => from_elements(&key, elements),
                    Some(_) | None => self.resource(&key),
                }
            })
    }

    /// The elements of every map that has no conflict, all read in one pass: seeking each map
    /// would take twice as long.
    fn plain_maps(&self) -> HashMap<ObjId, BTreeMap<String, String>> {
        let mut maps = HashMap::new();
        let mut items = self.doc.iter_at(&self.resources, None).peekable();
        while let Some(first) = items.next() {
            let map = first.obj;
            let mut elements = BTreeMap::new();
            let mut plain = *map != self.resources;
            let mut item = Some(first.item);
            while let Some(found) = item {
                match found {
                    DocItem::Map(found) if plain && !found.conflict => {
                        if let Some(text) = text_of(&found.value).filter(|t| !t.is_empty()) {
                            elements.insert(found.key.to_string(), text.to_owned());
                        }
                    }
                    DocItem::Map(_) | DocItem::List(_) | DocItem::Text(_) => plain = false,
                }
                item = items
                    .next_if(|next| Arc::ptr_eq(&next.obj, &map))
                    .map(|next| next.item);
            }
            if plain {
                maps.insert((*map).clone(), elements);
            }
        }
        maps
    }

    /// The maps with an element that has several values, perhaps all the same.
    pub(crate) fn conflicted_maps(&self) -> HashSet<ObjId> {
        let items = self.doc.iter_at(&self.resources, None);
        let conflicted = items.filter(|item| matches!(&item.item, DocItem::Map(m) if m.conflict));
        conflicted.map(|item| (*item.obj).clone()).collect()
    }

    /// The key of every resource, in order.
    pub fn keys(&self) -> impl Iterator<Item = ResourceKey> + '_ {
        self.entries().map(|(key, _)| key)
    }

    /// The key of every resource of one type, in order, and the resource itself where no element
    /// has several values: there is nothing more to say of it.
    pub(crate) fn settled_of_type(
        &self,
        resource_type: &str,
    ) -> impl Iterator<Item = (ResourceKey, Option<Resource>)> + '_ {
        // `0` is the character after `/`.
        let range = format!("{resource_type}/")..format!("{resource_type}0");
        let items = self.doc.map_range(&self.resources, range);
        items.filter_map(|item| {
            let key = item.key.parse().ok()?;
            let map = one_map(&item).pop().filter(|_| !item.conflict);
            match map.and_then(|map| self.settled_elements(&map)) {
                Some(elements) => from_elements(&key, elements).map(|one| (key, Some(one))),
                None => Some((key, None)),
            }
        })
    }

    /// The visible state as text, the same bytes at every node with the same changes: one line
    /// a resource, and one a current value of an element, with the conflicting ones below the
    /// one that is read.
    pub fn canonical(&self) -> String {
        let mut out = String::from("chart document 1\n");
        for (key, maps) in self.entries() {
            out.push_str(key.as_str());
            out.push('\n');
            for (name, held) in self.values(&maps) {
                let mut mark = "  ";
                let mut seen: Vec<&str> = Vec::new();
                let read = winner(&name, &held);
                for value in read.into_iter().chain(held.iter().rev()) {
                    if seen.contains(&value.text.as_str()) {
                        continue;
                    }
                    seen.push(&value.text);
                    out.push_str(mark);
                    push_string(&mut out, &name);
                    out.push(' ');
                    out.push_str(if is_removal(&name, &value.text) {
                        "removed"
                    } else {
                        &value.text
                    });
                    out.push('\n');
                    mark = "    or ";
                }
            }
        }
        out
    }

    /// Each key with the maps that stand under it.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (ResourceKey, Vec<ObjId>)> + '_ {
        self.doc.map_range(&self.resources, ..).filter_map(|item| {
            let key = item.key.parse().ok()?;
            let maps = if item.conflict {
                self.maps(&item.key)
            } else {
                one_map(&item)
            };
            if maps.is_empty() {
                None
            } else {
                Some((key, maps))
            }
        })
    }

    /// The maps that stand under a key: more than one after a concurrent creation.
    pub(crate) fn maps(&self, key: &str) -> Vec<ObjId> {
        let found = self.doc.get_all(&self.resources, key).unwrap_or_default();
        found
            .into_iter()
            .filter(|(value, _)| matches!(value, Value::Object(ObjType::Map)))
            .map(|(_, id)| id)
            .collect()
    }

    /// The current values of every element, over all maps of one resource.
    pub(crate) fn values(&self, maps: &[ObjId]) -> Values {
        let mut values = Values::new();
        for map in maps {
            for item in self.doc.map_range(map, ..) {
                let held = values.entry(item.key.clone().into_owned()).or_default();
                if item.conflict {
                    held.extend(self.held(map, &item.key));
                } else if let Some(text) = text_of(&item.value) {
                    held.push(Held {
                        text: text.to_owned(),
                        written_by: item.id(),
                    });
                }
            }
        }
        values.retain(|_, held| !held.is_empty());
        if maps.len() > 1 {
            values.values_mut().for_each(|held| sort(held));
        }
        values
    }

    /// The current values of one element in one map.
    pub(crate) fn held(&self, map: &ObjId, element: &str) -> Vec<Held> {
        let found = self.doc.get_all(map, element).unwrap_or_default();
        found
            .into_iter()
            .filter_map(|(value, written_by)| {
                Some(Held {
                    text: value.as_str()?.to_owned(),
                    written_by,
                })
            })
            .collect()
    }

    fn assemble(&self, key: &ResourceKey, maps: &[ObjId]) -> Option<Resource> {
        let settled = match maps {
            [map] => self.settled_elements(map),
            _ => None,
        };
        from_elements(key, settled.unwrap_or_else(|| self.united_elements(maps)))
    }

    /// The elements of a resource with one map and no element of several values: what nearly
    /// every resource is.
    fn settled_elements(&self, map: &ObjId) -> Option<BTreeMap<String, String>> {
        let mut elements = BTreeMap::new();
        for item in self.doc.map_range(map, ..) {
            if item.conflict {
                return None;
            }
            if let Some(text) = text_of(&item.value).filter(|text| !text.is_empty()) {
                elements.insert(item.key.clone().into_owned(), text.to_owned());
            }
        }
        Some(elements)
    }

    fn united_elements(&self, maps: &[ObjId]) -> BTreeMap<String, String> {
        let values = self.values(maps).into_iter();
        let read = values.filter_map(|(name, held)| {
            let text = winner(&name, &held)?.text.clone();
            (!text.is_empty()).then_some((name, text))
        });
        read.collect()
    }
}

/// The resource of these elements; none where it has gone, and nothing was written since.
fn from_elements(key: &ResourceKey, elements: BTreeMap<String, String>) -> Option<Resource> {
    let mut elements = match elements.get(WHOLE) {
        Some(whole) if is_atomic(key.resource_type()) => whole_elements(whole),
        Some(_) | None => elements,
    };
    let has_gone = elements.remove(GONE).is_some() && elements.is_empty();
    (!has_gone).then(|| Resource::from_stored(key, elements))
}

/// The value that is read of several of an element: the last one written, and a value before a
/// removal.
pub(crate) fn winner<'a>(element: &str, held: &'a [Held]) -> Option<&'a Held> {
    held.iter()
        .rev()
        .find(|value| !is_removal(element, &value.text))
        .or_else(|| held.last())
}

/// Puts values into Automerge's order of operations: by counter, then by writer.
pub(crate) fn sort(held: &mut [Held]) {
    held.sort_by(|a, b| a.written_by.cmp(&b.written_by));
}

/// The elements in the text of an atomic resource.
pub(crate) fn whole_elements(text: &str) -> BTreeMap<String, String> {
    let members = span::members(text).into_iter();
    members
        .map(|(name, value)| (name.into_owned(), value.to_owned()))
        .collect()
}

fn one_map(item: &MapRangeItem<'_>) -> Vec<ObjId> {
    match &item.value {
        ValueRef::Object(ObjType::Map) => vec![item.id()],
        ValueRef::Object(_) | ValueRef::Scalar(_) => Vec::new(),
    }
}

fn text_of<'a>(value: &'a ValueRef<'_>) -> Option<&'a str> {
    match value {
        ValueRef::Scalar(ScalarValueRef::Str(text)) => Some(text),
        ValueRef::Scalar(_) | ValueRef::Object(_) => None,
    }
}
