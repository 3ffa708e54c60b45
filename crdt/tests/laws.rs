//! The laws of merging and of lossless JSON, as properties.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use chartmesh_crdt::{
    ActorId, Document, Readable, Resource, ResourceKey, SavedChanges, Settled, Stamp,
};
use proptest::prelude::*;
use proptest::sample::Index;

/// One step of a random history.
#[derive(Debug, Clone)]
enum Step {
    /// A node puts a version of a resource and commits.
    Put {
        node: usize,
        resource: usize,
        elements: Vec<(usize, usize)>,
    },
    /// A node takes some changes of all that exist, in some order.
    Take { node: usize, which: Vec<Index> },
    /// A node resolves its first conflict, with one of the versions.
    Resolve { node: usize, version: Index },
}

fn step() -> impl Strategy<Value = Step> {
    let elements = prop::collection::vec((0..3_usize, 0..4_usize), 0..3);
    prop_oneof![
        4 => (0..3_usize, 0..3_usize, elements)
            .prop_map(|(node, resource, elements)| Step::Put { node, resource, elements }),
        3 => (0..3_usize, prop::collection::vec(any::<Index>(), 1..6))
            .prop_map(|(node, which)| Step::Take { node, which }),
        1 => (0..3_usize, any::<Index>())
            .prop_map(|(node, version)| Step::Resolve { node, version }),
    ]
}

struct Made {
    actor: ActorId,
    bytes: Vec<u8>,
}

/// Plays a history on three nodes, and returns every change made.
fn play(steps: &[Step]) -> (Vec<Document>, Vec<Made>) {
    let mut nodes: Vec<Document> = (1..=3).map(|n| Document::new(ActorId([n; 16]))).collect();
    let mut made: Vec<Made> = Vec::new();
    for (at, step) in steps.iter().enumerate() {
        let node = match step {
            Step::Put { node, .. } | Step::Take { node, .. } | Step::Resolve { node, .. } => *node,
        };
        let document = &mut nodes[node];
        match step {
            Step::Put {
                resource, elements, ..
            } => {
                // The last one is atomic.
                let resource_type = ["Observation", "Condition", "AllergyIntolerance"][*resource];
                let json = format!(r#"{{"resourceType":"{resource_type}","id":"r"}}"#);
                let mut version = Resource::parse(&json).unwrap();
                for (element, value) in elements {
                    let name = ["code", "note", "status"][*element];
                    version = version
                        .with_element(name, &format!("\"v{value}\""))
                        .unwrap();
                }
                document.put(&version).unwrap();
            }
            Step::Take { which, .. } if !made.is_empty() => {
                for index in which {
                    let change = index.get(&made);
                    let applied = document.apply(&[&change.bytes], change.actor).unwrap();
                    assert_eq!(applied.refused, []);
                }
            }
            Step::Take { .. } => {}
            Step::Resolve { version, .. } => {
                if let Some(conflict) = document.conflicts().first() {
                    let chosen = version.get(&conflict.versions).value.clone();
                    document
                        .resolve(&conflict.key, &conflict.element, chosen.as_deref())
                        .unwrap();
                }
            }
        }
        let time_ms = i64::try_from(at).unwrap();
        let stamp = Stamp::new("user", "role", time_ms).unwrap();
        if let Some(change) = document.commit(&stamp).unwrap() {
            made.push(Made {
                actor: document.actor(),
                bytes: change.bytes,
            });
        }
    }
    (nodes, made)
}

/// A document of exactly these changes, in this order.
fn with<'a>(changes: impl IntoIterator<Item = &'a Made>) -> Document {
    let mut document = Document::new(ActorId([9; 16]));
    take(&mut document, changes);
    document
}

fn take<'a>(document: &mut Document, changes: impl IntoIterator<Item = &'a Made>) {
    for change in changes {
        let applied = document.apply(&[&change.bytes], change.actor).unwrap();
        assert_eq!(applied.refused, []);
    }
}

