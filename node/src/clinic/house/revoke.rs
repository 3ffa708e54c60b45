//! A node is cut off: stolen, lost, or given away.
//!
//! The clinic gets another sealing key, which the node does not have and each other node gets in a
//! note of its own; it says so to everybody; and it says of each compartment what it has seen of
//! the node, so that what was written before stays, and no epoch that the node could open is used
//! again.
//!
//! ```text
//! Meta "ending/" node 32  -> empty: of some charts it is not said yet what was seen of the node
//! ```

use std::collections::BTreeSet;

use chartmesh_protocol::identity::{NodeCertificate, SealingKey, Verified};
use chartmesh_protocol::ledger::{
    Body, CompartmentName, FrontierTip, Ledger, NodeEnd, NodeRevocation, Signer,
};
use chartmesh_protocol::{ChartId, NodeId, SealingPublic};
use serde::{Deserialize, Serialize};

use super::notes::Told;
use crate::clinic::audit::Action;
use crate::clinic::draft::Draft;
use crate::clinic::open_chart::Scope;
use crate::clinic::{Clinic, ClinicError, identity, sealing_keys};
use crate::control::Progress;
use crate::store::{Batch, Space};

/// What the keys of nodes begin with of which something is still to be said.
const ENDING: &[u8] = b"ending/";
/// Charts that are gone through in one commit.
const CHARTS_AT_ONCE: usize = 128;

/// A node was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRevoked {
    /// The node.
    pub node: NodeId,
    /// What it was called.
    pub name: Option<String>,
    /// Charts of which it was said what was seen of the node.
    pub charts: u64,
}

impl Clinic {
    /// Cuts a node of this clinic off. Asked again of the same node, it finishes what was left.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] for an unknown node, [`ClinicError::Refused`] for this one,
    /// [`ClinicError::Usage`] for a reason that is none.
    pub fn revoke_node(
        &self,
        id: &str,
        reason: &str,
        progress: &dyn Fn(Progress),
    ) -> Result<NodeRevoked, ClinicError> {
        self.check_own_end()?;
        let node = self.find_node(id)?;
        if node == self.node_id() {
            return Err(ClinicError::refused(
                "a node does not cut itself off: do it at another node of this clinic",
            ));
        }
        if !self.is_cut_off(&self.clinic_id(), &node) {
            self.cut_off(&node, reason)?;
        }
        let charts = self.finish_ends(progress)?;
        Ok(NodeRevoked {
            node,
            name: self.label_of(&node)?.filter(|name| !name.is_empty()),
            charts,
        })
    }

    /// The node of this clinic whose id is, or begins with, `id`.
    fn find_node(&self, id: &str) -> Result<NodeId, ClinicError> {
        let wanted = id.trim().to_ascii_lowercase();
        let own = self.clinic_id();
        let certificates = self.certificates_read();
        let nodes = certificates.book().nodes(own);
        let begins = |node: &NodeId| !wanted.is_empty() && node.to_string().starts_with(&wanted);
        ClinicError::only(nodes.filter(begins), ("node", "nodes"), "node list")
    }

    /// Says to everybody that a node is one no more, and to the clinic's other nodes where keys are
    /// wrapped to from now on.
    pub(in crate::clinic) fn cut_off(
        &self,
        node: &NodeId,
        reason: &str,
    ) -> Result<(), ClinicError> {
        let _writing = self.writing();
        let own = self.clinic_id();
        let sealing = SealingKey::generate(&mut self.chance());
        let secret = sealing.to_bytes();
        let revocation = NodeRevocation {
            clinic: own,
            node: *node,
            reason: reason.trim().to_owned(),
            revoked_ms: self.time_ms(),
            sealing: sealing.public(),
        };
        let statement = Body::NodeRevocation(revocation)
            .sign(Signer::Clinic(&self.identity.clinic))
            .map_err(|_| {
                ClinicError::usage("a reason is one line of at most 512 bytes, and not empty")
            })?;
        let mut draft = Draft::default();
        let others: Vec<NodeId> = self.nodes_in_force(node);
        for other in &others {
            self.note_for_house(&mut draft, &Told::SealingKey(*other, &secret))?;
        }
        draft.statement(&statement);
        sealing_keys::remember(&mut draft.batch, &secret);
        draft.note(Action::CutOffNode, None);
        self.identity.sealing.add(&secret);
        self.file(draft)?;
        self.renew_certificate()
    }

