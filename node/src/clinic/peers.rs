//! The clinics that this one talks to: their cards.
//!
//! ```text
//! Peers  clinic 32 | node 32  -> the card's line
//! Peers  clinic 32            -> the same, as it was written when a clinic had one node
//! ```

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use chartmesh_protocol::identity::{Card, NodeRole};
use chartmesh_protocol::{ClinicId, NodeId, SealingPublic};
use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::house::notes::Told;
use super::short::short;
use super::{Clinic, ClinicError, reach};
use crate::store::Space;

/// A clinic that this one talks to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownPeer {
    /// The clinic.
    pub clinic: ClinicId,
    /// Its node.
    pub node: NodeId,
    /// Its name, from its card; with the beginning of its id where another clinic is called so.
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

    pub(super) fn of(card: &Card) -> Self {
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
        let certificate = identity.certificate();
        let card = Card::issue(&identity.clinic, &self.name, &certificate, &addresses)
            .map_err(|error| ClinicError::usage(error.to_string()))?;
        Ok(OwnCard {
            clinic_id: identity.clinic_id(),
            node_id: identity.node_id(),
            sealing_key: certificate.payload().sealing.to_string(),
            name: self.name.clone(),
            addresses,
            card: card.to_line(),
        })
    }

    /// Talks to a clinic's node from now on. A newer card of a known node takes the older one's
    /// place.
    ///
    /// # Errors
    /// [`ClinicError::Usage`] for a card that is damaged, forged or this node's own,
    /// [`ClinicError::Refused`] for one of a node that its clinic has cut off.
    pub fn add_peer(&self, line: &str) -> Result<KnownPeer, ClinicError> {
        let card = Card::parse(line).map_err(|error| ClinicError::usage(error.to_string()))?;
        let peer = KnownPeer::of(&card);
        if peer.node == self.node_id() {
            return Err(ClinicError::usage("this is the card of this node itself"));
        }
        if self.is_cut_off(&peer.clinic, &peer.node) {
            return Err(ClinicError::refused(
                "its clinic has cut this node off: ask the clinic for the card of another one",
            ));
        }
        self.keep_certificate(&card.certificate().to_bytes())?;
        let line = card.to_line();
        let mut draft = Draft::default();
        draft
            .batch
            .delete(Space::Peers, peer.clinic.as_bytes().to_vec());
        for other in self
            .cards()?
            .iter()
            .filter(|one| one.clinic() == peer.clinic)
        {
            // The card of another node of the clinic, as it was kept when a clinic had one.
            let key = peer_key(&peer.clinic, &other.certificate().payload().node);
            draft
                .batch
                .put(Space::Peers, key, other.to_line().into_bytes());
        }
        draft.batch.put(
            Space::Peers,
            peer_key(&peer.clinic, &peer.node),
            line.clone().into_bytes(),
        );
        let told = Told::Peer(peer.clinic, peer.node, Some(&line));
        self.tell_house(&mut draft, &told)?;
        self.file(draft)?;
        let mut all = self.peers()?.into_iter();
        Ok(all.find(|one| one.node == peer.node).unwrap_or(peer))
    }

    /// Talks to a clinic, or to one node of it, no more. Its grants stay.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] when no such clinic is known.
    pub fn remove_peer(&self, id: &str) -> Result<KnownPeer, ClinicError> {
        let mut found = self.find_peers(id)?;
        let mut draft = Draft::default();
        for peer in &found {
            draft
                .batch
                .delete(Space::Peers, peer.clinic.as_bytes().to_vec())
                .delete(Space::Peers, peer_key(&peer.clinic, &peer.node));
            let told = Told::Peer(peer.clinic, peer.node, None);
            self.tell_house(&mut draft, &told)?;
        }
        self.file(draft)?;
        Ok(found.remove(0))
    }

    /// The clinics that this one talks to, by name.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be read.
    pub fn peers(&self) -> Result<Vec<KnownPeer>, ClinicError> {
        let mut peers: Vec<KnownPeer> = self.cards()?.iter().map(KnownPeer::of).collect();
        self.tell_apart(&mut peers);
        peers.sort_by(|a, b| (&a.name, a.clinic, a.node).cmp(&(&b.name, b.clinic, b.node)));
        Ok(peers)
    }

    /// Puts the beginning of its id behind the name of each clinic that is called as another one
    /// is, or as this one.
    fn tell_apart(&self, peers: &mut [KnownPeer]) {
        let mut names: Vec<(ClinicId, String)> = peers
            .iter()
            .map(|peer| (peer.clinic, peer.name.clone()))
            .collect();
        names.push((self.clinic_id(), self.name().to_owned()));
        for peer in peers {
            let is_other = |(clinic, name): &(ClinicId, String)| {
                *clinic != peer.clinic && reach::is_same(name, &peer.name)
            };
            if names.iter().any(is_other) {
                peer.name = format!("{} ({})", peer.name, short(&peer.clinic));
            }
        }
    }

    /// The name on the card of a node.
    pub(super) fn bare_name(&self, node: &NodeId) -> Result<Option<String>, ClinicError> {
        let mut cards = self.cards()?.into_iter();
        let card = cards.find(|card| card.certificate().payload().node == *node);
        Ok(card.map(|card| card.name().to_owned()))
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

    /// The clinics to dial; none when this node was cut off, or when the store cannot be read,
    /// which the log then says.
    pub(crate) fn known_peers(&self) -> Vec<KnownPeer> {
        if self.has_ended() {
            return Vec::new();
        }
        self.peers().unwrap_or_else(|error| {
            tracing::error!(%error, "the known clinics cannot be read");
            Vec::new()
        })
    }

    /// The clinic, or the node of one, whose id is, or begins with, `id`. Of a clinic with several
    /// nodes, the one with the smallest id.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] or [`ClinicError::Ambiguous`].
    pub fn find_peer(&self, id: &str) -> Result<KnownPeer, ClinicError> {
        Ok(self.find_peers(id)?.remove(0))
    }

    /// The nodes of the one clinic whose id begins with `id`, or the one node; at least one.
    fn find_peers(&self, id: &str) -> Result<Vec<KnownPeer>, ClinicError> {
        let wanted = id.trim().to_ascii_lowercase();
        let begins = |id: String| !wanted.is_empty() && id.starts_with(&wanted);
        let peers = self.peers()?;
        let of_clinic = peers.iter().filter(|peer| begins(peer.clinic.to_string()));
        let of_node = peers.iter().filter(|peer| begins(peer.node.to_string()));
        let mut found: Vec<KnownPeer> = of_clinic.chain(of_node).cloned().collect();
        found.sort_by_key(|peer| (peer.clinic, peer.node));
        found.dedup();
        let mut clinics: Vec<ClinicId> = found.iter().map(|peer| peer.clinic).collect();
        clinics.dedup();
        ClinicError::only(clinics, ("clinic", "clinics"), "peer list")?;
        Ok(found)
    }

    /// The key that chart keys of a clinic are wrapped to: what it says itself, on its card or in a
    /// certificate that came with a chart.
    pub(crate) fn sealing_key_of(
        &self,
        clinic: &ClinicId,
    ) -> Result<Option<SealingPublic>, ClinicError> {
        if *clinic == self.identity.clinic_id() {
            return Ok(Some(self.own_sealing()));
        }
        let known = self.certificates_read().sealing_of(clinic);
        if known.is_some() {
            return Ok(known);
        }
        let mut cards = self.cards()?.into_iter();
        let card = cards.find(|card| card.clinic() == *clinic);
        Ok(card.map(|card| card.certificate().payload().sealing))
    }

    /// The key that this clinic's own keys are wrapped to.
    pub(crate) fn own_sealing(&self) -> SealingPublic {
        let own = self.clinic_id();
        let told = self.certificates_read().sealing_of(&own);
        // One that this node does not have is of no use to it.
        told.filter(|told| self.identity.sealing.find(told).is_some())
            .unwrap_or_else(|| self.identity.certificate().payload().sealing)
    }

    /// Whether a clinic is among those that this one talks to.
    pub(crate) fn talks_to(&self, clinic: &ClinicId) -> bool {
        let mut cards = self.store.keys(Space::Peers, clinic.as_bytes());
        *clinic == self.clinic_id() || cards.next().is_some_and(|key| key.is_ok())
    }

    /// Counts changes of whom this node talks to that came by themselves.
    pub(crate) fn peer_list(&self) -> u64 {
        self.peer_list.load(Ordering::SeqCst)
    }

    pub(super) fn cards(&self) -> Result<Vec<Card>, ClinicError> {
        let mut cards = Vec::new();
        for pair in self.store.scan_prefix(Space::Peers, &[]) {
            let (_, line) = pair?;
            let card = std::str::from_utf8(&line)
                .ok()
                .and_then(|line| Card::parse(line).ok());
            let is_other = |card: &Card| {
                let node = card.certificate().payload().node;
                node != self.node_id() && !self.is_cut_off(&card.clinic(), &node)
            };
            // Checked when it was added; one that no longer reads is as good as absent.
            cards.extend(card.filter(is_other));
        }
        Ok(cards)
    }
}

/// Where the card of a clinic's node stands.
pub(super) fn peer_key(clinic: &ClinicId, node: &NodeId) -> Vec<u8> {
    [clinic.as_bytes().as_slice(), node.as_bytes()].concat()
}
