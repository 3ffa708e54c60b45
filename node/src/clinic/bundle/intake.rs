//! One part on its way into the store.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use chartmesh_protocol::NodeId;
use chartmesh_protocol::attachment::{AttachmentName, Shape};
use chartmesh_protocol::identity::SealingKey;
use chartmesh_protocol::reconcile::{Digest, ItemKey};
use chartmesh_protocol::sync::bundle::{
    BundleError, Opening, PartHead, PartReader, Piece, taken_key,
};
use chartmesh_protocol::sync::{Holdings, ItemKind};

use super::attach::{PieceRead, Told};
use super::report::PartRead;
use super::rest::Lacked;
use super::step::Step;
use super::unread::{Came, Unread, open};
use crate::clinic::peer_book::Word;
use crate::clinic::receive::Noted;
use crate::clinic::short::short;
use crate::clinic::{Clinic, ClinicError, Delivery, Replica, items};

/// How much of a file is read at once.
const READ_BYTES: usize = 256 * 1024;
/// Items that are stored in one commit, and their bytes at most.
const ITEMS_AT_ONCE: usize = 512;
const BYTES_AT_ONCE: usize = 1024 * 1024;
/// Pieces of attachments that are kept at once: a megabyte.
const PIECES_AT_ONCE: usize = 64;

/// Attachments of which one part tells that pieces are lacking: more than a clinic waits for. What
/// is beyond that is told again.
const LACKING_MOST: usize = 65_536;

/// A part on its way into the store.
pub(super) struct Intake<'a> {
    clinic: &'a Arc<Clinic>,
    pub(super) report: PartRead,
    pub(super) from: Option<(PartHead, Opening)>,
    replica: Option<Replica>,
    /// What the sender's word is worth; none where it is for another node.
    pub(super) word: Option<Word>,
    pub(super) step: Step,
    waiting: Vec<Delivery>,
    waiting_bytes: usize,
    pieces: Vec<PieceRead>,
    told: Told,
    /// What nodes hold of attachments, by their word.
    pub(super) held: Vec<(NodeId, Vec<AttachmentName>)>,
    /// What nodes lack of attachments, by their word.
    pub(super) lacking: BTreeMap<(NodeId, AttachmentName), Lacked>,
    /// What was filed.
    pub(super) noted: Noted,
    /// Whether every part of the bundle has been read.
    is_bundle_whole: bool,
    /// What is owed to the sender, by its keys; looked up once it has told what it took.
    owed: Option<BTreeMap<(ItemKind, ItemKey), u64>>,
    /// Why something was left out, beside what is wrong with the file.
    pub(super) reasons: Vec<String>,
}

