//! Pieces of attachments in bundle files.

use std::path::PathBuf;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::shelf::attachment;
use super::store::{Identity, Store};
use crate::attachment::{AttachmentName, Shape};
use crate::id::AttachmentId;
use crate::identity::SealingKey;
use crate::reconcile::{Claim, Digest, FeedNumber, ItemKey, KeyPrefix, Range};
use crate::sync::ItemKind;
use crate::sync::bundle::{
    Account, Author, BundleError, BundleId, MAX_PIECES_IN_A_ROW, PartReader, PartWriter, Piece,
    Recipient,
};
use crate::sync::frame::Frame;
use crate::sync::payload::{AskFrame, HeldFrame, InDoubt, LackFrame, RangesFrame, Span};

/// Writes a part by `write`, and returns it with a reader for it.
fn part(write: impl FnOnce(&mut PartWriter) -> Vec<u8>) -> (Vec<u8>, PartReader) {
    let (sender, recipient) = (Identity::new(1), Identity::new(2));
    let sealing = SealingKey::generate(&mut ChaCha20Rng::seed_from_u64(9));
    let store = Store::new(sender.pair_key(&recipient.node.id()), 11);
    let author = Author {
        node: &sender.node,
        certificate: &sender.certificate,
    };
    let to = Recipient {
        clinic: recipient.clinic(),
        sealing: sealing.public(),
    };
    let rng = &mut ChaCha20Rng::seed_from_u64(1);
    let bundle = (BundleId::new([7; 16]), 1);
    let begun = PartWriter::begin(
        rng,
        bundle,
        author,
        to,
        &Account::of(&store, FeedNumber::START),
    );
    let (mut writer, mut file) = begun.unwrap();
    file.extend(write(&mut writer));
    file.extend(writer.end(true).unwrap());
    (file, PartReader::new(recipient.clinic(), sealing))
}

/// Pieces with their numbers.
type Numbered = Vec<(u32, Vec<u8>)>;

/// The pieces that are read, and how that ends.
fn read(file: &[u8], reader: &mut PartReader) -> (Numbered, Result<(), BundleError>) {
    let mut pieces = Vec::new();
    let outcome = reader.push(file, &mut pieces);
    let numbered = pieces.into_iter().filter_map(|piece| {
        if let Piece::Attachment { number, bytes, .. } = piece {
            Some((number, bytes))
        } else {
            None
        }
    });
    (numbered.collect(), outcome)
}

#[test]
fn what_is_written_of_an_attachment_is_read() {
    let (name, shape, all) = attachment(400_000);
    let numbered: Numbered = all.clone().into_iter().collect();
    let (file, mut reader) = part(|writer| {
        let mut out = Vec::new();
        for run in numbered.chunks(MAX_PIECES_IN_A_ROW) {
            let bytes: Vec<Vec<u8>> = run.iter().map(|(_, bytes)| bytes.clone()).collect();
            out.extend(writer.pieces(&name, shape, run[0].0, &bytes).unwrap());
        }
        out
    });
    let (pieces, outcome) = read(&file, &mut reader);
    assert_eq!(outcome, Ok(()));
    assert_eq!(pieces, numbered);
    assert!(reader.is_whole());
    assert!(file.len() < 404_000, "{}", file.len());
}

#[test]
fn a_part_that_is_cut_gives_the_pieces_before_the_cut() {
    let (name, shape, all) = attachment(80_000);
    let bytes: Vec<Vec<u8>> = all.values().cloned().collect();
    let (file, mut reader) = part(|writer| writer.pieces(&name, shape, 0, &bytes).unwrap());
    let (pieces, outcome) = read(&file[..file.len() - 10_000], &mut reader);
    assert_eq!(outcome, Ok(()));
    assert!(!reader.is_whole() && !pieces.is_empty() && pieces.len() < all.len());
    assert!(pieces.iter().all(|(number, bytes)| all[number] == *bytes));
}

