//! What is gone gives its space back.

use super::*;
use crate::store::folder::Folder;
use crate::store::shrink::finish;

const ITEMS: u32 = 400;

fn shrinking(folder: &TempDir) -> Options {
    Options {
        shrink_above_bytes: Some(100_000),
        segment_bytes: 50_000,
        ..options(folder.path())
    }
}

fn folder_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).unwrap();
    let bytes = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        match metadata.is_dir() {
            true => folder_bytes(&entry.path()),
            // Its own, and as long in every store.
            false if entry.file_name() == "reserve" => 0,
            false => metadata.len(),
        }
    };
    entries.map(bytes).sum()
}

/// A store of which one item in ten is left.
fn mostly_gone(folder: &TempDir) {
    let store = open_with(&shrinking(folder)).store;
    fill(&store, ITEMS);
    for number in (0..ITEMS).filter(|number| number % 10 != 0) {
        let mut batch = Batch::new();
        batch.delete(Space::Items, item(number));
        store.commit(batch).unwrap();
    }
}

fn check_left(store: &Store) {
    for number in 0..ITEMS {
        let found = store.get(Space::Items, &item(number)).unwrap();
        let expected = (number % 10 == 0).then(|| weighty(number));
        assert_eq!(found, expected, "{number}");
    }
    let health = store.check(&mut |_| ()).unwrap();
    assert!(health.is_sound(), "{:?}", health.problems);
}

#[test]
fn a_journal_of_what_is_gone_is_made_smaller_at_the_next_start_and_keeps_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    mostly_gone(&folder);
    let journal = folder.path().join("journal");
    let before = folder_bytes(&journal);
    // Who does not ask for it keeps everything.
    check_left(&open(&folder));
    assert_eq!(folder_bytes(&journal), before);
    let opened = open_with(&shrinking(&folder));
    let after = folder_bytes(&journal);
    assert!(after * 4 < before, "{after} of {before}");
    check_left(&opened.store);
    opened
        .store
        .commit(put(Space::Items, b"new", b"value"))
        .unwrap();
    drop(opened);
    let again = open_with(&shrinking(&folder)).store;
    check_left(&again);
    assert_eq!(
        again.get(Space::Items, b"new").unwrap().as_deref(),
        Some(&b"value"[..])
    );
    let names = fs::read_dir(folder.path()).unwrap();
    let left = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<String> = left.filter(|name| name.contains('.')).collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn a_journal_of_what_is_there_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_with(&shrinking(&folder)).store;
    fill(&store, ITEMS);
    drop(store);
    let journal = folder.path().join("journal");
    let before = folder_bytes(&journal);
    assert!(before > 100_000);
    drop(open_with(&shrinking(&folder)));
    assert!(folder_bytes(&journal) >= before);
}

/// The names that change, in their order; it is cut short after so many of them.
const STEPS: [(&str, &str); 3] = [
    ("db", "db.old"),
    ("journal", "journal.old"),
    ("journal.shrunk", "journal"),
];

#[test]
fn whatever_cuts_it_short_the_next_start_goes_on() {
    for cut in 0..=STEPS.len() {
        let folder = tempfile::tempdir().unwrap();
        mostly_gone(&folder);
        // A copy that was made smaller gives the journal that is to be put in place.
        let copy = tempfile::tempdir().unwrap();
        copy_all(folder.path(), copy.path());
        drop(open_with(&shrinking(&copy)));
        let at = |name: &str| folder.path().join(name);
        copy_all(&copy.path().join("journal"), &at("journal.shrunk"));
        for (from, to) in &STEPS[..cut] {
            fs::rename(at(from), at(to)).unwrap();
        }
        check_left(&open(&folder));
        for (_, old) in &STEPS[..2] {
            assert!(!at(old).exists(), "{old} after {cut}");
        }
    }
}

#[test]
fn one_that_was_cut_while_it_was_written_is_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    mostly_gone(&folder);
    let making = folder.path().join("journal.new");
    fs::create_dir(&making).unwrap();
    fs::write(making.join("00000001.log"), b"half a segment").unwrap();
    check_left(&open_with(&shrinking(&folder)).store);
    assert!(!making.exists());
    let held = Folder::hold(folder.path()).unwrap();
    finish(&held).unwrap();
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copy = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy_all(&path, &copy),
            false => drop(fs::copy(&path, &copy).unwrap()),
        }
    }
}
