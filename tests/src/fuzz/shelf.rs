//! The attachments of a node that is stood in for: one of its own, and one of the other's that it
//! wants.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_protocol::attachment::{
    AttachmentKey, AttachmentName, AttachmentPlace, ChunkError, Outline, Shape, ShapeError,
    seal_content,
};
use chartmesh_protocol::sync::{Effect, Wanted, WantedPieces};
use chartmesh_protocol::{ChartId, CompartmentTag};

/// Bytes of each content: one chunk and the lists.
const CONTENT_BYTES: usize = 600;

#[derive(Debug)]
enum Fault {
    Shape,
    Chunk,
}

impl From<ShapeError> for Fault {
    fn from(_: ShapeError) -> Self {
        Self::Shape
    }
}

impl From<ChunkError> for Fault {
    fn from(_: ChunkError) -> Self {
        Self::Chunk
    }
}

/// An attachment with the pieces that are here.
struct Kept {
    outline: Outline,
    pieces: BTreeMap<u32, Vec<u8>>,
}

/// What a node has and wants.
pub(super) struct Shelf {
    kept: BTreeMap<AttachmentName, Kept>,
    wanted: AttachmentName,
    asked: BTreeSet<u32>,
    /// Its own, until the peer was asked whether it holds it.
    doubtful: Option<AttachmentName>,
}

/// The attachment of a node: its name, its shape and its pieces.
pub(super) fn attachment(number: u8) -> (AttachmentName, Shape, BTreeMap<u32, Vec<u8>>) {
    let place = AttachmentPlace {
        chart: ChartId::new([number; 16]),
        compartment: CompartmentTag::new([number; 8]),
    };
    let mut pieces = BTreeMap::new();
    let keep = |piece: u32, bytes: &[u8]| -> Result<(), Fault> {
        pieces.insert(piece, bytes.to_vec());
        Ok(())
    };
    let key = AttachmentKey::from_bytes([number; 32]);
    let id = seal_content(&key, &place, &[number; CONTENT_BYTES], keep).expect("it is small");
    let shape = Shape::new(CONTENT_BYTES as u64).expect("it is small");
    (AttachmentName { place, id }, shape, pieces)
}

impl Shelf {
    pub(super) fn of(number: u8) -> Self {
        let (own, shape, pieces) = attachment(number);
        let (wanted, ..) = attachment(3 - number);
        let kept = |name: AttachmentName, pieces| {
            let outline = Outline::new(name.id, shape);
            (name, Kept { outline, pieces })
        };
        Self {
            kept: BTreeMap::from([kept(own, pieces), kept(wanted, BTreeMap::new())]),
            wanted,
            asked: BTreeSet::new(),
            doubtful: Some(own),
        }
    }

    pub(super) fn wanted(&mut self, most: usize) -> Wanted {
        let kept = &self.kept[&self.wanted];
        let shape = kept.outline.shape();
        let open = (0..shape.pieces()).filter(|number| {
            kept.outline.can_verify(*number)
                && !kept.pieces.contains_key(number)
                && !self.asked.contains(number)
        });
        let numbers: Vec<u32> = open.take(most).collect();
        self.asked.extend(&numbers);
        let name = self.wanted;
        let one = WantedPieces {
            name,
            shape,
            numbers,
        };
        Wanted {
            pieces: Some(one)
                .filter(|one| !one.numbers.is_empty())
                .into_iter()
                .collect(),
            more: false,
        }
    }

    pub(super) fn in_doubt(&mut self, most: usize) -> Vec<(AttachmentName, Shape)> {
        let doubtful = self.doubtful.take_if(|_| most > 0);
        let shape = |name| (name, self.kept[&name].outline.shape());
        doubtful.map(shape).into_iter().collect()
    }

    pub(super) fn is_whole(&self, name: &AttachmentName) -> bool {
        let kept = self.kept.get(name);
        kept.is_some_and(|kept| kept.pieces.len() == kept.outline.shape().pieces() as usize)
    }

    pub(super) fn piece(&self, name: &AttachmentName, number: u32) -> Option<Vec<u8>> {
        self.kept.get(name)?.pieces.get(&number).cloned()
    }

    /// Keeps a piece that a session delivers, if it is right; says whether it was one.
    pub(super) fn take(&mut self, effect: &Effect) -> bool {
        let Effect::Piece {
            name,
            number,
            bytes,
        } = effect
        else {
            return false;
        };
        if let Some(kept) = self.kept.get_mut(name)
            && kept.outline.verify(*number, bytes).is_ok()
        {
            kept.pieces.insert(*number, bytes.clone());
        }
        true
    }
}