#[test]
fn pieces_that_no_attachment_has_there_are_not_written() {
    let (name, shape, all) = attachment(400_000);
    part(|writer| {
        let piece = |number: u32| all[&number].clone();
        let many = vec![piece(2); MAX_PIECES_IN_A_ROW + 1];
        for (first, pieces) in [
            (0, vec![]),
            (0, vec![piece(2)]),
            (2, many),
            (shape.pieces(), vec![piece(2)]),
        ] {
            let error = writer.pieces(&name, shape, first, &pieces).unwrap_err();
            assert!(matches!(error, BundleError::Unsendable { .. }));
        }
        Vec::new()
    });
}

/// What is read to be held, and how that ends.
fn told(file: &[u8], reader: &mut PartReader) -> (Vec<AttachmentName>, Result<(), BundleError>) {
    let mut pieces = Vec::new();
    let outcome = reader.push(file, &mut pieces);
    let held = pieces.into_iter().filter_map(|piece| match piece {
        Piece::Held(held) => Some(held),
        Piece::Opened(..)
        | Piece::Certificate(_)
        | Piece::Item { .. }
        | Piece::Attachment { .. }
        | Piece::Lacking { .. }
        | Piece::Taken { .. }
        | Piece::End { .. } => None,
    });
    (held.flatten().collect(), outcome)
}

#[test]
fn what_the_sender_holds_is_told_behind_the_pieces() {
    let (name, shape, all) = attachment(80_000);
    let bytes: Vec<Vec<u8>> = all.values().cloned().collect();
    let held: Vec<(AttachmentName, Shape)> = (0..100)
        .map(|number| {
            let id = AttachmentId::new([number; 32]);
            (AttachmentName { id, ..name }, shape)
        })
        .collect();
    let (file, mut reader) = part(|writer| {
        let mut out = writer.pieces(&name, shape, 0, &bytes).unwrap();
        let before = writer.size();
        out.extend(writer.held(&held).unwrap());
        assert!(writer.size() - before <= PartWriter::held_cost(held.len()));
        out
    });
    let (names, outcome) = told(&file, &mut reader);
    assert_eq!(outcome, Ok(()));
    assert!(reader.is_whole());
    assert_eq!(
        names,
        held.iter().map(|(name, _)| *name).collect::<Vec<_>>()
    );
}

#[test]
fn an_answer_without_its_question_and_one_to_another_are_refused() {
    let (name, shape, _) = attachment(80_000);
    let ask = |number| {
        Frame::Ask(AskFrame {
            number,
            of: vec![InDoubt {
                name,
                length: shape.length(),
            }],
        })
    };
    let answer = |number, place| {
        Frame::Held(HeldFrame {
            number,
            held: vec![place],
        })
    };
    for frames in [
        vec![answer(0, 0)],
        vec![ask(0)],
        vec![ask(0), ask(0)],
        vec![ask(0), answer(0, 1)],
        vec![ask(0), answer(1, 0)],
        vec![ask(0), answer(0, 0), answer(0, 0)],
    ] {
        let (file, mut reader) = part(|writer| {
            let mut out = Vec::new();
            for frame in &frames {
                writer.frame(frame, &mut out).unwrap();
            }
            out
        });
        let (_, outcome) = told(&file, &mut reader);
        assert_eq!(
            outcome,
            Err(BundleError::Content { block: 1 }),
            "{frames:?}"
        );
    }
}

#[test]
fn pieces_that_the_sender_lacks_are_told_however_many_they_are() {
    let (name, _, _) = attachment(80_000);
    let shape = Shape::new(20_000_000).unwrap();
    let all = shape.pieces();
    let tail: Vec<u32> = (700..all).collect();
    let each_second: Vec<u32> = (0..all).step_by(2).collect();
    for lacking in [vec![3], tail, each_second, (0..all).collect()] {
        let (file, mut reader) = part(|writer| {
            let before = writer.size();
            let out = writer.lacking(&name, shape, &lacking).unwrap();
            assert!(writer.size() - before <= PartWriter::lacking_cost(lacking.len()));
            out
        });
        let mut pieces = Vec::new();
        reader.push(&file, &mut pieces).unwrap();
        let told = pieces.into_iter().filter_map(|piece| match piece {
            Piece::Lacking {
                name: of, pieces, ..
            } => {
                assert_eq!(of, name);
                Some(pieces)
            }
            Piece::Opened(..)
            | Piece::Certificate(_)
            | Piece::Item { .. }
            | Piece::Attachment { .. }
            | Piece::Held(_)
            | Piece::Taken { .. }
            | Piece::End { .. } => None,
        });
        assert_eq!(told.flatten().collect::<Vec<_>>(), lacking);
    }
}

