//! Power cuts: what was acknowledged is there, whatever the disk had not yet written.

use proptest::prelude::*;

use super::*;

/// What a power cut does to the database, which is synced some time behind.
#[derive(Clone, Copy, Debug)]
enum Database {
    /// As it was at that moment, in the middle of its writes.
    AsItWas,
    /// As it was after its last sync.
    Synced,
    /// Never written.
    Gone,
    /// Cut to so many thousandths of its length.
    Cut(u64),
}

/// What is left of what the journal had written and not yet synced.
#[derive(Clone, Copy, Debug)]
struct Tail {
    /// Thousandths that are kept.
    kept: u64,
    /// Whether the first byte of these is wrong.
    changed: bool,
}

fn database() -> impl Strategy<Value = Database> {
    prop_oneof![
        Just(Database::AsItWas),
        Just(Database::Synced),
        Just(Database::Gone),
        (0..1000u64).prop_map(Database::Cut),
    ]
}

fn tail() -> impl Strategy<Value = Tail> {
    (0..=1000u64, any::<bool>()).prop_map(|(kept, changed)| Tail { kept, changed })
}

fn cut_file(path: &Path, len: u64) {
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(len)
        .unwrap();
}

/// A folder as a power cut leaves it: `acknowledged` commits of `fill`, then some that wait.
fn cut_folder(acknowledged: u32, waiting: u32, database: Database, tail: Tail) -> TempDir {
    let (folder, disk) = (TempDir::new().unwrap(), FaultDisk::default());
    let left = TempDir::new().unwrap();
    let store = open_with(&Options {
        segment_bytes: 2000,
        ..options_on(&folder, &disk)
    })
    .store;
    fill(&store, acknowledged / 2);
    store.sync().unwrap();
    copy_folder(&folder.path().join("db"), &left.path().join("synced"));
    for number in acknowledged / 2..acknowledged {
        store
            .commit(put(Space::Items, &item(number), &weighty(number)))
            .unwrap();
    }
    disk.hold();
    let first = store.commit_later(put(Space::Items, b"waiting", b""));
    disk.wait_for_held_sync();
    let tickets: Vec<_> = (0..waiting)
        .map(|number| {
            let mut batch = put(Space::Feed, &item(number), b"");
            batch.put(Space::Audit, item(number), b"");
            store.commit_later(batch)
        })
        .collect();
    // The group that waits is in the file, and not synced.
    copy_folder(folder.path(), left.path());
    let files = disk.files();
    disk.release();
    first.wait().unwrap();
    for ticket in tickets {
        ticket.wait().unwrap();
    }
    drop(store);
    fs::write(left.path().join("running"), b"another start of the machine").unwrap();
    for (path, lengths) in files {
        let path = left.path().join(path.strip_prefix(folder.path()).unwrap());
        let kept = lengths.synced + (lengths.written - lengths.synced) * tail.kept / 1000;
        cut_file(&path, kept);
        if tail.changed && kept > lengths.synced {
            flip(&path, usize::try_from(lengths.synced).unwrap());
        }
    }
    cut_database(left.path(), database);
    left
}

