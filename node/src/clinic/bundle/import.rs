//! Reading what a peer has sent on a stick.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chartmesh_protocol::attachment::AttachmentName;
use chartmesh_protocol::identity::SealingKey;
use chartmesh_protocol::sync::bundle::{
    BundleError, BundleId, Opening, PartHead, PartReader, Piece,
};
use chartmesh_protocol::{ChartId, ClinicId, NodeId};

use super::attach::{PieceRead, Told};
use super::report::{BundlesRead, PartRead};
use super::step::{OutOfStep, Step};
use crate::clinic::peer_book::Word;
use crate::clinic::{Clinic, ClinicError, Delivery, Replica, items};
use crate::control::Progress;

/// How much of a file is read at once.
const READ_BYTES: usize = 256 * 1024;
/// Items that are stored in one commit, and their bytes at most.
const ITEMS_AT_ONCE: usize = 512;
const BYTES_AT_ONCE: usize = 1024 * 1024;
/// Pieces of attachments that are kept at once: a megabyte.
const PIECES_AT_ONCE: usize = 64;

impl Clinic {
    /// Takes in bundle files, in any order; of folders, every file that lies in them.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store fails, [`ClinicError::Refused`] at a node that was cut
    /// off, [`ClinicError::NotHere`] where there is no file at all; what is wrong with a file is in
    /// its report.
    pub fn import_bundles(
        self: &Arc<Self>,
        paths: &[PathBuf],
        progress: &dyn Fn(Progress),
    ) -> Result<BundlesRead, ClinicError> {
        self.check_own_end()?;
        let files = files_of(paths);
        if files.is_empty() && !paths.is_empty() {
            return Err(ClinicError::NotHere {
                reason: "no file is there: is the stick plugged in and mounted, and is this its \
                         folder?"
                    .to_owned(),
            });
        }
        let total = u64::try_from(files.len()).unwrap_or(u64::MAX);
        let mut read = BundlesRead::default();
        let mut bundles: BTreeMap<(NodeId, BundleId), (ClinicId, String)> = BTreeMap::new();
        let mut steps: BTreeMap<NodeId, (ClinicId, String, Step)> = BTreeMap::new();
        let (mut charts, mut held) = (BTreeSet::new(), Vec::new());
        for file in files {
            let mut part = Intake::new(self);
            let outcome = part.read(&file);
            if let Some((head, opening)) = &part.from {
                let certificate = opening.certificate.payload();
                let name = part.report.name.clone().unwrap_or_default();
                if part.report.whole && part.word.is_some_and(Word::is_latest) {
                    steps.insert(
                        certificate.node,
                        (certificate.clinic, name.clone(), part.step),
                    );
                }
                bundles.insert((certificate.node, head.bundle), (certificate.clinic, name));
            }
            held.append(&mut part.held);
            charts.append(&mut part.charts);
            let fault = match outcome {
                Ok(()) => None,
                Err(Fault::Ours(error @ (ClinicError::Store(_) | ClinicError::Fault { .. }))) => {
                    return Err(error);
                }
                Err(Fault::Ours(error)) => Some(error.to_string()),
                Err(Fault::File(reason)) => Some(reason),
            };
            let reasons = match self.own_end() {
                // One of them may have told so.
                Some(end) => vec![end.words()],
                None => fault.into_iter().chain(part.reasons).collect(),
            };
            read.files.push(part.report.of(file, reasons));
            progress(Progress {
                what: "reading bundle files".to_owned(),
                done: u64::try_from(read.files.len()).unwrap_or(u64::MAX),
                total,
            });
        }
        self.pay_owing()?;
        read.not_here = self.look_through_all(&charts)?;
        // Behind the records: what this clinic saved is known now.
        for (node, names) in held {
            self.has_heard(&node, &names)?;
        }
        for ((node, bundle), (clinic, name)) in bundles {
            read.missing
                .extend(self.missing_parts(&node, clinic, &name, &bundle)?);
        }
        read.out_of_step = out_of_step(steps);
        Ok(read)
    }
}

/// The last that each node has shown, where one of both lacks something.
fn out_of_step(steps: BTreeMap<NodeId, (ClinicId, String, Step)>) -> Vec<OutOfStep> {
    let all = steps.into_iter();
    let all = all.filter(|(_, (_, _, step))| *step != Step::default());
    all.map(|(node, (clinic, name, step))| OutOfStep {
        clinic,
        name,
        node,
        lacking_here: step.lacking_here,
        lacking_there: step.lacking_there,
    })
    .collect()
}

/// The files to read: those named, and those in the folders named, by name.
fn files_of(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in paths {
        match std::fs::read_dir(path) {
            Ok(entries) => {
                let inside = entries.flatten().map(|entry| entry.path());
                let mut inside: Vec<PathBuf> = inside.filter(|path| path.is_file()).collect();
                inside.sort();
                files.append(&mut inside);
            }
            // Not a folder: whether it is a file shows when it is read.
            Err(_) => files.push(path.clone()),
        }
    }
    files
}

/// Why a file was not read to its end.
enum Fault {
    File(String),
    Ours(ClinicError),
}

impl From<ClinicError> for Fault {
    fn from(error: ClinicError) -> Self {
        Self::Ours(error)
    }
}

