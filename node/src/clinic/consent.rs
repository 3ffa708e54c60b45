//! Consent: grants and revocations, and what is shown of them.

use chartmesh_protocol::identity::Verified;
use chartmesh_protocol::ledger::{
    Basis, Body, ChartSecret, CompartmentName, Compartments, GrantState, History, Rights, Signer,
    Statement,
};
use chartmesh_protocol::seal::wrap_chart_secret;
use chartmesh_protocol::{ChartId, ClinicId, StatementId};
use serde::{Deserialize, Serialize};

use super::audit::Action;
use super::draft::Draft;
use super::epochs::no_secret;
use super::grant_list::state_text;
use super::open_chart::{OpenChart, Scope};
use super::terms::{ALL, Terms};
use super::{Clinic, ClinicError};
use crate::control::{GrantRequest, Pin, Progress};

/// What `consent grant` made for one patient, or why it did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantMade {
    /// The grant.
    pub grant: Option<StatementId>,
    /// The chart.
    pub patient: ChartId,
    /// The clinic that receives.
    pub to: ClinicId,
    /// The compartments, or `all`.
    pub compartments: Vec<String>,
    /// The rights.
    pub rights: Vec<String>,
    /// Until when, as RFC 3339; without end if none.
    pub until: Option<String>,
    /// On what ground it was signed.
    pub basis: Option<String>,
    /// Why this patient was passed over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
}

/// One grant for one patient, or an array of them for all.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub enum GrantsMade {
    /// For `--patient ID`.
    One(GrantMade),
    /// For `--patient all`.
    All(Vec<GrantMade>),
}

impl GrantsMade {
    /// Whether a patient was passed over.
    #[must_use]
    pub fn passed_over(&self) -> bool {
        match self {
            Self::One(grant) => grant.error.is_some(),
            Self::All(grants) => grants.iter().any(|grant| grant.error.is_some()),
        }
    }
}

/// On what a grant stands: the one that it passes on, where it is named; the patient's PIN.
pub(super) type Ground<'a> = (Option<StatementId>, Option<&'a Pin>);

impl Clinic {
    /// Signs a grant for one patient, or for every patient of this clinic.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] for an unknown clinic or patient, [`ClinicError::Usage`] for
    /// terms that are none, [`ClinicError::Pin`] and [`ClinicError::Refused`] where the patient's
    /// key cannot be used.
    pub fn grant(
        &self,
        request: &GrantRequest,
        progress: &dyn Fn(Progress),
    ) -> Result<GrantsMade, ClinicError> {
        let terms = self.terms(request)?;
        let parent = request.parent.as_deref();
        if request.patient != ALL {
            let chart = self.find_chart(&request.patient)?;
            let parent = parent.map(|id| self.parent_named(&chart, id)).transpose()?;
            let made = self.grant_chart(&chart, &terms, (parent, request.pin.as_ref()))?;
            return Ok(GrantsMade::One(made));
        }
        if parent.is_some() {
            return Err(ClinicError::usage(
                "a grant is of one patient: name the patient whose grant is passed on",
            ));
        }
        let charts = self.own_charts()?;
        let total = u64::try_from(charts.len()).unwrap_or(u64::MAX);
        let mut made = Vec::with_capacity(charts.len());
        for (done, chart) in (0..).zip(charts) {
            progress(Progress {
                what: "signing grants".to_owned(),
                done,
                total,
            });
            made.push(
                match self.grant_chart(&chart, &terms, (None, request.pin.as_ref())) {
                    Ok(grant) => grant,
                    // One patient must not keep all the others waiting.
                    Err(
                        error @ (ClinicError::Pin { .. }
                        | ClinicError::PinLimit { .. }
                        | ClinicError::Refused { .. }),
                    ) => GrantMade {
                        error: Some(error.to_string()),
                        ..terms.made(chart)
                    },
                    Err(error) => return Err(error),
                },
            );
        }
        Ok(GrantsMade::All(made))
    }

    fn own_charts(&self) -> Result<Vec<ChartId>, ClinicError> {
        let own = self.clinic_id();
        let mut charts = Vec::new();
        for chart in self.all_charts()? {
            if self
                .ledger(&chart)?
                .genesis()
                .is_some_and(|(_, one)| one.custodian == own)
            {
                charts.push(chart);
            }
        }
        Ok(charts)
    }

    fn grant_chart(
        &self,
        chart: &ChartId,
        terms: &Terms,
        ground: Ground<'_>,
    ) -> Result<GrantMade, ClinicError> {
        self.check_from_now_on(chart, terms)?;
        let _gathering = self.news.gather();
        let made = self.file_grant(chart, terms, ground)?;
        if terms.history == History::All {
            self.compact_for_reader(chart, &terms.compartments);
        }
        Ok(made)
    }

    /// What is written later builds on what was written before: who may not have the one can make
    /// nothing of the other. So a grant from now on is of compartments that hold nothing yet.
    fn check_from_now_on(&self, chart: &ChartId, terms: &Terms) -> Result<(), ClinicError> {
        if terms.history == History::All {
            return Ok(());
        }
        let open = self.open_chart(chart, Scope::Keys)?;
        let parts = open.compartments();
        let begun = parts.filter(|(name, one)| {
            terms.compartments.covers(name) && (!one.seen().is_empty() || one.sealed() > 0)
        });
        let begun: Vec<String> = begun.map(|(name, _)| name.to_string()).collect();
        if begun.is_empty() {
            return Ok(());
        }
        Err(ClinicError::refused(format!(
            "something is written already in {}, and what is written later builds on it: grant \
             all of its history, or name compartments that hold nothing yet",
            begun.join(", ")
        )))
    }

