//! Who could bring the content of attachments: it comes over a direct link or on a stick, and
//! through no relay.

use std::collections::BTreeSet;

use chartmesh_protocol::ChartId;

use crate::clinic::{Clinic, ClinicError, KnownPeer};
use crate::net::PeerStatus;

/// The names of those who could bring something, while none of them is connected.
pub(crate) type Absent = BTreeSet<String>;

impl Clinic {
    /// Who of the peers could bring the attachments of a chart, by name; none while one of them is
    /// connected.
    pub(crate) fn absent_givers(
        &self,
        peers: &[KnownPeer],
        chart: &ChartId,
        links: &[PeerStatus],
    ) -> Result<Option<Absent>, ClinicError> {
        let ledger = self.ledger(chart)?;
        let decision = self.decide(&ledger);
        let own = self.clinic_id();
        let may_give = |peer: &&KnownPeer| {
            !peer.is_relay() && (peer.clinic == own || decision.may_read_any(&peer.clinic))
        };
        let givers: Vec<&KnownPeer> = peers.iter().filter(may_give).collect();
        let is_here = |peer: &&KnownPeer| {
            let mut links = links.iter();
            links.any(|link| link.node == peer.node && link.state.is_open())
        };
        if givers.iter().any(is_here) {
            return Ok(None);
        }
        let name = |peer: &KnownPeer| match peer.clinic == own {
            true => format!("another node of {}", peer.name),
            false => peer.name.clone(),
        };
        Ok(Some(givers.into_iter().map(name).collect()))
    }
}

/// `Hill Clinic or River Hospital`; `a clinic that has it` where nobody is known.
pub(crate) fn named(givers: &BTreeSet<String>) -> String {
    let names: Vec<&str> = givers.iter().map(String::as_str).collect();
    match names.as_slice() {
        [] => "a clinic that has it".to_owned(),
        names => names.join(" or "),
    }
}
