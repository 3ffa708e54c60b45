//! What a peer may send that no chart takes.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeSet;

use automerge::legacy::{Key, ObjectId, OpId, OpType};
use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{Automerge, Change, ExpandedChange, ObjId, ObjType, ROOT, ReadDoc, ScalarValue};
use chartmesh_crdt::{
    ActorId, Applied, ApplyError, ChangeError, ChangeFacts, ChangeHash, Document, LoadError,
    Refusal, Resource, SavedChanges, SavedError, Stamp, StampError,
};
use proptest::prelude::*;
use proptest::sample::Index;
use sha2::{Digest, Sha256};

const MALLORY: ActorId = ActorId([66; 16]);
const MESSAGE: &str = "1\nphysician\nmallory";

/// A document with one resource, as Mallory's own Automerge sees it.
fn chart() -> (Document, Automerge) {
    let mut document = Document::new(ActorId([1; 16]));
    let text = r#"{"resourceType":"Observation","id":"o","status":"final"}"#;
    document.put(&Resource::parse(text).unwrap()).unwrap();
    let allergy = r#"{"resourceType":"AllergyIntolerance","id":"a","code":{}}"#;
    document.put(&Resource::parse(allergy).unwrap()).unwrap();
    document.commit(&Stamp::new("u", "r", 5).unwrap()).unwrap();
    let actor = automerge::ActorId::from(MALLORY.0);
    let mallory = Automerge::load(&document.save()).unwrap().with_actor(actor);
    (document, mallory)
}

fn resources(tx: &Transaction<'_>) -> ObjId {
    tx.get(ROOT, "resources").unwrap().unwrap().1
}

fn map(tx: &Transaction<'_>, key: &str) -> ObjId {
    tx.get(resources(tx), key).unwrap().unwrap().1
}

/// The change that Mallory makes of some edits.
fn change(options: CommitOptions, edit: impl FnOnce(&mut Transaction<'_>)) -> Change {
    let (_, mut mallory) = chart();
    let mut tx = mallory.transaction();
    edit(&mut tx);
    let (hash, _) = tx.commit_with(options);
    mallory.get_change_by_hash(&hash.unwrap()).unwrap()
}

fn honest_options() -> CommitOptions {
    CommitOptions::default().with_time(5).with_message(MESSAGE)
}

/// What becomes of Mallory's change, and that it leaves the document as it was.
fn applied(bytes: &[u8]) -> Result<Applied, ApplyError> {
    let (mut document, _) = chart();
    let before = (document.canonical(), document.heads());
    let result = document.apply(&[bytes], MALLORY);
    if !result
        .as_ref()
        .is_ok_and(|applied| !applied.applied.is_empty())
    {
        assert_eq!((document.canonical(), document.heads()), before);
    }
    result
}

fn error_of(edit: impl FnOnce(&mut Transaction<'_>)) -> ChangeError {
    match applied(change(honest_options(), edit).raw_bytes()) {
        Err(ApplyError::Change { index: 0, error }) => error,
        other => panic!("{other:?}"),
    }
}

fn refusal_of(edit: impl FnOnce(&mut Transaction<'_>)) -> Refusal {
    applied(change(honest_options(), edit).raw_bytes())
        .unwrap()
        .refused[0]
        .reason
}

#[test]
fn what_has_no_place_in_a_chart_is_refused() {
    let foreign = ChangeError::ForeignOperation(0);
    assert_eq!(error_of(|tx| tx.put(ROOT, "x", "1").unwrap()), foreign);
    assert_eq!(
        error_of(|tx| drop(tx.put_object(ROOT, "x", ObjType::Map).unwrap())),
        foreign
    );
    assert_eq!(
        error_of(|tx| tx.delete(ROOT, "resources").unwrap()),
        foreign
    );
    let replaced = |tx: &mut Transaction<'_>| {
        drop(tx.put_object(ROOT, "resources", ObjType::Map).unwrap());
    };
    assert_eq!(error_of(replaced), foreign);
    assert_eq!(
        error_of(|tx| tx.delete(resources(tx), "Observation/o").unwrap()),
        foreign
    );
    assert_eq!(
        error_of(|tx| tx.put(resources(tx), "Flag/f", "{}").unwrap()),
        foreign
    );
    let hidden = |tx: &mut Transaction<'_>| {
        drop(
            tx.put_object(resources(tx), "Observation/o", ObjType::Map)
                .unwrap(),
        );
    };
    assert_eq!(error_of(hidden), foreign, "a new map over the old one");
    let no_key = |tx: &mut Transaction<'_>| {
        drop(
            tx.put_object(resources(tx), "no key", ObjType::Map)
                .unwrap(),
        );
    };
    assert_eq!(error_of(no_key), foreign);
    let list = |tx: &mut Transaction<'_>| {
        drop(
            tx.put_object(resources(tx), "Flag/f", ObjType::List)
                .unwrap(),
        );
    };
    assert_eq!(error_of(list), foreign);
    let observation = |tx: &Transaction<'_>| map(tx, "Observation/o");
    assert_eq!(
        error_of(|tx| tx.delete(observation(tx), "status").unwrap()),
        foreign
    );
    assert_eq!(
        error_of(|tx| tx.put(observation(tx), "status", 1).unwrap()),
        foreign
    );
    let counter = ScalarValue::counter(1);
    assert_eq!(
        error_of(|tx| tx.put(observation(tx), "n", counter).unwrap()),
        foreign
    );
    assert_eq!(
        error_of(|tx| tx.put(observation(tx), "id", "\"p\"").unwrap()),
        foreign
    );
    assert_eq!(
        error_of(|tx| tx.put(observation(tx), "resourceType", "\"A\"").unwrap()),
        foreign
    );
    let nested = |tx: &mut Transaction<'_>| {
        drop(tx.put_object(observation(tx), "x", ObjType::Text).unwrap());
    };
    assert_eq!(error_of(nested), foreign);
}

