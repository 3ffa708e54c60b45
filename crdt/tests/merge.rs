//! What happens when nodes edit one compartment at the same time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use chartmesh_crdt::{
    ActorId, CommittedChange, Document, Put, Refusal, ResolveError, Resource, ResourceKey, Stamp,
};

/// A node of a test: its document, and the changes it made.
struct Node {
    document: Document,
    made: Vec<CommittedChange>,
    time_ms: i64,
}

impl Node {
    fn new(actor: u8) -> Self {
        let document = Document::new(ActorId([actor; 16]));
        Self {
            document,
            made: Vec::new(),
            time_ms: i64::from(actor),
        }
    }

    fn put(&mut self, json: &str) -> Put {
        let put = self.document.put(&Resource::parse(json).unwrap()).unwrap();
        self.commit();
        put
    }

    fn commit(&mut self) {
        self.time_ms += 1_000;
        let user = format!("user-{}", self.document.actor().0[0]);
        let stamp = Stamp::new(&user, "physician", self.time_ms).unwrap();
        self.made.extend(self.document.commit(&stamp).unwrap());
    }

    fn resolve(&mut self, key: &str, element: &str, chosen: Option<&str>) {
        self.document
            .resolve(&key.parse().unwrap(), element, chosen)
            .unwrap();
        self.commit();
    }

    fn take(&mut self, other: &Self) {
        let changes: Vec<&[u8]> = other.made.iter().map(|change| &change.bytes[..]).collect();
        let applied = self
            .document
            .apply(&changes, other.document.actor())
            .unwrap();
        assert_eq!(applied.refused, []);
    }

    fn read(&self, key: &str) -> String {
        self.document
            .resource(&key.parse().unwrap())
            .unwrap()
            .to_json()
    }

    /// Each conflict as `element: value (user) | value (user)`.
    fn conflicts(&self) -> Vec<String> {
        let conflicts = self.document.conflicts().into_iter();
        let shown = conflicts.map(|conflict| {
            let versions = conflict.versions.iter().map(|version| {
                let value = version.value.as_deref().unwrap_or("removed");
                format!("{value} ({})", version.author.user)
            });
            format!(
                "{}: {}",
                conflict.element,
                versions.collect::<Vec<_>>().join(" | ")
            )
        });
        shown.collect()
    }
}

/// Both take what the other made, and then show the same bytes.
fn meet(a: &mut Node, b: &mut Node) {
    a.take(b);
    b.take(a);
    assert_eq!(a.document.canonical(), b.document.canonical());
    assert!(a.document.save_canonical() == b.document.save_canonical());
    assert_eq!(a.document.heads(), b.document.heads());
}

fn two_nodes_with(json: &str) -> (Node, Node) {
    let (mut a, mut b) = (Node::new(1), Node::new(2));
    a.put(json);
    meet(&mut a, &mut b);
    (a, b)
}

const OBSERVATION: &str =
    r#"{"resourceType":"Observation","id":"o","status":"final","note":[{"text":"x"}]}"#;

