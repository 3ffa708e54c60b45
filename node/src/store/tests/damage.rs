//! Damage: found, named, and healed.

use super::*;

/// A closed store of `count` items in segments of some ten.
fn closed(count: u32) -> (TempDir, Options) {
    let folder = TempDir::new().unwrap();
    let options = Options {
        segment_bytes: 3000,
        ..options(folder.path())
    };
    let store = open_with(&options).store;
    fill(&store, count);
    store
        .commit(put(Space::Cards, b"card", b"derived"))
        .unwrap();
    (folder, options)
}

fn damage(options: &Options) -> Damage {
    let error = open_error(options);
    let OpenError::Damaged(damage) = error else {
        panic!("{error}")
    };
    damage
}

/// Repairs, and expects all items back and a sound store.
fn assert_repaired(options: &Options, count: u32) -> Report {
    let report = Store::repair(options)
        .map_err(|error| error.to_string())
        .unwrap();
    assert_eq!(report.lost, []);
    let store = open_with(options).store;
    assert_filled(&store, count);
    sound(&store);
    drop(store);
    assert_eq!(Store::repair(options).unwrap(), Report::default());
    report
}

#[test]
fn a_sound_store_is_not_touched_by_a_repair() {
    let (_folder, options) = closed(30);
    assert_eq!(Store::repair(&options).unwrap(), Report::default());
    let opened = open_with(&options);
    assert!(!opened.rebuilt);
    let health = sound(&opened.store);
    assert_eq!(
        (health.commit, health.journal_commit, health.entries),
        (31, 31, 31)
    );
    assert_eq!(
        (health.values[&Space::Items], health.values[&Space::Cards]),
        (30, 1)
    );
    assert!(health.segments > 2);
}

#[test]
fn a_deleted_database_is_rebuilt_and_the_node_is_told_until_it_confirms() {
    let (folder, options) = closed(30);
    fs::remove_dir_all(folder.path().join("db")).unwrap();
    let opened = open_with(&options);
    assert_eq!((opened.rebuilt, opened.caught_up), (true, 31));
    assert_eq!(opened.stale, []);
    assert_filled(&opened.store, 30);
    assert_eq!(opened.store.get(Space::Cards, b"card").unwrap(), None);
    sound(&opened.store);
    drop(opened);
    let opened = open_with(&options);
    assert!(opened.rebuilt);
    opened
        .store
        .commit(put(Space::Cards, b"card", b"again"))
        .unwrap();
    opened.store.confirm_derived().unwrap();
    drop(opened);
    assert!(!open_with(&options).rebuilt);
}

#[test]
fn a_flipped_bit_in_the_database_is_found_and_everything_comes_back() {
    let (folder, options) = closed(60);
    let whole = TempDir::new().unwrap();
    copy_folder(folder.path(), whole.path());
    let len = usize::try_from(fs::metadata(whole.path().join("db/db")).unwrap().len()).unwrap();
    let written = fs::read(whole.path().join("db/db")).unwrap();
    let used = written
        .iter()
        .rposition(|byte| *byte != 0)
        .unwrap_or(len - 1);
    for step in 0..16 {
        for part in ["db", "journal"] {
            fs::remove_dir_all(folder.path().join(part)).unwrap();
            copy_folder(&whole.path().join(part), &folder.path().join(part));
        }
        flip(&folder.path().join("db/db"), used * step / 16);
        match Store::open(&options) {
            Err(OpenError::Damaged(_)) => {}
            Err(other) => panic!("{other}"),
            Ok(opened) => {
                // Some bits mean nothing; what still reads must be right.
                let health = opened.store.check(&mut |_| ()).unwrap();
                for number in 0..60 {
                    match opened.store.get(Space::Items, &item(number)) {
                        Ok(Some(value)) => assert_eq!(value, weighty(number)),
                        _ => assert!(!health.is_sound()),
                    }
                }
            }
        }
        Store::repair(&options)
            .map_err(|error| error.to_string())
            .unwrap();
        let store = open_with(&options).store;
        assert_filled(&store, 60);
        sound(&store);
    }
}

