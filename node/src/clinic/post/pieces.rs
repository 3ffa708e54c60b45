//! Pieces of attachments in their boxes: put as they are stored, and verified when they come.

use std::collections::BTreeMap;

use chartmesh_protocol::MailboxId;
use chartmesh_protocol::attachment::{AttachmentName, MAX_PIECE_BYTES, PieceError, Shape};
use chartmesh_protocol::mail::{Content, WantedAttachment};

use super::log::Post;
use super::mailbox::Use;
use super::table::Source;
use crate::blobs::BlobError;
use crate::clinic::attachments::lock;
use crate::clinic::{Clinic, ClinicError};

impl Post {
    /// The attachment whose box this is.
    fn parcel_of(&self, mailbox: &MailboxId) -> Option<(AttachmentName, Shape)> {
        match self.boxes.get(mailbox)?.usage {
            Use::Attachment(name, length) => Some((name, Shape::new(length).ok()?)),
            Use::Pair(_) | Use::FormerPair(_) | Use::Epoch(_) => None,
        }
    }

    /// How many pieces lie in a box, or are to.
    fn pieces_in(&self, mailbox: &MailboxId) -> usize {
        self.pieces.get(mailbox).map_or(0, BTreeMap::len)
    }

    /// Whether all pieces of an attachment lie in its box, or any of them is here.
    pub(super) fn has_something(
        &self,
        clinic: &Clinic,
        one: &WantedAttachment,
    ) -> Result<bool, ClinicError> {
        let Some(shape) = one.shape() else {
            return Ok(false);
        };
        let mailbox = self.parcel_boxes.get(&one.name);
        let lie_there = mailbox.map_or(0, |mailbox| self.pieces_in(mailbox));
        if lie_there >= usize::try_from(shape.pieces()).unwrap_or(usize::MAX) {
            return Ok(true);
        }
        Ok(lock(&*clinic.blob(&one.name, shape)?).here().count() > 0)
    }

    /// Puts what is here of an attachment into its box, as far as it does not lie there.
    pub(super) fn put_pieces(
        &mut self,
        clinic: &Clinic,
        mailbox: &MailboxId,
        one: &WantedAttachment,
    ) -> Result<(), ClinicError> {
        let Some(shape) = one.shape() else {
            return Ok(());
        };
        let lie_there = self.pieces_in(mailbox);
        if lie_there >= usize::try_from(shape.pieces()).unwrap_or(usize::MAX)
            || self.are_pieces_paused(clinic.now_ms())
        {
            return Ok(());
        }
        let blob = clinic.blob(&one.name, shape)?;
        let mut blob = lock(&blob);
        for number in 0..shape.pieces() {
            let mut there = self.pieces.get(mailbox).into_iter();
            if there.any(|there| there.contains_key(&number)) || !blob.here().has(number) {
                continue;
            }
            if let Some(bytes) = blob.read(number)? {
                let content = Content::Piece(number, &bytes);
                self.put(mailbox, content, Source::Piece(number))?;
            }
        }
        Ok(())
    }

    /// A piece as it lies in a box; none when it is not here any more.
    pub(super) fn piece_at(
        &self,
        clinic: &Clinic,
        mailbox: &MailboxId,
        number: u32,
    ) -> Result<Option<Vec<u8>>, ClinicError> {
        let Some((name, shape)) = self.parcel_of(mailbox) else {
            return Ok(None);
        };
        let blob = clinic.blob(&name, shape)?;
        let mut blob = lock(&blob);
        Ok(blob.read(number)?)
    }

    /// Takes in pieces that lay in a box, and says what each of them is. Those of an attachment
    /// that is wanted are kept, if they are what it has there.
    pub(super) fn take_pieces(
        &mut self,
        clinic: &Clinic,
        mailbox: &MailboxId,
        pieces: &[(u32, Vec<u8>)],
    ) -> Result<Vec<Source>, ClinicError> {
        let Some((name, shape)) = self.parcel_of(mailbox) else {
            return Ok(vec![Source::Refused; pieces.len()]);
        };
        let bytes: Vec<(u32, &[u8])> = pieces
            .iter()
            .map(|(number, bytes)| (*number, bytes.as_slice()))
            .collect();
        let refused = if clinic.wants().get(&name).is_some() {
            match clinic.keep_wanted(&name, &bytes) {
                Ok(kept) => {
                    if let Some(shape) = kept.whole {
                        clinic.is_fetched(&name, shape)?;
                        clinic.changed(&[], false);
                    }
                    kept.refused
                }
                Err(BlobError::Full) => {
                    clinic.let_attachments_wait();
                    BTreeMap::new()
                }
                Err(error @ (BlobError::Io(_) | BlobError::Piece(_))) => return Err(error.into()),
            }
        } else {
            compared(clinic, &name, shape, &bytes)?
        };
        let source = |(number, _): &(u32, Vec<u8>)| match refused.get(number) {
            // What it is shows when its list is here: it is fetched again then.
            None | Some(PieceError::ListMissing { .. }) => Source::Piece(*number),
            Some(error) => {
                tracing::warn!(%error, "a piece in the box of an attachment is refused");
                Source::Refused
            }
        };
        Ok(pieces.iter().map(source).collect())
    }

    /// Forgets of pieces that lie there and are still lacking here, though they came: a list came
    /// after them, the disk was full, or a file was damaged. So they are found to lie there the
    /// next time that all is compared.
    pub(super) fn fetch_again(&mut self, clinic: &Clinic) -> Result<(), ClinicError> {
        let room = u64::try_from(MAX_PIECE_BYTES).unwrap_or(u64::MAX);
        if !clinic.may_fetch_attachments(room) {
            return Ok(());
        }
        for (mailbox, one) in self.parcels() {
            let is_wanted = clinic.wants().get(&one.name).is_some();
            let (Some(shape), true) = (one.shape(), is_wanted) else {
                continue;
            };
            if self.pieces_in(&mailbox) == 0 {
                continue;
            }
            let lacking: Vec<u32> = {
                let blob = clinic.blob(&one.name, shape)?;
                lock(&blob).missing().collect()
            };
            let there = self.pieces.get(&mailbox).into_iter();
            let there: Vec<u64> = there
                .flat_map(|there| lacking.iter().filter_map(|number| there.get(number)))
                .copied()
                .collect();
            there.into_iter().for_each(|number| self.remove(number));
        }
        Ok(())
    }
}

/// What is wrong with pieces that are here already: whoever gives is not to believe that another
/// one's bad piece is the one that it has.
fn compared(
    clinic: &Clinic,
    name: &AttachmentName,
    shape: Shape,
    pieces: &[(u32, &[u8])],
) -> Result<BTreeMap<u32, PieceError>, ClinicError> {
    let blob = clinic.blob(name, shape)?;
    let mut blob = lock(&blob);
    let mut refused = BTreeMap::new();
    for (number, bytes) in pieces {
        if *number >= shape.pieces() {
            refused.insert(*number, PieceError::NoSuchPiece { number: *number });
        } else if blob.here().has(*number)
            && let Err(BlobError::Piece(error)) = blob.write(*number, bytes)
        {
            refused.insert(*number, error);
        }
    }
    Ok(refused)
}
