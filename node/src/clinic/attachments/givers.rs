//! Who could bring the content of attachments: over a direct link, on a stick, or through a relay.

use std::collections::BTreeSet;

use chartmesh_protocol::ClinicId;
use chartmesh_protocol::attachment::AttachmentPlace;
use serde::{Deserialize, Serialize};

use crate::clinic::share::tags;
use crate::clinic::{Clinic, ClinicError, KnownPeer};
use crate::net::PeerStatus;

/// Who could bring something, while none of them is connected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// Their names.
    pub waits_for: BTreeSet<String>,
    /// The relay through which it is asked for, where one may carry it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub through: Option<String>,
}

impl Absent {
    /// What is waited for of both. A relay that carries only one of them is not named.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.waits_for.extend(other.waits_for);
        self.through = self.through.filter(|_| other.through.is_some());
        self
    }

    /// `Hill Clinic or River Hospital`; `a clinic that has it` where nobody is known.
    pub(crate) fn named(&self) -> String {
        let names: Vec<&str> = self.waits_for.iter().map(String::as_str).collect();
        match names.as_slice() {
            [] => "a clinic that has it".to_owned(),
            names => names.join(" or "),
        }
    }
}

impl Clinic {
    /// Who of the peers could bring the attachments of a compartment; none while one of them is
    /// connected.
    pub(crate) fn absent_givers(
        &self,
        peers: &[KnownPeer],
        place: &AttachmentPlace,
        links: &[PeerStatus],
    ) -> Result<Option<Absent>, ClinicError> {
        let ledger = self.ledger(&place.chart)?;
        let decision = self.decide(&ledger);
        let own = self.clinic_id();
        let names = tags(self, &ledger);
        let compartment = names.get(&place.compartment);
        let reads = |clinic: &ClinicId| match compartment {
            Some(name) => decision.may_read(clinic, name),
            None => decision.may_read_any(clinic),
        };
        let may_give =
            |peer: &&KnownPeer| !peer.is_relay() && (peer.clinic == own || reads(&peer.clinic));
        let givers: Vec<&KnownPeer> = peers.iter().filter(may_give).collect();
        let is_here = |peer: &&KnownPeer| {
            let mut links = links.iter();
            links.any(|link| link.node == peer.node && link.state.is_open())
        };
        if givers.iter().any(is_here) {
            return Ok(None);
        }
        let through = compartment.and_then(|name| {
            let may_give =
                |peer: &&&KnownPeer| peer.clinic != own && decision.may_read(&peer.clinic, name);
            let is_asked =
                givers.iter().any(|peer| may_give(&peer)) && decision.may_read(&own, name);
            let carries =
                |peer: &&KnownPeer| peer.is_relay() && decision.may_relay(&peer.clinic, name);
            peers.iter().find(carries).filter(|_| is_asked)
        });
        let name = |peer: &KnownPeer| match peer.clinic == own {
            true => format!("another node of {}", peer.name),
            false => peer.name.clone(),
        };
        Ok(Some(Absent {
            waits_for: givers.into_iter().map(name).collect(),
            through: through.map(|relay| relay.name.clone()),
        }))
    }
}