#[test]
fn a_value_that_is_not_minified_json_is_refused() {
    for value in [
        "{",
        " 1",
        "{\"a\": 1}",
        "{\"a\":1,\"a\":2}",
        "nul",
        "\"\u{1}\"",
    ] {
        let error = error_of(|tx| tx.put(map(tx, "Observation/o"), "x", value).unwrap());
        assert_eq!(error, ChangeError::BadValue(0), "{value}");
    }
    let deep = "[".repeat(1_000) + &"]".repeat(1_000);
    let error = error_of(|tx| tx.put(map(tx, "Observation/o"), "x", deep).unwrap());
    assert_eq!(error, ChangeError::BadValue(0));
}

#[test]
fn an_atomic_resource_takes_only_a_whole_one() {
    let allergy = |tx: &Transaction<'_>| map(tx, "AllergyIntolerance/a");
    for (element, value) in [
        ("code", "{}"),
        ("*", ""),
        ("*", "[]"),
        ("*", "{\"id\":\"b\"}"),
        ("*", "{\"resourceType\":\"Patient\"}"),
    ] {
        let refusal = refusal_of(|tx| tx.put(allergy(tx), element, value).unwrap());
        assert_eq!(refusal, Refusal::BadElement, "{element} {value}");
    }
    let refusal = refusal_of(|tx| tx.put(map(tx, "Observation/o"), "*", "{}").unwrap());
    assert_eq!(refusal, Refusal::BadElement);
}

#[test]
fn a_change_without_an_author_or_of_another_is_refused() {
    let edit = |tx: &mut Transaction<'_>| tx.put(map(tx, "Observation/o"), "x", "1").unwrap();
    let error = |options| match applied(change(options, edit).raw_bytes()) {
        Err(ApplyError::Change { error, .. }) => error,
        other => panic!("{other:?}"),
    };
    let none = CommitOptions::default().with_time(5);
    assert_eq!(error(none), ChangeError::Stamp(StampError::BadMessage));
    let bad = honest_options().with_message("mallory");
    assert_eq!(error(bad), ChangeError::Stamp(StampError::BadMessage));
    let late = honest_options().with_time(253_402_300_800_000);
    assert_eq!(error(late), ChangeError::Stamp(StampError::BadTime));
    let honest = change(honest_options(), edit);
    let (mut document, _) = chart();
    let expected = ApplyError::Change {
        index: 0,
        error: ChangeError::OtherActor(MALLORY),
    };
    assert_eq!(
        document.apply(&[honest.raw_bytes()], ActorId([1; 16])),
        Err(expected)
    );
    assert!(applied(honest.raw_bytes()).unwrap().refused.is_empty());
}

