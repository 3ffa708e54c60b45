//! The nodes of the clinic.

use std::collections::BTreeMap;

use chartmesh_protocol::{ClinicId, NodeId};
use serde::{Deserialize, Serialize};

use crate::clinic::{Clinic, ClinicError, date, short};

/// A node of this clinic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeLine {
    /// The node.
    pub node: NodeId,
    /// What it is called; none for the clinic's first node.
    pub name: Option<String>,
    /// Whether it is this one.
    pub this: bool,
    /// When its newest certificate was issued, as RFC 3339.
    pub certified: String,
    /// When it was cut off, as RFC 3339; none while it is a node of the clinic.
    pub revoked: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Other nodes that came from the same enrolment file, while both are nodes of the clinic.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub doubles: Vec<NodeId>,
}

impl Clinic {
    /// The nodes of this clinic that this one knows of, this one first.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be read.
    pub fn nodes(&self) -> Result<Vec<NodeLine>, ClinicError> {
        let own = self.clinic_id();
        let mut lines = Vec::new();
        let certificates = self.certificates_read();
        for node in certificates.book().nodes(own) {
            let revocation = certificates.revocation(&own, &node);
            let issued = certificates
                .of_node_at(&node, &own)
                .map(|one| one.payload().issued_ms);
            let name = self.label_of(&node)?.filter(|name| !name.is_empty());
            lines.push(NodeLine {
                node,
                name,
                this: node == self.node_id(),
                certified: date::moment(issued.unwrap_or_default()),
                revoked: revocation.map(|one| date::moment(one.revoked_ms)),
                reason: revocation.map(|one| one.reason.clone()),
                doubles: Vec::new(),
            });
        }
        drop(certificates);
        let doubles = self.doubles()?;
        for line in &mut lines {
            let of = doubles.iter().find(|nodes| nodes.contains(&line.node));
            let others = of.into_iter().flatten().filter(|node| **node != line.node);
            line.doubles = others.copied().collect();
        }
        lines.sort_by_key(|line| (!line.this, line.revoked.is_some(), line.node));
        Ok(lines)
    }

    /// What tells the nodes that this one talks to from others of the same clinic: of our own
    /// clinic what each is called, and the beginning of its id. None for a clinic with one node.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be read.
    pub(crate) fn peer_labels(&self) -> Result<BTreeMap<NodeId, String>, ClinicError> {
        let own = self.clinic_id();
        let peers = self.peers()?;
        let nodes_of = |clinic: &ClinicId| peers.iter().filter(|one| one.clinic == *clinic).count();
        let mut labels = BTreeMap::new();
        for peer in &peers {
            let id = short(&peer.node);
            if peer.clinic == own {
                let name = self.label_of(&peer.node)?.filter(|name| !name.is_empty());
                let name = name.unwrap_or_else(|| "the first node".to_owned());
                labels.insert(peer.node, format!("{name}, {id}"));
            } else if nodes_of(&peer.clinic) > 1 {
                labels.insert(peer.node, format!("node {id}"));
            }
        }
        Ok(labels)
    }
}
