//! Attachments between this node and one peer: what to ask it for, what it may have, what came.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_protocol::attachment::{AttachmentName, MAX_PIECE_BYTES, Shape};
use chartmesh_protocol::sync::{Wanted, WantedPieces};

use super::lock;
use crate::blobs::BlobError;
use crate::clinic::{ClinicError, Refused, Replica};

/// A piece as a session delivers it.
#[derive(Debug, Clone)]
pub struct PieceDelivery {
    /// The attachment.
    pub name: AttachmentName,
    /// The number of the piece.
    pub number: u32,
    /// The piece, not verified.
    pub bytes: Vec<u8>,
}

/// What one session has asked for.
#[derive(Debug, Default)]
pub(crate) struct PeerPieces {
    asked: BTreeSet<(AttachmentName, u32)>,
    /// What the peer does not have for us.
    lacking: BTreeSet<(AttachmentName, u32)>,
    /// How often a person had asked for something when it was said to lack that.
    requests: u64,
    /// What the peer was asked about: whether it holds it.
    pub(super) questioned: BTreeSet<AttachmentName>,
}

impl Replica {
    /// Pieces to ask the peer for; see [`chartmesh_protocol::sync::Holdings::wanted`].
    pub(crate) fn wanted_pieces(&self, most: usize) -> Result<Wanted, ClinicError> {
        let clinic = &self.book.clinic;
        let room = u64::try_from(most.saturating_mul(MAX_PIECE_BYTES)).unwrap_or(u64::MAX);
        if !clinic.may_fetch_attachments(room) {
            return Ok(Wanted::default());
        }
        let more = clinic.look_for_attachments()?;
        let is_own = self.is_of_own_clinic();
        let all: Vec<(AttachmentName, Shape)> = {
            let wants = clinic.wants();
            let all = wants.all();
            let all = all.filter(|(_, want)| is_own || !want.is_of_own_nodes());
            all.filter_map(|(name, want)| Some((*name, want.shape()?)))
                .collect()
        };
        let mut pieces = Vec::new();
        let mut room = most;
        for (name, shape) in all {
            if room == 0 {
                break;
            }
            if !self.ask(|share, clinic| share.exchanges(clinic, &name.place)) {
                continue;
            }
            let numbers = self.take_missing(&name, shape, room)?;
            room = room.saturating_sub(numbers.len());
            if !numbers.is_empty() {
                pieces.push(WantedPieces {
                    name,
                    shape,
                    numbers,
                });
            }
        }
        Ok(Wanted { pieces, more })
    }

    /// Takes pieces that are not here and that no session waits for.
    fn take_missing(
        &self,
        name: &AttachmentName,
        shape: Shape,
        most: usize,
    ) -> Result<Vec<u32>, ClinicError> {
        let blob = self.book.clinic.blob(name, shape)?;
        let blob = lock(&blob);
        if blob.is_whole() {
            drop(blob);
            self.book.clinic.is_fetched(name, shape)?;
            return Ok(Vec::new());
        }
        let mut wants = self.book.clinic.wants();
        let mut state = self.lock();
        if state.pieces.requests != wants.requests() {
            state.pieces.requests = wants.requests();
            state.pieces.lacking.clear();
        }
        let mut numbers = Vec::new();
        for number in blob.missing() {
            if numbers.len() >= most {
                break;
            }
            let piece = (*name, number);
            if !state.pieces.lacking.contains(&piece) && wants.take(*name, number) {
                state.pieces.asked.insert(piece);
                numbers.push(number);
            }
        }
        drop((wants, state));
        if !numbers.is_empty() {
            let (clinic, peer) = (&self.book.clinic, &self.book.peer);
            clinic.not_lacking(peer, &[*name])?;
        }
        Ok(numbers)
    }

    /// A piece that the peer asks for, if it may have it now.
    pub(crate) fn piece_for_peer(
        &self,
        name: &AttachmentName,
        shape: Shape,
        number: u32,
    ) -> Option<Vec<u8>> {
        let piece = self.ask(|share, clinic| {
            if !share.serves(clinic, &name.place)? {
                return Ok(None);
            }
            let blob = clinic.blob(name, shape)?;
            let mut blob = lock(&blob);
            Ok(blob.read(number)?)
        })?;
        // Soon it may hold all of it.
        if let Err(error) = self.book.clinic.not_lacking(&self.book.peer, &[*name]) {
            tracing::warn!(%error, "that a peer fetches an attachment is not written down");
        }
        Some(piece)
    }

    /// The peer does not have these pieces for us.
    pub fn pieces_lacking(&self, name: AttachmentName, pieces: &[u32]) {
        let mut wants = self.book.clinic.wants();
        let mut state = self.lock();
        for piece in pieces {
            state.pieces.asked.remove(&(name, *piece));
            state.pieces.lacking.insert((name, *piece));
            wants.release(name, *piece);
        }
        drop((wants, state));
        if let Err(error) = self.book.clinic.are_lacking(&self.book.peer, &[name]) {
            tracing::warn!(%error, "that a peer lacks an attachment is not written down");
        }
        // Another peer may have them.
        self.book.clinic.changed(&[], false);
    }

    /// Verifies pieces and keeps them: when this returns, they are durable. On a full disk they
    /// are let go of, and wanted again later: records have to go on.
    ///
    /// # Errors
    /// [`Refused`] when one is not what the attachment has there.
    pub fn store_pieces(&self, deliveries: &[PieceDelivery]) -> Result<(), Refused> {
        let mut by_name: BTreeMap<AttachmentName, Vec<&PieceDelivery>> = BTreeMap::new();
        for one in deliveries {
            by_name.entry(one.name).or_default().push(one);
        }
        for (name, pieces) in by_name {
            let clinic = &self.book.clinic;
            let bytes: Vec<(u32, &[u8])> = pieces
                .iter()
                .map(|one| (one.number, one.bytes.as_slice()))
                .collect();
            let stored = match clinic.keep_wanted(&name, &bytes) {
                Err(BlobError::Full) => {
                    clinic.let_attachments_wait();
                    Ok(None)
                }
                Err(BlobError::Piece(_)) => Err(Refused::bad_piece()),
                Err(error @ BlobError::Io(_)) => Err(Refused::ours(error.into())),
                Ok(kept) if !kept.refused.is_empty() => Err(Refused::bad_piece()),
                Ok(kept) => Ok(kept.whole),
            };
            let mut wants = self.book.clinic.wants();
            let mut state = self.lock();
            for one in pieces {
                state.pieces.asked.remove(&(name, one.number));
                wants.release(name, one.number);
            }
            drop((wants, state));
            if let Some(shape) = stored? {
                let (clinic, peer) = (&self.book.clinic, &self.book.peer);
                let fetched = clinic.is_fetched(&name, shape);
                // Should it hold a part of it alone, it says so on a stick.
                let fetched = fetched.and_then(|()| clinic.has_heard(peer, &[name]));
                fetched.map_err(Refused::ours)?;
                self.book.clinic.changed(&[], false);
            }
        }
        Ok(())
    }

    /// What this session waited for is for others to ask for.
    pub(crate) fn release_pieces(&self) {
        let asked = std::mem::take(&mut self.lock().pieces.asked);
        if asked.is_empty() {
            return;
        }
        let mut wants = self.book.clinic.wants();
        for (name, piece) in asked {
            wants.release(name, piece);
        }
        drop(wants);
        self.book.clinic.changed(&[], false);
    }
}
