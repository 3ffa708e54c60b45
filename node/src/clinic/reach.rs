//! What is said at once to somebody whose node cannot call another one.

use chartmesh_protocol::ClinicId;

use super::short::short;
use super::{Clinic, ClinicError, KnownPeer};

/// How two nodes find each other where neither can call.
const NEARBY: &str = "or both stand in one network, with `mdns = true` in config.toml";

impl Clinic {
    /// What a person has to know who has just added a clinic: that it cannot be called, or that it
    /// is called as another one is.
    ///
    /// # Errors
    /// [`ClinicError::Store`] when the store cannot be read.
    pub(crate) fn warning_of(&self, added: &KnownPeer) -> Result<Option<String>, ClinicError> {
        let mut words = Vec::new();
        if added.addresses.is_empty() {
            let name = &added.name;
            words.push(format!(
                "the card has no address, so this node cannot call {name}: {name} has to call this \
                 one, which takes this node's card there (`chartmesh id --card-only`), {NEARBY}. A \
                 card that is made while their node runs has an address"
            ));
        }
        let bare = self.bare_name(&added.node)?;
        let others = self.clinics_called(&bare.unwrap_or_default(), &added.clinic)?;
        if let Some(other) = others.first() {
            let other = match *other == self.clinic_id() {
                true => "this clinic itself".to_owned(),
                false => format!("clinic {}", short(other)),
            };
            words.push(format!(
                "{other} has the same name: the two are told apart by their ids, and this one is \
                 shown as {}. Make sure that it is the one that you mean",
                added.name
            ));
        }
        Ok((!words.is_empty()).then(|| words.join(". Also, ")))
    }

    /// The other clinics with a name.
    fn clinics_called(&self, name: &str, but: &ClinicId) -> Result<Vec<ClinicId>, ClinicError> {
        let own = (self.clinic_id(), self.name().to_owned());
        let cards = self.cards()?.into_iter();
        let others = cards.map(|card| (card.clinic(), card.name().to_owned()));
        let called = [own].into_iter().chain(others);
        let called = called.filter(|(clinic, other)| clinic != but && is_same(name, other));
        Ok(called.map(|(clinic, _)| clinic).collect())
    }

    /// Why a new node cannot call the node that enrolled it, where it cannot.
    pub(crate) fn warning_of_new_node(&self) -> Result<Option<String>, ClinicError> {
        let own = self.clinic_id();
        let mut peers = self.peers()?.into_iter();
        let first = peers.find(|peer| peer.clinic == own);
        let is_alone = first.is_some_and(|first| first.addresses.is_empty());
        Ok(is_alone.then(|| {
            format!(
                "the enrolment file has no address of the clinic's other node, so this one cannot \
                 call it: the other has to call this one, once this node runs and its card \
                 (`chartmesh id --card-only`) is added there with `chartmesh peer add`, {NEARBY}"
            )
        }))
    }

    /// Why a node that is enrolled now cannot call this one, where it cannot.
    pub(crate) fn warning_of_enrolment(&self) -> Result<Option<String>, ClinicError> {
        Ok(self.addresses()?.is_empty().then(|| {
            format!(
                "the file has no address of this node, which has not run yet, so the new node \
                 cannot call it: start this one and make another file, {NEARBY}"
            )
        }))
    }
}

/// Whether two names look the same to somebody who reads them.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let bare = |name: &str| name.trim().to_lowercase();
    bare(one) == bare(other)
}