#[test]
fn a_database_of_zeros_or_without_its_settings_is_rebuilt() {
    for file in ["db", "conf"] {
        let (folder, options) = closed(30);
        let path = folder.path().join("db").join(file);
        let len = fs::metadata(&path).unwrap().len();
        fs::write(&path, vec![0; usize::try_from(len).unwrap()]).unwrap();
        match Store::open(&options) {
            Ok(opened) => assert!(opened.rebuilt, "{file}"),
            Err(OpenError::Damaged(Damage::Database(_))) => {}
            Err(other) => panic!("{other}"),
        }
        let report = Store::repair(&options).unwrap();
        assert!(report.journal.is_none());
        assert_filled(&open_with(&options).store, 30);
    }
}

#[test]
fn a_snapshot_that_sled_was_killed_over_does_no_harm() {
    let (folder, options) = closed(30);
    let unfinished = folder.path().join("db/snap.FFFFFFFFFFFFFFFF.generating");
    fs::write(&unfinished, b"half").unwrap();
    let opened = open_with(&options);
    assert!(!opened.rebuilt && !unfinished.exists());
    assert_filled(&opened.store, 30);
}

#[test]
fn the_wrong_key_is_told_from_damage() {
    let (folder, options) = closed(3);
    let wrong = StoreKey::new(Zeroizing::new([8; 32]));
    let other = Options {
        key: wrong,
        ..options.clone()
    };
    assert!(matches!(open_error(&other), OpenError::WrongKey));
    assert!(matches!(Store::repair(&other), Err(OpenError::WrongKey)));
    flip(&segment(folder.path(), 1), 100);
    assert!(matches!(Store::repair(&other), Err(OpenError::WrongKey)));
    assert_repaired(&options, 3);
}

#[test]
fn a_torn_tail_is_cut_off_at_any_length() {
    let (folder, options) = closed(2);
    let (path, db) = (segment(folder.path(), 1), folder.path().join("db"));
    let whole = fs::read(&path).unwrap();
    fs::remove_dir_all(&db).unwrap();
    let last = whole
        .windows(4)
        .rposition(|window| window == b"CMJE")
        .unwrap();
    for len in last..whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        let opened = open_with(&options);
        assert_eq!(opened.torn_bytes, (len - last) as u64);
        assert_eq!(opened.store.last_commit().number(), 2);
        assert_filled(&opened.store, 2);
        drop(opened);
        assert_eq!(fs::metadata(&path).unwrap().len(), last as u64);
    }
}

#[test]
fn a_damaged_tail_that_was_acknowledged_is_damage_and_the_database_heals_it() {
    let (folder, options) = closed(30);
    let last = (1..)
        .find(|number| !segment(folder.path(), number + 1).exists())
        .unwrap();
    let path = segment(folder.path(), last);
    let end = fs::metadata(&path).unwrap().len();
    flip(&path, usize::try_from(end).unwrap() - 1);
    let found = damage(&options);
    assert!(matches!(found, Damage::Journal { segment, what: "checksum", .. } if segment == last));
    let report = assert_repaired(&options, 30);
    assert_eq!(report.journal, Some(found));
    assert_eq!((report.database, report.aside.len()), (None, 2));
}

#[test]
fn damage_in_the_middle_of_the_journal_is_named_by_segment_and_offset() {
    let (folder, options) = closed(30);
    let path = segment(folder.path(), 2);
    let bytes = fs::read(&path).unwrap();
    let starts: Vec<_> = (0..bytes.len())
        .filter(|at| bytes[*at..].starts_with(b"CMJE"))
        .collect();
    flip(&path, starts[3] + 50);
    let expected = Damage::Journal {
        segment: 2,
        offset: starts[3] as u64,
        what: "checksum",
    };
    let store = open_with(&options).store;
    let problems = store.check(&mut |_| ()).unwrap().problems;
    assert_eq!(problems, [Problem::Damaged(expected.clone())]);
    drop(store);
    let report = assert_repaired(&options, 30);
    assert_eq!(report.journal, Some(expected));
}

#[test]
fn a_length_that_promises_too_much_takes_no_memory() {
    let (folder, options) = closed(30);
    let path = segment(folder.path(), 2);
    let mut bytes = fs::read(&path).unwrap();
    let start = bytes
        .windows(4)
        .position(|window| window == b"CMJE")
        .unwrap();
    bytes[start + 4..start + 8].copy_from_slice(&[0xff; 4]);
    fs::write(&path, bytes).unwrap();
    fs::remove_dir_all(folder.path().join("db")).unwrap();
    assert!(matches!(
        damage(&options),
        Damage::Journal {
            segment: 2,
            what: "length",
            ..
        }
    ));
}

