//! Who could bring the content of attachments: over a direct link, on a stick, or through a relay.

use std::collections::{BTreeMap, BTreeSet};

use chartmesh_protocol::attachment::{AttachmentName, AttachmentPlace};
use chartmesh_protocol::{ClinicId, NodeId};
use serde::{Deserialize, Serialize};

use super::saved::Saved;
use crate::clinic::share::tags;
use crate::clinic::{Clinic, ClinicError, KnownPeer};
use crate::net::PeerStatus;

/// Who could bring something, while none of them is connected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absent {
    /// The names of those who hold it by their word; where none does, of those who may have it.
    pub waits_for: BTreeSet<String>,
    /// The relay through which it is asked for, where one may carry it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub through: Option<String>,
    /// The names of those who were asked and do not have it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty", default)]
    pub lacking: BTreeSet<String>,
    /// Whether this clinic saved it, while nobody is known to hold it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub missing: bool,
}

impl Absent {
    /// What is waited for of both. A relay that carries only one of them is not named.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.waits_for.extend(other.waits_for);
        self.lacking.extend(other.lacking);
        self.through = self.through.filter(|_| other.through.is_some());
        self.missing |= other.missing;
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

    /// Whether everybody who could have it has said not to.
    pub(crate) fn is_nowhere(&self) -> bool {
        self.waits_for.is_empty() && !self.lacking.is_empty()
    }

    /// Who may have it and who has said not to, of what nobody is known to have:
    /// `; Hill Clinic may have it`.
    pub(crate) fn who(&self) -> String {
        let named = |names: &BTreeSet<String>| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            names.join(" and ")
        };
        let mut said = String::new();
        if !self.waits_for.is_empty() {
            said.push_str(&format!("; {} may have it", self.named()));
        }
        match self.lacking.len() {
            0 => {}
            1 => said.push_str(&format!(
                "; {} was asked and does not have it",
                named(&self.lacking)
            )),
            _ => said.push_str(&format!(
                "; {} were asked and do not have it",
                named(&self.lacking)
            )),
        }
        said
    }
}

/// Who may give what lies in compartments, each looked up once.
pub(super) struct Givers<'a> {
    clinic: &'a Clinic,
    peers: &'a [KnownPeer],
    links: &'a [PeerStatus],
    of_places: BTreeMap<AttachmentPlace, Entitled<'a>>,
}

/// Who may give what lies in a compartment.
#[derive(Clone)]
struct Entitled<'a> {
    givers: Vec<&'a KnownPeer>,
    /// The nodes that are asked through a relay, and its name.
    through: Option<(BTreeSet<NodeId>, String)>,
}

impl<'a> Givers<'a> {
    /// Among these peers, as the links stand.
    pub(super) fn of(clinic: &'a Clinic, peers: &'a [KnownPeer], links: &'a [PeerStatus]) -> Self {
        Self {
            clinic,
            peers,
            links,
            of_places: BTreeMap::new(),
        }
    }

    /// Who could bring an attachment.
    pub(super) fn absent(&mut self, name: &AttachmentName) -> Result<Absent, ClinicError> {
        let entitled = self.entitled(&name.place)?;
        let saved = self.clinic.attachments_saved();
        let (could, lacking) = could_bring(&saved, &entitled.givers, name);
        let is_held = could.iter().any(|peer| holds(&saved, peer, name));
        let missing = saved.shapes.contains_key(name) && !is_held;
        drop(saved);
        let own = self.clinic.clinic_id();
        let named = |peers: &[&KnownPeer]| -> BTreeSet<String> {
            let name = |peer: &&KnownPeer| match peer.clinic == own {
                true => format!("another node of {}", peer.name),
                false => peer.name.clone(),
            };
            peers.iter().map(name).collect()
        };
        let waits_for = named(&could);
        let through = entitled.through.filter(|(nodes, _)| {
            let mut could = could.iter();
            could.any(|peer| nodes.contains(&peer.node))
        });
        Ok(Absent {
            lacking: &named(&lacking) - &waits_for,
            waits_for,
            through: through.map(|(_, relay)| relay),
            missing,
        })
    }

    /// Whether somebody is connected who could bring an attachment.
    pub(super) fn is_brought(&mut self, name: &AttachmentName) -> Result<bool, ClinicError> {
        let entitled = self.entitled(&name.place)?;
        let saved = self.clinic.attachments_saved();
        let (could, _) = could_bring(&saved, &entitled.givers, name);
        let is_connected = |peer: &&KnownPeer| {
            let mut links = self.links.iter();
            links.any(|link| link.node == peer.node && link.state.is_open())
        };
        Ok(could.iter().any(is_connected))
    }

    fn entitled(&mut self, place: &AttachmentPlace) -> Result<Entitled<'a>, ClinicError> {
        if let Some(known) = self.of_places.get(place) {
            return Ok(known.clone());
        }
        let (clinic, peers) = (self.clinic, self.peers);
        let ledger = clinic.ledger(&place.chart)?;
        let decision = clinic.decide(&ledger);
        let own = clinic.clinic_id();
        let names = tags(clinic, &ledger);
        let compartment = names.get(&place.compartment);
        let reads = |clinic: &ClinicId| match compartment {
            Some(name) => decision.may_read(clinic, name),
            None => decision.may_read_any(clinic),
        };
        let may_give =
            |peer: &&KnownPeer| !peer.is_relay() && (peer.clinic == own || reads(&peer.clinic));
        let givers: Vec<&KnownPeer> = peers.iter().filter(may_give).collect();
        let through = compartment.filter(|name| decision.may_read(&own, name));
        let through = through.and_then(|name| {
            let is_asked =
                |peer: &&&KnownPeer| peer.clinic != own && decision.may_read(&peer.clinic, name);
            let asked: BTreeSet<NodeId> = givers
                .iter()
                .filter(is_asked)
                .map(|peer| peer.node)
                .collect();
            let carries =
                |peer: &&KnownPeer| peer.is_relay() && decision.may_relay(&peer.clinic, name);
            let relay = peers.iter().find(carries).filter(|_| !asked.is_empty())?;
            Some((asked, relay.name.clone()))
        });
        let entitled = Entitled { givers, through };
        self.of_places.insert(*place, entitled.clone());
        Ok(entitled)
    }
}

/// Who of these could bring an attachment: those who hold it by their word or, where none does, all
/// but those who have said that they do not. The latter are returned, too.
fn could_bring<'a>(
    saved: &Saved,
    givers: &[&'a KnownPeer],
    name: &AttachmentName,
) -> (Vec<&'a KnownPeer>, Vec<&'a KnownPeer>) {
    let lacks = |peer: &&KnownPeer| saved.lacking.since(&peer.node, name).is_some();
    let (lacking, others): (Vec<_>, Vec<_>) = givers.iter().copied().partition(lacks);
    let is_holder = |peer: &&KnownPeer| holds(saved, peer, name);
    let holders: Vec<_> = others.iter().copied().filter(is_holder).collect();
    match holders.is_empty() {
        true => (others, lacking),
        false => (holders, lacking),
    }
}

fn holds(saved: &Saved, peer: &KnownPeer, name: &AttachmentName) -> bool {
    saved.is_held_by_any(name, &[peer.node])
}
