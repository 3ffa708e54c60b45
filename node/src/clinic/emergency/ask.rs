//! Asking for a patient's summary in an emergency, and how that stands.

use chartmesh_protocol::ledger::{
    Body, BreakGlass, CompartmentName, Decision, EMERGENCY_MS, EmergencyCode, GrantState, Ledger,
    Signer,
};
use chartmesh_protocol::{ChartId, StatementId};
use serde::{Deserialize, Serialize};

use crate::clinic::audit::Action;
use crate::clinic::draft::Draft;
use crate::clinic::{ChartView, Clinic, ClinicError, date};
use crate::control::EmergencyOrder;

/// How many charts one clinician opens in a day at most: more than any night in a ward brings in,
/// and too few to read through a town.
const MOST_A_DAY: usize = 20;

/// How an emergency stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmergencyState {
    /// Nobody who has the chart has answered yet.
    Asked,
    /// The summary is open to the clinic that asked.
    Open,
    /// It was open, and is no more.
    Over,
    /// The patient has forbidden it.
    Forbidden,
}

/// What `emergency open` answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Opening {
    /// The emergency.
    pub emergency: StatementId,
    /// The chart.
    pub patient: ChartId,
    /// How it stands.
    pub state: EmergencyState,
    /// Until when the summary is open, as RFC 3339.
    pub until: Option<String>,
    /// The chart, once it is open.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub chart: Option<Box<ChartView>>,
}

/// How an emergency stands by the ledger of the chart, and until when.
pub(super) fn standing(
    decision: &Decision,
    emergency: &StatementId,
) -> (EmergencyState, Option<u64>) {
    let answers = decision
        .grants()
        .filter(|view| view.grant.emergency == Some(*emergency));
    let mut state = match decision.allows_emergencies() {
        true => EmergencyState::Asked,
        false => EmergencyState::Forbidden,
    };
    let mut until = None;
    for view in answers {
        match view.state {
            GrantState::Valid => {
                until = until.max(view.grant.expires_ms);
                state = EmergencyState::Open;
            }
            GrantState::Invalid(_) => {}
            GrantState::NotYet
            | GrantState::Expired
            | GrantState::Revoked(_)
            | GrantState::FallsWithParent(_) => {
                if state == EmergencyState::Asked {
                    state = EmergencyState::Over;
                    until = until.max(view.grant.expires_ms);
                }
            }
        }
    }
    (state, until)
}

impl Clinic {
    /// Asks every clinic that is reached for a patient's summary. What was asked already and is
    /// not over is not asked again.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] for what is no chart id, [`ClinicError::Conflict`] where the
    /// summary may be read anyway, [`ClinicError::Usage`] for a missing name or reason, a code that
    /// is none or a reason that was given before, [`ClinicError::Refused`] for a clinician who has
    /// asked for too many charts.
    pub fn ask_in_emergency(&self, order: &EmergencyOrder) -> Result<StatementId, ClinicError> {
        let chart = self.chart_asked_for(&order.patient)?;
        let _writing = self.writing();
        let ledger = self.ledger(&chart)?;
        let decision = self.decide(&ledger);
        let own = self.clinic_id();
        let reads = || decision.may_read(&own, &CompartmentName::Summary);
        let mine = ledger.emergencies().filter(|(_, one)| one.clinic == own);
        let mine: Vec<_> = mine.collect();
        let now = self.time_ms();
        let recent = |one: &BreakGlass| one.at_ms.abs_diff(now) < EMERGENCY_MS;
        let pending = mine.iter().find(|(id, one)| {
            let (state, _) = standing(&decision, id);
            matches!(state, EmergencyState::Asked | EmergencyState::Open) && recent(one)
        });
        if let Some((id, _)) = pending {
            return Ok(*id);
        }
        if reads() {
            return Err(ClinicError::Conflict {
                reason: "this clinic may read the summary already: `chartmesh chart show` shows it"
                    .to_owned(),
            });
        }
        let (clinician, reason) = (order.clinician.trim(), order.reason.trim());
        if mine.iter().any(|(_, one)| one.reason == reason) {
            return Err(ClinicError::usage(
                "this reason was given before: say why it is needed longer",
            ));
        }
        self.check_clinician(clinician, now)?;
        let proof = match &order.code {
            None => None,
            Some(typed) => {
                let code = EmergencyCode::parse(typed);
                let code = code.map_err(|error| ClinicError::usage(error.to_string()))?;
                Some(code.proof(&chart, &own, now))
            }
        };
        let asked = BreakGlass {
            chart,
            clinic: own,
            clinician: clinician.to_owned(),
            by: self.identity.user_id(),
            reason: reason.to_owned(),
            at_ms: now,
            proof,
        };
        let signed = Body::BreakGlass(asked).sign(Signer::Clinic(&self.identity.clinic));
        let statement = signed.map_err(|_| {
            ClinicError::usage(
                "a clinician's name has at most 128 bytes and a reason at most 512, each in one \
                 line, and neither is empty",
            )
        })?;
        let mut draft = Draft::default();
        draft.statement(&statement);
        draft.note(Action::BreakGlass, Some(chart));
        self.file(draft)?;
        Ok(statement.id())
    }

    /// How an emergency stands, with the chart once it is open and has come.
    ///
    /// # Errors
    /// [`ClinicError::NotFound`] for an unknown emergency.
    pub fn opening(&self, patient: &str, id: &StatementId) -> Result<Opening, ClinicError> {
        let chart = self.chart_asked_for(patient)?;
        let ledger = self.ledger(&chart)?;
        let decision = self.decide(&ledger);
        let (state, until) = standing(&decision, id);
        let view = match state {
            EmergencyState::Open => Some(self.chart_view(&chart.to_string())?),
            EmergencyState::Asked | EmergencyState::Over | EmergencyState::Forbidden => None,
        };
        // The answer comes before the records.
        let view = view.filter(|view| !view.fhir_id.is_empty());
        Ok(Opening {
            emergency: *id,
            patient: chart,
            state,
            until: until.map(date::moment),
            chart: view.map(Box::new),
        })
    }

    /// A chart that is here, or one whose whole id is on the patient's card.
    pub(super) fn chart_asked_for(&self, typed: &str) -> Result<ChartId, ClinicError> {
        match typed.trim().to_ascii_lowercase().parse() {
            Ok(chart) => Ok(chart),
            Err(_) => self.find_chart(typed),
        }
    }

    /// Nobody reads through a town: a clinician opens so many charts in a day.
    fn check_clinician(&self, clinician: &str, now_ms: u64) -> Result<(), ClinicError> {
        let own = self.clinic_id();
        let mut opened = 0;
        for chart in self.charts_asked()? {
            let ledger = self.ledger(&chart)?;
            let by_them = |one: &BreakGlass| {
                one.clinic == own
                    && one.clinician.to_lowercase() == clinician.to_lowercase()
                    && one.at_ms.abs_diff(now_ms) < EMERGENCY_MS
            };
            opened += count(&ledger, by_them);
        }
        if opened < MOST_A_DAY {
            return Ok(());
        }
        Err(ClinicError::refused(format!(
            "this clinician has opened {opened} charts within a day: another one has to answer for \
             this one"
        )))
    }
}

fn count(ledger: &Ledger, which: impl Fn(&BreakGlass) -> bool) -> usize {
    ledger.emergencies().filter(|(_, one)| which(one)).count()
}
