//! Grants as lists show them: who may see what, and until when.

use std::collections::BTreeMap;

use chartmesh_protocol::ledger::{GrantState, GrantView, History};
use chartmesh_protocol::{ChartId, ClinicId, StatementId};
use serde::{Deserialize, Serialize};

use super::consent::{basis_text, compartment_names};
use super::open_chart::OpenChart;
use super::{Clinic, ClinicError, date};

/// One grant, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantLine {
    /// The grant.
    pub grant: StatementId,
    /// The chart.
    pub patient: ChartId,
    /// The clinic that receives.
    pub to: ClinicId,
    /// Its name, where it is known here.
    pub to_name: Option<String>,
    /// The compartments, or `all`.
    pub compartments: Vec<String>,
    /// The rights.
    pub rights: Vec<String>,
    /// The code of HL7 v3 PurposeOfUse.
    pub purpose: String,
    /// From when on, as RFC 3339.
    pub since: String,
    /// Until when, as RFC 3339; without end if none.
    pub until: Option<String>,
    /// `all`, or `from-now-on`.
    pub history: String,
    /// On what ground it was signed: `patient-pin`, `custody`, `card` or `parent`.
    pub basis: String,
    /// The grant that it passes on.
    pub parent: Option<StatementId>,
    /// The clinic that passed it on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub through: Option<ClinicId>,
    /// Its name, where it is known here.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub through_name: Option<String>,
    /// `valid`, `not-yet`, `expired`, `revoked`, `falls-with-parent` or `invalid`.
    pub state: String,
    /// What a person should know of the state.
    pub note: String,
}

impl Clinic {
    /// The grants of one patient or of all.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] for an unknown patient.
    pub fn grants(&self, patient: Option<&str>) -> Result<Vec<GrantLine>, ClinicError> {
        let charts = match patient {
            Some(id) => vec![self.find_chart(id)?],
            None => self.all_charts()?.into_iter().collect(),
        };
        let names = self.clinic_names()?;
        let mut lines = Vec::new();
        for chart in charts {
            let ledger = self.ledger(&chart)?;
            let decision = self.decide(&ledger);
            let shown = decision.grants().map(|view| line(&names, chart, view));
            lines.extend(shown);
        }
        Ok(lines)
    }

    /// The grants of an open chart.
    pub(crate) fn grant_lines(&self, open: &OpenChart) -> Result<Vec<GrantLine>, ClinicError> {
        let names = self.clinic_names()?;
        let shown = open.decision.grants();
        Ok(shown.map(|view| line(&names, open.id(), view)).collect())
    }

    /// One grant.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] for an unknown grant.
    pub fn grant_shown(&self, id: &str) -> Result<GrantLine, ClinicError> {
        let (chart, id) = self.find_grant(id)?;
        let ledger = self.ledger(&chart)?;
        let decision = self.decide(&ledger);
        let view = decision.grant(&id).ok_or(ClinicError::NotFound {
            what: "grant",
            look: "consent list",
        })?;
        Ok(line(&self.clinic_names()?, chart, view))
    }

    /// The grant that a typed id names among those of all charts.
    pub(crate) fn find_grant(&self, typed: &str) -> Result<(ChartId, StatementId), ClinicError> {
        let wanted = typed.trim().to_ascii_lowercase();
        let mut found = Vec::new();
        for chart in self.all_charts()? {
            let ledger = self.ledger(&chart)?;
            let decision = self.decide(&ledger);
            let mine = decision.grants().map(|view| view.id);
            found.extend(
                mine.filter(|id| !wanted.is_empty() && id.to_string().starts_with(&wanted))
                    .map(|id| (chart, id)),
            );
        }
        ClinicError::only(found, ("grant", "grants"), "consent list")
    }
}

fn line(names: &BTreeMap<ClinicId, String>, chart: ChartId, view: &GrantView) -> GrantLine {
    let grant = &view.grant;
    let history = match grant.history {
        History::All => "all",
        History::FromNowOn => "from-now-on",
    };
    // The clinic whose grant it was signed it.
    let through = grant.parent.map(|_| ClinicId::new(view.signer.to_bytes()));
    GrantLine {
        grant: view.id,
        patient: chart,
        to: grant.grantee,
        to_name: names.get(&grant.grantee).cloned(),
        compartments: compartment_names(&grant.compartments),
        rights: grant.rights.names().map(str::to_owned).collect(),
        purpose: grant.purpose.to_string(),
        since: date::moment(grant.not_before_ms),
        until: grant.expires_ms.map(date::moment),
        history: history.to_owned(),
        basis: basis_text(grant.basis).to_owned(),
        parent: grant.parent,
        through_name: through.and_then(|clinic| names.get(&clinic).cloned()),
        through,
        state: state_word(&view.state).to_owned(),
        note: state_text(&view.state),
    }
}

fn state_word(state: &GrantState) -> &'static str {
    match state {
        GrantState::Valid => "valid",
        GrantState::NotYet => "not-yet",
        GrantState::Expired => "expired",
        GrantState::Revoked(_) => "revoked",
        GrantState::FallsWithParent(_) => "falls-with-parent",
        GrantState::Invalid(_) => "invalid",
    }
}

/// A grant's state in words.
pub(super) fn state_text(state: &GrantState) -> String {
    match state {
        GrantState::Valid => "in force".to_owned(),
        GrantState::NotYet => "begins later".to_owned(),
        GrantState::Expired => "its time is over".to_owned(),
        GrantState::Revoked(_) => "revoked".to_owned(),
        GrantState::FallsWithParent(_) => "the grant that it passes on was revoked".to_owned(),
        GrantState::Invalid(reason) => format!("does not hold: {reason}"),
    }
}