#[test]
fn items_that_the_sender_took_are_told_by_their_keys() {
    let keys: Vec<ItemKey> = (0..1_000).rev().map(|n| ItemKey::new(n * n)).collect();
    let (file, mut reader) = part(|writer| {
        let before = writer.size();
        let out = writer.taken(ItemKind::Record, &keys).unwrap();
        assert!(writer.size() - before <= PartWriter::taken_cost(keys.len()));
        out
    });
    let mut pieces = Vec::new();
    reader.push(&file, &mut pieces).unwrap();
    let told = pieces.into_iter().filter_map(|piece| match piece {
        Piece::Taken { kind, keys } => {
            assert_eq!(kind, ItemKind::Record);
            Some(keys)
        }
        Piece::Opened(..)
        | Piece::Certificate(_)
        | Piece::Item { .. }
        | Piece::Attachment { .. }
        | Piece::Held(_)
        | Piece::Lacking { .. }
        | Piece::End { .. } => None,
    });
    let mut expected = keys;
    expected.sort();
    assert_eq!(told.flatten().collect::<Vec<_>>(), expected);
}

#[test]
fn what_is_told_to_be_lacking_and_is_no_piece_of_it_is_refused() {
    let (name, shape, _) = attachment(80_000);
    let of = InDoubt {
        name,
        length: shape.length(),
    };
    let ask = |of: Vec<InDoubt>| Frame::Ask(AskFrame { number: 0, of });
    let lack = |number, first| {
        let pieces = vec![Span { first, count: 1 }];
        Frame::Lack(LackFrame { number, pieces })
    };
    let ranges = |ranges: Vec<Range>| {
        Frame::Ranges(RangesFrame {
            kind: ItemKind::Record,
            last: true,
            ranges,
        })
    };
    let sum = Range {
        prefix: KeyPrefix::ALL,
        claim: Claim::Sum(Digest::default()),
    };
    for frames in [
        vec![lack(0, 1)],
        vec![ask(vec![of]), lack(0, shape.pieces())],
        vec![ask(vec![of]), lack(1, 0)],
        vec![ask(vec![of, of]), lack(0, 0)],
        vec![ranges(vec![])],
        vec![ranges(vec![sum.clone()])],
        vec![ranges(vec![sum.clone(), sum])],
    ] {
        let (file, mut reader) = part(|writer| {
            let mut out = Vec::new();
            for frame in &frames {
                writer.frame(frame, &mut out).unwrap();
            }
            out
        });
        let outcome = reader.push(&file, &mut Vec::new());
        let content = BundleError::Content { block: 1 };
        assert_eq!(outcome, Err(content), "{frames:?}");
    }
}

#[test]
fn a_part_that_tells_is_written_and_read_as_it_first_was() {
    let (name, shape, all) = attachment(80_000);
    let root = all[&0].clone();
    let (file, mut reader) = part(|writer| {
        let keys = [ItemKey::new(7), ItemKey::new(5)];
        [
            writer.pieces(&name, shape, 0, &[root]),
            writer.held(&[(name, shape)]),
            writer.taken(ItemKind::Statement, &keys),
            writer.lacking(&name, shape, &[1, 2, 4]),
        ]
        .into_iter()
        .flat_map(Result::unwrap)
        .collect()
    });
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/bundle-told.bin");
    if !path.exists() && std::env::var_os("CHARTMESH_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, &file).unwrap();
    }
    let golden = std::fs::read(&path).unwrap();
    assert!(golden == file, "a part is written in another way");
    let mut pieces = Vec::new();
    reader.push(&golden, &mut pieces).unwrap();
    let told = [
        Piece::Held(vec![name]),
        Piece::Taken {
            kind: ItemKind::Statement,
            keys: vec![ItemKey::new(5), ItemKey::new(7)],
        },
        Piece::Lacking {
            name,
            shape,
            pieces: vec![1, 2, 4],
        },
        Piece::End { last: true },
    ];
    assert_eq!(pieces[2..], told);
}
