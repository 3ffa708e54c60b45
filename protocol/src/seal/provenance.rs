//! That a compaction is what the authors of its records wrote.
//!
//! A node's signature is over a ciphertext, so a manifest, which lacks the ciphertexts, cannot
//! show by it what was in a record. The users' signatures can: they are over the hashes of the
//! changes, and the changes are in the save. What is checked together:
//!
//! - each author's records are there from the first to the newest that is covered, each signed by
//!   its node and linked to the one before;
//! - the changes of each author, in their order, are dealt out to the author's records, at least
//!   one to each record that holds changes, and the user of each record signed exactly those;
//! - none is left over.
//!
//! An author's changes are numbered without gaps and linked by their hashes, and a user signs only
//! what was really written. So as many signed lists without a common change as there are records
//! can only be the true lists: a compactor can neither leave a record out nor put one in, but of
//! its own clinic's users. What it may say of those is what it could have written in the first
//! place; if it says something else to others, the record itself shows it: see [`record_claim`].

use std::collections::{BTreeMap, BTreeSet};

use super::compaction::Compaction;
use super::content::changes_message;
use super::form::RecordForm;
use super::manifest::{Manifest, ManifestRecord};
use super::record::Witness;
use crate::id::{
    ChartId, ClinicId, CompartmentTag, Incarnation, NodeId, RecordId, RecordLink, Sequence, UserId,
    UserPublic,
};
use crate::identity::{
    Context, NodeCertificate, SignatureError, UserCertificate, Verified, verify,
};
use crate::ledger::{ChartSecret, CoveredRecord};

/// A change as it stands in the save of a compaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedChange {
    /// The node whose actor made it.
    pub author: NodeId,
    /// That node's incarnation.
    pub incarnation: Incarnation,
    /// Its hash.
    pub hash: [u8; 32],
    /// The user that it names.
    pub user: UserId,
    /// The role that it names.
    pub role: String,
}

/// What is wrong with a compaction or its manifest. The compactor is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum ProvenanceError {
    /// An author's record is not in the manifest, or does not follow the one before.
    #[error("its manifest lacks a record that it covers")]
    MissingRecord,
    /// The newest record of an author is not the one that is said to be covered.
    #[error("its manifest ends at another record than it covers")]
    OtherTip,
    /// Two manifests tell different things of one record.
    #[error("its manifests contradict each other")]
    Contradiction,
    /// The author's node did not sign a record.
    #[error("its manifest holds a record that its author did not sign")]
    NodeSignature,
    /// A record of changes without a user, or another one with a user.
    #[error("its manifest takes a record for something else than it is")]
    OtherForm,
    /// The save has fewer changes of an author than the records need, or more.
    #[error("it holds other changes than its records")]
    OtherChanges,
    /// The changes of one record name several users or roles.
    #[error("its manifest gives changes of several users to one record")]
    SeveralUsers,
    /// No certificate in the manifest says who the user is, at a clinic of the author's node.
    #[error("its manifest does not say who a user is")]
    UnknownUser,
    /// The user did not sign the changes of a record.
    #[error("its manifest holds changes that their user did not sign")]
    UserSignature,
    /// A certificate does not hold.
    #[error("its manifest holds a certificate that its clinic did not sign")]
    Certificate,
}

/// A compaction that is what the authors of its records wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    records: Vec<CoveredRecord>,
    vouchers: BTreeSet<Vec<ClinicId>>,
}

impl Provenance {
    /// The covered records, by author and place.
    pub fn records(&self) -> &[CoveredRecord] {
        &self.records
    }

    /// The covered records, by author and place.
    pub fn into_records(self) -> Vec<CoveredRecord> {
        self.records
    }

    /// For each author and user, the clinics that certified both. Anybody can make a clinic and
    /// certify a node that is not its own: it holds only if one of each was ever let write there.
    pub fn vouchers(&self) -> &BTreeSet<Vec<ClinicId>> {
        &self.vouchers
    }
}

/// What two who have the same record say of it, under one hash. It covers what the author's node
/// signed and the hashes of the changes, in their order; none for a record of another form.
pub fn record_claim(witness: &Witness, changes: &[[u8; 32]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&witness.signed_hash());
    hasher.update(changes.as_flattened());
    *hasher.finalize().as_bytes()
}

/// Checks a compaction of a chart's compartment against its manifests, which are all those that it
/// names. `changes` are the changes of its save, each author's in their order; that its save holds
/// nothing else, and that a document takes them, is for the caller to check.
///
/// A pure function of what the compaction itself names: everybody comes to the same result.
///
/// # Errors
/// [`ProvenanceError`] for the first fault that is found.
pub fn prove(
    chart: ChartId,
    compartment: CompartmentTag,
    secret: &ChartSecret,
    compaction: &Compaction,
    manifests: &[Manifest],
    changes: &[SavedChange],
) -> Result<Provenance, ProvenanceError> {
    let certificates = Certificates::of(manifests)?;
    let mut known: BTreeMap<Stream, BTreeMap<Sequence, ManifestRecord>> = BTreeMap::new();
    for record in manifests
        .iter()
        .flat_map(|manifest| manifest.records(chart, compartment))
    {
        let header = &record.witness.header;
        let stream = known
            .entry((header.author, header.place.incarnation))
            .or_default();
        let before = stream.insert(header.place.sequence, record);
        if before.is_some_and(|before| before != record) {
            return Err(ProvenanceError::Contradiction);
        }
    }
    let mut by_author: BTreeMap<Stream, Vec<&SavedChange>> = BTreeMap::new();
    for change in changes {
        let stream = (change.author, change.incarnation);
        by_author.entry(stream).or_default().push(change);
    }
    let mut proof = Proof {
        chart,
        secret,
        certificates,
        proven: Provenance {
            records: Vec::new(),
            vouchers: BTreeSet::new(),
        },
    };
    for tip in &compaction.coverage {
        let stream = (tip.author, tip.incarnation);
        let records = known.remove(&stream).unwrap_or_default();
        let changes = by_author.remove(&stream).unwrap_or_default();
        let last = proof.take_stream(records, tip.sequence, &changes)?;
        if last != tip.record {
            return Err(ProvenanceError::OtherTip);
        }
    }
    if by_author.is_empty() {
        Ok(proof.proven)
    } else {
        Err(ProvenanceError::OtherChanges)
    }
}

