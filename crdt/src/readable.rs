//! What a compartment says now, apart from how it came about.

use std::collections::BTreeMap;

use crate::document::conflict::Conflict;
use crate::document::read::whole_elements;
use crate::document::{Document, WHOLE};
use crate::json::object_of;
use crate::resource::Resource;
use crate::resource_key::ResourceKey;

/// A compartment as it can be read: a [`Document`], or what was [kept](Settled) of one.
pub trait Readable {
    /// How many resources there are.
    fn len(&self) -> usize;

    /// Whether there are no resources.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One resource, as it stands; a conflicted element has the value that was written last.
    fn resource(&self, key: &ResourceKey) -> Option<Resource>;

    /// Every resource, in the order of the keys; conflicted elements as in
    /// [`resource`](Self::resource).
    fn resources(&self) -> Box<dyn Iterator<Item = Resource> + '_>;

    /// The key of every resource of one type, in order, and the resource itself where no element
    /// has several values: there is nothing more to say of it.
    fn of_type<'a>(
        &'a self,
        resource_type: &str,
    ) -> Box<dyn Iterator<Item = (ResourceKey, Option<Resource>)> + 'a>;

    /// Every current version of a resource: one, or for an atomic resource in conflict all of
    /// them, the one that is read first. Empty when there is no such resource.
    fn versions(&self, key: &ResourceKey) -> Vec<Resource>;

    /// Every conflict, in the order of the keys and the elements.
    fn conflicts(&self) -> Vec<Conflict>;

    /// The conflicts of one resource, in the order of the elements.
    fn conflicts_of(&self, key: &ResourceKey) -> Vec<Conflict>;
}

/// Every way in which a resource may be read: as it stands, and with each other value of an element
/// in conflict in its place. Of these, each could be the true one.
pub fn possible(content: &dyn Readable, key: &ResourceKey) -> Vec<Resource> {
    let Some(base) = content.resource(key) else {
        return Vec::new();
    };
    let mut all = vec![base.clone()];
    for conflict in content.conflicts_of(key) {
        for version in conflict.versions {
            let other = match &version.value {
                Some(text) if conflict.element == WHOLE => Resource::parse(text).ok(),
                Some(text) => base.clone().with_element(&conflict.element, text).ok(),
                None => Some(base.clone().without_element(&conflict.element)),
            };
            all.extend(other.filter(|other| !all.contains(other)));
        }
    }
    all
}

impl Readable for Document {
    fn len(&self) -> usize {
        self.len()
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn resource(&self, key: &ResourceKey) -> Option<Resource> {
        self.resource(key)
    }

    fn resources(&self) -> Box<dyn Iterator<Item = Resource> + '_> {
        Box::new(self.resources())
    }

    fn of_type<'a>(
        &'a self,
        resource_type: &str,
    ) -> Box<dyn Iterator<Item = (ResourceKey, Option<Resource>)> + 'a> {
        Box::new(self.settled_of_type(resource_type))
    }

    fn versions(&self, key: &ResourceKey) -> Vec<Resource> {
        self.versions(key)
    }

    fn conflicts(&self) -> Vec<Conflict> {
        self.conflicts()
    }

    fn conflicts_of(&self, key: &ResourceKey) -> Vec<Conflict> {
        self.conflicts_of(key)
    }
}

/// The resources of a document in which nothing is in conflict: all that there is to read in it,
/// in a tenth of the time that the document takes to load. Nothing can be written here, and no
/// history read.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// The elements of each resource, as one JSON object.
    resources: BTreeMap<ResourceKey, String>,
}

impl Settled {
    /// What is to be read in a document; `None` where an element has two values, or a change waits
    /// for others: then there is more to say.
    pub fn of(document: &Document) -> Option<Self> {
        if document.pending().next().is_some() || !document.conflicts().is_empty() {
            return None;
        }
        let elements = |resource: Resource| {
            let key = resource.key().ok()?;
            Some((key, object_of(resource.elements())))
        };
        let resources = document.resources().map(elements).collect::<Option<_>>()?;
        Some(Self { resources })
    }

    /// Each resource: its key, and its elements but for `resourceType` and `id` as one JSON object.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&ResourceKey, &str)> {
        let entries = self.resources.iter();
        entries.map(|(key, elements)| (key, elements.as_str()))
    }

    /// What [`entries`](Self::entries) gave. The texts must come from this node's own store: they
    /// are not checked again.
    pub fn from_entries(entries: impl IntoIterator<Item = (ResourceKey, String)>) -> Self {
        let resources = entries.into_iter().collect();
        Self { resources }
    }
}

fn standing(key: &ResourceKey, elements: &str) -> Resource {
    Resource::from_stored(key, whole_elements(elements))
}

impl Readable for Settled {
    fn len(&self) -> usize {
        self.resources.len()
    }

    fn resource(&self, key: &ResourceKey) -> Option<Resource> {
        let elements = self.resources.get(key)?;
        Some(standing(key, elements))
    }

    fn resources(&self) -> Box<dyn Iterator<Item = Resource> + '_> {
        let entries = self.resources.iter();
        Box::new(entries.map(|(key, elements)| standing(key, elements)))
    }

    fn of_type<'a>(
        &'a self,
        resource_type: &str,
    ) -> Box<dyn Iterator<Item = (ResourceKey, Option<Resource>)> + 'a> {
        let wanted = resource_type.to_owned();
        let entries = self.resources.iter();
        let mine = entries.filter(move |(key, _)| key.resource_type() == wanted);
        Box::new(mine.map(|(key, elements)| (key.clone(), Some(standing(key, elements)))))
    }

    fn versions(&self, key: &ResourceKey) -> Vec<Resource> {
        self.resource(key).into_iter().collect()
    }

    fn conflicts(&self) -> Vec<Conflict> {
        Vec::new()
    }

    fn conflicts_of(&self, _: &ResourceKey) -> Vec<Conflict> {
        Vec::new()
    }
}