    /// The nodes of this clinic besides this one and one more.
    fn nodes_in_force(&self, but: &NodeId) -> Vec<NodeId> {
        let own = self.clinic_id();
        let certificates = self.certificates_read();
        let nodes = certificates.book().nodes(own);
        nodes
            .filter(|node| node != but && *node != self.node_id())
            .filter(|node| certificates.revocation(&own, node).is_none())
            .collect()
    }

    /// Certifies this node anew where keys for the clinic are wrapped to another key by now.
    pub(in crate::clinic) fn renew_certificate(&self) -> Result<(), ClinicError> {
        let sealing = self.own_sealing();
        let old = self.identity.certificate();
        if old.payload().sealing == sealing {
            return Ok(());
        }
        let certificate = NodeCertificate {
            sealing,
            issued_ms: self.now_ms(),
            serial: self.next_serial(),
            ..old.payload().clone()
        };
        let certificate: Verified<NodeCertificate> = certificate
            .issue(&self.identity.clinic)
            .map_err(ClinicError::fault)?;
        let mut batch = Batch::new();
        identity::put_own(&mut batch, &certificate);
        self.store.commit(batch)?;
        self.certificates_write().know(certificate.clone());
        self.identity.certify_anew(certificate);
        Ok(())
    }

    /// Gives the clinic's later sealing keys to a node that was not known when they were drawn.
    pub(in crate::clinic) fn hand_sealing_keys(&self, node: &NodeId) -> Result<(), ClinicError> {
        let own = self.clinic_id();
        let current = self.own_sealing();
        let theirs = {
            let certificates = self.certificates_read();
            let certificate = certificates.of_node_at(node, &own);
            certificate.map(|one| one.payload().sealing)
        };
        let is_behind = theirs.is_some_and(|theirs| theirs != current);
        let Some(key) = self.identity.sealing.find(&current).filter(|_| is_behind) else {
            return Ok(());
        };
        if self.was_handed(node, &current)? {
            return Ok(());
        }
        let mut draft = Draft::default();
        self.note_for_house(&mut draft, &Told::SealingKey(*node, &key.to_bytes()))?;
        draft
            .batch
            .put(Space::Settings, handed_key(node, &current), Vec::new());
        self.file(draft)?;
        Ok(())
    }

    /// Whether a node was given a sealing key once it turned out not to have it.
    fn was_handed(&self, node: &NodeId, key: &SealingPublic) -> Result<bool, ClinicError> {
        Ok(self
            .store
            .contains(Space::Settings, &handed_key(node, key))?)
    }

    /// Says of every chart what was seen of nodes that were cut off, where that is not said yet.
    /// Returns of how many charts something was said.
    pub(in crate::clinic) fn finish_ends(
        &self,
        progress: &dyn Fn(Progress),
    ) -> Result<u64, ClinicError> {
        let marks: Result<Vec<_>, _> = self.store.keys(Space::Meta, ENDING).collect();
        let marks = marks?;
        if marks.is_empty() {
            return Ok(0);
        }
        let charts: Vec<ChartId> = self.all_charts()?.into_iter().collect();
        let total = u64::try_from(charts.len()).unwrap_or(u64::MAX);
        let mut said = 0;
        for (done, some) in charts.chunks(CHARTS_AT_ONCE).enumerate() {
            progress(Progress {
                what: "marking what the node has written".to_owned(),
                done: u64::try_from(done * CHARTS_AT_ONCE).unwrap_or(u64::MAX),
                total,
            });
            said += self.end_nodes_in(some)?;
        }
        let mut batch = Batch::new();
        for mark in marks {
            batch.delete(Space::Meta, mark.to_vec());
        }
        self.store.commit(batch)?;
        Ok(said)
    }

