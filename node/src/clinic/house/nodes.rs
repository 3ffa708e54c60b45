//! The nodes of the clinic.

use chartmesh_protocol::NodeId;
use serde::{Deserialize, Serialize};

use crate::clinic::{Clinic, ClinicError, date};

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
            });
        }
        drop(certificates);
        lines.sort_by_key(|line| (!line.this, line.revoked.is_some(), line.node));
        Ok(lines)
    }
}