type Stream = (NodeId, Incarnation);

/// A proof on its way.
struct Proof<'a> {
    chart: ChartId,
    secret: &'a ChartSecret,
    certificates: Certificates,
    proven: Provenance,
}

impl Proof<'_> {
    /// Takes in one author's records up to the newest that is covered, and returns its id.
    fn take_stream(
        &mut self,
        records: BTreeMap<Sequence, ManifestRecord>,
        newest: Sequence,
        mut changes: &[&SavedChange],
    ) -> Result<RecordId, ProvenanceError> {
        let mut next = Some((Sequence::new(0), RecordLink::FIRST));
        let mut last = None;
        for (sequence, record) in records.range(..=newest) {
            let witness = &record.witness;
            if next != Some((*sequence, witness.header.place.previous)) {
                return Err(ProvenanceError::MissingRecord);
            }
            next = sequence.next().map(|after| (after, witness.id.link()));
            last = Some((*sequence, witness.id));
            let count = record.word.map_or(0, |word| word.changes);
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            let (mine, rest) = changes
                .split_at_checked(count)
                .ok_or(ProvenanceError::OtherChanges)?;
            changes = rest;
            self.take_record(record, mine)?;
        }
        match last {
            Some((sequence, id)) if sequence == newest && changes.is_empty() => Ok(id),
            Some((sequence, _)) if sequence == newest => Err(ProvenanceError::OtherChanges),
            _ => Err(ProvenanceError::MissingRecord),
        }
    }

    fn take_record(
        &mut self,
        record: &ManifestRecord,
        changes: &[&SavedChange],
    ) -> Result<(), ProvenanceError> {
        let witness = &record.witness;
        let header = &witness.header;
        let form = header.form(self.secret);
        if record.word.is_some() != (form == RecordForm::Changes) {
            return Err(ProvenanceError::OtherForm);
        }
        witness
            .verify()
            .map_err(|_| ProvenanceError::NodeSignature)?;
        let hashes: Vec<[u8; 32]> = changes.iter().map(|change| change.hash).collect();
        if let (Some(word), Some((first, others))) = (record.word, changes.split_first()) {
            let same =
                |other: &&SavedChange| (other.user, &other.role) == (first.user, &first.role);
            if !others.iter().all(same) {
                return Err(ProvenanceError::SeveralUsers);
            }
            let (key, clinics) = self.certificates.user(&header.author, &first.user)?;
            let message = changes_message(&self.chart, &first.role, &hashes);
            verify(Context::CHANGES, key.as_bytes(), &message, &word.signature)
                .map_err(|_: SignatureError| ProvenanceError::UserSignature)?;
            self.proven.vouchers.insert(clinics);
        }
        self.proven.records.push(CoveredRecord {
            id: witness.id,
            author: header.author,
            incarnation: header.place.incarnation,
            sequence: header.place.sequence,
            previous: header.place.previous,
            signed: witness.signed_hash(),
            claim: record_claim(witness, &hashes),
        });
        Ok(())
    }
}

/// The certificates of all manifests, checked.
struct Certificates {
    nodes: BTreeMap<NodeId, BTreeSet<ClinicId>>,
    users: BTreeMap<UserId, (UserPublic, BTreeSet<ClinicId>)>,
}

impl Certificates {
    fn of(manifests: &[Manifest]) -> Result<Self, ProvenanceError> {
        let mut known = Self {
            nodes: BTreeMap::new(),
            users: BTreeMap::new(),
        };
        let all: BTreeSet<&[u8]> = manifests.iter().flat_map(Manifest::certificates).collect();
        for bytes in all {
            if let Ok(node) = Verified::<NodeCertificate>::decode(bytes) {
                let node = node.into_payload();
                known
                    .nodes
                    .entry(node.node)
                    .or_default()
                    .insert(node.clinic);
            } else {
                let user = Verified::<UserCertificate>::decode(bytes)
                    .map_err(|_| ProvenanceError::Certificate)?
                    .into_payload();
                let (key, clinics) = known
                    .users
                    .entry(user.user)
                    .or_insert((user.key, BTreeSet::new()));
                // A user's id is a hash of the key, but a short one.
                if *key != user.key {
                    return Err(ProvenanceError::Certificate);
                }
                clinics.insert(user.clinic);
            }
        }
        Ok(known)
    }

    /// A user's key, and the clinics that certified the user and the author's node.
    fn user(
        &self,
        author: &NodeId,
        user: &UserId,
    ) -> Result<(UserPublic, Vec<ClinicId>), ProvenanceError> {
        let unknown = ProvenanceError::UnknownUser;
        let (key, of_user) = self.users.get(user).ok_or(unknown)?;
        let of_node = self.nodes.get(author).ok_or(unknown)?;
        let both: Vec<ClinicId> = of_node.intersection(of_user).copied().collect();
        if both.is_empty() {
            return Err(unknown);
        }
        Ok((*key, both))
    }
}
