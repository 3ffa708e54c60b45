//! The clinics that this one talks to: their cards.
//!
//! ```text
//! Peers  clinic 32 -> the card's line
//! ```

use std::collections::BTreeMap;

use chartmesh_protocol::identity::{Card, NodeRole};
use chartmesh_protocol::{ClinicId, NodeId, SealingPublic};
use serde::{Deserialize, Serialize};

use super::{Clinic, ClinicError};
use crate::store::{Batch, Space};

/// A clinic that this one talks to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownPeer {
    /// The clinic.
    pub clinic: ClinicId,
    /// Its node.
    pub node: NodeId,
    /// Its name, from its card.
    pub name: String,
    /// What its node is there for: `clinic` or `relay`.
    #[serde(default = "clinic_role")]
    pub role: String,
    /// Its addresses, from its card.
    pub addresses: Vec<String>,
}

/// This clinic's card, as other clinics need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnCard {
    /// The clinic.
    pub clinic_id: ClinicId,
    /// Its node.
    pub node_id: NodeId,
    /// The key that chart keys are wrapped to.
    pub sealing_key: String,
    /// The clinic's name.
    pub name: String,
    /// Where the node is reached.
    pub addresses: Vec<String>,
    /// One line of text that `peer add` takes.
    pub card: String,
}

const RELAY: &str = "relay";

fn clinic_role() -> String {
    "clinic".to_owned()
}

impl KnownPeer {
    /// Whether its node stores and forwards what it cannot read.
    #[must_use]
    pub fn is_relay(&self) -> bool {
        self.role == RELAY
    }

    fn of(card: &Card) -> Self {
        Self {
            clinic: card.clinic(),
            node: card.certificate().payload().node,
            name: card.name().to_owned(),
            role: match card.certificate().payload().role {
                NodeRole::Clinic => clinic_role(),
                NodeRole::Relay => RELAY.to_owned(),
            },
            addresses: card.addresses().to_vec(),
        }
    }
}

impl Clinic {
    /// This clinic's card, with the addresses that are known now.
    ///
    /// # Errors
    /// [`ClinicError::Usage`] when the name or the addresses do not fit a card.
    pub fn own_card(&self) -> Result<OwnCard, ClinicError> {
        let addresses = self.addresses()?;
        let identity = &self.identity;
        let card = Card::issue(
            &identity.clinic,
            &self.name,
            &identity.certificate,
            &addresses,
        )
        .map_err(|error| ClinicError::usage(error.to_string()))?;
        Ok(OwnCard {
            clinic_id: identity.clinic_id(),
            node_id: identity.node_id(),
            sealing_key: identity.certificate.payload().sealing.to_string(),
            name: self.name.clone(),
            addresses,
            card: card.to_line(),
        })
    }

    /// Talks to a clinic from now on. A newer card of a known clinic takes the older one's place.
    ///
    /// # Errors
    /// [`ClinicError::Usage`] for a card that is damaged, forged or our own.
    pub fn add_peer(&self, line: &str) -> Result<KnownPeer, ClinicError> {
        let card = Card::parse(line).map_err(|error| ClinicError::usage(error.to_string()))?;
        if card.clinic() == self.identity.clinic_id() {
            return Err(ClinicError::usage("this is the card of this clinic itself"));
        }
        let peer = KnownPeer::of(&card);
        let certificate = card.certificate();
        self.keep_certificate(&certificate.to_bytes())?;
        let mut batch = Batch::new();
        batch.put(
            Space::Peers,
            peer.clinic.as_bytes().to_vec(),
            card.to_line().into_bytes(),
        );
        self.store.commit(batch)?;
        Ok(peer)
    }

    /// Talks to a clinic no more. Its grants stay.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] when no such clinic is known.
    pub fn remove_peer(&self, id: &str) -> Result<KnownPeer, ClinicError> {
        let peer = self.find_peer(id)?;
        let mut batch = Batch::new();
        batch.delete(Space::Peers, peer.clinic.as_bytes().to_vec());
        self.store.commit(batch)?;
        Ok(peer)
    }

    /// The clinics that this one talks to, by name.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be read.
    pub fn peers(&self) -> Result<Vec<KnownPeer>, ClinicError> {
        let mut peers: Vec<KnownPeer> = self.cards()?.iter().map(KnownPeer::of).collect();
        peers.sort_by(|a, b| (&a.name, a.clinic).cmp(&(&b.name, b.clinic)));
        Ok(peers)
    }

    /// The names of this clinic and of those that it talks to.
    pub(crate) fn clinic_names(&self) -> Result<BTreeMap<ClinicId, String>, ClinicError> {
        let mut names: BTreeMap<ClinicId, String> = self
            .peers()?
            .into_iter()
            .map(|peer| (peer.clinic, peer.name))
            .collect();
        names.insert(self.clinic_id(), self.name().to_owned());
        Ok(names)
    }

    /// The clinics to dial; none when the store cannot be read, which the log then says.
    pub(crate) fn known_peers(&self) -> Vec<KnownPeer> {
        self.peers().unwrap_or_else(|error| {
            tracing::error!(%error, "the known clinics cannot be read");
            Vec::new()
        })
    }

    /// The clinic whose id is, or begins with, `id`.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] or [`ClinicError::Ambiguous`].
    pub fn find_peer(&self, id: &str) -> Result<KnownPeer, ClinicError> {
        let wanted = id.trim().to_ascii_lowercase();
        let mut found: Vec<KnownPeer> = self
            .peers()?
            .into_iter()
            .filter(|peer| !wanted.is_empty() && peer.clinic.to_string().starts_with(&wanted))
            .collect();
        match found.len() {
            0 => Err(ClinicError::NotFound {
                what: "clinic",
                look: "peer list",
            }),
            1 => Ok(found.remove(0)),
            count => Err(ClinicError::Ambiguous {
                what: "clinics",
                count,
            }),
        }
    }

    /// The sealing key of a clinic: from its card, else from a certificate that came with a chart.
    pub(crate) fn sealing_key_of(
        &self,
        clinic: &ClinicId,
    ) -> Result<Option<SealingPublic>, ClinicError> {
        if *clinic == self.identity.clinic_id() {
            return Ok(Some(self.identity.sealing.public()));
        }
        let card = self
            .cards()?
            .into_iter()
            .find(|card| card.clinic() == *clinic);
        if let Some(card) = card {
            return Ok(Some(card.certificate().payload().sealing));
        }
        let certificates = self.certificates_read();
        Ok(certificates
            .of_clinic(clinic)
            .map(|newest| newest.payload().sealing))
    }

    /// Whether a clinic is among those that this one talks to.
    pub(crate) fn talks_to(&self, clinic: &ClinicId) -> bool {
        self.store
            .contains(Space::Peers, clinic.as_bytes())
            .unwrap_or(false)
    }

    pub(super) fn cards(&self) -> Result<Vec<Card>, ClinicError> {
        let mut cards = Vec::new();
        for pair in self.store.scan_prefix(Space::Peers, &[]) {
            let (_, line) = pair?;
            let card = std::str::from_utf8(&line)
                .ok()
                .and_then(|line| Card::parse(line).ok());
            // Checked when it was added; one that no longer reads is as good as absent.
            cards.extend(card);
        }
        Ok(cards)
    }
}
