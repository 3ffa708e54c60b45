//! What a relay has passed on takes no space on its disk after the next start.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::attachments::{document, fetch, saved, scan};
use super::relays::Coast;

/// Bytes of a scan, more than those of a journal that is left as it is.
const LONG: usize = 18_000_000;
/// Bytes of a relay's folder in which little lies.
const LITTLE: u64 = 16_000_000;
/// The unit in which the system counts a file's blocks (`stat(2)`).
const BLOCK_BYTES: u64 = 512;

/// The bytes that a folder takes on the disk.
fn taken(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let taken_by = |entry: std::fs::DirEntry| {
        let found = entry.metadata().unwrap();
        let inside = if found.is_dir() {
            taken(&entry.path())
        } else {
            0
        };
        found.blocks() * BLOCK_BYTES + inside
    };
    entries.map(taken_by).sum()
}

#[test]
fn a_scan_that_was_passed_on_leaves_the_relays_disk_with_its_next_start() {
    let mut coast = Coast::new();
    let nakato = coast.carried();
    let content = scan(LONG, 11);
    nakato.put(&coast.hill, &document(&nakato, "d1", &content));
    coast.visit(&coast.hill);
    coast.visit(&coast.river);
    fetch(&coast.river, &nakato, 7);
    coast.visit(&coast.hill);
    fetch(&coast.river, &nakato, 0);
    assert!(saved(&coast.river, &nakato, "DocumentReference/d1") == content);
    // Word that nobody wants it any more closes its box.
    for clinic in [&coast.river, &coast.hill] {
        coast.visit(clinic);
    }
    coast.relay.stop();
    let before = taken(&coast.relay.dir());
    assert!(before > 2 * LONG as u64, "{before}");
    coast.relay.start();
    let after = taken(&coast.relay.dir());
    assert!(after < LITTLE, "{after} of {before}");
    coast.relay.ok(&["doctor"]);
    // What lies there for others lies there as before.
    nakato.note(&coast.hill, "n1", "after the start");
    coast.visit(&coast.hill);
    coast.visit(&coast.river);
    assert!(nakato.has(&coast.river, "Observation/n1"));
}
