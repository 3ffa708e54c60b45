//! Certificates of nodes and users: our own, the peers', and those that came with charts; and the
//! revocations of nodes.

use std::collections::BTreeMap;

use chartmesh_protocol::identity::{NodeCertificate, UserCertificate, Verified};
use chartmesh_protocol::ledger::{Body, CertificateBook, NodeRevocation, Statement};
use chartmesh_protocol::seal::SealedRecord;
use chartmesh_protocol::sync::ItemKind;
use chartmesh_protocol::{CertificateHash, ClinicId, NodeId, SealingPublic, UserId};

use super::items::Stored;
use super::{Clinic, ClinicError};
use crate::store::{Batch, Space, Store};

/// Every certificate that is known, verified.
#[derive(Default)]
pub(crate) struct Certificates {
    book: CertificateBook,
    nodes: Vec<Verified<NodeCertificate>>,
    users: Vec<Verified<UserCertificate>>,
    /// Nodes that their clinics have cut off.
    cut_off: BTreeMap<(ClinicId, NodeId), NodeRevocation>,
}

/// A certificate of either kind.
enum Known {
    Node(Verified<NodeCertificate>),
    User(Verified<UserCertificate>),
}

impl Known {
    fn read(bytes: &[u8]) -> Result<Self, ClinicError> {
        match (Verified::decode(bytes), Verified::decode(bytes)) {
            (Ok(node), _) => Ok(Self::Node(node)),
            (Err(_), Ok(user)) => Ok(Self::User(user)),
            (Err(error), Err(_)) => Err(ClinicError::usage(error.to_string())),
        }
    }

    fn hash(&self) -> CertificateHash {
        match self {
            Self::Node(node) => node.hash(),
            Self::User(user) => user.hash(),
        }
    }
}

impl Certificates {
    /// Reads every certificate of the store.
    pub(crate) fn read(store: &Store) -> Result<Self, ClinicError> {
        let mut all = Self::default();
        for pair in store.scan_prefix(Space::Certificates, &[]) {
            let (_, bytes) = pair?;
            // Checked when it was kept; what does not read gives no right, so it may be absent.
            if let Ok(known) = Known::read(&bytes) {
                all.insert(known);
            } else if let Ok(statement) = Verified::<Statement>::recall(&bytes)
                && let Body::NodeRevocation(revocation) = statement.body()
            {
                all.cut_off(revocation);
            }
        }
        Ok(all)
    }

    fn insert(&mut self, known: Known) {
        match known {
            Known::Node(node) => {
                self.book.insert(&node);
                self.nodes.push(node);
            }
            Known::User(user) => self.users.push(user),
        }
    }

    /// A certificate of a node is known from now on.
    pub(crate) fn know(&mut self, certificate: Verified<NodeCertificate>) {
        let hash = certificate.hash();
        if self.nodes.iter().all(|known| known.hash() != hash) {
            self.insert(Known::Node(certificate));
        }
    }

    /// A clinic has cut a node off. Of several revocations of one node the first one says why.
    pub(crate) fn cut_off(&mut self, revocation: &NodeRevocation) {
        let place = (revocation.clinic, revocation.node);
        let known = self.cut_off.entry(place);
        let known = known.or_insert_with(|| revocation.clone());
        let age = |one: &NodeRevocation| (one.revoked_ms, one.sealing);
        if age(revocation) < age(known) {
            *known = revocation.clone();
        }
    }

    /// By what a clinic has cut a node off; none while it is a node of the clinic.
    pub(crate) fn revocation(&self, clinic: &ClinicId, node: &NodeId) -> Option<&NodeRevocation> {
        self.cut_off.get(&(*clinic, *node))
    }

    /// Every revocation of a node that is known.
    pub(crate) fn revocations(&self) -> impl Iterator<Item = &NodeRevocation> {
        self.cut_off.values()
    }

    /// Where keys for a clinic are to be wrapped to: what its latest revocation of a node says,
    /// else its newest certificate.
    pub(crate) fn sealing_of(&self, clinic: &ClinicId) -> Option<SealingPublic> {
        let mine = self.cut_off.values().filter(|one| one.clinic == *clinic);
        let latest = mine.max_by_key(|one| (one.revoked_ms, one.sealing));
        let newest = || Some(self.of_clinic(clinic)?.payload().sealing);
        latest.map(|one| one.sealing).or_else(newest)
    }

    /// Which node belongs to which clinic.
    pub(crate) fn book(&self) -> &CertificateBook {
        &self.book
    }