/// A part on its way into the store.
struct Intake<'a> {
    clinic: &'a Arc<Clinic>,
    report: PartRead,
    from: Option<(PartHead, Opening)>,
    replica: Option<Replica>,
    /// What the sender's word is worth; none where it is for another node.
    word: Option<Word>,
    step: Step,
    waiting: Vec<Delivery>,
    waiting_bytes: usize,
    pieces: Vec<PieceRead>,
    told: Told,
    /// The charts of which there was anything.
    charts: BTreeSet<ChartId>,
    /// What nodes hold of attachments, by their word.
    held: Vec<(NodeId, Vec<AttachmentName>)>,
    /// Why something was left out, beside what is wrong with the file.
    reasons: Vec<String>,
}

impl<'a> Intake<'a> {
    fn new(clinic: &'a Arc<Clinic>) -> Self {
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
            charts: BTreeSet::new(),
            held: Vec::new(),
            reasons: Vec::new(),
        }
    }

    /// Notes why something was left out; the first of several is enough.
    fn left_out(&mut self, reason: String) {
        if self.reasons.is_empty() {
            self.reasons.push(reason);
        }
    }

    fn read(&mut self, path: &Path) -> Result<(), Fault> {
        let on_file = |error: std::io::Error| Fault::File(error.to_string());
        let mut file = File::open(path).map_err(on_file)?;
        let sealing = self.key_for(path).map_err(on_file)?;
        let mut reader = PartReader::new(self.clinic.clinic_id(), sealing);
        let mut buffer = vec![0_u8; READ_BYTES];
        let mut pieces = Vec::new();
        loop {
            let count = file.read(&mut buffer).map_err(on_file)?;
            let bytes = buffer.get(..count).unwrap_or_default();
            if bytes.is_empty() {
                break;
            }
            let pushed = reader.push(bytes, &mut pieces);
            for piece in pieces.drain(..) {
                self.take(piece)?;
            }
            if let Err(error) = pushed {
                self.store()?;
                return Err(Fault::File(why_not(&error)));
            }
        }
        self.store()?;
        if !reader.is_whole() {
            return Err(Fault::File(
                "it is cut short: copy it again; what was in it has been taken in".to_owned(),
            ));
        }
        Ok(())
    }

    /// The sealing key of ours that a part is sealed to: the first block of it opens.
    fn key_for(&self, path: &Path) -> std::io::Result<SealingKey> {
        let mut keys = self.clinic.identity.sealing.all();
        let copy = |key: &SealingKey| SealingKey::from_bytes(key.to_bytes());
        while keys.len() > 1 {
            let Some(key) = keys.pop() else { break };
            let mut file = File::open(path)?;
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
        first.ok_or_else(|| std::io::Error::other("this clinic has no sealing key"))
    }

    fn take(&mut self, piece: Piece) -> Result<(), Fault> {
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
                self.charts.insert(name.place.chart);
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
            Piece::End { last } => {
                self.store()?;
                self.end(last)
            }
        }
    }

    /// The sender has said who it is.
    fn open(&mut self, head: PartHead, opening: Opening) -> Result<(), Fault> {
        let certificate = opening.certificate.payload();
        let (clinic, node) = (certificate.clinic, certificate.node);
        self.report.clinic = Some(clinic);
        self.report.bundle = Some(head.bundle.to_string());
        self.report.part = Some(head.part);
        if node == self.clinic.node_id() {
            return Err(Fault::File("it was made by this node itself".to_owned()));
        }
        if self.clinic.is_cut_off(&clinic, &node) {
            return Err(Fault::File(format!(
                "it was made by node {node}, which its clinic has cut off: nothing of it is taken"
            )));
        }
        if !self.clinic.talks_to(&clinic) {
            return Err(Fault::File(format!(
                "it is from clinic {clinic}, which is not known here: add its card with \
                 `chartmesh peer add`"
            )));
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
    fn store(&mut self) -> Result<(), Fault> {
        let Some(replica) = &self.replica else {
            return Ok(());
        };
        let before = items::newest(&self.clinic.store)?.value();
        self.waiting_bytes = 0;
        let mut rest = std::mem::take(&mut self.waiting);
        while !rest.is_empty() {
            let Err(refused) = replica.store_noting(&rest, &mut self.charts) else {
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
    fn store_pieces(&mut self) -> Result<(), Fault> {
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

    /// The part is whole: once every part is, we have followed the sender's feed so far.
    fn end(&mut self, last: bool) -> Result<(), Fault> {
        let (Some((head, opening)), Some(replica)) = (&self.from, &self.replica) else {
            return Ok(());
        };
        self.report.whole = true;
        if self.report.refused > 0 {
            return Ok(());
        }
        let received = self.clinic.part_received(head, opening, last)?;
        if let Some(word) = self.word.filter(|_| received.is_whole()) {
            self.step.end(self.clinic, replica, opening, word)?;
        }
        Ok(())
    }
}

/// Why a file was not read on. One that does not even begin may be sealed to a later key.
fn why_not(error: &BundleError) -> String {
    let mut why = error.to_string();
    if *error == (BundleError::Altered { block: 0 }) {
        why.push_str(
            ", or is sealed to a later key of this clinic, which this node lacks: let it sync with \
             another node of the clinic. One that was cut off gets no later key",
        );
    }
    why
}
