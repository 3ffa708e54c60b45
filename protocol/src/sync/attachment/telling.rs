//! Whether the peer holds attachments that were saved here, and which of its own we hold.

use std::collections::{BTreeMap, BTreeSet};

use super::super::error::SyncError;
use super::super::holdings::Holdings;
use super::super::limits::{ASKED_NAMES_A_FRAME, QUESTIONED_MOST_NAMES};
use super::super::payload::{AskFrame, HeldFrame, InDoubt};
use crate::attachment::{AttachmentName, Shape};

/// What the peer asked, as far as it was not told that we hold it.
#[derive(Debug)]
struct Question {
    open: BTreeMap<u32, (AttachmentName, Shape)>,
    is_answered: bool,
}

/// The half that asks, and the half that tells.
#[derive(Debug, Default)]
pub(in super::super) struct Telling {
    /// Something may be in doubt.
    due: bool,
    next: u32,
    /// Names that we have asked about in this session.
    names_asked: usize,
    asked: BTreeMap<u32, Vec<AttachmentName>>,
    unanswered: BTreeSet<u32>,
    questions: BTreeMap<u32, Question>,
    /// Names that the peer has asked about in this session.
    names_questioned: usize,
    /// Something that the peer asked about may have become whole.
    changed: bool,
}

impl Telling {
    /// Something may be in doubt, or have become whole.
    pub(super) fn look(&mut self) {
        self.due = true;
        self.changed = true;
    }

    /// The peer knows no questions: nothing is asked.
    pub(super) fn give_up(&mut self) {
        self.due = false;
    }

    /// Whether the peer owes an answer.
    pub(in super::super) fn is_waiting(&self) -> bool {
        !self.unanswered.is_empty()
    }

    /// Whether nothing is to be asked, told or waited for.
    pub(super) fn is_over(&self) -> bool {
        let answered = self.questions.values().all(|one| one.is_answered);
        !self.due && self.unanswered.is_empty() && answered
    }

    /// Asks about what is in doubt; returns the frames.
    pub(super) fn ask(&mut self, holdings: &dyn Holdings) -> Vec<AskFrame> {
        if !core::mem::take(&mut self.due) {
            return Vec::new();
        }
        let room = QUESTIONED_MOST_NAMES.saturating_sub(self.names_asked);
        let doubtful = holdings.in_doubt(room);
        self.names_asked = self.names_asked.saturating_add(doubtful.len());
        let mut frames = Vec::new();
        for some in doubtful.chunks(ASKED_NAMES_A_FRAME) {
            let number = self.next;
            self.next = self.next.wrapping_add(1);
            let names = some.iter().map(|(name, _)| *name).collect();
            self.asked.insert(number, names);
            self.unanswered.insert(number);
            let of = some.iter().map(|(name, shape)| InDoubt {
                name: *name,
                length: shape.length(),
            });
            frames.push(AskFrame {
                number,
                of: of.collect(),
            });
        }
        frames
    }

    /// Takes a question of the peer.
    pub(in super::super) fn take_question(&mut self, frame: &AskFrame) -> Result<(), SyncError> {
        self.names_questioned = self.names_questioned.saturating_add(frame.of.len());
        let is_new = !self.questions.contains_key(&frame.number);
        if !is_new || self.names_questioned > QUESTIONED_MOST_NAMES {
            return Err(SyncError::ImpossibleWant);
        }
        let mut open = BTreeMap::new();
        for (index, one) in (0_u32..).zip(&frame.of) {
            let shape = Shape::new(one.length).map_err(|_| SyncError::ImpossibleWant)?;
            open.insert(index, (one.name, shape));
        }
        let is_answered = false;
        let question = Question { open, is_answered };
        self.questions.insert(frame.number, question);
        self.changed = true;
        Ok(())
    }

    /// Tells what the peer has asked about and was not told yet: each question is answered once in
    /// any case. Returns the frames.
    pub(super) fn tell(&mut self, holdings: &dyn Holdings) -> Vec<HeldFrame> {
        if !core::mem::take(&mut self.changed) {
            return Vec::new();
        }
        let mut frames = Vec::new();
        for (number, question) in &mut self.questions {
            let held = question.open.iter();
            let held = held.filter(|(_, (name, shape))| holdings.holds_attachment(name, *shape));
            let held: Vec<u32> = held.map(|(index, _)| *index).collect();
            question.open.retain(|index, _| !held.contains(index));
            if !held.is_empty() || !question.is_answered {
                question.is_answered = true;
                let number = *number;
                frames.push(HeldFrame { number, held });
            }
        }
        frames
    }

    /// Takes an answer; returns what the peer holds and, with the first answer to a question, what
    /// it does not.
    pub(super) fn take_answer(
        &mut self,
        frame: &HeldFrame,
    ) -> Result<(Vec<AttachmentName>, Vec<AttachmentName>), SyncError> {
        let unasked = || SyncError::UnaskedAnswer;
        let asked = self.asked.get(&frame.number).ok_or_else(unasked)?;
        let is_first = self.unanswered.remove(&frame.number);
        let name = |index: &u32| {
            let index = usize::try_from(*index).ok()?;
            asked.get(index).copied()
        };
        let names = frame
            .held
            .iter()
            .map(|index| name(index).ok_or_else(unasked));
        let held: Vec<AttachmentName> = names.collect::<Result<_, _>>()?;
        let lacking = asked.iter().filter(|name| is_first && !held.contains(name));
        let lacking = lacking.copied().collect();
        Ok((held, lacking))
    }
}
