//! Asking for a summary in an emergency, and waiting for the answer.

use std::sync::Arc;
use std::time::Duration;

use chartmesh_protocol::StatementId;

use super::{Report, Service, on_clinic, stopped};
use crate::clinic::{Clinic, ClinicError, EmergencyState, Opening};
use crate::control::{Answer, EmergencyOrder, EmergencyRequest, Exit, Failure, Progress};
use crate::net::Network;

/// How often it is looked whether the answer has come.
const STEP: Duration = Duration::from_millis(50);
/// How long a person at a bedside waits while nobody is reached: after that it is better to know
/// that nothing comes.
const UNREACHED: Duration = Duration::from_secs(3);
/// How long one waits for an answer of those who are reached: at 64 kbit/s and 300 ms, a summary
/// and its keys take some 10 s.
const ANSWER: Duration = Duration::from_secs(30);
/// How long once all who are reached have told everything that they have to tell: the answer of one
/// who has the chart is on its way by then.
const TOLD: Duration = Duration::from_secs(6);

impl Service {
    /// Asks every clinic that is reached for a patient's summary, and waits a while for it.
    pub(super) async fn open_in_emergency(
        &self,
        order: EmergencyOrder,
        report: &Report,
    ) -> Result<Answer, Failure> {
        let patient = order.patient.clone();
        let ask = move |clinic: &Arc<Clinic>| clinic.ask_in_emergency(&order);
        let id = on_clinic(&self.clinic, ask).await?;
        let opening = match self.network() {
            Some(network) => answered(&self.clinic, &network, (&patient, id), report).await?,
            None => {
                let _visit = self.visit.lock().await;
                let visit = Network::start(Arc::clone(&self.clinic), self.visiting.clone())
                    .await
                    .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
                let outcome = answered(&self.clinic, &visit, (&patient, id), report).await;
                visit.stop().await;
                outcome?
            }
        };
        let exit = match (opening.state, &opening.chart) {
            (EmergencyState::Open, Some(_)) => Exit::Done,
            (EmergencyState::Forbidden, _) => Exit::Refused,
            (
                EmergencyState::Open
                | EmergencyState::Asked
                | EmergencyState::Over
                | EmergencyState::Ended,
                _,
            ) => Exit::Unreachable,
        };
        Ok(Answer::done(&opening)?.ending(exit))
    }
}

/// Carries out what needs no network.
pub(super) fn on_store(clinic: &Clinic, request: EmergencyRequest) -> Result<Answer, Failure> {
    match request {
        EmergencyRequest::List { patient } => {
            Answer::done(&clinic.emergencies(patient.as_deref())?)
        }
        EmergencyRequest::Review {
            id,
            justified,
            note,
        } => Answer::done(&clinic.review_emergency(&id, justified, &note)?),
        EmergencyRequest::Rule {
            patient,
            allowed,
            pin,
        } => Answer::done(&clinic.rule_emergencies(&patient, allowed, pin.as_ref())?),
        EmergencyRequest::Code { patient } => Answer::done(&clinic.emergency_code(&patient)?),
        EmergencyRequest::Open(_) => {
            Err(ClinicError::fault("a network command reached the store").into())
        }
    }
}

/// Waits for the answer, while everybody who is not connected is called.
async fn answered(
    clinic: &Arc<Clinic>,
    network: &Network,
    (patient, id): (&str, StatementId),
    report: &Report,
) -> Result<Opening, Failure> {
    let mut waited = Duration::ZERO;
    let calling = network.sync_now(None);
    tokio::pin!(calling);
    let mut told_after: Option<Duration> = None;
    loop {
        let named = patient.to_owned();
        let look = move |clinic: &Arc<Clinic>| clinic.opening(&named, &id);
        let opening = on_clinic(clinic, look).await?;
        let is_over = match opening.state {
            EmergencyState::Open => opening.chart.is_some(),
            EmergencyState::Forbidden => true,
            EmergencyState::Asked | EmergencyState::Over | EmergencyState::Ended => false,
        };
        let is_reached = network
            .board()
            .all()
            .iter()
            .any(|link| link.state.is_open());
        let patience = match (is_reached, told_after) {
            (false, _) => UNREACHED,
            (true, None) => ANSWER,
            (true, Some(told)) => ANSWER.min(TOLD.saturating_add(told)),
        };
        if is_over || waited >= patience {
            return Ok(opening);
        }
        report(Progress {
            what: match is_reached {
                true => "waiting for the answer; seconds:".to_owned(),
                false => "calling the other clinics; seconds:".to_owned(),
            },
            done: waited.as_secs(),
            total: 0,
        });
        tokio::select! {
            called = &mut calling, if told_after.is_none() => {
                called.map_err(stopped)?;
                told_after = Some(waited);
            }
            () = tokio::time::sleep(STEP) => waited = waited.saturating_add(STEP),
        }
    }
}
