//! The store as a whole: what it promises, on disks that fail.

mod commit;
mod damage;
mod format;
mod full;
mod power;
mod shrink;
mod view;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use zeroize::Zeroizing;

use super::fault_disk::FaultDisk;
use super::*;

fn options(folder: impl Into<PathBuf>) -> Options {
    Options::new(folder, StoreKey::new(Zeroizing::new([7; 32])))
}

fn options_on(folder: &TempDir, disk: &FaultDisk) -> Options {
    Options {
        disk: Arc::new(disk.clone()),
        ..options(folder.path())
    }
}

fn open_with(options: &Options) -> Opened {
    Store::open(options)
        .map_err(|error| error.to_string())
        .unwrap()
}

fn open(folder: &TempDir) -> Store {
    open_with(&options(folder.path())).store
}

fn open_error(options: &Options) -> OpenError {
    Store::open(options).err().unwrap()
}

fn put(space: Space, key: &[u8], value: &[u8]) -> Batch {
    let mut batch = Batch::new();
    batch.put(space, key, value);
    batch
}

/// Commits `count` items, `item 0` onward, one a commit, with some weight.
fn fill(store: &Store, count: u32) {
    for number in 0..count {
        store
            .commit(put(Space::Items, &item(number), &weighty(number)))
            .unwrap();
    }
}

fn item(number: u32) -> Vec<u8> {
    format!("item {number}").into_bytes()
}

fn weighty(number: u32) -> Vec<u8> {
    format!("value {number} ").repeat(20).into_bytes()
}

/// Whether all that `fill` wrote is there.
fn assert_filled(store: &Store, count: u32) {
    for number in 0..count {
        let found = store.get(Space::Items, &item(number)).unwrap();
        assert_eq!(found, Some(weighty(number)), "item {number}");
    }
}

fn sound(store: &Store) -> Health {
    let health = store.check(&mut |_| ()).unwrap();
    assert_eq!(health.problems, []);
    health
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        let target = to.join(file.file_name());
        if file.file_type().unwrap().is_dir() {
            copy_folder(&file.path(), &target);
        } else {
            // sled replaces its snapshots at any time.
            match fs::copy(file.path(), target) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
                copied => copied.unwrap(),
            };
        }
    }
}

fn flip(path: &Path, offset: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[offset] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

fn segment(folder: &Path, number: u64) -> PathBuf {
    folder.join("journal").join(format!("{number:08}.log"))
}
