//! Bundle files: written and read, cut, changed and mixed up.

use std::path::PathBuf;

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::store::{Identity, Store, record, statement};
use crate::identity::SealingKey;
use crate::reconcile::FeedNumber;
use crate::sync::bundle::{
    Account, Author, BundleError, BundleId, MAX_PARTS, PartReader, PartWriter, Piece, Recipient,
};
use crate::sync::{Holdings, ItemKind};

const BUNDLE: BundleId = BundleId::new([7; 16]);

/// A sender with a store, and a recipient.
struct Couple {
    sender: Identity,
    store: Store,
    recipient: Identity,
    sealing: SealingKey,
}

impl Couple {
    /// With items of these sizes.
    fn new(sizes: &[usize]) -> Self {
        let (sender, recipient) = (Identity::new(1), Identity::new(2));
        let sealing = SealingKey::generate(&mut ChaCha20Rng::seed_from_u64(9));
        let mut store = Store::new(sender.pair_key(&recipient.node.id()), 11);
        store.accept(statement(1, "genesis"));
        for (number, size) in sizes.iter().enumerate() {
            store.accept(record(1, &format!("record {number}"), *size));
        }
        Self {
            sender,
            store,
            recipient,
            sealing,
        }
    }

    fn items(&self) -> Vec<Vec<u8>> {
        let owed = self.store.owed(FeedNumber::START);
        let bytes = owed.iter().map(|entry| self.store.item(&entry.id));
        bytes.collect::<Option<_>>().unwrap()
    }

    fn begin(&self, part: u32) -> Result<(PartWriter, Vec<u8>), BundleError> {
        PartWriter::begin(
            &mut ChaCha20Rng::seed_from_u64(u64::from(part)),
            (BUNDLE, part),
            Author {
                node: &self.sender.node,
                certificate: &self.sender.certificate,
            },
            Recipient {
                clinic: self.recipient.clinic(),
                sealing: self.sealing.public(),
            },
            &Account::of(&self.store, FeedNumber::START),
        )
    }

    /// A part with everything that is owed.
    fn part(&self, part: u32, last: bool) -> Vec<u8> {
        let (mut writer, mut file) = self.begin(part).unwrap();
        for entry in self.store.owed(FeedNumber::START) {
            let bytes = self.store.item(&entry.id).unwrap();
            let cost = PartWriter::cost(bytes.len());
            let before = writer.size();
            file.extend(writer.item(&entry, &bytes, &self.store).unwrap());
            assert!(writer.size() <= before + cost, "the cost is too small");
        }
        let size = writer.size();
        file.extend(writer.end(last).unwrap());
        assert_eq!(file.len() as u64, size);
        file
    }

    fn reader(&self) -> PartReader {
        let sealing = SealingKey::from_bytes(self.sealing.to_bytes());
        PartReader::new(self.recipient.clinic(), sealing)
    }

    /// What comes out before the first error, and the error.
    fn read(&self, file: &[u8], piece: usize) -> (Vec<Piece>, Option<BundleError>, bool) {
        let mut reader = self.reader();
        let mut pieces = Vec::new();
        for bytes in file.chunks(piece) {
            if let Err(error) = reader.push(bytes, &mut pieces) {
                return (pieces, Some(error), false);
            }
        }
        (pieces, None, reader.is_whole())
    }
}

fn items_of(pieces: &[Piece]) -> Vec<Vec<u8>> {
    let item = |piece: &Piece| match piece {
        Piece::Item { bytes, .. } => Some(bytes.clone()),
        Piece::Opened(..)
        | Piece::Certificate(_)
        | Piece::Attachment { .. }
        | Piece::Held(_)
        | Piece::Lacking { .. }
        | Piece::Taken { .. }
        | Piece::End { .. } => None,
    };
    pieces.iter().filter_map(item).collect()
}

#[test]
fn a_part_gives_what_was_put_in_whatever_pieces_it_is_read_in() {
    let couple = Couple::new(&[300, 4_080, 4_081, 200_000, 20]);
    let file = couple.part(3, true);
    for piece in [1, 7, 4_096, usize::MAX / 2] {
        let (pieces, error, whole) = couple.read(&file, piece);
        assert_eq!((error, whole), (None, true));
        assert_eq!(items_of(&pieces), couple.items());
        let Piece::Opened(head, opening) = &pieces[0] else {
            panic!("{:?}", pieces[0]);
        };
        assert_eq!((head.bundle, head.part), (BUNDLE, 3));
        assert_eq!(opening.certificate, couple.sender.certificate);
        assert_eq!(opening.incarnation, couple.store.incarnation());
        assert_eq!(opening.newest, couple.store.newest());
        assert_eq!(opening.digests, couple.store.digests());
        assert_eq!(pieces.last(), Some(&Piece::End { last: true }));
        let statements = pieces.iter().filter(
            |piece| matches!(piece, Piece::Item { kind, .. } if *kind == ItemKind::Statement),
        );
        assert_eq!(statements.count(), 1);
    }
}

#[test]
fn the_beginning_of_a_part_gives_its_items_and_is_known_to_be_cut() {
    let couple = Couple::new(&[30_000; 8]);
    let file = couple.part(1, true);
    let (pieces, error, whole) = couple.read(&file[..file.len() / 2], 5_000);
    assert_eq!((error, whole), (None, false));
    let items = items_of(&pieces);
    assert!((3..8).contains(&items.len()), "{}", items.len());
    assert_eq!(items, couple.items()[..items.len()]);
}

