//! Which node belongs to which clinic, as far as certificates tell.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{ClinicId, NodeId};
use crate::identity::{NodeCertificate, Verified};

/// The nodes whose certificates are known. A set like the ledger: the order in which certificates
/// arrive does not matter.
///
/// A clinic can certify a node that is not its own, since only the clinic signs. So a node may
/// have several clinics here, and counts as a node of each: a stranger's certificate takes
/// nothing away from it, and gives it no more than the stranger could disclose anyway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CertificateBook {
    clinics: BTreeMap<NodeId, BTreeSet<ClinicId>>,
}

impl CertificateBook {
    /// A book that knows no node.
    pub fn new() -> Self {
        Self::default()
    }

    /// Enters a certificate.
    pub fn insert(&mut self, certificate: &Verified<NodeCertificate>) {
        let certificate = certificate.payload();
        self.clinics
            .entry(certificate.node)
            .or_default()
            .insert(certificate.clinic);
    }

    /// The clinics that certified this node; none when it is unknown.
    pub fn clinics(&self, node: &NodeId) -> impl Iterator<Item = ClinicId> + '_ {
        self.clinics.get(node).into_iter().flatten().copied()
    }

    /// Whether the clinic certified this node.
    pub fn belongs(&self, node: &NodeId, clinic: &ClinicId) -> bool {
        self.clinics
            .get(node)
            .is_some_and(|clinics| clinics.contains(clinic))
    }

    /// The nodes that the clinic certified, ascending.
    pub fn nodes(&self, clinic: ClinicId) -> impl Iterator<Item = NodeId> + '_ {
        let of = move |entry: &(&NodeId, &BTreeSet<ClinicId>)| entry.1.contains(&clinic);
        self.clinics.iter().filter(of).map(|(node, _)| *node)
    }
}
