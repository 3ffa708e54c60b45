//! Commits: durable, together, in order.

use std::collections::BTreeSet;
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::pin::pin;
use std::task::{Context, Waker};
use std::thread;

use super::*;

#[test]
fn what_is_committed_is_there_now_and_after_reopening() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    let number = store.commit(put(Space::Items, b"a", b"1")).unwrap();
    assert_eq!(number.number(), 1);
    assert_eq!(store.get(Space::Items, b"a").unwrap().unwrap(), b"1");
    assert_eq!(store.get(Space::Feed, b"a").unwrap(), None);
    drop(store);
    let opened = open_with(&options(folder.path()));
    assert_eq!(
        (opened.rebuilt, opened.caught_up, opened.torn_bytes),
        (false, 0, 0)
    );
    assert_eq!(opened.store.get(Space::Items, b"a").unwrap().unwrap(), b"1");
    assert_eq!(opened.store.last_commit(), number);
    assert_eq!(sound(&opened.store).values[&Space::Items], 1);
}

#[test]
fn no_commit_is_acknowledged_or_seen_before_the_sync_that_covers_it() {
    let (folder, disk) = (TempDir::new().unwrap(), FaultDisk::default());
    let store = open_with(&options_on(&folder, &disk)).store;
    disk.hold();
    let mut ticket = pin!(store.commit_later(put(Space::Items, b"a", b"1")));
    disk.wait_for_held_sync();
    let mut context = Context::from_waker(Waker::noop());
    assert!(ticket.as_mut().poll(&mut context).is_pending());
    assert_eq!(store.get(Space::Items, b"a").unwrap(), None);
    let before = disk.syncs();
    disk.release();
    futures::executor::block_on(ticket).unwrap();
    assert_eq!(disk.syncs(), before + 1);
    assert_eq!(store.get(Space::Items, b"a").unwrap().unwrap(), b"1");
}

#[test]
fn at_every_acknowledgement_all_that_was_written_is_synced() {
    let (folder, disk) = (TempDir::new().unwrap(), FaultDisk::default());
    let store = open_with(&options_on(&folder, &disk)).store;
    for number in 0..50 {
        store
            .commit(put(Space::Items, &item(number), b"x"))
            .unwrap();
        assert!(
            disk.files()
                .values()
                .all(|lengths| lengths.synced == lengths.written)
        );
    }
}

#[test]
fn commits_that_wait_together_share_one_sync() {
    let (folder, disk) = (TempDir::new().unwrap(), FaultDisk::default());
    let store = open_with(&options_on(&folder, &disk)).store;
    disk.hold();
    let first = store.commit_later(put(Space::Items, b"first", b""));
    disk.wait_for_held_sync();
    let before = disk.syncs();
    let tickets: Vec<_> = (0..500)
        .map(|number| store.commit_later(put(Space::Items, &item(number), &weighty(number))))
        .collect();
    disk.release();
    assert_eq!(first.wait().unwrap().number(), 1);
    for (number, ticket) in (2..).zip(tickets) {
        assert_eq!(ticket.wait().unwrap().number(), number);
    }
    assert_eq!(disk.syncs(), before + 2);
    assert_filled(&store, 500);
}

#[test]
fn a_batch_over_several_spaces_is_one_commit_and_its_last_write_counts() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    store.commit(put(Space::Cursors, b"k", b"old")).unwrap();
    let mut batch = Batch::new();
    batch
        .put(Space::Items, b"k", b"1")
        .put(Space::Items, b"k", b"2");
    batch
        .delete(Space::Cursors, b"k")
        .put(Space::Cards, b"k", b"card");
    assert_eq!((batch.len(), batch.bytes()), (4, 10));
    assert_eq!(store.commit(batch).unwrap().number(), 2);
    drop(store);
    let store = open(&folder);
    assert_eq!(store.get(Space::Items, b"k").unwrap().unwrap(), b"2");
    assert_eq!(store.get(Space::Cursors, b"k").unwrap(), None);
    assert_eq!(store.get(Space::Cards, b"k").unwrap().unwrap(), b"card");
    sound(&store);
}

#[test]
fn feed_numbers_of_many_threads_have_no_gap_and_no_twin() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    let next_in_feed = |view: &View<'_>| -> Result<(Batch, u64), StoreError> {
        let last = view.last_key(Space::Feed, b"")?;
        let last = last.map_or(0, |key| u64::from_be_bytes(key.try_into().unwrap()));
        Ok((put(Space::Feed, &(last + 1).to_be_bytes(), b"id"), last + 1))
    };
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            thread::spawn(move || -> Vec<u64> {
                (0..50)
                    .map(|_| store.commit_with(next_in_feed).unwrap().1)
                    .collect()
            })
        })
        .collect();
    let numbers: Vec<u64> = threads
        .into_iter()
        .flat_map(|thread| thread.join().unwrap())
        .collect();
    let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!(numbers.len(), 400);
    assert_eq!(distinct, (1..=400).collect());
}

