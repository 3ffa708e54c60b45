//! Handing over keys that are owed: to a clinic that may now see what came before, or that the
//! author of an epoch did not know of.
//!
//! Whoever writes pays what it owes with what it writes. The chart's home pays as soon as it
//! hears of it, so that no reader waits for the next visit; and so does everybody who has a chart
//! that a clinic was granted by the patient's card, for home may not be reached. But not in the
//! middle of what a peer has to tell: the revocation of a grant comes behind the grant.
//!
//! ```text
//! Meta "owing/" chart 16 -> mark 8, another one each time that statements come: this node has not
//!                           looked since what it owes there
//! ```

use std::collections::BTreeSet;

use chartmesh_protocol::ChartId;
use chartmesh_protocol::identity::Verified;
use chartmesh_protocol::ledger::{
    Body, CompartmentName, Decision, Epoch, Ledger, Signer, Statement, owed_keys,
};
use chartmesh_protocol::seal::{EpochPlan, Keyring, Reader, share_epoch};

use super::draft::{Draft, is_by_card};
use super::open_chart::OpenChart;
use super::{Clinic, ClinicError};
use crate::store::{Batch, Space};

/// What the keys of charts begin with in which something may be owed.
const OWING: &[u8] = b"owing/";

impl Clinic {
    /// Adds to a draft the keys of a compartment that this clinic owes to others.
    pub(crate) fn hand_over(
        &self,
        open: &mut OpenChart,
        name: &CompartmentName,
        draft: &mut Draft,
    ) -> Result<(), ClinicError> {
        let Some(one) = open.compartments.get(name) else {
            return Ok(());
        };
        let owed = self.owed_statements(&open.ledger, &open.decision, name, &one.keys)?;
        if owed.is_empty() {
            return Ok(());
        }
        for statement in owed {
            draft.statement(&statement);
            open.ledger.insert(statement);
        }
        open.decision = self.decide(&open.ledger);
        Ok(())
    }

    /// Notes that something may be owed in a chart: if this clinic is its home, if one was granted
    /// it by the patient's card, or if this clinic has cut off one of its nodes.
    pub(crate) fn note_owing(&self, ledger: &Ledger, batch: &mut Batch) {
        let own = self.clinic_id();
        let genesis = ledger.genesis();
        let is_home = genesis.is_some_and(|(_, genesis)| genesis.custodian == own);
        let has_ended = || {
            let certificates = self.certificates_read();
            certificates.revocations().any(|one| one.clinic == own)
        };
        if is_home || has_card_grant(ledger) || has_ended() {
            let mark = self.tick().value().to_be_bytes().to_vec();
            batch.put(Space::Meta, owing_key(&ledger.chart()), mark);
        }
    }

    /// Hands over what is owed in the charts of this clinic of which statements have come: once a
    /// peer has told everything.
    pub(crate) fn pay_owing(&self) -> Result<(), ClinicError> {
        let noted: Result<Vec<_>, _> = self.store.scan_prefix(Space::Meta, OWING).collect();
        let noted = noted?;
        if noted.is_empty() {
            return Ok(());
        }
        for (key, _) in &noted {
            let id = key.get(OWING.len()..).and_then(|id| id.try_into().ok());
            if let Some(chart) = id.map(ChartId::new) {
                self.end_nodes_in(&[chart])?;
                self.hand_over_now(&chart)?;
            }
        }
        // What has come meanwhile keeps its mark.
        self.store.commit_with(move |view| {
            let mut batch = Batch::new();
            for (key, mark) in noted {
                if view.get(Space::Meta, &key)? == Some(mark) {
                    batch.delete(Space::Meta, key.to_vec());
                }
            }
            Ok::<_, ClinicError>((batch, ()))
        })?;
        Ok(())
    }

    /// Hands over what is owed in a chart of this clinic, or in one that a clinic was granted by
    /// the patient's card.
    fn hand_over_now(&self, chart: &ChartId) -> Result<(), ClinicError> {
        let own = self.clinic_id();
        let owes = |ledger: &Ledger, decision: &Decision, name: &CompartmentName| {
            !owed_keys(ledger, decision, name, &own).is_empty()
        };
        let ledger = self.ledger(chart)?;
        let decision = self.decide(&ledger);
        if decision.custodian() != Some(own) && !has_card_grant(&ledger) {
            return Ok(());
        }
        let names: BTreeSet<CompartmentName> = ledger
            .epochs()
            .map(|(_, epoch)| epoch.compartment.clone())
            .filter(|name| owes(&ledger, &decision, name))
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        let _writing = self.writing();
        // Somebody here may have paid meanwhile.
        let ledger = self.ledger(chart)?;
        let decision = self.decide(&ledger);
        let mut draft = Draft::default();
        for name in names {
            let keys = self.keys_of(&ledger, &name);
            for statement in self.owed_statements(&ledger, &decision, &name, &keys)? {
                draft.statement(&statement);
            }
        }
        self.file(draft)?;
        Ok(())
    }

    /// What this clinic owes of a compartment, wrapped and signed. A clinic whose sealing key is
    /// not known here waits until it is.
    fn owed_statements(
        &self,
        ledger: &Ledger,
        decision: &Decision,
        name: &CompartmentName,
        keys: &Keyring,
    ) -> Result<Vec<Verified<Statement>>, ClinicError> {
        let mut statements = Vec::new();
        for owed in owed_keys(ledger, decision, name, &self.clinic_id()) {
            let readers: Vec<Reader> = owed
                .clinics
                .iter()
                .filter_map(|clinic| self.reader(clinic, ledger, name).ok())
                .collect();
            let Some(key) = keys.get(&owed.epoch).filter(|_| !readers.is_empty()) else {
                continue;
            };
            let plan = EpochPlan {
                chart: ledger.chart(),
                compartment: name,
                readers: &readers,
                parents: &[],
                history: &[],
                created: self.tick(),
            };
            let epoch = share_epoch(&mut self.chance(), &plan, key).map_err(ClinicError::fault)?;
            statements.push(self.sign_epoch(epoch)?);
        }
        Ok(statements)
    }

    /// Signs an epoch with the node's key.
    pub(super) fn sign_epoch(&self, epoch: Epoch) -> Result<Verified<Statement>, ClinicError> {
        Body::Epoch(epoch)
            .sign(Signer::Node(&self.identity.node))
            .map_err(ClinicError::fault)
    }
}

/// Whether a clinic was granted a chart by the patient's card.
fn has_card_grant(ledger: &Ledger) -> bool {
    ledger.iter().any(|(_, one)| is_by_card(one.body()))
}

fn owing_key(chart: &ChartId) -> Vec<u8> {
    [OWING, chart.as_bytes()].concat()
}