#[test]
fn nothing_of_a_list_with_one_bad_change_is_applied() {
    let honest = change(honest_options(), |tx| {
        tx.put(map(tx, "Observation/o"), "x", "1").unwrap()
    });
    let (mut document, _) = chart();
    let before = document.canonical();
    let result = document.apply(&[honest.raw_bytes(), b"garbage"], MALLORY);
    let error = ChangeError::Malformed;
    assert_eq!(result, Err(ApplyError::Change { index: 1, error }));
    assert_eq!(
        (document.canonical(), document.pending().count()),
        (before, 0)
    );
}

/// Mallory's change with something in it altered, and encoded as Automerge does.
fn altered(alter: impl FnOnce(&mut ExpandedChange)) -> Result<Option<Refusal>, ChangeError> {
    let honest = change(honest_options(), |tx| {
        let flag = tx
            .put_object(resources(tx), "Flag/f", ObjType::Map)
            .unwrap();
        tx.put(flag, "status", "\"active\"").unwrap();
        tx.put(map(tx, "Observation/o"), "status", "\"amended\"")
            .unwrap();
    });
    let mut expanded = honest.decode();
    alter(&mut expanded);
    match applied(Change::from(expanded).raw_bytes()) {
        Ok(applied) => Ok(applied.refused.first().map(|refused| refused.reason)),
        Err(ApplyError::Change { error, .. }) => Err(error),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_change_that_contradicts_its_past_is_refused() {
    assert_eq!(altered(|_| {}), Ok(None));
    assert_eq!(
        altered(|change| change.seq = 2),
        Ok(Some(Refusal::BadSequence))
    );
    assert_eq!(
        altered(|change| change.deps.clear()),
        Err(ChangeError::NoDeps)
    );
    let counter = |start: u64| {
        altered(move |change| {
            // The operations that name the change's own map would name another.
            change.operations.remove(1);
            change.start_op = start.try_into().unwrap();
        })
    };
    assert_eq!(counter(5), Ok(Some(Refusal::BadCounter)));
    assert_eq!(counter(1_000_000), Ok(Some(Refusal::BadCounter)));
    assert_eq!(counter(u64::from(u32::MAX)), Err(ChangeError::Malformed));
    let id = |counter, actor: ActorId| OpId(counter, automerge::ActorId::from(actor.0));
    let unknown = |at: OpId| altered(move |change| change.operations[2].obj = ObjectId::Id(at));
    assert_eq!(unknown(id(2, MALLORY)), Ok(Some(Refusal::UnknownMap)));
    assert_eq!(
        unknown(id(4_000_000, ActorId([1; 16]))),
        Ok(Some(Refusal::UnknownMap))
    );
    assert_eq!(
        unknown(id(2, ActorId([7; 16]))),
        Ok(Some(Refusal::UnknownMap))
    );
    let over = |pred: OpId| altered(move |change| change.operations[2].pred = vec![pred].into());
    assert_eq!(over(id(2, MALLORY)), Ok(Some(Refusal::UnknownValue)));
    assert_eq!(
        over(id(3, ActorId([7; 16]))),
        Ok(Some(Refusal::UnknownValue))
    );
    assert_eq!(
        over(id(1, ActorId([1; 16]))),
        Ok(Some(Refusal::UnknownValue))
    );
    let insert = altered(|change| change.operations[2].insert = true);
    assert_eq!(insert, Err(ChangeError::ForeignOperation(2)));
    let head = altered(|change| change.operations[2].key = Key::head());
    assert_eq!(head, Err(ChangeError::ForeignOperation(2)));
    let increment = altered(|change| change.operations[2].action = OpType::Increment(1));
    assert_eq!(increment, Err(ChangeError::ForeignOperation(2)));
    let footer = altered(|change| change.extra_bytes = b"hidden".to_vec());
    assert_eq!(footer, Err(ChangeError::Malformed));
    let long_actor = altered(|change| change.actor_id = automerge::ActorId::from(vec![1; 20]));
    assert_eq!(long_actor, Err(ChangeError::BadActor));
}

#[test]
fn a_map_of_a_concurrent_change_cannot_be_written_into() {
    let (mut document, _) = chart();
    let mut other = Document::load(&document.save(), ActorId([2; 16])).unwrap();
    other
        .put(&Resource::parse(r#"{"resourceType":"Flag","id":"f","a":1}"#).unwrap())
        .unwrap();
    let concurrent = other
        .commit(&Stamp::new("u", "r", 5).unwrap())
        .unwrap()
        .unwrap();
    document
        .apply(&[&concurrent.bytes], ActorId([2; 16]))
        .unwrap();
    let honest = change(honest_options(), |tx| {
        tx.put(map(tx, "Observation/o"), "x", "1").unwrap()
    });
    let mut expanded = honest.decode();
    let counter = expanded.start_op.get();
    expanded.operations[0].obj = ObjectId::Id(OpId(counter, automerge::ActorId::from([2; 16])));
    let bytes = Change::from(expanded).raw_bytes().to_vec();
    // The verdict is the same with the other change there and without it.
    let there = document.apply(&[&bytes], MALLORY).unwrap();
    assert_eq!(there.refused[0].reason, Refusal::UnknownMap);
    assert_eq!(
        applied(&bytes).unwrap().refused[0].reason,
        Refusal::UnknownMap
    );
}

#[test]
fn documents_that_are_no_chart_are_not_loaded() {
    let load = |bytes: &[u8]| Document::load(bytes, MALLORY).unwrap_err();
    assert_eq!(load(b""), LoadError::NotAChart);
    assert_eq!(load(b"garbage"), LoadError::Damaged);
    let mut other = Automerge::new();
    let mut tx = other.transaction();
    tx.put_object(ROOT, "resources", ObjType::Map).unwrap();
    tx.commit();
    assert_eq!(load(&other.save()), LoadError::NotAChart);
}

#[test]
fn saves_that_are_no_chart_are_not_taken_apart() {
    let read = |bytes: &[u8]| SavedChanges::read(bytes).map(|_| ()).unwrap_err();
    assert_eq!(read(b""), SavedError::Malformed);
    assert_eq!(read(b"garbage"), SavedError::Malformed);
    let (document, mut mallory) = chart();
    assert_eq!(
        read(&[document.save_plain(&all(&document)).unwrap(), vec![0]].concat()),
        SavedError::Malformed,
        "something follows"
    );
    let mut tx = mallory.transaction();
    tx.delete(resources(&tx), "Observation/o").unwrap();
    tx.commit_with(honest_options());
    let foreign = SavedError::Change(ChangeError::ForeignOperation(0));
    assert_eq!(read(&mallory.save_nocompress()), foreign);
}

#[test]
fn a_save_with_heads_that_it_does_not_have_is_refused() {
    let (document, _) = chart();
    let save = document.save_plain(&all(&document)).unwrap();
    let head = document.heads()[0].0;
    let at = save.windows(32).position(|bytes| bytes == head).unwrap();
    let mut forged = save.clone();
    forged[at] ^= 1;
    let sum = Sha256::digest(&forged[8..]);
    forged[4..8].copy_from_slice(&sum[..4]);
    assert_eq!(
        SavedChanges::read(&forged).map(|_| ()),
        Err(SavedError::Damaged)
    );
}

#[test]
fn a_save_whose_compressed_columns_stand_for_gigabytes_is_refused_unread() {
    let (document, mut mallory) = chart();
    for number in 0..200 {
        let mut tx = mallory.transaction();
        let text = format!("{:?}", "x".repeat(4_000));
        tx.put(map(&tx, "Observation/o"), format!("e{number}"), text)
            .unwrap();
        tx.commit_with(honest_options());
    }
    let compressed = mallory.save();
    assert!(compressed.len() < mallory.save_nocompress().len() / 10);
    assert_eq!(
        SavedChanges::read(&compressed).map(|_| ()),
        Err(SavedError::Malformed)
    );
    assert_eq!(document.len(), 2);
}

#[test]
fn a_save_of_some_changes_holds_no_others_and_lacks_none_that_they_need() {
    let (mut document, _) = chart();
    let first = all(&document);
    let text = r#"{"resourceType":"Observation","id":"o","status":"amended"}"#;
    document.put(&Resource::parse(text).unwrap()).unwrap();
    let later = document.commit(&Stamp::new("u", "r", 6).unwrap()).unwrap();
    let later = later.unwrap().hash;
    let saved = SavedChanges::read(&document.save_plain(&first).unwrap()).unwrap();
    assert_eq!(saved.facts().len(), 1);
    assert!(
        saved
            .facts()
            .iter()
            .all(|facts| first.contains(&facts.hash))
    );
    assert_eq!(
        document.save_plain(&[later].into()),
        None,
        "its cause is left out"
    );
    assert_eq!(document.save_plain(&[ChangeHash([7; 32])].into()), None);
    assert!(document.save_plain(&all(&document)).is_some());
    let outline = &document.outline()[&document.actor()];
    let deps: Vec<&[ChangeHash]> = outline.iter().map(|one| one.deps.as_slice()).collect();
    assert_eq!(deps, [&[][..], &[outline[0].hash]]);
    assert_eq!(outline[1].hash, later);
}

fn all(document: &Document) -> BTreeSet<ChangeHash> {
    document.history().iter().map(|entry| entry.hash).collect()
}

#[test]
fn a_damaged_document_is_not_loaded() {
    let (document, _) = chart();
    let saved = document.save();
    for at in 0..saved.len() {
        let mut damaged = saved.clone();
        damaged[at] ^= 0x20;
        assert!(Document::load(&damaged, MALLORY).is_err(), "byte {at}");
        assert!(
            Document::load(&saved[..at], MALLORY).is_err(),
            "cut at {at}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_bytes_make_applying_panic(
        edits in prop::collection::vec((any::<Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<Index>()),
    ) {
        let honest = change(honest_options(), |tx| {
            let flag = tx.put_object(resources(tx), "Flag/f", ObjType::Map).unwrap();
            tx.put(flag, "status", "\"active\"").unwrap();
            tx.put(map(tx, "Observation/o"), "status", "\"amended\"").unwrap();
        });
        let mut bytes = honest.raw_bytes().to_vec();
        // Behind the magic, the checksum and the kind, which are checked first.
        let start = 9;
        for (at, byte) in edits {
            let at = start + at.index(bytes.len() - start);
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = ChangeFacts::read(&bytes);
        let _ = applied(&bytes);
    }

    #[test]
    fn no_bytes_make_the_reading_of_a_save_panic(
        edits in prop::collection::vec((any::<Index>(), any::<u8>()), 1..8),
        cut in prop::option::of(any::<Index>()),
    ) {
        let (document, _) = chart();
        let mut bytes = document.save_plain(&all(&document)).unwrap();
        let start = 9;
        for (at, byte) in edits {
            let at = start + at.index(bytes.len() - start);
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()).max(start));
        }
        let sum = Sha256::digest(&bytes[8..]);
        bytes[4..8].copy_from_slice(&sum[..4]);
        if let Ok(saved) = SavedChanges::read(&bytes) {
            let _ = Document::new(ActorId([3; 16])).apply_saved(saved);
        }
    }

    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(ChangeFacts::read(&bytes), Err(ChangeError::Malformed));
    }
}
