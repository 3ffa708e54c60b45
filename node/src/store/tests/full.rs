//! A full disk, and disks that fail.

use std::io::ErrorKind;
use std::time::Duration;

use super::*;

fn journal_bytes(folder: &TempDir) -> Vec<u8> {
    fs::read(segment(folder.path(), 1)).unwrap()
}

#[test]
fn a_full_disk_makes_it_read_only_tears_nothing_and_passes() {
    // At every length that a write may be cut to by the end of the disk.
    for space in (0..400).step_by(23) {
        let (folder, disk) = (TempDir::new().unwrap(), FaultDisk::default());
        let store = open_with(&options_on(&folder, &disk)).store;
        fill(&store, 3);
        let before = journal_bytes(&folder);
        disk.limit_space_silently(space);
        let refused = store.commit(put(Space::Items, b"big", &[1; 500]));
        assert_eq!(refused, Err(StoreError::Full), "{space}");
        assert_eq!(store.condition(), Condition::Full);
        assert_eq!(journal_bytes(&folder), before);
        assert_filled(&store, 3);
        disk.unlimit_space();
        store.commit(put(Space::Items, b"big", &[1; 500])).unwrap();
        assert_eq!(store.condition(), Condition::Ready);
        drop(store);
        let store = open(&folder);
        assert_filled(&store, 3);
        assert_eq!(store.get(Space::Items, b"big").unwrap().unwrap(), [1; 500]);
        sound(&store);
    }
}

#[test]
fn little_space_is_enough_of_a_reason() {
    let (folder, disk) = (TempDir::new().unwrap(), FaultDisk::default());
    let store = open_with(&options_on(&folder, &disk)).store;
    fill(&store, 1);
    disk.limit_space(limits::LOW_WATER_BYTES - 1);
    let before = journal_bytes(&folder);
    assert_eq!(
        store.commit(put(Space::Items, b"a", b"")),
        Err(StoreError::Full)
    );
    let prepared = store.commit_with(|_| Ok::<_, StoreError>((Batch::new(), ())));
    assert_eq!(prepared, Err(StoreError::Full));
    assert_eq!(store.trouble(), Some(StoreError::Full));
    assert_eq!(journal_bytes(&folder), before);
    disk.limit_space(limits::LOW_WATER_BYTES * 2);
    store.commit(put(Space::Items, b"a", b"")).unwrap();
}

#[test]
fn it_notices_by_itself_that_there_is_space_again() {
    let (folder, disk) = (TempDir::new().unwrap(), FaultDisk::default());
    let store = open_with(&options_on(&folder, &disk)).store;
    disk.limit_space(0);
    assert_eq!(
        store.commit(put(Space::Items, b"a", b"")),
        Err(StoreError::Full)
    );
    disk.unlimit_space();
    let mut waited = Duration::ZERO;
    while store.condition() != Condition::Ready {
        assert!(waited < Duration::from_secs(20));
        std::thread::park_timeout(Duration::from_millis(10));
        waited += Duration::from_millis(10);
    }
}

#[test]
fn the_reserve_is_there_from_the_start_and_made_again_when_it_was_used() {
    let (folder, disk) = (TempDir::new().unwrap(), FaultDisk::default());
    let reserve = folder.path().join("journal/reserve");
    drop(open_with(&options_on(&folder, &disk)));
    assert_eq!(fs::metadata(&reserve).unwrap().len(), 1 << 20);
    // As if opening had needed it.
    fs::remove_file(&reserve).unwrap();
    disk.limit_space(limits::LOW_WATER_BYTES + 10);
    let store = open_with(&options_on(&folder, &disk)).store;
    assert_eq!(store.condition(), Condition::Full);
    disk.limit_space_silently(1000);
    let refused = store.commit(put(Space::Items, b"a", b""));
    assert_eq!(refused, Err(StoreError::Full));
    assert!(!reserve.exists());
    disk.unlimit_space();
    store.commit(put(Space::Items, b"a", b"")).unwrap();
    assert_eq!(fs::metadata(&reserve).unwrap().len(), 1 << 20);
}

#[test]
fn a_store_opens_on_a_full_disk_and_is_read_only() {
    let (folder, disk) = (TempDir::new().unwrap(), FaultDisk::default());
    fill(&open(&folder), 3);
    disk.limit_space(100);
    let store = open_with(&options_on(&folder, &disk)).store;
    assert_eq!(store.condition(), Condition::Full);
    assert_filled(&store, 3);
    assert_eq!(
        store.commit(put(Space::Items, b"a", b"")),
        Err(StoreError::Full)
    );
    disk.unlimit_space();
    store.commit(put(Space::Items, b"a", b"")).unwrap();
}

#[test]
fn a_full_disk_when_a_segment_ends_leaves_no_half_segment() {
    let (folder, disk) = (TempDir::new().unwrap(), FaultDisk::default());
    let options = Options {
        segment_bytes: 300,
        ..options_on(&folder, &disk)
    };
    let store = open_with(&options).store;
    fill(&store, 1);
    disk.limit_space_silently(20);
    assert_eq!(
        store.commit(put(Space::Items, b"a", b"")),
        Err(StoreError::Full)
    );
    assert!(!segment(folder.path(), 2).exists());
    disk.unlimit_space();
    store.commit(put(Space::Items, b"a", b"")).unwrap();
    assert!(segment(folder.path(), 2).exists());
    drop(store);
    sound(&open(&folder));
}

#[test]
fn a_failed_write_or_sync_makes_it_read_only_until_it_is_reopened() {
    for fail in [FaultDisk::fail_writes, FaultDisk::fail_syncs] {
        let (folder, disk) = (TempDir::new().unwrap(), FaultDisk::default());
        let store = open_with(&options_on(&folder, &disk)).store;
        fill(&store, 3);
        fail(&disk, Some(ErrorKind::Other));
        let failed = store.commit(put(Space::Items, b"a", b"1")).unwrap_err();
        assert!(matches!(failed, StoreError::Failed { .. }));
        fail(&disk, None);
        assert_eq!(
            store.commit(put(Space::Items, b"b", b"1")),
            Err(failed.clone())
        );
        assert_eq!(store.confirm_derived(), Err(failed));
        assert_eq!(store.condition(), Condition::Failed);
        assert_filled(&store, 3);
        drop(store);
        let store = open(&folder);
        assert_filled(&store, 3);
        assert_eq!(store.get(Space::Items, b"b").unwrap(), None);
        store.commit(put(Space::Items, b"b", b"1")).unwrap();
        sound(&store);
    }
}

#[test]
fn a_sync_that_finds_the_disk_full_takes_the_write_back() {
    let (folder, disk) = (TempDir::new().unwrap(), FaultDisk::default());
    let store = open_with(&options_on(&folder, &disk)).store;
    fill(&store, 3);
    disk.fail_syncs(Some(ErrorKind::StorageFull));
    // It cannot be made sure that it is taken back while no sync succeeds.
    let failed = store.commit(put(Space::Items, b"a", b"1"));
    assert!(matches!(failed, Err(StoreError::Failed { .. })));
    drop(store);
    disk.fail_syncs(None);
    assert_eq!(open(&folder).get(Space::Items, b"a").unwrap(), None);
}