    /// Says of some charts what was seen of nodes that were cut off.
    pub(in crate::clinic) fn end_nodes_in(&self, charts: &[ChartId]) -> Result<u64, ClinicError> {
        let own = self.clinic_id();
        let ended: Vec<NodeId> = {
            let certificates = self.certificates_read();
            let mine = certificates.revocations().filter(|one| one.clinic == own);
            mine.map(|one| one.node).collect()
        };
        if ended.is_empty() {
            return Ok(0);
        }
        let _writing = self.writing();
        let mut draft = Draft::default();
        let mut said = 0;
        for chart in charts {
            let before = draft.items.len();
            for node in &ended {
                self.draft_ends(chart, node, &mut draft)?;
            }
            said += u64::from(draft.items.len() > before);
        }
        if said > 0 {
            self.file(draft)?;
        }
        Ok(said)
    }

    /// Adds to a draft what was seen of a node in each compartment of a chart that this clinic had
    /// a key of.
    fn draft_ends(
        &self,
        chart: &ChartId,
        node: &NodeId,
        draft: &mut Draft,
    ) -> Result<(), ClinicError> {
        let own = self.clinic_id();
        let ledger = self.ledger(chart)?;
        let names = unsaid(&ledger, node, |clinic| *clinic == own);
        if names.is_empty() {
            return Ok(());
        }
        let burnt = {
            let certificates = self.certificates_read();
            let certificate = certificates.of_node_at(node, &own);
            certificate.map(|one| one.payload().sealing)
        };
        let Some(burnt) = burnt else { return Ok(()) };
        let records = self.records(chart)?;
        let wrote = records
            .iter()
            .any(|one| one.header.author == *node || one.header.marked.is_some());
        let open = match wrote {
            true => Some(self.open_chart(chart, Scope::Keys)?),
            false => None,
        };
        for name in names {
            let part = open.as_ref().and_then(|open| open.compartments.get(&name));
            let seen = part.map(|part| part.seen().to_vec()).unwrap_or_default();
            let tips: Vec<FrontierTip> =
                seen.into_iter().filter(|tip| tip.author == *node).collect();
            let end = NodeEnd {
                chart: *chart,
                clinic: own,
                node: *node,
                compartment: name,
                tips,
                burnt,
            };
            let statement = Body::NodeEnd(end)
                .sign(Signer::Clinic(&self.identity.clinic))
                .map_err(ClinicError::fault)?;
            draft.statement(&statement);
        }
        Ok(())
    }
}

/// The compartments of which the clinic had a key, and has not said yet what it saw of a node.
fn unsaid(
    ledger: &Ledger,
    node: &NodeId,
    is_own: impl Fn(&chartmesh_protocol::ClinicId) -> bool,
) -> BTreeSet<CompartmentName> {
    let epochs = ledger.epochs().map(|(_, epoch)| epoch);
    let opened = epochs.filter(|epoch| epoch.readers.iter().any(|one| is_own(&one.clinic)));
    let mut names: BTreeSet<_> = opened.map(|epoch| epoch.compartment.clone()).collect();
    for (_, end) in ledger.node_ends() {
        if end.node == *node && is_own(&end.clinic) {
            names.remove(&end.compartment);
        }
    }
    names
}

/// Notes that something is to be said of a node in every chart.
pub(super) fn note_ending(batch: &mut Batch, node: &NodeId) {
    batch.put(Space::Meta, [ENDING, node.as_bytes()].concat(), Vec::new());
}

fn handed_key(node: &NodeId, key: &SealingPublic) -> Vec<u8> {
    [
        b"sealing handed/".as_slice(),
        node.as_bytes(),
        key.as_bytes(),
    ]
    .concat()
}
