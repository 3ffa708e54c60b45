//! What the home clinic and the patient see of emergencies, and what they say of them.

use chartmesh_protocol::ledger::{
    Body, BreakGlass, Decision, EmergencyRule, GrantState, Ledger, Review, Signer,
};
use chartmesh_protocol::{ChartId, ClinicId, StatementId};
use serde::{Deserialize, Serialize};

use super::ask::{EmergencyState, standing};
use crate::clinic::audit::Action;
use crate::clinic::draft::Draft;
use crate::clinic::{Clinic, ClinicError, date};
use crate::control::Pin;
use crate::store::Space;

/// An emergency, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmergencyLine {
    /// The emergency.
    pub id: StatementId,
    /// The chart.
    pub patient: ChartId,
    /// The clinic that asked.
    pub clinic: ClinicId,
    /// Its name, where it is known here.
    pub clinic_name: Option<String>,
    /// The clinician who answers for it.
    pub clinician: String,
    /// Why.
    pub reason: String,
    /// When, as RFC 3339.
    pub at: String,
    /// Whether the patient's emergency code was at hand.
    pub code: CodeGiven,
    /// How it stands.
    pub state: EmergencyState,
    /// Until when the summary is or was open, as RFC 3339.
    pub until: Option<String>,
    /// The grants by which the summary is open now, which can be revoked.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub grants: Vec<StatementId>,
    /// What the home clinic has found, once it has looked at it.
    pub reviewed: Option<Reviewed>,
}

/// What was given for the patient's emergency code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CodeGiven {
    /// Nothing.
    None,
    /// The right one.
    Right,
    /// Another one.
    Wrong,
    /// One that cannot be told right from wrong here: the chart is not.
    NotKnown,
}

/// What the home clinic has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviewed {
    /// Whether it was right to ask.
    pub justified: bool,
    /// What was noted.
    pub note: String,
}

/// The patient's rule for emergencies, as it was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSet {
    /// The chart.
    pub patient: ChartId,
    /// Whether the summary may be released in an emergency.
    pub allowed: bool,
}

/// A patient's emergency code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmergencyCodeShown {
    /// The chart, whose whole id is needed beside the code.
    pub patient: ChartId,
    /// The code.
    pub code: String,
}

impl Clinic {
    /// The emergencies of one patient, or of all who are here or whom this clinic has asked for;
    /// each chart's oldest first.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] for an unknown patient.
    pub fn emergencies(&self, patient: Option<&str>) -> Result<Vec<EmergencyLine>, ClinicError> {
        let charts = match patient {
            Some(id) => vec![self.chart_asked_for(id)?],
            None => self.charts_asked()?,
        };
        let own = self.clinic_id();
        let mut lines = Vec::new();
        for chart in charts {
            let ledger = self.ledger(&chart)?;
            // What others ask of a chart that is not here is no matter of this clinic.
            let is_here = self.store.contains(Space::Charts, chart.as_bytes())?;
            if !is_here && !ledger.emergencies().any(|(_, one)| one.clinic == own) {
                continue;
            }
            lines.extend(self.emergencies_of(&ledger, &self.decide(&ledger))?);
        }
        Ok(lines)
    }

    /// The emergencies of a chart, the oldest first.
    pub(crate) fn emergencies_of(
        &self,
        ledger: &Ledger,
        decision: &Decision,
    ) -> Result<Vec<EmergencyLine>, ClinicError> {
        let mut asked: Vec<_> = ledger.emergencies().collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        asked.sort_by_key(|(id, asked)| (asked.at_ms, *id));
        let names = self.clinic_names()?;
        let secret = self.chart_secret(ledger);
        let line = |(id, asked): (StatementId, &BreakGlass)| {
            let (state, until) = standing(decision, &id, asked);
            let code = match (asked.proof, &secret) {
                (None, _) => CodeGiven::None,
                (Some(_), None) => CodeGiven::NotKnown,
                (Some(_), Some(secret)) if asked.has_code(secret) => CodeGiven::Right,
                (Some(_), Some(_)) => CodeGiven::Wrong,
            };
            EmergencyLine {
                id,
                patient: ledger.chart(),
                clinic: asked.clinic,
                clinic_name: names.get(&asked.clinic).cloned(),
                clinician: asked.clinician.clone(),
                reason: asked.reason.clone(),
                at: date::moment(asked.at_ms),
                code,
                state,
                until: until.map(date::moment),
                grants: open_grants(decision, &id),
                reviewed: reviewed(ledger, decision, &id),
            }
        };
        Ok(asked.into_iter().map(line).collect())
    }

    /// How many emergencies this clinic, as the home of the patient, has not looked at yet.
    pub(crate) fn emergencies_to_review(&self) -> Result<u64, ClinicError> {
        let mut count = 0;
        for chart in self.charts_asked()? {
            let ledger = self.ledger(&chart)?;
            if self.is_home_of(&ledger) {
                let decision = self.decide(&ledger);
                let all = ledger.emergencies();
                let open = all.filter(|(id, _)| reviewed(&ledger, &decision, id).is_none());
                count += u64::try_from(open.count()).unwrap_or(u64::MAX);
            }
        }
        Ok(count)
    }

