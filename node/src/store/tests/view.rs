//! Reads, and what a commit sees while it is prepared, held against a plain map.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// A short key of few bytes, so that prefixes and collisions are common.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0u8, 1, 0x7f, 0xff]), 0..4)
}

fn writes() -> impl Strategy<Value = Vec<(Vec<u8>, Option<u8>)>> {
    prop::collection::vec((key(), prop::option::weighted(0.7, any::<u8>())), 0..30)
}

fn batch_of(writes: &[(Vec<u8>, Option<u8>)], model: &mut Model) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in writes {
        match value {
            Some(value) => {
                batch.put(Space::Items, key.clone(), vec![*value]);
                model.insert(key.clone(), vec![*value]);
            }
            None => {
                batch.delete(Space::Items, key.clone());
                model.remove(key);
            }
        }
    }
    batch
}

fn with_prefix(model: &Model, prefix: &[u8]) -> Vec<KeyValue> {
    let pairs = model.iter().filter(|(key, _)| key.starts_with(prefix));
    pairs
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Neighbours that no scan of `Items` may show.
fn neighbours() -> Batch {
    let mut batch = Batch::new();
    for key in [&b""[..], b"\0", b"\xff\xff\xff\xff"] {
        batch
            .put(Space::Settings, key, b"before")
            .put(Space::Feed, key, b"behind");
    }
    batch
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn reads_and_views_agree_with_a_map(
        stored in writes(),
        pending in writes(),
        prefixes in prop::collection::vec(key(), 1..6),
    ) {
        let (folder, disk) = (TempDir::new().unwrap(), FaultDisk::default());
        let store = open_with(&options_on(&folder, &disk)).store;
        let mut model = Model::new();
        store.commit(neighbours()).unwrap();
        store.commit(batch_of(&stored, &mut model)).unwrap();
        for prefix in &prefixes {
            let expected = with_prefix(&model, prefix);
            let found: Result<Vec<_>, _> = store.scan_prefix(Space::Items, prefix).collect();
            prop_assert_eq!(&found.unwrap(), &expected);
            prop_assert_eq!(store.last(Space::Items, prefix).unwrap(), expected.last().cloned());
            let keys: Result<Vec<_>, _> = store.keys(Space::Items, prefix).rev().collect();
            let expected_keys: Vec<_> = expected.iter().rev().map(|pair| pair.0.clone()).collect();
            prop_assert_eq!(keys.unwrap(), expected_keys);
            let from: Result<Vec<_>, _> = store.range(Space::Items, prefix.as_slice()..).collect();
            let expected: Vec<_> =
                model.range(prefix.clone()..).map(|(k, v)| (k.clone(), v.clone())).collect();
            prop_assert_eq!(from.unwrap(), expected);
        }
        // Held, the first of these is on its way; the others then make one group.
        disk.hold();
        let first = store.commit_later(put(Space::Meta, b"first", b""));
        disk.wait_for_held_sync();
        let second = store.commit_later(batch_of(&pending, &mut model));
        let wanted = prefixes.clone();
        let seen = store.commit_with_later(move |view| {
            let scans: Result<Vec<Vec<_>>, _> = wanted
                .iter()
                .map(|prefix| view.scan_prefix(Space::Items, prefix).collect())
                .collect();
            let lasts: Result<Vec<_>, _> =
                wanted.iter().map(|prefix| view.last_key(Space::Items, prefix)).collect();
            let gets: Result<Vec<_>, _> =
                wanted.iter().map(|prefix| view.get(Space::Items, prefix)).collect();
            Ok::<_, StoreError>((Batch::new(), (scans?, lasts?, gets?)))
        });
        disk.release();
        first.wait().unwrap();
        second.wait().unwrap();
        let (_, (scans, lasts, gets)) = futures::executor::block_on(seen).unwrap();
        for (number, prefix) in prefixes.iter().enumerate() {
            let expected = with_prefix(&model, prefix);
            prop_assert_eq!(&scans[number], &expected);
            prop_assert_eq!(&lasts[number], &expected.last().map(|pair| pair.0.clone()));
            prop_assert_eq!(&gets[number], &model.get(prefix).cloned());
            let found: Result<Vec<_>, _> = store.scan_prefix(Space::Items, prefix).collect();
            prop_assert_eq!(&found.unwrap(), &expected);
        }
        sound(&store);
    }
}