impl<'a> Intake<'a> {
    pub(super) fn new(clinic: &'a Arc<Clinic>) -> Self {
        Self {
            clinic,
            report: PartRead::default(),
            from: None,
            replica: None,
            word: None,
            step: Step::default(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            pieces: Vec::new(),
            told: Told::default(),
            held: Vec::new(),
            lacking: BTreeMap::new(),
            noted: Noted::default(),
            is_bundle_whole: false,
            owed: None,
            reasons: Vec::new(),
        }
    }

    /// Notes why something was left out; the first of several is enough.
    fn left_out(&mut self, reason: String) {
        if self.reasons.is_empty() {
            self.reasons.push(reason);
        }
    }

    /// Reads a file to its end, or as far as it is good.
    pub(super) fn read(&mut self, path: &Path) -> Result<(), Unread> {
        let outcome = self.read_on(path);
        let taken = std::mem::take(&mut self.noted.items);
        if let (Some((head, opening)), Some(replica)) = (&self.from, &self.replica) {
            let node = opening.certificate.payload().node;
            match self.is_bundle_whole {
                true => self.clinic.forget_taken(&node, &head.bundle)?,
                false => self.clinic.note_taken(replica, (head, opening), &taken)?,
            }
        }
        outcome
    }

    fn read_on(&mut self, path: &Path) -> Result<(), Unread> {
        let mut file = open(path)?;
        let sealing = self.key_for(path)?;
        let mut reader = PartReader::new(self.clinic.clinic_id(), sealing);
        let mut buffer = vec![0_u8; READ_BYTES];
        let mut pieces = Vec::new();
        let mut is_empty = true;
        loop {
            let count = file.read(&mut buffer)?;
            let bytes = buffer.get(..count).unwrap_or_default();
            if bytes.is_empty() {
                break;
            }
            is_empty = false;
            let pushed = reader.push(bytes, &mut pieces);
            for piece in pieces.drain(..) {
                self.take(piece)?;
            }
            if let Err(error) = pushed {
                self.store()?;
                return Err(self.unread(error)?);
            }
        }
        self.store()?;
        if is_empty {
            return Err(Unread::Empty);
        }
        if !reader.is_whole() {
            return Err(Unread::Cut { came: self.came() });
        }
        Ok(())
    }

    /// Why a file is not read on.
    fn unread(&self, error: BundleError) -> Result<Unread, ClinicError> {
        let BundleError::ForAnother { recipient, bundle } = error else {
            return Ok(Unread::of(error, self.came()));
        };
        let names = self.clinic.clinic_names()?;
        let id = short(&recipient);
        let clinic = names.get(&recipient);
        let clinic = clinic.map_or_else(
            || format!("clinic {id}"),
            |name| format!("{name} (clinic {id})"),
        );
        Ok(match self.clinic.has_made(&bundle)? {
            true => Unread::OurOwn { clinic },
            false => Unread::ForAnother { clinic },
        })
    }

    /// What came so far.
    fn came(&self) -> Box<Came> {
        let of_sender = self.from.as_ref().zip(self.replica.as_ref());
        let of_sender = of_sender.filter(|_| self.word.is_some_and(Word::is_latest));
        let lacking = of_sender.map(|((_, opening), replica)| {
            let ours = replica.digests();
            let lacking =
                |theirs: Digest, ours: Digest| theirs.count().saturating_sub(ours.count());
            let theirs = &opening.digests;
            lacking(theirs.statements, ours.statements)
                .saturating_add(lacking(theirs.records, ours.records))
        });
        let sender = self.from.as_ref();
        Box::new(Came {
            items: self.report.items,
            pieces: self.report.pieces,
            lacking,
            sender: sender.map(|(_, opening)| opening.certificate.payload().node),
        })
    }

    /// The sealing key of ours that a part is sealed to: the first block of it opens.
    fn key_for(&self, path: &Path) -> Result<SealingKey, Unread> {
        let mut keys = self.clinic.identity.sealing.all();
        let copy = |key: &SealingKey| SealingKey::from_bytes(key.to_bytes());
        while keys.len() > 1 {
            let Some(key) = keys.pop() else { break };
            let mut file = open(path)?;
            let mut reader = PartReader::new(self.clinic.clinic_id(), copy(&key));
            let mut buffer = vec![0_u8; READ_BYTES];
            let mut pieces = Vec::new();
            let count = file.read(&mut buffer)?;
            let bytes = buffer.get(..count).unwrap_or_default();
            // What is wrong with the part is found when it is read.
            drop(reader.push(bytes, &mut pieces));
            if !pieces.is_empty() {
                return Ok(copy(&key));
            }
        }
        let first = keys.first().map(|key| copy(key));
        first.ok_or_else(|| ClinicError::fault("this clinic has no sealing key").into())
    }

    fn take(&mut self, piece: Piece) -> Result<(), Unread> {
        match piece {
            Piece::Opened(head, opening) => self.open(head, *opening),
            Piece::Certificate(bytes) => {
                if let Err(error) = self.clinic.keep_certificate(&bytes) {
                    tracing::warn!(%error, "a certificate of a bundle was not kept");
                }
                Ok(())
            }
            Piece::Item { kind, bytes } => {
                self.report.items += 1;
                self.waiting_bytes += bytes.len();
                self.waiting.push(Delivery { kind, bytes });
                if self.waiting.len() >= ITEMS_AT_ONCE || self.waiting_bytes >= BYTES_AT_ONCE {
                    self.store()?;
                }
                Ok(())
            }
            Piece::Attachment {
                name,
                shape,
                number,
                bytes,
            } => {
                self.report.pieces += 1;
                self.noted.charts.insert(name.place.chart);
                self.pieces.push(PieceRead {
                    name,
                    shape,
                    number,
                    bytes,
                });
                if self.pieces.len() >= PIECES_AT_ONCE {
                    self.store()?;
                }
                Ok(())
            }
            Piece::Held(names) => {
                self.hear(names)?;
                Ok(())
            }
            Piece::Lacking {
                name,
                shape,
                pieces,
            } => self.hear_lacking(name, shape, pieces),
            Piece::Taken { kind, keys } => {
                self.hear_taken(kind, &keys)?;
                Ok(())
            }
            Piece::End { last } => {
                self.store()?;
                self.end(last)
            }
        }
    }

    /// The sender has said who it is.
    fn open(&mut self, head: PartHead, opening: Opening) -> Result<(), Unread> {
        let certificate = opening.certificate.payload();
        let (clinic, node) = (certificate.clinic, certificate.node);
        self.report.clinic = Some(clinic);
        self.report.bundle = Some(head.bundle.to_string());
        self.report.part = Some(head.part);
        if node == self.clinic.node_id() {
            let clinic = self.clinic.name().to_owned();
            return Err(Unread::OurOwn { clinic });
        }
        if self.clinic.is_cut_off(&clinic, &node) {
            return Err(Unread::CutOff(node));
        }
        if !self.clinic.talks_to(&clinic) {
            return Err(Unread::Stranger(clinic));
        }
        self.report.name = self.clinic.clinic_names()?.get(&clinic).cloned();
        self.clinic
            .keep_certificate(&opening.certificate.to_bytes())?;
        let replica = Replica::open(Arc::clone(self.clinic), node)?;
        (self.step, self.word) = Step::begin(self.clinic, &replica, &opening)?;
        self.replica = Some(replica);
        self.from = Some((head, opening));
        Ok(())
    }

    /// Stores what waits. One item that is refused does not stop the others.
    fn store(&mut self) -> Result<(), Unread> {
        let Some(replica) = &self.replica else {
            return Ok(());
        };
        let before = items::newest(&self.clinic.store)?.value();
        self.waiting_bytes = 0;
        let mut rest = std::mem::take(&mut self.waiting);
        while !rest.is_empty() {
            let Err(refused) = replica.store_noting(&rest, &mut self.noted) else {
                break;
            };
            self.report.refused += 1;
            let reason = format!(
                "{refused}; if it builds on what is not here, ask for a bundle with everything \
                 (`chartmesh sync export --everything`)"
            );
            if self.reasons.is_empty() {
                self.reasons.push(reason);
            }
            rest.drain(..=refused.stored.min(rest.len() - 1));
        }
        let after = items::newest(&self.clinic.store)?.value();
        self.report.new_items += after.saturating_sub(before);
        self.store_pieces()
    }

    /// Keeps the pieces that wait, now that the records are there which tell of them.
    fn store_pieces(&mut self) -> Result<(), Unread> {
        let pieces = std::mem::take(&mut self.pieces);
        let outcome = self.clinic.keep_pieces(pieces, &mut self.told)?;
        self.report.unknown_pieces += outcome.unknown;
        self.report.refused += outcome.refused;
        if outcome.refused > 0 {
            self.left_out("a piece of an attachment is not what it should be".to_owned());
        }
        Ok(())
    }

    /// The sender holds these, in the store that it is known to have.
    fn hear(&mut self, names: Vec<AttachmentName>) -> Result<(), ClinicError> {
        let Some((_, opening)) = &self.from else {
            return Ok(());
        };
        let node = opening.certificate.payload().node;
        if self.clinic.peer_note(&node)?.incarnation == opening.incarnation.value() {
            self.report.told += u64::try_from(names.len()).unwrap_or(u64::MAX);
            self.held.push((node, names));
        }
        Ok(())
    }

    /// The sender, where it has said nothing since of what it holds, and said this to this node.
    fn teller(&self) -> Option<NodeId> {
        let (_, opening) = self.from.as_ref()?;
        let is_latest = self.word.is_some_and(Word::is_latest);
        is_latest.then_some(opening.certificate.payload().node)
    }

    /// The sender lacks these pieces. Of what it may not have nothing is noted.
    fn hear_lacking(
        &mut self,
        name: AttachmentName,
        shape: Shape,
        pieces: Vec<u32>,
    ) -> Result<(), Unread> {
        if !self.waiting.is_empty() {
            self.store()?;
        }
        let may_have = |replica: &Replica| replica.may_have(&name);
        let (Some(node), true) = (self.teller(), self.replica.as_ref().is_some_and(may_have))
        else {
            return Ok(());
        };
        let key = (node, name);
        if self.lacking.len() < LACKING_MOST || self.lacking.contains_key(&key) {
            let lacked = self.lacking.entry(key);
            let (_, all) = lacked.or_insert_with(|| (shape, Vec::new()));
            all.extend(pieces);
        }
        Ok(())
    }

    /// The sender took these out of bundles that it has not read to their end.
    fn hear_taken(&mut self, kind: ItemKind, keys: &[ItemKey]) -> Result<(), ClinicError> {
        let (Some(replica), Some(_)) = (&self.replica, self.teller()) else {
            return Ok(());
        };
        let owed = self.owed.get_or_insert_with(|| {
            let key = taken_key(&replica.book.pair_key);
            let owed = replica.owed(replica.held_by_peer());
            let keyed = owed
                .iter()
                .map(|one| ((one.kind, key.item_key(&one.id)), one.feed.value()));
            keyed.collect()
        });
        let feeds = keys.iter().filter_map(|key| owed.get(&(kind, *key)));
        replica.book.acknowledged(feeds.copied())
    }

    /// The part is whole: once every part is, we have followed the sender's feed so far.
    fn end(&mut self, last: bool) -> Result<(), Unread> {
        let (Some((head, opening)), Some(replica)) = (&self.from, &self.replica) else {
            return Ok(());
        };
        self.report.whole = true;
        if self.report.refused > 0 {
            return Ok(());
        }
        let received = self.clinic.part_received(head, opening, last)?;
        self.is_bundle_whole = received.is_whole();
        if let Some(word) = self.word.filter(|_| received.is_whole()) {
            self.step.end(self.clinic, replica, opening, word)?;
        }
        Ok(())
    }
}
