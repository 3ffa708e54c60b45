//! Tests of the pieces: what was sealed verifies and opens, and nothing else does.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::id::{AttachmentId, ChartId, CompartmentTag};

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Shape(#[from] ShapeError),
    #[error(transparent)]
    Chunk(#[from] ChunkError),
}

fn place() -> AttachmentPlace {
    AttachmentPlace {
        chart: ChartId::new([1; 16]),
        compartment: CompartmentTag::new([2; 8]),
    }
}

fn key() -> AttachmentKey {
    AttachmentKey::from_bytes([3; 32])
}

fn content(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

fn sealed(content: &[u8]) -> (AttachmentId, BTreeMap<u32, Vec<u8>>) {
    let mut pieces = BTreeMap::new();
    let keep = |number: u32, bytes: &[u8]| -> Result<(), Fault> {
        pieces.insert(number, bytes.to_vec());
        Ok(())
    };
    let id = seal_content(&key(), &place(), content, keep).unwrap();
    (id, pieces)
}

fn shape(content: &[u8]) -> Shape {
    Shape::new(content.len() as u64).unwrap()
}

#[test]
fn every_piece_verifies_alone_and_the_content_comes_back() {
    for length in [1, CHUNK_BYTES, CHUNK_BYTES + 1, 512 * CHUNK_BYTES + 7] {
        let content = content(length);
        let (shape, (id, pieces)) = (shape(&content), sealed(&content));
        assert_eq!(pieces.len(), shape.pieces() as usize);
        let mut outline = Outline::new(id, shape);
        let mut end = 0;
        let mut back = Vec::new();
        for (number, bytes) in &pieces {
            assert!(outline.can_verify(*number));
            let list = shape.list_of(*number);
            assert!(list.is_none_or(|list| list < *number && shape.piece(list).is_some()));
            outline.verify(*number, bytes).unwrap();
            assert_eq!(shape.size_of(*number), Some(bytes.len()));
            assert_eq!(shape.offset_of(*number), Some(end));
            end += bytes.len() as u64;
            if let Some(Piece::Chunk(chunk)) = shape.piece(*number) {
                back.extend(open_chunk(&key(), &place(), chunk, bytes).unwrap());
            }
        }
        assert_eq!(back, content);
        assert_eq!(shape.piece(shape.pieces()), None);
    }
}

#[test]
fn a_length_that_no_attachment_has_is_refused() {
    for bytes in [0, MAX_ATTACHMENT_BYTES + 1, u64::MAX] {
        assert_eq!(Shape::new(bytes), Err(ShapeError { bytes }));
    }
    assert!(Shape::new(MAX_ATTACHMENT_BYTES).is_ok());
}

#[test]
fn what_is_altered_misplaced_or_of_another_length_is_refused_by_kind() {
    let content = content(3 * CHUNK_BYTES);
    let (shape, (id, pieces)) = (shape(&content), sealed(&content));
    let mut outline = Outline::new(id, shape);
    let missing = |number| Err(PieceError::ListMissing { number });
    assert_eq!(outline.verify(1, &pieces[&1]), missing(1));
    assert_eq!(outline.verify(2, &pieces[&2]), missing(2));
    for number in 0..shape.pieces() {
        let mut altered = pieces[&number].clone();
        altered[0] ^= 1;
        let error = Err(PieceError::Altered { number });
        assert_eq!(outline.verify(number, &altered), error);
        outline.verify(number, &pieces[&number]).unwrap();
    }
    assert_eq!(
        outline.verify(2, &pieces[&3]),
        Err(PieceError::Altered { number: 2 })
    );
    let long = [pieces[&2].as_slice(), &[0]].concat();
    assert!(matches!(
        outline.verify(2, &long),
        Err(PieceError::Length { number: 2, .. })
    ));
    assert_eq!(
        outline.verify(5, &pieces[&4]),
        Err(PieceError::NoSuchPiece { number: 5 })
    );
}

#[test]
fn a_list_that_lies_about_the_length_is_of_another_id() {
    let content = content(2 * CHUNK_BYTES);
    let (_, pieces) = sealed(&content);
    let (id, _) = sealed(&content[1..]);
    let mut outline = Outline::new(id, shape(&content));
    let error = Err(PieceError::Altered { number: 0 });
    assert_eq!(outline.verify(0, &pieces[&0]), error);
}

#[test]
fn a_chunk_opens_at_its_place_only() {
    let content = content(2 * CHUNK_BYTES);
    let (_, pieces) = sealed(&content);
    let first = &pieces[&2];
    assert!(open_chunk(&key(), &place(), 0, first).is_ok());
    let not = |chunk| Err(ChunkError::NotAuthentic { chunk });
    assert_eq!(open_chunk(&key(), &place(), 1, first), not(1));
    let elsewhere = AttachmentPlace {
        chart: ChartId::new([9; 16]),
        ..place()
    };
    assert_eq!(open_chunk(&key(), &elsewhere, 0, first), not(0));
    let elsewhere = AttachmentPlace {
        compartment: CompartmentTag::new([9; 8]),
        ..place()
    };
    assert_eq!(open_chunk(&key(), &elsewhere, 0, first), not(0));
    let other = AttachmentKey::from_bytes([4; 32]);
    assert_eq!(open_chunk(&other, &place(), 0, first), not(0));
}

#[test]
fn equal_contents_under_two_keys_have_no_piece_in_common() {
    let content = content(3 * CHUNK_BYTES);
    let (_, one) = sealed(&content);
    let keep = |number: u32, bytes: &[u8]| -> Result<(), Fault> {
        assert_ne!(one[&number], bytes);
        Ok(())
    };
    let other = AttachmentKey::from_bytes([4; 32]);
    seal_content(&other, &place(), &content, keep).unwrap();
}

fn mark(spelling: Spelling) -> Mark {
    let content = content(40_000);
    Mark {
        shape: shape(&content),
        key: key(),
        id: sealed(&content).0,
        digest: *blake3::hash(&content).as_bytes(),
        sha1: [5; 20],
        spelling,
    }
}

/// The mark and the root of one content, as they are written today.
#[test]
fn the_format_is_that_of_the_golden_file() {
    let content = content(40_000);
    let (_, pieces) = sealed(&content);
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let mut text = String::new();
    for spelling in [Spelling::Plain, Spelling::SlashesEscaped] {
        text.push_str(&format!("mark {}\n", mark(spelling).to_text()));
    }
    for (number, bytes) in &pieces {
        let hash = hex(blake3::hash(bytes).as_bytes());
        text.push_str(&format!("piece {number} {} bytes {hash}\n", bytes.len()));
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/attachment.txt");
    if std::env::var_os("CHARTMESH_WRITE_GOLDEN").is_some() && !std::path::Path::new(path).exists()
    {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), text);
}

#[test]
fn a_mark_reads_back_and_what_is_none_is_refused_by_kind() {
    for spelling in [Spelling::Plain, Spelling::SlashesEscaped] {
        let text = mark(spelling).to_text();
        assert!(text.len() < 200, "{}", text.len());
        assert!(Mark::from_text(&text).unwrap() == mark(spelling));
        for end in 0..text.len() {
            assert!(Mark::from_text(&text[..end]).is_err());
        }
    }
    let refused = |text: &str| Mark::from_text(text).err();
    assert_eq!(refused("+/=="), Some(MarkError::Text));
    assert_eq!(refused(&"A".repeat(1000)), Some(MarkError::Text));
    assert!(matches!(refused("AA"), Some(MarkError::Codec(_))));
}

proptest! {
    #[test]
    fn no_text_makes_a_mark_panic(text in "[A-Za-z0-9_-]{0,300}") {
        let _ = Mark::from_text(&text);
    }

    #[test]
    fn pieces_stand_one_behind_the_other(length in 1..=MAX_ATTACHMENT_BYTES) {
        let shape = Shape::new(length).unwrap();
        let mut end = 0;
        for number in 0..shape.pieces() {
            prop_assert_eq!(shape.offset_of(number), Some(end));
            let size = shape.size_of(number).unwrap();
            prop_assert!((1..=MAX_PIECE_BYTES).contains(&size));
            end += size as u64;
        }
        prop_assert_eq!(shape.piece(shape.pieces()), None);
    }
}