    /// Signs what this clinic, the home of the patient, has found of an emergency.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] or [`ClinicError::Ambiguous`] for an unknown id,
    /// [`ClinicError::Refused`] where this is not the patient's home, [`ClinicError::Usage`] for a
    /// note that is too long.
    pub fn review_emergency(
        &self,
        typed: &str,
        justified: bool,
        note: &str,
    ) -> Result<EmergencyLine, ClinicError> {
        let (chart, emergency) = self.find_emergency(typed)?;
        let _writing = self.writing();
        let ledger = self.ledger(&chart)?;
        if !self.is_home_of(&ledger) {
            return Err(ClinicError::refused(
                "only the patient's home clinic signs what it found of an emergency",
            ));
        }
        let before = reviewed(&ledger, &self.decide(&ledger), &emergency);
        if justified && before.is_some_and(|before| !before.justified) {
            return Err(ClinicError::refused(
                "it was found not right already, and that stands: say what is known now to whoever \
                 it is about",
            ));
        }
        let review = Review {
            chart,
            emergency,
            by: self.identity.user_id(),
            justified,
            note: note.trim().to_owned(),
        };
        let signed = Body::Review(review).sign(Signer::Clinic(&self.identity.clinic));
        let statement =
            signed.map_err(|_| ClinicError::usage("a note is one line of at most 512 bytes"))?;
        let mut draft = Draft::default();
        draft.statement(&statement);
        draft.note(Action::Review, Some(chart));
        self.file(draft)?;
        let mut lines = self.emergencies(Some(&chart.to_string()))?.into_iter();
        lines
            .find(|line| line.id == emergency)
            .ok_or_else(|| ClinicError::fault("an emergency that was found is not listed"))
    }

    /// Signs, with the patient's key, whether the summary may be released in an emergency.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] for an unknown patient, [`ClinicError::Pin`] and
    /// [`ClinicError::Refused`] where the patient's key cannot be used.
    pub fn rule_emergencies(
        &self,
        patient: &str,
        allowed: bool,
        pin: Option<&Pin>,
    ) -> Result<RuleSet, ClinicError> {
        let chart = self.find_chart(patient)?;
        let _writing = self.writing();
        let ledger = self.ledger(&chart)?;
        let set = RuleSet {
            patient: chart,
            allowed,
        };
        let (key, _) = self.patient_key(&chart, pin)?;
        if self.decide(&ledger).allows_emergencies() == allowed {
            return Ok(set);
        }
        let number = next_number(&ledger);
        let rule = EmergencyRule {
            chart,
            number,
            allowed,
            at_ms: self.time_ms(),
        };
        let signed = Body::EmergencyRule(rule).sign(Signer::Patient(&key));
        let mut draft = Draft::default();
        draft.statement(&signed.map_err(ClinicError::fault)?);
        draft.note(Action::RuleEmergency, Some(chart));
        self.file(draft)?;
        Ok(set)
    }

    /// The patient's emergency code, for the card.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] for an unknown patient, [`ClinicError::Refused`] where this is not
    /// the patient's home.
    pub fn emergency_code(&self, patient: &str) -> Result<EmergencyCodeShown, ClinicError> {
        let chart = self.find_chart(patient)?;
        let ledger = self.ledger(&chart)?;
        let secret = self.chart_secret(&ledger);
        let Some(secret) = secret.filter(|_| self.is_home_of(&ledger)) else {
            return Err(ClinicError::refused(
                "the emergency code is given out by the patient's home clinic",
            ));
        };
        self.note(Action::Read, Some(chart))?;
        Ok(EmergencyCodeShown {
            patient: chart,
            code: secret.emergency_code().to_text().to_string(),
        })
    }

    fn is_home_of(&self, ledger: &Ledger) -> bool {
        let own = self.clinic_id();
        ledger
            .genesis()
            .is_some_and(|(_, genesis)| genesis.custodian == own)
    }

    /// The emergency that a typed id names.
    fn find_emergency(&self, typed: &str) -> Result<(ChartId, StatementId), ClinicError> {
        let wanted = typed.trim().to_ascii_lowercase();
        let mut found = Vec::new();
        for chart in self.charts_asked()? {
            let ledger = self.ledger(&chart)?;
            let named = |(id, _): (StatementId, &BreakGlass)| {
                let is_it = !wanted.is_empty() && id.to_string().starts_with(&wanted);
                is_it.then_some((chart, id))
            };
            found.extend(ledger.emergencies().filter_map(named));
        }
        ClinicError::only(found, ("emergency", "emergencies"), "emergency list")
    }
}

/// The releases of an emergency that are in force.
fn open_grants(decision: &Decision, emergency: &StatementId) -> Vec<StatementId> {
    let theirs = decision
        .grants()
        .filter(|view| view.grant.emergency == Some(*emergency) && view.state == GrantState::Valid);
    theirs.map(|view| view.id).collect()
}

/// The custodian's word: of several, that it was not right.
fn reviewed(ledger: &Ledger, decision: &Decision, emergency: &StatementId) -> Option<Reviewed> {
    let refused = |id: &StatementId| decision.refused().any(|(refused, _)| refused == *id);
    let reviews = ledger.iter().filter_map(|(id, statement)| {
        let Body::Review(review) = statement.body() else {
            return None;
        };
        (review.emergency == *emergency && !refused(&id)).then_some(review)
    });
    let last = reviews.min_by_key(|review| review.justified)?;
    Some(Reviewed {
        justified: last.justified,
        note: last.note.clone(),
    })
}

/// The number behind those of a chart's rules so far.
fn next_number(ledger: &Ledger) -> u64 {
    let numbers = ledger.iter().filter_map(|(_, statement)| {
        let Body::EmergencyRule(rule) = statement.body() else {
            return None;
        };
        Some(rule.number)
    });
    numbers.max().map_or(0, |last| last.saturating_add(1))
}