fn assert_same(a: &Document, b: &Document) {
    assert_eq!(a.canonical(), b.canonical());
    assert_eq!(a.heads(), b.heads());
    assert_eq!(a.missing_deps(), b.missing_deps());
    assert!(a.save_canonical() == b.save_canonical());
    assert!(a.resources().eq(b.resources()));
    assert!(a.conflicts() == b.conflicts());
    assert_eq!(a.history(), b.history());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn merging_is_commutative_associative_and_idempotent(
        steps in prop::collection::vec(step(), 1..30),
        cut in any::<Index>(),
        other_cut in any::<Index>(),
        shuffle in any::<u64>(),
    ) {
        let (mut nodes, made) = play(&steps);
        let straight = with(&made);
        let backward = with(made.iter().rev());
        assert_same(&straight, &backward);

        let mut order: Vec<usize> = (0..made.len()).collect();
        order.sort_by_key(|at| (*at as u64 + 1).wrapping_mul(shuffle | 1) >> 7);
        assert_same(&straight, &with(order.iter().map(|at| &made[*at])));

        // (a · b) · c = a · (b · c), and a part twice changes nothing.
        let (first, second) = (cut.index(made.len() + 1), other_cut.index(made.len() + 1));
        let (first, second) = (first.min(second), first.max(second));
        let mut left = with(&made[..second]);
        take(&mut left, &made[second..]);
        let mut right = with(&made[first..]);
        take(&mut right, &made[..first]);
        take(&mut right, &made[..second]);
        assert_same(&left, &right);
        assert_same(&straight, &left);

        for node in &mut nodes {
            take(node, &made);
            assert_same(&straight, node);
        }
        let loaded = Document::load(&straight.save(), ActorId([8; 16])).unwrap();
        assert_same(&straight, &loaded);
        let all = straight.history().iter().map(|entry| entry.hash).collect();
        let save = straight.save_plain(&all).unwrap();
        prop_assert!(nodes[0].save_plain(&all) == Some(save.clone()), "the same bytes everywhere");
        let mut taken = Document::new(ActorId([8; 16]));
        taken.apply_saved(SavedChanges::read(&save).unwrap()).unwrap();
        assert_same(&straight, &taken);
        for node in &mut nodes {
            node.apply_saved(SavedChanges::read(&save).unwrap()).unwrap();
            assert_same(&straight, node);
        }
    }

    #[test]
    fn what_is_read_in_one_pass_is_what_is_read_one_by_one(
        steps in prop::collection::vec(step(), 1..30),
    ) {
        let (_, made) = play(&steps);
        let document = with(&made);
        let one_by_one: Vec<Resource> =
            document.keys().map(|key| document.resource(&key).unwrap()).collect();
        prop_assert!(document.resources().eq(one_by_one));
        let conflicts: Vec<_> = document.keys().flat_map(|k| document.conflicts_of(&k)).collect();
        prop_assert!(document.conflicts() == conflicts);
    }

    #[test]
    fn what_is_kept_of_a_document_reads_as_the_document(
        steps in prop::collection::vec(step(), 1..25),
    ) {
        for document in play(&steps).0 {
            let is_settled = document.conflicts().is_empty() && document.pending().next().is_none();
            let kept = Settled::of(&document);
            prop_assert_eq!(kept.is_some(), is_settled);
            let Some(kept) = kept else { continue };
            let entries = kept.entries().map(|(key, text)| (key.clone(), text.to_owned()));
            let kept = Settled::from_entries(entries);
            let (kept, document): (&dyn Readable, &dyn Readable) = (&kept, &document);
            prop_assert_eq!(kept.len(), document.len());
            let all: Vec<Resource> = document.resources().collect();
            prop_assert_eq!(&kept.resources().collect::<Vec<_>>(), &all);
            for one in &all {
                let key = one.key().unwrap();
                prop_assert_eq!(kept.versions(&key), document.versions(&key));
                let keys = |it: &dyn Readable| {
                    it.of_type(key.resource_type()).map(|(key, _)| key).collect::<Vec<_>>()
                };
                prop_assert_eq!(keys(kept), keys(document));
            }
        }
    }

    #[test]
    fn any_element_comes_out_as_it_went_in(values in prop::collection::vec(json(), 1..5)) {
        for kind in ["Basic", "Immunization"] {
            let elements: Vec<String> =
                values.iter().enumerate().map(|(n, v)| format!("\"e{n}\":{v}")).collect();
            let text = format!(r#"{{"resourceType":"{kind}","id":"x",{}}}"#, elements.join(" ,\n"));
            let resource = Resource::parse(&text).unwrap();
            let mut document = Document::new(ActorId([1; 16]));
            document.put(&resource).unwrap();
            let change = document.commit(&Stamp::new("u", "r", 1).unwrap()).unwrap().unwrap();
            let mut other = Document::new(ActorId([2; 16]));
            other.apply(&[&change.bytes], ActorId([1; 16])).unwrap();
            let loaded = Document::load(&other.save(), ActorId([3; 16])).unwrap();
            let key: ResourceKey = resource.key().unwrap();
            let read = loaded.resource(&key).unwrap();
            prop_assert!(read == resource);
            for (n, value) in values.iter().enumerate() {
                // What serde_json thinks of it, digits aside, and the digits themselves.
                let stored = read.element(&format!("e{n}")).unwrap();
                let (a, b): (serde_json::Value, serde_json::Value) =
                    (serde_json::from_str(stored).unwrap(), serde_json::from_str(value).unwrap());
                prop_assert_eq!(a, b);
                prop_assert_eq!(without_space(stored), without_space(value));
            }
        }
    }

    #[test]
    fn no_text_makes_parsing_panic(text in "\\PC*", cut in any::<Index>()) {
        let _ = Resource::parse(&text);
        let json = r#"{"resourceType":"Bundle","type":"batch","entry":[{"resource":
            {"resourceType":"Patient","name":[{"family":"\u00e9"}]}}]}"#;
        let mut torn = json.as_bytes().to_vec();
        torn[cut.index(json.len())] = text.bytes().next().unwrap_or(b'{');
        if let Ok(torn) = String::from_utf8(torn) {
            let _ = chartmesh_crdt::Bundle::parse(&torn, &mut || "new".to_owned());
        }
    }
}

/// Random JSON text, with whitespace where it may stand.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        "-?(0|[1-9][0-9]{0,18})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?",
        any::<String>().prop_map(|s| serde_json::to_string(&s).unwrap()),
        Just("\"\\u00e9\\ud83d\\ude00\\/\"".to_owned()),
    ];
    leaf.prop_recursive(6, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5)
                .prop_map(|v| format!("[ {} ]", v.join(" , "))),
            prop::collection::btree_map("[a-z_]{1,6}", inner, 0..5).prop_map(|members| {
                let members: Vec<String> = members
                    .iter()
                    .rev()
                    .map(|(k, v)| format!("\"{k}\" :\t{v}"))
                    .collect();
                format!("{{{}}}", members.join(" ,\n"))
            }),
        ]
    })
}

fn without_space(text: &str) -> String {
    text.chars().filter(|c| !c.is_ascii_whitespace()).collect()
}
