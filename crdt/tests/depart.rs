//! A resource that leaves its compartment for another one.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chartmesh_crdt::{
    ActorId, CommittedChange, Document, Readable as _, Resource, ResourceKey, Settled, Stamp,
};

const RESULT: &str = r#"{"resourceType":"Observation","id":"o1","status":"final",
    "valueString":"positive","code":{"text":"HIV"}}"#;
const DRUG: &str = r#"{"resourceType":"MedicationRequest","id":"m1","status":"active",
    "intent":"order","medicationCodeableConcept":{"text":"efavirenz"}}"#;

/// A node, and the changes that it made.
struct Node {
    document: Document,
    made: Vec<CommittedChange>,
}

impl Node {
    fn new(actor: u8) -> Self {
        Self {
            document: Document::new(ActorId([actor; 16])),
            made: Vec::new(),
        }
    }

    /// Two nodes with one resource each of them holds.
    fn two_with(json: &str) -> [Self; 2] {
        let [mut a, mut b] = [Self::new(1), Self::new(2)];
        a.put(json);
        b.take(&a);
        [a, b]
    }

    fn put(&mut self, json: &str) {
        self.document.put(&Resource::parse(json).unwrap()).unwrap();
        self.commit();
    }

    fn depart(&mut self, key: &ResourceKey) -> bool {
        let departed = self.document.depart(key).unwrap();
        self.commit();
        departed
    }

    fn commit(&mut self) {
        let time = i64::try_from(self.made.len()).unwrap();
        let stamp = Stamp::new("nurse", "nurse", 1_000 + time).unwrap();
        self.made.extend(self.document.commit(&stamp).unwrap());
    }

    fn take(&mut self, other: &Self) {
        let changes: Vec<&[u8]> = other.made.iter().map(|change| &change.bytes[..]).collect();
        let applied = self.document.apply(&changes, other.document.actor());
        assert_eq!(applied.unwrap().refused, []);
    }

    fn json(&self, key: &ResourceKey) -> Option<String> {
        self.document.resource(key).map(|one| one.to_json())
    }
}

fn key_of(json: &str) -> ResourceKey {
    Resource::parse(json).unwrap().key().unwrap()
}

#[test]
fn what_has_departed_is_read_nowhere_and_its_text_neither() {
    for json in [RESULT, DRUG] {
        let key = key_of(json);
        let [mut a, mut b] = Node::two_with(json);
        assert!(a.depart(&key));
        assert!(!a.depart(&key), "there is nothing more to take out");
        b.take(&a);
        for node in [&a, &b] {
            let document = &node.document;
            assert_eq!(node.json(&key), None);
            assert_eq!((document.len(), document.conflicts().len()), (0, 0));
            assert_eq!(document.versions(&key), []);
            assert_eq!(document.of_type(key.resource_type()).count(), 0);
            assert_eq!(Settled::of(document).unwrap().len(), 0);
            let text = document.canonical();
            assert!(
                !text.contains("HIV") && !text.contains("efavirenz"),
                "{text}"
            );
            // Who took it out, and when, is told.
            let last = document.history().pop().unwrap();
            assert!(last.touched.contains(&key));
            let writes = document.history_of(&key);
            assert!(writes.iter().any(|write| write.value.is_none()));
            let said = |write: &chartmesh_crdt::ElementWrite| write.value.clone();
            assert!(
                !writes
                    .iter()
                    .filter_map(said)
                    .any(|text| text.contains('>'))
            );
        }
        assert_eq!(a.document.canonical(), b.document.canonical());
    }
}

#[test]
fn what_comes_back_is_whole_again() {
    for json in [RESULT, DRUG] {
        let key = key_of(json);
        let [mut a, mut b] = Node::two_with(json);
        a.depart(&key);
        a.put(json);
        b.take(&a);
        let whole = Resource::parse(json).unwrap().to_json();
        for node in [&a, &b] {
            assert_eq!(node.json(&key).as_ref(), Some(&whole));
            assert_eq!(node.document.conflicts().len(), 0);
        }
    }
}

#[test]
fn what_was_written_meanwhile_is_kept_as_a_conflict_until_it_is_decided() {
    for (json, from, to, element) in [
        (RESULT, "positive", "negative", "valueString"),
        (DRUG, "efavirenz", "dolutegravir", "*"),
    ] {
        let key = key_of(json);
        let [mut a, mut b] = Node::two_with(json);
        a.depart(&key);
        b.put(&json.replace(from, to));
        a.take(&b);
        b.take(&a);
        assert_eq!(a.document.canonical(), b.document.canonical());
        let read = a.json(&key).unwrap();
        assert!(read.contains(to) && !read.contains(from), "{read}");
        let conflicts = a.document.conflicts();
        let [conflict] = conflicts.as_slice() else {
            panic!("{} conflicts", conflicts.len());
        };
        assert_eq!((&conflict.key, conflict.element.as_str()), (&key, element));
        let values: Vec<bool> = conflict
            .versions
            .iter()
            .map(|one| one.value.is_some())
            .collect();
        assert_eq!(values, [true, false]);
        a.document.resolve(&key, element, None).unwrap();
        a.commit();
        b.take(&a);
        for node in [&a, &b] {
            assert_eq!(node.json(&key), None);
            assert_eq!(node.document.conflicts().len(), 0);
        }
    }
}

#[test]
fn two_who_take_it_out_at_once_agree() {
    for json in [RESULT, DRUG] {
        let key = key_of(json);
        let [mut a, mut b] = Node::two_with(json);
        a.depart(&key);
        b.depart(&key);
        a.take(&b);
        b.take(&a);
        for node in [&a, &b] {
            assert_eq!(
                (node.json(&key), node.document.conflicts().len()),
                (None, 0)
            );
        }
    }
}