#[test]
fn edits_of_different_elements_merge() {
    let (mut a, mut b) = two_nodes_with(OBSERVATION);
    a.put(r#"{"resourceType":"Observation","id":"o","status":"amended","note":[{"text":"x"}]}"#);
    b.put(r#"{"resourceType":"Observation","id":"o","status":"final","note":[{"text":"y"}]}"#);
    meet(&mut a, &mut b);
    let merged =
        r#"{"resourceType":"Observation","id":"o","note":[{"text":"y"}],"status":"amended"}"#;
    assert_eq!(a.read("Observation/o"), merged);
    assert_eq!(a.conflicts(), [""; 0]);
}

#[test]
fn a_conflict_shows_both_values_everywhere_until_one_resolves_it_for_all() {
    let (mut a, mut b) = two_nodes_with(OBSERVATION);
    a.put(r#"{"resourceType":"Observation","id":"o","status":"amended","note":[{"text":"x"}]}"#);
    b.put(r#"{"resourceType":"Observation","id":"o","status":"corrected","note":[{"text":"x"}]}"#);
    meet(&mut a, &mut b);
    let both = ["status: \"corrected\" (user-2) | \"amended\" (user-1)"];
    assert_eq!(a.conflicts(), both);
    assert_eq!(b.conflicts(), both);
    let versions = &a.document.conflicts()[0].versions;
    assert_eq!((versions[0].time_ms, versions[1].time_ms), (1_002, 2_001));

    a.resolve("Observation/o", "status", Some(" \"amended\" "));
    meet(&mut a, &mut b);
    assert_eq!(b.conflicts(), [""; 0]);
    assert!(b.read("Observation/o").contains("\"amended\""));
}

#[test]
fn two_decisions_of_one_conflict_are_a_conflict() {
    let of = |status: &str| OBSERVATION.replace("final", status);
    let (mut a, mut b) = two_nodes_with(OBSERVATION);
    a.put(&of("amended"));
    b.put(&of("corrected"));
    meet(&mut a, &mut b);
    a.resolve("Observation/o", "status", Some("\"corrected\""));
    b.resolve("Observation/o", "status", Some("\"cancelled\""));
    assert_eq!((a.conflicts().len(), b.conflicts().len()), (0, 0));
    meet(&mut a, &mut b);
    assert_eq!(
        a.conflicts(),
        ["status: \"corrected\" (user-1) | \"cancelled\" (user-2)"]
    );
    a.resolve("Observation/o", "status", Some("\"corrected\""));
    meet(&mut a, &mut b);
    assert_eq!((a.conflicts().len(), b.conflicts().len()), (0, 0));
}

#[test]
fn the_same_value_at_both_nodes_is_no_conflict() {
    let (mut a, mut b) = two_nodes_with(OBSERVATION);
    let amended = r#"{"resourceType":"Observation","id":"o","status":"amended"}"#;
    a.put(amended);
    b.put(amended);
    meet(&mut a, &mut b);
    assert_eq!(a.conflicts(), [""; 0]);
    assert_eq!(a.read("Observation/o"), amended);
}

#[test]
fn a_removal_and_an_edit_are_a_conflict_and_the_value_is_read() {
    let (mut a, mut b) = two_nodes_with(OBSERVATION);
    a.put(r#"{"resourceType":"Observation","id":"o","status":"final","note":[{"text":"y"}]}"#);
    b.put(r#"{"resourceType":"Observation","id":"o","status":"final"}"#);
    b.put(r#"{"resourceType":"Observation","id":"o","status":"final","code":{}}"#);
    meet(&mut a, &mut b);
    assert_eq!(
        a.conflicts(),
        ["note: [{\"text\":\"y\"}] (user-1) | removed (user-2)"]
    );
    assert!(b.read("Observation/o").contains(r#""note":[{"text":"y"}]"#));
    b.resolve("Observation/o", "note", None);
    meet(&mut a, &mut b);
    assert_eq!(a.conflicts(), [""; 0]);
    assert!(!a.read("Observation/o").contains("note"));
}

#[test]
fn a_resource_made_at_both_nodes_is_the_union_of_both() {
    let (mut a, mut b) = (Node::new(1), Node::new(2));
    a.put(r#"{"resourceType":"Observation","id":"o","status":"final","code":{"text":"c"}}"#);
    b.put(r#"{"resourceType":"Observation","id":"o","status":"amended","note":[]}"#);
    meet(&mut a, &mut b);
    let united = concat!(
        r#"{"resourceType":"Observation","id":"o","code":{"text":"c"},"#,
        r#""note":[],"status":"amended"}"#
    );
    assert_eq!(a.read("Observation/o"), united);
    assert_eq!(
        a.conflicts(),
        ["status: \"amended\" (user-2) | \"final\" (user-1)"]
    );
    assert_eq!((a.document.len(), b.document.len()), (1, 1));

    b.put(&united.replace("\"c\"", "\"d\""));
    meet(&mut a, &mut b);
    assert!(
        a.read("Observation/o").contains("\"d\""),
        "written into both maps"
    );
    assert_eq!(a.conflicts().len(), 1, "what was not changed stays open");
    a.resolve("Observation/o", "status", Some("\"final\""));
    meet(&mut a, &mut b);
    assert_eq!(b.conflicts(), [""; 0]);
    assert!(b.read("Observation/o").contains("\"final\""));
}

#[test]
fn a_chart_imported_at_both_nodes_has_no_conflict() {
    let (mut a, mut b) = (Node::new(1), Node::new(2));
    assert_eq!(
        (a.put(OBSERVATION), b.put(OBSERVATION)),
        (Put::Created, Put::Created)
    );
    meet(&mut a, &mut b);
    assert_eq!(a.conflicts(), [""; 0]);
    assert_eq!(
        (a.put(OBSERVATION), b.put(OBSERVATION)),
        (Put::Unchanged, Put::Unchanged)
    );
}

#[test]
fn edits_of_two_elements_of_an_atomic_resource_are_a_conflict_of_the_whole() {
    let of = |drug: &str, dose: &str| {
        format!(
            concat!(
                r#"{{"resourceType":"MedicationRequest","id":"m","#,
                r#""dosageInstruction":[{{"text":"{dose}"}}],"#,
                r#""medicationCodeableConcept":{{"text":"{drug}"}}}}"#
            ),
            dose = dose,
            drug = drug
        )
    };
    let (mut a, mut b) = two_nodes_with(&of("warfarin", "5 mg"));
    a.put(&of("warfarin", "2.50 mg"));
    b.put(&of("apixaban", "5 mg"));
    meet(&mut a, &mut b);
    let (first, second) = (of("apixaban", "5 mg"), of("warfarin", "2.50 mg"));
    assert_eq!(
        a.conflicts(),
        [format!("*: {first} (user-2) | {second} (user-1)")]
    );
    let key: ResourceKey = "MedicationRequest/m".parse().unwrap();
    let versions: Vec<String> = b
        .document
        .versions(&key)
        .iter()
        .map(|v| v.to_json())
        .collect();
    assert_eq!(versions, [first, second.clone()]);

    let other = second.replace("\"m\"", "\"n\"");
    let resolve = |node: &mut Node, chosen| node.document.resolve(&key, "*", chosen);
    assert_eq!(
        resolve(&mut a, Some(&other)),
        Err(ResolveError::OtherResource)
    );
    assert_eq!(resolve(&mut a, None), Err(ResolveError::Removal));
    a.resolve("MedicationRequest/m", "*", Some(&second));
    meet(&mut a, &mut b);
    assert_eq!(
        (b.conflicts().len(), b.read("MedicationRequest/m")),
        (0, second)
    );
}

#[test]
fn only_what_differs_is_written() {
    let mut a = Node::new(1);
    assert_eq!(a.put(OBSERVATION), Put::Created);
    assert_eq!(a.put(OBSERVATION), Put::Unchanged);
    assert_eq!(a.made.len(), 1);
    let changed = OBSERVATION.replace("final", "amended");
    assert_eq!(a.put(&changed), Put::Updated);
    let writes = a.document.history_of(&"Observation/o".parse().unwrap());
    let written: Vec<(&str, Option<&str>)> = writes
        .iter()
        .map(|w| (w.element.as_str(), w.value.as_deref()))
        .collect();
    let note = ("note", Some("[{\"text\":\"x\"}]"));
    assert_eq!(
        written,
        [
            note,
            ("status", Some("\"final\"")),
            ("status", Some("\"amended\""))
        ]
    );
}

#[test]
fn staged_edits_are_invisible_until_they_are_committed_and_can_be_dropped() {
    let mut a = Node::new(1);
    a.document
        .put(&Resource::parse(OBSERVATION).unwrap())
        .unwrap();
    assert!(a.document.has_staged() && a.document.is_empty());
    a.document.discard_staged();
    a.commit();
    assert!(a.made.is_empty() && a.document.is_empty());
    let later = OBSERVATION.replace("final", "amended");
    a.document
        .put(&Resource::parse(OBSERVATION).unwrap())
        .unwrap();
    a.document.put(&Resource::parse(&later).unwrap()).unwrap();
    a.commit();
    assert_eq!(
        (
            a.made.len(),
            a.document
                .history_of(&"Observation/o".parse().unwrap())
                .len()
        ),
        (1, 2)
    );
    assert!(a.read("Observation/o").contains("amended"));
}

#[test]
fn a_conflict_is_resolved_only_where_there_is_one() {
    let mut a = Node::new(1);
    a.put(OBSERVATION);
    let mut resolve = |key: &str, element: &str| {
        a.document
            .resolve(&key.parse().unwrap(), element, Some("1"))
    };
    assert_eq!(
        resolve("Observation/x", "status"),
        Err(ResolveError::NoResource)
    );
    assert_eq!(
        resolve("Observation/o", "status"),
        Err(ResolveError::NoConflict)
    );
    assert_eq!(
        resolve("Observation/o", "nothing"),
        Err(ResolveError::NoConflict)
    );
}

#[test]
fn changes_wait_for_what_they_depend_on() {
    let mut a = Node::new(1);
    a.put(OBSERVATION);
    a.put(&OBSERVATION.replace("final", "amended"));
    a.put(&OBSERVATION.replace("final", "corrected"));
    let mut b = Document::new(ActorId([2; 16]));
    let from = a.document.actor();
    for (at, waiting) in [(2, 1), (1, 2)] {
        let applied = b.apply(&[&a.made[at].bytes], from).unwrap();
        assert_eq!((applied.applied.len(), b.pending().count()), (0, waiting));
    }
    assert_eq!(b.missing_deps(), [a.made[0].hash]);
    let empty = Document::new(ActorId([3; 16]));
    assert_eq!(b.save(), empty.save(), "what waits is not saved");
    let applied = b.apply(&[&a.made[0].bytes], from).unwrap();
    assert_eq!((applied.applied.len(), applied.touched.len()), (3, 1));
    assert_eq!((b.missing_deps().len(), b.pending().count()), (0, 0));
    assert_eq!(b.canonical(), a.document.canonical());
    assert_eq!(b.apply(&[&a.made[0].bytes], from).unwrap().known, 1);
}

#[test]
fn two_nodes_that_write_as_one_are_found_out() {
    let (mut a, mut twin, mut b) = (Node::new(1), Node::new(1), Node::new(2));
    a.put(OBSERVATION);
    twin.put(&OBSERVATION.replace("\"o\"", "\"p\""));
    twin.put(&OBSERVATION.replace("\"o\"", "\"q\""));
    b.take(&a);
    let changes: Vec<&[u8]> = twin.made.iter().map(|change| &change.bytes[..]).collect();
    let refused = b
        .document
        .apply(&changes, ActorId([1; 16]))
        .unwrap()
        .refused;
    let reasons: Vec<Refusal> = refused.iter().map(|r| r.reason).collect();
    assert_eq!(reasons, [Refusal::Forked, Refusal::DependsOnRefused]);
    assert_eq!(b.document.len(), 1);
}

#[test]
fn the_history_says_who_changed_what_and_survives_saving() {
    let (mut a, mut b) = two_nodes_with(OBSERVATION);
    b.put(r#"{"resourceType":"Patient","id":"p"}"#);
    meet(&mut a, &mut b);
    let loaded = Document::load(&a.document.save(), ActorId([9; 16])).unwrap();
    for document in [&a.document, &loaded] {
        let shown: Vec<String> = document
            .history()
            .iter()
            .map(|entry| {
                let touched: Vec<&str> = entry.touched.iter().map(|k| k.as_str()).collect();
                format!(
                    "{} {} {} {touched:?}",
                    entry.time_ms, entry.author.user, entry.author.role
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                "1001 user-1 physician [\"Observation/o\"]",
                "1002 user-2 physician [\"Patient/p\"]"
            ]
        );
    }
}

/// By whatever clock: the clock of who copies it may be behind.
#[test]
fn a_mark_is_first_written_by_who_took_the_content_out() {
    let document = |marks: &[&str]| {
        let content = marks
            .iter()
            .map(|mark| format!(r#"{{"attachment":{{"data":"chartmesh-attachment:{mark}"}}}}"#));
        let content: Vec<String> = content.collect();
        format!(
            r#"{{"resourceType":"DocumentReference","id":"d","content":[{}]}}"#,
            content.join(",")
        )
    };
    let mut a = Node::new(2);
    a.time_ms = 9_000_000;
    let mut b = Node::new(1);
    a.put(&document(&["one"]));
    meet(&mut a, &mut b);
    b.put(&document(&["two", "one"]));
    meet(&mut a, &mut b);
    for node in [&a, &b] {
        let written = node.document.marks_written();
        let first = |mark: &str| {
            let mark = format!("chartmesh-attachment:{mark}");
            let (_, actor) = written.iter().find(|(one, _)| *one == mark).unwrap();
            actor.0[0]
        };
        assert_eq!((first("one"), first("two")), (2, 1));
        assert_eq!(written.len(), 3);
    }
}

#[test]
fn a_saved_document_goes_on_as_another_writer() {
    let (mut a, mut b) = two_nodes_with(OBSERVATION);
    let mut c = Node::new(3);
    c.document = Document::load(&a.document.save(), ActorId([3; 16])).unwrap();
    c.put(&OBSERVATION.replace("final", "amended"));
    a.take(&c);
    b.take(&c);
    assert_eq!(a.document.canonical(), c.document.canonical());
    assert_eq!(a.document.canonical(), b.document.canonical());
}

#[test]
fn a_resource_without_elements_is_a_resource() {
    let (a, b) = two_nodes_with(r#"{"resourceType":"Patient","id":"p"}"#);
    assert_eq!(
        b.read("Patient/p"),
        r#"{"resourceType":"Patient","id":"p"}"#
    );
    assert_eq!(a.document.len(), 1);
}