    pub(super) fn file_grant(
        &self,
        chart: &ChartId,
        terms: &Terms,
        (parent, pin): Ground<'_>,
    ) -> Result<GrantMade, ClinicError> {
        let _writing = self.writing();
        let mut open = self.open_chart(chart, Scope::Keys)?;
        if open.decision.custodian() == Some(terms.peer.clinic) {
            return Err(ClinicError::usage(
                "this is the patient's home clinic: it has the whole chart, and needs no grant",
            ));
        }
        let parent = parent.or_else(|| self.parent_for(&open));
        let passed_on = parent.and_then(|id| open.decision.grant(&id));
        let terms = &terms.within(passed_on.map(|view| &view.grant));
        if let Some(same) = open.decision.grants().find(|view| terms.are_those_of(view)) {
            let statement = open.ledger.get(&same.id);
            return Ok(GrantMade {
                grant: Some(same.id),
                basis: statement.and_then(basis_of),
                ..terms.made(*chart)
            });
        }
        let mut draft = Draft::default();
        let statement = self.sign_grant(&open, terms, (parent, pin))?;
        draft.statement(&statement);
        let (id, basis) = (statement.id(), basis_of(&statement));
        open.ledger.insert(statement);
        open.decision = self.decide(&open.ledger);
        if let Some(GrantState::Invalid(reason)) =
            open.decision.grant(&id).map(|view| view.state.clone())
        {
            return Err(ClinicError::refused(format!(
                "this grant would not hold: {reason}"
            )));
        }
        let names: Vec<CompartmentName> = open.compartments.keys().cloned().collect();
        for name in names.iter().filter(|name| terms.compartments.covers(name)) {
            self.sealing_key(&mut open, name, &mut draft)?;
            self.hand_over(&mut open, name, &mut draft)?;
        }
        draft.note(Action::Grant, Some(*chart));
        self.file(draft)?;
        Ok(GrantMade {
            grant: Some(id),
            basis,
            ..terms.made(*chart)
        })
    }

    /// Signs a grant with the patient's key; where that does not lie here, with the clinic's, on
    /// the ground of a grant that may be passed on.
    fn sign_grant(
        &self,
        open: &OpenChart,
        terms: &Terms,
        (parent, pin): Ground<'_>,
    ) -> Result<Verified<Statement>, ClinicError> {
        let chart = open.id();
        let secret = open.secret.as_ref().ok_or_else(|| no_secret(open))?;
        let to = terms.peer.clinic;
        let sealing = self.sealing_key_of(&to)?.ok_or(ClinicError::NotFound {
            what: "clinic",
            look: "peer list",
        })?;
        let mut rng = self.chance();
        // A relay gets no key to anything: what is wrapped for it opens nothing.
        let nothing = ChartSecret::generate(&mut rng);
        let secret = if terms.peer.is_relay() {
            &nothing
        } else {
            secret
        };
        let wrapped = wrap_chart_secret(&mut rng, &chart, &to, &sealing, secret)
            .map_err(ClinicError::fault)?;
        let ground = (&open.ledger, Basis::Custody);
        let mut grant = terms.grant(&mut rng, ground, (self.time_ms(), wrapped));
        if let Some(parent) = parent {
            grant.parent = Some(parent);
            grant.basis = Basis::Parent;
            let signer = Signer::Clinic(&self.identity.clinic);
            return Body::Grant(grant).sign(signer).map_err(ClinicError::fault);
        }
        let (key, basis) = self.patient_key(&chart, pin)?;
        grant.basis = basis;
        Body::Grant(grant)
            .sign(Signer::Patient(&key))
            .map_err(ClinicError::fault)
    }

    /// The grant of a chart that somebody named to pass it on.
    fn parent_named(&self, chart: &ChartId, typed: &str) -> Result<StatementId, ClinicError> {
        let (of, id) = self.find_grant(typed)?;
        let ledger = self.ledger(chart)?;
        let decision = self.decide(&ledger);
        let Some(view) = decision.grant(&id).filter(|_| of == *chart) else {
            return Err(ClinicError::refused(
                "the grant to pass on is of another patient",
            ));
        };
        if view.grant.grantee != self.clinic_id() {
            return Err(ClinicError::refused(
                "only the clinic that a grant was given to can pass it on",
            ));
        }
        if view.state == GrantState::Valid {
            return Ok(id);
        }
        Err(ClinicError::refused(format!(
            "the grant to pass on is not in force: {}",
            state_text(&view.state)
        )))
    }

    /// The grant to this clinic that it may pass on, when it is not the chart's home.
    fn parent_for(&self, open: &OpenChart) -> Option<StatementId> {
        let own = self.clinic_id();
        if open.decision.custodian() == Some(own) {
            return None;
        }
        open.decision
            .grants()
            .filter(|view| view.state == GrantState::Valid && view.grant.grantee == own)
            .find(|view| view.grant.rights.includes(Rights::SHARE))
            .map(|view| view.id)
    }
}

pub(super) fn compartment_names(compartments: &Compartments) -> Vec<String> {
    match compartments {
        Compartments::All => vec![ALL.to_owned()],
        Compartments::Named(names) => names.iter().map(ToString::to_string).collect(),
    }
}

fn basis_of(statement: &Verified<Statement>) -> Option<String> {
    let Body::Grant(grant) = statement.body() else {
        return None;
    };
    Some(basis_text(grant.basis).to_owned())
}

pub(super) fn basis_text(basis: Basis) -> &'static str {
    match basis {
        Basis::PatientPin => "patient-pin",
        Basis::Custody => "custody",
        Basis::Card => "card",
        Basis::Parent => "parent",
        Basis::Emergency => "emergency",
    }
}
