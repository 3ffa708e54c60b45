//! Whether the sender of a bundle and this node know what the other holds.
//!
//! A data folder that is put back from an older copy takes a node back to where it was. Nothing
//! that was sent since would come again, if its peers went on believing it to hold that. A bundle
//! shows it in five ways; what is forgotten is owed again, and goes with the next one:
//!
//! | what the bundle says | what was put back | what is forgotten |
//! |---|---|---|
//! | another incarnation | the sender | what it holds |
//! | it has followed less of our feed than was known | the sender | what it holds above that |
//! | its digests cover less than it is believed to hold | the sender | what it holds |
//! | `after` is more than we have followed | this node | what the sender holds |
//! | a cursor in another incarnation, or beyond our feed | this node | what the sender holds |
//!
//! Only the latest word of a sender counts, and one that is for this node: see [`Word`].

use chartmesh_protocol::identity::{NodeCertificate, Verified};
use chartmesh_protocol::reconcile::{Cursor, CursorFit, Digest, FeedNumber};
use chartmesh_protocol::sync::bundle::Opening;
use chartmesh_protocol::sync::{Holdings, ItemKind, Peer};
use chartmesh_protocol::{ClinicId, NodeId};
use serde::{Deserialize, Serialize};

use crate::clinic::peer_book::Word;
use crate::clinic::{Clinic, ClinicError, PeerStore, Replica};

/// A node that made a bundle, and who of the two lacks what the other took it to hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutOfStep {
    /// The clinic that made the bundle.
    pub clinic: ClinicId,
    /// Its name.
    pub name: String,
    /// Its node.
    pub node: NodeId,
    /// It takes this node to hold what is not here, and that is not in the bundle.
    pub lacking_here: bool,
    /// It lacks what was known here to be there.
    pub lacking_there: bool,
}

/// What one bundle shows of both sides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) lacking_here: bool,
    pub(super) lacking_there: bool,
}

impl Step {
    /// Takes in what the sender says of its store, before anything of the bundle is filed. None for
    /// a bundle that was made for another node of this clinic.
    pub(super) fn begin(
        clinic: &Clinic,
        replica: &Replica,
        opening: &Opening,
    ) -> Result<(Self, Option<Word>), ClinicError> {
        let mut step = Self::default();
        if is_for_another_node(clinic, opening) {
            return Ok((step, None));
        }
        let certificate = opening.certificate.payload();
        let before = clinic.peer_note(&certificate.node)?.incarnation;
        let word = replica.wrote(&Peer {
            clinic: certificate.clinic,
            node: certificate.node,
            certificate: opening.certificate.hash(),
            incarnation: opening.incarnation,
            time: opening.time,
        })?;
        if word == Word::News {
            step.lacking_there = before != 0 && before != opening.incarnation.value();
            step.hear(replica, opening)?;
            if step.lacking_there {
                clinic.forget_said(&certificate.node)?;
            }
        }
        Ok((step, Some(word)))
    }

    /// The sender says how far it has followed our feed.
    fn hear(&mut self, replica: &Replica, opening: &Opening) -> Result<(), ClinicError> {
        let held = replica.held_by_peer();
        match Cursor::fit(opening.cursor, replica.incarnation(), replica.newest()) {
            CursorFit::Within(number) if number == held => Ok(()),
            CursorFit::Within(number) => {
                self.lacking_there |= number < held;
                replica.peer_holds(number)
            }
            CursorFit::OtherIncarnation => replica.book.forget_held(),
            CursorFit::Ahead(seen) => {
                replica.store_is_behind(seen)?;
                replica.book.forget_held()
            }
        }
    }

    /// Every part has been filed: compares what the sender holds with what it is believed to hold.
    pub(super) fn end(
        &mut self,
        clinic: &Clinic,
        replica: &Replica,
        opening: &Opening,
        word: Word,
    ) -> Result<(), ClinicError> {
        if word == Word::OtherStore {
            return Ok(());
        }
        let is_equal = word.is_latest() && replica.digests() == opening.digests;
        let followed = replica.cursor();
        advance(replica, opening, is_equal)?;
        if is_equal {
            let owed = replica.owed(replica.held_by_peer());
            let owed: Vec<FeedNumber> = owed.iter().map(|entry| entry.feed).collect();
            replica.acknowledged(&owed)?;
            *self = Self::default();
            return replica.confirmed();
        }
        if word.is_latest() {
            // A new incarnation of a store has the beginning of its feed in common with the old
            // one.
            let followed = followed.map_or(FeedNumber::START, |cursor| cursor.number);
            self.lacking_here = opening.after > followed;
            let is_less = holds_less(replica, opening, self.lacking_here);
            self.lacking_there |= is_less;
            if self.lacking_here || is_less {
                replica.book.forget_held()?;
            }
            if is_less {
                clinic.forget_said(&opening.certificate.payload().node)?;
            }
        }
        Ok(())
    }
}

/// Whether a bundle was made for another node of this clinic, as far as that can be told.
fn is_for_another_node(clinic: &Clinic, opening: &Opening) -> bool {
    let certificate = opening.known.and_then(|hash| clinic.certificate(&hash));
    let certificate = certificate.and_then(|one| Verified::<NodeCertificate>::decode(&one).ok());
    certificate.is_some_and(|one| one.payload().node != clinic.node_id())
}

/// Whether the sender cannot hold all that it is believed to hold. Where something is still owed to
/// it, it may hold that from elsewhere, so that only a number that is too small is a proof.
fn holds_less(replica: &Replica, opening: &Opening, lacking_here: bool) -> bool {
    let owed = replica.owed(replica.held_by_peer());
    let mut believed = replica.digests();
    for entry in &owed {
        let digest = match entry.kind {
            ItemKind::Statement => &mut believed.statements,
            ItemKind::Record => &mut believed.records,
        };
        digest.remove(&replica.book.pair_key, &entry.id);
    }
    let theirs = &opening.digests;
    let is_fewer = |theirs: Digest, believed: Digest| theirs.count() < believed.count();
    is_fewer(theirs.statements, believed.statements)
        || is_fewer(theirs.records, believed.records)
        || (owed.is_empty() && !lacking_here)
}

/// Moves the cursor when it reaches to where the bundle begins, or the stores are equal.
fn advance(replica: &Replica, opening: &Opening, is_equal: bool) -> Result<(), ClinicError> {
    let followed = replica
        .cursor()
        .filter(|cursor| cursor.incarnation == opening.incarnation)
        .map_or(FeedNumber::START, |cursor| cursor.number);
    if (is_equal || opening.after <= followed) && followed < opening.newest {
        replica.advance(Cursor {
            incarnation: opening.incarnation,
            number: opening.newest,
        })?;
    }
    Ok(())
}
