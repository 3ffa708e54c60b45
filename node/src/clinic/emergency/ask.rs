//! Asking for a patient's summary in an emergency, and how that stands.

use chartmesh_protocol::ledger::{
    Body, BreakGlass, Decision, EMERGENCY_MS, EmergencyCode, GrantState, GrantView, Signer,
};
use chartmesh_protocol::{ChartId, StatementId};
use serde::{Deserialize, Serialize};

use super::given;
use crate::clinic::audit::Action;
use crate::clinic::draft::Draft;
use crate::clinic::{ChartView, Clinic, ClinicError, date, fold};
use crate::control::EmergencyOrder;
use crate::store::Space;

/// How many summaries one clinician opens in a day at most: more than any night in a ward brings
/// in, and too few to read through a town.
const MOST_OPENED: usize = 20;

/// How many one asks for: with ids that were mistyped, and clinics that were not reached.
const MOST_ASKED: usize = 100;

/// How an emergency stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmergencyState {
    /// Nobody who has the chart has answered yet.
    Asked,
    /// The summary is open to the clinic that asked.
    Open,
    /// It was open, and its time is over.
    Over,
    /// It was open, and was ended before its time.
    Ended,
    /// The patient had forbidden it.
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

/// How an emergency stands by the ledger of the chart, and until when: by its own answers first,
/// for what was seen was seen, whatever the patient has said since.
pub(super) fn standing(
    decision: &Decision,
    emergency: &StatementId,
    asked: &BreakGlass,
) -> (EmergencyState, Option<u64>) {
    let clinic = asked.clinic;
    let open = |view: &&GrantView| {
        // Another asking of the same clinic may have opened it.
        let theirs = view.grant.grantee == clinic && view.grant.emergency.is_some();
        theirs && view.state == GrantState::Valid
    };
    if let Some(view) = decision.grants().find(open) {
        return (EmergencyState::Open, view.grant.expires_ms);
    }
    let answers = decision
        .grants()
        .filter(|view| view.grant.emergency == Some(*emergency));
    let mut state = None;
    for view in answers {
        match view.state {
            GrantState::Expired => {
                return (EmergencyState::Over, view.grant.expires_ms);
            }
            GrantState::Revoked(_) | GrantState::FallsWithParent(_) => {
                state = Some(EmergencyState::Ended);
            }
            GrantState::Valid | GrantState::NotYet | GrantState::Invalid(_) => {}
        }
    }
    let unanswered = || match decision.emergency_rule() {
        Some((_, rule)) if !rule.allowed || asked.at_ms <= rule.at_ms => EmergencyState::Forbidden,
        Some(_) | None => EmergencyState::Asked,
    };
    (state.unwrap_or_else(unanswered), None)
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
        let code = order.code.as_deref().map(EmergencyCode::parse);
        let code = code.transpose();
        let code = code.map_err(|error| ClinicError::usage(error.to_string()))?;
        let _writing = self.writing();
        let ledger = self.ledger(&chart)?;
        let decision = self.decide(&ledger);
        let (own, now) = (self.clinic_id(), self.time_ms());
        let (clinician, reason) = (order.clinician.trim(), order.reason.trim());
        let is_same = |one: &BreakGlass| {
            one.clinic == own && same_person(&one.clinician, clinician) && one.reason == reason
        };
        let before = ledger.emergencies().filter(|(_, one)| is_same(one));
        if let Some((id, asked)) = before.max_by_key(|(_, one)| one.at_ms) {
            let is_recent = asked.at_ms.abs_diff(now) < EMERGENCY_MS;
            match standing(&decision, &id, asked).0 {
                EmergencyState::Open => return Ok(id),
                EmergencyState::Asked | EmergencyState::Forbidden if is_recent => return Ok(id),
                EmergencyState::Asked | EmergencyState::Forbidden => {}
                EmergencyState::Over | EmergencyState::Ended => {
                    return Err(ClinicError::usage(
                        "this reason was given before: say why it is needed longer",
                    ));
                }
            }
        }
        if decision.custodian() == Some(own) || given(&decision, &own).is_some() {
            return Err(ClinicError::Conflict {
                reason: "this clinic may read the summary already: `chartmesh chart show` shows it"
                    .to_owned(),
            });
        }
        self.check_clinician(clinician, now)?;
        let proof = code.map(|code| code.proof(&chart, &own, now));
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
        let Some((_, asked)) = ledger.emergencies().find(|(one, _)| one == id) else {
            return Err(ClinicError::NotFound {
                what: "emergency",
                look: "emergency list",
            });
        };
        let (state, until) = standing(&decision, id, asked);
        let is_here = self.store.contains(Space::Charts, chart.as_bytes())?;
        let view = match state {
            EmergencyState::Open if is_here => Some(self.chart_view(&chart.to_string())?),
            EmergencyState::Open
            | EmergencyState::Asked
            | EmergencyState::Over
            | EmergencyState::Ended
            | EmergencyState::Forbidden => None,
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
    pub(in crate::clinic) fn chart_asked_for(&self, typed: &str) -> Result<ChartId, ClinicError> {
        if let Ok(chart) = typed.trim().to_ascii_lowercase().parse() {
            return Ok(chart);
        }
        match self.find_chart(typed) {
            Err(ClinicError::NotFound { .. }) => Err(ClinicError::NotHere {
                reason: "no patient here has this id; of somebody who is not here the whole id of \
                         the chart is needed, 32 characters 0-9 and a-f, as on the patient's card"
                    .to_owned(),
            }),
            found => found,
        }
    }

    /// Nobody reads through a town: a clinician opens so many charts in a day.
    fn check_clinician(&self, clinician: &str, now_ms: u64) -> Result<(), ClinicError> {
        let own = self.clinic_id();
        let (mut asked, mut opened) = (0, 0);
        for chart in self.charts_asked()? {
            let ledger = self.ledger(&chart)?;
            let decision = self.decide(&ledger);
            let theirs = ledger.emergencies().filter(|(_, one)| {
                one.clinic == own
                    && same_person(&one.clinician, clinician)
                    && one.at_ms.abs_diff(now_ms) < EMERGENCY_MS
            });
            for (id, one) in theirs {
                asked += 1;
                let (state, _) = standing(&decision, &id, one);
                opened += usize::from(!matches!(
                    state,
                    EmergencyState::Asked | EmergencyState::Forbidden
                ));
            }
        }
        if opened < MOST_OPENED && asked < MOST_ASKED {
            return Ok(());
        }
        Err(ClinicError::refused(format!(
            "this clinician has asked for {asked} summaries within a day, of which {opened} were \
             opened: another one has to answer for this one"
        )))
    }
}

/// Whether two names are of one person, however they are spaced and dotted.
fn same_person(one: &str, other: &str) -> bool {
    fold::words(one) == fold::words(other)
}
