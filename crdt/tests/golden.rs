//! The formats that must be readable for ever. `CHARTMESH_WRITE_GOLDEN=1` writes them anew, which
//! is right only for a format that was never released.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use chartmesh_crdt::{ActorId, ChangeFacts, Document, Resource, SavedChanges, Stamp, views};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(name)
}

fn check(name: &str, made: &[u8]) {
    if std::env::var_os("CHARTMESH_WRITE_GOLDEN").is_some() {
        std::fs::write(golden(name), made).unwrap();
    }
    assert!(
        std::fs::read(golden(name)).unwrap() == made,
        "{name} differs"
    );
}

/// A chart with every kind of content: two writers, conflicts of an element and of a whole
/// resource, a resource made twice, and a removal.
fn chart() -> (Document, Vec<u8>) {
    let [mut a, mut b] = [1, 2].map(|n| Document::new(ActorId([n; 16])));
    let edit = |document: &mut Document, texts: &[&str], time_ms| {
        for text in texts {
            document.put(&Resource::parse(text).unwrap()).unwrap();
        }
        let user = format!("user-{}", document.actor().0[0]);
        let stamp = Stamp::new(&user, "physician", time_ms).unwrap();
        document.commit(&stamp).unwrap().unwrap().bytes
    };
    let patient =
        r#"{"resourceType":"Patient","id":"p","name":[{"family":"Adeyemi"}],"active":true}"#;
    let allergy = r#"{"resourceType":"AllergyIntolerance","id":"a","code":{"text":"nuts"}}"#;
    let first = edit(&mut a, &[patient, allergy], 1_700_000_000_000);
    b.apply(&[&first], a.actor()).unwrap();
    let from_a = edit(
        &mut a,
        &[
            &patient.replace("true", "false"),
            &allergy.replace("nuts", "peanuts"),
            r#"{"resourceType":"Observation","id":"o","valueQuantity":{"value":1.50}}"#,
        ],
        1_700_000_001_000,
    );
    let from_b = edit(
        &mut b,
        &[
            r#"{"resourceType":"Patient","id":"p","name":[{"family":"Ad\u00e9yemi"}]}"#,
            r#"{"resourceType":"AllergyIntolerance","id":"a","criticality":"high",
                "code":{"text":"nuts"}}"#,
            r#"{"resourceType":"Observation","id":"o","status":"final"}"#,
        ],
        1_700_000_002_000,
    );
    a.apply(&[&from_b], b.actor()).unwrap();
    b.apply(&[&from_a], a.actor()).unwrap();
    assert_eq!(a.canonical(), b.canonical());
    (a, from_b)
}

#[test]
fn a_document_is_saved_as_it_always_was() {
    let (document, change) = chart();
    check("document-v1.bin", &document.save_canonical());
    check("document-v1.txt", document.canonical().as_bytes());
    check("change-v1.bin", &change);
}

#[test]
fn a_saved_document_loads_for_ever() {
    let bytes = std::fs::read(golden("document-v1.bin")).unwrap();
    let text = std::fs::read_to_string(golden("document-v1.txt")).unwrap();
    let document = Document::load(&bytes, ActorId([9; 16])).unwrap();
    assert_eq!(document.canonical(), text);
    assert_eq!(document.history().len(), 3);
    assert_eq!(views::allergies(&[&document]).list.len(), 2);
}

#[test]
fn a_save_for_other_nodes_is_made_as_it_always_was_and_read_for_ever() {
    let (document, _) = chart();
    let all = document.history().iter().map(|entry| entry.hash).collect();
    check("plain-save-v1.bin", &document.save_plain(&all).unwrap());
    let bytes = std::fs::read(golden("plain-save-v1.bin")).unwrap();
    let text = std::fs::read_to_string(golden("document-v1.txt")).unwrap();
    let saved = SavedChanges::read(&bytes).unwrap();
    assert_eq!(saved.facts().len(), 3);
    let mut read = Document::new(ActorId([9; 16]));
    read.apply_saved(saved).unwrap();
    assert_eq!(read.canonical(), text);
}

#[test]
fn a_change_is_read_for_ever() {
    let facts = ChangeFacts::read(&std::fs::read(golden("change-v1.bin")).unwrap()).unwrap();
    assert_eq!(facts.author.user, "user-2");
    assert_eq!(facts.author.actor, ActorId([2; 16]));
    assert_eq!(
        (facts.seq, facts.time_ms, facts.deps.len()),
        (1, 1_700_000_002_000, 1)
    );
}