    /// How many certificates of nodes are known.
    pub(crate) fn nodes_known(&self) -> u64 {
        u64::try_from(self.nodes.len()).unwrap_or(u64::MAX)
    }

    /// The newest certificate that a clinic gave to any of its nodes.
    pub(crate) fn of_clinic(&self, clinic: &ClinicId) -> Option<&Verified<NodeCertificate>> {
        let mine = self
            .nodes
            .iter()
            .filter(|one| one.payload().clinic == *clinic);
        mine.max_by_key(|one| (one.payload().serial, one.payload().issued_ms))
    }

    /// The newest certificate that a clinic gave to a node.
    pub(crate) fn of_node_at(
        &self,
        node: &NodeId,
        clinic: &ClinicId,
    ) -> Option<&Verified<NodeCertificate>> {
        let mine = self.nodes.iter().filter(|one| {
            let one = one.payload();
            (one.node, one.clinic) == (*node, *clinic)
        });
        mine.max_by_key(|one| (one.payload().serial, one.payload().issued_ms))
    }

    /// The newest certificate of a node.
    pub(crate) fn of_node(&self, node: &NodeId) -> Option<&Verified<NodeCertificate>> {
        let mine = self.nodes.iter().filter(|one| one.payload().node == *node);
        mine.max_by_key(|one| (one.payload().serial, one.payload().issued_ms))
    }

    /// The certificate of a user.
    pub(crate) fn of_user(&self, user: &UserId) -> Option<&Verified<UserCertificate>> {
        self.users.iter().find(|one| one.payload().user == *user)
    }

    /// The certificates that a clinic gave to both an author's node and its user.
    pub(crate) fn of_author(
        &self,
        node: &NodeId,
        user: &UserId,
    ) -> Option<(&Verified<NodeCertificate>, &Verified<UserCertificate>)> {
        let user = self.of_user(user)?;
        let node = self.of_node_at(node, &user.payload().clinic)?;
        Some((node, user))
    }

    /// What a receiver needs to verify what these nodes signed and their users wrote, and to wrap
    /// keys to these clinics.
    fn needed(&self, nodes: &[NodeId], clinics: &[ClinicId]) -> Vec<CertificateHash> {
        let wanted = |one: &&Verified<NodeCertificate>| {
            nodes.contains(&one.payload().node) || clinics.contains(&one.payload().clinic)
        };
        let signed = |one: &&Verified<UserCertificate>| {
            nodes
                .iter()
                .any(|node| self.book.belongs(node, &one.payload().clinic))
        };
        let nodes = self.nodes.iter().filter(wanted).map(|one| one.hash());
        nodes
            .chain(self.users.iter().filter(signed).map(|one| one.hash()))
            .collect()
    }
}

impl Clinic {
    /// Keeps a certificate that holds. It gives no right: the ledger does. Returns its name.
    pub(crate) fn keep_certificate(&self, bytes: &[u8]) -> Result<CertificateHash, ClinicError> {
        let known = Known::read(bytes)?;
        let hash = known.hash();
        if self.store.contains(Space::Certificates, hash.as_bytes())? {
            return Ok(hash);
        }
        let mut batch = Batch::new();
        batch.put(
            Space::Certificates,
            hash.as_bytes().to_vec(),
            bytes.to_vec(),
        );
        self.store.commit(batch)?;
        self.certificates_write().insert(known);
        Ok(hash)
    }

    /// The bytes of a certificate.
    pub(crate) fn certificate(&self, hash: &CertificateHash) -> Option<Vec<u8>> {
        self.store
            .get(Space::Certificates, hash.as_bytes())
            .ok()
            .flatten()
    }

    /// The certificates that go ahead of an item.
    pub(crate) fn certificates_for(&self, item: &Stored) -> Vec<CertificateHash> {
        let (mut nodes, mut clinics) = (Vec::new(), Vec::new());
        match item.kind {
            ItemKind::Record => {
                nodes.extend(SealedRecord::decode(&item.bytes).map(|one| one.header().author));
            }
            ItemKind::Statement => {
                if let Ok(statement) = Verified::<Statement>::recall(&item.bytes) {
                    clinics.extend(statement.body().party());
                    if let Body::Epoch(_) = statement.body() {
                        nodes.push(NodeId::new(*statement.payload().signer().as_bytes()));
                    }
                }
            }
        }
        self.certificates_read().needed(&nodes, &clinics)
    }
}
