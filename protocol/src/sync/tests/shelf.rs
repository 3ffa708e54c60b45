//! Attachments in memory, of one node.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{LazyLock, Mutex};

use crate::attachment::{
    AttachmentKey, AttachmentName, AttachmentPlace, ChunkError, Outline, PieceError, Shape,
    ShapeError, seal_content,
};
use crate::id::{ChartId, CompartmentTag};
use crate::sync::{Wanted, WantedPieces};

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Shape(#[from] ShapeError),
    #[error(transparent)]
    Chunk(#[from] ChunkError),
}

struct Kept {
    outline: Outline,
    pieces: BTreeMap<u32, Vec<u8>>,
}

/// The attachments of a node, those that it wants, and those that it may not give.
#[derive(Default)]
pub(super) struct Shelf {
    kept: BTreeMap<AttachmentName, Kept>,
    wanted: BTreeSet<AttachmentName>,
    pub(super) withdrawn: BTreeSet<AttachmentName>,
    /// Saved here, and not known to be held by the peer.
    doubtful: BTreeMap<AttachmentName, Shape>,
    /// Those of which the peer was asked in this session.
    questioned: RefCell<BTreeSet<AttachmentName>>,
    /// Asked for and not come, or not to be had.
    passed: RefCell<BTreeSet<(AttachmentName, u32)>>,
}

type Attachment = (AttachmentName, Shape, BTreeMap<u32, Vec<u8>>);

/// Sealing them takes most of a test's time.
static MADE: LazyLock<Mutex<BTreeMap<usize, Attachment>>> = LazyLock::new(Mutex::default);

/// An attachment of so many bytes: its name, its shape, and its pieces.
pub(super) fn attachment(length: usize) -> Attachment {
    let made = MADE.lock().unwrap().get(&length).cloned();
    made.unwrap_or_else(|| {
        let attachment = make(length);
        MADE.lock().unwrap().insert(length, attachment.clone());
        attachment
    })
}

fn make(length: usize) -> Attachment {
    let content: Vec<u8> = (0..=250).cycle().take(length).collect();
    let place = AttachmentPlace {
        chart: ChartId::new([1; 16]),
        compartment: CompartmentTag::new([2; 8]),
    };
    let mut pieces = BTreeMap::new();
    let keep = |number: u32, bytes: &[u8]| -> Result<(), Fault> {
        pieces.insert(number, bytes.to_vec());
        Ok(())
    };
    let key = AttachmentKey::from_bytes([3; 32]);
    let id = seal_content(&key, &place, &content, keep).unwrap();
    let shape = Shape::new(content.len() as u64).unwrap();
    (AttachmentName { place, id }, shape, pieces)
}

impl Shelf {
    /// Keeps a whole attachment.
    pub(super) fn keep(&mut self, length: usize) -> (AttachmentName, Shape) {
        let (name, shape, pieces) = attachment(length);
        let outline = Outline::new(name.id, shape);
        self.kept.insert(name, Kept { outline, pieces });
        (name, shape)
    }

    /// Keeps a whole attachment that was saved here: does the peer hold it?
    pub(super) fn save(&mut self, length: usize) -> (AttachmentName, Shape) {
        let (name, shape) = self.keep(length);
        self.doubtful.insert(name, shape);
        (name, shape)
    }

    /// Whether it is not known that the peer holds an attachment that was saved here.
    pub(super) fn doubts(&self, name: &AttachmentName) -> bool {
        self.doubtful.contains_key(name)
    }

    /// The peer holds these.
    pub(super) fn held(&mut self, names: &[AttachmentName]) {
        for name in names {
            assert!(self.questioned.borrow().contains(name));
            self.doubtful.remove(name);
        }
    }

    pub(super) fn in_doubt(&self, most: usize) -> Vec<(AttachmentName, Shape)> {
        let mut questioned = self.questioned.borrow_mut();
        let all = self.doubtful.iter().map(|(name, shape)| (*name, *shape));
        let new: Vec<_> = all.filter(|(name, _)| !questioned.contains(name)).collect();
        let new: Vec<_> = new.into_iter().take(most).collect();
        questioned.extend(new.iter().map(|(name, _)| *name));
        new
    }

    /// Wants an attachment.
    pub(super) fn want(&mut self, name: AttachmentName, shape: Shape) {
        self.wanted.insert(name);
        self.kept.entry(name).or_insert_with(|| Kept {
            outline: Outline::new(name.id, shape),
            pieces: BTreeMap::new(),
        });
    }

    /// How many pieces of an attachment are here.
    pub(super) fn here(&self, name: &AttachmentName) -> usize {
        self.kept.get(name).map_or(0, |kept| kept.pieces.len())
    }

    pub(super) fn is_whole(&self, name: &AttachmentName) -> bool {
        let kept = self.kept.get(name);
        kept.is_some_and(|kept| kept.pieces.len() == kept.outline.shape().pieces() as usize)
    }

    pub(super) fn store(
        &mut self,
        name: &AttachmentName,
        number: u32,
        bytes: &[u8],
    ) -> Result<(), PieceError> {
        let kept = self.kept.get_mut(name).expect("it was wanted");
        kept.outline.verify(number, bytes)?;
        kept.pieces.insert(number, bytes.to_vec());
        Ok(())
    }

    pub(super) fn lacks(&self, name: AttachmentName, pieces: &[u32]) {
        let mut passed = self.passed.borrow_mut();
        passed.extend(pieces.iter().map(|piece| (name, *piece)));
    }

    /// A new session may ask for all that has not come.
    pub(super) fn begin_session(&self) {
        self.passed.borrow_mut().clear();
        self.questioned.borrow_mut().clear();
    }

    pub(super) fn wanted(&self, most: usize) -> Wanted {
        let mut passed = self.passed.borrow_mut();
        let mut pieces = Vec::new();
        let mut room = most;
        for name in &self.wanted {
            let kept = &self.kept[name];
            let shape = kept.outline.shape();
            let open = (0..shape.pieces()).filter(|number| {
                !kept.pieces.contains_key(number)
                    && kept.outline.can_verify(*number)
                    && !passed.contains(&(*name, *number))
            });
            let numbers: Vec<u32> = open.take(room).collect();
            room -= numbers.len();
            passed.extend(numbers.iter().map(|number| (*name, *number)));
            if !numbers.is_empty() {
                pieces.push(WantedPieces {
                    name: *name,
                    shape,
                    numbers,
                });
            }
        }
        Wanted {
            pieces,
            more: false,
        }
    }

    pub(super) fn piece(
        &self,
        name: &AttachmentName,
        shape: Shape,
        number: u32,
    ) -> Option<Vec<u8>> {
        let kept = self.kept.get(name)?;
        let may = !self.withdrawn.contains(name) && kept.outline.shape() == shape;
        kept.pieces.get(&number).filter(|_| may).cloned()
    }
}
