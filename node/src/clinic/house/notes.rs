//! Notes of a clinic to its own nodes: made, opened, and put where they belong.

use std::sync::atomic::Ordering;

use chartmesh_protocol::identity::{Card, NodeCertificate, Verified};
use chartmesh_protocol::ledger::{Body, HouseNote, NodeRevocation, NoteTopic, Signer, house_of};
use chartmesh_protocol::{ChartId, ClinicId, NodeId, StatementId};
use zeroize::Zeroizing;

use super::origin;
use super::revoke::note_ending;
use crate::clinic::draft::Draft;
use crate::clinic::items::{self, NewItem};
use crate::clinic::peers::peer_key;
use crate::clinic::{Clinic, ClinicError, sealing_keys};
use crate::keys::{EnrolmentId, Secret, open_text, seal_text};
use crate::store::{Batch, Space, View};

/// Marks a clinic with more than one node.
const KEPT: &[u8] = b"house is kept";
/// What the keys of notes that hold begin with.
const HOLDING: &[u8] = b"house note/";
/// What the keys of nodes' names begin with.
const LABEL: &[u8] = b"node label/";
/// What the key of notes is derived under, from the key of custody, which every node has.
const NOTES: &str = "chartmesh 2026-11 notes of a clinic to its nodes";
/// What the key of a note from one node to another is derived under.
const BETWEEN_NODES: &str = "chartmesh 2026-11 note of a node to another of its clinic";

// Kinds of notes by number.
const PEER: u8 = 1;
const CUSTODY: u8 = 2;
const SEALING_KEY: u8 = 3;
const NODE: u8 = 4;
const ORIGIN: u8 = 5;

