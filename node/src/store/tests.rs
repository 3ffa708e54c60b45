//! The store as a whole: what it promises, on disks that fail.

use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;

fn options(folder: &TempDir) -> Options {
    Options::new(folder.path(), StoreKey::new(Zeroizing::new([7; 32])))
}

fn open(folder: &TempDir) -> Store {
    Store::open(&options(folder))
        .map_err(|error| error.to_string())
        .unwrap()
        .store
}

fn put(space: Space, key: &[u8], value: &[u8]) -> Batch {
    let mut batch = Batch::new();
    batch.put(space, key, value);
    batch
}

#[test]
fn what_is_committed_is_there_now_and_after_reopening() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    let number = store.commit(put(Space::Items, b"a", b"1")).unwrap();
    assert_eq!(number.number(), 1);
    assert_eq!(store.get(Space::Items, b"a").unwrap().unwrap(), b"1");
    drop(store);
    let store = open(&folder);
    assert_eq!(store.get(Space::Items, b"a").unwrap().unwrap(), b"1");
    assert_eq!(store.last_commit(), number);
}
