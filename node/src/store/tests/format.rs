//! The journal's bytes.

use super::super::batch::SealedWrite;
use super::super::seal::Sealer;
use super::super::segment::{Header, Place, Write, encode_entry, find_entry};
use super::*;
use crate::chance::Chance;

const STORE: [u8; 16] = [9; 16];

/// A segment with fixed nonces: a put, a deletion, and a derived value.
fn golden_segment(sealer: &Sealer) -> Vec<u8> {
    let header = Header {
        store: STORE,
        segment: 1,
        first: 1,
        key_check: sealer.check(),
    };
    let write = |space: Space, key: &[u8], value: Option<&[u8]>, nonce: u8| {
        let full_key = space.full_key(key);
        let seal = |value| sealer.seal_with([nonce; 24], &full_key, value).unwrap();
        let sealed = value.map(seal);
        SealedWrite {
            space,
            full_key,
            sealed,
        }
    };
    let first = [
        write(Space::Items, b"record", Some(b"a sealed record"), 1),
        write(Space::Cards, b"card", Some(b"made from it"), 2),
    ];
    let second = [
        write(Space::Cursors, b"peer", Some(b""), 3),
        write(Space::Items, b"record", None, 0),
    ];
    let place = Place {
        store: STORE,
        segment: 1,
    };
    let mut bytes = header.encode();
    encode_entry(&mut bytes, place, 1, 0, &first).unwrap();
    encode_entry(&mut bytes, place, 2, 1, &second).unwrap();
    bytes
}

#[test]
fn the_journals_format_is_the_committed_one() {
    let sealer = Sealer::new(&StoreKey::new(Zeroizing::new([7; 32])), Chance::System);
    let bytes = golden_segment(&sealer);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/journal-v1.log");
    if !path.exists() {
        fs::write(&path, &bytes).unwrap();
        panic!("the golden journal was missing and is now written: look at it, and commit it");
    }
    assert_eq!(
        fs::read(&path).unwrap(),
        bytes,
        "old journals must stay readable"
    );
}

#[test]
fn the_committed_journal_opens_as_a_store() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("journal")).unwrap();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/journal-v1.log");
    fs::copy(golden, segment(folder.path(), 1)).unwrap();
    let opened = open_with(&options(folder.path()));
    assert_eq!((opened.rebuilt, opened.caught_up), (true, 2));
    assert_eq!(opened.store.get(Space::Items, b"record").unwrap(), None);
    assert_eq!(
        opened.store.get(Space::Cursors, b"peer").unwrap().unwrap(),
        b""
    );
    sound(&opened.store);
}

#[test]
fn an_entry_is_found_behind_damage_and_passes_in_no_other_place() {
    let sealer = Sealer::new(&StoreKey::new(Zeroizing::new([7; 32])), Chance::System);
    let bytes = golden_segment(&sealer);
    let place = Place {
        store: STORE,
        segment: 1,
    };
    let (start, entry) = find_entry(&bytes, place).unwrap();
    assert_eq!(
        (start, entry.commit, entry.durable),
        (segment::HEADER_BYTES, 1, 0)
    );
    let writes = entry.writes().unwrap();
    assert!(matches!(
        writes[0],
        Write::Put {
            key: b"\x20record",
            ..
        }
    ));
    assert_eq!(writes[1], Write::Note { key: b"\x81card" });
    let rest = &bytes[start + 1..];
    let (_, entry) = find_entry(rest, place).unwrap();
    assert_eq!((entry.commit, entry.durable), (2, 1));
    assert_eq!(
        entry.writes().unwrap()[1],
        Write::Delete { key: b"\x20record" }
    );
    for elsewhere in [
        Place {
            segment: 2,
            ..place
        },
        Place {
            store: [8; 16],
            ..place
        },
    ] {
        assert!(find_entry(&bytes, elsewhere).is_none());
    }
}

#[test]
fn no_flipped_bit_leaves_an_entry_or_a_header_readable() {
    let sealer = Sealer::new(&StoreKey::new(Zeroizing::new([7; 32])), Chance::System);
    let bytes = golden_segment(&sealer);
    let place = Place {
        store: STORE,
        segment: 1,
    };
    let (start, entry) = find_entry(&bytes, place).unwrap();
    let end = start + usize::try_from(entry.bytes()).unwrap();
    for bit in 0..end * 8 {
        let mut changed = bytes[..end].to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        if bit / 8 < start {
            assert!(Header::decode(&changed).is_err());
        } else {
            assert!(find_entry(&changed, place).is_none());
        }
    }
}