#[test]
fn a_commit_that_is_not_wanted_leaves_nothing_and_says_why() {
    #[derive(Debug, PartialEq)]
    enum Refused {
        Taken,
        Store(StoreError),
    }
    impl From<StoreError> for Refused {
        fn from(error: StoreError) -> Self {
            Self::Store(error)
        }
    }
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    let claim = |view: &View<'_>| match view.contains(Space::Settings, b"name")? {
        true => Err(Refused::Taken),
        false => Ok((put(Space::Settings, b"name", b"mine"), view.commit())),
    };
    let (number, seen) = store.commit_with(claim).unwrap();
    assert_eq!(number, seen);
    assert_eq!(store.commit_with(claim), Err(Refused::Taken));
    let panics = store.commit_with(|_| -> Result<(Batch, ()), Refused> { panic!("on purpose") });
    assert_eq!(panics, Err(Refused::Store(StoreError::Panicked)));
    let empty = store
        .commit_with(|_| Ok::<_, StoreError>((Batch::new(), 5)))
        .unwrap();
    assert_eq!(empty, (number, 5));
    assert_eq!(store.commit(Batch::new()).unwrap(), number);
    store.commit(put(Space::Items, b"a", b"1")).unwrap();
}

#[tokio::test]
async fn a_ticket_can_be_awaited_and_a_wait_may_happen_within_a_task() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    store
        .commit_later(put(Space::Items, b"a", b"1"))
        .await
        .unwrap();
    let later =
        store.commit_with_later(|view| view.get(Space::Items, b"a").map(|v| (Batch::new(), v)));
    let (_, value): (_, Option<Vec<u8>>) = later.await.unwrap();
    assert_eq!(value.unwrap(), b"1");
    for number in 0..300 {
        store.commit(put(Space::Items, &item(number), b"")).unwrap();
    }
}

#[test]
fn what_is_too_large_is_refused_before_anything_is_written() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    let too_large = |batch| {
        let error = store.commit(batch).unwrap_err();
        let StoreError::TooLarge { what, .. } = error else {
            panic!("{error}")
        };
        what
    };
    assert_eq!(
        too_large(put(Space::Items, &[0; MAX_KEY_BYTES + 1], b"")),
        "key"
    );
    assert_eq!(
        too_large(put(Space::Items, b"k", &vec![0; MAX_VALUE_BYTES + 1])),
        "value"
    );
    let mut batch = Batch::new();
    for number in 0..3 {
        batch.put(Space::Items, item(number), vec![0; MAX_VALUE_BYTES]);
    }
    assert_eq!(too_large(batch), "batch");
    assert_eq!(store.last_commit().number(), 0);
    store
        .commit(put(
            Space::Items,
            &[0; MAX_KEY_BYTES],
            &vec![5; MAX_VALUE_BYTES],
        ))
        .unwrap();
    drop(store);
    let store = open(&folder);
    let value = store
        .get(Space::Items, &[0; MAX_KEY_BYTES])
        .unwrap()
        .unwrap();
    assert!(value == vec![5; MAX_VALUE_BYTES]);
    sound(&store);
}

#[test]
fn one_process_holds_the_folder_and_lets_go_of_it() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    assert!(matches!(
        open_error(&options(folder.path())),
        OpenError::Locked
    ));
    assert!(matches!(
        Store::repair(&options(folder.path())),
        Err(OpenError::Locked)
    ));
    drop(store);
    open(&folder);
}

#[test]
fn the_last_handle_may_be_dropped_by_the_writer_itself() {
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    let handle = store.clone();
    let later = store.commit_with_later(move |_| {
        drop(handle);
        Ok::<_, StoreError>((put(Space::Items, b"a", b"1"), ()))
    });
    drop(store);
    futures::executor::block_on(later).unwrap();
    let reopened = loop {
        // The writer closes the store by itself, a moment later.
        match Store::open(&options(folder.path())) {
            Err(OpenError::Locked) => thread::yield_now(),
            opened => break opened.map_err(|error| error.to_string()).unwrap(),
        }
    };
    assert_eq!(
        reopened.store.get(Space::Items, b"a").unwrap().unwrap(),
        b"1"
    );
}

#[test]
fn files_and_folders_are_their_owners_alone() {
    fn assert_private(folder: &Path) {
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            let wanted = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode, wanted, "{}", path.display());
            if path.is_dir() {
                assert_private(&path);
            }
        }
    }
    let parent = TempDir::new().unwrap();
    let store = open_with(&options(parent.path().join("data"))).store;
    fill(&store, 10);
    store.sync().unwrap();
    assert_private(parent.path());
    drop(store);
    assert_private(parent.path());
}

#[test]
fn nothing_that_was_put_stands_in_any_file() {
    fn assert_absent(folder: &Path, text: &[u8]) {
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                assert_absent(&path, text);
            } else {
                let bytes = fs::read(&path).unwrap();
                let found = bytes.windows(text.len()).any(|window| window == text);
                assert!(!found, "{}", path.display());
            }
        }
    }
    let folder = TempDir::new().unwrap();
    let store = open(&folder);
    let token = store.token(b"Amina Diallo");
    store
        .commit(put(Space::Tokens, &token, b"Amina Diallo"))
        .unwrap();
    store
        .commit(put(Space::Items, b"1", b"Amina Diallo"))
        .unwrap();
    drop(store);
    assert_absent(folder.path(), b"Amina");
    assert_absent(folder.path(), b"Diallo");
}
