//! Attachments in bundles: behind all statements and records, each part useful alone.
//!
//! ```text
//! Settings  "given" | node 32 | chart 16 | compartment 8 | id 32  -> feed number
//! ```
//!
//! What goes along is what belongs to the charts of which anything goes along, and what the
//! recipient has told to lack, as far as it is here. An attachment that was written whole is noted
//! with how far our feed had come: once the peer tells that it holds so much, it has read that
//! bundle, and does not get it again.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_protocol::attachment::{AttachmentName, Shape};
use chartmesh_protocol::sync::Holdings;
use chartmesh_protocol::sync::bundle::MAX_PIECES_IN_A_ROW;
use chartmesh_protocol::{ChartId, NodeId};
use serde::{Deserialize, Serialize};

use super::export::Parts;
use crate::blobs::BlobError;
use crate::clinic::attachments::{found_in, lock};
use crate::clinic::{Clinic, ClinicError, items};
use crate::store::{Batch, Space};

/// A piece that was read of a bundle, not verified.
pub(super) struct PieceRead {
    pub(super) name: AttachmentName,
    pub(super) shape: Shape,
    pub(super) number: u32,
    pub(super) bytes: Vec<u8>,
}

/// What became of pieces of a bundle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PiecesKept {
    /// Those that are here now, whether or not they were before.
    pub(super) kept: u64,
    /// Those of which no record here tells.
    pub(super) unknown: u64,
    /// Those that are not what they should be.
    pub(super) refused: u64,
}

/// What is not here of the attachments that records tell of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotHere {
    /// How many.
    pub attachments: u64,
    /// The patients whose they are.
    pub patients: Vec<ChartId>,
}

/// The attachments of charts, looked up once.
#[derive(Default)]
pub(super) struct Told(BTreeMap<ChartId, BTreeMap<AttachmentName, Shape>>);

impl Told {
    /// Whether a record here tells of an attachment.
    fn tells(
        &mut self,
        clinic: &Clinic,
        name: &AttachmentName,
        shape: Shape,
    ) -> Result<bool, ClinicError> {
        let chart = name.place.chart;
        let told = match self.0.get(&chart) {
            Some(told) => told,
            None => {
                let told = clinic.attachments_of(&chart)?;
                self.0.entry(chart).or_insert(told)
            }
        };
        Ok(told.get(name) == Some(&shape))
    }
}

impl Clinic {
    /// The attachments that the records of a chart tell of; none of a chart that cannot be read.
    fn attachments_of(
        &self,
        chart: &ChartId,
    ) -> Result<BTreeMap<AttachmentName, Shape>, ClinicError> {
        let found = self.with_chart(chart, |open| Ok(found_in(open)));
        match found {
            Ok(found) => Ok(found.iter().filter_map(|one| one.name()).collect()),
            Err(error @ ClinicError::Unreadable { .. }) => {
                tracing::error!(%error, "its attachments do not go along");
                Ok(BTreeMap::new())
            }
            Err(error) => Err(error),
        }
    }

    /// Keeps pieces of a bundle durably, those of which a record here tells.
    pub(super) fn keep_pieces(
        &self,
        pieces: Vec<PieceRead>,
        told: &mut Told,
    ) -> Result<PiecesKept, ClinicError> {
        let mut outcome = PiecesKept::default();
        let mut touched = BTreeMap::new();
        for piece in pieces {
            if !told.tells(self, &piece.name, piece.shape)? {
                outcome.unknown += 1;
                continue;
            }
            self.blobs
                .has_room(u64::try_from(piece.bytes.len()).unwrap_or(u64::MAX))?;
            let blob = self.blob(&piece.name, piece.shape)?;
            let shape = piece.shape;
            match lock(&blob).write(piece.number, &piece.bytes) {
                Ok(()) => outcome.kept += 1,
                Err(BlobError::Piece(error)) => {
                    tracing::warn!(%error, "a piece of a bundle is refused");
                    outcome.refused += 1;
                }
                Err(error @ (BlobError::Full | BlobError::Io(_))) => return Err(error.into()),
            }
            touched.insert(piece.name, (shape, blob));
        }
        for (name, (shape, blob)) in touched {
            let is_whole = {
                let mut blob = lock(&blob);
                blob.sync()?;
                blob.is_whole()
            };
            if is_whole {
                self.is_fetched(&name, shape)?;
            }
        }
        Ok(outcome)
    }

    /// Looks through charts of which something came, and says what is not here.
    pub(super) fn look_through_all(
        &self,
        charts: &BTreeSet<ChartId>,
    ) -> Result<NotHere, ClinicError> {
        let mut not_here = NotHere::default();
        let mut short = Vec::new();
        for chart in charts {
            let before = not_here.attachments;
            for (name, shape) in self.look_through(chart)? {
                if !self.is_here(&name, shape)? {
                    not_here.attachments += 1;
                    short.push((name, shape));
                }
            }
            if not_here.attachments > before {
                not_here.patients.push(*chart);
            }
        }
        self.note_short(&short)?;
        Ok(not_here)
    }

    /// What is noted of a peer and an attachment: how far our feed had come when it was given, or
    /// told of, or the store of the peer when it said that it holds it.
    pub(super) fn noted(
        &self,
        what: &[u8],
        peer: &NodeId,
        name: &AttachmentName,
    ) -> Result<Option<u64>, ClinicError> {
        let given = self.store.get(Space::Settings, &key(what, peer, name))?;
        Ok(given.as_deref().and_then(items::number))
    }
}