#[test]
fn a_part_for_another_clinic_or_another_key_does_not_open() {
    let couple = Couple::new(&[100]);
    let file = couple.part(1, true);
    let other = Identity::new(3).clinic();
    let key = || SealingKey::from_bytes(couple.sealing.to_bytes());
    let error = PartReader::new(other, key())
        .push(&file, &mut Vec::new())
        .unwrap_err();
    let recipient = couple.recipient.clinic();
    let bundle = BUNDLE;
    assert_eq!(error, BundleError::ForAnother { recipient, bundle });
    let wrong = SealingKey::generate(&mut ChaCha20Rng::seed_from_u64(5));
    let error = PartReader::new(recipient, wrong)
        .push(&file, &mut Vec::new())
        .unwrap_err();
    assert_eq!(error, BundleError::Altered { block: 0 });
}

#[test]
fn blocks_that_are_swapped_left_out_or_doubled_do_not_open() {
    let couple = Couple::new(&[60_000; 4]);
    let file = couple.part(1, true);
    let blocks = blocks(&file);
    assert!(blocks.len() >= 4);
    let head = &file[..blocks[0].0];
    let bytes = |order: &[usize]| {
        let mut mixed = head.to_vec();
        for index in order {
            let (from, to) = blocks[*index];
            mixed.extend_from_slice(&file[from..to]);
        }
        mixed
    };
    for (order, at) in [
        (&[0, 2, 1][..], 1),
        (&[0, 2], 1),
        (&[0, 1, 1], 2),
        (&[1], 0),
    ] {
        let (_, error, _) = couple.read(&bytes(order), 1 << 20);
        assert_eq!(error, Some(BundleError::Altered { block: at }), "{order:?}");
    }
}

#[test]
fn a_block_of_another_part_does_not_open() {
    let couple = Couple::new(&[60_000; 3]);
    let (one, two) = (couple.part(1, false), couple.part(2, true));
    let (first, second) = (blocks(&one), blocks(&two));
    let mut mixed = one[..first[0].1].to_vec();
    mixed.extend_from_slice(&two[second[1].0..]);
    let (_, error, _) = couple.read(&mixed, 1 << 20);
    assert_eq!(error, Some(BundleError::Altered { block: 1 }));
}

#[test]
fn a_part_in_the_name_of_another_node_is_refused() {
    let mut couple = Couple::new(&[100]);
    // The certificate of one node, the signature of another.
    couple.sender.certificate = Identity::new(8).certificate;
    let (_, error, _) = couple.read(&couple.part(1, true), 1 << 20);
    assert!(
        matches!(error, Some(BundleError::NotBySender(_))),
        "{error:?}"
    );
}

#[test]
fn bytes_behind_the_end_and_claims_of_huge_blocks_are_refused() {
    let couple = Couple::new(&[100]);
    let file = couple.part(1, true);
    let (pieces, error, _) = couple.read(&[file.as_slice(), b"x"].concat(), 1 << 20);
    assert_eq!(items_of(&pieces), couple.items());
    assert_eq!(error, Some(BundleError::BehindTheEnd));
    let (from, _) = blocks(&file)[0];
    let mut huge = file[..from].to_vec();
    huge.extend_from_slice(&u32::MAX.to_be_bytes());
    let (_, error, _) = couple.read(&huge, 1 << 20);
    let bytes = u64::from(u32::MAX);
    assert_eq!(error, Some(BundleError::BlockLength { block: 0, bytes }));
    let (_, error, _) = couple.read(b"{\"resourceType\":\"Bundle\"}", 1 << 20);
    assert!(matches!(error, Some(BundleError::Head(_))), "{error:?}");
}

#[test]
fn there_are_at_most_so_many_parts_and_none_with_number_0() {
    let couple = Couple::new(&[]);
    assert!(couple.begin(MAX_PARTS).is_ok());
    for part in [0, MAX_PARTS + 1] {
        assert_eq!(couple.begin(part).err(), Some(BundleError::TooManyParts));
    }
}

#[test]
fn a_part_is_written_and_read_as_it_first_was() {
    let couple = Couple::new(&[300, 5_000]);
    let file = couple.part(1, true);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/bundle-part.bin");
    if !path.exists() && std::env::var_os("CHARTMESH_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, &file).unwrap();
    }
    let golden = std::fs::read(&path).unwrap();
    assert!(golden == file, "a part is written in another way");
    let (pieces, error, whole) = couple.read(&golden, 1 << 20);
    assert_eq!((error, whole), (None, true));
    assert_eq!(items_of(&pieces), couple.items());
}

/// Where each block of a part begins and ends, its length included.
fn blocks(file: &[u8]) -> Vec<(usize, usize)> {
    // Version, array of four, id 17, part 1, recipient 34, key 34.
    let mut at = 1 + 1 + 17 + 1 + 34 + 34;
    let mut blocks = Vec::new();
    while at < file.len() {
        let length = u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        blocks.push((at, at + 4 + length));
        at += 4 + length;
    }
    blocks
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_changed_bit_passes_and_what_came_before_it_is_whole(
        at: proptest::sample::Index,
        bit in 0_u8..8,
    ) {
        let couple = Couple::new(&[40_000; 4]);
        let mut file = couple.part(1, true);
        let index = at.index(file.len());
        file[index] ^= 1 << bit;
        let (pieces, error, whole) = couple.read(&file, 1 << 20);
        // A length that grew beyond the file only looks cut.
        prop_assert!(error.is_some() || !whole);
        let items = items_of(&pieces);
        prop_assert_eq!(&items[..], &couple.items()[..items.len()]);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, piece in 1_usize..64) {
        let couple = Couple::new(&[]);
        let mut file = couple.part(1, false);
        file.truncate(blocks(&file)[0].1);
        file.extend(bytes);
        couple.read(&file, piece);
    }
}
