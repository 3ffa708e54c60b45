//! What a peer says of attachments: marks in records, and pieces.

use std::convert::Infallible;

use chartmesh_crdt::{Content, MARK, Resource};
use chartmesh_protocol::AttachmentId;
use chartmesh_protocol::attachment::{Mark, Outline, Shape};

/// Pieces that are tried of one input.
const MOST_PIECES: u32 = 16;

pub(super) fn mark(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(mark) = Mark::from_text(text) {
        assert_eq!(mark.to_text(), text, "a mark has one spelling");
        let pieces = mark.shape.pieces();
        assert!((0..pieces).all(|number| mark.shape.size_of(number).is_some()));
    }
}

/// An id, a length, and the pieces one behind the other, each cut to its size.
pub(super) fn pieces(bytes: &[u8]) {
    let Some((id, rest)) = bytes.split_first_chunk::<32>() else {
        return;
    };
    let Some((length, mut rest)) = rest.split_first_chunk::<8>() else {
        return;
    };
    let Ok(shape) = Shape::new(u64::from_be_bytes(*length)) else {
        return;
    };
    let mut outline = Outline::new(AttachmentId::new(*id), shape);
    for number in 0..shape.pieces().min(MOST_PIECES) {
        let size = shape.size_of(number).unwrap_or(0).min(rest.len());
        let (piece, behind) = rest.split_at(size);
        rest = behind;
        if outline.verify(number, piece).is_ok() {
            assert!(outline.verify(number, &[piece, &[0]].concat()).is_err());
        }
        let beyond = shape.pieces().saturating_add(number);
        assert!(outline.verify(beyond, piece).is_err());
    }
}

/// A resource that a peer wrote, marks and all, as it is exported where their content is not here.
pub(super) fn put_back(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let mut absent = |_: &str| -> Result<Content, Infallible> {
        Ok(Content::Absent {
            size: Some(7),
            hash: None,
        })
    };
    let _ = chartmesh_crdt::put_back("*", text, &mut absent);
    if let Ok(resource) = Resource::parse(text) {
        let Ok(out) = resource.put_back(&mut absent);
        assert!(!out.has_marks(), "no mark leaves: {MARK}");
        let again = Resource::parse(&out.to_json()).expect("what came out goes in");
        assert!(again == out, "without loss");
    }
}