const GIVEN: &[u8] = b"given";
pub(super) fn key(what: &[u8], peer: &NodeId, name: &AttachmentName) -> Vec<u8> {
    [
        what,
        peer.as_bytes(),
        name.place.chart.as_bytes(),
        name.place.compartment.as_bytes(),
        name.id.as_bytes(),
    ]
    .concat()
}

impl Parts<'_> {
    /// Adds the attachments of charts that the recipient may have. Returns those that are in the
    /// bundle whole.
    pub(super) fn add_attachments(
        &mut self,
        charts: &[ChartId],
    ) -> Result<Vec<(AttachmentName, Shape)>, ClinicError> {
        let lacked = self.clinic.lacked_by(&self.peer)?;
        let mut all: BTreeSet<ChartId> = charts.iter().copied().collect();
        let with_charts = all.clone();
        all.extend(lacked.keys().map(|name| name.place.chart));
        let mut given = Vec::new();
        for chart in all {
            let mut saved_there = None;
            for (name, shape) in self.clinic.attachments_of(&chart)? {
                let lacked = lacked.get(&name).filter(|(length, _)| *length == shape);
                let only = lacked.map(|(_, pieces)| pieces.as_slice());
                let only = only.filter(|_| !self.order.everything);
                let is_due = only.is_some() || with_charts.contains(&chart);
                if !is_due || (only.is_none() && self.has_it(&name, &mut saved_there)?) {
                    continue;
                }
                if self.add_attachment(&name, shape, only)? {
                    self.written.attachments += 1;
                    given.push((name, shape));
                }
            }
        }
        Ok(given)
    }

    /// Whether the recipient holds an attachment, as far as is known. What it saved itself is
    /// looked for once in a chart.
    fn has_it(
        &self,
        name: &AttachmentName,
        saved_there: &mut Option<BTreeSet<AttachmentName>>,
    ) -> Result<bool, ClinicError> {
        if self.order.everything {
            return Ok(false);
        }
        let holds = self.replica.held_by_peer().value();
        let before = self.clinic.noted(GIVEN, &self.peer, name)?;
        if before.is_some_and(|feed| feed <= holds)
            || self.clinic.is_known_to_hold(&self.peer, name)
            || self.clinic.has_said(&self.peer, name)?
        {
            return Ok(true);
        }
        if self.clinic.has_lost(&self.peer)? {
            return Ok(false);
        }
        let saved = match saved_there.take() {
            Some(saved) => saved,
            None => self.clinic.saved_by(&name.place.chart, &self.peer)?,
        };
        Ok(saved_there.insert(saved).contains(name))
    }

    /// Notes what the bundle holds whole, once it is written to its end.
    pub(super) fn note_given(&self, given: &[(AttachmentName, Shape)]) -> Result<(), ClinicError> {
        let newest = self.replica.newest().value();
        let mut batch = Batch::new();
        for (name, _) in given {
            let feed = newest.to_be_bytes().to_vec();
            batch.put(Space::Settings, key(GIVEN, &self.peer, name), feed);
        }
        self.clinic.store.commit(batch)?;
        Ok(())
    }

    /// Adds what is here of an attachment, or only these pieces of it; says whether that is all of
    /// it that is lacking.
    fn add_attachment(
        &mut self,
        name: &AttachmentName,
        shape: Shape,
        only: Option<&[u32]>,
    ) -> Result<bool, ClinicError> {
        let row = u32::try_from(MAX_PIECES_IN_A_ROW).unwrap_or(1);
        let mut first = 0;
        let mut is_whole = true;
        let is_lacked = |number: &u32| only.is_none_or(|only| only.binary_search(number).is_ok());
        while first < shape.pieces() {
            let mut pieces = Vec::new();
            if !is_lacked(&first) {
                first = first.saturating_add(1);
                continue;
            }
            let numbers = first..shape.pieces().min(first.saturating_add(row));
            for number in numbers.take_while(is_lacked) {
                // Consent is asked for each piece, as a session does.
                match self.replica.piece(name, shape, number) {
                    Some(piece) => pieces.push(piece),
                    None => break,
                }
            }
            let count = u32::try_from(pieces.len()).unwrap_or(row);
            if pieces.is_empty() {
                // It is not here either.
                is_whole = false;
            } else if self.put_pieces(name, shape, first, &pieces, false)? {
                self.begin_anew()?;
                self.put_lists(name, shape, first)?;
                self.put_pieces(name, shape, first, &pieces, true)?;
            }
            first = first.saturating_add(count.max(1));
        }
        Ok(is_whole)
    }

    /// Adds the lists that tell of a piece, so that it can be checked without the parts before.
    fn put_lists(
        &mut self,
        name: &AttachmentName,
        shape: Shape,
        number: u32,
    ) -> Result<(), ClinicError> {
        let list = shape.list_of(number);
        for number in list
            .and_then(|list| shape.list_of(list))
            .into_iter()
            .chain(list)
        {
            if let Some(piece) = self.replica.piece(name, shape, number) {
                self.put_pieces(name, shape, number, &[piece], true)?;
            }
        }
        Ok(())
    }
}