fn cut_database(left: &Path, database: Database) {
    let db = left.join("db");
    match database {
        Database::AsItWas => {}
        Database::Synced => {
            fs::remove_dir_all(&db).unwrap();
            fs::rename(left.join("synced"), &db).unwrap();
        }
        Database::Gone => fs::remove_dir_all(&db).unwrap(),
        Database::Cut(kept) => {
            let len = fs::metadata(db.join("db")).unwrap().len();
            cut_file(&db.join("db"), len * kept / 1000);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn every_acknowledged_batch_is_there_after_a_power_cut_at_any_point(
        acknowledged in 0..40u32,
        waiting in 0..5u32,
        database in database(),
        tail in tail(),
    ) {
        let left = cut_folder(acknowledged, waiting, database, tail);
        let options = Options { segment_bytes: 2000, ..options(left.path()) };
        let opened = match Store::open(&options) {
            Ok(opened) => opened,
            Err(OpenError::Damaged(damage)) => {
                // What sled was writing may be damaged, never what it had synced.
                prop_assert!(
                    matches!(database, Database::AsItWas | Database::Cut(_)),
                    "{damage}"
                );
                let report = Store::repair(&options).unwrap();
                prop_assert!(report.journal.is_none() && report.lost.is_empty());
                open_with(&options)
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        let store = opened.store;
        assert_filled(&store, acknowledged);
        for number in 0..waiting {
            // All of a batch, or nothing.
            let half = store.contains(Space::Feed, &item(number)).unwrap();
            prop_assert_eq!(half, store.contains(Space::Audit, &item(number)).unwrap());
        }
        sound(&store);
        store.commit(put(Space::Items, b"next", b"")).unwrap();
        drop(store);
        sound(&open_with(&options).store);
    }
}

#[test]
fn a_database_that_is_only_short_is_caught_up_without_a_word() {
    let left = cut_folder(
        20,
        0,
        Database::Synced,
        Tail {
            kept: 0,
            changed: false,
        },
    );
    let opened = open_with(&options(left.path()));
    assert_eq!((opened.rebuilt, opened.caught_up), (false, 10));
    assert_filled(&opened.store, 20);
}

#[test]
fn derived_values_that_a_power_cut_took_are_named_until_they_are_back() {
    let (folder, aside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = open(&folder);
    store.commit(put(Space::Cards, b"old", b"1")).unwrap();
    store.commit(put(Space::Cards, b"kept", b"1")).unwrap();
    store.sync().unwrap();
    copy_folder(&folder.path().join("db"), &aside.path().join("db"));
    store.commit(put(Space::Cards, b"old", b"2")).unwrap();
    let mut batch = put(Space::Items, b"item", b"1");
    batch.put(Space::Tokens, b"new", b"1");
    store.commit(batch).unwrap();
    drop(store);
    fs::remove_dir_all(folder.path().join("db")).unwrap();
    copy_folder(&aside.path().join("db"), &folder.path().join("db"));
    for _ in 0..2 {
        let opened = open_with(&options(folder.path()));
        assert!(!opened.rebuilt);
        let mut stale = opened.stale;
        stale.sort();
        assert_eq!(
            stale,
            [
                (Space::Cards, b"old".to_vec()),
                (Space::Tokens, b"new".to_vec())
            ]
        );
        assert_eq!(opened.store.get(Space::Cards, b"old").unwrap(), None);
        assert_eq!(
            opened.store.get(Space::Cards, b"kept").unwrap().unwrap(),
            b"1"
        );
        assert_eq!(
            opened.store.get(Space::Items, b"item").unwrap().unwrap(),
            b"1"
        );
        sound(&opened.store);
    }
    open(&folder).confirm_derived().unwrap();
    assert_eq!(open_with(&options(folder.path())).stale, []);
}

#[test]
fn a_thinned_database_is_found_after_a_power_cut_and_by_a_check() {
    let folder = TempDir::new().unwrap();
    fill(&open(&folder), 20);
    engine::thin(&folder.path().join("db"), &Space::Items.full_key(&item(7)));
    let store = open(&folder);
    let problems = store.check(&mut |_| ()).unwrap().problems;
    assert_eq!(
        problems,
        [
            Problem::Missing { values: 1 },
            Problem::Damaged(Damage::Fingerprint),
        ]
    );
    drop(store);
    fs::write(
        folder.path().join("running"),
        b"another start of the machine",
    )
    .unwrap();
    let error = open_error(&options(folder.path()));
    assert!(
        matches!(error, OpenError::Damaged(Damage::Fingerprint)),
        "{error}"
    );
    let report = Store::repair(&options(folder.path())).unwrap();
    assert_eq!(
        (report.database, report.replayed),
        (Some(Damage::Fingerprint), 20)
    );
    let store = open(&folder);
    assert_filled(&store, 20);
    sound(&store);
}
