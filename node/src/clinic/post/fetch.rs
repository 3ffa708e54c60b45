//! What is fetched from a relay: opened, checked by our own ledgers, and taken in.

use std::collections::BTreeMap;

use chartmesh_protocol::identity::{SignedError, Verified};
use chartmesh_protocol::mail::{Content, Mail, MailError};
use chartmesh_protocol::reconcile::ItemId;
use chartmesh_protocol::sync::{ItemKind, Refusal};
use chartmesh_protocol::{MailboxId, NodeId};

use super::log::Post;
use super::mailbox::Use;
use super::table::{Entry, Source};
use crate::clinic::draft::Origin;
use crate::clinic::receive::Intake;
use crate::clinic::{Clinic, ClinicError, Delivery};

/// A mail that was fetched, and what was in it.
pub(super) struct Letter {
    id: ItemId,
    mailbox: MailboxId,
    inside: Inside,
}

enum Inside {
    Certificate(Vec<u8>),
    Item(Delivery),
    Beacon(Vec<u8>),
    Receipt(Vec<u8>),
    Request(Vec<u8>),
    Piece(u32, Vec<u8>),
    /// An insider put what no mail holds.
    Nothing,
}

/// Pieces of one attachment that came together, with the ids of the mail that held them.
#[derive(Default)]
struct Parts {
    ids: Vec<ItemId>,
    pieces: Vec<(u32, Vec<u8>)>,
}

impl Inside {
    fn of(content: Content<'_>) -> Self {
        let item = |kind, bytes: &[u8]| {
            let bytes = bytes.to_vec();
            Self::Item(Delivery { kind, bytes })
        };
        match content {
            Content::Statement(bytes) => item(ItemKind::Statement, bytes),
            Content::Record(bytes) => item(ItemKind::Record, bytes),
            Content::Certificate(bytes) => Self::Certificate(bytes.to_vec()),
            Content::Beacon(bytes) => Self::Beacon(bytes.to_vec()),
            Content::Receipt(bytes) => Self::Receipt(bytes.to_vec()),
            Content::Request(bytes) => Self::Request(bytes.to_vec()),
            Content::Piece(number, bytes) => Self::Piece(number, bytes.to_vec()),
        }
    }

    /// What is needed first is taken first; of pieces, the lists that tell of the others.
    fn rank(&self) -> (u8, u32) {
        match self {
            Self::Certificate(_) => (0, 0),
            Self::Item(Delivery {
                kind: ItemKind::Statement,
                ..
            }) => (1, 0),
            Self::Item(_)
            | Self::Beacon(_)
            | Self::Receipt(_)
            | Self::Request(_)
            | Self::Nothing => (2, 0),
            Self::Piece(number, _) => (3, *number),
        }
    }
}

impl Post {
    /// Whether a node is of the clinic with which we share a box, or of our own: of those that put
    /// something into it, their word counts.
    pub(super) fn is_of_pair(&self, clinic: &Clinic, mailbox: &MailboxId, node: &NodeId) -> bool {
        let usage = self.boxes.get(mailbox).map(|one| one.usage);
        let Some(Use::Pair(other) | Use::FormerPair(other)) = usage else {
            return false;
        };
        let certificates = clinic.certificates_read();
        let book = certificates.book();
        book.belongs(node, &other) || book.belongs(node, &clinic.clinic_id())
    }

    /// Opens what the relay has sent. None for what is known.
    ///
    /// # Errors
    /// A [`Refusal`] of what no honest relay sends.
    pub(super) fn receive(
        &mut self,
        clinic: &Clinic,
        delivery: &Delivery,
    ) -> Result<Result<Option<Letter>, Refusal>, ClinicError> {
        match delivery.kind {
            ItemKind::Statement => match Verified::decode(&delivery.bytes) {
                Ok(access) => {
                    self.take_access(clinic, &access)?;
                    Ok(Ok(None))
                }
                Err(SignedError::Signature(_)) => Ok(Err(Refusal::BadSignature)),
                Err(_) => Ok(Err(Refusal::Malformed)),
            },
            ItemKind::Record => Ok(match Mail::decode(&delivery.bytes) {
                Ok(mail) => self.open_mail(&mail),
                Err(MailError::Signature(_)) => Err(Refusal::BadSignature),
                Err(_) => Err(Refusal::Malformed),
            }),
        }
    }

