//! This node itself was cut off, and knows it: it says so, takes nothing in and gives nothing.
//!
//! Nobody who has heard of it lets the node in, so whoever turns it away shows it the statement by
//! which its clinic did so. Without the clinic's signature it is nobody's word.

use chartmesh_protocol::identity::Verified;
use chartmesh_protocol::ledger::{Body, Statement};
use chartmesh_protocol::{ClinicId, NodeId};
use serde::{Deserialize, Serialize};

use crate::clinic::draft::Draft;
use crate::clinic::{Clinic, ClinicError, date};
use crate::store::Space;

/// What to do at a node that was cut off.
const WHAT_NOW: &str = "it takes nothing in and gives nothing, and what is saved here reaches \
     nobody. To go on at this computer, run `chartmesh node enroll` at another node of the \
     clinic, and `chartmesh init --enroll FILE` here with a new data folder";

/// That this node was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutOff {
    /// When, as RFC 3339.
    pub revoked: String,
    /// Why.
    pub reason: String,
}

impl CutOff {
    /// What a person is told, and what to do.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { revoked, reason } = self;
        format!("this node was cut off from its clinic on {revoked} ({reason}): {WHAT_NOW}")
    }
}

impl Clinic {
    /// Whether this node itself was cut off, as far as it knows.
    #[must_use]
    pub fn own_end(&self) -> Option<CutOff> {
        let certificates = self.certificates_read();
        let revocation = certificates.revocation(&self.clinic_id(), &self.node_id())?;
        Some(CutOff {
            revoked: date::moment(revocation.revoked_ms),
            reason: revocation.reason.clone(),
        })
    }

    /// Refuses what a node that was cut off does no more.
    ///
    /// # Errors
    /// [`ClinicError::Refused`], with what to do instead.
    pub fn check_own_end(&self) -> Result<(), ClinicError> {
        match self.own_end() {
            Some(end) => Err(ClinicError::refused(end.words())),
            None => Ok(()),
        }
    }

    /// Whether this node knows that it was cut off.
    pub(crate) fn has_ended(&self) -> bool {
        self.is_cut_off(&self.clinic_id(), &self.node_id())
    }

    /// Takes in the statement by which this node was cut off. What is anything else, or is signed
    /// by anybody else, is nothing.
    pub(crate) fn take_own_revocation(&self, bytes: &[u8]) -> Result<(), ClinicError> {
        let Ok(statement) = Verified::<Statement>::decode(bytes) else {
            return Ok(());
        };
        let Body::NodeRevocation(revocation) = statement.body() else {
            return Ok(());
        };
        let of = (revocation.clinic, revocation.node);
        if of != (self.clinic_id(), self.node_id()) || self.has_ended() {
            return Ok(());
        }
        tracing::error!(
            "this node was cut off from its clinic: `chartmesh status` says what to do"
        );
        let mut draft = Draft::default();
        draft.statement(&statement);
        self.file(draft)?;
        Ok(())
    }

    /// The statement by which a clinic has cut a node off.
    pub(crate) fn revocation_bytes(&self, clinic: &ClinicId, node: &NodeId) -> Option<Vec<u8>> {
        let kept = self.store.scan_prefix(Space::Certificates, &[]).flatten();
        let mut found = kept.filter_map(|(_, bytes)| {
            let statement = Verified::<Statement>::recall(&bytes).ok()?;
            let Body::NodeRevocation(one) = statement.body() else {
                return None;
            };
            ((one.clinic, one.node) == (*clinic, *node)).then(|| bytes.to_vec())
        });
        found.next()
    }
}