#[test]
fn what_neither_has_is_named_as_lost_and_the_rest_comes_back() {
    let (folder, options) = closed(30);
    let path = segment(folder.path(), 1);
    let bytes = fs::read(&path).unwrap();
    let starts: Vec<_> = (0..bytes.len())
        .filter(|at| bytes[*at..].starts_with(b"CMJE"))
        .collect();
    flip(&path, starts[2] + 60);
    flip(&path, starts[3] + 10);
    fs::remove_dir_all(folder.path().join("db")).unwrap();
    assert!(matches!(
        damage(&options),
        Damage::Journal { segment: 1, .. }
    ));
    let report = Store::repair(&options).unwrap();
    assert_eq!(report.lost, [3..=4]);
    let store = open_with(&options).store;
    for number in 0..30 {
        let found = store.get(Space::Items, &item(number)).unwrap();
        assert_eq!(found.is_none(), [2, 3].contains(&number), "{number}");
    }
    sound(&store);
}

#[test]
fn a_missing_segment_or_journal_is_named_and_written_anew_from_the_database() {
    let (folder, options) = closed(30);
    fs::remove_file(segment(folder.path(), 2)).unwrap();
    assert_eq!(damage(&options), Damage::Missing { segment: 2 });
    assert_repaired(&options, 30);
    fs::remove_dir_all(folder.path().join("journal")).unwrap();
    assert_eq!(damage(&options), Damage::Missing { segment: 1 });
    assert_repaired(&options, 30);
}

#[test]
fn a_missing_last_segment_is_noticed_by_the_database() {
    let (folder, options) = closed(30);
    let last = (1..)
        .find(|number| !segment(folder.path(), number + 1).exists())
        .unwrap();
    fs::remove_file(segment(folder.path(), last)).unwrap();
    assert!(matches!(
        damage(&options),
        Damage::Short { database: 31, .. }
    ));
    assert_repaired(&options, 30);
}

#[test]
fn a_segment_whose_making_was_cut_short_is_removed() {
    let (folder, options) = closed(30);
    let last = (1..)
        .find(|number| !segment(folder.path(), number + 1).exists())
        .unwrap();
    let next = segment(folder.path(), last + 1);
    for torn in [&b""[..], b"CHMJ", &[0; 72]] {
        fs::write(&next, torn).unwrap();
        assert_filled(&open_with(&options).store, 30);
        assert!(!next.exists());
    }
}

#[test]
fn a_damaged_header_is_damage_and_a_newer_version_is_named() {
    let (folder, options) = closed(30);
    let path = segment(folder.path(), 1);
    flip(&path, 20);
    assert_eq!(
        damage(&options),
        Damage::Journal {
            segment: 1,
            offset: 0,
            what: "header"
        }
    );
    assert_repaired(&options, 30);
    let mut bytes = fs::read(&path).unwrap();
    bytes[7] = 2;
    fs::write(&path, bytes).unwrap();
    assert!(matches!(
        open_error(&options),
        OpenError::Version { version: 2, .. }
    ));
}

#[test]
fn the_database_of_another_store_is_refused_and_rebuilt() {
    let (folder, options) = closed(30);
    let (other, _) = closed(10);
    fs::remove_dir_all(folder.path().join("db")).unwrap();
    copy_folder(&other.path().join("db"), &folder.path().join("db"));
    assert_eq!(damage(&options), Damage::Stranger);
    let report = assert_repaired(&options, 30);
    assert_eq!(report.database, Some(Damage::Stranger));
}

#[test]
fn a_repair_that_was_interrupted_is_finished() {
    let (folder, options) = closed(30);
    // As if it had stopped when the new journal was ready and the old one already away.
    let path = folder.path();
    fs::rename(path.join("journal"), path.join("journal.ready")).unwrap();
    fs::rename(path.join("db"), path.join("db.damaged-1")).unwrap();
    fs::create_dir(path.join("journal.new")).unwrap();
    assert_eq!(damage(&options), Damage::Interrupted);
    let report = assert_repaired(&options, 30);
    assert_eq!(report.journal, Some(Damage::Interrupted));
}