    fn open_mail(&self, mail: &Mail) -> Result<Option<Letter>, Refusal> {
        let (id, mailbox) = (mail.id(), mail.mailbox());
        if self.has(&id) {
            return Ok(None);
        }
        let inside = match self.boxes.get(&mailbox) {
            Some(known) if known.opens => {
                let opened = mail.open(&known.key, Inside::of);
                opened.unwrap_or(Inside::Nothing)
            }
            // It was on its way when we closed the box.
            Some(_) => return Ok(None),
            // We opened the box, and this store was put back to before that.
            None if self.has_access(&mailbox) => Inside::Nothing,
            None => return Err(Refusal::NotAsked),
        };
        Ok(Some(Letter {
            id,
            mailbox,
            inside,
        }))
    }

    /// Takes in letters, in one commit. What is refused is none the less known to lie there.
    /// Returns the numbers that the letters got, and whether others have seen more of this store
    /// than it holds.
    pub(super) fn take_in(
        &mut self,
        clinic: &Clinic,
        mut letters: Vec<Letter>,
    ) -> Result<(Vec<u64>, bool), ClinicError> {
        letters.sort_by_key(|letter| letter.inside.rank());
        let mut intake = Intake::of_mail(clinic);
        let mut entries = Vec::with_capacity(letters.len());
        let mut pieces: BTreeMap<MailboxId, Parts> = BTreeMap::new();
        for letter in letters {
            let source = match letter.inside {
                Inside::Piece(number, bytes) => {
                    let parts = pieces.entry(letter.mailbox).or_default();
                    parts.ids.push(letter.id);
                    parts.pieces.push((number, bytes));
                    continue;
                }
                Inside::Certificate(bytes) => keep(clinic, &bytes)?,
                Inside::Item(delivery) => take(&mut intake, delivery)?,
                Inside::Beacon(bytes) => self.take_beacon(clinic, &letter.mailbox, bytes)?,
                Inside::Receipt(bytes) => self.take_receipt(clinic, &letter.mailbox, bytes)?,
                Inside::Request(bytes) => self.take_request(clinic, &letter.mailbox, bytes)?,
                Inside::Nothing => Source::Refused,
            };
            entries.push(Entry {
                id: *letter.id.as_bytes(),
                mailbox: letter.mailbox,
                source,
            });
        }
        let behind = intake.file(Origin::Mail)?.behind;
        for (mailbox, parts) in pieces {
            let sources = self.take_pieces(clinic, &mailbox, &parts.pieces)?;
            for (id, source) in parts.ids.iter().zip(sources) {
                let id = *id.as_bytes();
                entries.push(Entry {
                    id,
                    mailbox,
                    source,
                });
            }
        }
        let mut numbers = Vec::with_capacity(entries.len());
        for entry in &entries {
            numbers.extend(self.add(entry.clone())?);
        }
        self.follow(clinic, &entries)?;
        Ok((numbers, behind))
    }

    /// Tries again what was fetched before what it needs. Returns whether others have seen more of
    /// this store than it holds.
    pub(super) fn try_waiting(&mut self, clinic: &Clinic) -> Result<bool, ClinicError> {
        let waiting = self.waiting();
        if waiting.is_empty() {
            return Ok(false);
        }
        let mut intake = Intake::of_mail(clinic);
        let mut taken = Vec::new();
        for (number, bytes) in waiting {
            let kind = ItemKind::Record;
            let source = take(&mut intake, Delivery { kind, bytes })?;
            if !matches!(source, Source::Waiting(_)) {
                taken.push((number, source));
            }
        }
        let behind = intake.file(Origin::Mail)?.behind;
        for (number, source) in taken {
            self.resolve(number, source)?;
        }
        Ok(behind)
    }
}

fn keep(clinic: &Clinic, bytes: &[u8]) -> Result<Source, ClinicError> {
    match clinic.keep_certificate(bytes) {
        Ok(hash) => Ok(Source::Certificate(hash.to_bytes())),
        Err(ClinicError::Usage { .. }) => Ok(Source::Refused),
        Err(error) => Err(error),
    }
}

/// A record may be fetched before the statement or the certificate that it needs: both lie in
/// boxes of their own, and a relay may send them in any order.
fn take(intake: &mut Intake<'_>, delivery: Delivery) -> Result<Source, ClinicError> {
    let refused = match intake.take_delivery(&delivery) {
        Ok(id) => return Ok(Source::Item(*id.as_bytes())),
        Err(refused) => refused,
    };
    let refused = refused.into_item()?;
    tracing::warn!(%refused, "mail was not taken in");
    Ok(match (delivery.kind, refused) {
        (ItemKind::Record, Refusal::NotAsked | Refusal::BadCertificate) => {
            Source::Waiting(delivery.bytes)
        }
        _ => Source::Refused,
    })
}