/// What a node tells the others of its clinic.
pub(crate) enum Told<'a> {
    /// The card of another clinic's node; none once it is talked to no more.
    Peer(ClinicId, NodeId, Option<&'a str>),
    /// A patient's key in custody, sealed as it lies here.
    Custody(ChartId, &'a [u8]),
    /// A later sealing key of the clinic, for this node alone.
    SealingKey(NodeId, &'a Secret),
    /// This node's own name and card.
    Node(&'a str, &'a str),
    /// The enrolment file that this node came from.
    Origin(EnrolmentId),
}

/// A statement of a house on its way into the store.
pub(crate) struct HouseItem {
    id: StatementId,
    what: Opened,
}

enum Opened {
    /// A note that opens, where it is put, and its text.
    Note(HouseNote, Zeroizing<Vec<u8>>),
    /// A node was cut off, by any clinic.
    Revocation(NodeRevocation, Vec<u8>),
}

impl Clinic {
    /// Whether this clinic has more than one node, so that notes are made for them.
    pub(crate) fn keeps_house(&self) -> bool {
        self.store.contains(Space::Meta, KEPT).unwrap_or(false)
    }

    /// Adds a note to a draft, if the clinic has other nodes.
    pub(crate) fn tell_house(&self, draft: &mut Draft, told: &Told<'_>) -> Result<(), ClinicError> {
        if self.keeps_house() {
            self.note_for_house(draft, told)?;
        }
        Ok(())
    }

    /// Adds a note to a draft.
    pub(super) fn note_for_house(
        &self,
        draft: &mut Draft,
        told: &Told<'_>,
    ) -> Result<(), ClinicError> {
        let house = house_of(&self.clinic_id());
        let (chart, kind, about, text) = match told {
            Told::Peer(clinic, node, card) => {
                let text = [clinic.as_bytes(), card.unwrap_or_default().as_bytes()].concat();
                (house, PEER, *node.as_bytes(), text)
            }
            Told::Custody(chart, sealed) => (*chart, CUSTODY, [0; 32], sealed.to_vec()),
            Told::SealingKey(node, secret) => {
                (house, SEALING_KEY, *node.as_bytes(), secret.to_vec())
            }
            Told::Node(label, card) => {
                let text = format!("{label}\n{card}").into_bytes();
                (house, NODE, *self.node_id().as_bytes(), text)
            }
            Told::Origin(file) => {
                let about = *self.node_id().as_bytes();
                (house, ORIGIN, about, file.as_bytes().to_vec())
            }
        };
        let text = Zeroizing::new(text);
        let mut note = HouseNote {
            clinic: self.clinic_id(),
            chart,
            topic: NoteTopic { kind, about },
            at: self.tick(),
            by: self.node_id(),
            sealed: Vec::new(),
        };
        let key = self.key_of(&note)?;
        let sealed = seal_text(&key, &context(&note)?, &text, &mut self.chance());
        note.sealed = sealed.ok_or_else(|| ClinicError::fault("a note does not seal"))?;
        let signer = Signer::Clinic(&self.identity.clinic);
        let statement = Body::HouseNote(note)
            .sign(signer)
            .map_err(ClinicError::fault)?;
        draft.statement(&statement);
        Ok(())
    }

    /// The key of a note: that of all nodes, or of the two that it is between.
    fn key_of(&self, note: &HouseNote) -> Result<Secret, ClinicError> {
        if note.topic.kind != SEALING_KEY {
            let key = blake3::derive_key(NOTES, self.identity.custody.as_slice());
            return Ok(Zeroizing::new(key));
        }
        let about = NodeId::new(note.topic.about);
        let other = if about == self.node_id() {
            note.by
        } else {
            about
        };
        let secret = self.identity.node.agree(&other);
        Ok(secret.map_err(ClinicError::fault)?.derive(BETWEEN_NODES))
    }

    /// What items say of houses, opened where it is for us.
    pub(crate) fn house_items(&self, items: &[NewItem]) -> Vec<HouseItem> {
        let mut found = Vec::new();
        for item in items {
            let id = StatementId::new(*item.id.as_bytes());
            let what = match &item.house {
                Some(Body::HouseNote(note)) => self.opened_note(note),
                Some(Body::NodeRevocation(revocation)) => {
                    Some(Opened::Revocation(revocation.clone(), item.bytes.clone()))
                }
                _ => None,
            };
            found.extend(what.map(|what| HouseItem { id, what }));
        }
        found
    }

    /// A note of our own clinic, with its text. One that does not open is for another node.
    fn opened_note(&self, note: &HouseNote) -> Option<Opened> {
        if note.clinic != self.clinic_id() {
            return None;
        }
        let key = self.key_of(note).ok()?;
        let text = open_text(&key, &context(note).ok()?, &note.sealed)?;
        Some(Opened::Note(note.clone(), text))
    }

    /// What was filed of houses takes effect in what is held in memory.
    pub(crate) fn house_filed(&self, items: &[HouseItem]) {
        for item in items {
            match &item.what {
                Opened::Revocation(revocation, _) => {
                    self.certificates_write().cut_off(revocation);
                    self.peer_list.fetch_add(1, Ordering::SeqCst);
                    self.renewed();
                }
                Opened::Note(note, text) => match note.topic.kind {
                    SEALING_KEY => {
                        if let Ok(secret) = <[u8; 32]>::try_from(text.as_slice()) {
                            self.identity.sealing.add(&Zeroizing::new(secret));
                            self.open_all_anew();
                            self.renewed();
                        }
                    }
                    PEER | NODE => {
                        if let Some(certificate) = certificate_told(note, text) {
                            self.certificates_write().know(certificate);
                        }
                        self.peer_list.fetch_add(1, Ordering::SeqCst);
                    }
                    _ => {}
                },
            }
        }
    }

    /// A failure to certify this node anew is made good at the next start.
    fn renewed(&self) {
        if let Err(error) = self.renew_certificate() {
            tracing::error!(%error, "this node is not certified anew");
        }
    }

    /// What a node of this clinic is called, where it was given a name.
    pub(super) fn label_of(&self, node: &NodeId) -> Result<Option<String>, ClinicError> {
        let label = self.store.get(Space::Settings, &label_key(node))?;
        Ok(label.and_then(|label| String::from_utf8(label).ok()))
    }
}

/// Begins to keep house.
pub(super) fn keep(batch: &mut Batch) {
    batch.put(Space::Meta, KEPT.to_vec(), Vec::new());
}

/// Names a node.
pub(super) fn name_node(batch: &mut Batch, node: &NodeId, label: &str) {
    batch.put(Space::Settings, label_key(node), label.as_bytes().to_vec());
}

/// Adds to a batch what statements of houses change, each where it is newer than what holds.
pub(crate) fn apply(
    view: &View<'_>,
    batch: &mut Batch,
    items: &[HouseItem],
    own: &ClinicId,
) -> Result<(), ClinicError> {
    // Of two notes in one batch the later one has to come last.
    let mut notes = Vec::new();
    for item in items {
        match &item.what {
            Opened::Revocation(revocation, bytes) => {
                let (clinic, node) = (&revocation.clinic, &revocation.node);
                batch
                    .put(
                        Space::Certificates,
                        item.id.as_bytes().to_vec(),
                        bytes.clone(),
                    )
                    .delete(Space::Peers, peer_key(clinic, node));
                // What the node wrote may not count any more, in any chart.
                for pair in view.scan_prefix(Space::Charts, &[]) {
                    batch.put(Space::Stale, pair?.0, item.id.as_bytes().to_vec());
                }
                if clinic == own {
                    note_ending(batch, node);
                }
            }
            Opened::Note(note, text) => notes.push((note.at, item.id, note, text)),
        }
    }
    notes.sort_by_key(|(at, id, ..)| (*at, *id));
    for (at, id, note, text) in notes {
        let key = holding_key(note);
        let stamp = [at.value().to_be_bytes().as_slice(), id.as_bytes()].concat();
        if view
            .get(Space::Settings, &key)?
            .is_some_and(|holding| holding >= stamp)
        {
            continue;
        }
        batch.put(Space::Settings, key, stamp);
        put(batch, note, text)?;
    }
    Ok(())
}

/// The certificate on the card that a note tells of. Until it is known, the node is nobody's.
fn certificate_told(note: &HouseNote, text: &[u8]) -> Option<Verified<NodeCertificate>> {
    let card = match note.topic.kind {
        PEER => text.get(ClinicId::LEN..)?,
        NODE => text.splitn(2, |byte| *byte == b'\n').nth(1)?,
        _ => return None,
    };
    let card = Card::parse(std::str::from_utf8(card).ok()?).ok()?;
    Some(card.certificate().clone())
}

/// Puts what a note tells where it belongs.
fn put(batch: &mut Batch, note: &HouseNote, text: &[u8]) -> Result<(), ClinicError> {
    let about = NodeId::new(note.topic.about);
    if let Some(certificate) = certificate_told(note, text) {
        let hash = certificate.hash().as_bytes().to_vec();
        batch.put(Space::Certificates, hash, certificate.to_bytes());
    }
    match note.topic.kind {
        PEER => {
            let parts = text.split_first_chunk::<{ ClinicId::LEN }>();
            let (clinic, card) = parts.ok_or_else(|| ClinicError::fault("a note is too short"))?;
            let key = peer_key(&ClinicId::new(*clinic), &about);
            if card.is_empty() {
                batch.delete(Space::Peers, key);
            } else {
                batch.put(Space::Peers, key, card.to_vec());
            }
        }
        CUSTODY => {
            batch.put(
                Space::Custody,
                note.chart.as_bytes().to_vec(),
                text.to_vec(),
            );
        }
        SEALING_KEY => {
            if let Ok(secret) = <[u8; 32]>::try_from(text) {
                sealing_keys::remember(batch, &Zeroizing::new(secret));
            }
        }
        NODE => {
            let mut parts = text.splitn(2, |byte| *byte == b'\n');
            let (label, card) = (parts.next(), parts.next());
            let label = label.unwrap_or_default().to_vec();
            batch.put(Space::Settings, label_key(&about), label);
            if let Some(card) = card {
                let key = peer_key(&note.clinic, &about);
                batch.put(Space::Peers, key, card.to_vec());
            }
        }
        ORIGIN => {
            if let Some(file) = EnrolmentId::read(text) {
                origin::note(batch, &about, &file);
            }
        }
        // A newer program told more.
        _ => {}
    }
    Ok(())
}

/// Everything of a note but its text: a note that is moved elsewhere does not open.
fn context(note: &HouseNote) -> Result<Vec<u8>, ClinicError> {
    items::encode(&HouseNote {
        sealed: Vec::new(),
        ..note.clone()
    })
}

fn holding_key(note: &HouseNote) -> Vec<u8> {
    let NoteTopic { kind, about } = note.topic;
    [HOLDING, note.chart.as_bytes(), &[kind], &about].concat()
}

fn label_key(node: &NodeId) -> Vec<u8> {
    [LABEL, node.as_bytes()].concat()
}
