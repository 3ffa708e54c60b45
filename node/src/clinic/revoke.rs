//! Ending a grant.

use chartmesh_protocol::identity::Verified;
use chartmesh_protocol::ledger::{Body, GrantState, GrantView, Revocation, Signer, Statement};
use chartmesh_protocol::{ChartId, ClinicId, StatementId};
use serde::{Deserialize, Serialize};

use super::audit::Action;
use super::draft::Draft;
use super::open_chart::{OpenChart, Scope};
use super::{Clinic, ClinicError};
use crate::control::Pin;

/// What `consent revoke` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revoked {
    /// The grant that ended.
    pub grant: StatementId,
    /// The revocation.
    pub revocation: StatementId,
    /// The chart.
    pub patient: ChartId,
    /// The clinic that it was granted to.
    pub from: ClinicId,
    /// Other grants of the chart to this clinic, which go on.
    #[serde(default)]
    pub others: Vec<StatementId>,
}

impl Clinic {
    /// Ends a grant. The keys that its clinic could open are followed by new ones at the next
    /// write.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] for an unknown grant, [`ClinicError::Conflict`] for one that has
    /// ended already, [`ClinicError::Refused`] when this clinic may not end it.
    pub fn revoke(
        &self,
        grant: &str,
        reason: &str,
        pin: Option<&Pin>,
    ) -> Result<Revoked, ClinicError> {
        let (chart, id) = self.find_grant(grant)?;
        let _writing = self.writing();
        let open = self.open_chart(&chart, Scope::Keys)?;
        let view = open
            .decision
            .grant(&id)
            .cloned()
            .ok_or(ClinicError::NotFound {
                what: "grant",
                look: "consent list",
            })?;
        if matches!(view.state, GrantState::Revoked(_)) {
            return Err(ClinicError::Conflict {
                reason: "this grant is revoked already".to_owned(),
            });
        }
        let frontier = open
            .compartments
            .iter()
            .map(|(name, one)| (name.clone(), one.seen().to_vec()));
        let body = Body::Revocation(Revocation {
            chart,
            grant: id,
            reason: reason.trim().to_owned(),
            frontier: frontier.filter(|(_, tips)| !tips.is_empty()).collect(),
            statements: open.ledger.frontier(),
        });
        let statement = self.sign_revocation(&open, &view, body, pin)?;
        let revocation = statement.id();
        let mut draft = Draft::default();
        draft.statement(&statement);
        draft.note(Action::Revoke, Some(chart));
        self.file(draft)?;
        let from = view.grant.grantee;
        let going_on = |other: &&GrantView| {
            other.grant.grantee == from
                && other.id != id
                && other.grant.parent != Some(id)
                && matches!(other.state, GrantState::Valid | GrantState::NotYet)
        };
        let others = open.decision.grants().filter(going_on);
        Ok(Revoked {
            grant: id,
            revocation,
            patient: chart,
            from,
            others: others.map(|other| other.id).collect(),
        })
    }

    /// The patient's key signs where it can be used; the home clinic, and the clinic that passed
    /// a grant on, may end it with their own.
    fn sign_revocation(
        &self,
        open: &OpenChart,
        view: &GrantView,
        body: Body,
        pin: Option<&Pin>,
    ) -> Result<Verified<Statement>, ClinicError> {
        let sign = |body: Body, signer: Signer<'_>| {
            body.sign(signer).map_err(|_| {
                ClinicError::usage("a reason is one line of at most 512 bytes, and not empty")
            })
        };
        let own = self.clinic_id();
        match self.patient_key(&open.id(), pin) {
            Ok((key, _)) => sign(body, Signer::Patient(&key)),
            Err(error @ ClinicError::Pin { .. }) if pin.is_some() => Err(error),
            Err(ClinicError::Pin { .. } | ClinicError::Refused { .. })
                if open.decision.custodian() == Some(own)
                    || view.signer.as_bytes() == own.as_bytes() =>
            {
                sign(body, Signer::Clinic(&self.identity.clinic))
            }
            Err(error) => Err(error),
        }
    }
}
